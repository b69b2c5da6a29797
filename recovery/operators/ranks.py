"""Numerical rank: a single rule for the whole project, and the small factors from which it is computed.

A least-squares problem is reduced to a triangular factor (or a Gram matrix) in float64, whatever the type of the data.
This is done in blocks of rows, so memory stays bounded and no sum runs over all n rows. Ranks are then those of the
triangular factor with columns of norm 1. The reasons are in docs/theory, "When columns count as dependent".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS

__all__ = [
    "column_norms",
    "gram",
    "nearest_solution",
    "rank",
    "rank_tolerance",
    "triangle",
    "triangular_inverse",
    "unit_columns",
]

FACTOR = 16.0
"""Bound on a column's backward error in :func:`triangle`, in eps: the largest observed was 6.5 (k <= 400, n <= 1e6)."""

ROWS = 256
"""Triangular factors are computed from blocks of this many rows, or 4 times the columns if that is more."""

GRAM_ROWS = 4096
"""Gram matrices are summed over blocks of this many rows."""

CHUNK = 1 << 22
"""This many float64 numbers are copied at a time."""

LEAF = 64
"""Triangular matrices of up to this size are inverted by back substitution."""

FLOAT = np.dtype(np.float64)
LEAST = float(np.finfo(FLOAT).tiny)


def rank_tolerance(k: int, dtype: Any) -> float:
    """Return the threshold for singular values up to which k columns of norm 1 count as dependent.

    Parameters
    ----------
    k : int
        Number of columns.
    dtype : dtype
        dtype in which the columns were given.

    Returns
    -------
    float
        sqrt(k) (eps(dtype) + 16 eps(float64)).

    Notes
    -----
    Rounding entries to the dtype changes a column by at most eps / 2 times its norm, and a float64 factorisation by a
    few eps(float64) times its norm; sqrt(k) turns the bound for k such columns into one for the matrix norm, and
    singular values change by no more. Neither the number of rows nor the unit of any column matters.
    """
    return float(np.sqrt(k)) * (float(np.finfo(dtype).eps) + FACTOR * EPS)


def gram(xp: Any, X: Any, y: Any = None) -> Any:
    """Return T'T for T = X, or T = [X, y], in float64, summed over blocks of rows.

    Parameters
    ----------
    xp : module
        Namespace of the arrays.
    X : array, shape (n, d)
        Columns, float32 or float64.
    y : array, shape (n,), optional
        One more column.

    Returns
    -------
    array, shape (d, d) or (d + 1, d + 1), float64
        The Gram matrix. It squares the condition number.
    """
    n = int(X.shape[0])
    if n <= 4 * GRAM_ROWS and X.dtype == FLOAT:
        T = _joined(xp, X, y)
        return T.T @ T
    total: Any = 0.0
    for begin in range(0, n, GRAM_ROWS):
        rows = slice(begin, begin + GRAM_ROWS)
        T = _joined(xp, X[rows], None if y is None else y[rows])
        total = T.T @ T + total
    return total


