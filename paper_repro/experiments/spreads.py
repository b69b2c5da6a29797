"""Whether restricted eigenvalues are close enough: bounds where they decide, complete enumeration where they do not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recovery import conditions

__all__ = ["CHEAP", "ENUMERATED", "SLACK", "Spreads"]

ENUMERATED = 200_000
"""Supports of a size are enumerated up to this number; beyond, bounds decide, or nothing does."""
CHEAP = 20_000
"""Sizes with no more supports than this are enumerated in any case: they often refute larger sizes at once."""
SLACK = 1e-9
"""A number that is not below its limit by this share of it does not count as below."""
Extremes = tuple[float, float]


@dataclass(eq=False)
class Spreads:
    """Bounds of the extreme eigenvalues of A_S'A_S over supports of a size, no more exact than the limits need.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns.
    """

    A: np.ndarray

    def __post_init__(self) -> None:
        self._exact: dict[int, Extremes] = {}
        self._outer: dict[int, Extremes] = {}

    def below(self, order: int, ratio: float) -> Extremes | bool | None:
        """Decide whether largest / smallest eigenvalue is below `ratio` for supports of `order` columns.

        Parameters
        ----------
        order : int
            Size of the supports; at most all columns count.
        ratio : float
            The limit.

        Returns
        -------
        (float, float), False or None
            Bounds of the eigenvalues from outside whose ratio is below the limit; False if it is not; None if too many
            supports would have to be enumerated.

        Notes
        -----
        The extreme eigenvalues spread with the order (interlacing), so a smaller order refutes a larger one. From
        outside: the spectrum of the whole Gram matrix, and Gershgorin's discs. Enumeration decides the rest.
        """
        size = self.A.shape[1]
        order = min(order, size)
        for smaller in range(2, order + 1):
            if math.comb(size, smaller) <= CHEAP and not _small(self._enumerate(smaller), ratio):
                return False
        outer = self._bounds(order)
        if _small(outer, ratio):
            return outer
        if math.comb(size, order) > ENUMERATED:
            return None
        exact = self._enumerate(order)
        return exact if _small(exact, ratio) else False

    def _enumerate(self, order: int) -> Extremes:
        if order not in self._exact:
            found = conditions.restricted_eigenvalues(self.A, order, limit=ENUMERATED)
            self._exact[order] = found.smallest.lower, found.largest.upper
        return self._exact[order]

    def _bounds(self, order: int) -> Extremes:
        if order not in self._outer:
            found = conditions.restricted_eigenvalues(self.A, order, limit=0)
            self._outer[order] = found.smallest.lower, found.largest.upper
        return self._outer[order]


def _small(found: Extremes, ratio: float) -> bool:
    low, high = found
    return low > 0.0 and high < ratio * low * (1.0 - SLACK)
