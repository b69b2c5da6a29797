"""BINGO on planted models: histories of scores, variances, what a cell computes, and what the summary says."""

import fabricated
import numpy as np
import pytest

from paper_repro.experiments import pr_bingo
from recovery import pruning
from recovery.mlp.masks import Masks
from recovery.pruning.bingo import Bingo
from recovery.pruning.closed_forms import bingo as closed
from recovery.pruning.frame import Frame


@pytest.fixture(scope="module")
def fixed():
    """A trained linear model, its start, its data, and a step that shows it."""
    cell = pr_bingo.BingoCell("variance", 0, 0.5, (2,))
    one, training = pr_bingo.instance_of(cell)
    data = one.data.fit_to(one.start)
    task = pruning.Task(one.start, Masks.full(one.start.matrices), data, np.random.default_rng(0), pruning.Cost())
    end = training.train(task).model
    frame = Frame(end)
    vector = frame.flat(end)
    return one, data, end, pruning.Step(1, 1, frame, vector, gradient=vector, X=frame.inputs(data.X), y=data.y)


def test_histories_follow_the_published_recursion_and_the_running_mean(fixed):
    one, data, _, step = fixed
    found = {}
    for name in ("printed", "running-mean"):
        observer = Bingo(name, "reset", "loss", 0.1).begin(one.start, data, np.random.default_rng(5), pruning.Cost())
        found[name] = pr_bingo.history(observer, step)
    marks = np.arange(1, pr_bingo.MARKS[-1] + 1)[:, None]
    changes = np.diff(marks * found["running-mean"], axis=0, prepend=0)
    assert (changes > -1e-12).all()
    score = np.full(40, 0.5)
    for k, change in enumerate(changes):
        score = (score + 1 - change) / 2
        np.testing.assert_allclose(found["printed"][k], score, rtol=0, atol=1e-9)


def test_probes_see_the_change_of_the_loss_when_weights_go_back_to_the_start(fixed):
    one, data, end, step = fixed
    rule = Bingo("running-mean", "reset", "loss", 40)
    observer = rule.begin(one.start, data, np.random.default_rng(0), pruning.Cost())
    observer.step(step)  # all weights at once
    before, after = (np.mean((data.X @ model.layers[0] - data.y[:, 0]) ** 2) for model in (end, one.start))
    np.testing.assert_allclose(observer.scores()[0], (after - before) / before, rtol=1e-10)


@pytest.mark.slow
def test_variances_are_those_of_the_closed_forms():
    found = pr_bingo.variances(pr_bingo.BingoCell("variance", 1, 0.5, (30,)))
    # 40 weights, nearly independent, 30 runs each: a relative standard error of about sqrt(2 / 29 / 40) = .04
    exact = [closed.score_variance(1.0, mark) for mark in pr_bingo.MARKS]
    np.testing.assert_allclose(found["printed"], exact, rtol=0.2)
    np.testing.assert_allclose(found["running-mean"], 1 / np.array(pr_bingo.MARKS), rtol=0.2)


def test_all_variants_make_as_many_probes():
    cell = pr_bingo.BingoCell("relu", 0, 1.0, (1,))
    one, training = pr_bingo.instance_of(cell)
    made = {name: pr_bingo.probed(one, training, name, 2, cell)[1] for name in ("corrected", "release")}
    # 300 updates, 2 probes after each, 10 of 512 weights a probe; the sweep of the release has 20 batches
    assert made["corrected"] == pytest.approx(300 * 2 * 10 / 512)
    assert made["release"] == made["corrected"]


def test_printed_and_corrected_scores_of_a_cell_rank_the_other_way_round():
    metrics, _ = pr_bingo.compute(pr_bingo.BingoCell("linear", 0, 0.1, (4,)), "cpu")
    found = metrics["auc"]
    assert found["printed"][0] == pytest.approx(1 - found["corrected"][0], abs=1e-12)
    assert found["magnitude"] == found["distance"] == [1.0]
    assert found["running-mean"][0] > 0.98
    large = pr_bingo.compute(pr_bingo.BingoCell("linear", 0, 2.0, (4,)), "cpu")[0]["auc"]
    assert large["running-mean-zero"][0] > 0.98 > 0.8 > large["running-mean"][0]
    assert large["magnitude"][0] > 0.99


def test_classes_are_balanced_and_the_start_prefers_none():
    one, _ = pr_bingo.instance_of(pr_bingo.BingoCell("relu", 3, 1.0, (1,)))
    assert one.data.y.mean() == pytest.approx(0.5)
    assert set(np.unique(one.test.y)) == {0, 1}
    outputs = one.start(one.data.X)
    np.testing.assert_allclose(outputs[:, 0], -outputs[:, 1])


def test_the_summary_has_the_exact_lines_and_the_claims():
    records = fabricated.records("pr-bingo", "quick")
    summary = pr_bingo.summarise("quick", 0, records)
    assert summary["variance"]["exact"]["printed"][:2] == [0.25, 0.3125]
    assert summary["variance"]["exact"]["running-mean"][-1] == 1 / 64
    own = [r.metrics["auc"]["release"][-1] for r in records if r.cell.settings["scale"] == 0.5 and r.metrics.get("auc")]
    assert summary["linear"]["curves"]["release"]["mean"][3] == pytest.approx(np.mean(own))
    assert summary["relu"]["probes"] == [5.0, 20.0, 80.0]
    verdicts = [claim["verdict"] for claim in summary["claims"]]
    assert verdicts[:2] == ["not held", "not held"]
    assert len(verdicts) == 4
    assert any("printed < 1/2 < corrected < |w| in 60 of 60 runs" in note for note in summary["notes"])
    empty = pr_bingo.summarise("quick", 0, records[:2])
    assert (empty["linear"], empty["relu"]) == (None, None)
