"""Least squares on a few columns: Cholesky or QR for small supports, CGLS on column blocks for large ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base.arrays import EPS
from recovery.operators.base import Operator, StoredSupport, Support
from recovery.operators.dense import as_operator
from recovery.operators.ranks import gram, nearest_solution, rank_tolerance, triangle, triangular_inverse, unit_columns
from recovery.solvers.base import to_host

__all__ = ["QR_COLUMNS", "least_squares", "restricted_cgls", "ridge_fit"]

FLOAT = np.dtype(np.float64)

QR_COLUMNS = 2000
"""Supports with more columns than this are solved by CGLS."""


def least_squares(operator: Operator, idx: Any, y: Any, start: Any = None) -> tuple[Any, Any, float]:
    """Minimise |A_S v - y| over v.

    Parameters
    ----------
    operator : Operator
        A.
    idx : array of int64, shape (k,)
        S.
    y : array, shape (n,)
        Data.
    start : array, shape (k,), optional
        First guess for CGLS.

    Returns
    -------
    values : array, shape (k,)
        The minimiser; the one of smallest norm (up to rounding) if A_S has dependent columns.
    residual : array, shape (n,)
        y - A_S values.
    objective : float
        1/2 |residual|^2.

    Notes
    -----
    All small factors are computed in float64; for float32 the steps leading to them are too, in blocks of rows. For
    well-conditioned stored columns, at most :data:`QR_COLUMNS`: Cholesky factor of the Gram matrix of the scaled
    columns, in float64 with one refinement by the residual (Bjorck's corrected semi-normal equations; from memory of
    the literature, verified by tests/recovery/test_least_squares.py), half the work of QR and as accurate while eps
    cond^2 is small. If the smallest pivot is below eps^(1/4), QR (of sparse columns too, expanded in blocks of rows);
    if that does not prove full rank (:func:`recovery.operators.ranks.rank_tolerance`), an SVD of the triangle. One
    synchronisation each.
    """
    count = int(idx.shape[0])
    columns = StoredSupport(operator, idx)
    if columns.matrix is None or count > QR_COLUMNS:
        return restricted_cgls(columns, y, start)
    xp, matrix, dtype = operator.xp, columns.matrix, operator.dtype
    sparse = hasattr(matrix, "indptr")
    if sparse and dtype != FLOAT:  # few numbers: use float64 throughout
        matrix, y = matrix.astype(FLOAT), y.astype(FLOAT)
    if count <= operator.shape[0]:
        values, sound = _by_cholesky(xp, matrix, y)
        found = _checked(xp, matrix, y, values, sound, dtype)
        if found is not None:
            return found
        T = triangle(xp, matrix.tocsr() if sparse else matrix, y)
        values, sound = _by_triangle(xp, T[:count, :count], T[:count, count], dtype)
        found = _checked(xp, matrix, y, values, sound, dtype)
        if found is not None:
            return found
        least = nearest_solution(xp, T[:count, :count], T[:count, count], xp.zeros(count), dtype)[0]
    else:
        whole = matrix.toarray() if sparse else matrix  # fewer rows than columns
        least = nearest_solution(xp, whole.astype(FLOAT), y.astype(FLOAT), xp.zeros(count), dtype)[0]
    values = least.astype(dtype)
    residual = y - matrix @ values
    residual = residual if residual.dtype == dtype else residual.astype(dtype)
    (square,) = to_host(xp, (residual * residual).sum())
    return values, residual, 0.5 * square


def ridge_fit(operator: Operator, idx: Any, y: Any, ridge: float) -> tuple[Any, Any, float]:
    """Minimise |A_S v - y|^2 / 2 + ridge |v|^2 / 2 over v.

    Parameters
    ----------
    operator : Operator
        A.
    idx : array of int64, shape (k,)
        S.
    y : array, shape (n,)
        Data.
    ridge : float
        At least 0; has the unit of |A|^2.

    Returns
    -------
    values : array, shape (k,)
        The minimiser.
    residual : array, shape (n,)
        y - A_S values.
    objective : float
        The minimum: 1/2 |residual|^2 + ridge / 2 |values|^2.

    Notes
    -----
    Solved as least squares with the rows of A_S and of sqrt(ridge) I, for y and zeros.
    """
    if not ridge:
        return least_squares(operator, idx, y)
    xp, dtype, count = operator.xp, operator.dtype, int(idx.shape[0])
    columns, below = operator.stored(idx), (ridge**0.5 * xp.eye(count)).astype(dtype)
    if hasattr(columns, "indptr"):
        from scipy.sparse import vstack

        rows = vstack([columns, below], format="csc")
    else:
        rows = xp.concatenate([columns, below])
    data = xp.concatenate([y, xp.zeros(count, dtype=dtype)])
    values, residual, objective = least_squares(as_operator(rows), xp.arange(count), data)
    return values, residual[: operator.shape[0]], objective


def _checked(xp: Any, matrix: Any, y: Any, values: Any, sound: Any, dtype: Any) -> tuple[Any, Any, float] | None:
    """Return values, residual and objective, or None if the attempt is not reliable; one synchronisation."""
    values = values.astype(dtype)
    residual = y - matrix @ values
    residual = residual if residual.dtype == dtype else residual.astype(dtype)
    square, fine = to_host(xp, (residual * residual).sum(), sound.astype(dtype))
    return (values, residual, 0.5 * square) if fine == 1.0 and square == square else None


def _by_cholesky(xp: Any, matrix: Any, y: Any) -> tuple[Any, Any]:
    double, count = matrix.dtype == FLOAT, matrix.shape[1]
    if hasattr(matrix, "indptr"):
        G = (matrix.T @ matrix).toarray()
    else:
        G = gram(xp, matrix) if double else gram(xp, matrix, y)  # a right-hand side in float32 would lose digits
    G, right = (G, matrix.T @ y) if double else (G[:count, :count], G[:count, count])
    norms = xp.sqrt(xp.diag(G))
    scale = 1.0 / xp.where(norms > 0, norms, 1.0)
    try:
        lower = xp.linalg.cholesky(scale[:, None] * G * scale)
    except xp.linalg.LinAlgError:
        return xp.zeros(count), xp.zeros((), dtype=bool)
    sound = xp.diag(lower).min() > EPS**0.25  # False if CuPy returned NaN
    inverse = xp.linalg.solve(lower, xp.diag(scale))
    values = inverse.T @ (inverse @ right)
    if not double:  # the error, eps(float64) cond^2, is below the rounding of the values
        return values, sound
    # each refinement multiplies the error by eps cond^2, at most about 1e-8
    return values + inverse.T @ (inverse @ (matrix.T @ (y - matrix @ values))), sound


def _by_triangle(xp: Any, R: Any, z: Any, dtype: Any) -> tuple[Any, Any]:
    unit, norms = unit_columns(xp, R)
    some = xp.abs(xp.diag(unit)) > EPS
    unit = unit + xp.diag(xp.where(some, 0.0, 1.0))
    inverse = triangular_inverse(xp, unit)
    # a lower bound on the smallest singular value; without pivoting the diagonal of R alone does not reveal the rank
    smallest = 1.0 / xp.sqrt((inverse * inverse).sum())
    # R is upper triangular, so LU has nothing to eliminate: this is back substitution
    return xp.linalg.solve(unit, z) / norms, some.all() & (smallest > rank_tolerance(int(R.shape[0]), dtype))


def restricted_cgls(
    columns: Support, y: Any, start: Any = None, *, max_iter: int | None = None, tol: float | None = None
) -> tuple[Any, Any, float]:
    """Minimise |A_S v - y| by conjugate gradients on the normal equations (CGLS).

    Parameters
    ----------
    columns : Support
        A_S.
    y : array, shape (n,)
        Data.
    start : array, shape (k,), optional
        First guess.
    max_iter : int, optional
        Largest number of steps; 4 k + 20 by default.
    tol : float, optional
        Stop when |A_S' r| falls to this fraction of |A_S' y|; 8 machine epsilons by default.

    Returns
    -------
    values, residual, objective
        As :func:`least_squares`.

    Notes
    -----
    Hestenes and Stiefel's method in Bjorck's form (from memory of the literature, verified against
    QR by tests/recovery/test_least_squares.py). One synchronisation every eight steps.
    """
    xp, dtype = columns.operator.xp, columns.operator.dtype
    count = int(columns.idx.shape[0])
    tol = 8 * float(np.finfo(dtype).eps) if tol is None else tol
    max_iter = 4 * count + 20 if max_iter is None else max_iter
    values = xp.zeros(count, dtype=dtype) if start is None else start.copy()
    residual = y - columns.forward(values) if start is not None else y.copy()
    gradient = columns.adjoint(residual)
    direction = gradient
    gamma = (gradient * gradient).sum()
    reference = gamma
    if start is not None:
        first = columns.adjoint(y)
        reference = (first * first).sum()
    tiny = float(np.finfo(dtype).tiny)
    for step in range(max_iter):
        if step % 8 == 0:
            now, scale = to_host(xp, gamma, reference)
            if now <= tol**2 * scale:
                break
        image = columns.forward(direction)
        alpha = gamma / xp.maximum((image * image).sum(), tiny)
        values = values + alpha * direction
        residual = residual - alpha * image
        gradient = columns.adjoint(residual)
        gamma_new = (gradient * gradient).sum()
        direction = gradient + (gamma_new / xp.maximum(gamma, tiny)) * direction
        gamma = gamma_new
    residual = y - columns.forward(values)
    (square,) = to_host(xp, (residual * residual).sum())
    return values, residual, 0.5 * square
