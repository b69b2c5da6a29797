"""Backward elimination against refits, and where magnitude pruning is the same."""

import mpmath
import numpy as np
import pytest
import standin

import linear_lottery
import planted
from linear_lottery.comparators import backward_elimination
from planted import designs

DESIGNS = ["gaussian", designs.toeplitz(0.9), designs.equicorrelated(0.5), "unequal_norms", "orthogonal"]


def refits(X, y, k):
    """Drop the weight whose loss raises the squared error least, by fitting every candidate anew."""
    kept, order = list(range(X.shape[1])), []
    while len(kept) > k:
        errors = []
        for j in kept:
            part = X[:, [i for i in kept if i != j]]
            errors.append(
                np.sum((y - part @ np.linalg.lstsq(part, y, rcond=None)[0]) ** 2) if part.size else np.sum(y**2)
            )
        order.append(kept.pop(int(np.argmin(errors))))
    return kept, order


def exact_order(X, y):
    """The order by 60 digits, and the smallest relative gap between the best two saliencies along the path."""
    with mpmath.workdps(60):
        A, b = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist())
        S = (A.T * A) ** -1
        w = S * (A.T * b)
        kept, order, gap = list(range(X.shape[1])), [], 1.0
        while kept:
            saliency = sorted((w[j] ** 2 / S[j, j], j) for j in kept)
            if len(saliency) > 1:
                gap = min(gap, float(mpmath.sqrt(saliency[1][0] / saliency[0][0]) - 1))
            j = saliency[0][1]
            kept.remove(j)
            order.append(j)
            column, pivot, weight = S[:, j], S[j, j], w[j]
            w = w - column * (weight / pivot)
            S = S - column * column.T / pivot
    return order, gap


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_it_drops_what_refits_drop(backend, design):
    for seed in range(8):
        X, y, _ = planted.linear_model(30, 12, 4, design=design, noise=0.7, rng=seed)
        keep = seed % 4
        kept, order = refits(X, y, keep)
        found = backward_elimination(backend.put(X), backend.put(y), keep)
        assert backend.get(found.support).tolist() == kept
        assert backend.get(found.order).tolist() == order
        weights = np.zeros(12)
        weights[kept] = np.linalg.lstsq(X[:, kept], y, rcond=None)[0]
        np.testing.assert_allclose(backend.get(found.weights), weights, atol=1e-12)
        assert found.support.dtype == found.order.dtype == np.int64


@pytest.mark.parametrize("cond", [1e2, 1e6, 1e8])
def test_the_order_is_that_of_60_digits(cond):
    compared = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        U, _, V = np.linalg.svd(rng.standard_normal((40, 14)), full_matrices=False)
        X = U @ np.diag(np.geomspace(1.0, 1.0 / cond, 14)) @ V
        y = X @ rng.standard_normal(14) + 1e-3 * rng.standard_normal(40)
        order, gap = exact_order(X, y)
        if gap > 100 * cond * 2.2e-16:
            compared += 1
            assert backward_elimination(X, y, 0).order.tolist() == order
    assert compared >= 5


def test_long_rows_do_not_hide_that_others_have_shrunk():
    # five nearly equal pairs: the signal keeps the first to the end, and its |W_j|^2 of 1e14; of each other pair one
    # member goes early, whereupon |W_j|^2 of its partner falls from 1e14 to 1e-2
    for seed in (0, 1, 3):
        rng = np.random.default_rng(seed)
        base, shift = rng.standard_normal((40, 12)), rng.standard_normal((40, 5))
        X = np.concatenate([base, base[:, :5] + 1e-8 * shift], axis=1)
        y = base @ (0.05 * rng.standard_normal(12)) + 0.5 * shift[:, 0] + 0.1 * rng.standard_normal(40)
        order, _ = exact_order(X, y)
        assert set(order[-2:]) == {0, 12}
        # which member of a pair goes is a near-tie
        found = backward_elimination(X, y, 0).order
        assert (found % 12).tolist() == [j % 12 for j in order]


