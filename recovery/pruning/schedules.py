"""Pruning schedules: how many weights each round keeps, down to the requested sparsity."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from planted.base.checks import check_integer, check_number
from recovery.mlp.masks import pruned_count

__all__ = ["Exponential", "OneShot", "Rounds", "Schedule", "counts_of"]


class Rule(ABC):
    """A schedule with options."""

    @abstractmethod
    def __call__(self, total: int, sparsity: int) -> list[int]:
        """Return how many of `total` weights are kept after each round; pruning ends with the last entry."""


Schedule: TypeAlias = Rule | Callable[[int, int], Sequence[int]]
"""A rule, or a function of (number of weights, sparsity) that returns how many weights each round keeps."""


@dataclass(frozen=True)
class OneShot(Rule):
    """Prune to the sparsity in a single round."""

    def __call__(self, total: int, sparsity: int) -> list[int]:
        """Return one count, the sparsity."""
        return [sparsity]


@dataclass(frozen=True)
class Rounds(Rule):
    """Each round prunes a fraction of the remaining weights.

    Parameters
    ----------
    share : float, default 0.2
        Fraction of the remaining weights pruned per round; the number is rounded, but at least 1.
    lands : bool, default True
        The last round prunes fewer weights if needed, so that exactly the sparsity is left. Otherwise pruning ends at
        the first count that does not exceed it.
    """

    share: float = 0.2
    lands: bool = True

    def __post_init__(self) -> None:
        share = check_number(self.share, "share", minimum=0.0, maximum=1.0)
        if share in (0.0, 1.0):
            raise ValueError(f"share={self.share}; expected a number strictly between 0 and 1")

    def __call__(self, total: int, sparsity: int) -> list[int]:
        """Return the counts."""
        found: list[int] = []
        left = total
        while left > sparsity or not found:
            left = pruned_count(left, self.share)
            found.append(max(left, sparsity) if self.lands else left)
        return found


@dataclass(frozen=True)
class Exponential(Rule):
    """A fixed number of rounds, each of which keeps the same fraction of the remaining weights.

    Parameters
    ----------
    n_rounds : int, default 100
        Number of rounds; round r keeps total (sparsity / total)^(r / n_rounds) weights, rounded.
    """

    n_rounds: int = 100

    def __post_init__(self) -> None:
        check_integer(self.n_rounds, "n_rounds", minimum=1)

    def __call__(self, total: int, sparsity: int) -> list[int]:
        """Return the counts."""
        ratio = sparsity / total
        return [max(sparsity, round(total * ratio ** (r / self.n_rounds))) for r in range(1, self.n_rounds)] + [
            sparsity
        ]


def counts_of(schedule: Any, total: int, sparsity: int) -> list[int]:
    """Return the validated counts of a schedule.

    Parameters
    ----------
    schedule : Schedule
        A rule or a function.
    total, sparsity : int
        Total number of weights, and number to keep.

    Returns
    -------
    list of int
        Number of weights kept in each round, without repetitions.

    Raises
    ------
    TypeError, ValueError
        If it is not a function, or its counts increase, exceed `total`, or end above `sparsity`.
    """
    if not callable(schedule):
        raise TypeError(f"schedule={schedule!r} cannot be called; expected OneShot(), Rounds(...), or a function")
    found: list[int] = []
    before = total
    for i, value in enumerate(schedule(total, sparsity)):
        count = check_integer(value, f"schedule: count {i}", minimum=0, maximum=total)
        if count > before:
            raise ValueError(f"schedule: count {i} is {count}, after {before}; expected non-increasing counts")
        if not found or count < before:
            found.append(count)
        before = count
    if not found or found[-1] > sparsity:
        last = found[-1] if found else None
        raise ValueError(f"schedule ends with {last} weights; expected at most sparsity={sparsity}")
    return found
