"""Scaling by powers of two, which is exact for numbers that stay in range, and accurate sums over many rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from planted.base import arrays

__all__ = [
    "TALL",
    "adjoint",
    "column_means",
    "column_squares",
    "exponent_of",
    "is_tall",
    "normalised_power",
    "power",
    "scaled_entries",
    "shifted",
]


def exponent_of(values: Any) -> int:
    """Return e with 2^(e-1) <= max |values| < 2^e; 0 for zeros (one synchronisation)."""
    return math.frexp(float(arrays.namespace(values).abs(values).max()))[1]


def power(mantissa: float, exponent: int) -> float:
    """Return mantissa 2^exponent, or an infinity if that is out of range."""
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def shifted(values: Any, exponent: int) -> Any:
    """Return 2^exponent values, rounded at most once; overflow gives infinity and underflow 0, without a warning."""
    if exponent == 0:
        return values
    with np.errstate(over="ignore", under="ignore"):
        if abs(exponent) <= np.finfo(values.dtype).maxexp - 2:  # multiplication is several times faster than ldexp
            return values * 2.0**exponent
        return arrays.namespace(values).ldexp(values, exponent)


def scaled_entries(matrix: Any, change: Callable[[Any, Any], Any]) -> Any:
    """Return a matrix with its entries changed column by column: an array, or a sparse matrix by columns (CSC).

    `change` takes the entries and the index of each one's column, in a shape that broadcasts against the entries. A
    sparse matrix is written into: it has to be one's own.
    """
    if not hasattr(matrix, "indptr"):
        return change(matrix, slice(None))
    matrix.data = change(matrix.data, np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr)))
    return matrix


def normalised_power(values: Any) -> tuple[Any, Any]:
    """Return values / u with largest magnitude in [1, 2), and the power of two u, of shape (), without synchronisation.

    If all values are below the smallest normal number, u is that number, and the magnitude is below 1.
    """
    xp = arrays.namespace(values)
    peak = xp.maximum(xp.abs(values).max(), np.finfo(values.dtype).tiny)
    unit = peak / (2.0 * xp.frexp(peak)[0])  # exact: the peak is its mantissa times a power of two
    return values / unit, unit


TALL = 2**16
"""Up to this many rows products and means use the library: the error bound n eps / 2 stays below 0.4 %."""

RUN_ROWS = 2**12
"""Rows per partial product: large enough that one BLAS call for each costs little."""

NORM_ROWS = 128
"""Number of rows whose squares are summed in float32, as in NumPy's own pairwise sums."""


def is_tall(matrix: Any) -> bool:
    """Return whether sums over rows need care: float32, over :data:`TALL` rows, on a CPU (GPUs sum in trees)."""
    return matrix.dtype.itemsize < 8 and int(matrix.shape[0]) > TALL and arrays.device_of(matrix) == "cpu"


def adjoint(matrix: Any, r: Any) -> Any:
    """Return matrix' r for a matrix of shape (n, k), dense or sparse, and r of shape (n,) or (n, q)."""
    if not is_tall(matrix):
        return matrix.T @ r
    if hasattr(matrix, "indptr"):
        return (matrix.T @ r.astype(np.float64)).astype(np.result_type(matrix.dtype, r.dtype))
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
    """Return the sums of squares of the columns; for float32 in float64, accumulated over short runs of rows."""
    xp = arrays.namespace(matrix)
    runs = int(matrix.shape[0]) // NORM_ROWS if matrix.dtype.itemsize < 8 else 0
    if runs == 0:
        return xp.einsum("ij,ij->j", matrix, matrix)
    split = matrix[: runs * NORM_ROWS].reshape(runs, NORM_ROWS, -1)
    rest = matrix[runs * NORM_ROWS :]
    return xp.einsum("kij,kij->kj", split, split).astype(xp.float64).sum(axis=0) + xp.einsum("ij,ij->j", rest, rest)
