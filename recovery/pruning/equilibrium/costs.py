"""Multiply-adds of a backward pass: those executed, and those counted in the papers."""

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
    """Return the multiply-adds that a backward pass over n rows needs if some units are frozen.

    Parameters
    ----------
    shapes : sequence of (int, int)
        The layers (a_l, b_l), l = 1, ..., L.
    frozen : sequence of int
        Number of frozen units in each layer, f_l.
    n : int
        Rows.

    Returns
    -------
    int
        The number of multiply-adds. Sums for biases and elementwise products are not counted.

    Notes
    -----
    Let m be the lowest layer with a learning unit. Weight gradients cost n a_l (b_l - f_l) in layers l >= m. The
    gradient with respect to a hidden layer's outputs costs n b_l b_(l+1) if l > m, whatever is frozen there, because
    the layers below need all of it, and n (b_m - f_m) b_(m+1) in layer m. Below m nothing is computed. Derived here.
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
        Number of frozen units in each layer.
    n : int
        Rows.

    Returns
    -------
    float
        With ops_l = n b_l (a_l + b_(l+1)), and n b_L a_L for the last layer: the operations caused by the units of
        layer l, for their weight gradients and for the gradient with respect to their outputs.

    Notes
    -----
    With nothing frozen this equals what is executed, and in a network with one hidden layer also with frozen hidden
    units. In deeper networks of equal widths it overstates the savings by up to a factor of two: the gradient with
    respect to a frozen unit's output is needed as long as anything below it learns. Derived here; see also
    :func:`recovery.pruning.closed_forms.equilibrium.counted_savings`.
    """
    onward = [*(b for _, b in shapes[1:]), 0]
    return float(n * sum((a + c) * (b - f) for (a, b), c, f in zip(shapes, onward, frozen, strict=True)))


def booked_operations(shapes: Sequence[tuple[int, int]], frozen: Sequence[int], n: int) -> float:
    """Return the multiply-adds of a backward pass as the paper counts them: sum_l ops_l (1 - frozen share of layer l).

    Parameters
    ----------
    shapes : sequence of (int, int)
        The layers (a_l, b_l).
    frozen : sequence of int
        Number of frozen units in each layer.
    n : int
        Rows.

    Returns
    -------
    float
        With ops_l = 2 n a_l b_l, twice the forward pass.

    Notes
    -----
    The scripts released with arXiv:2207.09455 count in this way. It includes a gradient with respect to the inputs of
    the first layer, which is never computed, and may overstate or understate the savings; in a network with one hidden
    layer it is exact only if there are as many inputs as outputs.
    """
    return float(2 * n * sum(a * (b - f) for (a, b), f in zip(shapes, frozen, strict=True)))


@dataclass(frozen=True)
class EpochCost:
    """Cost of an epoch of training.

    Attributes
    ----------
    rows : int
        Rows passed forward and backward.
    validation_rows : int
        Rows passed forward for the similarities.
    forward : int
        Multiply-adds of all forward passes.
    executed : int
        Multiply-adds of the backward passes, counted in the products actually made.
    counted : float
        The same, counted by units: :func:`counted_operations`.
    booked : float
        The same, counted as in the paper: :func:`booked_operations`.
    full : int
        Cost of the backward passes with nothing frozen, executed and counted.
    booked_full : float
        The same, counted as in the paper.
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
        """Fraction of the backward pass that was not executed."""
        return 1.0 - self.executed / self.full if self.full else 0.0

    @property
    def counted_saved(self) -> float:
        """Fraction of the backward pass that belongs to frozen units."""
        return 1.0 - self.counted / self.full if self.full else 0.0

    @property
    def booked_saved(self) -> float:
        """Fraction of the backward pass that the paper would count as saved."""
        return 1.0 - self.booked / self.booked_full if self.booked_full else 0.0

    def as_row(self) -> np.ndarray:
        """Return the fields as numbers, shape (8,)."""
        return np.array([float(getattr(self, one.name)) for one in fields(self)])

    @classmethod
    def of_row(cls, row: np.ndarray) -> EpochCost:
        """Return the cost from the result of :meth:`as_row`."""
        real = {"counted", "booked", "booked_full"}
        values: dict[str, Any] = {
            one.name: float(x) if one.name in real else int(x) for one, x in zip(fields(cls), row, strict=True)
        }
        return cls(**values)
