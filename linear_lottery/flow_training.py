"""Exact gradient flow as the training of a pruning method, and ``linear_lottery.imp`` as such a method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from linear_lottery._imp import Schedule, how_many
from linear_lottery.flow import gradient_flow
from planted.base.checks import check_integer, check_number
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.masks import Masks
from recovery.pruning.frame import Frame
from recovery.pruning.method import Method
from recovery.pruning.schedules import Rule
from recovery.pruning.training import Step, Task, Trained, Trains

__all__ = ["Blocks", "Flow", "imp_method"]


@dataclass(frozen=True)
class Flow(Trains):
    """Gradient flow of a linear model with squared loss, in closed form, as the training of a pruning method.

    Parameters
    ----------
    flow_time : float, default inf
        Training time, at least 0; ``inf`` trains to convergence.
    n_points : int, default 1
        Number of equidistant points in time that observers see and that fractions of the training refer to; more than
        one needs a finite `flow_time`.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    Weights within the masks, and biases, follow :func:`linear_lottery.gradient_flow`, separately for each output. There
    are no batches, and nothing is random. `cost` counts as executed n m min(n, m) multiply-adds for m weights of an
    output, the order of the cost of a decomposition, and no passes. The recorded loss is that of all rows at the end.

    Examples
    --------
    >>> import numpy as np
    >>> from recovery import pruning
    >>> method = pruning.catalogue(Flow())["magnitude"]
    >>> result = pruning.prune(np.zeros(3), (np.eye(3), np.array([0.1, -3.0, 2.0])), method, sparsity=2)
    >>> result.model.layers[0]
    array([ 0., -3.,  2.])
    """

    flow_time: float = math.inf
    n_points: int = 1

    def __post_init__(self) -> None:
        flow_time = check_number(self.flow_time, "flow_time", minimum=0, finite=False)
        points = check_integer(self.n_points, "n_points", minimum=1)
        if points > 1 and math.isinf(flow_time):
            raise ValueError(
                f"n_points={points} with an infinite flow_time; expected a finite flow_time, or n_points=1"
            )

    def total(self, n_samples: int) -> int:
        """Return the number of points."""
        return self.n_points

    def train(self, task: Task) -> Trained:
        """Train a linear model.

        Parameters
        ----------
        task : Task
            The start, the data and the observers.

        Returns
        -------
        Trained
            The end of the training.

        Raises
        ------
        ValueError
            If the model has hidden layers or another loss.
        """
        model = task.model
        if len(model.layers) > 1 or model.loss != "squared":
            raise ValueError(f"Flow trains linear models with squared loss only; got {model!r}")
        frame = Frame(model)
        X, y, masks = frame.inputs(task.data.X), task.data.y, task.masks
        until = self.n_points if task.until is None else min(task.until, self.n_points)
        vector, kept, made = frame.flat(model), {}, 0
        if task.first in task.keep_at:
            kept[task.first] = model
        watched = bool(task.observers or task.keep_at or task.dynamics or task.stop)
        points = range(task.first, until) if watched or until <= task.first else range(until - 1, until)
        before = task.first
        for point in points:
            time = self.flow_time if self.n_points == 1 else self.flow_time * (point + 1 - before) / self.n_points
            before, made = point + 1, made + 1
            _, gradient = frame.passes(vector).gradient(vector, X, y)
            gradient = gradient.copy()
            task.cost.executed += _move(frame, vector, masks, (X, y), time)
            seen = Step(point + 1, self.n_points, frame, vector, gradient=gradient, X=X, y=y)
            if task.dynamics is not None:
                changed = task.dynamics.update(seen, masks, task.rng)
                if changed is not None:
                    masks, layers = changed
                    for place, layer in zip(frame.layers(vector), layers, strict=True):
                        place[...] = layer
            for observer in task.observers:
                observer.step(seen)
            if point + 1 in task.keep_at:
                kept[point + 1] = frame.model(vector)
            if task.stop is not None and task.stop():
                break
        loss = math.nan
        if made:
            wide = frame.shapes.split(vector)[0][0]
            loss = float(loss_and_gradient(X @ wide, y, "squared").value)
        return Trained(frame.model(vector), masks, made, loss, kept)


def _move(frame: Frame, vector: Any, masks: Masks, data: tuple[Any, Any], time: float) -> int:
    """Train the weights of each output, in place; return the multiply-adds."""
    X, y = data
    weights, free = (frame.shapes.split(value)[0][0] for value in (vector, frame.free(masks.layers)))
    n, spent = int(X.shape[0]), 0
    for k in range(int(weights.shape[1])):
        active = free[:, k] != 0
        m = int(active.sum())
        spent += n * m * min(n, m)
        if m:
            weights[:, k] = gradient_flow(X, y[:, k], weights[:, k].copy(), time, active)
    return spent


@dataclass(frozen=True)
class Blocks(Rule):
    """A schedule of :func:`linear_lottery.imp` as one of :mod:`recovery.pruning`.

    Parameters
    ----------
    schedule : {"one-by-one", "one-shot"}, float or int
        As in :func:`linear_lottery.imp`.
    """

    schedule: Schedule = "one-by-one"

    def __post_init__(self) -> None:
        how_many(self.schedule)

    def __call__(self, total: int, sparsity: int) -> list[int]:
        """Return the counts."""
        goes, counts = how_many(self.schedule), [total]
        while counts[-1] > sparsity:
            counts.append(max(sparsity, counts[-1] - goes(counts[-1])))
        return counts[1:] or counts


def imp_method(schedule: Schedule = "one-by-one", *, flow_time: float = math.inf) -> Method:
    """Return :func:`linear_lottery.imp` as a pruning method.

    Parameters
    ----------
    schedule : {"one-by-one", "one-shot"}, float or int, default "one-by-one"
        Number of weights pruned per round.
    flow_time : float, default inf
        Training time of each round.

    Returns
    -------
    Method
        For :func:`recovery.pruning.prune` of an array of weights, which is `w0`.

    Notes
    -----
    The masks are those of :func:`imp`, bit for bit, unless two magnitudes at the boundary differ by less than the
    rounding error of a training. :func:`imp` prunes the larger index among all weights within its tolerance, so that
    the result is the same on all machines; here only bitwise equal magnitudes are ties, among which the larger index is
    pruned too.

    Examples
    --------
    >>> import numpy as np
    >>> from recovery import pruning
    >>> data = (np.eye(4), np.array([0.1, -3.0, 0.2, 2.0]))
    >>> result = pruning.prune(np.zeros(4), data, imp_method(), sparsity=2)
    >>> result.masks.layers[0][:, 0]
    array([False,  True, False,  True])
    """
    return Method(
        "linear-imp",
        "magnitude",
        schedule=Blocks(schedule),
        rewind="start",
        training=Flow(flow_time),
        retraining="same",
    )
