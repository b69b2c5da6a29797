"""What pruning costs: rows that went through a network, and multiply-adds, executed and as the papers book them."""

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
        Rows that went forward and backward: one for each sample and pass.
    executed : int
        Multiply-adds of the dense products that were really computed.
    booked : float
        Multiply-adds as the literature on pruning books them: those of weights that are not masked, twice for the
        backward pass.

    Notes
    -----
    A dense forward pass of one row is S = sum_l a_l b_l multiply-adds. A backward pass is S for the gradients in the
    weights and S - a_1 b_1 for those in the activations, as nobody asks for the gradient in the inputs; the papers
    book 2 S. Biases and activations are left out.
    """

    forward: int = 0
    backward: int = 0
    executed: int = 0
    booked: float = 0.0

    def add(self, shapes: Shapes, rows: int, *, kept: int | None = None, backward: bool = False) -> None:
        """Count a forward pass of so many rows, and perhaps the backward pass after it.

        Parameters
        ----------
        shapes : Shapes
            Layers of the network.
        rows : int
            Rows that went through.
        kept : int, optional
            Weights that are not masked; all by default.
        backward : bool, default False
            Whether gradients were computed, too.
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
        """Return a copy that later counts do not change."""
        return Cost(self.forward, self.backward, self.executed, self.booked)
