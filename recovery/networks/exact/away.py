"""New lines for inputs that are not centred at 0, where moments of the residual are not informative.

A line w . x = w . (x - mean) + w . mean can cut such data anywhere, often far from the mean, where few rows carry
information about it. Missing lines are therefore found as in the search: by Adam on the model's residual, started
towards rows with large residuals, and with half of the rows drawn with weights r^2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base import arrays
from recovery.networks.centre import Centre
from recovery.networks.exact.model import Lines
from recovery.networks.exact.search import search

__all__ = ["births_away"]

ATOMS, STEPS = 10, 2000
GROUP, SIZE, FROM = 6, 0.1, 0.6
"""An atom starts along the mean of this many rows, with this norm, and is 0 at this fraction of the way to them."""
LEAST, LONGER = 10, 3.0
"""A new line may have this many entries, or this multiple of the average number per line if that is larger."""
WEAK = 0.1
"""Atoms below this fraction of the largest are discarded."""
CLOSE, ALIKE = 0.98, 0.8
"""Largest |cosine| with an existing line, and between two new ones."""
GAIN, SHARE, MOST = 45.0, 0.1, 10
"""Smallest decrease of |r|^2 in variances, smallest fraction of the largest decrease, and most new lines."""


def births_away(
    X: Any, centre: Centre, model: Lines, r: Any, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Propose lines far from the existing ones.

    Parameters
    ----------
    X : array of float32, shape (n, d)
        Samples.
    centre : Centre
        Their mean and deviation.
    model : Lines
        The model.
    r : array, shape (n,)
        Its residual.
    rng : numpy.random.Generator
        Draws starts and batches.

    Returns
    -------
    directions : numpy.ndarray, shape (K, d)
        Unit vectors.
    amplitudes : numpy.ndarray, shape (K,)
        Signed strengths.
    """
    nothing = np.zeros((0, int(X.shape[1]))), np.zeros(0)
    left = r.astype(X.dtype)
    if not bool((left != 0).any()):
        return nothing
    lead, signs = _lead(X, centre, left, rng)
    found = search(X, left, signs, STEPS, rng, lambda *_: False, centre=centre, lead=lead)
    # a residual concentrated in a few rows can be fitted by any line with as many entries
    longest = max(LEAST, LONGER * float(model.support.sum()) / max(model.n_lines, 1))
    short = found.support.sum(axis=1) <= min(longest, _rows(left))
    found = found.select(short & (found.norms > WEAK * found.norms.max(initial=0.0)))
    if model.n_lines and found.n_lines:
        found = found.select(np.abs(found.units @ model.units.T).max(axis=1) < CLOSE)
    if not found.n_lines:
        return nothing
    gains, amplitudes = _gains(X, found.units, left)
    chosen: list[int] = []
    for k in np.argsort(-gains, kind="stable"):
        if gains[k] < max(GAIN, SHARE * float(gains.max())) or len(chosen) == MOST:
            break
        if not (np.abs(found.units[chosen] @ found.units[k]) > ALIKE).any():
            chosen.append(int(k))
    return found.units[chosen], amplitudes[chosen]


def _lead(X: Any, centre: Centre, r: Any, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return starting atoms that point to the mean of a few rows with large residuals of one sign, and these signs."""
    xp, host = arrays.namespace(X), arrays.to_numpy(r).astype(np.float64)
    weights, above = host**2, host > 0
    first = rng.choice(len(host), ATOMS, p=weights / weights.sum())
    signs = np.where(above[first], 1.0, -1.0)
    lead = np.zeros((ATOMS, int(X.shape[1]) + 1))
    for k in range(ATOMS):
        same = np.where(above == above[first[k]], weights, 0.0)
        rows = rng.choice(len(host), GROUP, p=same / same.sum())
        toward = arrays.to_numpy(centre.shifted(X[xp.asarray(rows)])).astype(np.float64).mean(axis=0)
        norm = max(float(np.sqrt(toward[:-1] @ toward[:-1])), 1e-30)
        lead[k] = SIZE / norm * toward
        lead[k, -1] = -FROM * SIZE * norm  # for a row at the mean of these rows
    return lead, signs


def _rows(r: Any) -> float:
    """Return the effective number of rows in which r is concentrated: (sum r^2)^2 / sum r^4."""
    squares = r.astype(np.float64) ** 2
    return float(squares.sum() ** 2 / (squares**2).sum())


def _gains(X: Any, units: np.ndarray, r: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return each line's decrease of |r|^2, in variances, when the linear part is refitted too, and the strengths."""
    xp = arrays.namespace(X)
    phi = xp.abs(X @ xp.asarray(units.T, dtype=X.dtype))
    columns = xp.concatenate([X, phi, r[:, None]], axis=1).astype(np.float64)
    gram = arrays.to_numpy(columns.T @ columns)
    d, count = int(X.shape[1]), len(units)
    linear = np.linalg.lstsq(gram[:d, :d], gram[:d, d:], rcond=1e-10)[0]
    rest = gram[d:, d:] - gram[d:, :d] @ linear  # Gram matrix after projecting out the linear part
    own, along, total = np.diag(rest)[:count], rest[:count, count], float(rest[count, count])
    bends = own > 1e-9 * np.diag(gram)[d : d + count]
    strengths = np.where(bends, along / np.where(bends, own, 1.0), 0.0)
    return strengths * along / max(total, 1e-300) * int(X.shape[0]), strengths