def gram_root(gram, n, rng):
    """A design with this Gram matrix."""
    Q = np.linalg.qr(rng.standard_normal((n, gram.shape[0])))[0]
    return Q @ np.linalg.cholesky(gram).T


def test_magnitude_pruning_is_the_same_for_equicorrelated_features_only():
    """E7: equal norms and equal inner products make the diagonals of all inverses constant."""
    agree = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        rho = rng.uniform(-0.12, 0.95)
        X = gram_root(np.full((8, 8), rho) + (1 - rho) * np.eye(8), 20, rng)
        y = rng.standard_normal(20)
        pruned = linear_lottery.imp(X, y, 0).order
        assert backward_elimination(X, y, 0).order.tolist() == pruned.tolist()
        X = rng.standard_normal((12, 8))
        y = rng.standard_normal(12)
        agree += np.array_equal(backward_elimination(X, y, 3).support, linear_lottery.imp(X, y, 3).support)
    assert 30 <= agree <= 70  # 48 % in an earlier trial


def test_ties_keep_the_smaller_index(backend):
    X = np.concatenate([np.eye(6), np.zeros((3, 6))])
    found = backward_elimination(backend.put(X), backend.put(np.ones(9)), 2)
    assert backend.get(found.support).tolist() == [0, 1]
    assert backend.get(found.order).tolist() == [5, 4, 3, 2]
    # scaling a column changes its weight, but not its saliency
    found = backward_elimination(backend.put(X * np.arange(1.0, 7.0)), backend.put(np.ones(9)), 2)
    assert backend.get(found.order).tolist() == [5, 4, 3, 2]
    nothing = backward_elimination(backend.put(X), backend.put(np.zeros(9)), 0)
    assert backend.get(nothing.order).tolist() == [5, 4, 3, 2, 1, 0]


def test_single_precision_and_scales():
    X, y, _ = planted.linear_model(60, 15, 4, noise=0.5, rng=3)
    wanted = backward_elimination(X, y, 4)
    single = backward_elimination(X.astype("float32"), y.astype("float32"), 4)
    assert single.order.tolist() == wanted.order.tolist()
    assert single.weights.dtype == np.float32
    for scale in (1e-180, 1e180):
        scaled = backward_elimination(X * scale, y * scale, 4)
        assert scaled.order.tolist() == wanted.order.tolist()
        np.testing.assert_allclose(scaled.weights, wanted.weights, rtol=1e-12)


def test_one_synchronisation_a_weight():
    X, y, _ = planted.linear_model(150, 100, 5, noise=0.5, rng=1)
    with standin.count_syncs() as counted:
        backward_elimination(standin.device(X), standin.device(y), 40)
    with standin.count_syncs() as none:
        backward_elimination(standin.device(X), standin.device(y), 100)
    # a factorisation costs a few more, and happens about once when 40 % of the weights have gone
    assert sum(counted.values()) - sum(none.values()) <= 60 + 8


@pytest.mark.parametrize("columns", [[0, 1, 2, 1], [0, 1, 2, 3]])
def test_dependent_columns_are_refused(columns):
    X = np.random.default_rng(0).standard_normal((3, 4))[:, columns]
    X = X if columns[-1] == 3 else np.concatenate([X, X + 1.0])
    with pytest.raises(ValueError, match=r"lacks full column rank; expected independent columns"):
        backward_elimination(X, np.ones(X.shape[0]), 2)


def test_saliencies_that_are_zero_but_for_rounding_tie():
    for seed in range(10):
        X = np.random.default_rng(seed).standard_normal((40, 12)) * np.logspace(0, 3, 12)
        found = backward_elimination(X, X[:, 1] - 2.0 * X[:, 6], 2)
        assert found.order.tolist() == [11, 10, 9, 8, 7, 5, 4, 3, 2, 0]
