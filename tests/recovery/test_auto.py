"""The default solver: it solves the problems that its solvers solve, stops early, and reports its steps."""

from __future__ import annotations

import numpy as np
import pytest

import recovery
from benchmarks.phase_cells import CELLS, draw
from recovery import Status
from recovery.testing import draw_problem

CELL = {str(cell): cell for cell in CELLS}


def instance(name, seed):
    A, y, x = draw(CELL[name], seed)
    return A, y, x, CELL[name].sparsity


def exact(found, x):
    return np.abs(np.asarray(found.x) - x).max() <= 1e-6 * np.abs(x).max()


@pytest.mark.parametrize(
    ("cell", "seed", "winner"),
    [
        ("iid, normal, N=1000, k=35", 1000, "htp"),
        ("toeplitz .5, signs, N=1000, k=45", 1001, "subspace-pursuit"),
        ("iid, normal, N=1000, k=75", 1001, "subspace-pursuit"),
        ("toeplitz .8, normal, N=1000, k=60", 1000, "htp with continuation"),
        ("iid, signs, N=400, k=70", 1000, "l1"),
    ],
)
def test_what_one_of_its_solvers_finds_is_found(cell, seed, winner):
    A, y, x, k = instance(cell, seed)
    found = recovery.solve(A, y, k)
    assert exact(found, x)
    assert found.fits
    assert found.status is Status.CONVERGED
    assert found.message.startswith(found.status.value)
    assert f"found by {winner}" in found.message
    names = found.message.partition("; tried ")[2].split(", ")
    assert winner == "htp" or names[-1] == winner  # it stopped at the first that fits
    assert found.n_iter == len(found.history["objective"])


def test_one_try_is_htp():
    A, y, x, k = instance("iid, signs, N=400, k=70", 1000)
    found, htp = recovery.solve(A, y, k, max_tries=1), recovery.solve(A, y, k, "htp")
    np.testing.assert_array_equal(found.x, htp.x)
    assert found.status is htp.status
    assert not found.fits
    assert not exact(found, x)
    assert found.relative_residual == pytest.approx(np.linalg.norm(A @ found.x - y) / np.linalg.norm(y), rel=1e-9)


def test_basis_pursuit_is_left_out_of_large_problems():
    A, y, _, k = instance("iid, signs, N=400, k=70", 1000)
    assert "l1" not in recovery.solve(A, y, k, largest_matrix=10).message


def test_with_noise_two_that_agree_are_enough():
    problem = draw_problem(60, 80, 3, 5)
    y = problem.y + 1e-3 * np.random.default_rng(0).standard_normal(60)
    found = recovery.solve(problem.A, y, 3)
    assert found.message.endswith("found by htp; tried htp, subspace-pursuit")
    assert found.status is Status.SUPPORT_STABLE
    assert found.success
    assert not found.fits
    np.testing.assert_array_equal(found.support, np.flatnonzero(problem.x))


