"""Ablations in the framework: the changes of the rows, the results of a cell, and the summary."""

import dataclasses

import fabricated
import numpy as np
import pytest

from paper_repro.experiments import pr_ablations
from recovery import pruning

ALLOWED = {
    "only k1": {"source", "criterion"},
    "only k2": {"rewind", "retraining"},
    "only f2": {"weight_map"},
    "only f3": {"retraining"},
    "only the scope": {"scope"},
    "only the schedule": {"schedule", "rewind", "training"},
}


@pytest.mark.parametrize("kind", ["linear", "relu"])
def test_each_row_changes_what_its_group_says_and_nothing_else(kind):
    rows = pr_ablations.methods(kind, pr_ablations.TRAINING[kind], [1, 2, 3])
    base = rows["base"]
    assert (base.source, base.rewind, base.criterion, base.after) == ("end", "dense", "magnitude", base.training)
    for group, allowed in ALLOWED.items():
        for key in pr_ablations.GROUPS[group]:
            if key == "gradual" or key not in rows:  # a method of its own
                continue
            changed = {
                field.name
                for field in dataclasses.fields(base)
                if getattr(rows[key], field.name) != getattr(base, field.name)
            }
            assert changed
            assert changed <= allowed, key
    assert rows["rewind-tenth"].retraining == base.training
    assert set(rows) == {key for key in pr_ablations.ROWS if kind == "relu" or key not in pr_ablations.ONE_LAYER}


@pytest.fixture(scope="module")
def linear():
    cell = pr_ablations.AblationCell("linear", 1)
    return cell, pr_ablations.compute(cell, "cpu")[0]


def descent(X, y, w, mask, steps):
    w = w * mask
    for _ in range(steps):
        w = w - 0.1 * mask * (X.T @ (X @ w - y)) / len(y)
    return w


def test_rows_of_a_linear_model_are_what_plain_code_finds(linear):
    cell, metrics = linear
    one, count = pr_ablations.instance_of(cell)
    X, y, w0 = one.data.X, one.data.y, np.array(one.start.layers[0])
    everything = np.ones(200, dtype=bool)
    dense = descent(X, y, w0, everything, 200)

    def top(scores):
        mask = np.zeros(200, dtype=bool)
        mask[np.argsort(-scores, kind="stable")[:count]] = True
        return mask

    gradient = X.T @ (X @ w0 - y) / len(y)
    late, early = top(np.abs(dense)), top(np.abs(w0 * gradient))
    plain = {
        "base": (late, descent(X, y, dense, late, 200)),
        "magnitude-start": (top(np.abs(w0)), descent(X, y, dense, top(np.abs(w0)), 200)),
        "snip-start": (early, descent(X, y, dense, early, 200)),
        "rewind-start": (late, descent(X, y, w0, late, 200)),
        "no-retraining": (late, dense * late),
        "pai": (early, descent(X, y, w0, early, 200)),
    }
    wanted = one.test.y
    for key, (mask, w) in plain.items():
        assert metrics["right"][key] == pytest.approx(one.relevant[mask, 0].mean()), key
        error = ((one.test.X @ w - wanted) ** 2).mean() / wanted.var()
        assert metrics["error"][key] == pytest.approx(error, rel=1e-6), key


def test_updates_are_counted_and_equal_where_the_row_says_so(linear):
    _, metrics = linear
    made = metrics["updates"]
    assert made["base"] == made["rewind-start"] == 400
    assert made["no-retraining"] == made["pai"] == 200
    assert made["rounds"] == 12 * 200  # 200 weights to 20 take eleven rounds, and the training after them
    assert 360 < made["rounds-equal"] <= 400


@pytest.mark.parametrize("kind", ["linear", pytest.param("relu", marks=pytest.mark.slow)])
def test_a_remembered_dense_path_changes_no_number(kind, monkeypatch):
    cell = pr_ablations.AblationCell(kind, 0)
    remembered, _ = pr_ablations.compute(cell, "cpu")
    monkeypatch.setattr(pr_ablations, "Dense", lambda training, start, known: training)
    assert pr_ablations.compute(cell, "cpu")[0] == remembered


def test_shuffled_scores_are_those_of_snip_in_another_order():
    one, _ = pr_ablations.instance_of(pr_ablations.AblationCell("relu", 0))
    scores = pruning.score(one.start, one.data, "snip")
    shuffled = pruning.score(one.start, one.data, pr_ablations.shuffled_snip, rng=0)
    for before, after in zip(scores, shuffled, strict=True):
        np.testing.assert_array_equal(np.sort(before.ravel()), np.sort(after.ravel()))
    assert not np.array_equal(scores[0], shuffled[0])


def test_the_summary_has_all_rows_and_claims():
    records = fabricated.records("pr-ablations", "quick")
    summary = pr_ablations.summarise("quick", 0, records)
    assert [one["kind"] for one in summary["models"]] == ["linear", "relu"]
    own = [r.metrics["error"]["base"] for r in records if r.cell.settings["kind"] == "relu"]
    assert summary["models"][1]["error"]["base"]["mean"] == pytest.approx(np.mean(own))
    rows = len(pr_ablations.ROWS)
    assert len(summary["table"]["rows"]) == 2 * rows - len(pr_ablations.ONE_LAYER)
    assert summary["claims"][0]["verdict"] == "held"  # made up: each row keeps fewer than the one before
    assert summary["claims"][2]["verdict"] == "held"
    assert len(summary["claims"]) == 9
    only = pr_ablations.summarise("quick", 0, records[:1])
    assert len(only["models"]) == 1
