"""The repaired method for several outputs: all weights searched together, cut to size, polished, and exchanged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from planted import arrays
from planted.networks import ReLUNetwork
from recovery.networks.batches import Batches
from recovery.networks.exchange import polish_and_exchange
from recovery.networks.gain import looks_like_noise
from recovery.networks.gradual import Gradual
from recovery.networks.losses import loss_and_gradient
from recovery.networks.polishing import CG_STEPS, Polisher
from recovery.networks.record import Record
from recovery.results import Status

__all__ = ["fit_repaired_vector", "joint_search", "polished", "random_start", "trim"]

BANK, LEAST_BANK = 2, 16
"""Neurons of the search for each neuron of the answer; no more than the answer could carry, or this many."""
POLISH_SHARE = 0.15
"""Share of the steps that is kept for polishing and exchange, on all rows."""
POLISH_LEAST, POLISH_WORK, POLISH_CLASSES = 10, 4.0, 20
"""At least so many of them, or so many times the operations of the search; at most so many for cross-entropy."""


def fit_repaired_vector(
    batches: Batches, n_neurons: int, sparsity: int, loss: str, record: Record, rng: np.random.Generator, tol: float
) -> tuple[ReLUNetwork, Status, str]:
    """Fit f(x) = W2' relu(W1' x) with at most s non-zeros in W1 and W2 together.

    Parameters
    ----------
    batches : Batches
        The data; targets of shape (n, k).
    n_neurons, sparsity : int
        m and s.
    loss : {"squared", "cross_entropy"}
        Which loss.
    record : Record
        Where steps are put.
    rng : numpy.random.Generator
        Draws the first hidden weights; the first output weights are 0, so that no output is preferred.
    tol : float
        A fit with |r| <= tol |y| counts as exact.

    Returns
    -------
    network, status, note
        Never worse than the zero network.
    """
    start = random_start(batches, (n_neurons,), int(batches.y.shape[1]), sparsity, rng)
    layers, status = joint_search(start, batches, (n_neurons,), sparsity, loss, record, tol)
    return ReLUNetwork(trim(layers)), status, ""


def random_start(
    batches: Batches, widths: Sequence[int], n_outputs: int, sparsity: int, rng: np.random.Generator
) -> list[Any]:
    """Return dense layers for a search: normal hidden weights that keep the size of the features, no output weights."""
    # a neuron of the answer has two weights at least
    banks = [max(1, min(BANK * width, max(LEAST_BANK, sparsity // 2))) for width in widths]
    sizes = [int(batches.X.shape[1]), *banks]
    layers = []
    for level, width in enumerate(banks):
        drawn = rng.standard_normal((width, sizes[level])) * math.sqrt((1 if level == 0 else 2) / sizes[level])
        layers.append(batches.xp.asarray(drawn, dtype=batches.X.dtype).T)
    layers.append(batches.xp.zeros((banks[-1], n_outputs), dtype=batches.X.dtype))
    return layers


def joint_search(
    start: Sequence[Any],
    batches: Batches,
    widths: Sequence[int],
    sparsity: int,
    loss: str,
    record: Record,
    tol: float,
    *,
    frozen: int = 0,
) -> tuple[list[Any], Status]:
    """Search from dense layers over all weights together, cut to size, and polish on all rows.

    Returns
    -------
    layers, status
        At most `widths` neurons and `sparsity` non-zeros in the free layers; zeros if that fits better.
    """
    left = record.left
    polish = round(POLISH_SHARE * left) if left > 1 else 0
    if loss == "cross_entropy":
        polish = min(polish, POLISH_CLASSES)
    search = Gradual(start, batches, loss, sparsity, widths, record, frozen=frozen)
    search.run(left - polish)
    layers = search.layers if record.stop is None else search.small()
    # a step on a batch reads all weights of the bank, one of polishing the live ones, for all rows and many times
    once = 6 * batches.size * sum(int(layer.size) for layer in start)
    again = 6 * CG_STEPS * int(batches.X.shape[0]) * sum(int(layer.size) for layer in trim(layers))
    polish = min(polish, max(POLISH_LEAST, int(POLISH_WORK * once * (left - polish) / max(1, again))))
    return polished(layers, batches, sparsity, loss, record, tol, frozen=frozen, steps=polish)


def polished(
    layers: Sequence[Any],
    batches: Batches,
    sparsity: int,
    loss: str,
    record: Record,
    tol: float,
    *,
    frozen: int = 0,
    steps: int,
) -> tuple[list[Any], Status]:
    """Polish layers of the size of the answer, and exchange weights; zeros if that fits better."""
    polisher = Polisher(trim(layers), batches.X, batches.y, loss, frozen)
    square = float((batches.y * batches.y).sum())
    target = 0.5 * tol * tol * square / int(batches.y.shape[0]) if loss == "squared" else 0.0
    exact, rests = polish_and_exchange(polisher, sparsity, record, batches.peak, target, steps)
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
    """Return the layers without neurons that have no weights on one side."""
    xp, found = arrays.namespace(*layers), list(layers)
    for _ in found:  # a neuron that goes may leave another without weights
        for level in range(len(found) - 1):
            carries = (found[level] != 0).any(axis=0) & (found[level + 1] != 0).any(axis=1)
            keep = xp.flatnonzero(carries)
            found[level], found[level + 1] = found[level][:, keep], found[level + 1][keep]
    return found
