"""Least squares on a few columns: QR for small supports, CGLS on column blocks for large ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from recovery.operators import Operator
from recovery.solvers.base import to_host

__all__ = ["QR_BYTES", "QR_COLUMNS", "SupportColumns", "least_squares", "restricted_cgls"]

QR_COLUMNS = 2000
"""Supports of more columns than this are solved by CGLS."""
QR_BYTES = 256 * 2**20
"""Column matrices larger than this, in bytes, are not stored, and are solved by CGLS."""


class SupportColumns:
    """A_S for a support S: stored when small, otherwise re-made in column blocks on every use.

    Parameters
    ----------
    operator : Operator
        A.
    idx : array of int64, shape (k,)
        S.
    limit : int, optional
        Largest number of bytes to store; :data:`QR_BYTES` by default, 0 always works in blocks.
    """

    def __init__(self, operator: Operator, idx: Any, limit: int | None = None) -> None:
        self.operator, self.idx = operator, idx
        limit = QR_BYTES if limit is None else limit
        fits = int(idx.shape[0]) * operator.shape[0] * operator.dtype.itemsize <= limit
        self.matrix: Any = operator.columns(idx) if fits else None

    def forward(self, values: Any) -> Any:
        """Return A_S values, shape (n,)."""
        if self.matrix is not None:
            return self.matrix @ values
        return self.operator.matvec_support(self.idx, values)

    def adjoint(self, r: Any) -> Any:
        """Return A_S' r, shape (k,)."""
        if self.matrix is not None:
            return self.matrix.T @ r
        step = self.operator.block_width
        starts = range(0, int(self.idx.shape[0]), step)
        parts = [self.operator.columns(self.idx[a : a + step]).T @ r for a in starts]
        return self.operator.xp.concatenate(parts)


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
    QR and back substitution (:data:`QR_COLUMNS` columns and :data:`QR_BYTES` bytes at most): one
    synchronisation. Dependent columns are noticed on the diagonal of R and handed to an SVD.
    """
    count = int(idx.shape[0])
    columns = SupportColumns(operator, idx)
    if columns.matrix is None or count > QR_COLUMNS:
        return restricted_cgls(columns, y, start)
    xp, matrix = operator.xp, columns.matrix
    eps = float(np.finfo(operator.dtype).eps)
    if count <= operator.shape[0]:
        q, r = xp.linalg.qr(matrix)
        diagonal = xp.abs(xp.diag(r))
        sound = diagonal > 16 * eps * count * diagonal.max()
        # R is upper triangular, so LU finds nothing to eliminate: this is back substitution
        values = xp.linalg.solve(r + xp.diag(xp.where(sound, 0.0, 1.0).astype(operator.dtype)), q.T @ y)
        residual = y - matrix @ values
        square, worst = to_host(xp, (residual * residual).sum(), sound.all().astype(operator.dtype))
        if worst:
            return values, residual, 0.5 * square
    values = xp.linalg.lstsq(matrix, y, rcond=16 * eps * max(count, operator.shape[0]))[0]
    residual = y - matrix @ values
    (square,) = to_host(xp, (residual * residual).sum())
    return values, residual, 0.5 * square


def restricted_cgls(
    columns: SupportColumns, y: Any, start: Any = None, *, max_iter: int | None = None, tol: float | None = None
) -> tuple[Any, Any, float]:
    """Minimise |A_S v - y| by conjugate gradients on the normal equations (CGLS).

    Parameters
    ----------
    columns : SupportColumns
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
