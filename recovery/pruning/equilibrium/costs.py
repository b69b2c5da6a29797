"""Multiply-adds of a backward pass: those that are executed, and those that the papers book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

__all__ = ["EpochCost", "backward_operations", "booked_operations", "counted_operations", "forward_operations"]


def forward_operations(shapes: Sequence[tuple[int, int]], n: int) -> int:
    """Return the multiply-adds of a forward pass over n rows, n sum_l a_l b_l."""
    return n * sum(a * b for a, b in shapes)


def backward_operations(shapes: Sequence[tuple[int, int]], frozen: Sequence[int], n: int) -> int:
    """Return the multiply-adds that a backward pass over n rows needs where some units are frozen.

    Parameters
    ----------
    shapes : sequence of (int, int)
        The layers (a_l, b_l), l = 1, ..., L.
    frozen : sequence of int
        How many units of each layer are frozen, f_l.
    n : int
        Rows.

    Returns
    -------
    int
        The number of multiply-adds. Sums for biases and products of one number each are not counted.

    Notes
    -----
    Let m be the lowest layer with a unit that learns. Weight gradients cost n a_l (b_l - f_l) in layers l >= m. The
    gradient in a hidden layer's outputs costs n b_l b_(l+1) if l > m, whatever is frozen there, because layers below
    need all of it, and n (b_m - f_m) b_(m+1) in layer m. Below m nothing is computed. Derived here.
    """
    live = [b - count for (_, b), count in zip(shapes, frozen, strict=True)]
    lowest = next((level for level, count in enumerate(live) if count), None)
    if lowest is None:
        return 0
    total = sum(a * live[level] for level, (a, _) in enumerate(shapes) if level >= lowest)
    for level in range(lowest, len(shapes) - 1):
        total += (live[level] if level == lowest else shapes[level][1]) * shapes[level + 1][1]
    return n * total


def counted_operations(shapes: Sequence[tuple[int, int]], frozen: Sequence[int], n: int) -> float:
    """Return the multiply-adds of a backward pass by units: sum_l ops_l (1 - frozen share of layer l).

    Parameters
    ----------
    shapes : sequence of (int, int)
        The layers (a_l, b_l).
    frozen : sequence of int
        How many units of each layer are frozen.
    n : int
        Rows.

    Returns
    -------
    float
        With ops_l = n b_l (a_l + b_(l+1)), and n b_L a_L at the end: what is there because of the units of layer l,
        their weights' gradients and the gradient in their outputs.

    Notes
    -----
    With nothing frozen this is what is executed, and in a network with one hidden layer it is so for frozen hidden
    units too. In deeper networks of equal widths it promises up to twice what is saved: the gradient in a frozen
    unit's output is needed as long as anything below it learns. Derived here; see also
    :func:`recovery.pruning.closed_forms.equilibrium.counted_savings`.
    """
    onward = [*(b for _, b in shapes[1:]), 0]
    return float(n * sum((a + c) * (b - f) for (a, b), c, f in zip(shapes, onward, frozen, strict=True)))


def booked_operations(shapes: Sequence[tuple[int, int]], frozen: Sequence[int], n: int) -> float:
    """Return the multiply-adds of a backward pass as the paper books them: sum_l ops_l (1 - frozen share of layer l).

    Parameters
    ----------
    shapes : sequence of (int, int)
        The layers (a_l, b_l).
    frozen : sequence of int
        How many units of each layer are frozen.
    n : int
        Rows.

    Returns
    -------
    float
        With ops_l = 2 n a_l b_l, twice the forward pass.

    Notes
    -----
    So do the scripts that were released with arXiv:2207.09455. This counts a gradient in the inputs of the first layer,
    which nobody computes, and may promise more or less than is saved; in a network with one hidden layer it is
    exact for as many inputs as outputs only.
    """
    return float(2 * n * sum(a * (b - f) for (a, b), f in zip(shapes, frozen, strict=True)))


@dataclass(frozen=True)
class EpochCost:
    """What an epoch of training cost.

    Attributes
    ----------
    rows : int
        Rows that passed forward and backward.
    validation_rows : int
        Rows that passed forward for the similarities.
    forward : int
        Multiply-adds of all forward passes.
    executed : int
        Multiply-adds of the backward passes, counted at the products that were made.
    counted : float
        The same by units, :func:`counted_operations`.
    booked : float
        The same as the paper books it, :func:`booked_operations`.
    full : int
        What the backward passes would have cost with nothing frozen, executed and counted.
    booked_full : float
        What they would have been booked with.
    """

    rows: int = 0
    validation_rows: int = 0
    forward: int = 0
    executed: int = 0
    counted: float = 0.0
    booked: float = 0.0
    full: int = 0
    booked_full: float = 0.0

    def __add__(self, other: EpochCost) -> EpochCost:
        return EpochCost(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def saved(self) -> float:
        """Share of the backward pass that was not executed."""
        return 1.0 - self.executed / self.full if self.full else 0.0

    @property
    def counted_saved(self) -> float:
        """Share of the backward pass that belongs to frozen units."""
        return 1.0 - self.counted / self.full if self.full else 0.0

    @property
    def booked_saved(self) -> float:
        """Share of the backward pass that the paper would book as saved."""
        return 1.0 - self.booked / self.booked_full if self.booked_full else 0.0

    def as_row(self) -> np.ndarray:
        """Return the fields as numbers, shape (8,)."""
        return np.array([float(getattr(self, one.name)) for one in fields(self)])

    @classmethod
    def of_row(cls, row: np.ndarray) -> EpochCost:
        """Return the cost that :meth:`as_row` wrote."""
        real = {"counted", "booked", "booked_full"}
        values: dict[str, Any] = {
            one.name: float(x) if one.name in real else int(x) for one, x in zip(fields(cls), row, strict=True)
        }
        return cls(**values)
