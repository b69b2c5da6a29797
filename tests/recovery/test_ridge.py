"""A ridge on the support: the augmented matrix as the oracle, units, and a smaller error with noise."""

from __future__ import annotations

import numpy as np
import pytest

import recovery
from recovery.operators.dense import DenseOperator
from recovery.solvers import HTP, CoSaMP, SubspacePursuit
from recovery.solvers.least_squares import least_squares, ridge_fit

NAMES = ["htp", "subspace-pursuit", "cosamp", "omp", "l1", "auto"]


def draw(seed, n=30, size=50, noise=0.5, s=4):
    rng = np.random.default_rng(seed)
    A, x = rng.standard_normal((n, size)) * 10.0 ** rng.uniform(-1, 1, size), np.zeros(size)
    x[:s] = 1.0 / np.linalg.norm(A[:, :s], axis=0)
    return A, A @ x + noise / np.sqrt(n) * rng.standard_normal(n), x


def augmented(A, y, ridge):
    """The least-squares problem with rows sqrt(ridge) I, which is the ridge's."""
    return np.concatenate([A, np.sqrt(ridge) * np.eye(A.shape[1])]), np.concatenate([y, np.zeros(A.shape[1])])


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 0.3, 50.0])
def test_the_fit_is_that_of_the_augmented_matrix(backend, ridge):
    rng = np.random.default_rng(0)
    A, y, idx = rng.standard_normal((20, 12)), rng.standard_normal(20), np.array([1, 4, 7, 11])
    operator = DenseOperator(backend.put(A))
    values, residual, objective = ridge_fit(operator, backend.put(idx), backend.put(y), ridge)
    part = A[:, idx]
    expected = np.linalg.solve(part.T @ part + ridge * np.eye(4), part.T @ y)
    np.testing.assert_allclose(backend.get(values), expected, rtol=1e-11)
    np.testing.assert_allclose(backend.get(residual), y - part @ expected, atol=1e-12)
    wanted = 0.5 * np.sum((y - part @ expected) ** 2) + 0.5 * ridge * expected @ expected
    assert objective == pytest.approx(wanted, rel=1e-12)
    if not ridge:
        np.testing.assert_array_equal(backend.get(values), least_squares(DenseOperator(A), idx, y)[0])


def test_dependent_columns_and_more_columns_than_rows_are_no_trouble():
    A, y = np.ones((3, 5)), np.array([1.0, 2.0, 3.0])
    values, _, _ = ridge_fit(DenseOperator(A), np.arange(5), y, 0.5)
    np.testing.assert_allclose(values, np.full(5, 6.0 / 15.5), rtol=1e-13)


@pytest.mark.parametrize("solver", [HTP, SubspacePursuit, CoSaMP])
def test_steps_are_those_of_the_plain_solver_on_the_augmented_matrix(solver):
    for seed in range(12):
        A, y, _ = draw(seed)
        A = A / np.linalg.norm(A, axis=0)
        there, data = augmented(A, y, 0.4)
        options = {"normalise": False} | ({"step": 0.7} if solver is HTP else {})
        seen = {}
        for ridge, problem in ((0.4, (A, y)), (0.0, (there, data))):
            seen[ridge] = []
            recovery.solve(*problem, 4, solver(**options, ridge=ridge), max_iter=6, callback=seen[ridge].append)
        for one, other in zip(seen[0.4], seen[0.0], strict=True):
            np.testing.assert_array_equal(one.support, other.support)
            np.testing.assert_allclose(one.values, other.values, rtol=1e-9)
            assert one.objective == pytest.approx(other.objective, rel=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_the_ridge_fit_in_units_of_unit_columns(backend, name):
    A, y, _ = draw(3)
    found = recovery.solve(backend.put(A), backend.put(y), 4, name, ridge=0.3)
    support, values = backend.get(found.support), backend.get(found.values)
    norms = np.linalg.norm(A[:, support], axis=0)
    unit = A[:, support] / norms
    expected = np.linalg.solve(unit.T @ unit + 0.3 * np.eye(len(support)), unit.T @ y) / norms
    np.testing.assert_allclose(values, expected, rtol=1e-10)
    rest = y - A @ backend.get(found.x)
    assert found.objective == pytest.approx(0.5 * rest @ rest, rel=1e-12)
    assert found.relative_residual == pytest.approx(np.linalg.norm(rest) / np.linalg.norm(y), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_units_do_not_matter(name):
    A, y, _ = draw(5)
    plain = recovery.solve(A, y, 4, name, ridge=0.3)
    for a, b in ((2.0**60, 2.0**-80), (3.7e-20, 1e30)):
        found = recovery.solve(a * A, b * y, 4, name, ridge=0.3)
        np.testing.assert_array_equal(found.support, plain.support)
        np.testing.assert_allclose(found.values, plain.values * (b / a), rtol=1e-9)
    if name != "auto":  # on raw columns the ridge has the unit of |A|^2
        options = {"step": 1e-3} if name == "htp" else {}
        raw = recovery.solve(A, y, 4, name, ridge=0.3, normalise=False, **options)
        a = 2.0**60
        options = {"step": 1e-3 / a**2} if name == "htp" else {}
        found = recovery.solve(a * A, y, 4, name, ridge=0.3 * a**2, normalise=False, **options)
        np.testing.assert_array_equal(found.support, raw.support)
        np.testing.assert_allclose(found.values * a, raw.values, rtol=1e-9)


def test_it_shrinks_and_pays_with_much_noise():
    lower = 0
    for seed in range(30):
        A, y, x = draw(seed, n=50, size=400, noise=2.0, s=5)
        errors = []
        for ridge in (0.0, 0.5):
            found = recovery.solve(A, y, 5, "htp", ridge=ridge)
            errors.append(np.linalg.norm(A @ (found.x - x)))
        lower += errors[1] < errors[0]
    assert lower >= 22


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_ridge_is_refused(name):
    with pytest.raises(ValueError, match=r"ridge=-1\.0 is out of range"):
        recovery.solve(np.eye(6, 8), np.arange(6.0), 2, name, ridge=-1.0)


def test_a_stream_has_no_ridge():
    with pytest.raises(ValueError, match=r"stream=True and ridge=0\.5"):
        recovery.solve(np.eye(6, 8), np.arange(6.0), 2, stream=True, ridge=0.5)


def test_solvers_that_fit_nothing_say_so():
    for name in ("iht", "niht", "aiht", "group_l1"):
        with pytest.raises(
            TypeError, match=rf"solver '{name}' has no option 'ridge'.*; a ridge needs a fit on the supp"
        ):
            recovery.solve(np.eye(3), np.ones(3), 1, name, ridge=0.1)
