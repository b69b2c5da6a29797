"""The wedge test for a second line close to an existing line or axis.

If two lines u and v are close, the kinks of |u . x| and |v . x| differ only on the rows between them, the wedge. For v
= u +- tau e_i, phi = 2 |v . x| on the rows where sign(v . x) != sign(u . x), 0 elsewhere, is the part of a kink at v
that a kink at u and linear terms cannot represent; (phi . r)^2 / (phi . phi sd^2) is the gain of a line there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.networks.exact.model import Inputs, Lines
from recovery.networks.exact.newton import size

__all__ = ["Split", "splits", "widths"]

WIDTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 2.5e-1)
"""Trial angles tau, radians."""
REACH = 2.5
"""Rows with |u . x| up to this times tau are considered; inputs have deviation 1."""
ROWS, CHUNK = 4000, 1000
GAIN, SHARE, MOST = 45.0, 0.05, 10


@dataclass(frozen=True, eq=False)
class Split:
    """A second line proposed by the wedge test.

    Attributes
    ----------
    unit : numpy.ndarray, shape (d,)
        Direction of the existing line, or the axis.
    axis : int
        The axis, -1 for a line.
    direction : numpy.ndarray, shape (d,)
        The new line, unit +- tau e_i.
    amplitude : float
        Its strength.
    """

    unit: np.ndarray
    axis: int
    direction: np.ndarray
    amplitude: float


def widths(deviation: float) -> list[float]:
    """Return the angles to try for a given deviation of the residual, for weights of size 1.

    If one line stands for two lines of strength c that are tau apart, the residual is about c tau^(3/2), so tau = (sd /
    c)^(2/3), here with c = .3.
    """
    expected = min(0.2, (deviation / 0.3) ** (2 / 3))
    return [tau for tau in WIDTHS if expected / 30 <= tau <= max(4 * expected, 0.01)]


def splits(inputs: Inputs, X: Any, model: Lines, r: Any, taus: list[float]) -> list[Split]:
    """Return the best second lines, at most ten, best first.

    Parameters
    ----------
    inputs : Inputs
        The data.
    X : array of float32, shape (n, d)
        The same inputs, sample by sample.
    model : Lines
        The model.
    r : array, shape (n,)
        Its residual.
    taus : list of float
        Angles to try.

    Returns
    -------
    list of Split
        Those whose gain exceeds 45 and a twentieth of the largest gain.
    """
    units = np.concatenate([model.units, np.eye(inputs.n_inputs)[inputs.bent]])
    if not (taus and len(units)):
        return []
    deviation = size(r)
    along, own = _sums(X, units, (r / deviation).astype(X.dtype), taus)
    gain = np.where(own > 0, along**2 / np.where(own > 0, own, 1.0), 0.0).reshape(len(units), -1)
    best = gain.argmax(axis=1)
    top = gain[np.arange(len(units)), best]
    norms = model.norms
    found: list[Split] = []
    for k in np.argsort(-top, kind="stable"):
        if top[k] < max(GAIN, SHARE * float(top.max())) or len(found) >= max(MOST, model.n_lines // 10):
            break
        tau, side, i = np.unravel_index(best[k], own.shape[1:])
        direction = units[k].copy()
        direction[i] += taus[tau] if side == 0 else -taus[tau]
        if np.count_nonzero(direction) < 2:
            continue
        amplitude = float(along[k, tau, side, i] / own[k, tau, side, i]) * deviation
        axis = -1 if k < model.n_lines else int(inputs.bent[k - model.n_lines])
        if axis >= 0:
            most = max(0.7 * abs(model.axes[axis]), 0.1)
        else:
            most = norms[k] * (0.7 if amplitude * model.signs[k] > 0 else 1.0)
        found.append(Split(units[k], axis, direction, float(np.clip(amplitude, -most, most))))
    return found


def _sums(X: Any, units: np.ndarray, r: Any, taus: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return r . phi and phi . phi for every line, tau, side (+, -) and input, shapes (L, T, 2, d)."""
    xp, d = arrays.namespace(X), int(X.shape[1])
    sums = xp.zeros((len(units), len(taus), 4, d), dtype=X.dtype)
    host = np.asarray(taus)
    for k in range(len(units)):
        support = np.flatnonzero(units[k])
        z = X[:, xp.asarray(support)] @ xp.asarray(units[k, support], dtype=X.dtype)
        distance = xp.abs(z)
        rows = xp.flatnonzero(distance < REACH * float(host.max()))
        distance, gate = distance[rows], xp.sign(z[rows])
        for j, tau in enumerate(taus):
            inside = xp.flatnonzero(distance < REACH * tau)
            inside = inside[:: int(inside.shape[0]) // ROWS + 1]
            for start in range(0, int(inside.shape[0]), CHUNK):
                part = inside[start : start + CHUNK]
                over = X[rows[part]]
                over *= (tau * gate[part])[:, None]
                _add(sums[k, j], over, distance[part][:, None], r[rows[part]])
    found = arrays.to_numpy(sums).astype(np.float64)
    # half the sum and half the difference of even and odd parts give the two sides; phi is twice the overshoot
    along = np.stack([found[:, :, 1] - found[:, :, 0], found[:, :, 1] + found[:, :, 0]], axis=2)
    own = 2 * np.stack([found[:, :, 3] - found[:, :, 2], found[:, :, 3] + found[:, :, 2]], axis=2)
    return along, own


def _add(sums: Any, over: Any, limit: Any, near: Any) -> None:
    """Add the sums of a chunk of rows: r t, r |t|, t |t| and t^2 for the signed overshoot t.

    With c = sign(z) tau x_i, which is passed in `over` and overwritten, v = u - tau e_i crosses a row where c > |z|,
    the `limit`, and v = u + tau e_i where c < -|z|; the overshoot t is c - clip(c, -|z|, |z|). `near` is r.
    """
    xp = arrays.namespace(over)
    kept = xp.minimum(over, limit)
    xp.maximum(kept, -limit, out=kept)
    over -= kept
    bare = xp.abs(over)
    sums[0] += near @ over
    sums[1] += near @ bare
    over *= bare
    bare *= bare
    sums[2] += over.sum(axis=0)
    sums[3] += bare.sum(axis=0)
