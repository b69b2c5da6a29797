"""Gradient flow in closed form: against an integrator, 60 digits, gradient descent, and its own laws."""

import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import null_space

import linear_lottery
from linear_lottery import gradient_flow

TIMES = (0.0, 0.3, 7.0, 100.0)


def tall(rng):
    return rng.standard_normal((30, 8))


def wide(rng):
    return rng.standard_normal((8, 20))


def duplicated(rng):
    """Rank 5 of 8, exactly: a product of factors would have singular values of 1e-16 instead of 0."""
    base = rng.integers(-4, 5, (30, 5)).astype(float)
    return base[:, [0, 1, 2, 3, 4, 1, 1, 3]]


def integer(rng):
    """Rank 4 of 7, exactly, with no two columns equal."""
    return (rng.integers(-4, 5, (30, 4)) @ rng.integers(-2, 3, (4, 7))).astype(float)


def equicorrelated(rng):
    return rng.standard_normal((40, 6)) + 2.0 * rng.standard_normal((40, 1))


DESIGNS = [tall, wide, duplicated, integer, equicorrelated]


def problem(design, seed=0):
    rng = np.random.default_rng(seed)
    X = design(rng)
    return X, rng.standard_normal(X.shape[0]), rng.standard_normal(X.shape[1])


def masks(d):
    return [None, np.arange(d) % 3 != 0, np.arange(d) == 1]


def integrate(X, y, w0, t, mask):
    """The differential equation itself, by a Runge-Kutta method of order 8."""
    keep = np.ones(len(w0)) if mask is None else mask.astype(float)
    solved = solve_ivp(
        lambda _, w: -keep * (X.T @ (X @ w - y)) / len(y), (0, t), keep * w0, method="DOP853", rtol=1e-13, atol=1e-13
    )
    assert solved.success
    return solved.y[:, -1]


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("t", TIMES)
def test_it_solves_the_differential_equation(design, which, t):
    X, y, w0 = problem(design)
    mask = masks(X.shape[1])[which]
    found = gradient_flow(X, y, w0, t, mask)
    assert np.abs(found - integrate(X, y, w0, t, mask)).max() <= 1e-11


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
@pytest.mark.parametrize("masked", [False, True])
def test_it_solves_the_differential_equation_for_as_long_as_an_integrator_can(design, masked):
    X, y, w0 = problem(design)
    mask = masks(X.shape[1])[int(masked)]
    part = X if mask is None else X[:, mask]
    t = 1e4 * len(y) / np.linalg.norm(part, 2) ** 2
    wanted = integrate(X, y, w0, t, mask)
    assert np.abs(gradient_flow(X, y, w0, t, mask) - wanted).max() <= 1e-10 * np.abs(wanted).max()


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
@pytest.mark.parametrize("which", range(3))
def test_the_limit_is_the_nearest_least_squares_solution(design, which):
    X, y, w0 = problem(design)
    d = X.shape[1]
    mask = masks(d)[which]
    keep = np.ones(d, dtype=bool) if mask is None else mask
    part = X[:, keep]
    wanted = np.zeros(d)
    wanted[keep] = w0[keep] + np.linalg.pinv(part) @ (y - part @ w0[keep])
    found = gradient_flow(X, y, w0, mask=mask)
    assert np.abs(found - wanted).max() <= 1e-12
    assert np.all(found[~keep] == 0.0)
    # and the flow gets there: the slowest mode that moves has lambda > 1e-2 in every design here
    assert np.abs(gradient_flow(X, y, w0, 1e5, mask) - found).max() <= 1e-12


@pytest.mark.parametrize("design", [wide, duplicated])
@pytest.mark.parametrize("t", [*TIMES, 1e30, math.inf])
def test_the_null_space_part_of_the_start_stays(design, t):
    X, y, w0 = problem(design)
    null = null_space(X)
    assert null.shape[1] == X.shape[1] - np.linalg.matrix_rank(X) >= 3
    assert np.abs(null.T @ gradient_flow(X, y, w0, t) - null.T @ w0).max() <= 1e-13
    assert np.abs(null.T @ w0).max() > 0.1


def test_the_limit_depends_on_the_start_only_where_there_is_a_null_space():
    for design, depends in ((tall, False), (wide, True), (duplicated, True)):
        X, y, w0 = problem(design)
        change = np.abs(gradient_flow(X, y, w0) - gradient_flow(X, y, -w0)).max()
        assert (change > 0.1) if depends else (change < 1e-12), design


