"""IHT, NIHT and AIHT: their steps are the reference steps, their rules hold, streaming changes nothing."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import planted
import recovery
from planted.base import arrays
from recovery import Status
from recovery.operators.base import StoredSupport
from recovery.solvers.aiht import descend_on_support
from recovery.solvers.gradient import power_iteration, squared_move, thresholded_step
from recovery.testing import draw_problem
from tests.oracles.operators import (
    GatedReference,
    lean_loop_step,
    reference_iht_step,
    reference_niht_step,
    released_loop_step,
)

PROBLEM = draw_problem(30, 50, 4, 0)


def iterates(solver, problem, steps, **options):
    """Return the first iterates as full vectors."""
    found = []

    def keep(state):
        x = np.zeros(problem.A.shape[1])
        x[state.support] = state.values
        found.append(x)

    recovery.solve(problem.A, problem.y, problem.s, solver=solver, callback=keep, max_iter=steps, **options)
    return found


def test_iht_makes_the_reference_steps():
    x = np.zeros(50)
    for found in iterates("iht", PROBLEM, 6, step=0.3):
        x = reference_iht_step(PROBLEM.A, PROBLEM.y, x, 0.3, 4)
        np.testing.assert_allclose(found, x, atol=1e-13)


def test_niht_makes_the_reference_steps():
    for seed in range(5):
        problem, x = draw_problem(20, 60, 5, seed), np.zeros(60)
        for found in iterates("niht", problem, 8, normalise=False):
            x = reference_niht_step(problem.A, problem.y, x, 5)
            np.testing.assert_allclose(found, x, atol=1e-10)


def test_all_ways_to_make_a_gated_step_agree():
    X, y, H, w = planted.gated_model(40, 6, 8, 5, rng=0)
    x, step, s = np.where(np.abs(w) > 0.5, w, 0.0), 0.01, 7
    plain = reference_iht_step(GatedReference(X, H).A, y, x, step, s)
    np.testing.assert_allclose(released_loop_step(X, H, y, x, step, s), plain, atol=1e-12)
    np.testing.assert_allclose(lean_loop_step(X, H, y, x, step, s), plain, atol=1e-12)
    operator, support = recovery.GatedOperator.from_generators(X, H), np.flatnonzero(x)
    residual = y - operator.matvec(x)
    for stream in (False, True):
        chosen, values = thresholded_step(operator, support, x[support], residual, step, s, stream=stream)
        found = np.zeros_like(x)
        found[chosen] = values
        np.testing.assert_allclose(found, plain, atol=1e-12)


def test_power_iteration_finds_the_largest_eigenvalue(backend):
    A = backend.put(PROBLEM.A)
    found = power_iteration(recovery.DenseOperator(A), backend.put(PROBLEM.y))
    true = np.linalg.norm(PROBLEM.A, 2) ** 2
    assert 0.9 * true <= found <= true * (1 + 1e-12)
    assert power_iteration(recovery.DenseOperator(np.eye(3)[:, :1]), np.array([0.0, 1.0, 0.0])) == 0.0


def test_squared_move_is_exact_for_small_moves(backend):
    old, new = np.array([1, 4, 6]), np.array([1, 5, 6])
    a, b = np.array([1e8, 1e-9, 3.0]), np.array([1e8, 2e-9, 3.0])
    moved, entered = squared_move(arrays.namespace(backend.put(a)), *map(backend.put, (new, b, old, a)))
    assert float(moved) == pytest.approx(5e-18, rel=1e-12)
    assert float(entered) == 1


def test_niht_never_raises_its_objective():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((15, 40)) * 10.0 ** rng.uniform(-1, 1, 40)  # columns of very different norms
        history = recovery.solve(A, rng.standard_normal(15), 4, solver="niht", max_iter=300).history
        assert np.all(np.diff(history["objective"]) <= 0)
    assert history["refused"]


def test_niht_refuses_steps_that_are_too_long():
    refused = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        result = recovery.solve(rng.standard_normal((12, 40)), rng.standard_normal(12), 4, solver="niht", max_iter=200)
        refused += sum(result.history["refused"])
    assert refused > 0


def test_niht_leaves_a_stationary_point_of_a_wrong_support():
    e = 0.3  # g_S = 0 at x0 = e2 / e, where the textbook step is 0/0
    A = np.linalg.cholesky(np.array([[1, e], [e, 1]])).T
    x0 = np.array([0.0, e])  # least squares on the wrong column
    assert abs(A[:, 1] @ (A[:, 0] - A @ x0)) <= 2 * 2 * np.finfo(float).eps  # two products with 2 x 2
    result = recovery.solve(A, A[:, 0], 1, solver="niht", x0=x0)
    np.testing.assert_allclose(result.x, [1.0, 0.0], atol=1e-10)


def test_fixed_points_satisfy_their_condition():
    rng = np.random.default_rng(3)
    A, y = rng.standard_normal((30, 50)), rng.standard_normal(30)
    step = 1 / np.linalg.norm(A, 2) ** 2
    result = recovery.solve(A, y, 5, solver="iht", step=step)
    assert result.status in (Status.AT_REST, Status.STALLED)
    np.testing.assert_allclose(reference_iht_step(A, y, result.x, step, 5), result.x, atol=1e-7)


@pytest.mark.parametrize("name", ["niht", "aiht"])
def test_columns_of_different_norms_are_no_trouble(name):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        A, x = rng.standard_normal((80, 160)) * 10.0 ** rng.uniform(-1, 1, 160), np.zeros(160)
        x[rng.choice(160, 4, replace=False)] = rng.choice([-1.0, 1.0], 4)
        found = recovery.solve(A, A @ x, 4, name)
        np.testing.assert_allclose(found.x, x, atol=1e-9)
        assert found.success
        assert found.fits


def test_coming_to_rest_without_a_fit_is_no_success():
    rests = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        A, x = rng.standard_normal((80, 160)) * 10.0 ** rng.uniform(-1, 1, 160), np.zeros(160)
        x[rng.choice(160, 12, replace=False)] = rng.choice([-1.0, 1.0], 12)
        y = A @ x  # no noise
        for name in ("niht", "aiht", "iht"):
            found = recovery.solve(A, y, 12, name, normalise=False)
            relative = np.linalg.norm(y - A @ found.x) / np.linalg.norm(y)
            assert found.relative_residual == pytest.approx(relative, rel=1e-6, abs=1e-14)
            assert found.fits == (relative <= 1e-8)
            assert found.fits or not found.success
            if found.status is Status.AT_REST:
                rests += 1
                assert f"|A x - y| is {relative:.1e} |y|" in found.message
    assert rests >= 5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_counts_as_a_fit_follows_the_dtype(backend, dtype):
    problem = draw_problem(40, 60, 3, 6)
    A, y = problem.A.astype(dtype), problem.y.astype(dtype)
    assert recovery.solve(backend.put(A), backend.put(y), 3, "niht").fits
    noise = 1e-3 * np.random.default_rng(0).standard_normal(40).astype(dtype)
    found = recovery.solve(backend.put(A), backend.put(y + noise), 3, "niht")
    assert not found.fits
    assert found.status is Status.AT_REST or found.status is Status.STALLED
    for scale in (1e-30, 1e15):
        other = recovery.solve(backend.put(A), backend.put((y + noise) * scale), 3, "htp")
        assert other.relative_residual == pytest.approx(found.relative_residual, rel=1e-3)
    assert recovery.solve(A, 0 * y, 3).fits
    assert recovery.solve(A, y, 0).relative_residual == 1.0
    assert recovery.solve(A, 0 * y, 0).relative_residual == 0.0


def test_iht_with_a_step_that_is_too_long_says_that_it_diverged():
    result = recovery.solve(PROBLEM.A, PROBLEM.y, 4, solver="iht", step=50.0)
    assert result.status is Status.DIVERGED
    assert min(result.history["objective"]) > 0.5 * PROBLEM.y @ PROBLEM.y
    assert not result.x.any()  # no step was better than the start
    assert result.objective == pytest.approx(0.5 * PROBLEM.y @ PROBLEM.y)


def test_armijo_in_closed_form_equals_the_loop():
    rng = np.random.default_rng(4)
    A, y, start = rng.standard_normal((12, 5)), rng.standard_normal(12), rng.standard_normal(5)
    columns = StoredSupport(recovery.DenseOperator(A), np.arange(5))
    for step in (1e-3, 0.3, 3.0, 30.0, 1e4):
        v, size, failed = start.copy(), step, False
        for _ in range(10):
            r = y - A @ v
            g, halvings = A.T @ r, 0
            while np.sum((y - A @ (v + size * g)) ** 2) > r @ r - 0.9 * size * (g @ g):
                size, halvings = size / 2, halvings + 1
            failed |= halvings > 10
            v = v + size * g
        expected = start if failed else v
        values, residual = descend_on_support(columns, start, y, step, 10)
        np.testing.assert_allclose(values, expected, atol=1e-12)
        np.testing.assert_allclose(residual, y - A @ expected, atol=1e-12)


def test_aiht_converges_in_fewer_steps_than_niht():
    fast = recovery.solve(PROBLEM.A, PROBLEM.y, 4, solver="aiht")
    slow = recovery.solve(PROBLEM.A, PROBLEM.y, 4, solver="niht")
    np.testing.assert_allclose(fast.x, PROBLEM.x, atol=1e-10)
    assert fast.n_iter < slow.n_iter


@pytest.mark.parametrize("solver", ["iht", "aiht"])
def test_streaming_makes_the_same_steps(solver, monkeypatch):
    X, y, H, _ = planted.gated_model(60, 6, 12, 3, rng=1)
    options = {"step": 0.01} if solver == "iht" else {"normalise": False}
    A = recovery.GatedOperator.from_generators(X, H)
    whole = recovery.solve(A, y, 3, solver=solver, max_iter=20, **options)
    monkeypatch.setattr("recovery.operators.gated.TILE_GATES", 5)
    monkeypatch.setattr("recovery.operators.base.BLOCK_BYTES", 8 * 60 * 2)
    parts = recovery.GatedOperator.from_generators(X, H, store=False)
    streamed = recovery.solve(parts, y, 3, solver=solver, max_iter=20, stream=True, **options)
    assert streamed.x is None
    np.testing.assert_array_equal(streamed.support, whole.support)
    np.testing.assert_allclose(streamed.values, whole.values, rtol=1e-9)
    np.testing.assert_allclose(
        streamed.history["objective"], whole.history["objective"], rtol=1e-9, atol=1e-15 * (y @ y)
    )


def test_streaming_on_the_device(backend):
    X, y, H, _ = planted.gated_model(60, 6, 12, 3, rng=1)
    A = recovery.GatedOperator.from_generators(backend.put(X), backend.put(H), store=False)
    found = recovery.solve(A, backend.put(y), 3, solver="aiht", stream=True, max_iter=5)
    plain = recovery.solve(recovery.GatedOperator.from_generators(X, H), y, 3, "aiht", max_iter=5, normalise=False)
    np.testing.assert_array_equal(backend.get(found.support), plain.support)
    np.testing.assert_allclose(backend.get(found.values), plain.values, rtol=1e-10)


def test_streaming_memory_does_not_grow_with_the_number_of_columns(monkeypatch):
    monkeypatch.setattr("recovery.operators.base.BLOCK_BYTES", 2**16)
    monkeypatch.setattr("recovery.operators.gated.TILE_GATES", 128)
    X = np.random.default_rng(5).standard_normal((64, 20))
    y = np.random.default_rng(6).standard_normal(64)

    def peak(gates, stream):
        A = recovery.GatedOperator.from_seed(X, gates, 0)
        tracemalloc.start()
        recovery.solve(A, y, 10, solver="aiht", stream=stream, max_iter=2)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100, True)  # imports and caches
    small, large = peak(300, True), peak(3000, True)
    assert large < small + 8 * 2700 * 20 / 10
    assert peak(3000, False) > large + 8 * 3000 * 20


@pytest.mark.parametrize("solver", ["iht", "niht"])
@pytest.mark.parametrize("scale", [1e-120, 1e-60, 1e80, 1e140])  # squares of residuals limit it
def test_the_scale_of_the_columns_does_not_matter(backend, solver, scale):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 30)) / 6
    x = np.zeros(30)
    x[[1, 5, 9]] = [1, -2, 1.5]
    plain = recovery.solve(backend.put(A), backend.put(A @ x), 3, solver, normalise=False)
    found = recovery.solve(backend.put(A * scale), backend.put(A @ x * scale), 3, solver, normalise=False)
    np.testing.assert_allclose(backend.get(found.x), x, atol=1e-10)
    assert found.n_iter == plain.n_iter
