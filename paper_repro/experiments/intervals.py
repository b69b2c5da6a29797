"""95 % intervals for counts and measurements of experiments."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["LEVEL", "EvenOdds", "crossing", "fit_even_odds", "mean_interval", "median_interval", "quartiles", "wilson"]


LEVEL = 0.95
"""Confidence level of all intervals."""


@functools.cache
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
    """Return a confidence interval for a median from order statistics, valid for every continuous law.

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
    """Return the position at which an increasing rate first reaches a level.

    Parameters
    ----------
    places : sequence of float
        Positive and increasing.
    rates : sequence of float or None
        One per place; None where nothing was measured.
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


STEPS = 200
MOVE = 5.0


@dataclass(frozen=True, eq=False)
class EvenOdds:
    """logit P(success) = a + b log n + c log s.

    Parameters
    ----------
    coefficients : numpy.ndarray, shape (3,)
        a, b, c.
    covariance : numpy.ndarray, shape (3, 3)
        Of the estimates: the inverse of Fisher's information.
    misfit : float or None
        Pearson's statistic over its degrees of freedom: near 1 where the straight line fits; None without any.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    misfit: float | None

    def samples(self, s: float) -> tuple[float, float, float] | None:
        """Return how many samples give even odds, with its interval.

        Parameters
        ----------
        s : float
            Sparsity.

        Returns
        -------
        (float, float, float) or None
            n with P = 1/2, and the ends of the interval at :data:`~paper_repro.experiments.intervals.LEVEL`; None where
            the odds do not rise with n.

        Notes
        -----
        log n = -(a + c log s) / b, and its variance by the delta method: g' C g with the gradient
        g = -(1, log n, log s) / b.
        """
        from scipy.stats import norm

        a, b, c = self.coefficients
        if b <= 0:
            return None
        place = -(a + c * math.log(s)) / b
        gradient = -np.array([1.0, place, math.log(s)]) / b
        half = float(norm.ppf(0.5 + LEVEL / 2)) * math.sqrt(float(gradient @ self.covariance @ gradient))
        if not (abs(place) < 50 and half < 50):
            return None
        return math.exp(place), math.exp(place - half), math.exp(place + half)


def fit_even_odds(
    n: Sequence[float], s: Sequence[float], successes: Sequence[int], trials: Sequence[int]
) -> EvenOdds | None:
    """Fit the line of even odds.

    Parameters
    ----------
    n, s : sequence of float
        Samples and sparsity of each point.
    successes, trials : sequence of int
        Counts of each point.

    Returns
    -------
    EvenOdds or None
        None where nothing or everything succeeded, or points lie on one line of (log n, log s): there is no line of
        even odds to be fitted.

    Notes
    -----
    The estimate maximises the likelihood times the root of the determinant of the information (Jeffreys' prior, as
    Firth proposed). Plain maximum likelihood has no solution where a line separates all successes from all failures,
    which sharp transitions and few trials make common. Newton's method on the modified score, with its steps bounded.

    References
    ----------
    Firth, "Bias reduction of maximum likelihood estimates", Biometrika 1993 (from memory of the literature, verified
    numerically by tests/paper_repro/test_phase.py).
    """
    counts, totals = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    rows = np.column_stack([np.ones(len(counts)), np.log(n), np.log(s)])[totals > 0]
    counts, totals = counts[totals > 0], totals[totals > 0]
    if counts.sum() in (0, totals.sum()) or np.linalg.matrix_rank(rows) < 3:
        return None
    beta = np.zeros(3)
    for _ in range(STEPS):
        rate, information = _information(rows, totals, beta)
        covariance = np.linalg.inv(information)
        weight = totals * rate * (1 - rate)
        leverage = weight * np.einsum("ij,jk,ik->i", rows, covariance, rows)
        move = covariance @ (rows.T @ (counts - totals * rate + leverage * (0.5 - rate)))
        beta = beta + move * min(1.0, MOVE / max(np.abs(move).max(), 1e-300))
        if np.abs(move).max() < 1e-8 * (1 + np.abs(beta).max()):
            break
    else:
        return None
    rate, information = _information(rows, totals, beta)
    freedom = len(counts) - 3
    pearson = float(((counts - totals * rate) ** 2 / (totals * rate * (1 - rate))).sum())
    return EvenOdds(beta, np.linalg.inv(information), pearson / freedom if freedom > 0 else None)


def _information(rows: np.ndarray, totals: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of success, kept off 0 and 1 by rounding, and Fisher's information."""
    rate = 1 / (1 + np.exp(-np.clip(rows @ beta, -30, 30)))
    return rate, (rows * (totals * rate * (1 - rate))[:, None]).T @ rows
