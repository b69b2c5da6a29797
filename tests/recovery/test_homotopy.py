"""The Lasso's path where correlations tie: its optimality conditions, and cvxpy as the oracle."""

import cvxpy
import numpy as np
import pytest
from scipy.sparse import csc_array

import planted
import recovery
from linear_lottery.comparators import lasso_path
from recovery.solvers import homotopy
from recovery.solvers.homotopy import solution_at, stretches, violation
from tests.oracles import plain_homotopy


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


def programme(X, y, misfit):
    """min |w|_1 subject to |y - X w| <= misfit by cvxpy: the smallest norm and a solution."""
    w = cvxpy.Variable(X.shape[1])
    rest = y - X @ w
    constraint = rest == 0 if misfit == 0.0 else cvxpy.norm2(rest) <= misfit
    tight = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-9 if misfit else 1e-11)
    cvxpy.Problem(cvxpy.Minimize(cvxpy.norm1(w)), [constraint]).solve(solver="CLARABEL", **tight)
    return float(np.abs(w.value).sum()), w.value


def wide(kind, seed):
    """Underdetermined problems, so that the equality can be met: general ones, ties, and equal columns."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 9)), int(rng.integers(12, 25))
    if kind == "gaussian":
        return rng.standard_normal((n, d)), rng.standard_normal(n)
    if kind == "signs":
        X = rng.choice([-1.0, 1.0], (n, d))
        return X, X @ rng.choice([-1.0, 0.0, 1.0], d, p=[0.1, 0.8, 0.1])
    X = rng.standard_normal((n, d))
    X[:, d // 2 :] = X[:, : d - d // 2] * rng.choice([-1.0, 1.0], d - d // 2)
    return X, X @ rng.standard_normal(d)


@pytest.mark.parametrize("kind", ["gaussian", "signs", "copies"])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_end_of_the_path_is_basis_pursuit(kind, share):
    for seed in range(12):
        X, y = wide(kind, seed)
        if not np.any(y):
            continue
        misfit = share * float(np.linalg.norm(y))
        w, pieces = solution_at(X, y, misfit=misfit)
        assert pieces >= 1
        least, other = programme(X, y, misfit)
        size = np.abs(w).sum()
        assert np.linalg.norm(y - X @ w) <= misfit + 1e-12 * np.linalg.norm(y)
        # a gap of 1e-9, and a miss of the bound by as much, leave about as much of the norm
        assert size == pytest.approx(least, rel=1e-8)
        if kind == "gaussian":
            np.testing.assert_allclose(w, other, atol=1e-5 * size)


def test_a_bound_on_the_penalty_ends_the_path_at_the_lasso():
    for seed in range(10):
        X, y = draws("gaussian", seed)
        lam = 0.3 * np.abs(X.T @ y).max()
        w, _ = solution_at(X, y, penalty=lam)
        assert violation(X, y, w, lam) <= 4.0 * steepness(X, w != 0) ** 2
        assert not solution_at(X, y, penalty=2.0 * np.abs(X.T @ y).max())[0].any()


def test_more_rows_than_columns_and_a_bound_beyond_reach():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 6)), rng.standard_normal(30)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    rest = float(np.linalg.norm(y - X @ best))
    np.testing.assert_allclose(solution_at(X, y, misfit=0.5 * rest)[0], best, atol=1e-12)
    w, _ = solution_at(X, y, misfit=1.05 * rest)
    assert np.linalg.norm(y - X @ w) == pytest.approx(1.05 * rest, rel=1e-12)
    assert not solution_at(X, y, misfit=(1.0 + 1e-12) * float(np.linalg.norm(y)))[0].any()


def test_a_watch_ends_the_path():
    X, y = wide("gaussian", 0)
    sizes = []
    solution_at(X, y, watch=lambda size: sizes.append(size) or len(sizes) == 2)
    assert len(sizes) == 2
    found = recovery.solve(X, y, 2, "l1", crowd=0.0)
    assert found.n_iter == 1
    assert "homotopy: 1 piece(s) of the path, given up with 1 columns in use" in found.message


def test_the_time_limit_ends_the_path():
    rng = np.random.default_rng(0)
    found = recovery.solve(rng.standard_normal((60, 200)), rng.standard_normal(60), 30, "l1", time_limit=0.0)
    assert found.status is recovery.Status.TIME_LIMIT
    assert "1 piece(s) of the path, and then the time was up" in found.message


def test_the_homotopy_and_cvxpy_are_one_solver():
    for seed in range(5):
        A, y, x = np.random.default_rng(seed).standard_normal((40, 80)), None, np.zeros(80)
        x[: 6 + seed] = np.random.default_rng(seed).choice([-1.0, 1.0], 6 + seed)
        y = A @ x
        one, other = recovery.solve(A, y, 12, "l1"), recovery.solve(A, y, 12, "l1", backend="CLARABEL")
        np.testing.assert_allclose(one.x, other.x, atol=1e-8)
        np.testing.assert_allclose(one.x, x, atol=1e-10)


def long_path(kind, seed):
    """Paths of some hundred knots, on which columns leave again: ones without ties, with some, with many."""
    rng = np.random.default_rng(seed)
    n, d = 40, 90
    X = rng.standard_normal((n, d))
    if kind == "toeplitz":
        for j in range(1, d):
            X[:, j] = 0.9 * X[:, j - 1] + np.sqrt(1 - 0.9**2) * X[:, j]
    elif kind == "integers":
        X = rng.integers(-2, 3, (n, d)).astype(float)
        X[0, ~X.any(axis=0)] = 1.0
    elif kind == "copies":
        X[:, 60:] = X[:, :30] * rng.choice([-1.0, 1.0], 30)
    elif kind == "scales":
        X = X * 10.0 ** rng.uniform(-3, 3, d)
    elif kind == "nearly equal":
        X[:, 60:] = X[:, :30] + 1e-6 * X[:, 60:]
    y = X @ rng.choice([-1.0, 0.0, 1.0], d) if kind == "integers" else rng.standard_normal(n)
    return X, y


LONG = ("gaussian", "toeplitz", "integers", "copies", "scales", "nearly equal")


@pytest.mark.parametrize("refresh", [None, (1, 1), (10**9, 10**9)])
@pytest.mark.parametrize("kind", LONG)
def test_the_path_is_that_of_the_plain_version(kind, refresh, monkeypatch):
    """The same knots, supports and solutions, whether sums are carried along for ever or computed anew each time."""
    if refresh is not None:
        monkeypatch.setattr(homotopy, "REFRESH", refresh[0])
        monkeypatch.setattr(homotopy, "RESET", refresh[1])
    for seed in range(2):
        X, y = long_path(kind, seed)
        ours, plain = list(stretches(X, y)), list(plain_homotopy.stretches(X, y))
        assert ours[0].high == plain[0][0]
        assert ours[-1].low == 0.0
        for one in ours:
            middle, lam = (one.first + one.last) / 2, (one.high + one.low) / 2
            assert violation(X, y, middle, lam) <= 4.0 * steepness(X, middle != 0) ** 2
        if kind == "nearly equal":  # by 1e-6: rounding may join knots, or part them
            continue
        fold = np.arange(90) % 60 if kind == "copies" else np.arange(90)  # either of two equal columns may be used
        signs = np.sign([X[:, j] @ X[:, fold[j]] for j in range(90)]) if kind == "copies" else np.ones(90)
        norms, size = np.linalg.norm(X, axis=0), np.linalg.norm(y)

        def folded(w, fold=fold, signs=signs, norms=norms):
            return np.bincount(fold, weights=w * signs * norms)

        assert [sorted(fold[one.support]) for one in ours] == [sorted(fold[part]) for _, _, part, _, _ in plain]
        for one, (_, low, _, first, last) in zip(ours, plain, strict=True):
            assert one.low == pytest.approx(low, abs=1e-11 * plain[0][0])
            np.testing.assert_allclose(folded(one.first), folded(first), atol=1e-9 * size)
            np.testing.assert_allclose(folded(one.last), folded(last), atol=1e-9 * size)
        if kind == "copies":
            assert all((one.support < 60).all() for one in ours)  # the first of two equal ones


def test_a_simple_knot_needs_no_program(monkeypatch):
    """Without ties the program of a knot is asked for at the start only; with them it is."""
    asked = []
    plain = homotopy._direction
    monkeypatch.setattr(homotopy, "_direction", lambda *given: asked.append(1) or plain(*given))
    for seed in range(3):
        asked.clear()
        pieces = len(list(stretches(*long_path("gaussian", seed))))
        assert len(asked) == 1
        assert pieces > 40
    asked.clear()
    list(stretches(*long_path("copies", 0)))
    assert len(asked) > 20


def test_a_reflection_takes_a_column_out():
    """What is left of factors and sums is what it would be from the start, at every place and in any order."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((20, 30)), rng.standard_normal(20)
    data, signs = homotopy._Data(X, y), rng.choice([-1.0, 1.0], 30)
    running = homotopy._Active(data, [4], signs)
    for j in (9, 2, 17, 25, 11, 6):
        assert running.join(j, signs[j])
    assert not running.join(9, 1.0)
    for place in (3, 0, 4, 1):
        running.drop(place)
        again = homotopy._Active(data, running.columns, signs)
        np.testing.assert_allclose(running.Q @ running.Q.T, np.eye(running.k), atol=1e-14)
        np.testing.assert_allclose(X[:, running.index] @ running.T.T, running.Q.T, atol=1e-13)
        for name in ("fit", "pull", "squares", "rest", "slope"):
            np.testing.assert_allclose(getattr(running, name), getattr(again, name), atol=1e-13)


