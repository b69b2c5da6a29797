"""Sparse matrices of SciPy as operators: columns in compressed form, never written out whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from planted.base.arrays import is_array
from planted.base.checks import check_finite
from planted.base.exactness import inexact
from planted.base.values import by_value
from recovery.operators.arithmetic import adjoint, exponent_of, shifted
from recovery.operators.base import Operator

__all__ = ["SparseOperator", "is_sparse", "sparse_frame"]

CHUNK = 2**22
"""Number of stored entries squared at a time."""


def is_sparse(A: Any) -> bool:
    """Tell whether `A` is a sparse matrix or array of SciPy (or of a library with the same methods)."""
    return not is_array(A) and callable(getattr(A, "tocsc", None)) and hasattr(A, "nnz")


def sparse_frame(A: Any) -> bool:
    """Tell whether `A` is a pandas frame of which all columns are sparse: it has an accessor ``sparse`` then."""
    return hasattr(A, "iloc") and getattr(A, "ndim", 0) == 2 and A.shape[1] > 0 and hasattr(A, "sparse")


@by_value
class SparseOperator(Operator):
    """A sparse matrix as an operator.

    Parameters
    ----------
    A : sparse matrix or array of scipy.sparse, or a pandas frame of sparse columns, shape (n, N)
        The matrix in any format; float32 stays float32, other types become float64. It is kept by columns (CSC): a
        matrix in that format without repeated entries is not copied, others are converted once. Do not change it
        afterwards, since the column norms are computed once.

    Raises
    ------
    TypeError, ValueError
        If `A` is not a finite, non-empty sparse matrix of real numbers.

    Notes
    -----
    A product with A or A' costs two operations for each stored number, and so does one with the columns of a support.
    Memory: 12 bytes for each stored number in float64 (16 beyond 2^31 of them), and 8 for each row and column.
    Entries that are stored twice count as their sum, as everywhere in SciPy; as sums are rounded, what proves
    something refuses such a matrix.
    """

    def __init__(self, A: Any) -> None:
        given = A
        if sparse_frame(A):
            try:
                given = A.sparse.to_coo()
            except ValueError as error:
                raise ValueError(f"A is a frame of sparse columns, but {error}; expected fill values of 0") from error
        kind = type(A).__name__
        if type(given).__module__.split(".")[0] != "scipy":
            raise TypeError(f"A is a sparse {kind} of {type(given).__module__}; expected one of scipy.sparse")
        shape = tuple(int(length) for length in given.shape)
        if len(shape) != 2:
            raise ValueError(f"A ({kind}) has shape {shape}; expected 2 dimension(s)")
        if 0 in shape:
            raise ValueError(f"A ({kind}) is empty: it has shape {shape}; expected at least one row and one column")
        if np.dtype(given.dtype).kind not in "fiub":
            raise TypeError(f"A ({kind}) has dtype {given.dtype}; expected real numbers")
        from scipy.sparse import csc_array

        matrix = csc_array(given)
        self.inexact = inexact(matrix.data, "A.data")
        summed = getattr(given, "format", "") == "coo" and matrix.nnz < given.nnz
        if not matrix.has_canonical_format:
            matrix, stored = matrix.copy(), matrix.nnz
            matrix.sum_duplicates()
            summed |= matrix.nnz < stored
        if summed and self.inexact is None:
            self.inexact = (
                f"A ({kind}) stores entries twice, whose sums are rounded; expected one with each entry once, such as "
                "after A.sum_duplicates(), about which something can be proved"
            )
        if matrix.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            matrix = matrix.astype(np.float64)
        check_finite(matrix.data, "A.data")
        self.A = matrix
        self.shape, self.dtype, self.xp = (shape[0], shape[1]), np.dtype(matrix.dtype), np
        self._norms, self._exponent = self._measure()

    def _parts(self) -> tuple[Any, ...]:
        return self.A.data, self.A.indices, self.A.indptr, self.shape

    def _measure(self) -> tuple[np.ndarray, int]:
        """Return the column norms over 2^e, the largest between 1/2 and 1, and e: in range for every A."""
        pointers, data = self.A.indptr, self.A.data
        filled = np.flatnonzero(np.diff(pointers))
        norms = np.zeros(self.shape[1])
        if not filled.size or not data.any():
            return norms.astype(self.dtype), 0
        shift, begin = exponent_of(data), 0
        widest = np.finfo(self.dtype).maxexp // 4
        while begin < filled.size:  # some columns at a time
            limit = pointers[filled[begin]] + CHUNK
            end = max(begin + 1, int(np.searchsorted(pointers[filled + 1], limit, side="right")))
            here = filled[begin:end]
            first = pointers[here[0]]
            part = shifted(data[first : pointers[here[-1] + 1]], -shift).astype(np.float64)
            starts = pointers[here] - first
            peaks = np.frexp(np.maximum.reduceat(np.abs(part), starts))[1]
            if peaks.min() < -widest:  # squares, or many small numbers, would be lost
                part = np.ldexp(part, -np.repeat(peaks, np.diff(pointers)[here]))
            else:
                peaks = np.zeros_like(peaks)
            norms[here] = np.ldexp(np.sqrt(np.add.reduceat(part * part, starts)), peaks)
            begin = end
        top = math.frexp(float(norms.max()))[1]
        return shifted(norms, -top).astype(self.dtype), shift + top

    def matvec(self, x: Any) -> Any:
        """Return A x."""
        return self.A @ x

    def rmatvec(self, r: Any) -> Any:
        """Return A' r."""
        return adjoint(self.A, r)

    def rmatvec_blocks(self, r: Any) -> Iterator[tuple[int, Any]]:
        """Yield A' r as one block."""
        yield 0, self.rmatvec(r)

    def columns(self, idx: Any) -> Any:
        """Return the columns `idx` as an array, shape (n, k)."""
        return self.A[:, idx].toarray()

    def stored(self, idx: Any) -> Any:
        """Return the columns `idx` as a sparse matrix."""
        return self.A[:, idx]

    def stored_bytes(self, idx: Any) -> int:
        """Return how many bytes the sparse matrix of the columns `idx` has."""
        pointers = self.A.indptr
        count = int((pointers[idx + 1] - pointers[idx]).sum())
        return count * (self.dtype.itemsize + pointers.dtype.itemsize)

    def matvec_support(self, idx: Any, values: Any) -> Any:
        """Return the product with the columns `idx`."""
        return self.A[:, idx] @ values

    def column_norms(self) -> Any:
        """Return the column norms, computed with the operator; infinite where they are out of range."""
        return shifted(self._norms, self._exponent)

    def norms_over(self, exponent: int) -> Any:
        """Return 2^-exponent times the column norms."""
        return shifted(self._norms, self._exponent - exponent)

    def size_exponent(self) -> int:
        """Return e with the largest column norm in [2^(e-1), 2^e]; known from the start."""
        return self._exponent

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype}, {self.A.nnz} stored)"
