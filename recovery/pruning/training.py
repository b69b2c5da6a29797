"""Training of a masked model, both for the path on which masks are found and for the training after pruning."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from recovery.mlp.masks import Masks
from recovery.mlp.training import Adam, Orders
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data
from recovery.pruning.frame import Frame
from recovery.pruning.model import Model

__all__ = ["Decay", "RateSchedule", "Sgd", "Step", "Task", "Trained", "Training", "Trains"]

RateSchedule: TypeAlias = Literal["constant", "cosine", "steps"] | Callable[[float], float]
"""Learning rate schedule: a name, or a function that maps the completed fraction of training to a factor."""


@dataclass(frozen=True)
class Decay:
    """A learning rate that falls geometrically to `last` times the initial rate in the last of `total` updates."""

    last: float
    total: int

    def __call__(self, share: float) -> float:
        """Return the factor after a fraction of the training."""
        return float(self.last ** (share * self.total / max(1, self.total - 1)))


class Step:
    """Information given to observers and dynamics after an update.

    Parameters
    ----------
    n_iter : int
        Index of the update, from 1.
    total : int
        Total number of updates.
    frame : Frame
        Layout of the weights in vectors.
    vector, gradient : array, shape (1, size)
        Weights after the update, and the gradient with respect to all weights that was used for it. Do not modify them.
    X, y : array
        The batch: inputs (with a column of ones if there are biases) and targets of shape (n, k).
    """

    def __init__(self, n_iter: int, total: int, frame: Frame, vector: Any, *, gradient: Any, X: Any, y: Any) -> None:
        self.n_iter, self.total, self.frame, self.vector, self.flat_gradient = n_iter, total, frame, vector, gradient
        self.inputs, self.y = X, y

    @property
    def weights(self) -> list[Any]:
        """Views of the weights after the update, one array per layer."""
        return self.frame.layers(self.vector)

    @property
    def gradient(self) -> list[Any]:
        """Views of the gradient before the update, including masked weights."""
        return self.frame.layers(self.flat_gradient)

    @property
    def model(self) -> Model:
        """The model after the update, a copy."""
        return self.frame.model(self.vector)


@dataclass
class Task:
    """Specification of a training.

    Parameters
    ----------
    model : Model
        The initial model; weights outside the masks are zero.
    masks : Masks
        Weights that may be trained.
    data : Data
        The result of :meth:`Data.fit_to`.
    rng : numpy.random.Generator
        Orders the rows of batches.
    cost : Cost
        The cost of the training is added to it.
    observers : sequence of object
        Their ``step(step)`` is called after each update.
    first : int, default 0
        Number of updates that count as already made.
    keep_at : sequence of int
        Update counts after which the model is stored.
    until : int, optional
        Index of the last update; by default all are made.
    dynamics : object, optional
        Changes the masks during training: ``update(step, masks) -> (masks, layers) or None`` is called after each
        update.
    stop : callable, optional
        Called after each update; returning True ends the training.
    """

    model: Model
    masks: Masks
    data: Data
    rng: np.random.Generator
    cost: Cost
    observers: Sequence[Any] = ()
    first: int = 0
    keep_at: Sequence[int] = ()
    until: int | None = None
    dynamics: Any = None
    stop: Callable[[], bool] | None = None


@dataclass
class Trained:
    """Result of a training.

    Parameters
    ----------
    model : Model
        Where it ended.
    masks : Masks
        The final masks; those of the task unless dynamics changed them.
    n_iter : int
        Number of updates made.
    loss : float
        Mean loss of the last batch before its update; NaN if no update was made.
    kept : dict of int to Model
        The models requested by `keep_at`.
    diverged : bool
        Whether weights or loss overflowed; the model is then the last finite one stored.
    details : object
        Additional information from the training; usually None.
    """

    model: Model
    masks: Masks
    n_iter: int
    loss: float
    kept: dict[int, Model] = field(default_factory=dict)
    diverged: bool = False
    details: Any = None


class Trains(ABC):
    """Base class of trainings for masked models.

    Derive from it to prune with your own training; :class:`Training` makes gradient steps, and ``linear_lottery.Flow``
    is the exact gradient flow of a linear model.
    """

    @abstractmethod
    def total(self, n_samples: int) -> int:
        """Return the number of updates of a full training on this many samples; path points are fractions of it."""

    @abstractmethod
    def train(self, task: Task) -> Trained:
        """Train a model."""


class Sgd:
    """Stochastic gradient descent with momentum, v <- momentum v + g, w <- w - rate v, in place.

    Parameters
    ----------
    weights : array
        The weights that steps will change; only their shape, dtype and device are used.
    momentum : float
        From 0 to below 1. These are PyTorch's formulas.
    """

    def __init__(self, weights: Any, momentum: float) -> None:
        self.xp, self.momentum = arrays.namespace(weights), momentum
        self.velocity = self.xp.zeros_like(weights)
        self._scratch = self.xp.zeros_like(weights)

    def step(self, weights: Any, gradient: Any, rate: float) -> None:
        """Make one step, in place; the gradient is not modified."""
        xp = self.xp
        xp.multiply(self.velocity, self.momentum, out=self.velocity)
        xp.add(self.velocity, gradient, out=self.velocity)
        xp.multiply(self.velocity, rate, out=self._scratch)
        xp.subtract(weights, self._scratch, out=weights)

    def restrict(self, free: Any) -> None:
        """Reset the velocity of weights where `free` is 0."""
        self.xp.multiply(self.velocity, free, out=self.velocity)


class _Adam(Adam):
    """Adam whose state can be reset for some weights."""

    def restrict(self, free: Any) -> None:
        """Reset the running means of weights where `free` is 0."""
        self.xp.multiply(self.mean, free, out=self.mean)
        self.xp.multiply(self.square, free, out=self.square)


@dataclass(frozen=True)
class Training(Trains):
    """Gradient steps on batches.

    Parameters
    ----------
    n_iter : int, optional
        Number of updates of a full training. Give either this or `epochs`.
    epochs : float, optional
        Passes over the data, instead of `n_iter`. An epoch has floor(n / batch_size) updates, but at least one.
    batch_size : int, optional
        Rows per update; n or more, or None, means all.
    learning_rate : float, default 1e-3
        Of the first update.
    optimiser : {"adam", "sgd"}, default "adam"
        Adam with PyTorch's defaults, or gradient descent with `momentum`.
    momentum : float, default 0.9
        Of ``"sgd"``.
    weight_decay : float, default 0
        Coefficient of the weights added to the gradient; biases are decayed too.
    schedule : {"constant", "cosine", "steps"} or callable, default "constant"
        After a fraction t of the training the learning rate is `learning_rate` times 1 (``"constant"``), (1 + cos pi t)
        / 2 (``"cosine"``), or 1, .1 and .01 from t = 0, 1/2 and 3/4 on (``"steps"``); or times the value of the
        function at t.
    mean_outputs : bool, default False
        For the squared loss, use the gradient of the mean of all n k squares, as PyTorch does.

    Raises
    ------
    TypeError, ValueError
        If a value is out of range, or not exactly one of `n_iter` and `epochs` is given.

    Notes
    -----
    A training starts with a fresh optimiser state. Weights outside the masks stay exactly zero: their gradient is
    zeroed before each update. An update does not synchronise with a GPU. The order of the rows comes from the generator
    of the task; without batches nothing is drawn.

    Examples
    --------
    >>> Training(epochs=10, batch_size=60, learning_rate=1.2e-3).total(60_000)
    10000
    """

    n_iter: int | None = None
    epochs: float | None = None
    batch_size: int | None = None
    learning_rate: float = 1e-3
    optimiser: Literal["adam", "sgd"] = "adam"
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: RateSchedule = "constant"
    mean_outputs: bool = False

    def __post_init__(self) -> None:
        if (self.n_iter is None) == (self.epochs is None):
            raise ValueError(f"n_iter={self.n_iter!r} and epochs={self.epochs!r}; expected exactly one of them")
        if self.n_iter is not None:
            object.__setattr__(self, "n_iter", check_integer(self.n_iter, "n_iter", minimum=0))
        else:
            object.__setattr__(self, "epochs", check_number(self.epochs, "epochs", minimum=0.0))
        if self.batch_size is not None:
            object.__setattr__(self, "batch_size", check_integer(self.batch_size, "batch_size", minimum=1))
        if check_number(self.learning_rate, "learning_rate", minimum=0.0) == 0:
            raise ValueError("learning_rate=0; expected a positive number")
        check_choice(self.optimiser, "optimiser", ("adam", "sgd"))
        if check_number(self.momentum, "momentum", minimum=0.0) >= 1:
            raise ValueError(f"momentum={self.momentum}; expected a number from 0 to below 1")
        check_number(self.weight_decay, "weight_decay", minimum=0.0)
        if not callable(self.schedule):
            check_choice(self.schedule, "schedule", ("constant", "cosine", "steps"))

    def total(self, n_samples: int) -> int:
        """Return the number of updates of a full training on this many samples."""
        if self.n_iter is not None:
            return self.n_iter
        size = n_samples if self.batch_size is None else min(self.batch_size, n_samples)
        return round(float(self.epochs or 0) * max(1, n_samples // size))

    def rate(self, step: int, total: int) -> float:
        """Return the learning rate of update `step`, from 0, of `total`."""
        share = step / total
        if callable(self.schedule):
            return self.learning_rate * self.schedule(share)
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * share)) / 2
        if self.schedule == "steps":
            return self.learning_rate * (1.0 if share < 0.5 else 0.1 if share < 0.75 else 0.01)
        return self.learning_rate

    @np.errstate(over="ignore", invalid="ignore")  # a diverging run is reported in the result
    def train(self, task: Task) -> Trained:
        """Train a model.

        Parameters
        ----------
        task : Task
            The initial model, the data and the observers.

        Returns
        -------
        Trained
            Where it ended.
        """
        n, frame = task.data.n_samples, Frame(task.model)
        xp, total, masks = frame.xp, self.total(n), task.masks
        until = total if task.until is None else min(task.until, total)
        vector, free = frame.flat(task.model), frame.free(masks.layers)
        restricted = bool(frame.biased) or masks.count < frame.plain.size
        passes = frame.passes(vector, mean_outputs=self.mean_outputs)
        X, y = frame.inputs(task.data.X), task.data.y
        size = n if self.batch_size is None else min(self.batch_size, n)
        orders = Orders([task.rng], n, size)
        optimiser: Any = _Adam(vector) if self.optimiser == "adam" else Sgd(vector, self.momentum)
        kept = {0: task.model} if 0 in task.keep_at else {}
        used, value, dense = xp.empty_like(vector), None, getattr(task.dynamics, "dense_gradient", False)
        made = 0
        for step in range(task.first, until):
            if size == n:
                inputs, wanted = X, y
            else:
                rows = orders.next(xp)[0]
                inputs, wanted = X[rows], y[rows]
            value, gradient = passes.gradient(vector, inputs, wanted)
            task.cost.add(frame.plain, int(inputs.shape[0]), kept=masks.count, backward=True)
            used[...] = gradient
            if self.weight_decay:
                used += self.weight_decay * vector
            if restricted and not dense:
                used *= free
            elif frame.biased:
                used *= frame.free()
            optimiser.step(vector, used, self.rate(step, total))
            made += 1
            seen = Step(step + 1, total, frame, vector, gradient=gradient, X=inputs, y=wanted)
            if task.dynamics is not None:
                changed = task.dynamics.update(seen, masks, task.rng)
                if changed is not None:
                    masks, layers = changed
                    for place, layer in zip(frame.layers(vector), layers, strict=True):
                        place[...] = layer
                    free, restricted = frame.free(masks.layers), True
                    optimiser.restrict(free)
            for observer in task.observers:
                observer.step(seen)
            if step + 1 in task.keep_at and bool(xp.isfinite(vector).all()):
                kept[step + 1] = frame.model(vector)
            if task.stop is not None and task.stop():
                break
        loss = math.nan if value is None else float(value[0])
        if not bool(xp.isfinite(vector).all()):
            last = kept[max(kept)] if kept else task.model
            return Trained(last, masks, made, math.inf, kept, diverged=True)
        return Trained(frame.model(vector), masks, made, loss, kept)
