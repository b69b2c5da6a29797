"""Hard thresholding pursuit: the planted settings, broken cycles, and fixed points that are left."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery
from recovery import Status
from recovery.solvers.base import SeenSupports
from tests.oracles.operators import reference_htp_step


def gated(n, d, p, k, seed, values="signs"):
    X, y, H, w = planted.gated_model(n, d, p, k, values=values, rng=seed)
    return recovery.GatedOperator.from_generators(X, H), w, y


def exact(result, w):
    return np.array_equal(result.support, np.flatnonzero(w)) and np.abs(result.x - w).max() <= 1e-12 * np.abs(w).max()


def plain_ends_in_a_cycle(A, y, s, limit=60):
    """Run the textbook iteration on unit columns; tell whether a support comes back after more than one step."""
    unit = A / np.linalg.norm(A, axis=0)
    x, seen = np.zeros(A.shape[1]), []
    for _ in range(limit):
        x = reference_htp_step(unit, y, x, 1.0, s)
        if np.linalg.norm(y - unit @ x) <= 1e-12 * np.linalg.norm(y):
            return False
        key = np.flatnonzero(x).tobytes()
        if key in seen:
            return seen[-1] != key
        seen.append(key)
    return False


def test_each_step_is_the_reference_step():
    rng = np.random.default_rng(0)
    A, y, x0 = rng.standard_normal((20, 30)), rng.standard_normal(20), np.zeros(30)
    x0[[3, 8]] = 1.0, -2.0
    result = recovery.solve(A, y, 4, "htp", x0=x0, step=0.01, normalise=False, max_iter=1)
    np.testing.assert_allclose(result.x, reference_htp_step(A, y, x0, 0.01, 4), atol=1e-13)


@pytest.mark.parametrize("values", ["normal", "signs"])
def test_planted_gated_vectors_are_found_exactly(values):
    for seed in range(10):
        A, w, y = gated(500, 50, 100, 10, seed, values)
        result = recovery.solve(A, y, 10, "htp")
        assert exact(result, w), (seed, result.message)
        assert result.status is Status.CONVERGED


@pytest.mark.slow
@pytest.mark.parametrize("values", ["normal", "signs"])
def test_rates_of_the_two_cells(values):
    for n, k, trials, least in ((500, 10, 100, 95), (2000, 30, 60, 55)):
        hits = 0
        for seed in range(trials):
            A, w, y = gated(n, 50, 100, k, seed, values)
            hits += exact(recovery.solve(A, y, k, "htp"), w)
        assert hits >= least, (n, k, hits)


def cyclic_instances():
    """Yield small gated instances on which the textbook iteration goes round."""
    found = 0
    for seed in range(400):
        A, w, y = gated(60, 6, 10, 4, seed)
        if plain_ends_in_a_cycle(A.columns(np.arange(60)), y, 4):
            found += 1
            yield A, w, y
            if found == 8:
                return


def test_cycles_are_noticed_broken_and_reported():
    tried = won = 0
    for A, w, y in cyclic_instances():
        result = recovery.solve(A, y, 4, "htp")
        tried += 1
        won += exact(result, w)
        assert "cycle(s) of supports" in result.message
        assert min(result.history["step"]) < 1.0
        assert result.status in (Status.CONVERGED, Status.SUPPORT_STABLE)
        assert result.objective == pytest.approx(min(result.history["objective"]), rel=1e-9, abs=1e-24)
    assert tried == 8
    assert won >= 6


def test_a_wrong_fixed_point_is_left():
    d = 0.7  # x* = e1 is missed from e2: d > 1 - d^2, and unit step keeps the second atom
    A = np.linalg.cholesky(np.array([[1, d], [d, 1]])).T
    x0, y = np.array([0.0, d]), A[:, 0]
    stuck = recovery.solve(A, y, 1, "htp", x0=x0, escapes=0)
    assert stuck.status is Status.SUPPORT_STABLE
    np.testing.assert_allclose(stuck.x, [0, d], atol=1e-14)
    below = 0.6  # d < (sqrt 5 - 1) / 2: not a fixed point
    A = np.linalg.cholesky(np.array([[1, below], [below, 1]])).T
    assert recovery.solve(A, A[:, 0], 1, "htp", x0=np.array([0.0, below]), escapes=0).support.tolist() == [0]


def test_escapes_lower_the_residual_and_never_raise_it():
    better = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        A, y = rng.standard_normal((25, 60)), rng.standard_normal(25)
        with_escapes = recovery.solve(A, y, 5, "htp")
        without = recovery.solve(A, y, 5, "htp", escapes=0)
        assert with_escapes.objective <= without.objective * (1 + 1e-12)
        better += with_escapes.objective < 0.999 * without.objective
    assert better >= 10


def test_the_answer_is_the_least_squares_solution_on_its_support():
    rng = np.random.default_rng(7)
    A, y = rng.standard_normal((30, 50)), rng.standard_normal(30)
    result = recovery.solve(A, y, 6, "htp")
    assert result.status in (Status.SUPPORT_STABLE, Status.CYCLE)
    columns = A[:, result.support]
    assert np.abs(columns.T @ (y - A @ result.x)).max() < 1e-12


def test_seen_supports_compares_the_supports_themselves():
    seen = SeenSupports()
    assert seen.period(1.0, np.array([1, 2]), 1) == 0
    assert seen.period(2.0, np.array([1, 3]), 2) == 0
    assert seen.period(1.0, np.array([1, 2]), 3) == 2
    assert seen.period(2.0, np.array([4, 5]), 4) == 0  # the same objective by chance


def test_full_support_and_more_columns_than_rows():
    rng = np.random.default_rng(8)
    A, y = rng.standard_normal((6, 9)), rng.standard_normal(6)
    result = recovery.solve(A, y, 9, "htp")
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(A @ result.x, y, atol=1e-12)


def test_continuation_solves_growing_sizes_each_from_the_last():
    rng = np.random.default_rng(3)
    A, y = rng.standard_normal((40, 90)), rng.standard_normal(40)
    x0, steps = None, 0
    for s in (2, 4, 6, 7, 9, 11, 12):  # sevenths of 12, rounded up
        one = recovery.solve(A, y, s, "htp", x0=x0, escapes=5 if s == 12 else 3)
        x0, steps = one.x, steps + one.n_iter
    seen = []
    found = recovery.solve(A, y, 12, "htp", path=True, callback=lambda state: seen.append(state.n_iter))
    np.testing.assert_allclose(found.x, x0, atol=1e-10)
    assert found.n_iter == steps == len(found.history["objective"])
    assert seen == list(range(1, steps + 1))
    assert found.message.endswith("continuation over 7 of 7 sizes")


def test_continuation_keeps_its_limits():
    rng = np.random.default_rng(3)
    A, y = rng.standard_normal((40, 90)), rng.standard_normal(40)
    found = recovery.solve(A, y, 12, "htp", path=True, max_iter=15)
    assert (found.n_iter, found.status) == (15, Status.STEP_LIMIT)
    assert recovery.solve(A, y, 12, "htp", path=True, time_limit=0.0).status is Status.TIME_LIMIT
    easy = recovery.solve(A, A[:, 4], 12, "htp", path=True)  # one column: the first size fits
    assert easy.status is Status.CONVERGED
    np.testing.assert_allclose(easy.x, np.eye(90)[4], atol=1e-13)
    assert easy.message.endswith("continuation over 1 of 7 sizes")
