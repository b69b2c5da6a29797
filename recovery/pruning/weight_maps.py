"""Weight maps: transformations of the kept weights before retraining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from recovery.mlp.masks import Masks
from recovery.pruning.second_order import Obs
from recovery.pruning.view import View

__all__ = ["Compensation", "identity", "reinitialise", "sign_constant"]


def identity(layers: Sequence[Any], masks: Masks, view: View) -> list[Any]:
    """Return the weights unchanged: f2 of most methods, equivalent to ``weight_map=None``."""
    return list(layers)


@dataclass(frozen=True)
class Compensation:
    """The compensation step of Optimal Brain Surgeon: kept weights compensate, to second order, for removed ones.

    Parameters
    ----------
    obs : Obs, default Obs()
        The criterion whose curvature is used; pass the same one as in the method.

    See Also
    --------
    recovery.pruning.Obs : the formulas.
    """

    obs: Obs = field(default_factory=Obs)

    def __call__(self, layers: Sequence[Any], masks: Masks, view: View) -> list[Any]:
        """Return the weights."""
        return self.obs.compensated(layers, masks, view)


def reinitialise(layers: Sequence[Any], masks: Masks, view: View) -> list[Any]:
    """Return new normal weights, each layer with the root mean square of the start's; drawn on the host."""
    xp, found = view.xp, []
    for layer in view.initial.matrices:
        drawn = xp.asarray(view.rng.standard_normal(layer.shape)).astype(layer.dtype)
        found.append(drawn * xp.sqrt((layer * layer).mean()))
    return found


def sign_constant(layers: Sequence[Any], masks: Masks, view: View) -> list[Any]:
    """Return each weight's sign times the root mean square of its layer at the start.

    References
    ----------
    H. Zhou et al., "Deconstructing Lottery Tickets" (NeurIPS 2019), from memory of the literature: when a winning
    ticket is rewound, signs matter more than magnitudes.
    """
    xp = view.xp
    return [
        xp.sign(layer) * xp.sqrt((start * start).mean())
        for layer, start in zip(layers, view.initial.matrices, strict=True)
    ]
