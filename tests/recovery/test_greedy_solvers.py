"""CoSaMP and OMP, and the cvxpy solvers on one instance each."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp

import recovery
from benchmarks.phase_cells import CELLS, draw
from recovery import Status
from recovery.solvers import cosamp
from recovery.solvers.least_squares import ridge_fit
from recovery.testing import draw_problem
from tests.oracles.operators import reference_top_s


@pytest.mark.parametrize("seed", range(5))
def test_omp_selects_what_scikit_learn_selects(seed):
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((30, 60)), rng.standard_normal(30)
    A /= np.linalg.norm(A, axis=0)
    result = recovery.solve(A, y, 8, solver="omp")
    np.testing.assert_allclose(result.x, orthogonal_mp(A, y, n_nonzero_coefs=8), atol=1e-10)
    assert result.status is Status.SUPPORT_COMPLETE
    assert np.all(np.diff(result.history["objective"]) < 0)


def test_omp_is_wrong_where_theory_says_so():
    m = 0.4  # Gram [[1,-m,m],[-m,1,m],[m,m,1]], w = (1,1,0): the third atom is first for 1/3 < m <= 1/2
    for m, first in ((0.4, 2), (0.3, 0)):
        gram = np.array([[1, -m, m], [-m, 1, m], [m, m, 1]])
        A = np.linalg.cholesky(gram).T
        y = A[:, 0] + A[:, 1]
        result = recovery.solve(A, y, 1, solver="omp")
        assert (result.support[0] == 2) == (first == 2)


def test_omp_ends_when_nothing_is_left():
    A = np.zeros((5, 6))
    A[0, :4] = 1.0, 2.0, -1.0, 3.0  # one direction only
    result = recovery.solve(A, np.array([2.0, 1, 0, 0, 0]), 3, solver="omp")
    assert result.status is Status.STALLED
    assert "no remaining column" in result.message
    assert result.support.shape == (1,)
    assert result.objective == pytest.approx(0.5)


def test_omp_starts_from_the_warm_support():
    problem = draw_problem(40, 60, 3, 0)
    x0 = np.where(np.arange(60) == np.flatnonzero(problem.x)[1], 1.0, 0.0)
    result = recovery.solve(problem.A, problem.y, 3, solver="omp", x0=x0)
    np.testing.assert_allclose(result.x, problem.x, atol=1e-12)


def test_cosamp_makes_its_step():
    rng = np.random.default_rng(1)
    A, y, s = rng.standard_normal((30, 60)), rng.standard_normal(30), 3
    A /= np.linalg.norm(A, axis=0)
    union = reference_top_s(A.T @ y, 2 * s)
    fitted = np.linalg.lstsq(A[:, union], y, rcond=None)[0]
    support = union[reference_top_s(fitted, s)]
    result = recovery.solve(A, y, s, solver="cosamp", max_iter=1)
    np.testing.assert_array_equal(result.support, support)
    np.testing.assert_allclose(result.values, np.linalg.lstsq(A[:, support], y, rcond=None)[0], atol=1e-12)


def test_cosamp_names_its_cycles_and_returns_the_best():
    ends = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        result = recovery.solve(rng.standard_normal((12, 40)), rng.standard_normal(12), 4, solver="cosamp")
        ends.add(result.status)
        if result.status in (Status.CYCLE, Status.STALLED):
            assert result.objective == pytest.approx(min(result.history["objective"]), rel=1e-9)
    assert ends == {Status.CYCLE, Status.SUPPORT_STABLE, Status.STALLED}  # the last: a cycle of more than ten


def plain_pursuit(A, y, s, fresh, steps):
    """Subspace pursuit or CoSaMP, by the letter: supports after each step, with fits by SVD."""
    support, values, found = np.arange(0), np.zeros(0), []
    for _ in range(steps):
        gradient = A.T @ (y - A[:, support] @ values)
        gradient[support] = 0.0
        union = np.union1d(support, np.argsort(-np.abs(gradient))[:fresh])
        fitted = np.linalg.lstsq(A[:, union], y, rcond=None)[0]
        support = np.sort(union[np.argsort(-np.abs(fitted))[:s]])
        values = np.linalg.lstsq(A[:, support], y, rcond=None)[0]
        found.append(support)
    return found


@pytest.mark.parametrize(("name", "factor"), [("subspace-pursuit", 1), ("cosamp", 2)])
def test_pursuits_make_their_steps(backend, name, factor):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        A, y = rng.standard_normal((30, 60)), rng.standard_normal(30)
        A /= np.linalg.norm(A, axis=0)
        put, seen = (backend.put(A), backend.put(y)), []
        recovery.solve(*put, 5, name, max_iter=5, callback=seen.append)
        for state, expected in zip(seen, plain_pursuit(A, y, 5, factor * 5, 5), strict=False):
            np.testing.assert_array_equal(backend.get(state.support), expected)
        assert seen


def test_subspace_pursuit_finds_what_cosamp_does_not():
    A, y, x = draw(next(c for c in CELLS if str(c) == "iid, normal, N=400, k=80"), 1000)
    found = recovery.solve(A, y, 80, "subspace-pursuit")
    np.testing.assert_allclose(found.x, x, atol=1e-9)
    assert found.fits


def test_a_union_that_would_fit_anything_is_not_formed(monkeypatch):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((20, 60)), rng.standard_normal(20)
    for name, s, fresh in (("cosamp", 8, 8), ("cosamp", 12, 4), ("subspace-pursuit", 12, 4)):
        message = recovery.solve(A, y, s, name).message
        assert f"each step added {fresh} columns" in message
        assert "fit any y of 20 entries" in message
    assert "each step added" not in recovery.solve(A, y, 6, "cosamp").message
    assert "each step added" not in recovery.solve(A, y, 10, "subspace-pursuit").message
    sizes = []

    def fit(operator, support, y, ridge):
        sizes.append(len(support))
        return ridge_fit(operator, support, y, ridge)

    monkeypatch.setattr(cosamp, "ridge_fit", fit)
    for s in (11, 12, 15, 18):  # fits on the first s columns, on a union, and on s columns in turn
        for name in ("cosamp", "subspace-pursuit"):
            sizes.clear()
            recovery.solve(A, y, s, name)
            assert max(sizes) == s + max(1, (20 - s) // 2) < 20
            sizes.clear()  # no more columns than rows: their union is not too large
            assert "each step added" not in recovery.solve(A[:, :19], y, s, name).message
            assert max(sizes) == 19
    monkeypatch.undo()
    for s in (19, 20, 25, 60):  # nor is any size refused
        for name in ("cosamp", "subspace-pursuit"):
            assert recovery.solve(A, y, s, name).support.size <= s


def test_group_l1_groups_by_gate():
    rng = np.random.default_rng(2)
    A = recovery.GatedOperator.from_generators(rng.standard_normal((30, 4)), rng.standard_normal((4, 8)))
    w = np.zeros(32)
    w[8:12] = 1.0, -2.0, 1.5, 1.0  # one whole neuron
    y = A.matvec(w)
    result = recovery.solve(A, y, 4, solver="group_l1")
    np.testing.assert_allclose(result.x, w, atol=1e-10)
    labels = np.repeat(np.arange(8), 4)
    by_label = recovery.solve(A.columns(np.arange(32)), y, 4, solver="group_l1", groups=labels)
    np.testing.assert_allclose(by_label.x, w, atol=1e-10)


def test_l1_with_a_noise_bound():
    problem = draw_problem(40, 60, 3, 1)
    noise = 1e-3 * np.random.default_rng(3).standard_normal(40)
    result = recovery.solve(problem.A, problem.y + noise, 3, solver="l1", noise=float(np.linalg.norm(noise)))
    assert result.status is Status.REFITTED
    np.testing.assert_array_equal(result.support, np.flatnonzero(problem.x))
    assert np.abs(result.x - problem.x).max() < 5e-3


@pytest.mark.parametrize("backend", ["homotopy", "CLARABEL"])
def test_basis_pursuit_chooses_no_columns_that_its_solution_does_not_use(backend):
    problem = draw_problem(40, 60, 3, 1)
    length = float(np.linalg.norm(problem.y))
    nothing = recovery.solve(problem.A, problem.y, 5, "l1", noise=1.5 * length, backend=backend)
    assert nothing.support.size == 0
    assert nothing.status is Status.OPTIMAL
    assert nothing.relative_residual == 1.0
    if backend == "homotopy":  # whose zeros are exact
        few = recovery.solve(problem.A, problem.y, 30, "l1", noise=0.9 * length)
        assert 0 < few.support.size < 10


def test_an_infeasible_program_is_reported():
    A = np.zeros((3, 4))
    A[0] = 1.0
    y = np.array([1.0, 1.0, 0.0])
    result = recovery.solve(A, y, 1, solver="l1", backend="CLARABEL")
    assert result.status is Status.FAILED
    assert "infeasible" in result.message
    assert not result.x.any()
    nearest = recovery.solve(A, y, 1, solver="l1")  # the homotopy ends at the least-squares solution
    np.testing.assert_allclose(A @ nearest.x, [1.0, 0.0, 0.0], atol=1e-14)
    assert nearest.relative_residual == pytest.approx(2**-0.5)
    assert not nearest.fits
