"""Several hidden layers: fitted one after another as in the paper; the robust method then fits them jointly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from planted.networks import ReLUNetwork, forward
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.record import FitSettings, Found, Record, empty_network
from recovery.mlp.training import Batches
from recovery.networks.joint.paper import fit_paper_vector
from recovery.networks.joint.robust import fit_robust_vector, joint_search, polished, random_start, trim
from recovery.networks.scalar.paper import fit_paper
from recovery.networks.scalar.robust import fit_robust
from recovery.solvers.base import Status

__all__ = ["fit_paper_layers", "fit_robust_layers"]

LONG = 40
"""A joint phase of at least this many steps spends a quarter on the layers found, the rest on a joint search."""


def fit_paper_layers(batches: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
    """Fit the hidden layers one after the other, as the paper's released code does.

    Parameters
    ----------
    batches : Batches
        The data.
    settings : FitSettings
        Each of the L hidden layers gets s // L weights and `max_iter` steps.
    record : Record
        Records the steps.
    rng : numpy.random.Generator
        Source of all random numbers.

    Returns
    -------
    network, status, note
        For scalar outputs the output weights are 1.

    Notes
    -----
    Layer l is fitted as the hidden layer of a two-layer network, on the features relu(z W) of the layers before it, and
    is then frozen. With several outputs each of these fits has its own output weights, which count; those of all layers
    but the last are discarded, together with their part of the budget.
    """
    fit = fit_paper if batches.y.ndim == 1 else fit_paper_vector
    shares = [settings.sparsity // len(settings.widths)] * len(settings.widths)
    return _one_after_the_other(batches, settings, shares, record, rng, fit)


def fit_robust_layers(batches: Batches, settings: FitSettings, record: Record, rng: np.random.Generator) -> Found:
    """Fit the hidden layers one after the other, then all together with one budget; return the better network.

    Parameters
    ----------
    batches, settings, record, rng
        As in :func:`fit_paper_layers`; each layer gets s // L weights, and the last one the remainder too; the joint
        phase also makes `max_iter` steps.

    Returns
    -------
    network, status, note
        For scalar outputs the output weights are +1 or -1.
    """
    fit = fit_robust if batches.y.ndim == 1 else fit_robust_vector
    widths, n_iter, loss = settings.widths, settings.max_iter, settings.loss
    shares = [settings.sparsity // len(widths)] * len(widths)
    shares[-1] += settings.sparsity - sum(shares)
    network, status, note = _one_after_the_other(batches, settings, shares, record, rng, fit)
    record.begin(n_iter)
    if record.stop is not None or min(int(layer.shape[1]) for layer in network.layers[:-1]) == 0:
        return network, status, note
    scalar = network.output.ndim == 1
    together = _with_columns(batches, rng)
    layers = [layer if layer.ndim == 2 else layer[:, None] for layer in network.layers]
    frozen = int(scalar)
    steps = n_iter if n_iter < LONG else n_iter // 4
    best, joint = polished(layers, together, settings, record, frozen=frozen, steps=steps)
    words = "the layers were fitted one after the other, then together"
    if record.left:
        start = random_start(together, settings, rng)
        if scalar:
            signs = np.where(rng.permutation(int(start[-1].shape[0])) % 2, 1.0, -1.0)
            start[-1] = batches.xp.asarray(signs[:, None], dtype=batches.X.dtype)
        other, ended = joint_search(start, together, settings, record, frozen=frozen)
        if _value(other, together, loss) < _value(best, together, loss):
            best, joint, words = other, ended, "the layers were fitted together from the start"
    best = trim(best)
    return ReLUNetwork([*best[:-1], best[-1][:, 0] if scalar else best[-1]]), joint, words


def _one_after_the_other(
    batches: Batches,
    settings: FitSettings,
    shares: Sequence[int],
    record: Record,
    rng: np.random.Generator,
    fit: Callable[[Batches, FitSettings, Record, np.random.Generator], Found],
) -> Found:
    xp, data, layers, widths = batches.xp, batches, [], settings.widths
    size = batches.size if batches.minibatch else None
    sentence = ""
    for level, (width, share) in enumerate(zip(widths, shares, strict=True)):
        d, k = int(data.X.shape[1]), (int(data.y.shape[1]) if data.y.ndim == 2 else 0)
        record.begin(settings.max_iter)
        share = min(share, width * (d + k))
        network, status = _zero(batches, 1), Status.STALLED
        if share and bool((data.X != 0).any()):
            network, status, sentence = fit(data, settings.of_layer(width, share), record, rng)
        if int(network.hidden.shape[1]) == 0:
            note = f"hidden layer {level + 1} of {len(widths)} has no neuron, so the network is zero"
            return _zero(batches, len(widths)), record.stop or Status.STALLED, note
        layers.append(network.hidden)
        if record.stop is Status.DIVERGED:
            record.stop = None  # the last layer before the overflow still provides features
        if level < len(widths) - 1:
            with np.errstate(over="ignore", invalid="ignore"):
                features = next(forward(network.layers, data.X))
            if not bool(xp.isfinite(features).all()):
                note = f"the outputs of hidden layer {level + 1} overflow; the network is zero"
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
