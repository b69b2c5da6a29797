"""Results do not depend on units: powers of two change no bit, over the whole range of the dtype."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recovery
from benchmarks import scale_equivariance as campaign
from recovery import Status
from recovery.testing import draw_problem

FAST = [name for name in campaign.VARIANTS if name not in campaign.CONVEX]


def few_or_slow(names):
    """Return all pairs of solver and operator; those that take long and show little more are slow."""
    quick = {"htp", "iht", "omp"}
    return [
        pytest.param(name, kind, marks=[] if name in quick or kind == "dense" else pytest.mark.slow)
        for name in names
        for kind in campaign.OPERATORS
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "kind"), few_or_slow(FAST))
def test_powers_of_two_change_no_bit(name, kind, dtype):
    every = {"float32": 131, "float64": 1031}[dtype]
    tried, wrong = campaign.by_powers(name, kind, dtype, every)
    assert tried >= 10
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", campaign.OPERATORS)
@pytest.mark.parametrize("name", campaign.CONVEX)
def test_powers_of_two_change_no_bit_of_convex_programs(name, kind, dtype):
    pytest.importorskip("cvxpy")
    tried, wrong = campaign.by_powers(name, kind, dtype, {"float32": 131, "float64": 1031}[dtype])
    assert tried >= 10
    assert wrong == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "kind"), few_or_slow(FAST))
def test_other_factors_change_the_rounding_only(name, kind, dtype):
    tried, wrong = campaign.by_factors(name, kind, dtype, 4)
    assert tried == 4
    assert wrong == []


FACTORS = [("float32", 1e6), ("float32", 1e-9), ("float64", 1e60), ("float32", 1e-25), ("float64", 1e-163)]


@pytest.mark.parametrize("name", ["htp", "iht", "niht", "aiht", "cosamp", "omp"])
@pytest.mark.parametrize(("dtype", "factor"), FACTORS)
def test_scales_at_which_answers_were_wrong(backend, name, dtype, factor):
    problem = draw_problem(60, 40, 3, 11)
    A, y = ((factor * v).astype(dtype) for v in (problem.A, problem.y))
    result = recovery.solve(backend.put(A), backend.put(y), 3, name)
    assert result.status.success
    # all three stop at |r| <= 8 eps |y| at the latest, which the condition of these columns (below 3) multiplies
    np.testing.assert_allclose(
        backend.get(result.x), problem.x, atol=100 * np.finfo(dtype).eps * np.abs(problem.x).max()
    )
    only_y = recovery.solve(problem.A.astype(dtype), y, 3, name)
    np.testing.assert_allclose(only_y.x / factor, problem.x, rtol=1e-3, atol=1e-5)
    streams = {"aiht", "iht"}
    if name in streams:
        result = recovery.solve(A, y, 3, name, stream=True)
        assert result.support.tolist() == np.flatnonzero(problem.x).tolist()


@pytest.mark.parametrize("name", ["htp", "niht", "omp"])
def test_data_of_another_dtype_are_scaled_before_they_are_rounded(name):
    problem = draw_problem(60, 40, 3, 11)
    A = problem.A.astype("float32")
    result = recovery.solve(1e-30 * A, 1e-60 * problem.y, 3, name, x0=1e-30 * problem.x)
    assert result.status.success
    np.testing.assert_allclose(result.x / 1e-30, problem.x, atol=1e-4)
    with pytest.raises(ValueError, match="x0 has entries out of proportion: with A near"):
        recovery.solve(A, 1e-30 * problem.y, 3, name, x0=1e12 * problem.x)


@pytest.mark.parametrize(("up", "down", "entry"), [(1e300, 1e-300, 0.0), (1e-300, 1e300, np.inf)])
@pytest.mark.parametrize("name", ["htp", "niht"])
def test_an_answer_that_is_no_number_of_the_dtype_is_named(name, up, down, entry):
    problem = draw_problem(60, 40, 3, 11)
    result = recovery.solve(up * problem.A, down * problem.y, 3, name)
    assert result.status is Status.OUT_OF_RANGE
    assert not result.status.success
    assert result.message.startswith("out of range: the solution has values that its dtype cannot hold")
    assert set(np.abs(result.x)) <= {0.0, entry}
    np.testing.assert_array_equal(result.support, np.flatnonzero(result.x))


def test_digits_that_are_lost_are_named_when_they_matter():
    """One entry rounds to a subnormal number: beside the other it is nothing; alone it is the answer."""
    A, tiny = np.eye(3), np.finfo(np.float64).smallest_subnormal
    both = recovery.solve(2.0**20 * A, np.array([1.0, math.ldexp(1.75, 20 - 1074), 0.0]), 2)
    assert both.status is not Status.OUT_OF_RANGE
    assert both.x.tolist() == [2.0**-20, 2 * tiny, 0.0]
    alone = recovery.solve(2.0**20 * A, np.array([0.0, math.ldexp(1.75, 20 - 1074), 0.0]), 1)
    assert alone.status is Status.OUT_OF_RANGE
    assert alone.x.tolist() == [0.0, 2 * tiny, 0.0]


@given(st.integers(-1000, 900), st.sampled_from(["htp", "niht", "aiht", "iht"]), st.booleans())
def test_callbacks_and_histories_are_in_the_units_of_the_caller(e, name, unit):
    problem = draw_problem(30, 40, 3, 3)
    y = problem.y + 0.1 * np.random.default_rng(0).standard_normal(30)
    states: dict[int, list] = {0: [], e: []}
    results = {}
    for t, seen in states.items():
        results[t] = recovery.solve(
            np.ldexp(problem.A, t), y, 3, name, normalise=unit, max_iter=5, callback=seen.append,
            **({} if name != "htp" or unit else {"step": math.ldexp(0.01, -2 * t) if abs(2 * t) < 1000 else 0.01}),
        )  # fmt: skip
    if name == "htp" and not unit and abs(2 * e) >= 1000:
        return
    for one, other in zip(states[0], states[e], strict=True):
        np.testing.assert_array_equal(other.values, one.values if unit else np.ldexp(one.values, -e))
        assert other.objective == one.objective
        expected = one.step if unit else np.ldexp(one.step, -2 * e)
        assert other.step == expected
    assert results[e].history["objective"] == results[0].history["objective"]


@pytest.mark.slow
def test_convex_bounds_have_the_unit_of_y():
    pytest.importorskip("cvxpy")
    problem = draw_problem(20, 25, 2, 4)
    y = problem.y + 0.01 * np.random.default_rng(0).standard_normal(20)
    plain = recovery.solve(problem.A, y, 2, "l1", noise=0.1)
    for e in (-600, 600):
        scaled = recovery.solve(problem.A, np.ldexp(y, e), 2, "l1", noise=math.ldexp(0.1, e))
        np.testing.assert_array_equal(np.ldexp(scaled.x, -e), plain.x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_column_norms_over_the_whole_range(dtype):
    rng = np.random.default_rng(0)
    plain = rng.integers(-8, 8, (30, 5)).astype(dtype)
    plain[:, 2] = 0.0
    expected = recovery.DenseOperator(plain).column_norms()
    exact = np.sqrt((plain.astype(float) ** 2).sum(axis=0))
    np.testing.assert_allclose(expected, exact, rtol=40 * np.finfo(dtype).eps)
    info = np.finfo(dtype)
    X, gates = plain[:, [0, 1, 3, 4]], np.ones((30, 1), dtype=bool)
    for e in (info.minexp - info.nmant, info.minexp, -70, 0, 70, info.maxexp - 7):
        found = recovery.DenseOperator(np.ldexp(plain, e)).column_norms()
        np.testing.assert_array_equal(found, np.ldexp(expected, e))
        gated = recovery.GatedOperator(np.ldexp(X, e), gates).norms_over(e)  # subnormal norms have few digits
        np.testing.assert_allclose(gated, exact[[0, 1, 3, 4]], rtol=40 * info.eps)
        unit, scale = recovery.normalise(np.ldexp(plain, e))
        np.testing.assert_array_equal(scale, np.where(expected > 0, np.ldexp(expected, e), 1.0))
        np.testing.assert_allclose(unit.column_norms(), np.where(expected > 0, 1.0, 0.0), rtol=4 * info.eps)
    # columns of one matrix that are worlds apart
    wide = plain * np.ldexp(np.ones(5, dtype=dtype), [0, info.minexp // 2, 0, 20, info.minexp + 40]).astype(dtype)
    wide_exact = np.sqrt(((wide.astype(np.longdouble)) ** 2).sum(axis=0))
    np.testing.assert_allclose(recovery.DenseOperator(wide).column_norms(), wide_exact, rtol=40 * info.eps)


def test_gates_do_not_depend_on_the_size_of_the_inputs():
    rng = np.random.default_rng(0)
    X, H = rng.integers(-8, 8, (50, 4)).astype(float), rng.standard_normal((4, 6))
    X[3] = 0.0
    expected = recovery.GatedOperator.from_generators(X, H).gates()
    for e in (-1074, -1030, -600, 600, 1020):
        for store in (True, False):
            operator = recovery.GatedOperator.from_generators(np.ldexp(X, e), H, store=store)
            np.testing.assert_array_equal(operator.gates(), expected)


def test_norms_of_tall_columns_in_float32():
    """Row after row in float32, the sum of 4e6 equal squares is off by percents."""
    n = 1_000_000
    A = np.empty((n, 3), dtype="float32")
    A[:], A[0, 2] = (0.1, 3.3, 0.7), 40.0
    exact = np.sqrt((A.astype(float) ** 2).sum(axis=0))
    eps = np.finfo("float32").eps
    # within a run of 128 rows at most 64 eps of the squares are lost
    np.testing.assert_allclose(recovery.DenseOperator(A).column_norms(), exact, rtol=34 * eps)
    np.testing.assert_allclose(recovery.DenseOperator(np.asfortranarray(A)).column_norms(), exact, rtol=34 * eps)


@pytest.mark.parametrize("name", ["iht", "aiht", "niht"])
def test_steps_that_are_next_to_nothing_are_not_called_a_fixed_point(name):
    """x and its moves near 1e-170: their squares are 0, which looked like an iterate at rest."""
    problem = draw_problem(30, 20, 2, 1)
    options = {"step": 1e-170} if name == "iht" else {}
    result = recovery.solve(problem.A, problem.y, 2, name, max_iter=3, **options, x0=1e-170 * np.ones(20))
    assert result.status is (Status.STEP_LIMIT if name == "iht" else result.status)
    assert name == "iht" or result.status.success or result.status is Status.STEP_LIMIT
