"""``NEq``: training that freezes units, standalone or as part of a pruning method."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer
from recovery.mlp.masks import Masks
from recovery.pruning.checkpoint import fingerprint
from recovery.pruning.data import Data, data_sets
from recovery.pruning.equilibrium.fitting import Loop, Plan
from recovery.pruning.equilibrium.record import EpochState, EquilibriumRun, total
from recovery.pruning.equilibrium.rules import Equilibrium, Freezing
from recovery.pruning.equilibrium.similarity import SCALINGS, similarities
from recovery.pruning.equilibrium.state import State
from recovery.pruning.equilibrium.updates import AdamSteps, SGDSteps
from recovery.pruning.model import Model, as_model
from recovery.pruning.training import Task, Trained, Training, Trains

__all__ = ["NEq"]

LEAST_VALIDATION = 100
"""Default number of rows for measuring similarities, if there are that many."""


@dataclass(frozen=True)
class NEq(Trains):
    """Training in which units at equilibrium are frozen and skipped in the backward pass.

    Parameters
    ----------
    rule : Freezing, default Equilibrium()
        Rule that chooses the units to freeze: :class:`Equilibrium`, or one of its baselines, :class:`RandomFreezing`
        and :class:`EarlyStopping`.
    training : Training
        Epochs, batches, optimiser and learning rates. The default is the published setting for CIFAR-10 with fewer
        epochs: SGD with momentum 0.9, weight decay 5e-4, batches of 100, and a learning rate of 0.1 that falls tenfold
        at 1/2 and 3/4.
    n_validation : int, optional
        Number of rows for measuring similarities, drawn without replacement. By default all rows of
        ``data.X_validation``; if there are none, 1 % of the training rows, but at least 100.
    freeze_outputs : bool, default False
        Whether units of the last layer may be frozen too.
    signal : {"activation", "preactivation"}, default "activation"
        Whether a hidden unit's output is taken after the ReLU or before it.
    similarity : {"paper", "released"}, default "paper"
        See :func:`similarities`; ``"released"`` uses the training's batch size.
    one_sample : {"refuse", "warn"}, default "refuse"
        What to do if there is only one validation row.
    measure : bool, optional
        Whether similarities are recorded; by default only if the rule needs them.

    Raises
    ------
    TypeError, ValueError
        If an option is of the wrong type or out of range.

    Notes
    -----
    After each epoch the similarity phi of a unit is the cosine of its outputs on the validation rows with those of one
    epoch earlier. The rule sees phi, its change and its velocity, and chooses the units that are frozen in the next
    epoch. A frozen unit's weights and bias do not change: neither gradient nor weight decay affects them, and its
    momentum is set to zero. Its outputs are still computed in the forward pass.

    The released code computes all gradients and masks them. Here frozen units are omitted from the products: no weight
    gradient is computed for them, in the lowest learning layer no gradient with respect to their outputs either, and
    nothing below that layer. The resulting weights agree with those of masked training up to rounding; multiply-adds
    are counted in the products actually made.

    With a single sample a unit outputs a single number, whose cosine is -1, 0 or 1 whatever the unit learns, so a fully
    connected network cannot be measured on one row. "One image is enough" may hold for convolutions, whose units output
    many numbers per image.

    References
    ----------
    .. [1] A. Bragagnolo, E. Tartaglione, M. Grangetto, "To update or not to update? Neurons at equilibrium in deep
       models", NeurIPS 2022, arXiv:2207.09455.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((200, 5))
    >>> training = Training(epochs=5, batch_size=50, learning_rate=0.05, optimiser="sgd")
    >>> run = NEq(training=training).run(Model.draw((5, 8, 1), rng=0), (X, np.abs(X[:, 0])), rng=0)
    >>> run.n_epochs, run.frozen[0].shape, run.frozen[1].any()
    (5, (5, 8), np.False_)
    """

    rule: Freezing = field(default_factory=Equilibrium)
    training: Training = field(
        default_factory=lambda: Training(
            epochs=50, batch_size=100, learning_rate=0.1, optimiser="sgd", weight_decay=5e-4, schedule="steps"
        )
    )
    n_validation: int | None = None
    freeze_outputs: bool = False
    signal: Literal["activation", "preactivation"] = "activation"
    similarity: Literal["paper", "released"] = "paper"
    one_sample: Literal["refuse", "warn"] = "refuse"
    measure: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Freezing):
            raise TypeError(f"rule={self.rule!r}; expected Equilibrium(...), or another object derived from Freezing")
        if not isinstance(self.training, Training):
            raise TypeError(f"training={self.training!r}; expected a Training")
        if self.n_validation is not None:
            check_integer(self.n_validation, "n_validation", minimum=1)
        check_choice(self.signal, "signal", ("activation", "preactivation"))
        check_choice(self.similarity, "similarity", SCALINGS)
        check_choice(self.one_sample, "one_sample", ("refuse", "warn"))
        if self.measure is False and self.rule.measures:
            raise ValueError(f"measure=False, but {type(self.rule).__name__} needs similarities; expected None or True")

    def run(
        self,
        model: Any,
        data: Any,
        *,
        rng: Any = None,
        callback: Callable[[EpochState], Any] | None = None,
        checkpoint: str | Path | None = None,
    ) -> EquilibriumRun:
        """Train a network.

        Parameters
        ----------
        model : Model, planted.ReLUNetwork, or array of shape (d,) or (d, k)
            The initial model. An array is a linear model, in which units are frozen only with `freeze_outputs`.
        data : Data or (X, y)
            The training data, and the rows for measuring similarities.
        rng : int, numpy.random.Generator or None
            Source of the row order and of random rules.
        callback : callable, optional
            Called with an :class:`EpochState` after each epoch; returning True stops.
        checkpoint : path, optional
            File to which the state is written after each epoch. If it exists, training resumes from it, with bitwise
            the same result as without the interruption, which loses at most one epoch; model, data, settings and rng
            must be the same.

        Returns
        -------
        EquilibriumRun
            The trained model and the record of all units.

        Raises
        ------
        TypeError, ValueError
            If an argument is of the wrong type, data do not match the model, there is only one validation row, or the
            checkpoint belongs to another run.
        """
        model = as_model(model)
        if callback is not None and not callable(callback):
            raise TypeError(f"callback={callback!r} cannot be called; expected a function of one state")
        one = data_sets(data, ("data",))[0].fit_to(model)
        state = self._start(model, arrays.generator(rng))
        mark = fingerprint(model, one, self, state.rng.bit_generator.state) if checkpoint is not None else ""
        loop = Loop(self._plan(model, one, state), state)
        path = Path(checkpoint) if checkpoint is not None else None
        if path is not None and path.exists():
            state.load(path, mark)
        called_off = False
        while not (loop.over or called_off):
            loop.epoch()
            if loop.failed:
                break
            if path is not None:
                state.save(path, mark)
            called_off = callback is not None and callback(_seen(model, state)) is True
        return _record(model, loop, called_off and not loop.over)

    def total(self, n_samples: int) -> int:
        """Return the number of updates of a full training on this many samples."""
        return self.training.total(n_samples)

    def train(self, task: Task) -> Trained:
        """Train a masked model, as the training of a :class:`~recovery.pruning.Method`.

        Parameters
        ----------
        task : Task
            The initial model and the data. Weights outside its masks stay zero.

        Returns
        -------
        Trained
            The trained model, with the :class:`EquilibriumRun` in `details`.

        Raises
        ------
        ValueError
            If an observer, or dynamics that change the masks, need access to every update.
        """
        if task.observers or task.dynamics is not None:
            raise ValueError(
                "NEq does not expose single updates; expected no criterion that observes the path, and no dynamics"
            )
        state = self._start(task.model, task.rng)
        state.n_updates = task.first
        whole = task.masks.count == Masks.full(task.model.matrices).count
        loop = Loop(
            self._plan(task.model, task.data, state),
            state,
            None if whole else task.masks.layers,
            until=task.until,
            keep_at=task.keep_at,
            stop=task.stop,
        )
        while not loop.over:
            loop.epoch()
        run = _record(task.model, loop, stopped=False)
        task.cost.__dict__.update((task.cost + run.cost).__dict__)
        kept = {at: _model(task.model, *parts) for at, parts in loop.kept.items()}
        loss = math.inf if loop.failed else float(run.losses[-1]) if run.n_epochs else math.nan
        made = state.n_updates - task.first
        return Trained(run.model, task.masks, made, loss, kept, diverged=loop.failed, details=run)

    def _start(self, model: Model, rng: np.random.Generator) -> State:
        """Return the state before the first update."""
        layers = [layer.copy() for layer in model.matrices]
        biases = None if model.biases is None else [bias.copy() for bias in model.biases]
        frozen = [np.zeros(width, dtype=bool) for width in model.widths[1:]]
        # a rule's draws come from a hash of the generator's state, so the batches are the same as those of a Training
        text = json.dumps(rng.bit_generator.state, default=str, sort_keys=True).encode()
        words = np.frombuffer(hashlib.sha256(text).digest(), dtype="<u4")
        slots = self._steps().slots(layers, biases)
        return State(layers, biases, slots, frozen, rng, tuple(int(word) for word in words))

    def _steps(self) -> SGDSteps | AdamSteps:
        training = self.training
        if training.optimiser == "adam":
            return AdamSteps(training.weight_decay)
        return SGDSteps(training.momentum, training.weight_decay)

    def _plan(self, model: Model, data: Data, state: State) -> Plan:
        training, n, hidden = self.training, data.n_samples, len(model.layers) - 1
        size = n if training.batch_size is None else min(training.batch_size, n)
        return Plan(
            X=data.X,
            Y=data.y,
            V=self._watched(data, state),
            loss=model.loss,
            factor=2.0 / model.widths[-1] if training.mean_outputs and model.loss == "squared" else 1.0,
            steps=self._steps(),
            batch_size=size,
            total=training.total(n),
            rate=training.rate,
            rule=self.rule,
            may=(True,) * hidden + (self.freeze_outputs,),
            compare=partial(similarities, scaling=self.similarity, batch=size),
            signal=self.signal,
        )

    def _watched(self, data: Data, state: State) -> Any:
        """Return the rows on which similarities are measured, or None."""
        wanted = self.rule.measures if self.measure is None else self.measure
        if not wanted:
            return None
        held = data.X_validation is not None
        V = data.X_validation if held else data.X
        q = int(V.shape[0])
        count = self.n_validation
        if count is None:
            count = q if held else min(q, max(LEAST_VALIDATION, q // 100))
        if count > q:
            raise ValueError(f"n_validation={count} is more than the {q} row(s) there are; expected at most {q}")
        if count == 1:
            note = (
                "similarities are measured on 1 row; the cosine of a fully connected unit's single number is "
                "-1, 0 or 1 whatever it learns, so it carries no information about equilibrium"
            )
            if self.one_sample == "refuse":
                raise ValueError(f"{note}; expected at least 2 validation rows, preferably some hundreds")
            warnings.warn(note, RuntimeWarning, stacklevel=4)
        if count < q:
            rows = np.sort(state.choices().permutation(q)[:count])
            V = V[arrays.namespace(V).asarray(rows)]
        return V


def _seen(model: Model, state: State) -> EpochState:
    frozen, now = tuple(mask.copy() for mask in state.frozen), _model(model, state.layers, state.biases)
    return EpochState(state.n_epochs, state.losses[-1], frozen, total(state.costs), now)


def _model(model: Model, layers: list[Any], biases: list[Any] | None) -> Model:
    if model.scalar:
        layers = [*layers[:-1], layers[-1][:, 0]]
    return model.replace(layers=layers, biases=biases)


def _record(model: Model, loop: Loop, stopped: bool) -> EquilibriumRun:
    state, spent = loop.state, total(loop.state.costs)
    if loop.failed:
        how = f"overflow in epoch {state.n_epochs + 1}, the weights are those before it"
    elif stopped or loop.stopped:
        how = f"stopped after {state.n_epochs} epoch(s)"
    elif loop.last < loop.plan.total:
        how = f"ended after {state.n_updates} of {loop.plan.total} update(s)"
    else:
        how = f"trained for {state.n_epochs} epoch(s)"
    empty = tuple(np.zeros((0, width), dtype=bool) for _, width in loop.shapes)
    return EquilibriumRun(
        model=_model(model, state.layers, state.biases),
        frozen=tuple(state.history("masks")) or empty,
        phi=tuple(state.history("phi")),
        change=tuple(state.history("change")),
        velocity=tuple(state.history("velocity")),
        losses=np.array(state.losses),
        rates=np.array(state.rates),
        costs=tuple(state.costs),
        finished=not (loop.failed or stopped or loop.stopped),
        message=f"{how}; {spent.saved:.1%} of the backward pass saved, {spent.counted_saved:.1%} by frozen units",
    )