def test_gradient_descent_goes_to_the_same_place():
    X, y, w0 = problem(wide)
    w, step = w0.copy(), len(y) / np.linalg.norm(X, 2) ** 2
    for _ in range(3000):
        w -= step * X.T @ (X @ w - y) / len(y)
    assert np.abs(w - gradient_flow(X, y, w0)).max() <= 1e-12


@pytest.mark.parametrize("exponent", [2, 4, 6, 8, 10])
@pytest.mark.parametrize("reach", [1e-4, 1.0, math.inf])
def test_ill_conditioned_against_60_digits(exponent, reach):
    """Relative to the largest weight: 1e-9 up to cond 1e4, and 10 eps cond beyond; t = reach / lambda_min."""
    cond, t = 10.0**exponent, reach * 9 * 10.0 ** (2 * exponent)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        left, right = np.linalg.qr(rng.standard_normal((9, 4)))[0], np.linalg.qr(rng.standard_normal((4, 4)))[0]
        X = left * np.geomspace(1.0, 1.0 / cond, 4) @ right
        y, w0 = rng.standard_normal(9), rng.standard_normal(4)
        with mpmath.workdps(60):
            A, b, start = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist()), mpmath.matrix(w0.tolist())
            gram = A.T * A / 9
            wanted = mpmath.lu_solve(gram, A.T * b / 9)
            if not math.isinf(t):
                values, vectors = mpmath.eigsy(gram)
                left_over = [
                    mpmath.exp(-one * t) * part for one, part in zip(values, vectors.T * (start - wanted), strict=True)
                ]
                wanted += vectors * mpmath.matrix(left_over)
        wanted = np.array([float(one) for one in wanted])
        error = np.abs(gradient_flow(X, y, w0, t) - wanted).max() / np.abs(wanted).max()
        assert error <= (1e-11 if exponent <= 4 else 10 * np.finfo(float).eps * cond)


def test_short_times_keep_their_digits():
    X, y, _ = problem(tall)
    t = 1e-14 / np.linalg.norm(X, 2) ** 2
    found, first_order = gradient_flow(X, y, np.zeros(8), t), t * X.T @ y / len(y)
    assert np.abs(found / first_order - 1).max() <= 1e-11  # 1 - exp(-lambda t) itself would have no digit left


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
def test_stopping_and_going_on_is_the_same_as_not_stopping(design):
    X, y, w0 = problem(design)
    half = gradient_flow(X, y, w0, 2.5)
    assert np.abs(gradient_flow(X, y, half, 4.0) - gradient_flow(X, y, w0, 6.5)).max() <= 1e-12
    assert np.abs(gradient_flow(X, y, half) - gradient_flow(X, y, w0)).max() <= 1e-12
    assert np.array_equal(gradient_flow(X, y, w0, 0.0), w0)


def test_the_loss_falls_and_the_distance_to_the_limit_obeys_the_rate():
    X, y, w0 = problem(wide)
    limit = gradient_flow(X, y, w0)
    slowest = np.linalg.svd(X, compute_uv=False)[-1] ** 2 / len(y)
    start, losses = np.linalg.norm(w0 - limit), []
    for t in np.linspace(0, 20, 15):
        w = gradient_flow(X, y, w0, float(t))
        losses.append(np.sum((X @ w - y) ** 2))
        assert np.linalg.norm(w - limit) <= math.exp(-slowest * t) * start * (1 + 1e-12)
    assert np.all(np.diff(losses) < 0)


@pytest.mark.parametrize("c", [1e-150, 1e-6, 1e6, 1e150])
@pytest.mark.parametrize("t", [2.0, math.inf])
def test_scale_equivariance(c, t):
    X, y, w0 = problem(duplicated)
    plain = gradient_flow(X, y, w0, t)
    assert np.abs(gradient_flow(c * X, c * y, w0, t / c**2) - plain).max() <= 1e-12
    assert np.abs(gradient_flow(X, c * y, c * w0, t) / c - plain).max() <= 1e-12


