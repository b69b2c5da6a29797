"""Fits of networks with several outputs or several hidden layers: sizes, units, and which method does the work."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_integer
from planted.networks import ReLUNetwork
from recovery.networks.batches import Batches
from recovery.networks.layerwise import fit_released_layers, fit_repaired_layers
from recovery.networks.losses import softmax
from recovery.networks.metrics import psnr
from recovery.networks.record import FitState, NetworkFit, Record, sentence
from recovery.networks.units import check_unit, in_range, root_mean_square
from recovery.networks.vector_released import fit_released_vector
from recovery.networks.vector_repaired import fit_repaired_vector
from recovery.results import Status

__all__ = ["check_widths", "count_weights", "fit_several"]


def check_widths(n_neurons: Any) -> tuple[int, ...]:
    """Return the hidden widths as a tuple, one a hidden layer, or refuse them.

    Parameters
    ----------
    n_neurons : int or sequence of int
        One width, or one a hidden layer.

    Returns
    -------
    tuple of int
        The widths.

    Raises
    ------
    TypeError, ValueError
        If there is none, or one is not an integer of at least 1.
    """
    if not isinstance(n_neurons, Sequence) or isinstance(n_neurons, (str, bytes)):
        return (check_integer(n_neurons, "n_neurons", minimum=1),)
    if len(n_neurons) == 0:
        raise ValueError(f"n_neurons={n_neurons!r} is empty; expected at least one width")
    return tuple(check_integer(width, f"n_neurons[{i}]", minimum=1) for i, width in enumerate(n_neurons))


def count_weights(X: Any, y: Any, widths: Sequence[int]) -> int:
    """Return how many weights count: those of all layers, but not the output layer of a scalar network."""
    sizes = [int(X.shape[1]), *widths, *([int(y.shape[1])] if y.ndim == 2 else [])]
    return sum(rows * columns for rows, columns in itertools.pairwise(sizes))


def fit_several(
    X: Any,
    y: Any,
    widths: tuple[int, ...],
    sparsity: int,
    method: str,
    loss: str,
    n_iter: int,
    gate_update: int | None,
    batch_size: int | None,
    restarts: int,
    time_limit: float | None,
    tol: float,
    rng: np.random.Generator,
    callback: Callable[[FitState], Any] | None,
) -> NetworkFit:
    """Fit a network with several outputs or hidden layers; :func:`recovery.fit_network` has checked the arguments."""
    xp = arrays.namespace(X)
    repaired = method == "repaired"
    # the repaired method's steps are of one length, so it works on inputs and targets of root mean square 1; the powers
    # of two in that are taken out first and exactly, which keeps every square in range
    unit_X, part_X = _size(X) if repaired else (0, 1.0)
    unit_y, part_y = _size(y) if repaired and loss == "squared" else (0, 1.0)
    check_unit("X", unit_X, X.dtype)
    check_unit("y", unit_y, X.dtype)
    used = xp.flatnonzero((X != 0).any(axis=0)) if repaired else None  # blank pixels get no weights
    small = X if used is None or int(used.shape[0]) in (0, X.shape[1]) else X[:, used]
    small, target = (xp.ldexp(small, -unit_X), xp.ldexp(y, -unit_y)) if unit_X or unit_y else (small, y)
    if repaired:
        small, target = small / part_X, target / part_y
    phases = len(widths) + (repaired and len(widths) > 1)
    record = Record(n_iter * phases, time_limit, callback, math.ldexp(part_y, unit_y))
    batches = Batches(small, target, batch_size, rng)
    if len(widths) > 1:
        if repaired:
            network, status, note = fit_repaired_layers(
                batches, widths, sparsity, loss, gate_update, record, rng, n_iter, restarts=restarts, tol=tol
            )
        else:
            network, status, note = fit_released_layers(
                batches, widths, sparsity, loss, gate_update, record, rng, n_iter
            )
    elif repaired:
        network, status, note = fit_repaired_vector(batches, widths[0], sparsity, loss, record, rng, tol)
    else:
        network, status, note = fit_released_vector(batches, widths[0], sparsity, loss, gate_update, record, rng)
    if repaired:
        layers = list(network.layers)
        last = len(layers) - (1 if y.ndim == 2 else 2)
        layers[0] = layers[0] / part_X
        layers[last] = layers[last] * part_y
        layers, held = in_range(layers, last, unit_X, unit_y, batches.X, batches.y)
        network = ReLUNetwork(layers)
        if not held:
            status, note = Status.OUT_OF_RANGE, f"before that: {sentence(status, n_iter, note)}"
    if int(small.shape[1]) < int(X.shape[1]):
        first = xp.zeros((int(X.shape[1]), network.n_neurons), dtype=X.dtype)
        first[used] = network.hidden
        network = ReLUNetwork([first, *network.layers[1:]])
    return NetworkFit(
        network,
        _score(network, X, y, loss),
        record.n_iter,
        status,
        sentence(status, n_iter, note),
        record.history,
    )


@np.errstate(over="ignore", invalid="ignore")
def _score(network: ReLUNetwork, X: Any, y: Any, loss: str) -> float:
    """Return the PSNR in dB; -inf where the outputs of a diverged fit leave the range of the numbers."""
    outputs = network(X)
    if not bool(arrays.namespace(outputs).isfinite(outputs).all()):
        return -math.inf
    return psnr(softmax(outputs) if loss == "cross_entropy" else outputs, y)


def _size(values: Any) -> tuple[int, float]:
    """Return e and r with root mean square 2^e r and 1/2 <= r < 1; (0, 1) for zeros."""
    top = math.frexp(float(arrays.namespace(values).abs(values).max()))[1]
    part, power = math.frexp(root_mean_square(values, top))
    return (top + power, part) if part else (0, 1.0)
