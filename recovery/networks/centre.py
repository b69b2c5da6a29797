"""Inputs that are not around 0: where they are, and the same inputs moved to 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays

__all__ = ["Centre"]

AWAY, CHANCE = 0.1, 6.0
"""Means up to this share of the deviation, or so many deviations of the mean of n samples, are taken for 0."""
LEAST = 1e-3
"""Deviations are at least this share of the root mean square."""


@dataclass(frozen=True, eq=False)
class Centre:
    """Where inputs are that are not around 0.

    Columns with large means are nearly parallel. What is left of a fit is orthogonal to nearly all of each, so that
    single columns, or products of two, say little of it until the means are taken off.

    Attributes
    ----------
    mean, deviation : numpy.ndarray, shape (d,)
        Of each input over the samples. The deviation is at least a thousandth of the root mean square.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, X: Any) -> Centre | None:
        """Return the centre of samples X, shape (n, d), or None where all means are small against the deviations.

        Small is a tenth, or what the means of n samples may be by chance.
        """
        mean = arrays.to_numpy(X.mean(axis=0, dtype=np.float64))
        deviation = arrays.to_numpy(X.std(axis=0, dtype=np.float64))
        if (np.abs(mean) <= max(AWAY, CHANCE / math.sqrt(int(X.shape[0]))) * deviation).all():
            return None
        least = LEAST * np.hypot(mean, deviation)
        return cls(mean, np.maximum(deviation, np.where(least > 0, least, 1.0)))

    def restrict(self, coordinates: np.ndarray) -> Centre:
        """Return the centre of some of the inputs."""
        return Centre(self.mean[coordinates], self.deviation[coordinates])

    def shifted(self, X: Any) -> Any:
        """Return samples with mean 0 and deviation 1, and a column of ones behind, shape (n, d + 1), dtype of X."""
        xp = arrays.namespace(X)
        mean, deviation = (xp.asarray(part, dtype=X.dtype) for part in (self.mean, self.deviation))
        found = (X - mean) / deviation
        return xp.concatenate([found, xp.ones_like(found[:, :1])], axis=1)
