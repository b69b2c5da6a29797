"""Least-squares problems of the linear estimators: weighted, centred and scaled data, dense or sparse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base.arrays import EPS
from planted.base.values import by_value
from recovery.operators.arithmetic import exponent_of
from recovery.operators.base import Operator

__all__ = [
    "CONSTANT",
    "CentredOperator",
    "Prepared",
    "centre",
    "columns_over",
    "distinct_rows",
    "far_exponent",
    "far_exponents",
    "prepare",
]

CONSTANT = 64 * EPS
"""A feature or target whose standard deviation is at most this fraction of its root mean square is constant: only the
rounding errors of its values differ."""


@by_value
class CentredOperator(Operator):
    """diag(r) (X - 1 m') diag(1 / c) of a sparse matrix X, which is never formed.

    Parameters
    ----------
    X : scipy sparse matrix or array, shape (n, N)
        The features, float64; converted to CSC.
    rows : array, shape (n,)
        r, square roots of weights.
    mean, scale : array, shape (N,)
        m and c.

    Notes
    -----
    Columns of a support are dense, with n entries each. The squared norm of a column is the sum of r_i^2 (x_ij - m_j)^2
    over its stored entries, plus m_j^2 times the sum of r_i^2 over the other rows, over c_j^2: nothing cancels.
    """

    def __init__(self, X: Any, rows: Any, mean: Any, scale: Any) -> None:
        self.X, self.rows, self.mean, self.scale = X.tocsc(), rows, mean, scale
        self.shape, self.dtype, self.xp = X.shape, np.dtype(np.float64), np

    def _parts(self) -> tuple[Any, ...]:
        return self.X.data, self.X.indices, self.X.indptr, self.rows, self.mean, self.scale

    def matvec(self, x: Any) -> Any:
        """Return A x, shape (n,)."""
        x = x / self.scale
        return self.rows * (self.X @ x - self.mean @ x)

    def rmatvec(self, r: Any) -> Any:
        """Return A' r, shape (N,)."""
        r = self.rows * r
        return (self.X.T @ r - self.mean * r.sum()) / self.scale

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield A' r as one block."""
        yield 0, self.rmatvec(r)

    def columns(self, idx: Any) -> Any:
        """Return the columns of a support, dense, shape (n, k)."""
        block = self.X[:, idx].toarray()
        return self.rows[:, None] * ((block - self.mean[idx]) / self.scale[idx])

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return A_S values, shape (n,)."""
        values = values / self.scale[idx]
        return self.rows * (self.X[:, idx] @ values - self.mean[idx] @ values)

    def column_norms(self) -> Any:
        """Return the Euclidean norms of the columns, shape (N,)."""
        squares, weights = _deviations(self.X, self.rows * self.rows, self.mean)
        return np.sqrt(squares + self.mean**2 * weights) / self.scale


@dataclass(frozen=True)
class Prepared:
    """min_x |A x - b|^2 for data with weights, an intercept and scaled features.

    Parameters
    ----------
    A : array, shape (k, p), or Operator
        The square roots of the weights (of sum 1) times the centred and scaled features; for dense data with more rows
        than features the triangular factor of their QR decomposition, which gives the same least-squares problems.
    b : array, shape (k,)
        The targets, weighted and centred in the same way.
    mean, scale : array, shape (p,)
        The numbers subtracted from the features (0 without an intercept), and those that they were divided by.
    offset : float
        The number subtracted from the targets.
    rest : float
        The part of |b|^2 that no x can reduce, if A is a triangular factor.
    """

    A: Any
    b: Any
    mean: Any
    scale: Any
    offset: float
    rest: float = 0.0

    def raw(self, x: Any) -> tuple[Any, Any]:
        """Return coefficients and intercepts in the caller's units, for x of shape (p,) or (p, k)."""
        coef = (x.T / self.scale).T
        return coef, self.offset - self.mean @ coef

    def spread(self) -> Any:
        """Return the standard deviations of the features, without an intercept their root mean squares, shape (p,)."""
        norms = (
            self.A.column_norms() if isinstance(self.A, Operator) else np.sqrt(np.einsum("ij,ij->j", self.A, self.A))
        )
        return norms * np.where(np.isinf(self.scale), 0.0, self.scale)


def distinct_rows(X: Any, weights: Any) -> int:
    """Return the number of distinct rows with a positive weight: a repeated row adds no direction."""
    if hasattr(X, "tocsr"):
        X = X.tocsr()
        parts = [slice(X.indptr[i], X.indptr[i + 1]) for i in np.flatnonzero(weights)]
        return len({(X.indices[one].tobytes(), X.data[one].tobytes()) for one in parts})
    return len({row.tobytes() for row in X[weights > 0] + 0.0})  # -0.0 and 0.0 are the same number


def prepare(X: Any, y: Any, weights: Any, fit_intercept: bool, standardize: bool) -> Prepared:
    """Return the least-squares problem of weighted data.

    Parameters
    ----------
    X : array or scipy sparse matrix, shape (n, p), float64
        Features.
    y : array, shape (n,), float64
        Targets.
    weights : array, shape (n,)
        Weights of the rows, at least 0 and not all 0.
    fit_intercept, standardize : bool
        Whether both sides are centred, and whether features are divided by their standard deviations (without an
        intercept their root mean squares).

    Returns
    -------
    Prepared
        With standardised features the columns of A have norm 1.
    """
    weights = weights / weights.sum()
    rows = np.sqrt(weights)
    exponents = far_exponents(X) if standardize else np.zeros(X.shape[1], dtype=np.int64)
    if hasattr(X, "tocsr"):
        return _prepare_sparse(columns_over(X.tocsc(), exponents), y, rows, fit_intercept, standardize, exponents)
    X = np.ascontiguousarray(columns_over(X, exponents))  # so that the order in memory changes no bit of the result
    p = X.shape[1]
    centred, mean = centre(X, weights) if fit_intercept else (X, np.zeros(p))
    b, offset = _targets(y, rows, fit_intercept)
    A = rows[:, None] * centred
    scale = _scale(np.sqrt(np.einsum("ij,ij->j", A, A)), weights @ (X * X)) if standardize else np.ones(p)
    A = A / scale
    mean, scale = np.ldexp(mean, exponents), np.ldexp(scale, exponents)
    if A.shape[0] > p + 1:
        R: np.ndarray = np.asarray(np.linalg.qr(np.column_stack([A, b]), mode="r"))
        return Prepared(np.ascontiguousarray(R[:p, :p]), R[:p, p].copy(), mean, scale, offset, float(R[p, p] ** 2))
    return Prepared(A, b, mean, scale, offset)


def _prepare_sparse(X: Any, y: Any, rows: Any, fit_intercept: bool, standardize: bool, exponents: Any) -> Prepared:
    """Return the problem of a matrix in CSC format whose columns are given over powers of two."""
    weights, count = rows * rows, np.diff(X.indptr)
    shift = mean = np.zeros(X.shape[1])
    moved = X
    if fit_intercept:
        # columns without zeros are shifted as they are stored: with large means, differences of products lose digits
        shift = np.where(count == X.shape[0], np.asarray(X.T @ weights).ravel(), 0.0)
        moved = type(X)((X.data - np.repeat(shift, count), X.indices, X.indptr), shape=X.shape)
        mean = np.asarray(moved.T @ weights).ravel()
    b, offset = _targets(y, rows, fit_intercept)
    scale = np.ones(X.shape[1])
    if standardize:
        norms = CentredOperator(moved, rows, mean, scale).column_norms()
        scale = _scale(norms, np.asarray(X.multiply(X).T @ weights).ravel())
    A = CentredOperator(moved, rows, mean, scale)
    return Prepared(A, b, np.ldexp(shift + mean, exponents), np.ldexp(scale, exponents), offset)


def centre(X: Any, weights: Any) -> tuple[Any, Any]:
    """Return X minus its weighted column means, and the means, for weights of sum 1.

    In two steps: the second subtracts the rounding error of the first, so that constant columns become 0.
    """
    mean = weights @ X
    centred = X - mean
    more = weights @ centred
    return centred - more, mean + more


def _targets(y: Any, rows: Any, fit_intercept: bool) -> tuple[Any, float]:
    """Return the targets, centred and weighted, and the number that was subtracted; constant targets become 0."""
    if not fit_intercept:
        return rows * y, 0.0
    b, offset = centre(y, rows * rows)
    b = rows * b
    if np.linalg.norm(b) <= CONSTANT * np.linalg.norm(rows * y):
        b = np.zeros_like(b)
    return b, float(offset)


def _scale(norms: Any, moments: Any) -> Any:
    """Return what to divide features by: their norms, 1 for zeros and infinity for other constants."""
    return np.where(norms <= CONSTANT * np.sqrt(moments), np.inf, np.where(norms > 0, norms, 1.0))


FAR = 256
"""Numbers within 2^+-FAR of 1 have squares, and sums of these, that float64 can hold; others are scaled first."""


def far_exponent(y: Any) -> int:
    """Return e such that y / 2^e is near 1, or 0 if y is near enough."""
    e = exponent_of(y)
    return e if abs(e) > FAR else 0


def far_exponents(X: Any) -> Any:
    """Return such exponents for the columns of a dense or sparse matrix, int64, shape (p,)."""
    if hasattr(X, "tocsr"):
        peaks = np.asarray(abs(X).max(axis=0).todense()).ravel() if X.nnz else np.zeros(X.shape[1])
    else:
        peaks = np.abs(X).max(axis=0)
    e = np.frexp(peaks)[1].astype(np.int64)
    return np.where(np.abs(e) > FAR, e, 0)


def columns_over(X: Any, exponents: Any) -> Any:
    """Return the columns of a dense matrix, or of one in CSC format, divided by powers of two."""
    if not exponents.any():
        return X
    if hasattr(X, "indptr"):
        entries = np.ldexp(X.data, -np.repeat(exponents, np.diff(X.indptr)))
        return type(X)((entries, X.indices, X.indptr), shape=X.shape)
    return np.ldexp(X, -exponents)


def _deviations(X: Any, weights: Any, mean: Any) -> tuple[Any, Any]:
    """Return, for each column (CSC), the sums of w_i (x_ij - m_j)^2 over stored entries, and of w_i over the others."""
    count = np.diff(X.indptr)
    each = weights[X.indices]
    moved = X.data - np.repeat(mean, count)
    squares, stored = (_by_column(X.indptr, one) for one in (each * moved * moved, each))
    return squares, np.where(count == X.shape[0], 0.0, np.maximum(weights.sum() - stored, 0.0))


def _by_column(pointers: Any, entries: Any) -> Any:
    """Return the sums of the stored entries of each column."""
    sums, filled = np.zeros(len(pointers) - 1), np.flatnonzero(np.diff(pointers))
    if filled.size:
        sums[filled] = np.add.reduceat(entries, pointers[filled])
    return sums
