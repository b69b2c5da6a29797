"""Complete enumeration of supports: index sets in blocks, and extreme eigenvalues of all Gram blocks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, islice

import numpy as np

__all__ = ["LIMIT", "extreme_blocks", "supports"]

LIMIT = 2_000_000
"""Number of supports up to which conditions are enumerated by default: 2 to 5 seconds for s = 4 to 6."""
BLOCK_ENTRIES = 2**17
"""Entries of the Gram blocks that are worked on together: they stay in the second-level cache."""


def supports(size: int, s: int, block: int) -> Iterator[np.ndarray]:
    """Yield all supports of a size in lexicographic order, in blocks.

    Parameters
    ----------
    size : int
        N.
    s : int
        Entries of a support.
    block : int
        Largest number of supports in a block.

    Yields
    ------
    numpy.ndarray of int64, shape (at most `block`, s)
        Ascending indices, one support a row.
    """
    rows = combinations(range(size), s)
    while True:
        flat = np.fromiter(chain.from_iterable(islice(rows, block)), dtype=np.int64)
        if not flat.size:
            return
        yield flat.reshape(-1, s)


def extreme_blocks(gram: np.ndarray, s: int) -> tuple[float, np.ndarray, float, np.ndarray]:
    """Return the extreme eigenvalues of all s-by-s diagonal blocks of a symmetric matrix, and where they are.

    Parameters
    ----------
    gram : numpy.ndarray, shape (N, N)
        The matrix.
    s : int
        Size of the blocks, from 1 to N.

    Returns
    -------
    smallest : float
        The smallest eigenvalue of a block.
    smallest_support : numpy.ndarray of int64, shape (s,)
        The first block, in lexicographic order, that has it.
    largest : float
        The largest eigenvalue of a block.
    largest_support : numpy.ndarray of int64, shape (s,)
        The first block that has it.

    Notes
    -----
    Blocks of size exactly s suffice for all sizes up to s: the eigenvalues of a block interlace with those of a
    block that contains it.
    """
    size = gram.shape[0]
    low, high = np.inf, -np.inf
    low_at = high_at = np.arange(s)
    for chosen in supports(size, s, max(1, BLOCK_ENTRIES // (s * s))):
        spectrum = np.linalg.eigvalsh(gram[chosen[:, :, None], chosen[:, None, :]])
        first, last = int(np.argmin(spectrum[:, 0])), int(np.argmax(spectrum[:, -1]))
        if spectrum[first, 0] < low:
            low, low_at = float(spectrum[first, 0]), chosen[first]
        if spectrum[last, -1] > high:
            high, high_at = float(spectrum[last, -1]), chosen[last]
    return low, low_at, high, high_at
