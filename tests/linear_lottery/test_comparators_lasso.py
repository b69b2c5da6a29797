"""The Lasso's path against its optimality conditions, and which supports it visits against all sign patterns."""

from itertools import product

import numpy as np
import pytest

import planted
from linear_lottery.comparators import lasso, lasso_best, lasso_path
from recovery.conditions import irrepresentability, primal_dual_witness


def visited(X, y):
    """All supports of solutions: the conditions of every sign pattern, solved for the penalties low < lam < high."""
    n, d = X.shape
    found = set()
    for pattern in product((-1.0, 0.0, 1.0), repeat=d):
        signs = np.array(pattern)
        S = np.flatnonzero(signs)
        if not 0 < S.size <= n:
            continue
        part, rest, sgn = X[:, S], np.delete(X, S, axis=1), signs[S]
        G = part.T @ part / n
        fit, pull = np.linalg.solve(G, part.T @ y / n), np.linalg.solve(G, sgn)
        # sgn (fit - lam pull) > 0, and |a_j + b_j / lam| < 1 outside: all linear in lam
        a, b = rest.T @ part @ pull / n, rest.T @ (y - part @ fit) / n
        slopes = np.concatenate([-sgn * pull, 1 - a, 1 + a])
        offsets = np.concatenate([sgn * fit, -b, b])
        low, high = 1e-9, np.inf
        for slope, offset in zip(slopes, offsets, strict=True):
            if slope > 0:
                low = max(low, -offset / slope)
            elif slope < 0:
                high = min(high, -offset / slope)
            elif offset <= 0:
                high = 0.0
        if high > low * (1 + 1e-6):
            found.add(tuple(S))
    return found


@pytest.mark.parametrize(("n", "noise"), [(12, 0.5), (12, 0.0), (5, 0.5), (4, 0.0)])
def test_it_visits_the_supports_that_the_conditions_allow(n, noise):
    lengths = set()
    for seed in range(8):
        X, _, w = planted.linear_model(n, 6, 3, signs="random", rng=seed)
        rng = np.random.default_rng(seed)
        X = X @ rng.standard_normal((6, 6))  # strongly correlated, of different norms
        y = X @ w + noise * rng.standard_normal(n)
        path = lasso_path(X, y)
        found = {tuple(np.flatnonzero(mask).tolist()) for mask in path.masks}
        assert found == visited(X, y), seed
        lengths.add(len(path.masks))
    assert max(lengths) > min(6, n)  # some paths drop a weight on the way


@pytest.mark.parametrize(("n", "d"), [(60, 30), (20, 40)])
def test_solutions_satisfy_the_optimality_conditions(n, d):
    for seed in range(5):
        X, y, _ = planted.linear_model(n, d, 4, noise=0.5, rng=seed)
        path = lasso_path(X, y)
        assert np.all(np.diff(path.knots) < 0)
        assert path.knots[0] == pytest.approx(np.abs(X.T @ y).max() / n)
        assert len(path.masks) == len(path.knots) - 1 == len(path.weights) - 1
        for r, mask in enumerate(path.masks):
            lam = (path.knots[r] + path.knots[r + 1]) / 2
            w = (path.weights[r] + path.weights[r + 1]) / 2
            slope = X.T @ (y - X @ w) / n
            np.testing.assert_allclose(slope[mask], lam * np.sign(w[mask]), atol=1e-10)
            assert np.abs(slope[~mask]).max(initial=0.0) <= lam * (1 + 1e-9)
            assert np.all(w[~mask] == 0)


def test_the_best_penalty_agrees_with_the_witness():
    hits = 0
    for seed in range(60):
        X, y, w = planted.linear_model(25, 15, 3, noise=0.4, rng=seed)
        S = np.flatnonzero(w)
        path = lasso_path(X, y)
        penalties = np.sqrt(path.knots[:-1] * np.maximum(path.knots[1:], 1e-3 * path.knots[:-1]))
        penalties = np.concatenate([penalties, (path.knots[:-1] + path.knots[1:]) / 2])
        # with penalties in every stretch the witness finds the support if the path visits it with these signs
        seen = any(primal_dual_witness(X, y, float(lam), S, np.sign(w[S])).holds for lam in penalties)
        best = lasso_best(X, y, S)
        assert np.array_equal(best.support, S) == path.visits(S) == seen
        hits += seen
        np.testing.assert_allclose(best.weights[best.support], np.linalg.pinv(X[:, best.support]) @ y, atol=1e-10)
    assert 10 <= hits <= 55


