"""How many weights each round keeps, from all of them to the sparsity that was asked for."""

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
        """Return how many of `total` weights are kept after each round; the last entry ends the pruning."""


Schedule: TypeAlias = Rule | Callable[[int, int], Sequence[int]]
"""A rule, or a function of (number of weights, sparsity) that returns how many weights each round keeps."""


@dataclass(frozen=True)
class OneShot(Rule):
    """All at once."""

    def __call__(self, total: int, sparsity: int) -> list[int]:
        """Return one count, the sparsity."""
        return [sparsity]


@dataclass(frozen=True)
class Rounds(Rule):
    """Each round drops a share of what is left.

    Parameters
    ----------
    share : float, default 0.2
        Share of the remaining weights that a round drops, rounded to an integer, but at least 1.
    lands : bool, default True
        The last round drops fewer, so that exactly the sparsity is left. Otherwise pruning ends at the first count
        that does not exceed it.
    """

    share: float = 0.2
    lands: bool = True

    def __post_init__(self) -> None:
        share = check_number(self.share, "share", minimum=0.0, maximum=1.0)
        if share in (0.0, 1.0):
            raise ValueError(f"share={self.share}; expected a number between 0 and 1, both excluded")

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
    """A fixed number of rounds; each keeps the same share of what is left.

    Parameters
    ----------
    n_rounds : int, default 100
        How many; round r keeps total (sparsity / total)^(r / n_rounds) weights, rounded.
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
    """Return the counts of a schedule, checked.

    Parameters
    ----------
    schedule : Schedule
        A rule or a function.
    total, sparsity : int
        Weights there are, and weights to keep.

    Returns
    -------
    list of int
        How many weights each round keeps, without repetitions.

    Raises
    ------
    TypeError, ValueError
        If it is no function, or its counts rise, exceed `total`, or end above `sparsity`.
    """
    if not callable(schedule):
        raise TypeError(f"schedule={schedule!r} cannot be called; expected OneShot(), Rounds(...), or a function")
    found: list[int] = []
    before = total
    for i, value in enumerate(schedule(total, sparsity)):
        count = check_integer(value, f"schedule: count {i}", minimum=0, maximum=total)
        if count > before:
            raise ValueError(f"schedule: count {i} is {count}, after {before}; expected counts that do not rise")
        if not found or count < before:
            found.append(count)
        before = count
    if not found or found[-1] > sparsity:
        last = found[-1] if found else None
        raise ValueError(f"schedule ends with {last} weights; expected at most sparsity={sparsity}")
    return found
