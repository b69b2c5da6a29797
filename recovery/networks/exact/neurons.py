"""Convert a kink form to a network: the orientation of each line's neuron is determined from the linear part.

A neuron 2 o w with o = +-1 and output sigma is sigma (|w . x| + o w . x): a line of the form, plus a contribution to
the linear part. The remainder, e = b - sum_l o_l sigma_l w_l, has to come from neurons on the axes: a_i |x_i| + e_i x_i
= (a_i + e_i) relu(x_i) + (a_i - e_i) relu(-x_i), which is no neuron if a_i = e_i = 0, one if |a_i| = |e_i|, and two
otherwise. So for an input i with at most one neuron on its axis, sum_l o_l sigma_l w_li is b_i - a_i or b_i + a_i, up
to rounding. Of the 2^k sign choices for its k lines hardly ever more than one satisfies this, and it is found by a
meet-in-the-middle search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from planted.base import arrays
from recovery.networks.exact.model import Inputs, Lines
from recovery.networks.exact.newton import square

__all__ = ["Neurons", "orientations", "oriented", "outputs", "polished"]

MOST_LINES = 32
"""Largest number of undecided lines of an input for which sign choices are enumerated (2^16 sums on each side)."""
CHANCE = 1e-3
"""Enumerations in which a choice would fit by chance with more than this probability are postponed."""
SWEEPS, STARTS = 60, 6


@dataclass(frozen=True, eq=False)
class Neurons:
    """sum_j signs_j relu(weights_j . x), on the host.

    Attributes
    ----------
    weights : numpy.ndarray, shape (J, d)
        Row j is a neuron.
    signs : numpy.ndarray, shape (J,)
        +-1.
    """

    weights: np.ndarray
    signs: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Numbers of neurons and of non-zero weights."""
        return len(self.weights), int(np.count_nonzero(self.weights))


def oriented(model: Lines, tolerance: np.ndarray, rng: np.random.Generator) -> Neurons:
    """Return a network of the same function with few neurons on the axes.

    Parameters
    ----------
    model : Lines
        The kink form.
    tolerance : numpy.ndarray, shape (d,)
        Tolerance within which |a_i| and |e_i| count as equal, or as zero.
    rng : numpy.random.Generator
        Used by the local search over lines that no input decides.

    Returns
    -------
    Neurons
        One neuron for each line, and at most two on each axis. Where all lines and axes have one sign, neurons of the
        other sign are avoided if orientations of the undecided lines are found that need none.
    """
    one_sign = bool((model.signs == 1).all() and (model.axes >= -tolerance).all()) or bool(
        (model.signs == -1).all() and (model.axes <= tolerance).all()
    )
    choice = orientations(model, tolerance, one_sign, rng)
    share = model.signs[:, None] * model.weights
    left = model.linear - choice @ share
    weights, signs = [2.0 * choice[:, None] * model.weights], [model.signs]
    for i in range(len(left)):
        for amount, side in _on_axis(float(model.axes[i]), float(left[i]), float(tolerance[i])):
            neuron = np.zeros((1, len(left)))
            neuron[0, i] = side * abs(amount)
            weights.append(neuron)
            signs.append(np.array([1.0 if amount > 0 else -1.0]))
    return Neurons(np.concatenate(weights), np.concatenate(signs))


def orientations(model: Lines, tolerance: np.ndarray, one_sign: bool, rng: np.random.Generator) -> np.ndarray:
    """Return the orientation o_l = +-1 of each line's neuron, as determined by :func:`oriented`.

    With `one_sign`, neurons on the axes of the other sign are avoided where lines are undecided.
    """
    share = model.signs[:, None] * model.weights
    decided = _decode(model, share, tolerance)
    return _settle(model, share, decided, tolerance, one_sign, rng)