def test_without_noise_the_limit_of_no_penalty_does_not_count():
    rng = np.random.default_rng(0)
    met = set()
    for seed in range(30):
        X, y, w = planted.linear_model(20, 8, 3, noise=0.0, signs="random", rng=seed)
        X = X + rng.uniform(0.5, 1.5)
        y, S = X @ w, np.flatnonzero(w)
        allowed = irrepresentability(X, S, np.sign(w[S])) < 1
        assert np.linalg.lstsq(X, y, rcond=None)[0] == pytest.approx(w, abs=1e-12)
        if allowed:
            assert lasso_best(X, y, S).support.tolist() == S.tolist()
        met.add((allowed, lasso_best(X, y, S).support.tolist() == S.tolist()))
    assert (False, False) in met
    assert (True, True) in met


def test_the_first_support_of_a_size():
    X, y, _ = planted.linear_model(40, 10, 3, noise=0.5, rng=4)
    path = lasso_path(X, y)
    for k in range(1, 11):
        first = path.masks[list(path.sizes).index(k)]
        assert lasso(X, y, k).support.tolist() == np.flatnonzero(first).tolist()
    assert lasso(X, y, 0).support.shape == (0,)
    few = lasso(X[:3], y[:3], 7)  # no solution has more weights than rows
    assert few.support.shape == (3,)
    assert path.visits([])
    assert lasso_best(X, y, []).support.shape == (0,)
    assert lasso_best(X, np.zeros(40), [1]).support.shape == (0,)


def test_a_stretch_of_no_length_does_not_count():
    """Two columns enter at one penalty: no penalty has one of them alone."""
    path = lasso_path(np.eye(3), [1.0, 1.0, 0.5])
    assert path.sizes.tolist() == [2, 3]
    assert not path.visits([0])
    assert not path.visits([1])
    assert np.all(np.diff(path.knots) < 0)


@pytest.mark.parametrize("x_scale", [2.0**-40, 2.0**-13, 2.0**300])
@pytest.mark.parametrize("y_scale", [2.0**-60, 2.0**-13, 2.0**20])
def test_units_do_not_matter(x_scale, y_scale):
    """scikit-learn's path ends at a penalty of 1.2e-7, and without scaling small data have no path at all."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((40, 8))
    y = X[:, :3] @ np.array([3.0, -2.0, 1.5]) + 0.1 * rng.standard_normal(40)
    plain, path = lasso_path(X, y), lasso_path(x_scale * X, y_scale * y)
    assert plain.sizes[-1] == 8
    assert np.array_equal(path.masks, plain.masks)
    assert np.array_equal(path.knots, plain.knots * x_scale * y_scale)
    assert np.array_equal(path.weights, plain.weights * (y_scale / x_scale))


def test_the_decoy_design_misleads_it():
    """Panel B: a null column that is nearly the sum of those in the support."""
    hits = 0
    for seed in range(20):
        X, y, w = planted.linear_model(60, 20, 3, design="decoy", noise=0.3, rng=seed)
        S = np.flatnonzero(w)
        hits += np.array_equal(lasso_best(X, y, S).support, S)
    assert hits <= 1


@pytest.mark.parametrize("support", [[0, 0], [9], [-1], [0.5]])
def test_bad_supports_are_refused(support):
    X = np.random.default_rng(0).standard_normal((5, 4))
    with pytest.raises((TypeError, ValueError), match="support"):
        lasso_best(X, np.ones(5), support)
    with pytest.raises((TypeError, ValueError), match="support"):
        lasso_path(X, np.ones(5)).visits(support)