@pytest.mark.parametrize("sign", [1.0, -3.0])
@pytest.mark.parametrize(("gap", "noise"), [(0.0, 0.0), (0.0, 0.1), (1e-6, 0.1), (1e-3, 0.1)])
def test_of_columns_that_are_nearly_equal_one_is_chosen(gap, noise, sign):
    """Thresholding takes both, so htp and subspace pursuit agree on a support that misses another column."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 200))
    A[:, 9] = sign * (A[:, 7] + gap * rng.standard_normal(60))
    y = 3.0 * A[:, 7] + A[:, 20] - 0.8 * A[:, 60] + 0.6 * A[:, 150] + noise * rng.standard_normal(60)
    htp, found = recovery.solve(A, y, 4, "htp"), recovery.solve(A, y, 4)
    assert {7, 9} <= set(htp.support.tolist())
    assert set(found.support.tolist()) - {7, 9} == {20, 60, 150}
    assert "tried htp, omp" in found.message
    if not noise:
        assert found.fits
    # without twins the same noise needs no third solver
    A[:, 9] = rng.standard_normal(60)
    assert "omp" not in recovery.solve(A, y, 4).message


def test_where_nothing_fits_the_smallest_residual_is_returned():
    rng = np.random.default_rng(4)
    A, y = rng.standard_normal((25, 60)), rng.standard_normal(25)
    found = recovery.solve(A, y, 6)
    parts = {"htp": {}, "subspace-pursuit": {}, "cosamp": {}, "l1": {"crowd": 0.9}}
    others = [recovery.solve(A, y, 6, name, **options) for name, options in parts.items()]
    others.append(recovery.solve(A, y, 6, "htp", path=True))
    tried = found.message.partition("; tried ")[2].split(", ")
    assert len(tried) >= 3
    if len(tried) == 5:
        assert found.objective == pytest.approx(min(one.objective for one in others), rel=1e-12)
    assert found.objective <= others[0].objective


def test_the_callback_counts_the_steps_of_all_and_stops_the_run():
    A, y, _, k = instance("iid, signs, N=400, k=70", 1000)
    whole = []
    found = recovery.solve(A, y, k, callback=whole.append)
    assert [state.n_iter for state in whole] == list(range(1, found.n_iter + 1))
    first = recovery.solve(A, y, k, "htp").n_iter
    stopped = recovery.solve(A, y, k, callback=lambda state: state.n_iter == first + 2)
    assert stopped.n_iter == first + 2
    assert stopped.status is Status.STOPPED
    assert "tried htp, subspace-pursuit" in stopped.message


def test_limits_hold_for_all_together():
    A, y, _, k = instance("iid, signs, N=1000, k=60", 1000)
    first = recovery.solve(A, y, k, "htp").n_iter
    found = recovery.solve(A, y, k, max_iter=first + 3)
    assert (found.n_iter, found.status) == (first + 3, Status.STEP_LIMIT)
    found = recovery.solve(A, y, k, time_limit=0.0)
    assert (found.n_iter, found.status) == (1, Status.TIME_LIMIT)


@pytest.mark.parametrize("s", [1, 5, 6, 9])
def test_any_sparsity_will_do(s):
    rng = np.random.default_rng(8)
    A, y = rng.standard_normal((5, 9)), rng.standard_normal(5)
    found = recovery.solve(A, y, s)
    assert found.support.size <= s
    assert found.fits == (s >= 5)
    assert found.objective <= 0.5 * y @ y


def test_gated_operators_and_devices(backend):
    problem = draw_problem(120, 40, 8, 3, gated=True)
    y = problem.y + 1e-2 * np.random.default_rng(0).standard_normal(problem.y.shape)
    for data in (problem.y, y):
        plain = recovery.solve(problem.A, data, problem.s)
        found = recovery.solve(backend.put(problem.A), backend.put(data), problem.s)
        np.testing.assert_allclose(backend.get(found.x), plain.x, atol=1e-9)
        assert found.message.split(";")[-1] == plain.message.split(";")[-1]


def test_streaming_forms_no_long_vector():
    rng = np.random.default_rng(1)
    A = recovery.GatedOperator.from_seed(rng.standard_normal((60, 6)), 12, 0)
    x = np.zeros(72)
    x[[3, 40]] = 1.0, -2.0
    y = A.matvec(x)
    found = recovery.solve(A, y, 2, stream=True, max_iter=50)
    alone = recovery.solve(A, y, 2, "aiht", stream=True, max_iter=50)
    assert found.x is None
    np.testing.assert_array_equal(found.support, alone.support)
    np.testing.assert_array_equal(found.values, alone.values)
    assert found.message.endswith("found by aiht")


def test_continuation_starts_from_zero_where_the_others_had_a_start():
    A, y, x, k = instance("toeplitz .8, normal, N=1000, k=60", 1000)
    wrong = recovery.solve(A, y, k, "htp")
    assert not exact(wrong, x)
    assert exact(recovery.solve(A, y, k, x0=wrong.x), x)
