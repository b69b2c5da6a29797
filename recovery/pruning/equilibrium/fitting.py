"""The training loop: train an epoch with the learning units, measure similarities, choose the next epoch's units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.training import Orders
from recovery.pruning.equilibrium import costs
from recovery.pruning.equilibrium.arranged import Arranged
from recovery.pruning.equilibrium.rules import Freezing, Seen
from recovery.pruning.equilibrium.similarity import unit_outputs
from recovery.pruning.equilibrium.state import State
from recovery.pruning.equilibrium.updates import AdamSteps, SGDSteps
from recovery.pruning.equilibrium.velocity import next_velocity

__all__ = ["Loop", "Plan"]


@dataclass(frozen=True)
class Plan:
    """The validated data and settings of a training.

    Attributes
    ----------
    X, Y : array, shapes (n, d) and (n, k)
        Inputs and targets.
    V : array, shape (q, d), or None
        Validation inputs (labels are not needed); with None nothing is measured.
    loss : {"squared", "cross_entropy"}
        What is minimised.
    factor : float
        Factor applied to its gradient.
    steps : SGDSteps or AdamSteps
        The optimiser.
    batch_size : int
        Rows per update; a smaller last batch is merged into the one before.
    total : int
        Updates of the whole training.
    rate : callable
        ``rate(step, total)`` is the learning rate of an update.
    rule : Freezing
        Chooses the units.
    may : tuple of bool
        For each layer, whether its units may be frozen.
    compare : callable
        ``compare(before, after)`` returns the similarities of a layer's units.
    signal : {"activation", "preactivation"}
        What counts as a unit's output.
    """

    X: Any
    Y: Any
    V: Any
    loss: str
    factor: float
    steps: SGDSteps | AdamSteps
    batch_size: int
    total: int
    rate: Callable[[int, int], float]
    rule: Freezing
    may: tuple[bool, ...]
    compare: Callable[[Any, Any], Any]
    signal: str = "activation"


class Loop:
    """A training that freezes units.

    Parameters
    ----------
    plan : Plan
        Data, settings and rule.
    state : State
        The starting state; it is updated as a whole after each epoch.
    masks : sequence of array of bool, optional
        Weights that may be non-zero; all by default.
    until : int, optional
        Index of the last update, if it is not the last one of the plan.
    keep_at : sequence of int
        Update counts after which layers and biases are stored in :attr:`kept`.
    stop : callable, optional
        Called after each update; returning True ends the training.

    Attributes
    ----------
    failed, stopped : bool
        Whether an overflow occurred, and whether `stop` ended the training.
    kept : dict of int to (layers, biases)
        The snapshots requested by `keep_at`.
    """

    def __init__(
        self,
        plan: Plan,
        state: State,
        masks: Sequence[Any] | None = None,
        *,
        until: int | None = None,
        keep_at: Sequence[int] = (),
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self.plan, self.state, self.masks, self.keep_at, self.stop = plan, state, masks, keep_at, stop
        self.shapes = [(int(layer.shape[0]), int(layer.shape[1])) for layer in state.layers]
        n, none = int(plan.X.shape[0]), [0] * len(self.shapes)
        self.size = min(plan.batch_size, n)
        self.per_epoch = max(1, n // self.size)
        rows = n * plan.total // self.per_epoch
        backward = costs.backward_operations(self.shapes, none, rows)
        forward = costs.forward_operations(self.shapes, rows)
        self.last = min(plan.rule.last_update(plan.total, backward, forward), plan.total)
        self.scale = self.last if plan.rule.compressed else plan.total
        if until is not None:
            self.last = min(self.last, until)
        self.failed = self.stopped = False
        self.kept: dict[int, tuple[list[Any], list[Any] | None]] = {}
        if state.n_updates in keep_at:
            self.kept[state.n_updates] = state.layers, state.biases
        self._outputs: list[Any] | None = None  # on the validation inputs, after the last epoch

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.failed or self.stopped or self.state.n_updates >= self.last

    def epoch(self) -> None:
        """Make one epoch; on overflow the state is left unchanged and :attr:`failed` is set."""
        state, plan = self.state, self.plan
        with np.errstate(over="ignore", invalid="ignore"):
            if plan.V is not None and self._outputs is None:
                self._outputs = self._measure()
            network = Arranged(state.layers, state.biases, state.slots, state.frozen, self.masks)
            loss, rates, rows = self._train(network)
            layers, biases, slots = network.restored()
            total = float(sum(part.sum() for part in (*layers, *(biases or []))))
            if not np.isfinite(loss + total):
                self.failed = True
                return
        state.masks.append(state.frozen)
        state.costs.append(self._cost(network, rows))
        state.layers, state.biases, state.slots = layers, biases, slots
        state.n_updates += len(rates)
        state.losses.append(loss)
        state.rates.append(float(np.mean(rates)))
        if plan.V is not None:
            before, self._outputs = self._outputs, self._measure()
            self._remember(before, self._outputs)
        state.frozen = self._next()

    def _train(self, network: Arranged) -> tuple[float, list[float], int]:
        """Make the updates of an epoch; return the mean loss, the learning rates and the number of rows seen."""
        plan, xp, n = self.plan, network.xp, int(self.plan.X.shape[0])
        Y, orders = network.targets(plan.Y), Orders([self.state.rng], n, self.size)
        total, rates, seen = 0.0, [], 0
        for step in range(self.state.n_updates, min(self.state.n_updates + self.per_epoch, self.last)):
            X, wanted = plan.X, Y
            if self.size < n:
                rows = orders.next(xp)[0]
                X, wanted = X[rows], Y[rows]
            values = network.forward(X)
            value, outward = loss_and_gradient(values[-1], wanted, plan.loss)
            if plan.factor != 1.0:
                outward = outward * plan.factor
            rates.append(plan.rate(step, self.scale))
            plan.steps.step(network, network.backward(values, outward), rates[-1])
            total, seen = total + value * int(X.shape[0]), seen + int(X.shape[0])
            if step + 1 in self.keep_at:
                self.kept[step + 1] = network.restored()[:2]
            if self.stop is not None and self.stop():
                self.stopped = True
                break
        return float(total) / seen, rates, seen

    def _cost(self, network: Arranged, rows: int) -> costs.EpochCost:
        frozen = [int(mask.sum()) for mask in self.state.frozen]
        none = [0] * len(frozen)
        watched = 0 if self.plan.V is None else int(self.plan.V.shape[0])
        return costs.EpochCost(
            rows=rows,
            validation_rows=watched,
            forward=costs.forward_operations(self.shapes, rows + watched),
            executed=network.executed,
            counted=costs.counted_operations(self.shapes, frozen, rows),
            booked=costs.booked_operations(self.shapes, frozen, rows),
            full=costs.backward_operations(self.shapes, none, rows),
            booked_full=costs.booked_operations(self.shapes, none, rows),
        )

    def _measure(self) -> list[Any]:
        return unit_outputs(self.state.layers, self.state.biases, self.plan.V, self.plan.signal)

    def _remember(self, before: Any, after: list[Any]) -> None:
        """Record similarities, their changes and velocities."""
        state, rule = self.state, self.plan.rule
        phi = [
            arrays.to_numpy(self.plan.compare(old, new)).astype(np.float64)
            for old, new in zip(before, after, strict=True)
        ]
        ones, nothing = [np.ones(layer.size) for layer in phi], [np.zeros(layer.size) for layer in phi]
        change = [new - old for new, old in zip(phi, state.phi[-1] if state.phi else ones, strict=True)]
        last_change = state.change[-1] if state.change else nothing
        last_velocity = state.velocity[-1] if state.velocity else nothing
        velocity = [
            next_velocity(one, old, speed, rule.mu, rule.filter)
            for one, old, speed in zip(change, last_change, last_velocity, strict=True)
        ]
        state.phi.append(phi)
        state.change.append(change)
        state.velocity.append(velocity)

    def _next(self) -> list[np.ndarray]:
        """Return the units that are frozen in the next epoch."""
        state, plan = self.state, self.plan
        seen = Seen(
            n_epochs=state.n_epochs,
            phi=state.history("phi"),
            change=state.history("change"),
            velocity=state.history("velocity"),
            frozen=[mask.copy() for mask in state.frozen],
            may=plan.may,
            rates=np.array(state.rates),
            rng=state.choices(),
        )
        found, name = plan.rule.frozen(seen), type(plan.rule).__name__
        if len(found) != len(self.shapes):
            raise ValueError(f"{name} returned {len(found)} mask(s); expected {len(self.shapes)}, one per layer")
        chosen = []
        for mask, may, (_, width) in zip(found, plan.may, self.shapes, strict=True):
            host = np.asarray(mask, dtype=bool)
            if host.shape != (width,):
                raise ValueError(f"{name} returned a mask of shape {host.shape}; expected ({width},)")
            chosen.append(host if may else np.zeros(width, dtype=bool))
        return chosen
