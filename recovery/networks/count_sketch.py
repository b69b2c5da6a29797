"""Count Sketch: the few numbers from which the released method reads which entries of a long sum are large."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["HASHES", "CountSketch", "sketch_width"]

HASHES = 4
"""Rows of the sketch, each with a hash and random signs of its own."""


def sketch_width(size: int, sparsity: int) -> int:
    """Return the number of buckets in a row of the sketch, s max(1, ln(N / s)) rounded up; at least 1.

    Parameters
    ----------
    size : int
        N, length of the vector that is sketched.
    sparsity : int
        s, how many entries are looked for.

    Returns
    -------
    int
        The width.
    """
    if sparsity == 0:
        return 1
    return max(1, math.ceil(sparsity * max(1.0, math.log(size / sparsity))))


class CountSketch:
    """A linear sketch of a vector z of length N: ``table[h, b] = sum of sign_h(i) z_i over hash_h(i) = b``.

    Parameters
    ----------
    size : int
        N.
    width : int
        Buckets in a row.
    rng : numpy.random.Generator
        Draws the hashes and the signs (on the CPU).
    xp : module
        Array module of the vectors.

    Attributes
    ----------
    table : array of float64, shape (4, width)
        The sketch.

    Notes
    -----
    The estimate of z_i is the median over the four rows of sign_h(i) table[h, hash_h(i)]: the mean of the
    middle two. Each row's estimate is unbiased with variance at most |z|^2 / width. The hashes are drawn at random and
    kept, 4 N numbers: here the sketch shows what the released selection does; it saves no memory.

    References
    ----------
    .. [1] M. Charikar, K. Chen, M. Farach-Colton, "Finding frequent items in data streams", 2002 (from memory of
       the literature; the bias and the variance are tested by tests/recovery/test_networks_sketch.py).
    """

    def __init__(self, size: int, width: int, rng: np.random.Generator, xp: Any) -> None:
        self.xp, self.width = xp, width
        buckets = rng.integers(width, size=(HASHES, size))
        negative = rng.integers(2, size=(HASHES, size))
        # a sign is a second copy of the row: bucket b with sign -1 is place width + b
        place = buckets + width * negative + 2 * width * np.arange(HASHES)[:, None]
        self.place = xp.asarray(place.ravel())
        self.table = xp.zeros((HASHES, width), dtype=xp.float64)

    def add(self, values: Any) -> None:
        """Add a vector of shape (N,) to what was sketched so far (two synchronisations on a GPU, in bincount)."""
        xp = self.xp
        repeated = xp.concatenate([values.astype(xp.float64)] * HASHES)
        sums = xp.bincount(self.place, weights=repeated, minlength=2 * self.width * HASHES)
        sums = sums.reshape(HASHES, 2, self.width)
        self.table = self.table + (sums[:, 0] - sums[:, 1])

    def estimates(self) -> Any:
        """Return the estimate of every entry, shape (N,), float64."""
        xp = self.xp
        signed = xp.stack([self.table, -self.table], axis=1).ravel()
        found = signed[self.place].reshape(HASHES, -1)
        return 0.5 * (found.sum(axis=0) - found.max(axis=0) - found.min(axis=0))
