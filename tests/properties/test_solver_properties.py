"""One table: every solver that runs on arrays, crossed with every property it must have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recovery
from recovery import Status
from recovery.testing import draw_problem, sparse_problems

SOLVERS = {
    "auto": {},
    "htp": {},
    "htp, continuation": {"solver": "htp", "path": True},
    "htp, raw columns": {"solver": "htp", "normalise": False, "step": 0.1},  # a given step: not scale equivariant
    "iht": {},
    "iht, given step": {"solver": "iht", "step": 0.05},
    "iht, unit columns": {"solver": "iht", "normalise": True},
    "niht": {},
    "niht, raw columns": {"solver": "niht", "normalise": False},
    "aiht": {},
    "aiht, raw columns": {"solver": "aiht", "normalise": False},
    "subspace-pursuit": {},
    "cosamp": {},
    "cosamp, raw columns": {"solver": "cosamp", "normalise": False},
    "omp": {},
    "omp, raw columns": {"solver": "omp", "normalise": False},
}
FIXED_STEP = {"htp, raw columns", "iht, given step"}
table = pytest.mark.parametrize("name", SOLVERS)
seeds = st.integers(0, 2**31 - 1)
scales = st.floats(-6, 6).map(lambda exponent: 10.0**exponent)


def run(name, A, y, s, **more):
    options = {"solver": name} | SOLVERS[name] | {"max_iter": 150} | more
    return recovery.solve(A, y, s, **options)


def noisy(problem):
    """Return data that no s-sparse vector fits, so that runs do not end by luck."""
    return problem.y + 0.1 * np.random.default_rng(problem.seed + 1).standard_normal(problem.y.shape)


def few(name, A, y, s):
    """Return x after at most 25 steps: a map with jumps, iterated long, may blow rounding up."""
    return run(name, A, y, s, max_iter=25).x


def close(found, expected):
    """Compare up to the rounding that the steps gather."""
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * (np.abs(expected).max() + 1e-300))


def check_sound(result, A, y, s):
    """Check what every answer must satisfy, however good it is."""
    assert np.isfinite(result.x).all()
    np.testing.assert_array_equal(result.support, np.flatnonzero(result.x))
    assert result.support.size <= s
    residual = y - A @ result.x
    assert abs(result.objective - 0.5 * residual @ residual) <= 1e-12 * (y @ y) + 1e-14 * result.objective
    assert isinstance(result.status, Status)


@table
@given(sparse_problems())
def test_answers_are_sound(name, problem):
    y = noisy(problem)
    check_sound(run(name, problem.A, y, problem.s), problem.A, y, problem.s)


@table
@given(sparse_problems(), st.data())
def test_duplicated_and_zero_columns(name, problem, data):
    A = problem.A.copy()
    width = A.shape[1]
    for _ in range(3):
        A[:, data.draw(st.integers(0, width - 1))] = A[:, data.draw(st.integers(0, width - 1))]
    zeros = data.draw(st.lists(st.integers(0, width - 1), max_size=width))
    A[:, zeros] = 0.0
    y = noisy(problem)
    result = run(name, A, y, problem.s)
    check_sound(result, A, y, problem.s)
    assert not result.x[zeros].any()


@table
@given(seeds)
def test_all_columns_zero(name, seed):
    y = np.random.default_rng(seed).standard_normal(5)
    result = run(name, np.zeros((5, 7)), y, 3)
    assert not result.x.any()
    assert result.objective == pytest.approx(0.5 * y @ y)


@table
@given(sparse_problems(rows=(5, 15), columns=(1, 20)))
def test_no_sparsity_and_full_sparsity(name, problem):
    width, y = problem.A.shape[1], noisy(problem)
    empty = run(name, problem.A, y, 0)
    assert not empty.x.any()
    assert empty.support.shape == (0,)
    assert empty.status is Status.ZERO_SPARSITY
    full = run(name, problem.A, y, width)
    check_sound(full, problem.A, y, width)
    assert full.objective <= 0.5 * y @ y * (1 + 1e-12)
    if full.status is Status.SUPPORT_STABLE:
        best = np.linalg.lstsq(problem.A, y, rcond=None)[0]
        close(problem.A @ full.x, problem.A @ best)
    for s in (-1, width + 1):
        with pytest.raises(ValueError, match=f"sparsity={s} is out of range; expected a value between 0 and {width}"):
            run(name, problem.A, y, s)


@table
@given(sparse_problems(), seeds)
def test_permutation_equivariance(name, problem, seed):
    order, y = np.random.default_rng(seed).permutation(problem.A.shape[1]), noisy(problem)
    close(few(name, problem.A[:, order], y, problem.s), few(name, problem.A, y, problem.s)[order])


@table
@given(sparse_problems(), seeds)
def test_sign_equivariance(name, problem, seed):
    signs, y = np.random.default_rng(seed).choice([-1.0, 1.0], problem.A.shape[1]), noisy(problem)
    plain = few(name, problem.A, y, problem.s)
    close(few(name, problem.A * signs, y, problem.s), signs * plain)
    np.testing.assert_array_equal(few(name, problem.A, -y, problem.s), -plain)


@pytest.mark.parametrize("name", [name for name in SOLVERS if name not in FIXED_STEP])
@given(sparse_problems(), scales)
def test_scale_equivariance(name, problem, c):
    y = noisy(problem)
    plain = few(name, problem.A, y, problem.s)
    close(few(name, c * problem.A, c * y, problem.s), plain)
    close(few(name, c * problem.A, y, problem.s), plain / c)


@pytest.mark.parametrize("name", sorted(FIXED_STEP))
def test_a_given_step_is_not_scale_equivariant(name):
    rng = np.random.default_rng(0)
    A, y, x0 = rng.standard_normal((20, 30)), rng.standard_normal(20), np.eye(30)[:3].sum(axis=0)
    plain, scaled = (run(name, c * A, c * y, 3, x0=x0, max_iter=1).x for c in (1.0, 1e-3))
    assert np.abs(plain - scaled).max() > 1e-3


@table
@given(sparse_problems())
def test_arguments_are_untouched_and_the_same_bits_come_back(name, problem):
    A, y, x0 = problem.A.copy(), noisy(problem), problem.x + 0.01
    before = A.tobytes(), y.tobytes(), x0.tobytes()
    for array in (A, y, x0):
        array.flags.writeable = False
    first, second = (run(name, A, y, problem.s, x0=x0) for _ in range(2))
    assert (A.tobytes(), y.tobytes(), x0.tobytes()) == before
    assert first.x.tobytes() == second.x.tobytes()
    assert first.history == second.history
    assert first.message == second.message


@table
@given(st.sampled_from([np.nan, np.inf, -np.inf]), st.sampled_from(["A", "y", "x0"]), st.integers(0, 9))
def test_values_that_are_not_finite_are_refused(name, bad, where, place):
    arguments = {"A": np.eye(10), "y": np.ones(10), "x0": np.zeros(10)}
    arguments[where].reshape(-1)[place] = bad
    with pytest.raises(ValueError, match=rf"{where} has 1 element\(s\) that are NaN or infinite"):
        run(name, arguments["A"], arguments["y"], 2, x0=arguments["x0"])


@table
@given(seeds)
def test_easy_instances_are_solved_so_any_two_solvers_agree(name, seed):
    problem = draw_problem(120, 60, 2, seed)
    result = run(name, problem.A, problem.y, 2, max_iter=2000)
    if name == "iht, given step" and result.objective > 1e-12 * (problem.y @ problem.y):
        # a given step has no guarantee: a small one has wrong fixed points x = H_s(x + step g), which the
        # residual gives away and which must not be called a fit
        assert result.status is Status.AT_REST
        assert not result.fits
        return
    np.testing.assert_allclose(result.x, problem.x, atol=1e-7)
    np.testing.assert_array_equal(result.support, np.flatnonzero(problem.x))
    assert result.status.success


@table
@given(sparse_problems(rows=(20, 40)))
def test_ends_satisfy_the_conditions_of_their_method(name, problem):
    y = noisy(problem)
    result = run(name, problem.A, y, problem.s, max_iter=3000)
    gradient = problem.A.T @ (y - problem.A @ result.x)
    on_support = np.abs(gradient[result.support]).max(initial=0.0)
    bound = np.linalg.norm(problem.A, axis=0).max() * np.linalg.norm(y)
    if SOLVERS[name].get("solver", name) in ("auto", "htp", "subspace-pursuit", "cosamp", "omp"):
        assert on_support <= 1e-12 * bound  # least squares on the support, always
    elif result.status in (Status.FIXED_POINT, Status.AT_REST):
        assert on_support <= 1e-8 * bound
        if name == "iht, given step" and result.support.size == problem.s:
            # x = H_s(x + step g): no entry outside may exceed the smallest inside
            outside = np.delete(np.abs(gradient), result.support).max(initial=0.0)
            assert 0.05 * outside <= np.abs(result.values).min() * (1 + 1e-6)


@pytest.mark.parametrize("name", ["niht", "niht, raw columns"])
@given(sparse_problems(), st.booleans())
def test_niht_is_monotone(name, problem, warm):
    y = noisy(problem)
    x0 = np.random.default_rng(problem.seed).standard_normal(problem.x.shape) if warm else None
    objective = run(name, problem.A, y, problem.s, x0=x0).history["objective"]
    assert np.all(np.diff(objective) <= 0)


@table
@given(sparse_problems())
def test_the_answer_is_no_worse_than_the_best_step(name, problem):
    result = run(name, problem.A, noisy(problem), problem.s)
    best = min(result.history["objective"], default=result.objective)
    if not result.status.success:
        assert result.objective <= best * (1 + 1e-9)
