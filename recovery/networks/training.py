"""Training masked networks of one shape, several at once: the inner loop of pruning."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from planted import arrays
from recovery.networks.adam import Adam
from recovery.networks.compaction import Compact
from recovery.networks.losses import loss_and_gradient
from recovery.networks.mlp import Passes, Shapes

__all__ = ["Clock", "Job", "Trainer"]


class Clock:
    """Says when the time is up.

    Parameters
    ----------
    time_limit : float or None
        Seconds from now.
    """

    def __init__(self, time_limit: float | None) -> None:
        self._end = None if time_limit is None else time.perf_counter() + time_limit

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self._end is not None and time.perf_counter() > self._end


@dataclass
class Job:
    """One network that is to be trained.

    Attributes
    ----------
    problem : int
        Which targets are its own.
    weights : array, shape (N,)
        Zero where `keep` is False; replaced by training.
    keep : array of bool, shape (N,)
        The mask.
    rng : numpy.random.Generator
        Orders the rows of batches.
    snapshot : array or None
        Weights after the asked-for number of updates.
    n_iter : int
        Updates made.
    """

    problem: int
    weights: Any
    keep: Any
    rng: np.random.Generator
    snapshot: Any = None
    n_iter: int = 0


class Trainer:
    """The data that networks of one shape are trained on.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs, shared by all networks.
    Y : array, shape (P, n, k)
        Targets of P problems.
    shapes : Shapes
        The layers of all networks.
    loss : {"squared", "cross_entropy"}
        What is minimised.
    factor : float
        Times its gradient.
    batch_size : int or None
        Rows an update sees.
    compact : bool, default True
        Leave out what has no effect; False is the plain version, for comparison.
    """

    def __init__(
        self,
        X: Any,
        Y: Any,
        shapes: Shapes,
        loss: str,
        factor: float,
        batch_size: int | None,
        *,
        compact: bool = True,
    ) -> None:
        self.xp, self.X, self.Y, self.shapes, self.loss, self.factor = arrays.namespace(X), X, Y, shapes, loss, factor
        self.n = int(X.shape[0])
        self.size = self.n if batch_size is None else min(batch_size, self.n)
        self.compact = compact
        self._limit: int | None = None  # of bytes of activations, once memory ran out

    def train(
        self,
        jobs: list[Job],
        steps: range,
        rate: Callable[[int], float],
        clock: Clock,
        snapshot_at: int | None = None,
    ) -> None:
        """Make masked Adam updates, with a fresh state, on all jobs at once.

        Parameters
        ----------
        jobs : list of Job
            Their weights are replaced.
        steps : range
            Numbers of the updates.
        rate : callable
            Learning rate of an update, given its number.
        clock : Clock
            Ends the training early.
        snapshot_at : int, optional
            Keep the weights after so many of these updates in the jobs' ``snapshot``.

        Notes
        -----
        Each job makes the updates that it would make alone. A network without a path of kept weights has no
        gradient and is left as it is. No update synchronises with a GPU.
        """
        xp = self.xp
        small, live = self._compact(jobs)
        for job in jobs:
            job.n_iter += len(steps)
            if snapshot_at is not None:
                job.snapshot = job.weights
        if not live:
            return
        jobs = live
        whole = xp.stack([job.weights for job in jobs])
        weights = small.gather(whole)
        passes = Passes(small.shapes, weights, self.loss, self.factor, limit=self._limit)
        adam = Adam(weights, small.mask.astype(weights.dtype))
        X, which = small.inputs_of(self.X), [job.problem for job in jobs]
        targets = self._targets(which)
        orders = _Orders([job.rng for job in jobs], self.n, self.size)
        number = xp.asarray(np.arange(len(jobs)))[:, None]
        for done, step in enumerate(steps):
            if clock.over:
                for job in jobs:
                    job.n_iter -= len(steps) - done
                break
            if done == snapshot_at:
                kept = small.scatter(weights, whole)
                for i, job in enumerate(jobs):
                    job.snapshot = kept[i]
            if self.size == self.n:
                inputs, wanted = X, targets
            else:
                rows = orders.next(xp)
                inputs = X[rows[0]] if len(jobs) == 1 else X[rows]
                wanted = targets[number, rows]
            _, gradient = passes.gradient(weights, inputs, wanted)
            adam.step(weights, gradient, rate(step))
        self._limit = passes.limit
        whole = small.scatter(weights, whole)
        for i, job in enumerate(jobs):
            job.weights = whole[i]
            if snapshot_at is not None and snapshot_at >= len(steps):
                job.snapshot = whole[i]

    def outputs(self, jobs: list[Job]) -> Any:
        """Return the outputs of all jobs' networks on all rows, shape (B, n, k)."""
        xp = self.xp
        small, live = self._compact(jobs)
        found = xp.zeros((len(jobs), self.n, self.shapes.layers[-1][1]), dtype=self.X.dtype)
        if live:
            weights = small.gather(xp.stack([job.weights for job in live]))
            passes = Passes(small.shapes, weights, self.loss, limit=self._limit)
            result = passes.outputs(weights, small.inputs_of(self.X))
            self._limit = passes.limit
            place = {id(job): i for i, job in enumerate(live)}
            for i, job in enumerate(jobs):
                if id(job) in place:
                    found[i] = result[place[id(job)]]
        return found

    def losses(self, jobs: list[Job], outputs: Any) -> np.ndarray:
        """Return n times the mean loss of all jobs, shape (B,), on the host."""
        value = loss_and_gradient(outputs, self._targets([job.problem for job in jobs]), self.loss).value
        return self.n * arrays.to_numpy(value)

    def _targets(self, which: list[int]) -> Any:
        if which == list(range(int(self.Y.shape[0]))):
            return self.Y
        return self.Y[self.xp.asarray(np.array(which))]

    def _compact(self, jobs: list[Job]) -> tuple[Compact, list[Job]]:
        """Return the small networks of the jobs that are not zero functions, and these jobs."""
        keep = self.xp.stack([job.keep for job in jobs])
        if not self.compact:
            return _Whole(self.shapes, keep), jobs
        small = Compact(self.shapes, keep)
        if bool(small.live.all()):
            return small, jobs
        live = [job for job, alive in zip(jobs, small.live, strict=True) if alive]
        return (Compact(self.shapes, self.xp.stack([job.keep for job in live])) if live else small), live


class _Whole(Compact):
    """Everything, in place of the live parts."""

    def __init__(self, shapes: Shapes, masks: Any) -> None:
        self.shapes, self.mask = shapes, masks
        self._all_inputs = True

    def gather(self, flat: Any) -> Any:
        return flat.copy()

    def scatter(self, parts: Any, flat: Any) -> Any:
        return parts.copy()


class _Orders:
    """Batches of row numbers, each network in its own random order, new in each epoch.

    A last batch of fewer rows is joined to the one before.
    """

    def __init__(self, rngs: list[np.random.Generator], n: int, size: int) -> None:
        self.rngs, self.n, self.size = rngs, n, size
        self._queue: list[Any] = []

    def next(self, xp: Any) -> Any:
        """Return row numbers, shape (B, rows)."""
        if not self._queue:
            order = np.stack([rng.permutation(self.n) for rng in self.rngs])
            count = max(1, self.n // self.size)
            bounds = [self.size * i for i in range(count)] + [self.n]
            parts = [np.sort(order[:, a:b], axis=1) for a, b in pairwise(bounds)]
            # one copy to the device an epoch
            rows = xp.asarray(np.concatenate(parts, axis=1))
            self._queue = [rows[:, a:b] for a, b in pairwise(bounds)]
        return self._queue.pop(0)
