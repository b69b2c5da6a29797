"""Input handling of conditions and certificates: validated columns, Gram matrices and supports in float64."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from planted.base import arrays, checks
from planted.base.arrays import EPS
from planted.base.checks import check_array
from planted.base.exactness import check_exact, refuse_rounded
from recovery.operators.base import BLOCK_BYTES, SUPPORT_BYTES, Operator
from recovery.operators.dense import ForeignOperator, as_operator, is_operator
from recovery.operators.gated import GatedOperator
from recovery.operators.sparse import SparseOperator

__all__ = [
    "Columns",
    "Row",
    "all_columns",
    "basis",
    "check_gated",
    "check_gates",
    "check_signs",
    "check_support",
    "host_columns",
    "host_gram",
    "independent_columns",
    "integers",
    "large",
    "operator_columns",
    "orthogonal",
    "orthogonalise",
    "refuse_large",
    "unit_columns",
    "whole",
]


TINY = 1e-280
"""Gram matrices below this lose digits to underflow, or vanish."""


def all_columns(A: Any, proves: bool = True) -> Any:
    """Return an operator or array as a plain float64 matrix on its own device, shape (n, N), with the same numbers.

    All conditions and certificates get their input here. Numbers that float64 would round, such as integers beyond
    2**53, are rejected, because a proof would be about other numbers than the caller's. So are operators made from such
    numbers, and operators whose columns are rounded products. If nothing is proved (`proves` is False), the rounded
    products of a scaled operator are accepted, since the computation makes errors of that size anyway.
    """
    columns = check_exact(operator_columns(A, proves) if is_operator(A) else A, "A", ndim=2)
    return columns if columns.dtype == np.float64 else columns.astype(np.float64)


def operator_columns(A: Any, proves: bool = True) -> Any:
    """Return all columns of an operator, ours or another library's, unchanged; for rounded ones see above."""
    operator = as_operator(A)
    refuse_rounded(operator, proves)
    return whole(operator)


def whole(operator: Operator) -> Any:
    """Return all columns of an operator, shape (n, N), unless it is a sparse matrix, or products, too large for that.

    A matrix in a form that does not store n N numbers is expanded if it is small; otherwise an error is raised, which
    says how to pass the expanded matrix if there is enough memory.
    """
    refuse_large(operator, sparse=True)
    return operator.columns(operator.xp.arange(operator.shape[1]))


def refuse_large(operator: Operator, sparse: bool = False) -> None:
    """Raise an error for an operator too large to expand: given by products, or with `sparse` also a sparse one."""
    is_one = isinstance(_innermost(operator), SparseOperator)
    if large(operator) and (sparse or not is_one):
        n, size = operator.shape
        raise ValueError(
            f"A of shape {operator.shape} is {'sparse' if is_one else 'given by its products'}, and this needs all n N "
            f"numbers at once: {n * size * operator.dtype.itemsize / 2**30:.3g} GiB, more than the "
            f"{SUPPORT_BYTES / 2**30:.2g} GiB up to which it is expanded; expected a smaller A, or "
            f"{'A.toarray()' if is_one else 'its columns as an array'} if there is the memory"
        )


def large(A: Any) -> bool:
    """Return whether `A` is a sparse matrix, or given by products, that is too large for :func:`whole`."""
    if not is_operator(A):
        return False
    operator = as_operator(A)
    needed = operator.shape[0] * operator.shape[1] * operator.dtype.itemsize
    return needed > SUPPORT_BYTES and isinstance(_innermost(operator), (SparseOperator, ForeignOperator))


def _innermost(operator: Any) -> Any:
    while hasattr(operator, "base"):
        operator = operator.base
    return operator


