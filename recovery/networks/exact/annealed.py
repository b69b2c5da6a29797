"""Orientations of the neurons under noise: simulated annealing with costs in units of the variance.

With orientations o_l = +-1, the remainder e = b - sum_l o_l sigma_l w_l of the linear part has to come from neurons on
the axes: a_i |x_i| + e_i x_i = (a_i + e_i) relu(x_i) + (a_i - e_i) relu(-x_i). With tau_i the variance of the estimates
for input i, having no neuron on axis i costs (a_i^2 + e_i^2) / tau_i, one costs PENALTY + (|a_i| - |e_i|)^2 / tau_i,
and two cost 2 PENALTY. The sum over the inputs is minimised over o.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recovery.networks.exact.model import Lines
from recovery.networks.exact.network import Network, on_half_axes

__all__ = ["anneal", "annealed", "variances"]

PENALTY = 16.0
"""Cost of a neuron on an axis, in variances."""
SOFT = 8.0
"""In the first part of the sweeps a cost q counts as SOFT log(1 + q / SOFT), so one wrong line is no barrier."""
SOFT_ENDS, COLDEST = 0.8, 0.02
SWEEPS, CHAINS = 250, 12


def variances(model: Lines, linear: np.ndarray, axes: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return tau, shape (d,): variances of b_i, a_i and of all entries of lines on input i together."""
    return linear + axes + np.where(model.support, lines, 0.0).sum(axis=0)


def annealed(model: Lines, tau: np.ndarray, one_sign: bool, rng: np.random.Generator) -> Network:
    """Return a network near the kink form, with few neurons on the axes.

    Parameters
    ----------
    model : Lines
        The kink form.
    tau : numpy.ndarray, shape (d,)
        Variance of a_i and e_i, above 0.
    one_sign : bool
        Whether all neurons should have v = +1.
    rng : numpy.random.Generator
        Draws the starts and the moves.

    Returns
    -------
    Network
        One neuron per line, and up to two on each axis; amounts that the costs treat as zero are omitted.
    """
    choice = anneal(model, tau, one_sign, rng)
    e = model.linear - choice @ (model.signs[:, None] * model.weights)
    none, one, two = _prices(model.axes, e, tau, one_sign)
    low, high = model.axes - e, model.axes + e
    count = np.argmin(np.stack([none, one, two]), axis=0)
    larger = np.abs(high) > np.abs(low)
    amounts = np.zeros((len(e), 2))
    amounts[:, 0] = np.where((count == 2) | ((count == 1) & larger), high, 0.0)
    amounts[:, 1] = np.where((count == 2) | ((count == 1) & ~larger), low, 0.0)
    if one_sign:
        amounts = np.maximum(amounts, 0.0)
    lines = Network(2.0 * choice[:, None] * model.weights, model.signs, model.support)
    return lines.joined(on_half_axes(amounts.ravel()))


def _prices(a: np.ndarray, e: np.ndarray, tau: np.ndarray, one_sign: bool) -> tuple[Any, Any, Any]:
    """Return the costs of no, one and two neurons on each axis; with one sign, negative amounts cost their squares."""
    none = (a * a + e * e) / tau
    gap = np.abs(a) - np.abs(e)
    one, two = gap * gap / tau, np.zeros_like(none)
    if one_sign:
        one = np.where(a < 0, none, one)
        below = np.minimum(np.minimum(a + e, a - e), 0.0)
        two = below * below / tau
    return none, PENALTY + one, 2 * PENALTY + two


def _cost(a: np.ndarray, e: np.ndarray, tau: np.ndarray, one_sign: bool, soft: bool) -> np.ndarray:
    none, one, two = _prices(a, e, tau, one_sign)
    if soft:
        none = SOFT * np.log1p(none / SOFT)
        one = PENALTY + SOFT * np.log1p((one - PENALTY) / SOFT)
        two = 2 * PENALTY + SOFT * np.log1p((two - 2 * PENALTY) / SOFT)
    return np.minimum(none, np.minimum(one, two))


@dataclass(frozen=True, eq=False)
class _Batch:
    """Lines without a common input, which can be flipped at the same time.

    Attributes
    ----------
    lines : numpy.ndarray of int
        Indices of the lines.
    first : numpy.ndarray of int
        Start of each line's entries in `coordinate`.
    owner : numpy.ndarray of int
        Position in `lines` of each entry.
    coordinate : numpy.ndarray of int
        Inputs of their entries, line by line.
    share : numpy.ndarray
        sigma_l w_li of these.
    """

    lines: np.ndarray
    first: np.ndarray
    owner: np.ndarray
    coordinate: np.ndarray
    share: np.ndarray


def _batches(model: Lines) -> list[_Batch]:
    """Divide the lines into batches whose lines have no input in common: greedily, long lines first."""
    taken: list[np.ndarray] = []
    members: list[list[int]] = []
    for line in np.argsort(-model.support.sum(axis=1), kind="stable"):
        for used, group in zip(taken, members, strict=True):
            if not (used & model.support[line]).any():
                used |= model.support[line]
                group.append(int(line))
                break
        else:
            taken.append(model.support[line].copy())
            members.append([int(line)])
    found = []
    for group in members:
        lines = np.array(group)
        owner, coordinate = np.nonzero(model.support[lines])
        first = np.searchsorted(owner, np.arange(len(lines)))
        share = model.signs[lines[owner]] * model.weights[lines[owner], coordinate]
        found.append(_Batch(lines, first, owner, coordinate, share))
    return found


def anneal(model: Lines, tau: np.ndarray, one_sign: bool, rng: np.random.Generator) -> np.ndarray:
    """Return orientations of small cost, shape (L,); the first chain starts on the side of the linear part.

    Notes
    -----
    The temperature falls like PENALTY (1 - t)^2. Lines without a common input are flipped simultaneously, in all
    chains.
    """
    share = model.signs[:, None] * model.weights
    guess = np.where(share @ model.linear >= 0, 1.0, -1.0)
    if not model.n_lines:
        return guess
    turn = np.where(np.arange(CHAINS) % 2, 0.1, 0.5)
    turn[0] = 0.0
    choice = np.where(rng.random((CHAINS, model.n_lines)) < turn[:, None], -guess, guess)
    e = model.linear - choice @ share
    batches = _batches(model)
    for sweep in range(SWEEPS):
        done = sweep / SWEEPS
        heat, soft = PENALTY * (1 - done) ** 2 + COLDEST, done < SOFT_ENDS
        for k in rng.permutation(len(batches)):
            part = batches[k]
            a, tau_on, now = model.axes[part.coordinate], tau[part.coordinate], e[:, part.coordinate]
            turned = now + 2 * choice[:, part.lines][:, part.owner] * part.share
            change = _cost(a, turned, tau_on, one_sign, soft) - _cost(a, now, tau_on, one_sign, soft)
            rise = np.add.reduceat(change, part.first, axis=1)
            accept = rng.random(rise.shape) < np.exp(-np.maximum(rise, 0.0) / heat)
            choice[:, part.lines] = np.where(accept, -choice[:, part.lines], choice[:, part.lines])
            e[:, part.coordinate] = np.where(accept[:, part.owner], turned, now)
    total = _cost(model.axes, e, tau, one_sign, False).sum(axis=1)
    return choice[int(total.argmin())]
