"""95 % intervals for what experiments count and measure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

__all__ = ["LEVEL", "crossing", "mean_interval", "median_interval", "quartiles", "wilson"]

LEVEL = 0.95
"""Confidence level of all intervals."""


def wilson(successes: int, trials: int) -> tuple[float, float] | None:
    """Return Wilson's interval of a probability, from the number of successes among independent trials.

    Parameters
    ----------
    successes, trials : int
        Counts.

    Returns
    -------
    (float, float) or None
        Lower and upper end at :data:`LEVEL`; None without a trial.

    References
    ----------
    ``scipy.stats.BinomTestResult.proportion_ci``; for a rate of 0 or 1 the interval still has a width.
    """
    if trials == 0:
        return None
    from scipy.stats import binomtest

    found = binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return Student's interval of a mean.

    Parameters
    ----------
    values : sequence of float
        Independent measurements.

    Returns
    -------
    (float, float) or None
        Lower and upper end at :data:`LEVEL`; None for fewer than two values.
    """
    if len(values) < 2:
        return None
    from scipy.stats import t

    centre = math.fsum(values) / len(values)
    half = float(t.ppf(0.5 + LEVEL / 2, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return centre - half, centre + half


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return an interval of a median whose ends are order statistics: it holds for every continuous law.

    Parameters
    ----------
    values : sequence of float
        Independent measurements; infinite ones are fine.

    Returns
    -------
    (float, float) or None
        Lower and upper end, with at least :data:`LEVEL`; None for fewer than six values, when there is none.

    Notes
    -----
    The r-th smallest and the r-th largest of N values enclose the median with probability
    1 - 2 P(Binomial(N, 1/2) < r); r is the largest that keeps this at :data:`LEVEL` or above.
    """
    from scipy.stats import binom

    count = len(values)
    tails = binom.cdf(np.arange(count // 2 + 1), count, 0.5)  # the tail of index r - 1 belongs to rank r
    rank = int(np.count_nonzero(tails <= (1 - LEVEL) / 2))
    if rank == 0:
        return None
    ordered = np.sort(np.asarray(values, dtype=float))
    return float(ordered[rank - 1]), float(ordered[count - rank])


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile.

    Parameters
    ----------
    values : sequence of float
        At least one measurement.

    Returns
    -------
    (float, float, float)
        Interpolated linearly between order statistics.
    """
    low, middle, high = np.quantile(np.asarray(values, dtype=float), (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def crossing(places: Sequence[float], rates: Sequence[float | None], level: float = 0.5) -> float | None:
    """Return where a rate that rises with its place first reaches a level.

    Parameters
    ----------
    places : sequence of float
        Positive and increasing.
    rates : sequence of float or None
        One a place; None where nothing was measured.
    level : float, default 0.5
        The level.

    Returns
    -------
    float or None
        Interpolated linearly in the logarithm of the place; None if the level is not passed between two places,
        so nothing is extrapolated.
    """
    known = [(math.log(place), rate) for place, rate in zip(places, rates, strict=True) if rate is not None]
    for (x0, below), (x1, above) in itertools.pairwise(known):
        if below < level <= above:
            return math.exp(x0 + (x1 - x0) * (level - below) / (above - below))
    return None