def triangle(xp: Any, X: Any, y: Any = None) -> Any:
    """Return the triangular factor R of a QR decomposition of T = X, or T = [X, y], in float64.

    Parameters
    ----------
    xp : module
        Namespace of the arrays.
    X : array, shape (n, d)
        Columns, float32 or float64.
    y : array, shape (n,), optional
        One more column. The last column of R is then Q'y followed by the norm of the residual, and Q is never formed.

    Returns
    -------
    array, shape (min(n, width), width), float64
        R with R'R = T'T. Each column has a backward error of a few eps relative to its norm.

    Notes
    -----
    A Householder QR of all n rows at once sums over n rows, with rounding errors of order n eps unless they cancel (40
    eps for a constant column and n = 1e6). Here blocks of rows are factored, then their triangular factors are stacked
    and factored, and so on in a tree, as in the communication-avoiding QR (Demmel, Grigori, Hoemmen and Langou 2012;
    from memory of the literature, verified by tests/recovery/test_ranks.py).
    """
    n, width = int(X.shape[0]), int(X.shape[1]) + (y is not None)
    rows = max(ROWS, 4 * width)
    if n <= 2 * rows:
        return xp.linalg.qr(_joined(xp, X, y), mode="r")
    step = rows * max(1, CHUNK // (rows * width))
    parts = []
    for begin in range(0, n, step):
        chunk = slice(begin, begin + step)
        T = _joined(xp, X[chunk], None if y is None else y[chunk])
        whole = int(T.shape[0]) // rows
        if whole:
            blocks = xp.linalg.qr(T[: whole * rows].reshape(whole, rows, width), mode="r")
            parts.append(blocks.reshape(whole * width, width))
        parts.append(T[whole * rows :])
    return triangle(xp, xp.concatenate(parts))


def column_norms(xp: Any, T: Any) -> Any:
    """Return the norms of columns, shape (k,), even if their squares over- or underflow."""
    if not T.shape[0]:
        return xp.zeros(T.shape[1])
    largest = xp.abs(T).max(axis=0)
    unit = T / xp.where(largest > 0, largest, 1.0)
    return largest * xp.sqrt((unit * unit).sum(axis=0))


def unit_columns(xp: Any, T: Any) -> tuple[Any, Any]:
    """Return the columns with norm 1, and the norms; those of zero columns are 1.

    Columns of subnormal numbers, which have lost precision, count as zero.
    """
    largest = xp.abs(T).max(axis=0)
    some = largest >= LEAST
    largest = xp.where(some, largest, 1.0)
    # in steps, so that neither a square nor a reciprocal over- or underflows
    unit = xp.where(some, T, 0.0) / largest
    length = xp.sqrt((unit * unit).sum(axis=0))
    length = xp.where(length > 0, length, 1.0)
    return unit / length, largest * length


def rank(X: Any, dtype: Any = None) -> int:
    """Return the numerical rank of a matrix, given the precision of data and arithmetic; one synchronisation.

    Parameters
    ----------
    X : array, shape (n, d)
        float32 or float64.
    dtype : dtype, optional
        dtype in which the data were given; that of `X` by default.

    Returns
    -------
    int
        Number of singular values that exceed :func:`rank_tolerance` after scaling the columns (the rows, if there are
        fewer of them) to norm 1. The scale of single columns (rows) does not matter.
    """
    xp = arrays.namespace(X)
    if min(X.shape) == 0:
        return 0
    T = triangle(xp, X if X.shape[0] >= X.shape[1] else X.T)
    values = xp.linalg.svd(unit_columns(xp, T)[0], compute_uv=False)
    return int((values > rank_tolerance(int(values.shape[0]), X.dtype if dtype is None else dtype)).sum())


def triangular_inverse(xp: Any, R: Any) -> Any:
    """Return the inverse of an upper triangular matrix, shape (m, m), nearly all of it by matrix products."""
    m = R.shape[0]
    if m <= LEAF:
        return xp.linalg.solve(R, xp.eye(m, dtype=R.dtype))  # LU has nothing to eliminate, so this is back substitution
    half = m // 2
    upper, lower = triangular_inverse(xp, R[:half, :half]), triangular_inverse(xp, R[half:, half:])
    inverse = xp.zeros((m, m), dtype=R.dtype)
    inverse[:half, :half], inverse[half:, half:] = upper, lower
    inverse[:half, half:] = -(upper @ (R[:half, half:] @ lower))
    return inverse


def nearest_solution(xp: Any, A: Any, b: Any, start: Any, dtype: Any) -> tuple[Any, Any]:
    """Return the least-squares solution nearest to a starting point.

    Parameters
    ----------
    xp : module
        Namespace of the arrays.
    A : array, shape (p, q), float64
        Columns of the data, or of their triangular factor.
    b : array, shape (p,), float64
        Right-hand side.
    start : array, shape (q,), float64
        The starting point.
    dtype : dtype
        dtype in which the data were given; it determines the rank tolerance.

    Returns
    -------
    w : array, shape (q,), float64
        start + A^+ (b - A start).
    gain : array, shape (q,), float64
        Norms of the rows of A^+: the sensitivity of each weight to changes of b.

    Notes
    -----
    With columns of norm 1, B = A D^-1 = U S V', and r singular values above :func:`rank_tolerance`,
    A^+ = (I - N N') D^-1 V_r S_r^-1 U_r', where the columns of N are an orthonormal basis of the null space of A,
    which is D^-1 times that of B. If A has more columns than rows, A' is decomposed instead. One synchronisation.
    """
    p, q = int(A.shape[0]), int(A.shape[1])
    if p < q:
        Q, R = xp.linalg.qr(A.T)
        U, _, G = _inverse(xp, R, dtype)
        inverse = Q @ (U @ G.T)
        return start + inverse @ (b - A @ start), column_norms(xp, inverse.T)
    if p > q:
        T = triangle(xp, A, b)
        A, b = T[:q, :q], T[:q, q]
    U, N, G = _inverse(xp, A, dtype)
    w = G @ (U.T @ b)
    if N is not None:
        w = w + N @ (N.T @ (start - w))
    return w, column_norms(xp, G.T)


def _inverse(xp: Any, T: Any, dtype: Any) -> tuple[Any, Any, Any]:
    """Return U, N and G of a square T: T^+ = G U', and N is a basis of the null space, or None if that is 0."""
    k = int(T.shape[0])
    unit, norms = unit_columns(xp, T)
    U, s, Vt = xp.linalg.svd(unit)
    seen = s > rank_tolerance(k, dtype)
    r = int(seen.sum())
    G = (Vt[:r].T / s[:r]) / norms[:, None]
    if r == k:
        return U, None, G
    used = xp.abs(T).max(axis=0) >= LEAST
    if not bool(used.all()):  # a zero column has no scale, and its weight does not change
        return _inverse_without_zeros(xp, T, used, dtype)
    # scaled as a whole: only directions matter
    Z = Vt[r:].T * (norms.min() / norms)[:, None]
    N = xp.linalg.qr(Z)[0]
    return U[:, :r], N, G - N @ (N.T @ G)


def _inverse_without_zeros(xp: Any, T: Any, used: Any, dtype: Any) -> tuple[Any, Any, Any]:
    k = int(T.shape[0])
    there, rest = xp.flatnonzero(used), xp.flatnonzero(~used)
    few, many = int(there.shape[0]), int(rest.shape[0])
    identity = xp.zeros((k, many))
    identity[rest, xp.arange(many)] = 1.0
    if not few:
        return xp.zeros((k, 0)), identity, xp.zeros((k, 0))
    Q, R = xp.linalg.qr(T[:, there])
    U, N, G = _inverse(xp, R, dtype)
    wide = xp.zeros((k, int(G.shape[1])))
    wide[there] = G
    if N is not None:
        extra = xp.zeros((k, int(N.shape[1])))
        extra[there] = N
        identity = xp.concatenate([extra, identity], axis=1)
    return Q @ U, identity, wide


def _joined(xp: Any, X: Any, y: Any) -> Any:
    """Return X, or [X, y], as float64; rows of a sparse matrix written out."""
    X = X.toarray() if hasattr(X, "indptr") else X
    X = X.astype(FLOAT) if X.dtype != FLOAT else X
    return X if y is None else xp.concatenate([X, y.astype(FLOAT)[:, None]], axis=1)
