"""Forecast of the remaining time of a sweep: the experiment's cost estimates, corrected by measured times.

Cost estimates have no unit, are off by a factor that differs between methods, and ignore each cell's fixed overhead. So
the time of a cell is forecast from finished cells, and from how long running cells have taken so far.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

__all__ = ["Forecast", "Task"]

MEMORY = 0.95
"""Factor by which a finished task's weight decays with each later task of its kind: cells run in order of decreasing
cost, so the latest are most similar to those still waiting."""
SLOPE_PRIOR = 0.5
"""Strength of the prior that a slope is half-way between 1 and that of all kinds, as a sum of squares of log cost."""
KIND_PRIOR = 0.3
"""Strength of the prior that kinds are alike: this many finished tasks on the common line of all kinds."""
SPREAD_PRIOR = 0.3
"""Prior standard deviation of the log of a time around its forecast; counts as one task."""
NEW_SPREAD = 0.7
"""The same for a kind without any finished task."""


@dataclass(frozen=True)
class Task:
    """Cells that are computed in one call.

    Parameters
    ----------
    key : hashable
        Which they are.
    kind : hashable
        Tasks of one kind take about the same time per unit of cost.
    cost : float
        Estimated, positive, in any unit.
    """

    key: Hashable
    kind: Hashable
    cost: float


def _exp(value: float) -> float:
    return math.exp(min(value, 600.0))


@dataclass(frozen=True)
class _Law:
    """log(seconds) = factor + slope log(cost), and the residual standard deviation."""

    factor: float
    slope: float
    spread: float

    def middle(self, cost: float) -> float:
        return self.factor + self.slope * math.log(cost)

    def mean(self, cost: float) -> float:
        return _exp(self.middle(cost) + self.spread**2 / 2)

    def left(self, cost: float, elapsed: float) -> float:
        """Return the expected remaining time of a task that has been running for `elapsed` seconds.

        Notes
        -----
        The conditional mean of a log-normal time T with parameters mu, s: E[T | T > e] = exp(mu + s^2 / 2)
        Phi(s - z) / Phi(-z) with z = (log(e) - mu) / s, minus e; derived here. A task more than two standard deviations
        beyond its forecast contradicts it: s is then increased until z = 2, so that the remaining time grows with e, up
        to e itself.
        """
        if elapsed <= 0.0:
            return self.mean(cost)
        beyond = math.log(elapsed) - self.middle(cost)
        spread = max(self.spread, beyond / 2.0)
        z = beyond / spread
        mean = _exp(self.middle(cost) + spread**2 / 2)
        total = mean * math.erfc((z - spread) / math.sqrt(2)) / math.erfc(z / math.sqrt(2))
        return max(min(total - elapsed, max(elapsed, mean)), 0.0)


class Forecast:
    """The remaining time of a list of tasks that several workers process in order.

    Parameters
    ----------
    tasks : sequence of Task
        In the order in which they are started.

    Notes
    -----
    The log of a task's time is taken to be linear in the log of its cost, with one line per kind: weighted least
    squares over the finished tasks, shrunk towards the line of all kinds, with the slope shrunk towards 1. A running
    task that exceeds its forecast counts with its updated expected time, so it corrects waiting tasks of its kind. The
    remaining time is obtained by assigning the tasks in order, each to the first free worker.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._waiting = {task.key: task for task in tasks}
        self._running: dict[Hashable, tuple[Task, float]] = {}
        self._done: list[tuple[Task, float]] = []

    def start(self, key: Hashable, now: float) -> None:
        """Record the start of a task at a time in seconds."""
        self._running[key] = self._waiting.pop(key), now

    def finish(self, key: Hashable, seconds: float | None) -> None:
        """Record the end of a task and its duration; None if that is not informative, as after a failure."""
        task, _ = self._running.pop(key)
        if seconds is not None:
            self._done.append((task, max(seconds, 1e-6)))

    def left(self, now: float, workers: int) -> float | None:
        """Return the time until all tasks are finished.

        Parameters
        ----------
        now : float
            The time, in seconds, by the clock of `start`.
        workers : int
            Number of tasks that run at once, including those already running.

        Returns
        -------
        float or None
            Seconds; None as long as there are no measurements to base it on.
        """
        if not self._running and not self._waiting:
            return 0.0
        if not self._done:
            return None
        laws = self._laws(self._done)
        overdue = [
            (task, now - started + laws[task.kind].left(task.cost, now - started))
            for task, started in self._running.values()
            if now - started > _exp(laws[task.kind].middle(task.cost))
        ]
        if overdue:
            laws = self._laws([*self._done, *overdue])
        free = [laws[task.kind].left(task.cost, now - started) for task, started in self._running.values()]
        free += [0.0] * (max(workers, 1) - len(free))
        heapq.heapify(free)
        for task in self._waiting.values():
            heapq.heapreplace(free, free[0] + laws[task.kind].mean(task.cost))
        return max(free)

    def _laws(self, measured: Sequence[tuple[Task, float]]) -> dict[Hashable, _Law]:
        """Return the law of every kind."""
        kinds: dict[Hashable, list[tuple[float, float]]] = {task.kind: [] for task in self._waiting.values()}
        kinds |= {task.kind: [] for task, _ in self._running.values()}
        points = [(math.log(task.cost), math.log(seconds)) for task, seconds in measured]
        for (task, _), point in zip(measured, points, strict=True):
            kinds.setdefault(task.kind, []).append(point)
        proportional = _Law(sum(y - x for x, y in points) / len(points), 1.0, NEW_SPREAD)
        common = _line(points, proportional)
        return {kind: _line(own, common) for kind, own in kinds.items()}


def _line(points: Sequence[tuple[float, float]], prior: _Law) -> _Law:
    """Fit a line to (log cost, log seconds), shrunk towards another law, which is returned if there are no points."""
    if not points:
        return _Law(prior.factor, prior.slope, NEW_SPREAD)
    weights = [MEMORY**age for age in reversed(range(len(points)))]
    total = sum(weights)
    x_mean = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    y_mean = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    y_mean = (total * y_mean + KIND_PRIOR * (prior.factor + prior.slope * x_mean)) / (total + KIND_PRIOR)
    squares = sum(w * (x - x_mean) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    products = sum(w * (x - x_mean) * (y - y_mean) for w, (x, y) in zip(weights, points, strict=True))
    slope = min(max((products + SLOPE_PRIOR * (1.0 + prior.slope) / 2.0) / (squares + SLOPE_PRIOR), 0.0), 2.0)
    factor = y_mean - slope * x_mean
    rest = sum(w * (y - factor - slope * x) ** 2 for w, (x, y) in zip(weights, points, strict=True))
    return _Law(factor, slope, min(math.sqrt((rest + SPREAD_PRIOR**2) / (total + 1.0)), 1.0))
