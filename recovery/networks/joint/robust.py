"""The robust method for several outputs: a joint search over all weights, then pruning, polishing and exchanges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.networks import ReLUNetwork
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.passes import column_scales, forward, gradients, join, split
from recovery.mlp.record import FitSettings, Found, Record
from recovery.mlp.training import Batches
from recovery.networks.gain import looks_like_noise
from recovery.networks.joint.polishing import CG_STEPS, Polisher, polish_and_exchange
from recovery.operators.thresholding import select_top
from recovery.solvers.base import Status

__all__ = ["SCHEDULES", "Gradual", "Schedule", "fit_robust_vector", "joint_search", "polished", "random_start", "trim"]


@dataclass(frozen=True)
class Schedule:
    """Constants of a search.

    Parameters
    ----------
    rate : float
        Initial step size of a weight whose gradient keeps its sign.
    beta2 : float
        Decay of the mean square of the gradient.
    dense_until, sparse_from : float
        Fractions of the steps: before the first the network is dense, from the second on it has its final size.
    """

    rate: float
    beta2: float
    dense_until: float
    sparse_from: float


SCHEDULES = {"squared": Schedule(0.2, 0.95, 0.15, 0.6), "cross_entropy": Schedule(0.02, 0.999, 0.05, 0.4)}
"""Chosen by the measurements of ``docs/appendix/networks.md``, "Several outputs, and two hidden layers"."""
BETA1, EPSILON, LAST_RATE = 0.9, 1e-12, 0.01
"""Decay of the mean gradient, the term that avoids 0 / 0, and the final fraction of the rate (cosine schedule)."""
LEAST_REACH, MOST_RATE = 6.0, 0.2
"""Short runs use longer steps: all steps together can move a weight this far, and no step is longer than this."""
COMPACT_EVERY, COMPACT_BELOW = 16, 0.9
"""Neurons without incoming weights are removed from the arrays after this many steps, if at most this fraction of the
neurons remains."""


class Gradual:
    """A joint search over all free layers, whose iterates shrink from `layers` to the final size.

    Parameters
    ----------
    layers : sequence of array
        The starting point, (d, K_1), ..., (K_L, k).
    batches : Batches
        The data; inputs and targets of size about 1.
    settings : FitSettings
        The loss; s, the final number of non-zeros in the free layers; m_1, ..., m_L, the largest widths of the hidden
        layers.
    record : Record
        Records the steps.
    frozen : int, default 0
        Number of last layers whose weights are kept fixed and do not count.

    Attributes
    ----------
    layers : list of array
        The iterate.

    Notes
    -----
    A step is w <- H_{s_t}(w - rate m / sqrt(v)), where m and v are running means of the gradient and of its square over
    all weights, selected or not: a zero weight enters when its gradient keeps its sign, not when a single batch gives a
    large gradient. H keeps the top s_t of |w| times :func:`recovery.mlp.passes.column_scales`, a weight's share of the
    outputs. s_t and the number of neurons fall geometrically between two fractions of the steps (:data:`SCHEDULES`);
    the rate follows a cosine. A neuron that has lost all incoming weights has no gradient, so removing it from the
    arrays changes nothing. At most 5 + 3 L synchronisations per step.
    """

    def __init__(
        self,
        layers: Sequence[Any],
        batches: Batches,
        settings: FitSettings,
        record: Record,
        *,
        frozen: int = 0,
    ) -> None:
        self.xp, self.batches, self.loss, self.record = batches.xp, batches, settings.loss, record
        free = len(layers) - frozen
        self.fixed = list(layers[free:])
        self.shapes = [(int(layer.shape[0]), int(layer.shape[1])) for layer in layers[:free]]
        self.vector = join(layers[:free])
        total = int(self.vector.shape[0])
        self.s, self.size = min(settings.sparsity, total), total
        self.bank = [int(layer.shape[1]) for layer in layers[:-1]]
        self.widths = [min(want, have) for want, have in zip(settings.widths, self.bank, strict=True)]
        self.schedule = SCHEDULES[settings.loss]
        self.mask: Any = None

    @property
    def layers(self) -> list[Any]:
        """Weights of the iterate, (d, K_1), ..., (K_L, k)."""
        return split(self.vector, self.shapes) + self.fixed

    def run(self, steps: int) -> None:
        """Make this many steps, or fewer if the record asks to stop."""
        xp, batches, schedule = self.xp, self.batches, self.schedule
        rate = max(schedule.rate, min(MOST_RATE, LEAST_REACH / steps)) if steps else 0.0
        mean, square = xp.zeros_like(self.vector), xp.zeros_like(self.vector)
        X, y = batches.rows()
        values = forward(self.layers, X)
        found = loss_and_gradient(values[-1], y, self.loss)
        for made in range(1, steps + 1):
            slope = join(gradients(self.layers, values, found.gradient)[: len(self.shapes)])
            mean = BETA1 * mean + (1 - BETA1) * slope
            square = schedule.beta2 * square + (1 - schedule.beta2) * (slope * slope)
            length = rate * max(LAST_RATE, 0.5 * (1 + math.cos(math.pi * (made - 1) / steps)))
            root = xp.sqrt(square / (1 - schedule.beta2**made)) + EPSILON
            self._cut(self.vector - (length / (1 - BETA1**made)) * (mean / root), values, made / steps)
            before = values
            if made % COMPACT_EVERY == 0:
                mean, square, before = self._compact(mean, square, before)
            if batches.minibatch:
                X, y = batches.next_rows()
            values = forward(self.layers, X)
            found = loss_and_gradient(values[-1], y, self.loss)
            self._write(before, values, found, y)
            if not self.record.left:
                return

    def small(self) -> list[Any]:
        """Return the layers of the iterate, cut to the final size in one go."""
        self._cut(self.vector, forward(self.layers, self.batches.rows()[0]), 1.0)
        return self.layers

    def _cut(self, vector: Any, values: list[Any], part: float) -> None:
        """Keep the weights and the neurons that contribute most to the outputs."""
        xp = self.xp
        schedule = self.schedule
        progress = min(1.0, max(0.0, (part - schedule.dense_until) / (schedule.sparse_from - schedule.dense_until)))
        total = int(vector.shape[0])
        size = round(self.size ** (1 - progress) * self.s**progress)
        before = self.mask
        self.mask = xp.ones(total, dtype=bool)
        if size < total:
            layers = split(vector, self.shapes) + self.fixed
            scales = column_scales(layers, values)
            shares = [xp.abs(layer) * scale for layer, scale in zip(layers, scales, strict=True)]
            for level, (bank, want) in enumerate(zip(self.bank, self.widths, strict=True)):
                width, have = round(bank ** (1 - progress) * want**progress), int(layers[level].shape[1])
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

    def _compact(self, mean: Any, square: Any, values: list[Any]) -> tuple[Any, Any, list[Any]]:
        """Drop neurons without incoming weights, which never move again; return the shorter arrays."""
        xp, values = self.xp, list(values)
        parts = [split(vector, self.shapes) for vector in (self.vector, mean, square, self.mask)]
        for level in range(len(self.bank)):
            keep = xp.flatnonzero((parts[0][level] != 0).any(axis=0))
            if int(keep.shape[0]) > COMPACT_BELOW * int(parts[0][level].shape[1]):
                continue
            for layers in parts:
                layers[level] = layers[level][:, keep]
                if level + 1 < len(layers):
                    layers[level + 1] = layers[level + 1][keep]
            if level + 1 == len(self.shapes):
                self.fixed[0] = self.fixed[0][keep]
            values[level + 1] = values[level + 1][:, keep]
        self.shapes = [(int(layer.shape[0]), int(layer.shape[1])) for layer in parts[0]]
        self.vector, mean, square, self.mask = (join(layers) for layers in parts)
        return mean, square, values

    def _write(self, before: list[Any], values: list[Any], found: Any, y: Any) -> None:
        xp, n = self.xp, int(y.shape[0])
        carries = [(layer != 0).any(axis=0) for layer in split(self.vector, self.shapes)[: len(self.bank)]]
        flips: Any = 0
        if not self.batches.minibatch:  # losses on different rows cannot be compared
            for level, live in enumerate(carries, start=1):
                flips = flips + (((values[level] > 0) != (before[level] > 0)) & live).sum()
        self.record.add(
            found.gradient * n,
            self.batches.peak,
            support_change=self.change,
            gate_change=flips,
            nonzeros=xp.count_nonzero(self.vector),
            neurons=sum(live.sum() for live in carries),
            objective=None if self.loss == "squared" else found.value * n,
        )


BANK, LEAST_BANK = 2, 16
"""Neurons in the search per neuron of the result; at most as many as the result could use, or this many."""
POLISH_SHARE = 0.15
"""Fraction of the steps reserved for polishing and exchange, on all rows."""
POLISH_LEAST, POLISH_WORK, POLISH_CLASSES = 10, 4.0, 20
"""At least this many of them, or this many times the operations of the search; at most this many for cross-entropy."""


def fit_robust_vector(batches: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
    """Fit f(x) = W2' relu(W1' x) with at most s non-zeros in W1 and W2 together.

    Parameters
    ----------
    batches : Batches
        The data; targets of shape (n, k).
    settings : FitSettings
        m, s, the loss, and `tol`: a fit with |r| <= tol |y| counts as exact.
    record : Record
        Records the steps.
    rng : numpy.random.Generator
        Draws the first hidden weights; the first output weights are 0, so that no output is preferred.

    Returns
    -------
    network, status, note
        The network is never worse than the zero network.
    """
    start = random_start(batches, settings, rng)
    layers, status = joint_search(start, batches, settings, record)
    return ReLUNetwork(trim(layers)), status, ""


def random_start(batches: Batches, settings: FitSettings, rng: np.random.Generator) -> list[Any]:
    """Return dense layers for a search: normal hidden weights that keep the size of the features, no output weights."""
    # a neuron of the result has at least two weights
    banks = [max(1, min(BANK * width, max(LEAST_BANK, settings.sparsity // 2))) for width in settings.widths]
    sizes = [int(batches.X.shape[1]), *banks]
    layers = []
    for level, width in enumerate(banks):
        drawn = rng.standard_normal((width, sizes[level])) * math.sqrt((1 if level == 0 else 2) / sizes[level])
        layers.append(batches.xp.asarray(drawn, dtype=batches.X.dtype).T)
    layers.append(batches.xp.zeros((banks[-1], int(batches.y.shape[1])), dtype=batches.X.dtype))
    return layers


def joint_search(
    start: Sequence[Any], batches: Batches, settings: FitSettings, record: Record, *, frozen: int = 0
) -> tuple[list[Any], Status]:
    """Search over all weights jointly from dense layers, cut to the final size, and polish on all rows.

    Returns
    -------
    layers, status
        At most ``settings.widths`` neurons and ``settings.sparsity`` non-zeros in the free layers; zeros if they fit
        better.
    """
    left = record.left
    polish = round(POLISH_SHARE * left) if left > 1 else 0
    if settings.loss == "cross_entropy":
        polish = min(polish, POLISH_CLASSES)
    search = Gradual(start, batches, settings, record, frozen=frozen)
    search.run(left - polish)
    layers = search.layers if record.stop is None else search.small()
    # a step on a batch reads all weights of the bank; a polishing step reads the live ones, for all rows and many times
    once = 6 * batches.size * sum(int(layer.size) for layer in start)
    again = 6 * CG_STEPS * int(batches.X.shape[0]) * sum(int(layer.size) for layer in trim(layers))
    polish = min(polish, max(POLISH_LEAST, int(POLISH_WORK * once * (left - polish) / max(1, again))))
    return polished(layers, batches, settings, record, frozen=frozen, steps=polish)


def polished(
    layers: Sequence[Any], batches: Batches, settings: FitSettings, record: Record, *, frozen: int = 0, steps: int
) -> tuple[list[Any], Status]:
    """Polish layers of the final size, and exchange weights; return zeros if they fit better."""
    loss, tol = settings.loss, settings.tol
    polisher = Polisher(trim(layers), batches.X, batches.y, loss, frozen)
    square = float((batches.y * batches.y).sum())
    target = 0.5 * tol * tol * square / int(batches.y.shape[0]) if loss == "squared" else 0.0
    exact, rests = polish_and_exchange(polisher, settings.sparsity, record, batches.peak, target, steps)
    if record.stop is not None or exact:
        status = record.stop or Status.CONVERGED
    elif rests and loss == "squared" and looks_like_noise(batches.X, batches.y, ReLUNetwork(polisher.layers)):
        status = Status.NO_GAIN
    else:
        status = Status.STALLED if record.left else Status.STEP_LIMIT
    zero = float(loss_and_gradient(batches.xp.zeros_like(batches.y), batches.y, loss).value)
    if not polisher.value < zero:
        return [layer * 0 for layer in polisher.layers], status
    return polisher.layers, status


def trim(layers: Sequence[Any]) -> list[Any]:
    """Return the layers without neurons that lack incoming or outgoing weights."""
    xp, found = arrays.namespace(*layers), list(layers)
    for _ in found:  # removing a neuron may leave another one without weights
        for level in range(len(found) - 1):
            carries = (found[level] != 0).any(axis=0) & (found[level + 1] != 0).any(axis=1)
            keep = xp.flatnonzero(carries)
            found[level], found[level + 1] = found[level][:, keep], found[level + 1][keep]
    return found
