"""Work in blocks that shrink when the device runs out of memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from planted.base import arrays

__all__ = ["in_smaller_blocks"]


def in_smaller_blocks(work: Callable[[int], Any], size: int, what: str, unit: str = "rows") -> tuple[Any, int]:
    """Call a function with a block size, halving it each time memory runs out.

    Parameters
    ----------
    work : callable
        ``work(size)`` does everything from the start, in blocks of `size`.
    size : int
        The block size to try first, >= 1.
    what : str
        Description of the computation, for the warning.
    unit : str, default "rows"
        Unit of the block size, for the warning.

    Returns
    -------
    result
        Return value of `work`.
    size : int
        The block size that succeeded.

    Raises
    ------
    MemoryError, or CuPy's own
        If not even a block of 1 fits.

    Warns
    -----
    RuntimeWarning
        Once, if `size` did not fit; the message names the block size that does.

    Notes
    -----
    Memory that CuPy holds in reserve is released before each retry.
    """
    first = size
    while True:
        try:
            result = work(size)
            break
        except arrays.out_of_memory_errors():
            if size <= 1:
                raise
        # outside the exception handler, so that the failed attempt's arrays are freed before the pool is released
        arrays.free_memory()
        size //= 2
    if size < first:
        warnings.warn(
            f"{what} in blocks of {first} {unit} did not fit into memory; blocks of {size} are used now",
            RuntimeWarning,
            stacklevel=3,
        )
    return result, size
