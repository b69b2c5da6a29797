"""Ranks of planted weights: the AUC, what a cell computes against plain code, and what the summary says."""

import fabricated
import numpy as np
import pytest

from paper_repro import experiment as experiments
from paper_repro.experiments import planted_pruning, pr_auc
from paper_repro.experiments.common import stream
from paper_repro.store import Record
from recovery import pruning


def plain_auc(scores, relevant):
    inside, outside = scores[relevant], scores[~relevant]
    above = (inside[:, None] > outside).sum() + 0.5 * (inside[:, None] == outside).sum()
    return above / (inside.size * outside.size)


def test_the_auc_is_the_share_of_pairs_with_ties_halved():
    rng = np.random.default_rng(0)
    scores, relevant = rng.integers(0, 6, size=(7, 5)).astype(float), rng.random((7, 5)) < 0.4
    assert planted_pruning.auc(scores, relevant) == pytest.approx(plain_auc(scores.ravel(), relevant.ravel()))
    assert planted_pruning.auc(np.zeros((7, 5)), relevant) == 0.5
    assert planted_pruning.auc(relevant.astype(float), relevant) == 1.0
    assert planted_pruning.auc(-1.0 * relevant, relevant) == 0.0
    assert np.isnan(planted_pruning.auc(scores, np.ones((7, 5), dtype=bool)))


def test_bands_are_means_with_students_intervals():
    one = planted_pruning.band([1.0, 2.0, 3.0, float("nan")])
    assert (one["mean"], one["low"]) == (2.0, pytest.approx(2 - 4.302653 / 3**0.5, rel=1e-6))
    assert planted_pruning.band([1.0]) == {"mean": 1.0, "low": None, "high": None}
    assert planted_pruning.bands([[1.0, 4.0], [3.0, 4.0]])["mean"] == [2.0, 4.0]
    assert planted_pruning.interval_text(one) == "2.00 [-0.48, 4.48]"
    assert planted_pruning.interval_text({"mean": None, "low": None, "high": None}) == "-"


def test_claims_with_several_settings_need_all_of_them():
    high, low = ({"cell": {seed: value + 0.01 * seed for seed in range(8)}} for value in (0.9, 0.4))

    def verdict(*pairs, **options):
        return planted_pruning.sided("where", "what", "rule", pairs, "data", **options).verdict

    assert verdict(("one", high, low)) == "held"
    assert verdict(("one", high, 0.5), ("two", low, high)) == "not held"
    assert verdict(("one", high, low), margin=0.6) == "not held"
    assert verdict(("one", high, high)) == "too close to call"
    assert verdict(("one", high, low), ("two", {}, low)) == "not measured"
    few = {"cell": {0: 0.9, 1: 0.9}}
    assert verdict(("one", few, 0.5)) == "too close to call"


def test_only_the_relevant_inputs_of_a_planted_network_matter():
    one = planted_pruning.network_instance(50, 9, 3, 4, scale=0.1, rng=np.random.default_rng(1))
    inputs = np.flatnonzero(one.relevant[:, 0])
    assert one.relevant.shape == (9, 4)
    assert one.sparsity == 12
    assert len(inputs) == 3
    assert one.start.widths == (9, 4, 1)
    # least squares of |x_i| and x_i on the outputs: inputs that do not matter explain nothing that others do not
    X, y = one.test.X, one.test.y
    seen = [abs(np.corrcoef(X[:, i], y)[0, 1]) + abs(np.corrcoef(np.abs(X[:, i]), y)[0, 1]) for i in range(9)]
    assert min(seen[i] for i in inputs) > max(seen[i] for i in range(9) if i not in inputs)


@pytest.fixture(scope="module")
def linear():
    cell = pr_auc.AucCell("linear", 80, 3, whole=True)
    return cell, pr_auc.instance_of(cell), pr_auc.compute(cell, "cpu")[0]


