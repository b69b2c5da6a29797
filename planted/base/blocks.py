"""Work in blocks that shrink when the device runs out of memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from planted.base import arrays

__all__ = ["in_smaller_blocks"]


def in_smaller_blocks(work: Callable[[int], Any], size: int, what: str, unit: str = "rows") -> tuple[Any, int]:
    """Call a function with a block size, and with half of it for as long as memory runs out.

    Parameters
    ----------
    work : callable
        ``work(size)`` does everything from the start, in blocks of `size`.
    size : int
        The block to try first, >= 1.
    what : str
        What is computed, for the warning.
    unit : str, default "rows"
        What a block is counted in.

    Returns
    -------
    result
        What `work` returned.
    size : int
        The block it returned with.

    Raises
    ------
    MemoryError, or CuPy's own
        If not even a block of 1 fits.

    Warns
    -----
    RuntimeWarning
        Once, if `size` did not fit; the sentence names the block that does.

    Notes
    -----
    Memory that CuPy keeps for later is given back before each further try.
    """
    first = size
    while True:
        try:
            result = work(size)
            break
        except arrays.out_of_memory_errors():
            if size <= 1:
                raise
        # outside of the handler, so that what the failed try held is let go before memory is given back
        arrays.free_memory()
        size //= 2
    if size < first:
        warnings.warn(
            f"{what} in blocks of {first} {unit} did not fit into memory; blocks of {size} are used now",
            RuntimeWarning,
            stacklevel=3,
        )
    return result, size
