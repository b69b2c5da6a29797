"""Which units learn in the next epoch: units out of equilibrium, random ones, or all until a budget is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from planted.base.checks import check_choice, check_integer, check_number
from recovery.pruning.equilibrium.velocity import FILTERS, Calibrated, check_mu

__all__ = ["EarlyStopping", "Equilibrium", "Freezing", "RandomFreezing", "Seen"]


@dataclass(frozen=True)
class Seen:
    """What a rule is shown after an epoch.

    Attributes
    ----------
    n_epochs : int
        Epochs that are done.
    phi, change, velocity : list of numpy.ndarray, shapes (n_epochs, m_1), ..., (n_epochs, k)
        Similarities, their changes, and their velocities by the rule's own filter, after each epoch. Empty where the
        rule does not ask for them.
    frozen : list of numpy.ndarray of bool, shapes (m_1,), ..., (k,)
        Units that were frozen in the epoch that is done.
    may : tuple of bool
        For each layer whether its units may be frozen.
    rates : numpy.ndarray, shape (n_epochs,)
        Mean learning rates of the epochs.
    rng : numpy.random.Generator
        Random numbers of this epoch, the same after an interruption.
    """

    n_epochs: int
    phi: list[np.ndarray]
    change: list[np.ndarray]
    velocity: list[np.ndarray]
    frozen: list[np.ndarray]
    may: tuple[bool, ...]
    rates: np.ndarray
    rng: np.random.Generator


class Freezing:
    """Base of the rules; one of your own overrides :meth:`frozen`.

    Attributes
    ----------
    measures : bool
        Whether the rule needs similarities, and so a pass over the validation inputs after each epoch.
    compressed : bool
        Whether the schedule of learning rates ends with the last update, rather than being cut off.
    mu : float
        Memory of the filter of the velocities on record.
    filter : str
        That filter.
    """

    measures: ClassVar[bool] = True
    compressed: bool = False
    mu: float = 0.5
    filter: str = "paper"

    def frozen(self, seen: Seen) -> list[np.ndarray]:
        """Return which units are frozen in the next epoch.

        Parameters
        ----------
        seen : Seen
            The record so far.

        Returns
        -------
        list of numpy.ndarray of bool, shapes (m_1,), ..., (k,)
            Layers that may not be frozen are ignored.
        """
        raise NotImplementedError

    def last_update(self, total: int, backward: int, forward: int) -> int:
        """Return after how many updates training ends.

        Parameters
        ----------
        total : int
            Updates of the whole training.
        backward, forward : int
            Multiply-adds of all of them, with nothing frozen.

        Returns
        -------
        int
            At most `total`.
        """
        return total


@dataclass(frozen=True)
class Equilibrium(Freezing):
    """Freeze units whose similarity has stopped changing.

    Parameters
    ----------
    eps : float or Calibrated, default 1e-3
        A unit is frozen while |velocity| < eps (``<=`` with the released filter, as in its code). 1e-3 is the published
        value; ``Calibrated()`` finds one in the warm-up, which then needs at least two epochs to be of use.
    mu : float, default 0.5
        Memory of the velocity, 0 <= mu < 1.
    filter : {"paper", "released"}, default "paper"
        See :func:`recovery.pruning.equilibrium.next_velocity`.
    pinning : bool, default False
        A unit that was frozen once stays so. Otherwise the set is made anew after each epoch, and units thaw.
    warm_up : int, default 1
        Epochs at the start in which all units learn.

    Raises
    ------
    TypeError, ValueError
        If an option is out of range.

    Notes
    -----
    Equilibrium is not the same as having learned. A unit that turns by the same angle in each epoch has a constant
    similarity, so its velocity goes to 0: it is frozen while it still learns, and thaws after an epoch in which it
    stood still. In the first layer, whose inputs do not change, a unit that was frozen for two epochs in a row by the
    paper's filter (three by the released one) never thaws with a constant threshold; in deeper layers it may, since
    the units below it move, and so it may anywhere with a threshold that follows a falling learning rate.

    References
    ----------
    .. [1] A. Bragagnolo, E. Tartaglione, M. Grangetto, "To update or not to update? Neurons at equilibrium in deep
       models", NeurIPS 2022, arXiv:2207.09455.
    """

    eps: float | Calibrated = 1e-3
    mu: float = 0.5
    filter: Literal["paper", "released"] = "paper"
    pinning: bool = False
    warm_up: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.eps, Calibrated):
            check_number(self.eps, "eps", minimum=0.0)
        check_mu(self.mu)
        check_choice(self.filter, "filter", FILTERS)
        check_integer(self.warm_up, "warm_up", minimum=1)

    def frozen(self, seen: Seen) -> list[np.ndarray]:
        """Return the units at equilibrium."""
        if seen.n_epochs < self.warm_up:
            return [np.zeros_like(layer) for layer in seen.frozen]
        eps = self.eps
        if isinstance(eps, Calibrated):
            counted = [layer for layer, may in zip(seen.velocity, seen.may, strict=True) if may]
            eps = eps.eps(counted, seen.rates, self.warm_up) if counted else 0.0
        found = []
        for layer, before in zip(seen.velocity, seen.frozen, strict=True):
            size = np.abs(layer[-1])
            still = size < eps if self.filter == "paper" else size <= eps
            found.append(still | before if self.pinning else still)
        return found


@dataclass(frozen=True)
class RandomFreezing(Freezing):
    """Freeze as many units as another run did, chosen at random: the paper's "stochastic" baseline.

    Parameters
    ----------
    counts : sequence of sequence of int, shape (epochs, layers)
        How many units of each layer are frozen in each epoch. After the last row its counts are kept.

    Raises
    ------
    TypeError, ValueError
        If `counts` is no such table.
    """

    measures: ClassVar[bool] = False
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        rows = [tuple(check_integer(one, "counts", minimum=0) for one in row) for row in self.counts]
        if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
            raise ValueError("counts is not a table; expected one row for each epoch with one number for each layer")
        object.__setattr__(self, "counts", tuple(rows))

    @classmethod
    def like(cls, frozen: Sequence[Any]) -> RandomFreezing:
        """Return the rule that freezes as many units as a run did.

        Parameters
        ----------
        frozen : sequence of array of bool, shapes (epochs, m_1), ..., (epochs, k)
            ``run.frozen`` of an :class:`EquilibriumRun`.

        Returns
        -------
        RandomFreezing
            With equal counts in every layer and epoch, so that it executes just as many multiply-adds.
        """
        table = np.stack([np.asarray(layer).sum(axis=1) for layer in frozen], axis=1)
        return cls(tuple(tuple(int(one) for one in row) for row in table))

    def frozen(self, seen: Seen) -> list[np.ndarray]:
        """Return random units, as many as asked for."""
        row = self.counts[min(seen.n_epochs, len(self.counts) - 1)]
        if len(row) != len(seen.frozen):
            raise ValueError(f"counts has {len(row)} column(s); expected {len(seen.frozen)}, one for each layer")
        found = []
        for count, before in zip(row, seen.frozen, strict=True):
            if count > before.size:
                raise ValueError(f"counts asks for {count} frozen units of a layer that has {before.size}")
            mask = np.zeros(before.size, dtype=bool)
            mask[seen.rng.permutation(before.size)[:count]] = True
            found.append(mask)
        return found


@dataclass(frozen=True)
class EarlyStopping(Freezing):
    """Freeze nothing, and stop when a budget of multiply-adds is spent.

    Parameters
    ----------
    budget : int
        Multiply-adds that may be executed.
    counted : {"backward", "all"}, default "backward"
        Which: those of the backward passes, or those of the forward passes as well. Freezing saves nothing
        in forward passes, stopping does: with ``"all"`` stopping gets further.
    compressed : bool, default False
        Run the whole schedule of learning rates in the updates that the budget allows. Otherwise the schedule is cut
        off.

    Raises
    ------
    TypeError, ValueError
        If an option is out of range.
    """

    measures: ClassVar[bool] = False
    budget: int
    counted: Literal["backward", "all"] = "backward"
    compressed: bool = False

    def __post_init__(self) -> None:
        check_integer(self.budget, "budget", minimum=0)
        check_choice(self.counted, "counted", ("backward", "all"))

    def frozen(self, seen: Seen) -> list[np.ndarray]:
        """Return no units."""
        return [np.zeros_like(layer) for layer in seen.frozen]

    def last_update(self, total: int, backward: int, forward: int) -> int:
        """Return how many whole updates the budget pays for."""
        whole = backward if self.counted == "backward" else backward + forward
        return total if whole <= self.budget else total * self.budget // whole
