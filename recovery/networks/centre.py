"""Centring of inputs whose means are not close to 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays

__all__ = ["Centre"]

AWAY, CHANCE = 0.1, 6.0
"""Means up to this fraction of the standard deviation, or this many standard errors, are treated as 0."""
LEAST = 1e-3
"""Lower bound on the deviations, as a fraction of the root mean square."""


@dataclass(frozen=True, eq=False)
class Centre:
    """Mean and deviation of inputs that are not centred at 0.

    Columns with large means are nearly parallel. The residual of a fit is nearly orthogonal to each of them, so single
    columns, or products of two, say little about it until the means are subtracted.

    Attributes
    ----------
    mean, deviation : numpy.ndarray, shape (d,)
        Mean and standard deviation of each input over the samples. The deviation is at least a thousandth of the root
        mean square.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, X: Any) -> Centre | None:
        """Return the centre of samples X, shape (n, d), or None if all means are small compared with the deviations.

        Small means a tenth of the deviation, or what the mean of n samples may be by chance.
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
        """Return the samples with mean 0 and deviation 1, then a column of ones, shape (n, d + 1), dtype of X."""
        xp = arrays.namespace(X)
        mean, deviation = (xp.asarray(part, dtype=X.dtype) for part in (self.mean, self.deviation))
        found = (X - mean) / deviation
        return xp.concatenate([found, xp.ones_like(found[:, :1])], axis=1)
