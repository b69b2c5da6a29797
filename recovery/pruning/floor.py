"""Pruning of a network as far as possible while its accuracy stays above a floor."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from planted.base import arrays
from planted.base.checks import check_number
from planted.base.progress import Bar, Progress, bar
from planted.base.values import by_value
from recovery.mlp.masks import Masks
from recovery.pruning.catalogue import named
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data, data_sets
from recovery.pruning.method import Method
from recovery.pruning.model import Model, as_model
from recovery.pruning.pruning import prune
from recovery.pruning.schedules import OneShot
from recovery.pruning.scopes import Ratio, Scope, fits, select
from recovery.pruning.training import Task, Trained, Trains

__all__ = ["FloorResult", "prune_to_floor"]


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class FloorResult:
    """The sparsest model that still reaches the floor.

    Parameters
    ----------
    sparsity : int
        Number of weights left in the pruned layers.
    total : int
        Total number of weights of these layers.
    accuracy, dense_accuracy : float
        Of the pruned and of the dense model, on the held-out data.
    masks : Masks
        The weights that are kept.
    model : Model
        The pruned model.
    path : tuple of (int, float)
        Weights left and accuracy at each level tried; the last one may be below the floor.
    cost : Cost
        The total cost: training, scores, retraining, and the accuracies.
    evaluation : Cost
        The part spent on the accuracies.
    """

    sparsity: int
    total: int
    accuracy: float
    dense_accuracy: float
    masks: Masks
    model: Model
    path: tuple[tuple[int, float], ...]
    cost: Cost
    evaluation: Cost

    @property
    def pruned(self) -> float:
        """Fraction of the weights that is pruned."""
        return 1.0 - self.sparsity / self.total

    def __repr__(self) -> str:
        return (
            f"FloorResult({self.sparsity} of {self.total} weights, accuracy={self.accuracy:.4g}, "
            f"dense_accuracy={self.dense_accuracy:.4g}, levels={len(self.path)})"
        )


def prune_to_floor(
    model: Any,
    data: Any,
    method: str | Method | Sequence[Any],
    *,
    floor: float,
    step: float = 0.01,
    scope: Scope = "global",
    ratio: Ratio = "equal",
    rng: Any = None,
    progress: Progress = False,
) -> FloorResult:
    """Prune increasingly, until the accuracy falls below a floor.

    Parameters
    ----------
    model : Model, planted.ReLUNetwork, or array
        The initial model; if scores are given instead of a method, the model to prune.
    data : Data, (X, y), or dict of these
        The accuracy is measured on ``X_validation``, ``y_validation`` if available, else on the training data; for a
        method with several data sets, on those of the retraining.
    method : str, Method, or sequence of array
        A method or its name in the catalogue, or scores, one array per layer (larger scores are kept).
    floor : float
        The smallest acceptable accuracy, from 0 to 1.
    step : float, default 0.01
        Fraction of all weights that each level prunes in addition. Ignored for methods in rounds, whose schedule
        defines the levels.
    scope, ratio
        Where scores compete, if scores are given; a method has its own.
    rng : int, numpy.random.Generator or None
        Source of all that is random.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each level that
        was tried, with None for `total` until the end.

    Returns
    -------
    FloorResult
        The last level up to which all accuracies reach the floor.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type or out of range, the targets are not classes, or the dense model does not
        reach the floor.

    Notes
    -----
    A one-shot method without retraining is trained and scored once, and its scores are cut at one level after another,
    as in the BINGO paper. A method in rounds, such as magnitude pruning with rewinding, is run once; its levels are the
    counts of its rounds down to one weight, each model is trained under its mask, and pruning ends with the first one
    that falls below the floor. Other methods (with retraining, rewinding, or new weights) are rerun for each level,
    with the same random numbers if `rng` is an integer. The cost is what is actually computed.

    Accuracy is the fraction of rows whose largest output is at the position of the largest target.
    """
    check_number(floor, "floor", minimum=0.0, maximum=1.0)
    if check_number(step, "step", minimum=0.0, maximum=1.0) == 0:
        raise ValueError("step=0; expected a positive share of the weights")
    with bar(progress, user="prune_to_floor", unit="level") as shown:
        return _to_floor(as_model(model), data, method, floor, _Levels((), scope, ratio, step), rng=rng, shown=shown)


def _to_floor(
    start: Model, data: Any, method: Any, floor: float, levels: _Levels, *, rng: Any, shown: Bar
) -> FloorResult:
    """Prune until the accuracy falls below the floor; the places of `levels` are not known yet."""
    if isinstance(method, str):
        method = named(method)
    if not isinstance(method, Method):
        if isinstance(method, bytes) or arrays.is_array(method) or not isinstance(method, Sequence):
            raise TypeError(f"method is of type {type(method).__name__}; expected a Method, or a list of score arrays")
        scores = fits(method, start.shapes.layers, "method")
        meter = _Meter(start, data_sets(data, ("data",))[0].fit_to(start), floor, shown)
        meter.try_(start.n_weights, Masks.full(start.matrices), start)
        return _cut_down(meter, start, scores, replace(levels, places=tuple(range(len(scores)))), Cost())
    meter = _Meter(start, data_sets(data, method.data)[2].fit_to(start), floor, shown)
    places = method.pruned(len(start.layers))
    total = sum(start.shapes.layers[i][0] * start.shapes.layers[i][1] for i in places)
    if not isinstance(method.schedule, OneShot):
        if method.source == "start" or method.after is None:
            raise ValueError(
                f"method {method.name!r} prunes in rounds without a training in each; expected a one-shot method, or "
                "one that trains in each round"
            )
        return _in_rounds(meter, start, data, method.replace(training=_Watched(method.training, meter, places)), rng)
    if method.after is not None or method.weight_map is not None or method.rewind != "end":
        return _anew(meter, start, data, method, (total, levels.step), rng)
    result = prune(start, data, method, sparsity=total, rng=rng)
    point = result.path[-1].model or result.model
    meter.try_(total, Masks.full(point.matrices), point)
    found = _Levels(places, method.scope, method.ratio, levels.step)
    return _cut_down(meter, point, result.scores, found, result.cost)


class _Meter:
    """Measures accuracies and records the levels tried."""

    def __init__(self, model: Model, data: Data, floor: float, shown: Bar) -> None:
        self.floor, self.shown = floor, shown
        self.X = data.X if data.X_validation is None else data.X_validation
        self.y = data.y if data.X_validation is None else data.y_validation
        if model.widths[-1] < 2:
            raise ValueError("the model has one output, which has no accuracy; expected one output per class")
        self.cost = Cost()
        self.path: list[tuple[int, float]] = []
        self.dense_accuracy = 0.0
        self.best: tuple[int, float, Masks, Model] | None = None

    def accuracy(self, model: Model, kept: int) -> float:
        """Return the accuracy of a model, and count the pass."""
        self.cost.add(model.shapes, int(self.X.shape[0]), kept=kept)
        return float((model(self.X).argmax(axis=1) == self.y.argmax(axis=1)).sum()) / int(self.X.shape[0])

    def try_(self, left: int, masks: Masks, model: Model) -> bool:
        """Measure a level; return whether it reaches the floor."""
        accuracy = self.accuracy(model, masks.count)
        if not self.path:
            self.dense_accuracy = accuracy
            if accuracy < self.floor:
                raise ValueError(
                    f"floor={self.floor}, but the dense model has an accuracy of {accuracy:.4f}; expected a floor below"
                )
        self.path.append((left, accuracy))
        self.shown.step(note=f"{left} weights, accuracy {accuracy:.3f}")
        if accuracy < self.floor:
            return False
        self.best = (left, accuracy, masks, model)
        return True

    def result(self, total: int, cost: Cost) -> FloorResult:
        """Return the answer."""
        assert self.best is not None
        left, accuracy, masks, model = self.best
        return FloorResult(
            left, total, accuracy, self.dense_accuracy, masks, model, tuple(self.path), cost + self.cost, self.cost
        )


@dataclass(frozen=True)
class _Levels:
    """The layers to prune, the scope of their scores, and the steps."""

    places: tuple[int, ...]
    scope: Scope
    ratio: Ratio
    step: float

    def counts(self, total: int) -> list[int]:
        """Return how many weights are left at each level."""
        found: list[int] = []
        number = 1
        while not found or found[-1] > 0:
            count = max(0, round(total * (1.0 - number * self.step)))
            number += 1
            if count < (found[-1] if found else total):
                found.append(count)
        return found


def _cut_down(meter: _Meter, model: Model, scores: Sequence[Any], levels: _Levels, cost: Cost) -> FloorResult:
    """Prune the weights of one model at one level after another."""
    full = Masks.full(model.matrices)
    subset, chosen = Masks([full.layers[i] for i in levels.places]), [scores[i] for i in levels.places]
    total = subset.count
    for count in levels.counts(total):
        layers = list(full.layers)
        kept = select(chosen, subset, count, levels.scope, levels.ratio)
        for i, mask in zip(levels.places, kept.layers, strict=True):
            layers[i] = mask
        masks = Masks(layers)
        weights = masks.apply(model.matrices)
        if model.scalar:
            weights[-1] = weights[-1][:, 0]
        if not meter.try_(count, masks, model.replace(layers=weights)):
            break
    return meter.result(total, cost)


def _anew(meter: _Meter, start: Model, data: Any, method: Method, levels: tuple[int, float], rng: Any) -> FloorResult:
    """Run a method for one level after another; the first keeps all weights."""
    total, step = levels
    cost = Cost()
    for count in [total, *_Levels((), "global", "equal", step).counts(total)]:
        result = prune(start, data, method, sparsity=count, rng=rng)
        cost = cost + result.cost
        if not meter.try_(count, result.masks, result.model):
            break
    return meter.result(total, cost)


class _Below(Exception):
    """The accuracy fell below the floor."""


@dataclass(frozen=True)
class _Watched(Trains):
    """A training whose results are measured, and which stops the run below the floor."""

    inner: Trains
    meter: _Meter
    places: tuple[int, ...]
    costs: list[Cost] = field(default_factory=list)

    def total(self, n_samples: int) -> int:
        """Return how many updates there are."""
        return self.inner.total(n_samples)

    def train(self, task: Task) -> Trained:
        """Train, and measure."""
        trained = self.inner.train(task)
        self.costs[:] = [task.cost]
        left = sum(int(trained.masks.layers[i].sum()) for i in self.places)
        if not self.meter.try_(left, trained.masks, trained.model):
            raise _Below
        return trained


def _in_rounds(meter: _Meter, start: Model, data: Any, method: Method, rng: Any) -> FloorResult:
    """Run a method in rounds until a trained model falls below the floor."""
    watched = method.training
    assert isinstance(watched, _Watched)
    with contextlib.suppress(_Below):
        prune(start, data, method, sparsity=1, rng=rng)
    sizes = [a * b for a, b in start.shapes.layers]
    return meter.result(sum(sizes[i] for i in watched.places), watched.costs[0])