def descent(one, steps, rate=0.1, keep=None):
    """Gradient descent by hand, with hard thresholding if `keep` is a number; the weights after each update."""
    X, y, w = one.data.X, one.data.y, np.array(one.start.layers[0])
    path = [w.copy()]
    if keep is not None:  # the start is pruned, too
        w[np.argsort(-np.abs(w), kind="stable")[keep:]] = 0
    for _ in range(steps):
        w = w - rate * X.T @ (X @ w - y) / len(y)
        if keep is not None:
            w[np.argsort(-np.abs(w), kind="stable")[keep:]] = 0
        path.append(w.copy())
    return path


def test_criteria_of_a_linear_model_are_what_plain_code_finds(linear):
    _, one, metrics = linear
    X, y, relevant = one.data.X, one.data.y, one.relevant[:, 0]
    hessian = X.T @ X / len(y)
    path = descent(one, 100)
    assert metrics["steps"] == list(pr_auc.STEPS["linear"])
    for place, at in enumerate(metrics["steps"]):
        w = path[at]
        g = X.T @ (X @ w - y) / len(y)
        plain = {
            "magnitude": np.abs(w),
            "distance": np.abs(w - path[0]),
            "obd": np.diag(hessian) * w**2,
            "snip": np.abs(w * g),
            "gradient": np.abs(g),
            "grasp": w * (hessian @ g),
            "synflow": np.abs(w),
        }
        for name, scores in plain.items():
            # a handful of pairs may be decided by rounding
            assert metrics["auc"][name][place] == pytest.approx(plain_auc(scores, relevant), abs=2e-3), name


def test_masks_that_move_are_what_plain_code_finds(linear):
    _, one, metrics = linear
    path = descent(one, 100, keep=20)
    aucs = [plain_auc(np.abs(path[at]), one.relevant[:, 0]) for at in metrics["steps"]]
    np.testing.assert_allclose(metrics["auc"]["iht"], aucs, atol=1e-9)
    assert metrics["auc"]["gradual"][1] == metrics["auc"]["magnitude"][1]  # nothing is pruned yet
    for name in pr_auc.MOVING:
        assert metrics["auc"][name][0] == metrics["auc"]["magnitude"][0]


def test_scores_of_edge_popup_are_trained_while_the_weights_stay(linear):
    cell, one, metrics = linear
    X, y, w = one.data.X, one.data.y, np.array(one.start.layers[0])
    scores = (2 * stream("pr-auc", "edge-popup", "linear", cell.seed).random((200, 1))[:, 0] - 1) / 200**0.5
    for at in range(101):
        if at in metrics["steps"]:
            place = metrics["steps"].index(at)
            assert metrics["auc"]["edge-popup"][place] == pytest.approx(plain_auc(scores, one.relevant[:, 0]), abs=2e-3)
        kept = np.zeros(200, dtype=bool)
        kept[np.argsort(-scores, kind="stable")[:20]] = True
        scores = scores - 0.1 * w * (X.T @ (X @ (w * kept) - y)) / len(y)


def test_movement_is_the_sum_along_the_path_and_the_printed_score_is_the_wrong_way_round(linear):
    _, one, metrics = linear
    X, y, path = one.data.X, one.data.y, descent(one, 100)
    sums = np.cumsum([-w * (X.T @ (X @ w - y)) / len(y) for w in path[:-1]], axis=0)
    for place, at in enumerate(metrics["steps"][1:], 1):
        assert metrics["auc"]["movement"][place] == pytest.approx(plain_auc(sums[at - 1], one.relevant[:, 0]), abs=2e-3)
    assert metrics["auc"]["bingo-printed"][0] == metrics["auc"]["bingo-running-mean"][0] == 0.5
    assert metrics["auc"]["bingo-printed"][-1] < 0.4 < 0.6 < metrics["auc"]["bingo-running-mean"][-1]


