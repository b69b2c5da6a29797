"""The order of pruning against the rules, on problems where the answer is known."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau

import linear_lottery
from linear_lottery.closed_forms import equicorrelated_weights
from paper_repro import experiment as experiments
from paper_repro.experiments import imp_order
from paper_repro.experiments.imp_order import best_subset, kendall, ranks, sequential_ranks
from paper_repro.store import Record


def test_kendalls_tau_is_scipys():
    rng = np.random.default_rng(0)
    first, second = (np.array([rng.permutation(9) for _ in range(20)]) for _ in range(2))
    wanted = [kendalltau(one, other).statistic for one, other in zip(first, second, strict=True)]
    np.testing.assert_allclose(kendall(first, second), wanted, atol=1e-14)
    assert kendall(first, first).tolist() == [1.0] * 20


def test_ranks():
    assert ranks(np.array([3.0, -1.0, 7.0, 2.0])).tolist() == [2, 0, 3, 1]


def test_rounds_are_those_of_imp_where_the_gram_matrix_is_the_population():
    # rows whose Gram matrix is exactly the equicorrelated one: the closed form must prune as IMP does
    rng = np.random.default_rng(1)
    for _ in range(20):
        sigma = 0.5 * np.eye(6) + 0.5
        Q, _ = np.linalg.qr(rng.standard_normal((15, 6)))
        X, w = Q @ np.linalg.cholesky(sigma).T, rng.standard_normal(6)
        order = linear_lottery.imp(X, X @ w, 0).order
        found = sequential_ranks(lambda mask, c=sigma @ w: equicorrelated_weights(0.5, c, mask), 6)
        assert np.argsort(found).tolist() == order.tolist()


def test_the_best_subset_is_the_one_with_the_smallest_residual():
    rng = np.random.default_rng(2)
    for _ in range(10):
        X, y = rng.standard_normal((12, 6)), rng.standard_normal(12)
        rss = {S: np.linalg.lstsq(X[:, S], y, rcond=None)[1][0] for S in combinations(range(6), 3)}
        assert best_subset(X, y, 3) == min(rss, key=rss.get)


def cell(task, law, n, d=6, trials=10, **more):
    return imp_order.OrderCell(task, law, 0, n, d, trials, **more)


@pytest.mark.parametrize(("law", "rule"), [("orthogonal", "projection"), ("unequal-norm", "coefficient")])
def test_rules_that_are_exact_at_every_n(law, rule):
    for n in (8, 50):
        _, arrays = imp_order.compute(cell("order", law, n), "cpu")
        assert np.array_equal(arrays["imp"], arrays[rule])
        assert sorted(arrays["imp"][0]) == list(range(6))


def test_the_projection_of_unequal_norms_and_of_correlated_features_is_another_order():
    for law in ("unequal-norm", "equicorrelated"):
        _, arrays = imp_order.compute(cell("order", law, 2_000), "cpu")
        assert kendall(arrays["imp"], arrays["projection"]).mean() < 0.8
    assert kendall(arrays["imp"], arrays["population"]).mean() > 0.9


def test_problems_have_the_population_that_is_said():
    one = cell("counter-example", "equicorrelated", 200_000, d=4, trials=1)
    X, y, c = imp_order.draw_problem(one, 0)
    np.testing.assert_allclose(X.T @ X / 200_000, 0.5 * np.eye(4) + 0.5, atol=0.02)
    np.testing.assert_allclose(X.T @ y / 200_000, c, atol=0.05)
    # the smallest projection belongs to a signal feature; the smallest weight to the null one
    assert int(np.argmin(np.abs(c))) == 2
    np.testing.assert_allclose(equicorrelated_weights(0.5, c), imp_order.COUNTER, atol=1e-14)


def test_imp_prunes_the_null_feature_of_the_counter_example_and_the_projection_would_not():
    _, arrays = imp_order.compute(cell("counter-example", "equicorrelated", 1_000, d=4), "cpu")
    assert (arrays["imp"][:, 3] == 0).all()
    assert (arrays["projection"][:, 2] == 0).all()


def test_survivors_are_the_best_subset_for_equal_norms_only():
    metrics, _ = imp_order.compute(cell("best-subset", "unequal-norm", 20, d=8, trials=40, ratio=1.0), "cpu")
    assert metrics["agree"] == 40
    metrics, arrays = imp_order.compute(cell("best-subset", "unequal-norm", 20, d=8, trials=40, ratio=10.0), "cpu")
    assert metrics["agree"] == arrays["agree"].sum() < 20


def test_the_summary_counts_what_the_records_say():
    experiment = experiments.get("imp-order")
    records = []
    for one in experiment.cells("smoke", 0):
        upward = np.tile(np.arange(one.d), (6, 1))
        arrays = {"imp": upward, "projection": upward[:, ::-1], "coefficient": upward, "population": upward}
        arrays |= {"agree": np.arange(6) < 2} if one.task == "best-subset" else {}
        arrays |= {name: np.ones((6, 4)) for name in ("projections", "weights")}
        records.append(Record(experiment.cell(one), "done", "", {}, arrays))
    summary = imp_order.summarise("smoke", 0, records)
    taus = {(curve["law"], curve["rule"]): [point["tau"] for point in curve["points"]] for curve in summary["curves"]}
    assert taus["orthogonal", "projection"] == [-1.0, -1.0]
    assert taus["equicorrelated", "population"] == [1.0, 1.0]
    assert np.array_equal(summary["densities"][-1]["share"], np.eye(8))
    assert np.array_equal(summary["densities"][0]["share"], np.eye(8)[::-1])
    assert [one["rate"] for one in summary["best_subset"]] == [1 / 3] * 4
    assert summary["counter_example"]["curve"][0]["imp"] == 0.0  # in these records the null goes last
    assert summary["counter_example"]["w"] == pytest.approx(list(imp_order.COUNTER), abs=1e-14)
    rows = [row for row in summary["table"]["rows"] if row[0] == "best subset"]
    assert len(rows) == 4
    assert rows[0][4:6] == [6, 1 / 3]
    assert rows[0][6] < 1 / 3 < rows[0][7]
