"""The repaired method for several outputs: all weights searched together, cut to size, then polished."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from planted.networks import ReLUNetwork
from recovery.networks.batches import Batches
from recovery.networks.gradual import Gradual
from recovery.networks.losses import loss_and_gradient
from recovery.networks.polishing import Polisher
from recovery.networks.record import Record
from recovery.results import Status

__all__ = ["fit_repaired_vector", "joint_phase", "trim"]

BANK = 2
"""Neurons of the search for each neuron of the answer."""
LEAST_BANK = 16
"""A search has at least so many neurons, or the bank, and no more than the answer could carry."""
POLISH_SHARE, POLISH_MOST = 0.15, 20
"""Share of the steps that is kept for polishing, and the most of them."""


def fit_repaired_vector(
    batches: Batches,
    n_neurons: int,
    sparsity: int,
    loss: str,
    record: Record,
    rng: np.random.Generator,
    tol: float,
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
    xp, dtype = batches.xp, batches.X.dtype
    d, k = int(batches.X.shape[1]), int(batches.y.shape[1])
    # a neuron of the answer has two weights at least
    width = max(1, min(BANK * n_neurons, max(LEAST_BANK, sparsity // 2)))
    hidden = xp.asarray(rng.standard_normal((width, d)) / math.sqrt(d), dtype=dtype).T
    start = [hidden, xp.zeros((width, k), dtype=dtype)]
    layers, status = joint_phase(start, batches, (n_neurons,), sparsity, loss, record, tol)
    return ReLUNetwork(trim(layers)), status, ""


def joint_phase(
    start: Sequence[Any],
    batches: Batches,
    widths: Sequence[int],
    sparsity: int,
    loss: str,
    record: Record,
    tol: float,
    *,
    frozen: int = 0,
    size: int | None = None,
) -> tuple[list[Any], Status]:
    """Search from given layers over all weights together, cut to size, and polish on all rows.

    Returns
    -------
    layers, status
        At most `widths` neurons and `sparsity` non-zeros in the free layers; zeros if that fits better.
    """
    left = record.left
    polish = min(POLISH_MOST, int(POLISH_SHARE * left)) if left > 1 else 0
    search = Gradual(start, batches, loss, sparsity, widths, record, frozen=frozen, size=size)
    search.run(left - polish)
    layers = search.layers
    if record.stop is not None:
        layers = search.small()
    polisher = Polisher(trim(layers), batches.X, batches.y, loss, frozen)
    norm = float((batches.y * batches.y).sum())
    n = int(batches.y.shape[0])
    exact = False
    while record.left:
        polisher.step()
        exact = loss == "squared" and 2 * n * polisher.value <= tol * tol * norm
        polisher.write(record, batches.peak)
        if exact or polisher.damping > 1e6:
            break
    status = record.stop or (Status.CONVERGED if exact else Status.STALLED if record.left else Status.STEP_LIMIT)
    zero = float(loss_and_gradient(batches.xp.zeros_like(batches.y), batches.y, loss).value)
    if not polisher.value < zero:
        return [layer * 0 if i < len(layers) - frozen else layer for i, layer in enumerate(layers)], status
    return polisher.layers, status


def trim(layers: Sequence[Any]) -> list[Any]:
    """Return the layers without neurons that have no weights on one side."""
    from planted import arrays

    xp, layers = arrays.namespace(*layers), list(layers)
    for _ in layers:  # a neuron that goes may leave another without weights
        for level in range(len(layers) - 1):
            carries = (layers[level] != 0).any(axis=0) & (layers[level + 1] != 0).any(axis=1)
            keep = xp.flatnonzero(carries)
            layers[level], layers[level + 1] = layers[level][:, keep], layers[level + 1][keep]
    return layers
