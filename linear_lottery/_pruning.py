"""Common parts of all pruning routes: tie-breaking, refits, and the assembly of a path."""

from __future__ import annotations

import heapq
import math
from functools import cached_property
from typing import Any

import numpy as np

from linear_lottery.flow import reduced, trained
from linear_lottery.path import PruningPath
from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_array, check_same_rows
from recovery.operators.ranks import column_norms

__all__ = ["Problem", "Refits", "assemble", "first_to_go"]

TIE = 20.0
"""Magnitudes of refits count as equal up to this multiple of :func:`Problem.rounding`; duplicated columns differed by
7.4."""

"""Everything is computed in float64, whatever the type of the data."""

SAFE_EXPONENT = 200
"""X and y are not rescaled if their largest entries lie between 2^-e and 2^e, since all is computed in float64."""


class Problem:
    """Validated data of a pruning run, scaled so that squares neither overflow nor underflow.

    Scaling is by powers of two, which is exact: with X 2^-a and y 2^-b the weights are scaled by 2^(a - b), and
    time by 2^(2 a). Data of ordinary size are not copied.
    """

    def __init__(self, X: Any, y: Any, w0: Any, t: float) -> None:
        X = check_array(X, "X", ndim=2)
        y = check_array(y, "y", ndim=1)
        check_same_rows(X, "X", y, "y")
        xp = arrays.namespace(X, y)
        if w0 is None:
            w0 = xp.zeros(X.shape[1], dtype=np.result_type(X.dtype, y.dtype))
        w0 = check_array(w0, "w0", ndim=1, shape=(X.shape[1],))
        self.xp = xp = arrays.namespace(X, y, w0)
        self.dtype = np.result_type(X.dtype, y.dtype, w0.dtype)
        X, y, w0 = (value.astype(self.dtype) if value.dtype != self.dtype else value for value in (X, y, w0))
        self.start = w0
        self.n, self.d = X.shape
        self.X, self.y, self.w0, self.t = self._scaled(X, y, w0, t)
        long = self.y.astype(np.float64)
        self.y_norm = xp.sqrt((long * long).sum())

    @cached_property
    def reduced(self) -> tuple[Any, Any]:
        """X and y in float64, or, for n > d, a triangular factor and Q'y that give the same training on d rows."""
        return reduced(self.xp, self.X, self.y)

    def _scaled(self, X: Any, y: Any, w0: Any, t: float) -> tuple[Any, Any, Any, float]:
        largest = self.xp.stack([abs(value).max() for value in (X, y, w0)])
        x_size, y_size, w_size = (math.frexp(value)[1] if value else None for value in largest.tolist())
        safe = SAFE_EXPONENT
        a = x_size or 0
        sizes = [size for size in (y_size, None if w_size is None else w_size + a) if size is not None]
        b = max(sizes, default=0)
        self.exponent = 0
        if abs(a) <= safe and abs(b) <= safe and abs(b - a) <= safe:
            return X, y, w0, t
        self.exponent = b - a
        try:
            t = math.ldexp(t, 2 * a)
        except OverflowError:  # all modes that move have converged
            t = math.inf
        return self._times(X, -a), self._times(y, -b), self._times(w0, a - b), t

    def _times(self, values: Any, exponent: int) -> Any:
        """Return values * 2^exponent, in float64."""
        values, largest = values.astype(np.float64), 1000
        while exponent:
            step = max(-largest, min(largest, exponent))
            values, exponent = values * 2.0**step, exponent - step
        return values

    def scaled(self, size: float) -> float:
        """Return a magnitude of weights, at least 0, on the scale of the problem."""
        largest = float(np.finfo(np.float64).max)
        try:
            return min(math.ldexp(size, -self.exponent), largest)
        except OverflowError:
            return largest

    def unscaled(self, weights: Any) -> Any:
        """Return weights on the caller's scale."""
        return self._times(weights, self.exponent)

    def rounding(self, gain: Any, weights: Any, norms: Any) -> Any:
        """Return the size of rounding errors in weights, shape ().

        `gain` is the largest norm of a row of the matrix that takes y to the weights, and `norms` are those of the
        columns.
        """
        xp = self.xp
        reach = norms * weights
        return EPS * (gain * (self.y_norm + xp.sqrt((reach * reach).sum())) + xp.abs(weights).max())


