"""Preconditioned IHT from a dense network to a sparse one: Adam's step, then the top s_t weights of all layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from recovery.networks.batches import Batches
from recovery.networks.chain import column_scales, forward, gradients, join, split
from recovery.networks.losses import loss_and_gradient
from recovery.networks.record import Record
from recovery.thresholding import select_top

__all__ = ["Gradual"]

DENSE_UNTIL, SPARSE_FROM = 0.15, 0.6
"""Shares of the steps: before the first the network is dense, from the second on it has the size of the answer."""
BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-12
"""Decay of the mean gradient and of the mean square, and what keeps 0 / 0 out."""
RATE, LAST_RATE = 0.03, 0.01
"""Step of a weight whose gradient keeps its sign, at first; and its share that is left at the end (cosine)."""


class Gradual:
    """A search over all free layers together, whose iterates shrink from `layers` to the size of the answer.

    Parameters
    ----------
    layers : sequence of array
        Where it starts, (d, K_1), ..., (K_L, k).
    batches : Batches
        The data; inputs and targets of size about 1.
    loss : {"squared", "cross_entropy"}
        Which loss.
    sparsity : int
        s, non-zeros of the answer in its free layers.
    widths : sequence of int
        m_1, ..., m_L: most neurons of the answer in each hidden layer.
    record : Record
        Where steps are put.
    frozen : int, default 0
        So many of the last layers keep their weights, and do not count.
    size : int, optional
        Non-zeros of the iterate in the first steps; all weights by default.

    Attributes
    ----------
    layers : list of array
        The iterate.

    Notes
    -----
    A step is w <- H_{s_t}(w - rate m / sqrt(v)), m and v the decaying means of the gradient and of its square over
    all weights, selected or not: a weight that is zero enters when its gradient keeps its sign, not when one batch has
    a large one. H keeps the top s_t of |w| times :func:`recovery.networks.chain.column_scales`, a weight's share of the
    outputs. s_t falls geometrically, and so do the neurons, between :data:`DENSE_UNTIL` and
    :data:`SPARSE_FROM` of the steps; the rate falls as a cosine.
    """

    def __init__(
        self,
        layers: Sequence[Any],
        batches: Batches,
        loss: str,
        sparsity: int,
        widths: Sequence[int],
        record: Record,
        *,
        frozen: int = 0,
        size: int | None = None,
    ) -> None:
        self.xp, self.batches, self.loss, self.record = batches.xp, batches, loss, record
        free = len(layers) - frozen
        self.fixed = list(layers[free:])
        self.shapes = [(int(layer.shape[0]), int(layer.shape[1])) for layer in layers[:free]]
        self.vector = join(layers[:free])
        total = int(self.vector.shape[0])
        self.s, self.size = min(sparsity, total), total if size is None else min(total, max(size, sparsity))
        self.widths = [min(want, int(layer.shape[1])) for want, layer in zip(widths, layers, strict=False)]
        self.full_widths = [int(layer.shape[1]) for layer in layers[:-1]]
        self.mask: Any = None

    @property
    def layers(self) -> list[Any]:
        """Weights of the iterate, (d, K_1), ..., (K_L, k)."""
        return split(self.vector, self.shapes) + self.fixed

    def run(self, steps: int, rate: float = RATE) -> None:
        """Make so many steps, fewer if the record says stop."""
        xp, batches = self.xp, self.batches
        mean, square = xp.zeros_like(self.vector), xp.zeros_like(self.vector)
        X, y = batches.rows()
        values = forward(self.layers, X)
        found = loss_and_gradient(values[-1], y, self.loss)
        for made in range(1, steps + 1):
            slope = join(gradients(self.layers, values, found.gradient)[: len(self.shapes)])
            mean = BETA1 * mean + (1 - BETA1) * slope
            square = BETA2 * square + (1 - BETA2) * (slope * slope)
            length = rate * max(LAST_RATE, 0.5 * (1 + math.cos(math.pi * (made - 1) / steps)))
            root = xp.sqrt(square / (1 - BETA2**made)) + EPSILON
            self._cut(self.vector - (length / (1 - BETA1**made)) * (mean / root), values, made / steps)
            before = values
            if batches.minibatch:
                X, y = batches.next_rows()
            values = forward(self.layers, X)
            found = loss_and_gradient(values[-1], y, self.loss)
            self._write(before, values, found, y)
            if not self.record.left:
                return

    def small(self) -> list[Any]:
        """Return the layers of the iterate, cut to the size of the answer at once."""
        self._cut(self.vector, forward(self.layers, self.batches.rows()[0]), 1.0)
        return self.layers

    def _cut(self, vector: Any, values: list[Any], part: float) -> None:
        """Keep the weights and the neurons with the largest share of the outputs."""
        xp = self.xp
        progress = min(1.0, max(0.0, (part - DENSE_UNTIL) / (SPARSE_FROM - DENSE_UNTIL)))
        total = int(vector.shape[0])
        size = round(self.size ** (1 - progress) * self.s**progress)
        before = self.mask
        self.mask = xp.ones(total, dtype=bool)
        if size < total:
            layers = split(vector, self.shapes) + self.fixed
            scales = column_scales(layers, values)
            shares = [xp.abs(layer) * scale for layer, scale in zip(layers, scales, strict=True)]
            for level, (have, want) in enumerate(zip(self.full_widths, self.widths, strict=True)):
                width = round(have ** (1 - progress) * want**progress)
                if width < have:
                    strong = select_top((shares[level + 1] ** 2).sum(axis=1), width)
                    stays = xp.zeros(have, dtype=vector.dtype)
                    stays[strong] = 1
                    shares[level] = shares[level] * stays
                    shares[level + 1] = shares[level + 1] * stays[:, None]
                    vector = vector * join(
                        [
                            xp.zeros_like(layer) + (stays if i == level else stays[:, None] if i == level + 1 else 1)
                            for i, layer in enumerate(layers[: len(self.shapes)])
                        ]
                    )
            picked = select_top(join(shares[: len(self.shapes)]), size)
            self.mask = xp.zeros(total, dtype=bool)
            self.mask[picked] = True
            vector = xp.where(self.mask, vector, 0)
        self.vector = vector
        self.change = (self.mask & ~before).sum() if before is not None else size

    def _write(self, before: list[Any], values: list[Any], found: Any, y: Any) -> None:
        xp, n = self.xp, int(y.shape[0])
        carries = [(layer != 0).any(axis=0) for layer in split(self.vector, self.shapes)[: len(self.full_widths)]]
        flips: Any = 0
        if not self.batches.minibatch:  # of other rows than a step ago there is nothing to compare
            for level, live in enumerate(carries, start=1):
                flips = flips + (((values[level] > 0) != (before[level] > 0)) & live).sum()
        self.record.add(
            found.gradient * n,
            self.batches.peak,
            self.change,
            flips,
            xp.count_nonzero(self.vector),
            sum(live.sum() for live in carries),
            None if self.loss == "squared" else found.value * n,
        )