def test_a_cell_of_the_ends_alone_has_the_numbers_of_the_whole_path(linear):
    cell, _, metrics = linear
    ends, _ = pr_auc.compute(pr_auc.AucCell("linear", 80, cell.seed, whole=False), "cpu")
    assert ends["steps"] == [0, 100]
    assert set(ends["auc"]) == set(pr_auc.POINT)
    for name in set(pr_auc.POINT) - {"random"}:
        assert ends["auc"][name] == [metrics["auc"][name][0], metrics["auc"][name][-1]]


def test_a_small_network_is_scored_on_its_first_layer():
    cell = pr_auc.AucCell("relu", 60, 0, whole=False)
    metrics, _ = pr_auc.compute(cell, "cpu")
    one = pr_auc.instance_of(cell)
    assert one.relevant.shape == one.start.layers[0].shape
    scores = pruning.score(one.start, one.data, "snip")
    assert metrics["auc"]["snip"][0] == pytest.approx(plain_auc(scores[0].ravel(), one.relevant.ravel()))
    assert all(0 <= value <= 1 for values in metrics["auc"].values() for value in values)


def test_masks_that_move_leave_the_output_layer_of_a_network_alone():
    training = pr_auc.TRAINING["relu"]
    assert {method.layers for method in pr_auc.moving_methods("relu", training).values()} == {"hidden"}
    assert {method.layers for method in pr_auc.moving_methods("linear", training).values()} == {"all"}


def test_only_the_largest_number_of_samples_is_looked_at_all_along():
    cells = pr_auc.cells("quick", 0)
    assert {(cell.kind, cell.n) for cell in cells if cell.whole} == {("linear", 4000), ("relu", 1000)}
    assert pr_auc.cost(cells[0]) < pr_auc.cost(next(cell for cell in cells if cell.whole))


def test_the_summary_has_means_a_table_and_claims():
    records = fabricated.records("pr-auc", "quick")
    summary = pr_auc.summarise("quick", 0, records)
    row = summary["rows"][0]
    own = [
        r.metrics["auc"]["snip"] for r in records if r.cell.settings["whole"] and r.cell.settings["kind"] == "linear"
    ]
    np.testing.assert_allclose(row["curves"]["snip"]["mean"], np.mean(own, axis=0))
    assert row["sizes"] == [50, 200, 1000, 4000]
    assert len(summary["table"]["rows"]) == 2 * len(pr_auc.LABELS)
    assert summary["claims"][0]["verdict"] == "held"  # made up: magnitude ends highest
    assert len(summary["claims"]) == 5
    only = [record for record in records if not record.cell.settings["whole"]]
    assert pr_auc.summarise("quick", 0, only)["rows"] == []


@pytest.mark.slow
def test_at_the_start_snip_sees_the_planted_weights_and_grasp_synflow_and_magnitude_do_not():
    found = {name: [] for name in ("snip", "grasp", "synflow", "magnitude", "random", "obd")}
    for seed in range(60):
        one = pr_auc.instance_of(pr_auc.AucCell("linear", 4000, 1000 + seed, whole=True))
        view = planted_pruning.view_of(one, one.start, np.random.default_rng(seed))
        for name, values in found.items():
            values.append(one.auc(pr_auc.criteria_of_points()[name](view)))
    means = {name: np.mean(values) for name, values in found.items()}
    assert means.pop("snip") == pytest.approx(0.95, abs=0.02)
    assert means == {name: pytest.approx(0.5, abs=0.05) for name in means}


def test_records_of_smoke_make_a_summary(linear):
    cell, _, metrics = linear
    experiment = experiments.get("pr-auc")
    summary = pr_auc.summarise("smoke", 0, [Record(experiment.cell(cell), "done", "", metrics, {})])
    assert summary["rows"][0]["seeds"] == 1
    assert summary["rows"][0]["curves"]["snip"]["low"] == [None] * 9
    assert {claim["verdict"] for claim in summary["claims"]} == {"too close to call"}
