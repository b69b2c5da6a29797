"""Verdicts from confidence intervals: held, not held, or too close to call, with one rule for all claims.

A trial is a cell (a width and a sparsity, say) and a seed. All methods see the same trials, so they are compared trial
by trial. There are two sources of variation: the seeds, which are random, and the cells, a coarse selection from all
sizes that a claim is about. All cells of a seed share random numbers, and all seeds of a cell share its difficulty, so
single trials are not independent units; cells and seeds are, and both are resampled.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays

__all__ = [
    "BASIS",
    "BASIS_SEEDS",
    "EXACT",
    "HELD",
    "NOT_HELD",
    "NOT_MEASURED",
    "TOO_CLOSE",
    "VERDICTS",
    "Measured",
    "Trials",
    "all_of",
    "bootstrap",
    "least_share",
    "paired",
    "scores",
    "share",
    "worst_difference",
]

HELD, NOT_HELD, TOO_CLOSE, NOT_MEASURED = "held", "not held", "too close to call", "not measured"
VERDICTS = (HELD, NOT_HELD, TOO_CLOSE, NOT_MEASURED)

LEVEL = 0.95
DRAWS = 4_000
UNITS = 6
"""Fewer units are never conclusive: five agree by chance in 2 of 32 cases, more often than 5 %."""

BASIS = (
    "held (not held) if the whole 95 % interval lies above (below) the limit; the interval is a paired bootstrap that "
    "resamples cells (settings such as a pair (m, s)) and seeds independently; with one seed, or fewer than six cells, "
    "there is no interval, and the "
    "verdict is too close to call"
)
BASIS_SEEDS = (
    "held (not held) if the whole 95 % interval lies above (below) the limit; the interval is a paired bootstrap that "
    "resamples the seeds; with fewer than six seeds there is no interval, and the verdict is too close to call"
)
"""The rule for claims about each of a few settings, such as every k < 5, which are not resampled."""
EXACT = "an exact statement, which a single counter-example refutes, so it is judged without an interval"

Trials = Mapping[Any, Mapping[int, float]]
"""Cell -> seed -> value."""
Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Multiplicities of cells, shape (draws, cells), and of seeds, shape (draws, seeds) -> values, shape (draws,)."""


@dataclass(frozen=True)
class Measured:
    """A number with its interval, and the limit with which it is compared.

    Parameters
    ----------
    value : float
        The number; NaN if nothing was measured.
    low, high : float or None
        Ends of the interval; None if there are too few cells or seeds.
    limit : float
        The value that the number must exceed for the claim to hold.
    cells, seeds : int
        How many there are.
    slack : float, default 0
        The interval must clear the limit by more than this, which allows for rounding or for a single test image.
    """

    value: float
    low: float | None
    high: float | None
    limit: float
    cells: int
    seeds: int
    slack: float = 0.0

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        if math.isnan(self.value):
            return NOT_MEASURED
        if self.low is None or self.high is None:
            return TOO_CLOSE
        if self.low > self.limit + self.slack:
            return HELD
        return NOT_HELD if self.high < self.limit - self.slack else TOO_CLOSE

    def interval(self, digits: int = 2, *, limit: bool = True) -> str:
        """Return the number, its interval and, unless it is left out, the limit: ``0.93 [0.85, 1.00], limit 0.50``."""
        if math.isnan(self.value):
            return "-"
        if self.low is None or self.high is None:
            few = f"{self.cells} cell{'s' * (self.cells != 1)}, {self.seeds} seed{'s' * (self.seeds != 1)}"
            ends = f"no interval from {few}"
        else:
            ends = f"{self.low:.{digits}f}, {self.high:.{digits}f}"
        beside = f", limit {self.limit:.{digits}f}" if limit else ""
        return f"{self.value:.{digits}f} [{ends}]{beside}"


def all_of(*parts: Measured) -> str:
    """Return the verdict of a claim with several parts, all of which must hold.

    Parameters
    ----------
    *parts : Measured
        At least one.

    Returns
    -------
    str
        Not measured if a part is not; else not held if a part does not hold; else held if all do; otherwise too close
        to call.
    """
    verdicts = [part.verdict for part in parts]
    for decisive in (NOT_MEASURED, NOT_HELD):
        if decisive in verdicts:
            return decisive
    return HELD if set(verdicts) == {HELD} else TOO_CLOSE


def paired(*methods: Trials) -> tuple[list[Hashable], list[int], list[np.ndarray]]:
    """Return the results of several methods on their common trials.

    Parameters
    ----------
    *methods : mapping of cell to mapping of seed to float
        One per method.

    Returns
    -------
    cells, seeds : list
        In ascending order.
    values : list of numpy.ndarray, shape (cells, seeds)
        One per method; NaN for all methods if any of them lacks the trial.
    """
    first = methods[0]
    common = [(cell, seed) for cell in first for seed in first[cell] if all(seed in m.get(cell, {}) for m in methods)]
    cells, seeds = (sorted(set(part)) for part in zip(*common, strict=True)) if common else ([], [])
    places = {cell: place for place, cell in enumerate(cells)}, {seed: place for place, seed in enumerate(seeds)}
    values = [np.full((len(cells), len(seeds)), np.nan) for _ in methods]
    for cell, seed in common:
        for method, found in zip(methods, values, strict=True):
            found[places[0][cell], places[1][seed]] = method[cell][seed]
    return cells, seeds, values


