"""What pruning returns: masks, the pruned model, and the path that led there."""

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
    """One round: what was trained, and what was pruned.

    Parameters
    ----------
    masks : Masks
        After the round.
    model : Model or None
        The model that was scored; None where nothing was trained since the last round.
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
    """What a callback sees after each round, and after the retraining.

    Parameters
    ----------
    n_rounds : int
        Rounds that are done.
    count : int
        Weights that are left.
    n_iter : int
        Updates that were made in all.
    loss : float
        Mean loss of the last batch; NaN without training.
    masks : Masks
        The masks.
    model : Model
        The model that is trained next, or the answer.
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
    """The answer of :func:`recovery.pruning.prune`.

    Parameters
    ----------
    masks : Masks
        The weights that are kept.
    model : Model
        The pruned model, w* = f3(m f2(w)): exactly zero outside the masks.
    scores : list of array
        What the last round's weights were ranked by, one array for each layer; zeros for layers that are not pruned.
    path : tuple of PruningRound
        The rounds.
    cost : Cost
        Passes and multiply-adds of all that was done.
    status : Status
        How the run ended.
    message : str
        The status' sentence, with what else is worth knowing.
    n_iter : int
        Updates in all.
    details : object
        What a method has to tell beyond this: the record of its dynamics, for instance. Usually None.
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
        """Whether the run ended as it should; not that the answer is good."""
        return self.status.success

    def __repr__(self) -> str:
        return (
            f"PruningResult({self.masks.count} of {self.model.n_weights} weights, {len(self.path)} round(s), "
            f"n_iter={self.n_iter}, status={self.status.name})"
        )