def joined(neurons: Neurons, sides: np.ndarray) -> Neurons:
    """Return fewer neurons with the same values, given that some inputs never change sign.

    Parameters
    ----------
    neurons : Neurons
        A network.
    sides : numpy.ndarray, shape (d,)
        1 for an input that is never negative, -1 for one that is never positive, 0 for others.

    Returns
    -------
    Neurons
        Neurons that are always open are linear, so all those of one sign are merged; those that are never open are
        removed. Such data do not determine how many linear neurons there were, or what each of them was.
    """
    along = neurons.weights * sides
    support = neurons.weights != 0
    always = (along > 0) | ~support
    never = (along < 0) | ~support
    linear, dead = always.all(axis=1), never.all(axis=1)
    weights, signs = [neurons.weights[~(linear | dead)]], [neurons.signs[~(linear | dead)]]
    for sign in (1.0, -1.0):
        total = neurons.weights[linear & ~dead & (neurons.signs == sign)].sum(axis=0)
        if total.any():
            weights.append(total[None])
            signs.append(np.array([sign]))
    return Neurons(np.concatenate(weights), np.concatenate(signs))


def _on_axis(a: float, e: float, tolerance: float) -> list[tuple[float, float]]:
    """Return the neurons of a |x| + e x as pairs (signed amount, side of the axis)."""
    if abs(a) <= tolerance and abs(e) <= tolerance:
        return []
    if abs(abs(a) - abs(e)) <= tolerance:
        return [(a + e, 1.0) if abs(a + e) > abs(a - e) else (a - e, -1.0)]
    return [(a + e, 1.0), (a - e, -1.0)]


