"""Rules that choose the units to freeze: those at equilibrium, random ones, or none until a budget is used up."""

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
    """Information given to a rule after an epoch.

    Attributes
    ----------
    n_epochs : int
        Number of completed epochs.
    phi, change, velocity : list of numpy.ndarray, shapes (n_epochs, m_1), ..., (n_epochs, k)
        Similarities, their changes, and their velocities by the rule's own filter, after each epoch. Empty if the rule
        does not need them.
    frozen : list of numpy.ndarray of bool, shapes (m_1,), ..., (k,)
        Units that were frozen in the completed epoch.
    may : tuple of bool
        For each layer, whether its units may be frozen.
    rates : numpy.ndarray, shape (n_epochs,)
        Mean learning rates of the epochs.
    rng : numpy.random.Generator
        Source of random numbers for this epoch, reproducible after an interruption.
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
    """Base class of rules; override :meth:`frozen` to write your own.

    Attributes
    ----------
    measures : bool
        Whether the rule needs similarities, and hence a pass over the validation inputs after each epoch.
    compressed : bool
        Whether the learning rate schedule is compressed to end with the last update, rather than being cut off.
    mu : float
        Memory of the filter used for the recorded velocities.
    filter : str
        Name of that filter.
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
        """Return the number of updates after which training ends.

        Parameters
        ----------
        total : int
            Updates of the whole training.
        backward, forward : int
            Multiply-adds of all updates, with nothing frozen.

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
        value; ``Calibrated()`` determines it in the warm-up, which should then have at least two epochs.
    mu : float, default 0.5
        Memory of the velocity, 0 <= mu < 1.
    filter : {"paper", "released"}, default "paper"
        See :func:`recovery.pruning.equilibrium.next_velocity`.
    pinning : bool, default False
        Whether units stay frozen once they are. Otherwise the set is recomputed after each epoch, and units can thaw.
    warm_up : int, default 1
        Initial epochs in which all units learn.

    Raises
    ------
    TypeError, ValueError
        If an option is out of range.

    Notes
    -----
    Equilibrium is not the same as having learned. A unit that turns by the same angle in each epoch has a constant
    similarity, so its velocity tends to 0: it is frozen while it is still learning, and thaws after an epoch in which
    it did not change. In the first layer, whose inputs do not change, a unit that was frozen for two epochs in a row by
    the paper's filter (three by the released one) never thaws with a constant threshold; in deeper layers it may thaw,
    because the units below it change, and in any layer it may thaw if the threshold follows a falling learning rate.

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
    """Freeze as many units as in another run, but chosen at random: the paper's "stochastic" baseline.

    Parameters
    ----------
    counts : sequence of sequence of int, shape (epochs, layers)
        Number of units to freeze in each layer and epoch. The last row is reused for later epochs.

    Raises
    ------
    TypeError, ValueError
        If `counts` is not such a table.
    """

    measures: ClassVar[bool] = False
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        rows = [tuple(check_integer(one, "counts", minimum=0) for one in row) for row in self.counts]
        if not rows or len({len(row) for row in rows}) != 1 or not rows[0]:
            raise ValueError("counts is not a table; expected one row per epoch with one number per layer")
        object.__setattr__(self, "counts", tuple(rows))

    @classmethod
    def like(cls, frozen: Sequence[Any]) -> RandomFreezing:
        """Return the rule that freezes as many units as a given run.

        Parameters
        ----------
        frozen : sequence of array of bool, shapes (epochs, m_1), ..., (epochs, k)
            ``run.frozen`` of an :class:`EquilibriumRun`.

        Returns
        -------
        RandomFreezing
            A rule with equal counts in every layer and epoch, which executes the same number of multiply-adds.
        """
        table = np.stack([np.asarray(layer).sum(axis=1) for layer in frozen], axis=1)
        return cls(tuple(tuple(int(one) for one in row) for row in table))

    def frozen(self, seen: Seen) -> list[np.ndarray]:
        """Return the requested number of random units."""
        row = self.counts[min(seen.n_epochs, len(self.counts) - 1)]
        if len(row) != len(seen.frozen):
            raise ValueError(f"counts has {len(row)} column(s); expected {len(seen.frozen)}, one per layer")
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
    """Freeze nothing, and stop when a budget of multiply-adds is used up.

    Parameters
    ----------
    budget : int
        Largest number of multiply-adds to execute.
    counted : {"backward", "all"}, default "backward"
        Which operations count: those of backward passes only, or of forward passes too. Freezing saves nothing in
        forward passes while stopping does, so with ``"all"`` early stopping gets further.
    compressed : bool, default False
        Whether to run the whole learning rate schedule within the updates that the budget allows. Otherwise it is cut
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
        """Return the number of complete updates within the budget."""
        whole = backward if self.counted == "backward" else backward + forward
        return total if whole <= self.budget else total * self.budget // whole