@pytest.mark.parametrize("shape", [(40, 90), (90, 40)])
def test_a_sparse_matrix_has_the_path_of_the_dense_one(shape):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) * (rng.random(shape) < 0.3)
    y = rng.standard_normal(shape[0])
    for share in (0.0, 0.4):
        ours, n = solution_at(csc_array(X), y, misfit=share * np.linalg.norm(y))
        same, m = solution_at(X, y, misfit=share * np.linalg.norm(y))
        assert n == m
        np.testing.assert_allclose(ours, same, atol=1e-11)


def vertex(X, y, w):
    """A solution of cvxpy without its solver's tolerance: the fit on its support, where that fits and is one."""
    support = np.flatnonzero(np.abs(w) > 1e-5 * np.abs(w).max())
    found = np.zeros(len(w))
    found[support], _, rank, _ = np.linalg.lstsq(X[:, support], y, rcond=None)
    return found if rank == len(support) and np.linalg.norm(y - X @ found) <= 1e-12 * np.linalg.norm(y) else w


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "many"), [("gaussian", 170), ("signs", 165), ("copies", 165)])
def test_five_hundred_programmes_have_the_answers_of_cvxpy(kind, many):
    """To 1e-8: the norm of all, and the solution where it is unique, which ties and equal columns need not leave it."""
    for seed in range(100, 100 + many):
        X, y = wide(kind, seed)
        if not np.any(y):
            continue
        w, _ = solution_at(X, y)
        other = vertex(X, y, programme(X, y, 0.0)[1])
        size = np.abs(w).sum()
        assert np.linalg.norm(y - X @ w) <= 1e-12 * np.linalg.norm(y)
        assert size == pytest.approx(np.abs(other).sum(), rel=1e-8)
        if kind == "gaussian":
            np.testing.assert_allclose(w, other, atol=1e-8 * size)
