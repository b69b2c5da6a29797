"""A network with a fixed support: values, columns, damped Gauss-Newton steps and the covariance of the weights.

f(x) = sum_j v_j relu(u_j . x) with v_j = +-1. As long as no gate moves, f is linear in u, with columns v_j 1[u_j . x >
0] x_i. The network has no free linear part and no free bends along the axes, so under noise it is better determined
than its kink form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from planted.base import arrays
from recovery.networks.exact.model import Inputs
from recovery.networks.exact.newton import Spread, spread, square

__all__ = ["At", "Network", "between", "columns", "covariance", "gram", "polish", "predict"]

TRIES = 6
"""Damping values tried for one step."""
LEAST = 1e-9
"""Smallest damping."""
NEW = 1e-12
"""Initial value of a new weight, as a fraction of its neuron's largest: too small to move a gate."""


@dataclass(eq=False)
class Network:
    """sum_j signs_j relu(weights_j . x), on the host; arrays are never modified after construction.

    Attributes
    ----------
    weights : numpy.ndarray, shape (J, d)
        Row j is neuron j, zero outside of its support.
    signs : numpy.ndarray, shape (J,)
        +-1.
    support : numpy.ndarray of bool, shape (J, d)
        Which weights are parameters.
    """

    weights: np.ndarray
    signs: np.ndarray
    support: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray, signs: np.ndarray) -> Network:
        """Return the network whose support is the set of non-zero weights."""
        return cls(weights, signs, weights != 0)

    @property
    def n_neurons(self) -> int:
        """Number of neurons, J."""
        return int(self.weights.shape[0])

    @property
    def n_weights(self) -> int:
        """Number of parameters."""
        return int(self.support.sum())

    @property
    def sizes(self) -> np.ndarray:
        """Number of weights of each neuron."""
        return self.support.sum(axis=1)

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the neuron and the input of each parameter, neuron by neuron."""
        neuron, coordinate = np.nonzero(self.support)
        return neuron, coordinate

    def select(self, keep: np.ndarray) -> Network:
        """Return the network with only some of its neurons, given by a mask or by indices."""
        return Network(self.weights[keep], self.signs[keep], self.support[keep])

    def joined(self, other: Network) -> Network:
        """Return the sum of two networks."""
        return Network(
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.signs, other.signs]),
            np.concatenate([self.support, other.support]),
        )

    def with_entries(self, neuron: np.ndarray, coordinate: np.ndarray) -> Network:
        """Return the network with additional weights, which start at (nearly) zero."""
        weights, support = self.weights.copy(), self.support.copy()
        support[neuron, coordinate] = True
        weights[neuron, coordinate] = NEW * np.abs(self.weights).max(axis=1)[neuron]
        return Network(weights, self.signs, support)

    def without(self, neuron: np.ndarray, coordinate: np.ndarray) -> Network:
        """Return the network without the given weights; neurons may be left with none."""
        weights, support = self.weights.copy(), self.support.copy()
        weights[neuron, coordinate], support[neuron, coordinate] = 0.0, False
        return Network(weights, self.signs, support)

    def moved(self, step: np.ndarray) -> Network:
        """Return the network after a step of its parameters, in the order of :meth:`places`."""
        weights = self.weights.copy()
        weights[self.places()] += step
        return Network(weights, self.signs, self.support)

    def tidy(self) -> Network:
        """Return the same function without empty neurons, and with at most one neuron on each half axis."""
        kept = self.select((self.weights != 0).any(axis=1))
        single = np.flatnonzero(kept.sizes == 1)
        axis = kept.support[single].argmax(axis=1)
        amount = kept.weights[single, axis]
        half = 2 * axis + (amount < 0)
        if len(np.unique(half)) == len(half):
            return kept
        total = np.zeros(2 * kept.weights.shape[1])
        np.add.at(total, half, kept.signs[single] * np.abs(amount))
        others = np.ones(kept.n_neurons, dtype=bool)
        others[single] = False
        return kept.select(others).joined(on_half_axes(total))


def on_half_axes(amounts: np.ndarray) -> Network:
    """Return sum_i p_i relu(x_i) + q_i relu(-x_i) for amounts (p_0, q_0, p_1, q_1, ...), zeros left out."""
    half = np.flatnonzero(amounts)
    weights = np.zeros((len(half), len(amounts) // 2))
    weights[np.arange(len(half)), half // 2] = np.where(half % 2, -1.0, 1.0) * np.abs(amounts[half])
    return Network.of(weights, np.sign(amounts[half]))


@dataclass(eq=False)
class At:
    """A network, its residual on the data, and the square of that.

    Attributes
    ----------
    network : Network
        The network.
    r : array, shape (n,)
        Its residual.
    square : float
        |r|^2.
    """

    network: Network
    r: Any
    square: float


def predict(inputs: Inputs, network: Network) -> Any:
    """Return f at all samples, shape (n,), on the device of the inputs and in their dtype."""
    xp = inputs.xp
    if not network.n_neurons:
        return xp.zeros(inputs.n_samples, dtype=inputs.dtype)
    weights, signs = inputs.put(network.weights), inputs.put(network.signs)
    parts = []
    for rows in inputs.blocks(network.n_neurons + inputs.n_inputs):
        Z = weights @ inputs.XT[:, rows]
        xp.maximum(Z, 0, out=Z)
        parts.append(signs @ Z)
    return xp.concatenate(parts)


def columns(inputs: Inputs, network: Network) -> Iterator[tuple[slice, Any, Any]]:
    """Yield the columns of the network in blocks of samples.

    Yields
    ------
    rows : slice
        The samples.
    gates : array, shape (J, c)
        v_j 1[u_j . x > 0].
    F : array, shape (p, c)
        The columns, as rows, in the order of :meth:`Network.places`.
    """
    xp = inputs.xp
    neuron, coordinate = (xp.asarray(place) for place in network.places())
    weights, signs = inputs.put(network.weights), inputs.put(network.signs)[:, None]
    for rows in inputs.blocks(network.n_weights + inputs.n_inputs):
        block = inputs.XT[:, rows]
        gates = (weights @ block > 0) * signs
        F = gates[neuron]
        F *= block[coordinate]
        yield rows, gates, F


def gram(inputs: Inputs, network: Network, r: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return F F' and F r on the host, in float64, for the columns F of the network."""
    xp, count = inputs.xp, network.n_weights
    total, right = xp.zeros((count, count), dtype=np.float64), xp.zeros(count, dtype=np.float64)
    if count:
        for rows, _, F in columns(inputs, network):
            total += (F @ F.T).astype(np.float64)
            right += (F @ r[rows]).astype(np.float64)
    return arrays.to_numpy(total), arrays.to_numpy(right)


