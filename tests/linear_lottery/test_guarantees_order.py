"""The order of pruning, orthogonal features: by projections, whatever the schedule and the start."""

import math
from itertools import combinations

import numpy as np
import pytest

import linear_lottery
from linear_lottery.guarantees.order import ORDER
from planted import designs
from recovery import Instance
from recovery.guarantees import draw

BY_PROJECTION, BEST_SUBSET = ORDER


def scaled_axes(norms, c, k):
    """Return an instance whose columns are axes of given lengths, with least-squares weights c."""
    X = np.diag(norms)
    x = np.zeros(len(c))
    top = np.argsort(-np.abs(c))[:k]
    x[top] = np.asarray(c)[top]
    return Instance.planted(X, x, X @ (c - x), k)


def test_the_order_is_that_of_the_weights_not_of_the_projections():
    # lengths of the projections: 3, 2, 2, 4; c: 3, 1, 4, 2
    instance = scaled_axes([1.0, 2.0, 0.5, 2.0], np.array([3.0, 1.0, 4.0, 2.0]), 1)
    verdict = BY_PROJECTION.check(instance)
    assert (verdict.status, verdict.margin) == ("holds", pytest.approx(1 / 3))
    assert BY_PROJECTION.conclusion(instance).status == "holds"
    path = linear_lottery.imp(instance.matrix, instance.y, 1)
    assert path.order.tolist() == [1, 3, 0]
    # so the column that explains most, the last one, goes second: without equal norms the headline is false
    assert BEST_SUBSET.check(instance).status == "fails"
    assert "norms" in BEST_SUBSET.check(instance).reason
    assert BEST_SUBSET.conclusion(instance).status == "fails"


def test_how_often_unequal_norms_miss_the_best_subset():
    """With d = 8, k = 3 and norms over a decade most draws miss it; with equal norms none does."""
    missed = {True: 0, False: 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = designs.orthogonal()(12, 8, rng)
        for unequal in missed:
            A = X * 10.0 ** rng.uniform(-1.0, 0.0, 8) if unequal else X
            y = rng.standard_normal(12)
            missed[unequal] += BEST_SUBSET.conclusion(Instance(A, y, 3)).status == "fails"
    assert missed[False] == 0
    assert missed[True] >= 30


def test_the_best_subset_against_plain_least_squares():
    instance = draw(BEST_SUBSET, 5)
    k = instance.sparsity

    def rss(columns):
        part = instance.matrix[:, columns]
        return np.sum((instance.y - part @ np.linalg.lstsq(part, instance.y, rcond=None)[0]) ** 2)

    best = min((list(one) for one in combinations(range(instance.shape[1]), k)), key=rss)
    assert BEST_SUBSET.check(instance).status == "holds"
    assert linear_lottery.imp(instance.matrix, instance.y, k).support.tolist() == best


def test_ties_and_what_is_out_of_reach():
    tied = scaled_axes([1.0, 1.0, 1.0], np.array([1.0, 1.0, 2.0]), 1)
    assert BY_PROJECTION.check(tied).status == "unknown"
    assert BEST_SUBSET.check(tied).status == "holds"  # only the gap between the second and the third counts
    assert BEST_SUBSET.check(scaled_axes(np.ones(3), np.array([1.0, 2.0, 2.0]), 1)).status == "unknown"
    many = scaled_axes(np.ones(30), np.arange(1.0, 31.0), 15)
    assert "subsets" in BEST_SUBSET.check(many).reason
    assert BEST_SUBSET.check(many).status == "unknown"


def test_orthogonal_means_orthogonal():
    rng = np.random.default_rng(0)
    X = designs.orthogonal()(9, 4, rng)
    y = rng.standard_normal(9)
    assert BY_PROJECTION.check(Instance(X, y, 2)).status == "holds"
    assert BY_PROJECTION.check(Instance(X + 1e-10 * rng.standard_normal(X.shape), y, 2)).status == "fails"
    assert BY_PROJECTION.check(Instance(X * [1.0, 1.0, 1.0, 0.0], y, 2)).status == "fails"
    assert BEST_SUBSET.check(Instance(X * [1.0, 1.0, 1.0, 1.0 + 1e-10], y, 2)).status == "fails"
    assert BEST_SUBSET.check(Instance(X, y, 4)).margin == math.inf


def test_correlated_columns_are_pruned_in_another_order():
    """Equal correlations rho: w_j is c_j minus a common shift, so that the order of |c_j| is not that of pruning."""
    rho, c = 0.5, np.array([1.0, 0.4, -0.2])
    G = np.full((3, 3), rho) + (1 - rho) * np.eye(3)
    X = np.linalg.cholesky(G).T
    w = np.linalg.solve(G, c)
    assert np.allclose(w, (c - rho * c.sum() / (1 - rho + 3 * rho)) / (1 - rho))
    instance = Instance(X, X @ w, 2)
    assert np.allclose(X.T @ instance.y, c)
    assert np.argmin(np.abs(c)) == 2
    assert linear_lottery.imp(X, instance.y, 2).order.tolist() == [1]
    assert BY_PROJECTION.conclusion(instance).status == "fails"
    assert BY_PROJECTION.check(instance).status == "fails"
