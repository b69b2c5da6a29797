"""Least squares on a support: Cholesky, QR, SVD and CGLS give one answer."""

from __future__ import annotations

import numpy as np
import pytest
from standin import count_syncs

import recovery
from recovery.solvers import least_squares as module
from recovery.solvers.least_squares import SupportColumns, least_squares, restricted_cgls


def graded(n, k, cond, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    u = np.linalg.qr(rng.standard_normal((n, k)))[0]
    v = np.linalg.qr(rng.standard_normal((k, k)))[0]
    return (u * np.logspace(0, -np.log10(cond), k) @ v.T).astype(dtype)


@pytest.mark.parametrize("cond", [1.0, 1e2, 1e3, 1e4, 1e6, 1e10])
def test_exact_data_are_fitted_to_the_accuracy_of_the_condition_number(cond):
    A = graded(60, 12, cond)
    truth = np.random.default_rng(1).standard_normal(12)
    values, residual, objective = least_squares(recovery.DenseOperator(A), np.arange(12), A @ truth)
    assert np.abs(values - truth).max() <= 100 * np.finfo(float).eps * cond
    assert objective == pytest.approx(0.5 * residual @ residual)
    assert np.linalg.norm(residual) <= 1e-14 * np.linalg.norm(A @ truth)


@pytest.mark.parametrize("cond", [1e1, 1e3, 1e5])
def test_noisy_data_give_the_normal_equations(backend, cond):
    A, y = graded(60, 12, cond), np.random.default_rng(2).standard_normal(60)
    values, residual, _ = least_squares(
        recovery.DenseOperator(backend.put(A)), backend.put(np.arange(12)), backend.put(y)
    )
    expected = np.linalg.lstsq(A, y, rcond=None)[0]
    # the solution is sensitive to cond and, through the residual, to cond^2
    np.testing.assert_allclose(backend.get(values), expected, atol=1e-15 * cond**2 + 1e-13 * cond)
    assert np.abs(A.T @ backend.get(residual)).max() < 1e-12


@pytest.mark.parametrize("kind", ["equal columns", "zero column", "more columns than rows"])
def test_dependent_columns_are_fitted_with_the_smallest_norm(backend, kind):
    rng = np.random.default_rng(3)
    A = rng.standard_normal((8, 5))
    if kind == "equal columns":
        A[:, 3] = A[:, 1]
    elif kind == "zero column":
        A[:, 3] = 0.0
    else:
        A = rng.standard_normal((4, 6))
    y = rng.standard_normal(A.shape[0])
    values, _, objective = least_squares(
        recovery.DenseOperator(backend.put(A)), backend.put(np.arange(A.shape[1])), backend.put(y)
    )
    expected = np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(backend.get(values), expected, atol=1e-12)
    assert objective == pytest.approx(0.5 * np.sum((y - A @ expected) ** 2), rel=1e-12, abs=1e-24)


def test_large_supports_go_to_cgls_in_column_blocks(backend, monkeypatch):
    rng = np.random.default_rng(4)
    A, y, idx = rng.standard_normal((60, 40)), rng.standard_normal(60), np.arange(0, 40, 2)
    expected = np.linalg.lstsq(A[:, idx], y, rcond=None)[0]
    monkeypatch.setattr(module, "QR_BYTES", 0)
    monkeypatch.setattr("recovery.operator_base.BLOCK_BYTES", 8 * 60 * 3)
    operator = recovery.DenseOperator(backend.put(A))
    assert SupportColumns(operator, backend.put(idx)).matrix is None
    values, residual, _ = least_squares(operator, backend.put(idx), backend.put(y))
    np.testing.assert_allclose(backend.get(values), expected, atol=1e-12)
    np.testing.assert_allclose(backend.get(residual), y - A[:, idx] @ expected, atol=1e-12)


def test_cgls_starts_where_it_is_told():
    rng = np.random.default_rng(5)
    A, truth = rng.standard_normal((60, 10)), rng.standard_normal(10)
    columns = SupportColumns(recovery.DenseOperator(A), np.arange(10))
    values, _, _ = restricted_cgls(columns, A @ truth, start=truth, max_iter=1)
    np.testing.assert_allclose(values, truth, atol=1e-14)
    far, _, _ = restricted_cgls(columns, A @ truth, max_iter=1)
    assert np.abs(far - truth).max() > 1e-3  # one step from zero does not get there


def test_one_synchronisation_when_well_conditioned(backend):
    operator = recovery.DenseOperator(backend.put(graded(30, 6, 10.0)))
    idx, y = backend.put(np.arange(6)), backend.put(np.ones(30))
    with count_syncs() as syncs:
        least_squares(operator, idx, y)
    assert sum(syncs.values()) == (1 if backend.name == "standin" else 0)


def test_float32_keeps_its_type_and_accuracy():
    A = graded(60, 8, 10.0, dtype="float32")
    truth = np.ones(8, dtype=np.float32)
    values, _, _ = least_squares(recovery.DenseOperator(A), np.arange(8), A @ truth)
    assert values.dtype == np.float32
    assert np.abs(values - truth).max() < 1e-5


@pytest.mark.parametrize("seed", [153, 205, 587, 735, 814, 871])
def test_rank_that_unpivoted_qr_overlooks_is_noticed(seed):
    # four rows that are not zero and five columns: on these draws the last diagonal entry of R is above 16 eps k
    rng = np.random.default_rng(seed)
    matrix = np.zeros((6, 5))
    matrix[[1, 2, 4, 5]] = rng.standard_normal((4, 5))
    y = rng.standard_normal(6)
    diagonal = np.abs(np.diag(np.linalg.qr(matrix)[1]))
    assert diagonal.min() > 80 * np.finfo(float).eps * diagonal.max()
    values, _, objective = least_squares(recovery.DenseOperator(matrix), np.arange(5), y)
    expected = np.linalg.pinv(matrix, rcond=1e-10) @ y
    np.testing.assert_allclose(values, expected, atol=1e-8 * np.abs(expected).max())
    assert objective == pytest.approx(0.5 * np.sum((y - matrix @ expected) ** 2), rel=1e-10)
