"""Result of training with frozen units: the network, and a record of every unit in every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from planted.base.checks import check_integer
from planted.base.values import by_value
from recovery.pruning.cost import Cost
from recovery.pruning.equilibrium.costs import EpochCost
from recovery.pruning.model import Model

__all__ = ["EpochState", "EquilibriumRun", "thaws"]


def thaws(frozen: Any, after: int = 1) -> int:
    """Return how often a unit resumed learning after being frozen.

    Parameters
    ----------
    frozen : array of bool, shape (epochs, m)
        Which units of a layer were frozen in each epoch.
    after : int, default 1
        Count only units that had been frozen for at least this many consecutive epochs.

    Returns
    -------
    int
        Number of pairs (unit, epoch) in which a unit learned right after such a stretch.

    Raises
    ------
    TypeError, ValueError
        If `after` is below 1.
    """
    after = check_integer(after, "after", minimum=1)
    count, stretch = 0, None
    for row in np.asarray(frozen, dtype=bool):
        stretch = np.zeros(row.size, dtype=int) if stretch is None else stretch
        count += int(((stretch >= after) & ~row).sum())
        stretch = np.where(row, stretch + 1, 0)
    return count


@dataclass(frozen=True)
class EpochState:
    """Argument passed to a callback after each epoch.

    Attributes
    ----------
    n_epochs : int
        Number of completed epochs.
    loss : float
        Mean training loss of the last epoch, measured before each update.
    frozen : tuple of numpy.ndarray of bool, shapes (m_1,), ..., (k,)
        Units that are frozen in the next epoch.
    cost : EpochCost
        Of all epochs so far.
    model : Model
        The current network.
    """

    n_epochs: int
    loss: float
    frozen: tuple[np.ndarray, ...]
    cost: EpochCost
    model: Model


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class EquilibriumRun:
    """Result of :meth:`NEq.run`.

    Attributes
    ----------
    model : Model
        The trained network.
    frozen : tuple of numpy.ndarray of bool, shapes (epochs, m_1), ..., (epochs, k)
        Which units were frozen in each epoch.
    phi, change, velocity : tuple of numpy.ndarray, shapes (epochs, m_1), ..., (epochs, k)
        Similarities after each epoch, their changes, and the velocities of the changes; float64, on the CPU. Empty if
        nothing was measured.
    losses : numpy.ndarray, shape (epochs,)
        Mean training loss of each epoch, measured before each update.
    rates : numpy.ndarray, shape (epochs,)
        Mean learning rates.
    costs : tuple of EpochCost
        What each epoch cost.
    finished : bool
        False if a callback or an overflow ended the training.
    message : str
        How the training ended and what it saved.
    """

    model: Model
    frozen: tuple[np.ndarray, ...]
    phi: tuple[np.ndarray, ...]
    change: tuple[np.ndarray, ...]
    velocity: tuple[np.ndarray, ...]
    losses: np.ndarray
    rates: np.ndarray
    costs: tuple[EpochCost, ...]
    finished: bool
    message: str

    @property
    def n_epochs(self) -> int:
        """Number of epochs made."""
        return len(self.costs)

    @property
    def total(self) -> EpochCost:
        """The costs of all epochs."""
        return total(self.costs)

    @property
    def cost(self) -> Cost:
        """The costs in the form reported by all pruning methods.

        `executed` counts forward and backward passes together; `booked` counts the forward passes of training, and the
        backward passes by the paper's convention, see :func:`booked_operations`.
        """
        spent = self.total
        watched = spent.validation_rows * self.model.shapes.size
        return Cost(
            spent.rows + spent.validation_rows,
            spent.rows,
            spent.forward + spent.executed,
            spent.forward - watched + spent.booked,
        )

    @property
    def frozen_share(self) -> np.ndarray:
        """Fraction of the units of each layer that were frozen, over all epochs; shape (layers,)."""
        return np.array([layer.mean() if layer.size else 0.0 for layer in self.frozen])

    def thaws(self, level: int, after: int = 1) -> int:
        """Return how often a layer's units resumed learning after at least `after` frozen epochs; see :func:`thaws`."""
        return thaws(self.frozen[level], after)

    def __repr__(self) -> str:
        return f"EquilibriumRun({self.n_epochs} epochs; {self.message})"


def total(costs: Sequence[EpochCost]) -> EpochCost:
    """Return the sum of costs."""
    return reduce(add, costs, EpochCost())
