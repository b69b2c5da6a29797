"""Propose new lines from the moments of the residual.

For Gaussian inputs and |u| = 1, the component of |u . x| of degree q in Hermite polynomials is alpha_q / q! times the
q-th Hermite polynomial of u . x, with alpha_4 = -sqrt(2/pi), alpha_6 = 3 sqrt(2/pi). So the moments <r, h_a(x_i)
h_b(x_k)> with a + b = 4, 6 reveal lines in the plane of inputs i and k, at any angle; ascent of <r, |u . x|> then adds
further inputs. The constants hold for standard normal inputs; for others this is a heuristic, like the rest of the
search, and its proposals are tested with the data's own second moments.
"""

from __future__ import annotations

from math import comb, factorial, pi, sqrt
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.networks.exact.model import Inputs, Lines

__all__ = ["Quadratic", "births", "proposals"]

MEAN = sqrt(2 / pi)
"""E |z| of a standard normal z."""
SPREAD_KINK = sqrt(1 - 2 / pi - MEAN**2 / 2)
"""Standard deviation of |z| without its components of degrees 0 and 2."""
SPREAD_ENTRY = sqrt(1 - 2 / pi)
"""Lower bound on the standard deviation of sign(z) x, for correlated z and x, without its linear part."""
DEGREES = {4: -MEAN, 6: 3 * MEAN}
ANGLES = 48
CANDIDATES, SMALLEST, HIDDEN = 150, 4.0, 3.3
ASCENTS, STAY, ENTER = 8, 3.0, 4.5
ACCEPT, SHARE, MOST = 5.5, 0.4, 40
ROBUST = 5.0
PROJECTION = 6
"""Conjugate gradient steps used to project quadratics out of a residual."""


class Quadratic:
    """Least squares on 1, x_i and x_i x_k, by conjugate gradients, starting from the previous call's solution.

    In the basis sqrt(2), sqrt(2) x_i, x_i x_k - [i = k] the Gram matrix of standard normal inputs is 2 n I, so few
    iterations are enough; each costs two matrix products.

    Attributes
    ----------
    matrix : numpy.ndarray, shape (d, d)
        The quadratic part, symmetric.
    """

    def __init__(self, inputs: Inputs) -> None:
        d = inputs.n_inputs
        self.inputs = inputs
        self._at = np.zeros((d + 1, d + 1))

    @property
    def matrix(self) -> np.ndarray:
        """The quadratic part of the last fit."""
        return self._at[:-1, :-1]

    def project(self, r: Any, steps: int, tol: float = 1e-3) -> Any:
        """Return r minus its best quadratic."""
        left = r - self._apply(self._at) if self._at.any() else r
        slope = self._adjoint(left)
        direction, norm = slope, float((slope**2).sum())
        for _ in range(steps):
            if norm <= 2 * tol**2 * float((left * left).sum()):
                break
            image = self._apply(direction)
            length = norm / float((image * image).sum())
            self._at = self._at + length * direction
            left = left - length * image
            slope = self._adjoint(left)
            before, norm = norm, float((slope**2).sum())
            direction = slope + (norm / before) * direction
        return left

    # the coefficients are one matrix: Q, then the linear part, then the constant in the corner
    def _apply(self, coefficients: np.ndarray) -> Any:
        inputs, xp = self.inputs, self.inputs.xp
        Q, linear = inputs.put(coefficients[:-1, :-1]), inputs.put(sqrt(2) * coefficients[-1, :-1])
        constant = float(sqrt(2) * coefficients[-1, -1] - np.trace(coefficients[:-1, :-1]))
        parts = []
        for rows in inputs.blocks(2 * inputs.n_inputs):
            block = inputs.XT[:, rows]
            parts.append(((Q @ block) * block).sum(axis=0) + linear @ block + constant)
        return xp.concatenate(parts)

    def _adjoint(self, r: Any) -> np.ndarray:
        inputs, d = self.inputs, self.inputs.n_inputs
        square = inputs.xp.zeros((d, d), dtype=np.float64)
        for rows in inputs.blocks(2 * d):
            block = inputs.XT[:, rows]
            square += ((block * r[rows]) @ block.T).astype(np.float64)
        found = np.zeros((d + 1, d + 1))
        total = float(r.sum())
        found[:-1, :-1] = arrays.to_numpy(square)
        found[:-1, :-1] = (found[:-1, :-1] + found[:-1, :-1].T) / 2 - total * np.eye(d)
        found[-1, :-1] = sqrt(2) * arrays.to_numpy(inputs.XT @ r)
        found[-1, -1] = sqrt(2) * total
        return found


def births(quadratic: Quadratic, model: Lines, r: Any) -> tuple[np.ndarray, np.ndarray]:
    """Propose lines far from the existing ones.

    Parameters
    ----------
    quadratic : Quadratic
        The projection over the inputs, in float32.
    model : Lines
        The model.
    r : array, shape (n,)
        Its residual.

    Returns
    -------
    directions : numpy.ndarray, shape (K, d)
        Unit vectors.
    amplitudes : numpy.ndarray, shape (K,)
        Signed strengths, estimated conservatively.
    """
    inputs, xp = quadratic.inputs, quadratic.inputs.xp
    deviation = float(r.std())
    if deviation == 0:
        return np.zeros((0, inputs.n_inputs)), np.zeros(0)
    scaled = quadratic.project((r / deviation).astype(inputs.dtype), PROJECTION)
    start = _in_planes(inputs, scaled)
    if not len(start):
        return np.zeros((0, inputs.n_inputs)), np.zeros(0)
    units, t = _ascend(inputs, scaled, start)
    level = max(ACCEPT, SHARE * float(np.abs(t).max()))
    own = model.units
    free = (np.abs(t) >= level) & (np.abs(units).max(axis=1) <= 0.998)
    if model.n_lines:
        free &= np.abs(units @ own.T).max(axis=1) <= 0.98
    chosen: list[int] = []
    for k in np.argsort(-np.abs(t), kind="stable"):
        if free[k] and len(chosen) < MOST and not (np.abs(units[chosen] @ units[k]) > 0.8).any():
            chosen.append(int(k))
    units = units[chosen]
    if not chosen:
        return units, np.zeros(0)
    Z = inputs.put(units) @ inputs.XT
    phi = xp.abs(Z) - 0.5 * MEAN * (1.0 + Z * Z)
    gain, noise = arrays.to_numpy(phi @ scaled), arrays.to_numpy((phi * phi) @ (scaled * scaled))
    kept = np.abs(gain) >= ROBUST * np.sqrt(noise)
    amplitude = 0.7 * gain.astype(np.float64) / (inputs.n_samples * SPREAD_KINK**2) * deviation
    return units[kept], amplitude[kept]


