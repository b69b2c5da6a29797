"""Exchanges: some neurons of a network are removed, others added, and the rest refitted by one least-squares step.

Merges, splits, turns, births and removals are all of this kind. With F the columns of the network and C those of the
new neurons, a damped Gauss-Newton step needs only F F', F C', C C', F r and C r, so many exchanges can be scored in one
pass over the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from planted.base import arrays
from recovery.networks.exact.model import Inputs
from recovery.networks.exact.network import At, Network, columns, gram

__all__ = ["Exchange", "scored"]

DAMPING = 1e-2
MOST_COLUMNS = 160
"""Number of columns of new neurons per pass."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """Neurons to remove and neurons to add.

    Attributes
    ----------
    removed : tuple of int
        Indices of the neurons to remove, ascending.
    added : Network
        The neurons to add.
    """

    removed: tuple[int, ...]
    added: Network

    def weights(self, network: Network) -> int:
        """Return by how many weights the network grows."""
        return self.added.n_weights - int(network.support[list(self.removed)].sum())

    def made(self, network: Network) -> Network:
        """Return the network after the exchange; new neurons come last."""
        keep = np.ones(network.n_neurons, dtype=bool)
        keep[list(self.removed)] = False
        return network.select(keep).joined(self.added)


def scored(inputs: Inputs, now: At, exchanges: list[Exchange]) -> list[tuple[float, Network]]:
    """Return, for every exchange, |r|^2 as predicted by a linear step, and the network after that step."""
    found: list[tuple[float, Network]] = []
    first = 0
    while first < len(exchanges):
        last, total = first, 0
        while last < len(exchanges) and (last == first or total + exchanges[last].added.n_weights <= MOST_COLUMNS):
            total += exchanges[last].added.n_weights
            last += 1
        found += _scored(inputs, now, exchanges[first:last])
        first = last
    return found


def _scored(inputs: Inputs, now: At, exchanges: list[Exchange]) -> list[tuple[float, Network]]:
    network, xp = now.network, inputs.xp
    H, g = gram(inputs, network, now.r)
    everything = exchanges[0].added.select(np.zeros(0, dtype=int))
    for one in exchanges:
        everything = everything.joined(one.added)
    neuron, coordinate = everything.places()
    owner = np.repeat(np.arange(len(exchanges)), [one.added.n_weights for one in exchanges])
    cross, own, along = np.zeros((len(g), len(neuron))), np.zeros((len(neuron), len(neuron))), np.zeros(len(neuron))
    if len(neuron):
        sums = None
        neuron_on, coordinate_on = xp.asarray(neuron), xp.asarray(coordinate)
        weights, signs = inputs.put(everything.weights), inputs.put(everything.signs)[:, None]
        for rows, _, F in columns(inputs, network):
            block = inputs.XT[:, rows]
            C = ((weights @ block > 0) * signs)[neuron_on]
            C *= block[coordinate_on]
            parts = tuple(part.astype(np.float64) for part in (F @ C.T, C @ C.T, C @ now.r[rows]))
            sums = parts if sums is None else tuple(a + b for a, b in zip(sums, parts, strict=True))
        assert sums is not None
        cross, own, along = (arrays.to_numpy(part) for part in sums)
    place = network.places()
    values, at_neuron = network.weights[place], place[0]
    found = []
    for k, one in enumerate(exchanges):
        gone = np.isin(at_neuron, one.removed)
        mine = np.flatnonzero(owner == k)
        kept = np.flatnonzero(~gone)
        start = everything.weights[neuron[mine], coordinate[mine]]
        lost = np.where(gone, values, 0.0)
        # r' = r + F' lost - C' start
        C_F, C_C = cross[:, mine], own[np.ix_(mine, mine)]
        F_r = g + H @ lost - C_F @ start
        C_r = along[mine] + C_F.T @ lost - C_C @ start
        square = now.square + lost @ (g + F_r) - start @ (along[mine] + C_r)
        A = np.block([[H[np.ix_(kept, kept)], C_F[kept]], [C_F[kept].T, C_C]])
        right = np.concatenate([F_r[kept], C_r])
        made = one.made(network)
        if len(right):
            damped = A + np.diag(DAMPING * np.diag(A) + 1e-9 * np.diag(A).max())
            try:
                step = scipy.linalg.cho_solve(scipy.linalg.cho_factor(damped, check_finite=False), right)
            except np.linalg.LinAlgError:
                found.append((np.inf, made))
                continue
            square -= float(step @ (2 * right - A @ step))
            made = made.moved(step)
        found.append((float(square), made))
    return found
