"""Rewrite a network with few neurons: parallel neurons merged, orientations read off the linear part."""

from __future__ import annotations

import numpy as np

__all__ = ["consolidate"]


def consolidate(
    hidden: np.ndarray, output: np.ndarray, angle: float, drop: float = 1e-7
) -> tuple[np.ndarray, np.ndarray]:
    """Return a network of nearly the same function with one neuron a line, where that is possible.

    Parameters
    ----------
    hidden : numpy.ndarray, shape (d, m)
        Hidden weights.
    output : numpy.ndarray, shape (m,)
        Output weights, +1 or -1.
    angle : float
        Neurons whose directions differ by at most this, up to sign, are one line (radians, small).
    drop : float, default 1e-7
        Neurons and entries below this fraction of the longest neuron are dropped.

    Returns
    -------
    hidden : numpy.ndarray, shape (d, q)
        The neurons.
    output : numpy.ndarray, shape (q,)
        +1 or -1.

    Notes
    -----
    The kink form f(x) = sum_l sign_l |k_l . x| / 2 + b . x determines the lines and b, not the orientation of
    the neurons: any o_l in {-1, 1} with sum_l o_l sign_l k_l = 2 b give the same function. They start from
    the majority of each line and are flipped one at a time while that brings the sum nearer to
    2 b. What is left of b is put on single inputs, where a x_i = relu(a x_i) - relu(-a x_i) costs two
    weights, or one if the input has a line of its own. Derived here; tested to be exact on
    disguised networks by tests/recovery/test_consolidate.py.
    """
    norms = np.linalg.norm(hidden, axis=0)
    order = np.argsort(-norms, kind="stable")
    order = order[norms[order] > drop * norms.max(initial=0.0)]
    linear = hidden @ output
    lines: list[np.ndarray] = []
    kinks: list[np.ndarray] = []
    lean: list[float] = []
    if order.size:
        unit = hidden[:, order] / norms[order]
        free = np.ones(order.size, dtype=bool)
        for first in range(order.size):
            if not free[first]:
                continue
            along = unit[:, first] @ unit
            side = np.where(along >= 0, 1.0, -1.0)
            apart = np.linalg.norm(unit - unit[:, [first]] * side, axis=0)
            members = free & (apart <= angle)
            free &= ~members
            mine = order[members]
            weights = output[mine]
            lines.append(unit[:, first])
            kinks.append(hidden[:, mine] @ (weights * side[members]))
            lean.append(float((weights * side[members] * norms[mine]).sum()))
    if not lines:
        return np.zeros((hidden.shape[0], 0)), np.zeros(0)
    line, kink, leaning = np.array(lines).T, np.array(kinks).T, np.array(lean)
    kink = np.where(np.abs(kink) > drop * norms.max(), kink, 0.0)
    strong = np.linalg.norm(kink, axis=0) > drop * norms.max()
    line, kink, leaning = line[:, strong], kink[:, strong], leaning[strong]
    sign = np.where((line * kink).sum(axis=0) >= 0, 1.0, -1.0)
    orient = np.where(leaning * sign >= 0, 1.0, -1.0)
    miss = linear - kink @ orient
    squares = (kink * kink).sum(axis=0)
    for _ in range(4 * kink.shape[1]):
        # flipping o_l adds 2 o_l k_l to the miss
        change = 4 * squares + 4 * orient * (kink.T @ miss)
        best = int(np.argmin(change)) if change.size else 0
        if not change.size or change[best] >= -1e-12 * squares[best]:
            break
        miss = miss + 2 * orient[best] * kink[:, best]
        orient[best] = -orient[best]
    return _add_linear(kink, sign, orient, miss, drop * norms.max())


def _add_linear(
    kink: np.ndarray, sign: np.ndarray, orient: np.ndarray, miss: np.ndarray, small: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return neurons of the lines, with `miss` / 2 added to the linear part by neurons along single inputs."""
    hidden, output = [kink * (orient * sign)], [sign]
    single = (kink != 0).sum(axis=0) == 1
    keep = np.ones(kink.shape[1], dtype=bool)
    for i in np.flatnonzero(np.abs(miss) > small):
        here = np.flatnonzero(single & (kink[i] != 0))
        keep[here] = False
        strength = float((sign[here] * np.abs(kink[i, here])).sum())
        slope = float(miss[i] + (orient[here] * kink[i, here]).sum())
        # (strength |x_i| + slope x_i) / 2 = up relu(x_i) + down relu(-x_i)
        for way, weight in ((1.0, 0.5 * (strength + slope)), (-1.0, 0.5 * (strength - slope))):
            if abs(weight) > small:
                neuron = np.zeros((kink.shape[0], 1))
                neuron[i] = way * abs(weight)
                hidden.append(neuron)
                output.append(np.array([np.sign(weight)]))
    hidden[0], output[0] = hidden[0][:, keep], output[0][keep]
    return np.concatenate(hidden, axis=1), np.concatenate(output)
