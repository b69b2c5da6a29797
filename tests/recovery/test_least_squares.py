"""Least squares on a support: Cholesky, QR, SVD and CGLS agree."""

from __future__ import annotations

import numpy as np
import pytest
from standin import count_syncs

import recovery
from recovery.operators.base import StoredSupport
from recovery.solvers.least_squares import least_squares, restricted_cgls


def graded(n, k, cond, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    u = np.linalg.qr(rng.standard_normal((n, k)))[0]
    v = np.linalg.qr(rng.standard_normal((k, k)))[0]
    return (u * np.logspace(0, -np.log10(cond), k) @ v.T).astype(dtype)


def backward_error(A):
    """Return the relative change of A that QR, or a product with A, amounts to: n k u (Higham, theorem 19.3)."""
    return A.shape[0] * A.shape[1] * np.finfo(A.dtype).eps / 2


def solution_error(A, y, values):
    """Return by how much two solutions may differ that both are exact for data changed by the backward error.

    Higham, theorem 20.1 (Wedin): |dx| <= cond e (2 |x| + (cond + 1) |r| / |A|) each, for cond e much less than 1.
    """
    singular = np.linalg.svd(A, compute_uv=False)
    singular = singular[singular > 1e-10 * singular[0]]  # of the dependent columns here, all others are rounding
    cond, e = singular[0] / singular[-1], backward_error(A)
    residual = np.linalg.norm(y - A @ values)
    return 2 * cond * e * (2 * np.linalg.norm(values) + (cond + 1) * residual / singular[0])


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
    np.testing.assert_allclose(backend.get(values), expected, rtol=0, atol=solution_error(A, y, expected))
    # |A'r| of the exact solution for (A + E, y + f), and rounding of r and of this product; |A| = 1
    allowed = backward_error(A) * (2 * np.linalg.norm(expected) + 3 * np.linalg.norm(y))
    assert np.linalg.norm(A.T @ backend.get(residual)) <= allowed


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
    allowed = solution_error(A, y, expected)
    np.testing.assert_allclose(backend.get(values), expected, rtol=0, atol=allowed)
    # the squared residual is least at the solution, so its own error is that of r, once, and of A dx, squared
    rounding = backward_error(A) * (np.linalg.norm(A) * np.linalg.norm(expected) + np.linalg.norm(y))
    norm = np.linalg.norm(y - A @ expected)
    assert abs(np.sqrt(2 * objective) - norm) <= 2 * rounding + np.linalg.norm(A) * allowed


def test_large_supports_go_to_cgls_in_column_blocks(backend, monkeypatch):
    rng = np.random.default_rng(4)
    A, y, idx = rng.standard_normal((60, 40)), rng.standard_normal(60), np.arange(0, 40, 2)
    expected = np.linalg.lstsq(A[:, idx], y, rcond=None)[0]
    monkeypatch.setattr("recovery.operators.base.SUPPORT_BYTES", 0)
    monkeypatch.setattr("recovery.operators.base.BLOCK_BYTES", 8 * 60 * 3)
    operator = recovery.DenseOperator(backend.put(A))
    assert StoredSupport(operator, backend.put(idx)).matrix is None
    values, residual, _ = least_squares(operator, backend.put(idx), backend.put(y))
    # CGLS stops at |A'r| <= 8 eps |A'y|, which leaves an error of at most 8 eps |A'y| / s^2 beside that of the data
    smallest = np.linalg.svd(A[:, idx], compute_uv=False)[-1]
    stopped = 8 * np.finfo(float).eps * np.linalg.norm(A[:, idx].T @ y) / smallest**2
    allowed = stopped + solution_error(A[:, idx], y, expected)
    np.testing.assert_allclose(backend.get(values), expected, rtol=0, atol=allowed)
    difference = backend.get(residual) - (y - A[:, idx] @ expected)
    assert np.linalg.norm(difference) <= np.linalg.norm(A[:, idx], 2) * allowed + backward_error(A) * np.linalg.norm(y)


def test_cgls_starts_where_it_is_told():
    rng = np.random.default_rng(5)
    A, truth = rng.standard_normal((60, 10)), rng.standard_normal(10)
    columns = StoredSupport(recovery.DenseOperator(A), np.arange(10))
    values, _, _ = restricted_cgls(columns, A @ truth, start=truth, max_iter=1)
    np.testing.assert_allclose(values, truth, rtol=0, atol=solution_error(A, A @ truth, truth))
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
    # y = A truth is rounded in float32, which is by far the largest error: k eps |truth|, times the condition number
    assert np.linalg.norm(values - truth) <= 8 * np.finfo(np.float32).eps * np.linalg.norm(truth) * 10.0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cond", [1e1, 1e2, 1e3, 1e4])
def test_rank_that_unpivoted_qr_overlooks_is_noticed(backend, cond, seed):
    # Four rows that are not zero, and five columns, of which the first four have that condition number: without
    # pivoting, the last diagonal entry of R is what rounding leaves, eps times cond, and not eps.
    rng = np.random.default_rng(seed)
    matrix = np.zeros((6, 5))
    matrix[[1, 2, 4, 5], :4] = graded(4, 4, cond, seed)
    matrix[[1, 2, 4, 5], 4] = rng.standard_normal(4)
    y = rng.standard_normal(6)
    values, _, objective = least_squares(
        recovery.DenseOperator(backend.put(matrix)), backend.put(np.arange(5)), backend.put(y)
    )
    expected = np.linalg.lstsq(matrix[[1, 2, 4, 5]], y[[1, 2, 4, 5]], rcond=None)[0]  # full row rank: nothing is cut
    np.testing.assert_allclose(backend.get(values), expected, rtol=0, atol=solution_error(matrix, y, expected))
    assert 2 * objective == pytest.approx(y[0] ** 2 + y[3] ** 2, rel=1e-6)  # what no column reaches
