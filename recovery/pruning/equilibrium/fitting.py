"""The loop: train an epoch with the units that learn, measure similarities, choose the units of the next epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.mlp.losses import loss_and_gradient
from recovery.pruning.equilibrium import costs
from recovery.pruning.equilibrium.arranged import Arranged
from recovery.pruning.equilibrium.rules import Freezing, Seen
from recovery.pruning.equilibrium.similarity import similarities, unit_outputs
from recovery.pruning.equilibrium.state import State
from recovery.pruning.equilibrium.updates import AdamSteps, SGDSteps
from recovery.pruning.equilibrium.velocity import next_velocity

__all__ = ["Loop", "Task"]

ORDER, CHOICE = 0, 1
"""Purposes of random numbers: the order of rows, and a rule's choice of units."""


@dataclass(frozen=True)
class Task:
    """What is trained on, and how; everything has been checked.

    Attributes
    ----------
    X, Y : array, shapes (n, d) and (n, k)
        Inputs and targets.
    V : array, shape (q, d), or None
        Validation inputs, whose labels nobody asks for.
    loss : {"squared", "cross_entropy"}
        What is minimised.
    factor : float
        Times its gradient.
    steps : SGDSteps or AdamSteps
        The optimiser.
    epochs, batch_size : int
        How long, and how many rows an update sees; a last batch of fewer rows is joined to the one before.
    rate : callable
        Learning rate as a function of the share of all updates that are made.
    """

    X: Any
    Y: Any
    V: Any
    loss: str
    factor: float
    steps: SGDSteps | AdamSteps
    epochs: int
    batch_size: int
    rate: Callable[[float], float]

    @property
    def per_epoch(self) -> int:
        """Updates in an epoch."""
        return max(1, int(self.X.shape[0]) // self.batch_size)

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the rows of an epoch's batches, each in ascending order."""
        n = int(self.X.shape[0])
        if self.per_epoch == 1:
            return [np.arange(n)]
        cuts = [self.batch_size * i for i in range(1, self.per_epoch)]
        return [np.sort(part) for part in np.split(rng.permutation(n), cuts)]


class Loop:
    """A training that freezes units by a rule.

    Parameters
    ----------
    task : Task
        Data and settings.
    rule : Freezing
        Chooses units.
    state : State
        Where it starts; changed epoch by epoch, each time as a whole.
    may : tuple of bool
        For each layer whether its units may be frozen.
    compare : callable
        ``compare(before, after)`` returns similarities of a layer's units.
    signal : str
        As in :func:`recovery.pruning.equilibrium.similarity.unit_outputs`.
    """

    def __init__(self, task: Task, rule: Freezing, state: State, may: tuple[bool, ...], **measure: Any) -> None:
        self.task, self.rule, self.state, self.may = task, rule, state, may
        self.compare = measure.get("compare", similarities)
        self.signal = measure.get("signal", "activation")
        self.shapes = [(int(layer.shape[0]), int(layer.shape[1])) for layer in state.layers]
        n, none = int(task.X.shape[0]), [0] * len(self.shapes)
        self.total = task.epochs * task.per_epoch
        backward = task.epochs * costs.backward_operations(self.shapes, none, n)
        forward = task.epochs * costs.forward_operations(self.shapes, n)
        counted = backward if getattr(rule, "counted", "backward") == "backward" else backward + forward
        self.last = rule.last_update(self.total, counted)
        self.scale = self.last if getattr(rule, "compressed", False) else self.total
        self.failed = False
        self._outputs: list[Any] | None = None  # on the validation inputs, after the last epoch

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.failed or self.state.n_updates >= self.last or self.state.n_epochs >= self.task.epochs

    def epoch(self) -> None:
        """Make one epoch; where numbers get out of range the state stays as it was, and :attr:`failed` is set."""
        state, task = self.state, self.task
        with np.errstate(over="ignore", invalid="ignore"):
            before = self._measure(state) if task.V is not None and self._outputs is None else self._outputs
            network = Arranged(state.layers, state.biases, state.slots, state.frozen)
            loss, rates, rows = self._train(network)
            layers, biases, slots = network.restored()
            sums = sum(part.sum() for part in (*layers, *(biases or [])))
            if not np.isfinite(loss) or not np.isfinite(float(sums)):
                self.failed = True
                return
        n_updates = state.n_updates + len(rates)
        epoch_rng = state.rng(CHOICE)
        state.masks.append(state.frozen)
        state.costs.append(self._cost(network, rows))
        state.layers, state.biases, state.slots, state.n_updates = layers, biases, slots, n_updates
        if task.V is not None:
            self._outputs = self._measure(state)
            self._remember(before, self._outputs)
        state.losses.append(loss)
        state.rates.append(float(np.mean(rates)))
        state.frozen = self._next(epoch_rng)

    def _train(self, network: Arranged) -> tuple[float, list[float], int]:
        """Make the updates of an epoch; return the mean loss, the learning rates and the rows that were seen."""
        task, xp = self.task, network.xp
        Y, batches = network.targets(task.Y), task.batches(self.state.rng(ORDER))
        start, total, rates, rows = self.state.n_updates, 0.0, [], 0
        for number, batch in enumerate(batches[: self.last - start]):
            if len(batches) == 1:
                X, wanted = task.X, Y
            else:
                places = xp.asarray(batch)
                X, wanted = task.X[places], Y[places]
            values = network.forward(X)
            value, outward = loss_and_gradient(values[-1], wanted, task.loss)
            if task.factor != 1.0:
                outward = outward * task.factor
            rates.append(task.rate((start + number) / self.scale))
            task.steps.step(network, network.backward(values, outward), rates[-1])
            total = total + value * len(batch)
            rows += len(batch)
        return float(total) / rows, rates, rows

    def _cost(self, network: Arranged, rows: int) -> costs.EpochCost:
        frozen = [int(mask.sum()) for mask in self.state.frozen]
        watched = 0 if self.task.V is None else int(self.task.V.shape[0])
        return costs.EpochCost(
            rows=rows,
            validation_rows=watched,
            forward=costs.forward_operations(self.shapes, rows + watched),
            executed=network.executed,
            booked=costs.booked_operations(self.shapes, frozen, rows),
            published=costs.booked_operations(self.shapes, frozen, rows, "published"),
            full=costs.backward_operations(self.shapes, [0] * len(frozen), rows),
        )

    def _measure(self, state: State) -> list[Any]:
        return unit_outputs(state.layers, state.biases, self.task.V, self.signal)

    def _remember(self, before: Any, after: list[Any]) -> None:
        """Put similarities, their changes and velocities on record."""
        state, rule = self.state, self.rule
        phi = [
            arrays.to_numpy(self.compare(old, new)).astype(np.float64) for old, new in zip(before, after, strict=True)
        ]
        ones = [np.ones(layer.size) for layer in phi]
        nothing = [np.zeros(layer.size) for layer in phi]
        last = state.phi[-1] if state.phi else ones
        change = [new - old for new, old in zip(phi, last, strict=True)]
        last_change = state.change[-1] if state.change else nothing
        last_velocity = state.velocity[-1] if state.velocity else nothing
        velocity = [
            next_velocity(one, old, speed, rule.mu, rule.filter)
            for one, old, speed in zip(change, last_change, last_velocity, strict=True)
        ]
        state.phi.append(phi)
        state.change.append(change)
        state.velocity.append(velocity)

    def _next(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the units that are frozen in the next epoch."""
        state = self.state
        seen = Seen(
            n_epochs=state.n_epochs,
            phi=state.history("phi"),
            change=state.history("change"),
            velocity=state.history("velocity"),
            frozen=[mask.copy() for mask in state.frozen],
            may=self.may,
            rates=np.array(state.rates),
            rng=rng,
        )
        found = self.rule.frozen(seen)
        if len(found) != len(self.shapes):
            raise ValueError(f"{type(self.rule).__name__} returned {len(found)} mask(s); expected {len(self.shapes)}")
        chosen = []
        for mask, may, (_, width) in zip(found, self.may, self.shapes, strict=True):
            mask = np.asarray(mask, dtype=bool)
            if mask.shape != (width,):
                raise ValueError(
                    f"{type(self.rule).__name__} returned a mask of shape {mask.shape}; expected {(width,)}"
                )
            chosen.append(mask if may else np.zeros(width, dtype=bool))
        return chosen
