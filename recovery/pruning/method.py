"""A pruning method as a value: one field for each axis of the space."""

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
    """A point of the space of pruning methods: w* = f3(m f2(w^(k2))), m = f1(path).

    Parameters
    ----------
    name : str
        What it is called; nothing depends on it.
    criterion : str or callable
        f1: the name of a criterion (:mod:`recovery.pruning.criteria`), a function of a
        :class:`~recovery.pruning.View` that returns one array of scores for each layer (larger ones stay), or an
        object that observes the training (see Notes).
    source : {"start", "end", "path"} or float, default "end"
        k1: where on the training path the criterion looks: at the initialisation, at the end, after a share of the
        training, or at the whole path.
    scope : {"global", "layer", "unit"}, default "global"
        Where scores compete.
    ratio : {"equal", "erdos-renyi"} or callable, default "equal"
        How many weights each layer keeps, unless the scope is global.
    schedule : Schedule, default OneShot()
        How many weights each round keeps. Each round trains (unless the source is the start), scores, prunes, rewinds.
    rewind : {"start", "end", "dense", "random"} or float, default "end"
        k2: the weights that the mask is put on: the initialisation; those that the last round trained; the end of the
        dense training; new random ones; or those after a share of the dense training.
    between : optional
        As `rewind`, for the rounds before the last; by default the same.
    weight_map : callable, optional
        f2: a function of (layers, masks, view) that returns the weights under the mask; None keeps them.
    training : Trains, optional
        What makes the path.
    retraining : {"same"}, Trains or None, default "same"
        f3: the training after pruning; None leaves the weights as they are.
    dynamics : object, optional
        Changes the mask during the retraining; see :mod:`recovery.pruning.dynamics`. None: the mask is static.
    target : {"weight", "update"}, default "weight"
        Whether masks hold weights at zero, or hold back their updates.
    layers : {"all", "hidden"} or tuple of int, default "all"
        Layers that are pruned: all, all but the last one, or those of these numbers.
    data : tuple of 3 str, default ("data", "data", "data")
        The names of the data that the mask, the weights and the retraining come from.

    Raises
    ------
    TypeError, ValueError
        If a field is out of range or fields contradict each other.

    Notes
    -----
    The three functions are those of the survey arXiv:2103.06460. Four things do not fit into it literally and are
    added here: a criterion may see the whole path, masks may change during training, they may hold back updates in
    place of weights, and the three functions may have data of their own.

    A criterion of the path has ``begin(model, data, rng, cost)``, which returns an observer with ``step(step)``,
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
                raise ValueError(f"rewind={self.rewind} and between={self.between}; expected one share of the training")
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
                "target='update' without dynamics; expected an object that says which updates are held back"
            )

    def replace(self, **changes: Any) -> Method:
        """Return the method with some fields changed."""
        return replace(self, **changes)

    @property
    def after(self) -> Trains | None:
        """The training after pruning, or None."""
        return self.training if isinstance(self.retraining, str) else self.retraining

    def pruned(self, n_layers: int) -> tuple[int, ...]:
        """Return the numbers of the layers that are pruned, of a model with so many.

        Raises
        ------
        ValueError
            If there are none, or a number does not exist.
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
    """Refuse a point of the training path that is neither a word nor a share."""
    if isinstance(value, str):
        check_choice(value, name, words)
    else:
        check_number(value, name, minimum=0.0, maximum=1.0)
