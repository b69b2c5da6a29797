"""Several hidden layers: one after the other as the paper does, and, repaired, then all together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from planted.networks import ReLUNetwork, forward
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.record import Record, empty_network
from recovery.mlp.training import Batches
from recovery.networks.joint.released import fit_released_vector
from recovery.networks.joint.repaired import fit_repaired_vector, joint_search, polished, random_start, trim
from recovery.networks.scalar.released import fit_released
from recovery.networks.scalar.repaired import fit_repaired
from recovery.solvers.base import Status

__all__ = ["fit_released_layers", "fit_repaired_layers"]

LONG = 40
"""A joint phase of at least so many steps spends a quarter on the layers found, the rest on a joint search."""


def fit_released_layers(
    batches: Batches,
    widths: Sequence[int],
    sparsity: int,
    loss: str,
    gate_update: int | None,
    record: Record,
    rng: np.random.Generator,
    n_iter: int,
) -> tuple[ReLUNetwork, Status, str]:
    """Fit the hidden layers one after the other, as the paper's released code does.

    Parameters
    ----------
    batches : Batches
        The data.
    widths : sequence of int
        m_1, ..., m_L.
    sparsity : int
        s; a layer gets the share s // L.
    loss, gate_update
        As in :func:`recovery.fit_network`.
    record : Record
        Where steps are put; each layer makes `n_iter` of them.
    rng : numpy.random.Generator
        Source of all random numbers.
    n_iter : int
        Steps of each layer.

    Returns
    -------
    network, status, note
        Scalar outputs: output weights 1.

    Notes
    -----
    Layer l is the hidden layer of a network with one, fitted to the outputs on the features relu(z W) of the layers
    before; then it is frozen. With several outputs each fit has output weights of its own, which
    count; those of all layers but the last are thrown away, and their part of the budget with them.
    """

    def fit(data: Batches, width: int, share: int) -> tuple[ReLUNetwork, Status, str]:
        if data.y.ndim == 1:
            return fit_released(data, width, share, gate_update, record, rng)
        return fit_released_vector(data, width, share, loss, gate_update, record, rng)

    shares = [sparsity // len(widths)] * len(widths)
    return _one_after_the_other(batches, widths, shares, record, n_iter, rng, fit)


def fit_repaired_layers(
    batches: Batches,
    widths: Sequence[int],
    sparsity: int,
    loss: str,
    gate_update: int | None,
    record: Record,
    rng: np.random.Generator,
    n_iter: int,
    *,
    restarts: int,
    tol: float,
) -> tuple[ReLUNetwork, Status, str]:
    """Fit the hidden layers one after the other, then all together with one budget; return the better network.

    Parameters
    ----------
    batches, widths, sparsity, loss, gate_update, record, rng, n_iter
        As in :func:`fit_released_layers`; s // L and, for the last layer, the remainder; the joint phase makes
        `n_iter` steps too.
    restarts, tol
        As in :func:`recovery.fit_network`.

    Returns
    -------
    network, status, note
        Scalar outputs: output weights +1 or -1.
    """

    def fit(data: Batches, width: int, share: int) -> tuple[ReLUNetwork, Status, str]:
        if data.y.ndim == 1:
            return fit_repaired(data, width, share, gate_update, record, rng, restarts=restarts, tol=tol, solver=None)
        return fit_repaired_vector(data, width, share, loss, record, rng, tol)

    shares = [sparsity // len(widths)] * len(widths)
    shares[-1] += sparsity - sum(shares)
    network, status, note = _one_after_the_other(batches, widths, shares, record, n_iter, rng, fit)
    record.begin(n_iter)
    if record.stop is not None or min(int(layer.shape[1]) for layer in network.layers[:-1]) == 0:
        return network, status, note
    scalar = network.output.ndim == 1
    together = _with_columns(batches, rng)
    layers = [layer if layer.ndim == 2 else layer[:, None] for layer in network.layers]
    options = {"frozen": int(scalar)}
    best, joint = polished(
        layers, together, sparsity, loss, record, tol, steps=n_iter if n_iter < LONG else n_iter // 4, **options
    )
    words = "the layers were fitted one after the other, then together"
    if record.left:
        start = random_start(together, widths, int(together.y.shape[1]), sparsity, rng)
        if scalar:
            signs = np.where(rng.permutation(int(start[-1].shape[0])) % 2, 1.0, -1.0)
            start[-1] = batches.xp.asarray(signs[:, None], dtype=batches.X.dtype)
        other, ended = joint_search(start, together, widths, sparsity, loss, record, tol, **options)
        if _value(other, together, loss) < _value(best, together, loss):
            best, joint, words = other, ended, "the layers were fitted together from the start"
    best = trim(best)
    return ReLUNetwork([*best[:-1], best[-1][:, 0] if scalar else best[-1]]), joint, words


def _one_after_the_other(
    batches: Batches,
    widths: Sequence[int],
    shares: Sequence[int],
    record: Record,
    n_iter: int,
    rng: np.random.Generator,
    fit: Any,
) -> tuple[ReLUNetwork, Status, str]:
    xp, data, layers = batches.xp, batches, []
    size = batches.size if batches.minibatch else None
    sentence = ""
    for level, (width, share) in enumerate(zip(widths, shares, strict=True)):
        d, k = int(data.X.shape[1]), (int(data.y.shape[1]) if data.y.ndim == 2 else 0)
        record.begin(n_iter)
        share = min(share, width * (d + k))
        network, status = _zero(batches, 1), Status.STALLED
        if share and bool((data.X != 0).any()):
            network, status, sentence = fit(data, width, share)
        if int(network.hidden.shape[1]) == 0:
            note = f"hidden layer {level + 1} of {len(widths)} has no neuron, so the network is zero"
            return _zero(batches, len(widths)), record.stop or Status.STALLED, note
        layers.append(network.hidden)
        if record.stop is Status.DIVERGED:
            record.stop = None  # the layer before it left the range is good for features
        if level < len(widths) - 1:
            with np.errstate(over="ignore", invalid="ignore"):
                features = next(forward(network.layers, data.X))
            if not bool(xp.isfinite(features).all()):
                note = f"the outputs of hidden layer {level + 1} leave the range of the numbers; the network is zero"
                return _zero(batches, len(widths)), Status.DIVERGED, note
            data = Batches(features, data.y, size, rng)
    layers.append(network.output)
    return ReLUNetwork(layers), status, sentence


def _zero(batches: Batches, depth: int) -> ReLUNetwork:
    return empty_network(batches.X, batches.y, depth)


def _with_columns(batches: Batches, rng: np.random.Generator) -> Batches:
    if batches.y.ndim == 2:
        return batches
    return Batches(batches.X, batches.y[:, None], batches.size if batches.minibatch else None, rng)


def _value(layers: Sequence[Any], batches: Batches, loss: str) -> float:
    y = batches.y if batches.y.ndim == 2 else batches.y[:, None]
    return float(loss_and_gradient(ReLUNetwork(layers)(batches.X), y, loss).value)
