"""All rows at once, or minibatches of them in a new random order every epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from recovery.operators import GatedOperator

__all__ = ["Batches"]


class Batches:
    """The data of a fit, as operators without gates of their own.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    y : array, shape (n,) or (n, k)
        Targets.
    batch_size : int or None
        Rows a step sees; None, or n and more, means all.
    rng : numpy.random.Generator
        Orders the rows of each epoch; a last batch of fewer rows is joined to the one before.

    Attributes
    ----------
    full : GatedOperator
        Operator of all rows, to be given gates by ``regate``.
    epoch : int
        Number of epochs that were finished before the current batch.
    peak : float
        max |y|.
    """

    def __init__(self, X: Any, y: Any, batch_size: int | None, rng: np.random.Generator) -> None:
        self.X, self.y = X, y
        n = int(X.shape[0])
        self.size = n if batch_size is None else min(batch_size, n)
        self.minibatch = self.size < n
        # one all-true gate: the operator is given its gates by `regate`
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
        """Return the next batch as (operator without gates of its own, targets)."""
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