def at(inputs: Inputs, y: Any, network: Network) -> At:
    """Return a network with its residual."""
    r = y - predict(inputs, network)
    return At(network, r, square(r))


def polish(inputs: Inputs, y: Any, start: Network | At, steps: int, damping: float = 1e-4, stop: float = 1e-5) -> At:
    """Make damped Gauss-Newton steps on the support.

    Parameters
    ----------
    inputs : Inputs
        The data.
    y : array, shape (n,)
        Targets, in the dtype of the inputs.
    start : Network or At
        The start.
    steps : int
        Largest number of steps.
    damping : float
        A multiple of the diagonal of F F' is added: /8 after a step that lowers |r|^2, * 8 after one that does not.
    stop : float
        Stop once |r|^2 falls by less than this fraction.

    Returns
    -------
    At
        The best iterate.
    """
    now = start if isinstance(start, At) else at(inputs, y, start)
    for _ in range(steps if now.network.n_weights else 0):
        H, g = gram(inputs, now.network, now.r)
        diagonal = np.diag(H) + 1e-9 * np.diag(H).max()
        for _ in range(TRIES):
            try:
                factor = scipy.linalg.cho_factor(H + np.diag(damping * diagonal), check_finite=False)
            except np.linalg.LinAlgError:
                damping = max(10 * damping, 1e-8)
                continue
            trial = at(inputs, y, now.network.moved(scipy.linalg.cho_solve(factor, g, check_finite=False)))
            if trial.square < now.square:
                break
            damping = max(8 * damping, 1e-7)
        else:
            break
        fall = 1.0 - trial.square / now.square
        now, damping = trial, max(damping / 8, LEAST)
        if fall < stop:
            break
    return now


def covariance(inputs: Inputs, network: Network, r: Any) -> Spread:
    """Return (F F')^-1: times the variance of the noise, the covariance of the weights.

    A weight whose neuron is open on no sample has a zero column; its variance is set to a very large value.
    """
    H, _ = gram(inputs, network, r)
    diagonal = np.diag(H)
    return spread(inputs, H + np.diag(np.where(diagonal > 0, 0.0, 1e-12 * diagonal.max(initial=0.0) + 1e-300)))


def between(inputs: Inputs, network: Network, r: Any, candidates: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return F C', the diagonal of C C', and C r for additional columns C, on the host.

    Parameters
    ----------
    inputs, network, r
        The data, a network and its residual.
    candidates : callable
        Called with the samples as columns, shape (d, c), and the gates of the network; returns C, shape (q, c).
    """
    total: tuple[Any, ...] | None = None
    for rows, gates, F in columns(inputs, network):
        C = candidates(inputs.XT[:, rows], gates)
        parts = tuple(part.astype(np.float64) for part in (F @ C.T, (C * C).sum(axis=1), C @ r[rows]))
        total = parts if total is None else tuple(a + b for a, b in zip(total, parts, strict=True))
    assert total is not None  # there are samples
    cross, own, along = (arrays.to_numpy(part) for part in total)
    return cross, own, along