def scores(first: np.ndarray, second: np.ndarray | float, margin: float = 0.0, tie: float = 0.0) -> np.ndarray:
    """Return 1 if the first is above the second, 1/2 if they are level, and 0 if it is below.

    Parameters
    ----------
    first, second : numpy.ndarray, shape (cells, seeds)
        Values; NaN stays NaN, and equal infinities are level.
    margin : float, default 0
        The first counts as above if first - second > margin + tie.
    tie : float, default 0
        Values whose difference is within this of the margin are level, because rounding may decide which is larger.

    Returns
    -------
    numpy.ndarray
        Scores of the same shape.
    """
    missing = np.isnan(first) | np.isnan(second)
    with np.errstate(invalid="ignore"):
        difference = np.where(first == second, 0.0, first - second) - margin
    score = np.where(difference > tie, 1.0, np.where(difference < -tie, 0.0, 0.5))
    return np.where(missing, np.nan, score)


def share(score: np.ndarray, limit: float = 0.5) -> Measured:
    """Return the mean score over all trials with its interval: the share in which the first is above, ties as half.

    Parameters
    ----------
    score : numpy.ndarray, shape (cells, seeds)
        From :func:`scores`.
    limit : float, default 0.5
        The value that it must exceed for the claim to hold.

    Returns
    -------
    Measured
        Cells and seeds drawn anew.
    """
    known = ~np.isnan(score)
    filled = np.where(known, score, 0.0)

    def statistic(cells: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        # products of small integers and halves: exact in any order of summation
        total, count = (((cells @ part) * seeds).sum(axis=1) for part in (filled, known.astype(float)))
        return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)

    return bootstrap(statistic, *score.shape, limit=limit)


def least_share(score: np.ndarray, limit: float = 0.5) -> Measured:
    """Return the smallest mean score over cells, for claims that each cell exceeds the limit.

    Parameters
    ----------
    score : numpy.ndarray, shape (cells, seeds)
        From :func:`scores`.
    limit : float, default 0.5
        The value that it must exceed for the claim to hold; for 1/2 that is a statement about the medians.

    Returns
    -------
    Measured
        Seeds are resampled; the cells are those that the claim is about, and are fixed.
    """

    def statistic(cells: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        return _least(_means(score, seeds), np.ones_like(cells))

    return bootstrap(statistic, *score.shape, limit=limit, over_cells=False)


def worst_difference(first: np.ndarray, second: np.ndarray, slack: float = 0.0) -> Measured:
    """Return the difference between the worst cells of two methods, with its interval.

    Parameters
    ----------
    first, second : numpy.ndarray, shape (cells, seeds)
        Values, from :func:`paired`; a cell's value is its mean over the seeds.
    slack : float, default 0
        As in :class:`Measured`.

    Returns
    -------
    Measured
        Cells and seeds are resampled; the limit is 0.
    """

    def statistic(cells: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        return _least(_means(first, seeds), cells) - _least(_means(second, seeds), cells)

    return bootstrap(statistic, *first.shape, limit=0.0, slack=slack)


def bootstrap(
    statistic: Statistic, cells: int, seeds: int, *, limit: float, slack: float = 0.0, over_cells: bool = True
) -> Measured:
    """Return a number with its percentile interval.

    Parameters
    ----------
    statistic : callable
        Maps the multiplicities of the cells, shape (draws, cells), and of the seeds, shape (draws, seeds), to one value
        per draw; NaN if a draw has no trial.
    cells, seeds : int
        Their numbers.
    limit, slack : float
        As in :class:`Measured`.
    over_cells : bool, default True
        Whether cells are resampled too.

    Returns
    -------
    Measured
        Without an interval if there are too few units to resample.

    Notes
    -----
    Cells and seeds are drawn independently with replacement, and a trial is weighted by the product of the
    multiplicities of its cell and its seed (the pigeonhole bootstrap). If both have separate effects, the variance of a
    mean is slightly overestimated, while resampling single trials would greatly underestimate it. Of N units N - 1 are
    drawn: with N draws the variance would be too small by the factor (N - 1) / N, which for three seeds is 2 / 3. The
    random numbers depend only on the two counts.

    References
    ----------
    Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007; Rao and Wu, "Resampling inference with complex
    survey data", JASA 1988, for the number of draws (both from memory of the literature, verified numerically by
    tests/paper_repro/test_verdicts.py).
    """
    if not cells or not seeds:
        return Measured(math.nan, None, None, limit, cells, seeds, slack)
    value = float(statistic(np.ones((1, cells)), np.ones((1, seeds)))[0])
    enough = cells >= UNITS and seeds >= 2 if over_cells else seeds >= UNITS
    if not enough:
        return Measured(value, None, None, limit, cells, seeds, slack)
    drawn = statistic(*_multiplicities(cells, seeds))
    drawn = drawn[~np.isnan(drawn)]
    low = float(np.quantile(drawn, (1 - LEVEL) / 2, method="lower"))
    high = float(np.quantile(drawn, (1 + LEVEL) / 2, method="higher"))
    return Measured(value, low, high, limit, cells, seeds, slack)


@functools.lru_cache(maxsize=64)
def _multiplicities(cells: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    generator = arrays.generator(arrays.seed_sequence("verdicts", cells, seeds))
    # one fewer than there are, which corrects the variance of a mean for few units
    first, second = (generator.multinomial(max(n - 1, 1), [1 / n] * n, DRAWS).astype(float) for n in (cells, seeds))
    return first, second


def _means(values: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the mean of each cell over the drawn seeds, shape (draws, cells); NaN if none was drawn."""
    known = ~np.isnan(values)
    total, count = (seeds @ part.T for part in (np.where(known, values, 0.0), known.astype(float)))
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _least(means: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return the smallest mean among the drawn cells; NaN if there is none."""
    there = (cells > 0) & ~np.isnan(means)
    least = np.where(there, means, np.inf).min(axis=1)
    return np.where(there.any(axis=1), least, np.nan)
