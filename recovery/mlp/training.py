"""Simultaneous training of several masked networks of equal shape: the inner loop of pruning."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.masks import Compact
from recovery.mlp.passes import Passes, Shapes
from recovery.operators.gated import GatedOperator
from recovery.solvers.base import Clock

__all__ = ["Adam", "Batches", "Job", "Orders", "Trainer"]


class Adam:
    """Adam on weights of which some are held at zero.

    Parameters
    ----------
    weights : array, shape (...)
        The weights that :meth:`step` will change; only their shape, dtype and device are used here.
    mask : array, shape of the weights, optional
        1 where a weight may be non-zero, 0 where it is held at zero, in the type of the weights.
    betas : tuple of float, default (0.9, 0.999)
        Decay of the running means of gradient and squared gradient.
    eps : float, default 1e-8
        Added to the square root of the mean square.

    Notes
    -----
    m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, w <- w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps),
    and then w <- w * mask: leftover momentum cannot revive a masked weight. These are PyTorch's formulas and defaults.
    A step allocates no memory and does not synchronise.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015 (from memory of the
       literature; tests/recovery/test_adam.py compares with a plain version, and with PyTorch where it is installed).
    """

    def __init__(
        self, weights: Any, mask: Any = None, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        self.xp = arrays.namespace(weights)
        self.mask, self.betas, self.eps = mask, betas, eps
        self.mean, self.square = self.xp.zeros_like(weights), self.xp.zeros_like(weights)
        self._scratch = self.xp.zeros_like(weights)
        self.n_steps = 0

    def step(self, weights: Any, gradient: Any, learning_rate: float) -> None:
        """Make one step, in place.

        Parameters
        ----------
        weights : array
            Changed in place.
        gradient : array, shape of the weights
            Not changed.
        learning_rate : float
            The learning rate.
        """
        xp, scratch = self.xp, self._scratch
        first, second = self.betas
        self.n_steps += 1
        xp.multiply(gradient, 1.0 - first, out=scratch)
        xp.multiply(self.mean, first, out=self.mean)
        xp.add(self.mean, scratch, out=self.mean)
        xp.multiply(gradient, gradient, out=scratch)
        xp.multiply(scratch, 1.0 - second, out=scratch)
        xp.multiply(self.square, second, out=self.square)
        xp.add(self.square, scratch, out=self.square)
        xp.sqrt(self.square, out=scratch)
        xp.multiply(scratch, 1.0 / math.sqrt(1.0 - second**self.n_steps), out=scratch)
        xp.add(scratch, self.eps, out=scratch)
        xp.divide(self.mean, scratch, out=scratch)
        xp.multiply(scratch, learning_rate / (1.0 - first**self.n_steps), out=scratch)
        xp.subtract(weights, scratch, out=weights)
        if self.mask is not None:
            xp.multiply(weights, self.mask, out=weights)


@dataclass
class Job:
    """One network to be trained.

    Attributes
    ----------
    problem : int
        Index of its targets.
    weights : array, shape (N,)
        Zero where `keep` is False; replaced by training.
    keep : array of bool, shape (N,)
        The mask.
    rng : numpy.random.Generator
        Orders the rows of batches.
    snapshot : array or None
        Weights after the requested number of updates.
    n_iter : int
        Number of updates made.
    """

    problem: int
    weights: Any
    keep: Any
    rng: np.random.Generator
    snapshot: Any = None
    n_iter: int = 0


class Trainer:
    """Trains networks of equal shape on given data.

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
        Factor applied to its gradient.
    batch_size : int or None
        Rows per update; None means all.
    """

    def __init__(
        self,
        X: Any,
        Y: Any,
        shapes: Shapes,
        loss: str,
        factor: float,
        batch_size: int | None,
    ) -> None:
        self.xp, self.X, self.Y, self.shapes, self.loss, self.factor = arrays.namespace(X), X, Y, shapes, loss, factor
        self.n = int(X.shape[0])
        self.size = self.n if batch_size is None else min(batch_size, self.n)
        self._limit: int | None = None  # limit on bytes of activations, set once memory has run out

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
            Indices of the updates.
        rate : callable
            Returns the learning rate of an update, given its index.
        clock : Clock
            Ends the training early.
        snapshot_at : int, optional
            Store the weights after this many of these updates in the jobs' ``snapshot``.

        Notes
        -----
        Each job makes the same updates as it would alone. A network without a path of kept weights has no gradient and
        is left unchanged. No update synchronises with a GPU.
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
        orders = Orders([job.rng for job in jobs], self.n, self.size)
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
        """Return the compacted networks of the jobs that are not zero functions, and these jobs."""
        keep = self.xp.stack([job.keep for job in jobs])
        small = Compact(self.shapes, keep)
        if bool(small.live.all()):
            return small, jobs
        live = [job for job, alive in zip(jobs, small.live, strict=True) if alive]
        return (Compact(self.shapes, self.xp.stack([job.keep for job in live])) if live else small), live


class Orders:
    """Batches of row indices, in a separate random order for each network, redrawn in each epoch.

    Parameters
    ----------
    rngs : list of numpy.random.Generator
        Sources of the row order, one generator per network.
    n : int
        Number of rows.
    size : int
        Rows per batch. A smaller last batch is merged into the one before.
    """

    def __init__(self, rngs: list[np.random.Generator], n: int, size: int) -> None:
        self.rngs, self.n, self.size = rngs, n, size
        self._queue: list[Any] = []

    def next(self, xp: Any) -> Any:
        """Return row indices, shape (B, rows)."""
        if not self._queue:
            order = np.stack([rng.permutation(self.n) for rng in self.rngs])
            count = max(1, self.n // self.size)
            bounds = [self.size * i for i in range(count)] + [self.n]
            parts = [np.sort(order[:, a:b], axis=1) for a, b in pairwise(bounds)]
            # one copy to the device per epoch
            rows = xp.asarray(np.concatenate(parts, axis=1))
            self._queue = [rows[:, a:b] for a, b in pairwise(bounds)]
        return self._queue.pop(0)


class Batches:
    """The data of a fit, as operators that get their gates later.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    y : array, shape (n,) or (n, k)
        Targets.
    batch_size : int or None
        Rows per step; None, or at least n, means all.
    rng : numpy.random.Generator
        Source of the row order in each epoch; a smaller last batch is merged into the one before.

    Attributes
    ----------
    full : GatedOperator
        Operator of all rows, which gets its gates by ``regate``.
    epoch : int
        Number of epochs completed before the current batch.
    peak : float
        max |y|.
    """

    def __init__(self, X: Any, y: Any, batch_size: int | None, rng: np.random.Generator) -> None:
        self.X, self.y = X, y
        n = int(X.shape[0])
        self.size = n if batch_size is None else min(batch_size, n)
        self.minibatch = self.size < n
        # a single gate that is always open: the operator gets its gates by `regate`
        self.full = GatedOperator.from_generators(X, _zero_generator(X))
        self.xp = self.full.xp
        self.peak = float(self.xp.abs(y).max())
        self.epoch = -1
        self._rng = rng
        self._queue: list[np.ndarray] = []

    def first(self) -> tuple[GatedOperator, Any]:
        """Return the first batch (or all of the data)."""
        return self.next() if self.minibatch else (self.full, self.y)

    def next(self) -> tuple[GatedOperator, Any]:
        """Return the next batch as (operator that gets its gates later, targets)."""
        X, y = self.next_rows()
        return GatedOperator.from_generators(X, _zero_generator(X)), y

    def rows(self) -> tuple[Any, Any]:
        """Return the first batch (or all of the data) as (inputs, targets)."""
        return self.next_rows() if self.minibatch else (self.X, self.y)

    def next_rows(self) -> tuple[Any, Any]:
        """Return the next batch as (inputs, targets)."""
        if not self._queue:
            order = self._rng.permutation(int(self.X.shape[0]))
            count = max(1, len(order) // self.size)
            self._queue = np.split(order, [self.size * i for i in range(1, count)])
            self.epoch += 1
        rows = self.xp.asarray(np.sort(self._queue.pop(0)))
        return self.X[rows], self.y[rows]


def _zero_generator(X: Any) -> Any:
    return (X[:1].T * 0).astype(X.dtype)
