"""Criteria: what weights are ranked by. Each is a function of a view; larger scores stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planted.base.checks import check_choice
from recovery.pruning.view import View

__all__ = ["NAMED", "magnitude", "random", "resolve", "snip"]


def magnitude(view: View) -> list[Any]:
    """Return |w|."""
    return [view.xp.abs(layer) for layer in view.layers]


def random(view: View) -> list[Any]:
    """Return uniform random numbers, drawn on the host."""
    return [view.xp.asarray(view.rng.random(layer.shape)) for layer in view.layers]


def snip(view: View) -> list[Any]:
    """Return |w g|, the change of the loss to first order when the weight is removed (Lee et al. 2019)."""
    gradient = view.gradient()
    return [view.xp.abs(layer * part) for layer, part in zip(view.layers, gradient, strict=True)]


NAMED: dict[str, Callable[[View], list[Any]]] = {"magnitude": magnitude, "random": random, "snip": snip}
"""Criteria by name."""


def resolve(criterion: Any) -> Any:
    """Return a criterion from its name, or as it is."""
    if isinstance(criterion, str):
        return NAMED[check_choice(criterion, "criterion", tuple(NAMED))]
    if not callable(criterion) and not hasattr(criterion, "begin"):
        raise TypeError(f"criterion={criterion!r}; expected a name, a function of a view, or an object with begin(...)")
    return criterion