def first_to_go(magnitude: np.ndarray, count: int, tolerance: float) -> np.ndarray:
    """Return the positions of the `count` smallest magnitudes, in the order of pruning.

    One after another the smallest is pruned; among those that exceed it by no more than `tolerance`, the one with the
    largest position, so that among equal weights those with smaller indices stay.
    """
    if not tolerance < np.inf:  # weights out of range, so nothing is known
        tolerance = np.inf
    if count == 1:  # the same rule without sorting, since this takes most of the time
        return np.flatnonzero(magnitude <= magnitude.min() + tolerance)[-1:]
    rank = np.argsort(magnitude, kind="stable")
    ascending = magnitude[rank]
    if not np.any(np.diff(ascending[: count + 1]) <= tolerance):
        return rank[:count]
    gone = np.zeros(len(rank), dtype=bool)
    equals: list[int] = []
    picked: list[int] = []
    low = high = 0
    while len(picked) < count:
        while gone[rank[low]]:
            low += 1
        while high < len(rank) and ascending[high] <= ascending[low] + tolerance:
            heapq.heappush(equals, -int(rank[high]))
            high += 1
        picked.append(-heapq.heappop(equals))
        gone[picked[-1]] = True
    return np.array(picked, dtype=np.int64)


class Refits:
    """Retraining from the start in every round: valid for every X, every start and every time."""

    name = "refit"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.kept = np.arange(problem.d)
        self._train()

    def _train(self) -> None:
        problem, xp = self.problem, self.problem.xp
        (X, y), w0 = problem.reduced, problem.w0.astype(np.float64)
        self.index = None
        if len(self.kept) < problem.d:
            self.index = index = xp.asarray(self.kept)
            X, w0 = X[:, index], w0[index]
        self.weights, gain = trained(X, y, w0, problem.t, problem.n, problem.dtype)
        # the start's component in the row space cancels, up to rounding
        size = xp.concatenate([self.weights, w0])
        self.tolerance = TIE * problem.rounding(gain.max(), size, column_norms(xp, X).max())

    def write(self, row: Any) -> None:
        """Write the weights into a row of zeros, shape (d,)."""
        row[... if self.index is None else self.index] = self.weights

    def magnitudes(self) -> tuple[np.ndarray, float]:
        """Return |w| of the survivors on the CPU, and the tolerance for ties; one synchronisation."""
        xp = self.problem.xp
        host = arrays.to_numpy(xp.concatenate([xp.abs(self.weights), self.tolerance.reshape(1)]))
        return host[:-1], float(host[-1])

    def remove(self, positions: np.ndarray) -> None:
        """Prune survivors by their positions, and train the rest, if any."""
        self.kept = np.delete(self.kept, positions)
        if len(self.kept):
            self._train()


def assemble(
    problem: Problem, route: str, weights: Any, order: list[int], sizes: list[int], settled: bool = True
) -> PruningPath:
    """Return the path for weights pruned in a known order, and whether the run was completed."""
    xp, d = problem.xp, problem.d
    rounds = np.repeat(np.arange(1, len(sizes)), -np.diff(sizes))
    gone_by = np.full(d, len(sizes))
    gone_by[order] = rounds
    masks = xp.asarray(gone_by)[None, :] > xp.arange(len(sizes))[:, None]
    return PruningPath(
        masks=masks,
        weights=problem.unscaled(weights).astype(problem.dtype),
        order=xp.asarray(np.array(order, dtype=np.int64)),
        support=xp.asarray(np.flatnonzero(gone_by == len(sizes)).astype(np.int64)),
        w0=problem.start.copy(),  # the caller may modify the array that was passed
        sizes=tuple(sizes),
        route=route,
        success=settled,
    )