def _decode(model: Lines, share: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """Return o_l = +-1 for lines decided by an input with at most one neuron on its axis, and 0 for the others."""
    decided = np.zeros(model.n_lines)
    heavy = np.abs(share) > tolerance
    waiting = set(range(len(tolerance)))
    while True:
        before = np.count_nonzero(decided)
        for i in sorted(waiting, key=lambda i: (int((heavy[:, i] & (decided == 0)).sum()), i)):
            lines = np.flatnonzero(heavy[:, i] & (decided == 0))
            if not len(lines):
                waiting.discard(i)
                continue
            target = float(model.linear[i] - decided @ share[:, i])
            found, certain = _enumerated(share[lines, i], target, float(model.axes[i]), float(tolerance[i]))
            if not certain:
                continue
            if len(found) == 1:
                decided[lines] = found[0]
                break
            if not len(found):
                waiting.discard(i)  # it has two neurons on its axis
        else:
            return decided
        if np.count_nonzero(decided) == before:
            return decided


def _enumerated(values: np.ndarray, target: float, a: float, tolerance: float) -> tuple[np.ndarray, bool]:
    """Return sign choices o with |target - o . values| within the tolerance of |a|, and whether this is conclusive.

    At most two are returned, since two already mean that the choice is undecided.
    """
    if len(values) > MOST_LINES:
        return np.zeros((0, len(values))), False
    goals = [target] if abs(a) <= tolerance else [target - a, target + a]
    expected = 2.0 ** len(values) * len(goals) * 2 * tolerance / float(np.sqrt(values @ values))
    if expected > CHANCE:
        return np.zeros((0, len(values))), False
    half = (len(values) + 1) // 2
    first, second = _choices(half), _choices(len(values) - half)
    sums = first @ values[:half]
    order = np.argsort(sums, kind="stable")
    sums = sums[order]
    others = second @ values[half:]
    found: list[np.ndarray] = []
    for goal in goals:
        low = np.searchsorted(sums, goal - others - tolerance)
        high = np.searchsorted(sums, goal - others + tolerance, side="right")
        for k in np.flatnonzero(high > low):
            found.extend(np.concatenate([first[order[j]], second[k]]) for j in range(low[k], high[k]))
            if len(found) > 2:
                return np.array(found[:2]), True
    return np.array(found).reshape(-1, len(values)), True


def _choices(count: int) -> np.ndarray:
    """Return all rows of +-1, shape (2^count, count)."""
    bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    return 1.0 - 2.0 * bits


def _settle(
    model: Lines,
    share: np.ndarray,
    decided: np.ndarray,
    tolerance: np.ndarray,
    one_sign: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return orientations of all lines: undecided ones by local search for few neurons on the axes.

    A neuron costs 1. If all have one sign, a neuron of the other sign costs up to 1/2 more, increasing with its size,
    which gives the search a direction.
    """
    free = np.flatnonzero(decided == 0)
    guess = np.where(share @ model.linear >= 0, 1.0, -1.0)
    choice = np.where(decided == 0, guess, decided)
    if not len(free):
        return choice
    size = np.abs(model.axes)
    scale = float(np.abs(share).max())

    def cost(left: np.ndarray, at: np.ndarray) -> float:
        a, e, tol = size[at], np.abs(left), tolerance[at]
        neurons = np.where((a <= tol) & (e <= tol), 0, np.where(np.abs(a - e) <= tol, 1, 2))
        wrong = np.maximum(e - a - tol, 0.0) / scale if one_sign else 0.0
        return float((neurons + np.where(wrong > 0, 0.1 + 0.4 * wrong / (1 + wrong), 0.0)).sum())

    everywhere = np.arange(len(size))
    touched = [np.flatnonzero(share[line]) for line in free]
    best, least = choice, np.inf
    for start in range(STARTS):
        now = choice.copy()
        if start:
            now[free] = np.where(rng.random(len(free)) < 0.5, -now[free], now[free])
        left = model.linear - now @ share
        for sweep in range(SWEEPS):
            heat = 0.5 * (1 - sweep / (0.8 * SWEEPS))
            moved = False
            for k in rng.permutation(len(free)):
                line, at = free[k], touched[k]
                turned = left[at] + 2 * now[line] * share[line, at]
                change = cost(turned, at) - cost(left[at], at)
                if change < 0 or (heat > 0 and rng.random() < np.exp(-change / heat)):
                    left[at], now[line], moved = turned, -now[line], True
            if heat <= 0 and not moved:
                break
        reached = cost(model.linear - now @ share, everywhere)
        if reached < least:
            best, least = now, reached
        if one_sign and not (np.abs(model.linear - best @ share) > size + tolerance).any():
            break
    return best


def outputs(inputs: Inputs, neurons: Neurons) -> Any:
    """Return the outputs of the network at all samples, shape (n,)."""
    xp = inputs.xp
    weights, signs = inputs.put(neurons.weights), inputs.put(neurons.signs)
    parts = [xp.zeros(0, dtype=inputs.dtype)]
    for rows in inputs.blocks(len(neurons.weights) + inputs.n_inputs):
        parts.append(signs @ xp.maximum(weights @ inputs.XT[:, rows], 0))
    return xp.concatenate(parts)


def polished(inputs: Inputs, y: Any, neurons: Neurons, steps: int = 2) -> tuple[Neurons, Any]:
    """Make Gauss-Newton steps on the non-zero weights; return the best network and its residual.

    The network has fewer parameters than its kink form, whose linear part and axes are free, so it is better
    determined.
    """
    xp = inputs.xp
    neuron, coordinate = np.nonzero(neurons.weights)
    neuron_on, coordinate_on = xp.asarray(neuron), xp.asarray(coordinate)
    r = y - outputs(inputs, neurons)
    for _ in range(steps if len(neuron) else 0):
        weights, signs = inputs.put(neurons.weights), inputs.put(neurons.signs)[:, None]
        H, g = xp.zeros((len(neuron), len(neuron)), dtype=np.float64), xp.zeros(len(neuron), dtype=np.float64)
        for rows in inputs.blocks(len(neuron)):
            block = inputs.XT[:, rows]
            F = ((weights @ block > 0) * signs)[neuron_on] * block[coordinate_on]
            H += (F @ F.T).astype(np.float64)
            g += (F @ r[rows]).astype(np.float64)
        try:
            factor = scipy.linalg.cho_factor(arrays.to_numpy(H), check_finite=False)
        except np.linalg.LinAlgError:
            break
        moved = neurons.weights.copy()
        moved[neuron, coordinate] += scipy.linalg.cho_solve(factor, arrays.to_numpy(g), check_finite=False)
        trial = Neurons(moved, neurons.signs)
        left = y - outputs(inputs, trial)
        if square(left) >= square(r):
            break
        neurons, r = trial, left
    return neurons, r
