"""The Lasso's path where correlations tie: its optimality conditions, and cvxpy as the oracle."""

import cvxpy
import numpy as np
import pytest

import planted
from linear_lottery.comparators import lasso_path
from recovery.solvers.homotopy import violation


def solution(path, lam):
    """The solution at a penalty: linear between the knots."""
    if lam >= path.knots[0]:
        return np.zeros(path.weights.shape[1])
    r = int(np.flatnonzero(path.knots > lam)[-1])
    share = (path.knots[r] - lam) / (path.knots[r] - path.knots[r + 1])
    return (1 - share) * path.weights[r] + share * path.weights[r + 1]


def steepness(X, mask):
    """Condition of the columns in use: what roots and weights of a stretch may lose."""
    part = X[:, mask] / np.linalg.norm(X[:, mask], axis=0)
    return np.linalg.cond(part) if mask.any() else 1.0


def check(X, y):
    """All knots, all stretches, and that a path ends at penalty 0."""
    n, path = len(y), lasso_path(X, y)
    assert np.all(np.diff(path.knots) < 0)
    assert path.knots[-1] == 0.0
    for r, mask in enumerate(path.masks):
        middle, lam = (path.weights[r] + path.weights[r + 1]) / 2, (path.knots[r] + path.knots[r + 1]) / 2
        assert np.array_equal(middle != 0, mask)
        # ties are taken within one unit of |fit| + lam |pull|, which exceed |w| by a factor of cond^2 at most, and a
        # middle has the errors of both ends
        steep = 4.0 * steepness(X, mask) ** 2
        assert violation(X, y, middle, n * lam) <= steep
        for end in (r, r + 1):
            assert violation(X, y, path.weights[end], n * path.knots[end]) <= steep
    return path


def objective(X, y, w, lam):
    return np.sum((y - X @ w) ** 2) / (2 * len(y)) + lam * np.abs(w).sum()


def oracle(X, y, lam):
    w = cvxpy.Variable(X.shape[1])
    loss = cvxpy.sum_squares(y - X @ w) / (2 * len(y)) + lam * cvxpy.norm1(w)
    cvxpy.Problem(cvxpy.Minimize(loss)).solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12)
    return w.value


def draws(kind, seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 12)), int(rng.integers(2, 10))
    if kind == "signs":
        return rng.choice([-1.0, 1.0], (n, d)), rng.integers(-3, 4, n).astype(float)
    if kind == "integers":
        return rng.integers(-3, 4, (n, d)).astype(float), rng.integers(-3, 4, n).astype(float)
    if kind == "gaussian":
        return rng.standard_normal((n, d)), rng.standard_normal(n)
    if kind == "copies":  # equal, opposite, zero and scaled columns
        base = rng.standard_normal((n, 3))
        X = base[:, rng.integers(0, 3, d)] * rng.choice([-1.0, 0.0, 1.0, 1.0, 2.0], d)
        return X, rng.standard_normal(n)
    X, y, _ = planted.linear_model(30, 10, 3, design=kind, noise=0.3 * (seed % 2), signs="random", rng=seed)
    return X, y


KINDS = {"signs": 200, "integers": 100, "gaussian": 60, "copies": 100, "duplicated": 60, "orthogonal": 60}


@pytest.mark.parametrize("kind", KINDS)
def test_every_knot_and_every_stretch_is_optimal(kind):
    for seed in range(KINDS[kind]):
        X, y = draws(kind, seed)
        if np.any(X.T @ y):
            check(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_no_solver_finds_less(kind):
    for seed in range(3):
        X, y = draws(kind, seed)
        path = lasso_path(X, y)
        for share in (0.8, 0.4, 0.1):
            lam = share * float(path.knots[0])
            if lam > 0:
                ours, theirs = (objective(X, y, w, lam) for w in (solution(path, lam), oracle(X, y, lam)))
                assert ours <= theirs * (1 + 1e-9)  # what is left of the solver's own gap
                assert theirs <= ours * (1 + 1e-6)


def test_two_columns_join_at_once():
    X, y = np.array([[2.0, -3], [2, 0], [-3, 1]]), np.array([-2.0, -2, -1])
    path = check(X, y)
    assert solution(path, 5 / 6) == pytest.approx(np.array([-5 / 178, 20 / 89]), rel=1e-14)
    assert path.sizes.tolist() == [2]


def test_a_draw_that_scikit_learn_refuses():
    X, y, _ = planted.linear_model(20, 30, 3, rng=325)
    check(X, y)


def test_a_column_that_only_touches_does_not_count():
    """Column 2 has the correlation of the penalty all along, and no weight: the others explain it."""
    X = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    path = check(X, np.array([3.0, 1.0, 0.0]))
    assert [np.flatnonzero(mask).tolist() for mask in path.masks] == [[0], [0, 1]]


def test_dependent_columns_are_exchanged():
    """Column 2 is the sum of 0 and 1: at the tie it does the work of both, at half the price."""
    X, y = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([2.0, 2.0])
    path = check(X, y)
    assert [np.flatnonzero(mask).tolist() for mask in path.masks] == [[2]]
    assert solution(path, path.knots[0] / 2) == pytest.approx(np.array([0, 0, 1.0]))


@pytest.mark.parametrize("scale", [2.0**-500, 2.0**300])
def test_units_change_only_units(scale):
    for seed in range(5):
        X, y = draws("signs", seed)
        plain, path = lasso_path(X, y), lasso_path(X * scale, y)
        assert np.array_equal(path.masks, plain.masks)
        assert np.array_equal(path.knots, plain.knots * scale)
        assert np.array_equal(path.weights, plain.weights / scale)


def test_no_data_no_path():
    for X, y in ((np.ones((3, 2)), np.zeros(3)), (np.zeros((3, 2)), np.ones(3)), (np.eye(3)[:, :2], [0, 0, 1.0])):
        path = lasso_path(X, y)
        assert path.knots.tolist() == [0.0]
        assert path.masks.shape == (0, 2)
        assert not path.weights.any()
