"""Cost of pruning: rows passed through a network, and multiply-adds as executed and as the papers count them."""

from __future__ import annotations

from dataclasses import dataclass

from planted.base.files import storable
from recovery.mlp.passes import Shapes

__all__ = ["Cost"]


@storable
@dataclass
class Cost:
    """Counts of passes and of multiply-adds.

    Parameters
    ----------
    forward, backward : int
        Rows passed forward and backward, counting each sample in each pass.
    executed : int
        Multiply-adds of the dense products actually computed.
    booked : float
        Multiply-adds as counted in the pruning literature: those of unmasked weights, twice as many for the backward
        pass.

    Notes
    -----
    A dense forward pass of one row is S = sum_l a_l b_l multiply-adds. A backward pass is S for the gradients with
    respect to the weights and S - a_1 b_1 for those with respect to the activations, since the gradient with respect to
    the inputs is not needed; the papers count 2 S. Biases and activations are ignored.
    """

    forward: int = 0
    backward: int = 0
    executed: int = 0
    booked: float = 0.0

    def add(self, shapes: Shapes, rows: int, *, kept: int | None = None, backward: bool = False) -> None:
        """Count a forward pass of this many rows, and optionally the backward pass after it.

        Parameters
        ----------
        shapes : Shapes
            Layers of the network.
        rows : int
            Rows that went through.
        kept : int, optional
            Weights that are not masked; all by default.
        backward : bool, default False
            Whether gradients were computed too.
        """
        size, first = shapes.size, shapes.layers[0][0] * shapes.layers[0][1]
        used = size if kept is None else kept
        self.forward += rows
        self.executed += rows * size
        self.booked += rows * used
        if backward:
            self.backward += rows
            self.executed += rows * (2 * size - first)
            self.booked += 2 * rows * used

    def __add__(self, other: Cost) -> Cost:
        """Return the sum."""
        return Cost(
            self.forward + other.forward,
            self.backward + other.backward,
            self.executed + other.executed,
            self.booked + other.booked,
        )

    def copy(self) -> Cost:
        """Return an independent copy."""
        return Cost(self.forward, self.backward, self.executed, self.booked)