def test_singular_values_count_down_to_rounding():
    """Of columns with norm 1: the unit of a feature does not matter, two features that are one up to rounding do."""
    X = np.diag([1.0, 1e-14, 1e-17])
    assert gradient_flow(X, X @ np.ones(3), np.full(3, 5.0)).tolist() == pytest.approx([1.0, 1.0, 1.0], rel=1e-14)
    for apart, wanted in ((2.0**-40, [1.0, 1.0, 1.0]), (2.0**-52, [-1.0, 3.0, 1.0])):
        X = np.array([[1.0, 1.0, 0.0], [0.0, apart, 0.0], [0.0, 0.0, 1.0]])
        found = gradient_flow(X, X @ np.ones(3), np.array([2.0, 6.0, 0.0]))
        assert found.tolist() == pytest.approx(wanted, abs=100 * 2.0**-52 / 2.0**-40)


@pytest.mark.parametrize("c", [1e-160, 1e-250])
def test_where_lambda_t_is_too_small_for_a_float(c):
    X, y, w0 = problem(tall)
    w = gradient_flow(c * X, y, 0 * w0, 3.0)
    assert np.allclose(w, 3.0 / len(y) * ((c * X).T @ y), rtol=1e-13, atol=0)


def test_the_limit_is_reached_where_lambda_t_is_too_large_for_a_float():
    X, y, w0 = problem(tall)
    assert np.allclose(gradient_flow(1e200 * X, y, w0, 1e300), gradient_flow(1e200 * X, y, w0), rtol=1e-12, atol=0)


def test_a_mask_of_ones_of_nothing_and_of_integers():
    X, y, w0 = problem(wide)
    assert np.allclose(gradient_flow(X, y, w0, 3.0, np.ones(20, dtype=bool)), gradient_flow(X, y, w0, 3.0), atol=1e-13)
    assert np.array_equal(gradient_flow(X, y, w0, mask=np.zeros(20)), np.zeros(20))
    pattern = np.arange(20) % 2
    assert np.array_equal(gradient_flow(X, y, w0, mask=pattern), gradient_flow(X, y, w0, mask=pattern == 1))
    assert np.array_equal(gradient_flow(np.zeros((3, 4)), np.ones(3), np.arange(4.0)), np.arange(4.0))


@pytest.mark.parametrize("t", [1.5, math.inf])
def test_every_backend_computes_the_same(backend, t):
    X, y, w0 = problem(duplicated)
    mask = np.arange(8) != 2
    for one in (None, mask):
        put = None if one is None else backend.put(one)
        found = gradient_flow(backend.put(X), backend.put(y), backend.put(w0), t, put)
        assert np.abs(backend.get(found) - gradient_flow(X, y, w0, t, one)).max() <= 1e-14


def test_float32_is_kept_and_mixtures_are_float64():
    X, y, w0 = problem(tall)
    short = [value.astype(np.float32) for value in (X, y, w0)]
    found = gradient_flow(*short, 2.0)
    assert found.dtype == np.float32
    assert np.abs(found - gradient_flow(X, y, w0, 2.0)).max() <= 1e-5
    assert gradient_flow(short[0], y, short[2], 2.0).dtype == np.float64


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.ones(3)}, ValueError, "X has shape"),
        ({"X": np.ones((0, 8))}, ValueError, "X is empty"),
        ({"y": np.ones(4)}, ValueError, "y has 4"),
        ({"w0": np.ones(7)}, ValueError, "w0 has shape"),
        ({"w0": np.full(8, np.nan)}, ValueError, "w0 has 8 element"),
        ({"flow_time": -1.0}, ValueError, "flow_time=-1"),
        ({"flow_time": math.nan}, ValueError, "flow_time=nan"),
        ({"flow_time": "long"}, TypeError, "flow_time='long'"),
        ({"mask": np.ones(9, dtype=bool)}, ValueError, "mask has shape"),
        ({"mask": np.full(8, 0.5)}, ValueError, "mask holds values other"),
        ({"mask": [0, 3]}, ValueError, "mask has shape"),
    ],
)
def test_refusals_name_the_argument(change, error, words):
    X, y, w0 = problem(tall)
    arguments = {"X": X, "y": y, "w0": w0, **change}
    with pytest.raises(error, match=words):
        gradient_flow(**arguments)


def test_public_names():
    assert "gradient_flow" in linear_lottery.__all__
    assert linear_lottery.gradient_flow is gradient_flow
