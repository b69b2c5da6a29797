"""Sums over many rows of float32 numbers: in runs of rows whose sums are added in float64.

Row after row, a float32 sum of n numbers of one sign is off by up to n eps / 2 of itself: percents where n is some
hundred thousand. BLAS adds so too, in products of a vector with a matrix whose rows are contiguous (n eps / 2), and in
dot products, with a running sum for each place of a vector register (n eps / 64 or so). In runs of m rows the error
is at most m eps / 2. NumPy's own sums of contiguous numbers are pairwise and need no such help: eps log2(n) / 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planted import arrays

__all__ = ["TALL", "adjoint", "column_means", "column_squares", "is_tall"]

TALL = 2**16
"""Up to so many rows products and means are left to the library: errors stay below n eps / 2 = 0.4 %, on paper."""

RUN_ROWS = 2**12
"""Rows of a product in one run: a call of BLAS for each costs little beside it."""

NORM_ROWS = 128
"""Rows whose squares are added in float32, as in NumPy's own pairwise sums."""


def is_tall(matrix: Any) -> bool:
    """Tell whether sums over the rows need help: float32, more than :data:`TALL` rows, on a CPU (GPUs sum in trees)."""
    return matrix.dtype.itemsize < 8 and int(matrix.shape[0]) > TALL and arrays.device_of(matrix) == "cpu"


def adjoint(matrix: Any, r: Any) -> Any:
    """Return matrix' r for a matrix of shape (n, k) and r of shape (n,) or (n, q)."""
    if not is_tall(matrix):
        return matrix.T @ r
    total: Any = 0.0
    for a in range(0, int(matrix.shape[0]), RUN_ROWS):
        total = total + (matrix[a : a + RUN_ROWS].T @ r[a : a + RUN_ROWS]).astype(np.float64)
    with np.errstate(over="ignore"):
        return total.astype(np.result_type(matrix.dtype, r.dtype))


def column_means(matrix: Any) -> Any:
    """Return the means of the columns."""
    if not is_tall(matrix):
        return matrix.mean(axis=0)
    return matrix.mean(axis=0, dtype=np.float64).astype(matrix.dtype)


def column_squares(matrix: Any) -> Any:
    """Return the sums of squares of the columns; of float32 in float64, added up from short runs of rows."""
    xp = arrays.namespace(matrix)
    runs = int(matrix.shape[0]) // NORM_ROWS if matrix.dtype.itemsize < 8 else 0
    if runs == 0:
        return xp.einsum("ij,ij->j", matrix, matrix)
    split = matrix[: runs * NORM_ROWS].reshape(runs, NORM_ROWS, -1)
    rest = matrix[runs * NORM_ROWS :]
    return xp.einsum("kij,kij->kj", split, split).astype(xp.float64).sum(axis=0) + xp.einsum("ij,ij->j", rest, rest)
