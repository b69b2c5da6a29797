"""Pruning methods as values, with one field for each axis of the framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from planted.base.checks import check_choice, check_integer, check_number
from recovery.pruning.schedules import OneShot, Schedule
from recovery.pruning.scopes import Ratio, Scope
from recovery.pruning.training import Training, Trains

__all__ = ["Method", "Rewind", "Source"]

Source: TypeAlias = Literal["start", "end", "path"] | float
Rewind: TypeAlias = Literal["start", "end", "dense", "random"] | float
_RETRAINING = ("same", None)


@dataclass(frozen=True)
class Method:
    """A pruning method, w* = f3(m f2(w^(k2))) with m = f1(path).

    Parameters
    ----------
    name : str
        Name of the method, used only for display.
    criterion : str or callable
        f1: the name of a criterion (:mod:`recovery.pruning.criteria`), a function of a
        :class:`~recovery.pruning.View` that returns one array of scores per layer (larger scores are kept), or an
        object that observes the training (see Notes).
    source : {"start", "end", "path"} or float, default "end"
        k1: the point of the training path at which the criterion is evaluated: the initialisation, the end, after a
        fraction of the training, or the whole path.
    scope : {"global", "layer", "unit"}, default "global"
        Where scores compete.
    ratio : {"equal", "erdos-renyi"} or callable, default "equal"
        How many weights each layer keeps, unless the scope is global.
    schedule : Schedule, default OneShot()
        How many weights each round keeps. Each round trains (unless the source is the start), scores, prunes and
        rewinds.
    rewind : {"start", "end", "dense", "random"} or float, default "end"
        k2: the weights to which the mask is applied: the initialisation, the weights trained in the last round, the end
        of the dense training, new random weights, or those after a fraction of the dense training.
    between : optional
        Like `rewind`, for the rounds before the last; by default the same.
    weight_map : callable, optional
        f2: a function of (layers, masks, view) that returns the weights under the mask; None keeps them.
    training : Trains, optional
        The training that produces the path.
    retraining : {"same"}, Trains or None, default "same"
        f3: the training after pruning; with None the weights are not retrained.
    dynamics : object, optional
        Changes the mask during the retraining; see :mod:`recovery.pruning.dynamics`. By default the mask is static.
    target : {"weight", "update"}, default "weight"
        Whether masks keep weights at zero, or suppress their updates.
    layers : {"all", "hidden"} or tuple of int, default "all"
        Layers to prune: all, all but the last one, or those with the given indices.
    data : tuple of 3 str, default ("data", "data", "data")
        The names of the data sets used for the mask, the weights and the retraining.

    Raises
    ------
    TypeError, ValueError
        If a field is out of range or fields contradict each other.

    Notes
    -----
    The three functions are those of the survey arXiv:2103.06460. This class adds four things that the survey's
    framework does not cover: a criterion may observe the whole path, masks may change during training, masks may
    suppress updates instead of weights, and the three functions may use different data.

    A path criterion has a method ``begin(model, data, rng, cost)``, which returns an observer with ``step(step)``,
    called with a :class:`~recovery.pruning.Step` after each update, and ``scores()``.

    Examples
    --------
    >>> from recovery import pruning
    >>> late = pruning.catalogue()["imp"].replace(rewind=0.1)
    >>> late.rewind
    0.1
    """

    name: str
    criterion: str | Callable[..., Any] | Any
    source: Source = "end"
    scope: Scope = "global"
    ratio: Ratio = "equal"
    schedule: Schedule = field(default_factory=OneShot)
    rewind: Rewind = "end"
    between: Rewind | None = None
    weight_map: Callable[..., Any] | None = None
    training: Trains = field(default_factory=lambda: Training(n_iter=1000))
    retraining: Literal["same"] | Trains | None = "same"
    dynamics: Any = None
    target: Literal["weight", "update"] = "weight"
    layers: Literal["all", "hidden"] | tuple[int, ...] = "all"
    data: tuple[str, str, str] = ("data", "data", "data")

    def __post_init__(self) -> None:
        _check_point(self.source, "source", ("start", "end", "path"))
        _check_point(self.rewind, "rewind", ("start", "end", "dense", "random"))
        if self.between is not None:
            _check_point(self.between, "between", ("start", "end", "dense", "random"))
            if len({p for p in (self.rewind, self.between) if not isinstance(p, str)}) > 1:
                raise ValueError(
                    f"rewind={self.rewind} and between={self.between}; expected the same fraction of the training"
                )
        check_choice(self.scope, "scope", ("global", "layer", "unit"))
        if not callable(self.ratio):
            check_choice(self.ratio, "ratio", ("equal", "erdos-renyi"))
        if not callable(self.schedule):
            raise TypeError(
                f"schedule={self.schedule!r} cannot be called; expected OneShot(), Rounds(...), or a function"
            )
        if self.weight_map is not None and not callable(self.weight_map):
            raise TypeError(f"weight_map={self.weight_map!r} cannot be called; expected a function, or None")
        if not isinstance(self.training, Trains):
            raise TypeError(f"training={self.training!r}; expected a Training, or another object derived from Trains")
        if not (isinstance(self.retraining, Trains) or self.retraining in _RETRAINING):
            raise TypeError(f"retraining={self.retraining!r}; expected 'same', None, or an object derived from Trains")
        check_choice(self.target, "target", ("weight", "update"))
        if not isinstance(self.layers, tuple):
            check_choice(self.layers, "layers", ("all", "hidden"))
        if len(self.data) != 3 or not all(isinstance(name, str) for name in self.data):
            raise ValueError(f"data={self.data!r}; expected three names: of the mask's, weights' and retraining's data")
        if self.dynamics is not None and self.retraining is None:
            raise ValueError("dynamics was given with retraining=None; expected a training in which the mask changes")
        if self.target == "update" and self.dynamics is None:
            raise ValueError(
                "target='update' without dynamics; expected an object that says which updates are suppressed"
            )

    def replace(self, **changes: Any) -> Method:
        """Return the method with some fields changed."""
        return replace(self, **changes)

    @property
    def after(self) -> Trains | None:
        """The training after pruning, or None."""
        return self.training if isinstance(self.retraining, str) else self.retraining

    def pruned(self, n_layers: int) -> tuple[int, ...]:
        """Return the indices of the pruned layers, for a model with this many layers.

        Raises
        ------
        ValueError
            If there are none, or an index is out of range.
        """
        if self.layers == "all":
            return tuple(range(n_layers))
        if self.layers == "hidden":
            if n_layers < 2:
                raise ValueError("layers='hidden' for a linear model, which has no hidden layer; expected 'all'")
            return tuple(range(n_layers - 1))
        found = {check_integer(i, "layers", minimum=0, maximum=n_layers - 1) for i in self.layers}
        if not found:
            raise ValueError("layers=() prunes nothing; expected at least one number")
        return tuple(sorted(found))


def _check_point(value: Any, name: str, words: tuple[str, ...]) -> None:
    """Raise an error for a point of the training path that is neither a known name nor a fraction."""
    if isinstance(value, str):
        check_choice(value, name, words)
    else:
        check_number(value, name, minimum=0.0, maximum=1.0)