def proposals(quadratic: Quadratic, r: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors, shape (K, d), and signs of lines that may be hidden in noise: all above 2.5 deviations."""
    inputs = quadratic.inputs
    deviation = float(r.std())
    if deviation == 0:
        return np.zeros((0, inputs.n_inputs)), np.zeros(0)
    scaled = quadratic.project((r / deviation).astype(inputs.dtype), PROJECTION)
    start = _in_planes(inputs, scaled, HIDDEN)
    if not len(start):
        return start, np.zeros(0)
    units, t = _ascend(inputs, scaled, start, 2)
    kept = (np.abs(t) > 2.5) & (np.abs(units).max(axis=1) <= 0.998)
    return units[kept], np.sign(t[kept])


def _in_planes(inputs: Inputs, r: Any, least: float = SMALLEST) -> np.ndarray:
    """Return two-entry unit vectors at which the moments of r have a local maximum over the angle, best first."""
    d = inputs.n_inputs
    moments = _moments(inputs, r)
    first, second = np.triu_indices(d, 1)
    theta = (np.arange(ANGLES) + 0.5) * pi / ANGLES
    cosine, sine = np.cos(theta), np.sin(theta)
    total, variance = np.zeros((len(first), ANGLES)), 0.0
    for degree, alpha in DEGREES.items():
        weight = alpha / sqrt(factorial(degree))
        variance += weight**2
        for a in range(degree + 1):
            moment = moments[a, degree - a][first, second]
            total += np.outer(moment, weight * sqrt(comb(degree, a)) * cosine**a * sine ** (degree - a))
    scores = np.abs(total) / sqrt(variance * inputs.n_samples) / float(r.std())
    top = (scores >= np.roll(scores, 1, 1)) & (scores >= np.roll(scores, -1, 1)) & (scores > least)
    pair, angle = np.nonzero(top)
    best = np.argsort(-scores[pair, angle], kind="stable")[:CANDIDATES]
    pair, angle = pair[best], angle[best]
    units, rows = np.zeros((len(pair), d)), np.arange(len(pair))
    units[rows, first[pair]], units[rows, second[pair]] = cosine[angle], sine[angle]
    return units


def _moments(inputs: Inputs, r: Any) -> dict[tuple[int, int], np.ndarray]:
    """Return sum r h_a(x_i) h_b(x_k) over the samples, shape (d, d), for normalised Hermite polynomials h."""
    xp, d, most = inputs.xp, inputs.n_inputs, max(DEGREES)
    wanted = [(a, degree - a) for degree in DEGREES for a in range(degree // 2, degree + 1)]
    sums = {pair: xp.zeros((d, d), dtype=np.float64) for pair in wanted}
    for rows in inputs.blocks((most + 2) * d):
        block, part = inputs.XT[:, rows], r[rows]
        hermite = [xp.ones_like(block), block]
        for a in range(1, most):  # h_{a+1} = (x h_a - sqrt(a) h_{a-1}) / sqrt(a + 1)
            hermite.append((block * hermite[a] - sqrt(a) * hermite[a - 1]) * (1 / sqrt(a + 1)))
        for a, b in wanted:
            sums[a, b] += ((hermite[a] * part) @ hermite[b].T).astype(np.float64)
    found = {pair: arrays.to_numpy(value) for pair, value in sums.items()}
    return found | {(b, a): value.T for (a, b), value in found.items() if a != b}


def _ascend(inputs: Inputs, r: Any, units: np.ndarray, steps: int = ASCENTS) -> tuple[np.ndarray, np.ndarray]:
    """Climb |<r, |u . x|>| over sparse unit vectors u; return them and their t values."""
    scale = sqrt(inputs.n_samples) * float(r.std())
    xp, rows = inputs.xp, np.arange(len(units))[:, None]
    for step in range(steps + 1):
        at = inputs.put(units)
        total = xp.zeros(units.shape, dtype=np.float64)
        for part in inputs.blocks(len(units)):
            block = inputs.XT[:, part]
            # sign(z) = 2 [z > 0] - 1
            pulled = block * r[part]
            open_on = (at @ block > 0).astype(inputs.dtype)
            total += (2 * (open_on @ pulled.T) - pulled.sum(axis=1)).astype(np.float64)
        slope = arrays.to_numpy(total)
        along = (slope * units).sum(axis=1)
        if step == steps:
            break
        t = np.abs(slope) / (scale * SPREAD_ENTRY)
        keep = np.where(units != 0, t > STAY, t > ENTER)
        keep[rows, np.argsort(-t, axis=1, kind="stable")[:, :2]] = True
        units = np.where(keep, slope * np.sign(along)[:, None], 0.0)
        units = units / (np.sqrt((units**2).sum(axis=1, keepdims=True)) + 1e-30)
    return units, along / (scale * SPREAD_KINK)