class Columns:
    """The columns of A in float64, for code that needs a few of them and the products of all others.

    Parameters
    ----------
    A : Operator, array, or what :func:`recovery.as_operator` takes, shape (n, N)
        The columns: :func:`all_columns` of it, or an operator if that would be too large.
    unit : bool
        Scale them to unit norm; zero columns raise an error.
    """

    def __init__(self, A: Any, unit: bool = False) -> None:
        self.matrix: Any = None
        self.norms: Any = None
        self.xp: Any
        self.shape: tuple[int, ...]
        if large(A):
            operator = as_operator(A)
            refuse_rounded(operator, False)
            self.operator, self.xp, self.shape = operator, operator.xp, operator.shape
            if unit:
                self.norms = operator.column_norms().astype(np.float64)
                _refuse_zeros(self.norms == 0, self.xp)
        else:
            self.matrix = unit_columns(A) if unit else all_columns(A, proves=False)
            self.xp, self.shape = arrays.namespace(self.matrix), (int(self.matrix.shape[0]), int(self.matrix.shape[1]))

    def pick(self, idx: Any) -> Any:
        """Return the columns `idx`, shape (n, k)."""
        if self.matrix is not None:
            return self.matrix[:, idx]
        found = self.operator.columns(idx).astype(np.float64)
        return found if self.norms is None else found / self.norms[idx]

    def lengths(self, idx: Any) -> Any:
        """Return the norms of the columns `idx`."""
        if self.matrix is None:
            return (self.operator.column_norms() if self.norms is None else self.norms)[idx].astype(np.float64)
        found = self.matrix[:, idx]
        return self.xp.sqrt((found * found).sum(axis=0))

    def correlations(self, idx: Any, V: Any) -> Iterator[Any]:
        """Yield A_T' V for parts T of the columns `idx`, in order; V has the shape (n, q)."""
        if self.matrix is not None:
            yield self.matrix[:, idx].T @ V
            return
        step = max(1, BLOCK_BYTES // (8 * max(1, int(V.shape[1]))))
        step = step if isinstance(_innermost(self.operator), SparseOperator) else self.operator.block_width
        for start in range(0, int(idx.shape[0]), step):
            part = idx[start : start + step]
            found = self.operator.stored(part).astype(np.float64).T @ V
            yield found if self.norms is None else found / self.norms[part][:, None]


def host_columns(A: Any, proves: bool = True) -> np.ndarray:
    """Return the result of :func:`all_columns` as a contiguous matrix on the CPU."""
    return np.ascontiguousarray(arrays.to_numpy(all_columns(A, proves)))


def unit_columns(A: Any) -> Any:
    """Return the columns of A scaled to unit norm, float64; zero columns raise an error."""
    columns = all_columns(A, proves=False)  # norms are rounded
    xp = arrays.namespace(columns)
    largest = xp.abs(columns).max(axis=0)
    _refuse_zeros(largest == 0, xp)
    columns = columns / largest  # so that no square under- or overflows
    return columns / xp.sqrt((columns * columns).sum(axis=0))


def _refuse_zeros(zero: Any, xp: Any) -> None:
    if bool(zero.any()):
        first = int(xp.argmax(zero))
        raise ValueError(
            f"A has {int(zero.sum())} zero column(s), the first at index {first}; expected columns that can be scaled "
            "to unit norm"
        )


def host_gram(columns: np.ndarray) -> tuple[np.ndarray, int]:
    """Return A'A of a matrix on the CPU, shape (N, N), and the number of rows of A.

    An entry of the computed A'A is off by at most about n eps |a_i| |a_j|, so that with the eigenvalue routine's own
    error an eigenvalue of a block of s columns is off by about (n + 8 s) eps times the sum of their squared norms.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        gram = columns.T @ columns
        finite = np.isfinite(gram).all() and np.isfinite(2.0 * gram.trace())  # no eigenvalue is above the trace
    if not finite:
        raise ValueError("A has columns whose inner products overflow; expected columns of norm below 1e150")
    if gram.diagonal().max() < TINY and columns.any():
        raise ValueError("A has columns whose inner products underflow; expected a column of norm above 1e-140")
    return gram, int(columns.shape[0])


def check_support(support: Any, size: int, name: str = "support") -> np.ndarray:
    """Return a support as ascending int64 indices on the CPU, or raise an error."""
    if not arrays.is_array(support):
        support = np.asarray(support)
        support = support.astype(np.int64) if support.size == 0 else support
    kind = np.dtype(support.dtype).kind
    if kind not in "iu" or support.ndim != 1:
        raise TypeError(
            f"{name} has dtype {support.dtype} and shape {tuple(support.shape)}; expected a vector of integer indices"
        )
    found = np.sort(arrays.to_numpy(support).astype(np.int64))
    if found.size and (found[0] < 0 or found[-1] >= size):
        raise ValueError(f"{name} has indices from {found[0]} to {found[-1]}; expected them between 0 and {size - 1}")
    if np.any(found[1:] == found[:-1]):
        raise ValueError(
            f"{name} names index {found[:-1][found[1:] == found[:-1]][0]} twice; expected distinct indices"
        )
    return found


def check_signs(signs: Any, support: Any, columns: Any) -> Any:
    """Return signs in the order of the ascending support, on the device of `columns`, or raise an error."""
    xp = arrays.namespace(columns)
    order = np.argsort(arrays.to_numpy(support) if arrays.is_array(support) else np.asarray(support), kind="stable")
    signs = check_array(signs, "signs", ndim=1, shape=(order.shape[0],), dtype=np.float64, allow_empty=True)
    host = arrays.to_numpy(signs)
    if np.any(np.abs(host) != 1.0):
        raise ValueError(f"signs holds {host[np.abs(host) != 1.0][0]}; expected the numbers 1 and -1 only")
    return xp.asarray(host[order])


def orthogonalise(columns: Any) -> tuple[Any, Any] | None:
    """Return Q and R of A_S = Q R, or None if the columns are linearly dependent up to rounding.

    The rank is determined on columns of unit norm, so their scales do not matter; singular values below max(n, k) eps
    times the largest count as 0.
    """
    xp = arrays.namespace(columns)
    n, k = columns.shape
    if k > n:
        return None
    largest = xp.abs(columns).max(axis=0)
    if bool((largest == 0).any()):
        return None
    Q, R = xp.linalg.qr(columns)
    units = R / largest  # so that no square under- or overflows
    spectrum = xp.linalg.svd(units / xp.sqrt((units * units).sum(axis=0)), compute_uv=False)
    if bool(spectrum[-1] <= max(n, k) * EPS * spectrum[0]):
        return None
    return Q, R


def check_gates(value: Any) -> Any:
    """Return an operator's gates, or an array of zeros and ones as bool, shape (n, p); raise an error otherwise."""
    if isinstance(value, GatedOperator):
        return value.gates() != 0
    return checks.check_gates(value)


def check_gated(value: Any) -> GatedOperator:
    """Return a GatedOperator with exactly the caller's numbers, or raise an error."""
    if not isinstance(value, GatedOperator):
        raise TypeError(
            f"A is of type {type(value).__name__}; expected a recovery.GatedOperator, which knows its gates"
        )
    refuse_rounded(value)
    return value


Row = tuple[int, ...]


def integers(row: np.ndarray) -> Row:
    """Return a row scaled by the positive number that makes its entries coprime integers."""
    parts = [Fraction(*value.as_integer_ratio()) for value in row.tolist()]
    scale = math.lcm(*(part.denominator for part in parts))
    whole = [int(part * scale) for part in parts]
    common = math.gcd(*whole) or 1
    return tuple(value // common for value in whole)


def orthogonal(rows: list[Row], size: int) -> Row:
    """Return the vector of signed minors, orthogonal to size - 1 rows of length size; 0 if they are dependent."""
    if size == 1:
        return (1,)
    if size == 2:
        return (-rows[0][1], rows[0][0])
    if size == 3:
        (a, b, c), (e, f, g) = rows
        return (b * g - c * f, c * e - a * g, a * f - b * e)
    minors = (_determinant([[*row[:j], *row[j + 1 :]] for row in rows]) for j in range(size))
    return tuple((-1) ** j * minor for j, minor in enumerate(minors))


def _determinant(matrix: list[list[int]]) -> int:
    """Return the determinant by Bareiss' elimination, in integers."""
    matrix, sign, last = [list(row) for row in matrix], 1, 1
    for k in range(len(matrix)):
        pivot = next((i for i in range(k, len(matrix)) if matrix[i][k]), None)
        if pivot is None:
            return 0
        if pivot != k:
            matrix[k], matrix[pivot], sign = matrix[pivot], matrix[k], -sign
        for i in range(k + 1, len(matrix)):
            for j in range(k + 1, len(matrix)):
                matrix[i][j] = (matrix[i][j] * matrix[k][k] - matrix[i][k] * matrix[k][j]) // last
        last = matrix[k][k]
    return sign * last


def basis(rows: Iterable[Row]) -> list[int]:
    """Return the indices of the first maximal set of independent rows."""
    reduced: list[tuple[int, list[int]]] = []
    places = []
    for place, row in enumerate(rows):
        here = list(row)
        for pivot, other in reduced:
            if here[pivot]:
                a, b = other[pivot], here[pivot]
                here = [a * x - b * y for x, y in zip(here, other, strict=True)]
        pivot = next((j for j, value in enumerate(here) if value), -1)
        if pivot >= 0:
            common = math.gcd(*here)
            reduced.append((pivot, [value // common for value in here]))
            places.append(place)
            if len(places) == len(row):
                break
    return places


def independent_columns(rows: list[Row]) -> list[int]:
    """Return the indices of as many independent columns as there are rows; the rows must be independent."""
    return basis([tuple(row[j] for row in rows) for j in range(len(rows[0]))])
