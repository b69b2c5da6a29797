"""Results of pruning: masks, the pruned model, and the rounds that led to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from planted.base.files import storable
from planted.base.values import by_value
from recovery.mlp.masks import Masks
from recovery.pruning.cost import Cost
from recovery.pruning.model import Model
from recovery.pruning.shown import ShownPruning
from recovery.solvers.base import Status

__all__ = ["PruningResult", "PruningRound", "PruningState"]


@storable
@by_value
@dataclass(frozen=True, eq=False, repr=False)
class PruningRound:
    """Result of one round of training and pruning.

    Parameters
    ----------
    masks : Masks
        After the round.
    model : Model or None
        The model that was scored; None if nothing was trained since the last round.
    n_iter : int
        Updates of the round's training.
    loss : float
        Mean loss of the last batch; NaN without training.
    """

    masks: Masks
    model: Model | None
    n_iter: int
    loss: float

    def __repr__(self) -> str:
        return f"PruningRound({self.masks!r}, n_iter={self.n_iter}, loss={self.loss:.4g})"


@by_value
@dataclass(frozen=True, eq=False)
class PruningState:
    """Argument passed to a callback after each round and after the retraining.

    Parameters
    ----------
    n_rounds : int
        Number of completed rounds.
    count : int
        Number of weights left.
    n_iter : int
        Total number of updates.
    loss : float
        Mean loss of the last batch; NaN without training.
    masks : Masks
        The masks.
    model : Model
        The model to be trained next, or the final one.
    """

    n_rounds: int
    count: int
    n_iter: int
    loss: float
    masks: Masks
    model: Model


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class PruningResult(ShownPruning):
    """Result of :func:`recovery.pruning.prune`.

    Parameters
    ----------
    masks : Masks
        The weights that are kept.
    model : Model
        The pruned model, w* = f3(m f2(w)): exactly zero outside the masks.
    scores : list of array
        The scores used in the last round, one array per layer; zeros for layers that are not pruned.
    path : tuple of PruningRound
        The rounds.
    cost : Cost
        Total passes and multiply-adds.
    status : Status
        How the run ended.
    message : str
        The status in words, with any remarks.
    n_iter : int
        Total number of updates.
    details : object
        Additional information from the method, such as the record of its dynamics. Usually None.
    """

    masks: Masks
    model: Model
    scores: list[Any]
    path: tuple[PruningRound, ...]
    cost: Cost
    status: Status
    message: str
    n_iter: int = 0
    details: Any = field(default=None, compare=False)

    @property
    def sparsity(self) -> int:
        """Number of weights that are kept."""
        return self.masks.count

    @property
    def success(self) -> bool:
        """Whether the run ended regularly; this does not imply that the result is good."""
        return self.status.success

    def __repr__(self) -> str:
        return (
            f"PruningResult({self.masks.count} of {self.model.n_weights} weights, {len(self.path)} round(s), "
            f"n_iter={self.n_iter}, status={self.status.name})"
        )
