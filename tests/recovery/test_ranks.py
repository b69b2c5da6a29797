"""Ranks: one rule for all n, units and types; the triangle and the Gram matrix it is read from; who uses it."""

import math

import numpy as np
import pytest

import recovery
from linear_lottery import gradient_flow, imp, threshold_prune
from linear_lottery.comparators import backward_elimination, holp
from planted.base import arrays
from planted.base.arrays import EPS
from recovery.operators.ranks import gram, nearest_solution, rank, rank_tolerance, triangle, unit_columns
from recovery.solvers.least_squares import least_squares


def signs(n, scale, dtype="float32"):
    """Two orthogonal columns of +-1, the second one scaled."""
    X = np.ones((n, 2))
    X[::2, 1] = -1.0
    X = X * [1.0, scale]
    return X.astype(dtype), (X @ [1.0, 2.0]).astype(dtype)


def low_rank(kind, n, k, rng):
    """Exactly dependent columns."""
    if kind == "duplicated":
        X = rng.standard_normal((n, k))
        X[:, -1] = X[:, 0]
    elif kind == "integer":
        X = rng.integers(-4, 5, (n, k)).astype(float)
        X[:, -1] = X[:, :-1] @ rng.integers(-2, 3, k - 1) + X[:, 0]
    elif kind == "positive":  # all rounding errors of a sum go the same way
        X = rng.integers(1000, 10000, (n, k)).astype(float)
        X[:, -1] = X[:, : max(1, k // 2)].sum(axis=1)
    else:
        X = rng.standard_normal((n, k)) + 5.0
        X[:, 0], X[:, -1] = 1.0, 7.0
    return X


@pytest.mark.parametrize("kind", ["duplicated", "integer", "positive", "constant"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dependent_columns_are_noticed_however_many_rows_there_are(kind, dtype):
    rng = np.random.default_rng(0)
    for n, k in ((9, 3), (700, 3), (3000, 2), (3000, 40), (200_000, 2)):
        X = low_rank(kind, n, k, rng)
        assert rank(X.astype(dtype)) == min(n, k) - 1, (n, k)
        assert rank(X[:, 1:].astype(dtype)) == min(n, k - 1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_tolerance_is_met_from_both_sides(dtype):
    """Columns of norm 1 at an angle: the smaller singular value is sqrt(2) sin(angle / 2), whatever the units."""
    tolerance = rank_tolerance(2, dtype)
    for n in (4, 5000):
        for factor, wanted in ((0.3, 1), (8.0, 2)):
            angle = math.sqrt(2.0) * factor * tolerance
            for units in ([1.0, 1.0], [1.0, 1e-12], [1e20, 1e-15]):
                X = np.zeros((n, 2))
                X[0], X[-1, 1] = 1.0, angle
                assert rank((X * units).astype(dtype)) == wanted


def test_a_triangle_has_the_gram_matrix_of_its_columns(backend):
    rng = np.random.default_rng(1)
    xp = arrays.namespace(backend.put(np.zeros(1)))
    for n, k in ((3, 5), (40, 6), (513, 2), (5000, 3), (70_001, 2)):
        X, y = rng.standard_normal((n, k)), rng.standard_normal(n)
        T = np.column_stack([X, y])
        R = backend.get(triangle(xp, backend.put(X), backend.put(y)))
        G = backend.get(gram(xp, backend.put(X), backend.put(y)))
        scale = np.outer(np.linalg.norm(T, axis=0), np.linalg.norm(T, axis=0))
        assert R.shape == (min(n, k + 1), k + 1)
        assert np.all(np.tril(R, -1) == 0)
        assert np.abs((R.T @ R - T.T @ T) / scale).max() <= 64 * EPS
        assert np.abs((G - T.T @ T) / scale).max() <= 64 * EPS


def test_what_float32_holds_is_summed_in_float64():
    X = np.random.default_rng(2).integers(1000, 10000, (300_000, 2)).astype(np.float32)
    exact = X.astype(np.int64).T @ X.astype(np.int64)
    assert np.array_equal(gram(np, X), exact.astype(float))
    assert triangle(np, X).dtype == np.float64


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (6, 6), (3000, 4)])
@pytest.mark.parametrize("kind", ["full", "equal", "zero", "equal and zero", "nothing", "equal rows"])
def test_the_nearest_solution_is_that_of_the_pseudo_inverse(backend, shape, kind):
    rng = np.random.default_rng(3)
    A = rng.standard_normal(shape)
    if "equal" in kind:
        A[:, 2] = A[:, 0]
    if "zero" in kind:
        A[:, 1] = 0.0
    if kind == "nothing":
        A[:] = 0.0
    if kind == "equal rows":
        A[2], A[1] = A[0], 0.0
    b, start = rng.standard_normal(shape[0]), rng.standard_normal(shape[1])
    inverse = np.linalg.pinv(A, rcond=1e-12)
    steep = np.linalg.norm(inverse, 2)
    wanted = start + inverse @ (b - A @ start)
    size = np.linalg.norm(b) + np.linalg.norm(A, 2) * (np.linalg.norm(wanted) + np.linalg.norm(start))
    known = [backend.put(value) for value in (A, b, start)]
    w, gain = nearest_solution(arrays.namespace(*known), *known, A.dtype)
    error = 2 * rank_tolerance(min(shape), A.dtype) * (1 + steep * np.linalg.norm(A, 2))
    assert np.abs(backend.get(w) - wanted).max() <= error * (1 + steep * size)
    assert np.abs(backend.get(gain) - np.linalg.norm(inverse, axis=1)).max() <= error * steep


def test_units_of_columns_change_only_the_units_of_weights():
    rng = np.random.default_rng(4)
    A, b = rng.standard_normal((30, 4)), rng.standard_normal(30)
    units = 2.0 ** np.array([0, -600, 300, 40])
    plain = nearest_solution(np, A, b, np.zeros(4), A.dtype)[0]
    assert np.allclose(nearest_solution(np, A * units, b, np.zeros(4), A.dtype)[0] * units, plain, rtol=1e-13, atol=0)
    unit, norms = unit_columns(np, A * units)
    assert np.allclose(np.linalg.norm(unit, axis=0), 1.0, rtol=4 * EPS)
    assert np.allclose(unit * norms, A * units, rtol=4 * EPS, atol=0)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tall_design_keeps_its_small_column(backend, scale, dtype):
    """The cutoff max(n, d) eps took the second column away, and pruning then dropped the larger weight."""
    X, y = signs(10_000, scale, dtype)
    known = [backend.put(value) for value in (X, y, np.zeros(2, dtype=dtype))]
    # y is rounded to its type, and a factor moves columns by 16 eps(float64) at most
    error = 4 * rank_tolerance(2, dtype) / scale
    for t in (math.inf, 1e30):
        assert np.abs(backend.get(gradient_flow(*known, t)) - [1.0, 2.0]).max() <= error
        assert backend.get(imp(*known[:2], 1, flow_time=t).support).tolist() == [1]
        assert backend.get(threshold_prune(*known[:2], 1.5, flow_time=t).support).tolist() == [1]
    assert backend.get(backward_elimination(*known[:2], 2).weights) == pytest.approx([1.0, 2.0], abs=error)


@pytest.mark.slow
def test_four_million_rows_of_float32():
    rng = np.random.default_rng(0)
    X = rng.integers(1000, 10000, (4_000_000, 3)).astype(np.float32)
    y = (X.astype(np.float64) @ [3.0, 1.0, -5.0]).astype(np.float32)
    assert np.abs(gradient_flow(X, y, np.zeros(3, np.float32)) - [3, 1, -5]).max() <= 1e-6
    path = imp(X, y, 2)
    assert path.support.tolist() == [0, 2]
    assert np.abs(path.weights[0] - [3, 1, -5]).max() <= 1e-6


def test_backward_elimination_takes_a_tall_float32_design():
    rng = np.random.default_rng(5)
    left, right = np.linalg.qr(rng.standard_normal((100_000, 4)))[0], np.linalg.qr(rng.standard_normal((4, 4)))[0]
    X = ((left * [1.0, 0.5, 0.1, 0.02]) @ right).astype(np.float32)
    found = backward_elimination(X, (X.astype(float) @ [1.0, 2.0, 0.0, 0.0]).astype(np.float32), 2)
    assert found.support.tolist() == [0, 1]
    X[:, 3] = X[:, 0]
    with pytest.raises(ValueError, match="lacks full column rank"):
        backward_elimination(X, np.ones(100_000, np.float32), 2)


@pytest.mark.parametrize("n", [500, 60_000, pytest.param(600_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_twin_columns_share_their_weight(backend, n, dtype):
    rng = np.random.default_rng(6)
    A = rng.standard_normal((n, 6)).astype(dtype)
    A[:, 1] = A[:, 0]
    y = 3 * A[:, 0]
    eps = float(np.finfo(dtype).eps)
    operator = recovery.DenseOperator(backend.put(A))
    for columns in ([0, 1], [0, 1, 4], [0, 1, 2, 3, 4, 5]):
        values, _, _ = least_squares(operator, backend.put(np.array(columns)), backend.put(y))
        assert np.abs(backend.get(values)[:2] - 1.5).max() <= 16 * eps
        assert np.abs(backend.get(values)[2:]).max(initial=0.0) <= 16 * eps
    for solver in ("htp", "cosamp"):
        x = backend.get(recovery.solve(backend.put(A), backend.put(y), 2, solver=solver).x)
        assert np.abs(x - [1.5, 1.5, 0, 0, 0, 0]).max() <= 16 * eps, solver


def test_float32_least_squares_does_not_lose_digits_to_rows():
    """Sums of 1e5 positive products in float32 lose three digits."""
    rng = np.random.default_rng(7)
    A = rng.integers(1000, 10000, (100_000, 3)).astype(np.float32)
    y = (A.astype(np.float64) @ [3.0, 1.0, -5.0]).astype(np.float32)
    values, _, _ = least_squares(recovery.DenseOperator(A), np.arange(3), y)
    assert np.abs(values - [3, 1, -5]).max() <= 1e-6


def test_rows_of_a_wide_design_have_units_too():
    rng = np.random.default_rng(8)
    X, y = rng.standard_normal((4, 9)), rng.standard_normal(4)
    units = np.array([1.0, 1e-10, 1.0, 1e6])[:, None]
    short = (X * units).astype(np.float32), (y * units[:, 0]).astype(np.float32)
    plain, found = holp(X, y, 3), holp(*short, 3)
    assert plain.support.tolist() == found.support.tolist()
    flow = gradient_flow(*short, np.zeros(9, np.float32))
    assert np.abs(flow - gradient_flow(X, y, np.zeros(9))).max() <= 1e-5
    X[3] = X[2]
    with pytest.raises(ValueError, match="dependent rows"):
        holp(X.astype(np.float32), y.astype(np.float32), 3)
