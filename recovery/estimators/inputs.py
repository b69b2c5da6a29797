"""Least-squares problems of the linear estimators: weighted, centred and scaled data, dense or sparse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base.values import by_value
from recovery.operators.base import Operator

__all__ = ["CentredOperator", "Prepared", "distinct_rows", "prepare"]


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
    Columns of a support are dense, with n entries each. The squared norms of the columns are sum_i r_i^2 x_ij^2 - 2 m_j
    sum_i r_i^2 x_ij + m_j^2 sum_i r_i^2, over c_j^2.
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
        weights = self.rows * self.rows
        linear, square = self.X.T @ weights, self.X.multiply(self.X).T @ weights
        squares = square - 2.0 * self.mean * linear + self.mean**2 * weights.sum()
        return np.sqrt(np.maximum(squares, 0.0)) / self.scale


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


def distinct_rows(X: Any, weights: Any) -> int:
    """Return the number of distinct rows with a positive weight: a repeated row adds no direction."""
    if hasattr(X, "tocsr"):
        X = X.tocsr()
        parts = [slice(X.indptr[i], X.indptr[i + 1]) for i in np.flatnonzero(weights)]
        return len({(X.indices[one].tobytes(), X.data[one].tobytes()) for one in parts})
    return len({row.tobytes() for row in X[weights > 0]})


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
    sparse = hasattr(X, "tocsr")
    p = X.shape[1]
    mean = np.asarray(X.T @ weights).ravel() if fit_intercept else np.zeros(p)
    offset = float(y @ weights) if fit_intercept else 0.0
    b = rows * (y - offset)
    A: Any = CentredOperator(X, rows, mean, np.ones(p)) if sparse else rows[:, None] * (X - mean)
    if standardize:
        norms = A.column_norms() if sparse else np.sqrt(np.einsum("ij,ij->j", A, A))
        moment = np.asarray((X.multiply(X) if sparse else X * X).T @ weights).ravel()
        # a constant feature: after centring only rounding error is left
        empty = norms <= 1e-7 * np.sqrt(moment) if sparse else norms <= 1e-13 * np.sqrt(moment) * np.sqrt(len(y))
        scale = np.where(empty, np.inf, np.where(norms > 0, norms, 1.0))
    else:
        scale = np.ones(p)
    if sparse:
        return Prepared(CentredOperator(X, rows, mean, scale), b, mean, scale, offset)
    A = A / scale
    if A.shape[0] > p + 1:
        R: np.ndarray = np.asarray(np.linalg.qr(np.column_stack([A, b]), mode="r"))
        return Prepared(np.ascontiguousarray(R[:p, :p]), R[:p, p].copy(), mean, scale, offset, float(R[p, p] ** 2))
    return Prepared(A, b, mean, scale, offset)
