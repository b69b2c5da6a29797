"""Significance tests for single entries: which missing entries of a line to add, and which present ones to drop."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import scipy.linalg

from planted.base import arrays
from recovery.networks.exact.births import SPREAD_ENTRY
from recovery.networks.exact.model import Inputs, Lines, columns
from recovery.networks.exact.newton import Spread, gram, size, spread

__all__ = ["additions", "drops"]

ADD, DROP = 5.0, 4.0
"""t values above which an entry is added, and below which one is dropped."""
SCREEN = 4.0
CANDIDATES, PER_LINE = 300, 2


def additions(inputs: Inputs, model: Lines, r: Any) -> tuple[np.ndarray, np.ndarray, Spread]:
    """Return the lines and inputs of the entries to add, and the :class:`Spread` of the present ones.

    Notes
    -----
    For a column c that is not in the model, t = c . r / (sd sqrt(c'c - c'F'(F F')^-1 F c)): adding c and refitting all
    others lowers |r|^2 by sd^2 t^2. The correction is computed only for columns whose uncorrected t is large.
    """
    H, _ = gram(inputs, model, r)
    around = spread(inputs, H)
    line, coordinate = _screened(inputs, model, r)
    if not len(line):
        return line, coordinate, around
    t = _corrected(inputs, model, r, around, line, coordinate)
    order = np.argsort(-t, kind="stable")
    order = order[t[order] >= ADD]
    taken: list[int] = []
    count, most = np.zeros(model.n_lines, dtype=int), np.maximum(PER_LINE, model.support.sum(axis=1) // 8)
    for k in order:
        if count[line[k]] < most[line[k]]:
            count[line[k]] += 1
            taken.append(int(k))
    return line[taken], coordinate[taken], around


def _screened(inputs: Inputs, model: Lines, r: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the missing entries whose columns are most strongly correlated with r.

    If inputs are not centred at 0, the part sign(w . x) mean_i of a column nearly lies in the span of the present
    entries, so it is subtracted, and so is the mean of the sign.
    """
    xp, centre = inputs.xp, inputs.centre
    weights = inputs.put(model.weights)
    total, along = xp.zeros(model.weights.shape, dtype=np.float64), xp.zeros(model.n_lines, dtype=np.float64)
    opened = xp.zeros(model.n_lines, dtype=np.float64)
    for rows in inputs.blocks(model.n_lines + inputs.n_inputs):
        block = inputs.XT[:, rows]
        # sign(z) = 2 [z > 0] - 1; the sign of the line does not matter here
        pulled = block * r[rows]
        open_on = (weights @ block > 0).astype(inputs.dtype)
        total += (2 * (open_on @ pulled.T) - pulled.sum(axis=1)).astype(np.float64)
        if centre is not None:
            along += (2 * (open_on @ r[rows]) - r[rows].sum()).astype(np.float64)
            opened += open_on.sum(axis=1).astype(np.float64)
    found = arrays.to_numpy(total)
    if centre is not None:
        share = arrays.to_numpy(opened) / inputs.n_samples
        spread_on = 2 * np.sqrt(np.maximum(share * (1 - share), 1 / inputs.n_samples))  # of the sign
        found = (found - np.outer(arrays.to_numpy(along), centre.mean)) / np.outer(spread_on, centre.deviation)
    t = np.abs(found) / (sqrt(inputs.n_samples) * size(r) * SPREAD_ENTRY)
    t[model.support] = 0.0
    line, coordinate = np.nonzero(t > SCREEN)
    best = np.argsort(-t[line, coordinate], kind="stable")[:CANDIDATES]
    return line[best], coordinate[best]


def _corrected(
    inputs: Inputs, model: Lines, r: Any, around: Spread, line: np.ndarray, coordinate: np.ndarray
) -> np.ndarray:
    xp = inputs.xp
    line_on, coordinate_on = xp.asarray(line), xp.asarray(coordinate)
    cross, own, along = None, None, None
    for rows, signs, F in columns(inputs, model):
        C = signs[line_on] * inputs.XT[:, rows][coordinate_on]
        parts = F @ C.T, (C * C).sum(axis=1), C @ r[rows]
        parts = tuple(part.astype(np.float64) for part in parts)
        cross, own, along = parts if cross is None else (cross + parts[0], own + parts[1], along + parts[2])
    B = arrays.to_numpy(cross)
    left = arrays.to_numpy(own) - (B * scipy.linalg.cho_solve(around.factor, B, check_finite=False)).sum(axis=0)
    left = np.maximum(left, 1e-3 * inputs.n_samples)
    return np.abs(arrays.to_numpy(along)) / (size(r) * np.sqrt(left))


def drops(
    inputs: Inputs, model: Lines, around: Spread, deviation: float, *, all_at_once: bool, below: float = DROP
) -> tuple[Lines, int]:
    """Return the model without the entries that are zero to within the accuracy of the data, and their number.

    Parameters
    ----------
    inputs : Inputs
        The data.
    model : Lines
        The model at which `around` was computed.
    around : Spread
        The spread of its parameters.
    deviation : float
        Standard deviation of the residual.
    all_at_once : bool
        Try to drop all small entries of a line together; otherwise only the weakest of each line, and whole lines that
        are small.
    below : float
        t values below this count as small.

    Notes
    -----
    Dropping the entries D and changing the other parameters by -inv_{:,D} (inv_DD)^-1 w_D raises |r|^2 by w_D'
    (inv_DD)^-1 w_D. This may be at most sd^2 (25 + 8 |D|); otherwise the weakest 70 % are tried. A whole line is small
    if this holds for all its entries together.
    """
    t = np.abs(model.weights) / (deviation * np.sqrt(around.of_lines(inputs, model)) + 1e-300)
    t = np.where(model.support, t, np.inf)
    small = t < below
    line, coordinate = model.places()
    base, values = len(inputs.straight) + len(inputs.bent), model.weights[line, coordinate]
    if not all_at_once:
        weak = small.any(axis=1)
        small &= t == t.min(axis=1, keepdims=True)
        for one in np.flatnonzero(weak):
            places = np.flatnonzero(line == one)
            if _rise(around, base + places, values[places])[0] <= deviation**2 * (25 + 8 * len(places)):
                small[one] = model.support[one]
    chosen = np.flatnonzero(small[line, coordinate])
    chosen = chosen[np.argsort(t[line[chosen], coordinate[chosen]], kind="stable")]
    while len(chosen):
        rise, follow = _rise(around, base + chosen, values[chosen])
        if rise <= deviation**2 * (25 + 8 * len(chosen)):
            moved = model.moved(inputs, -around.inverse[:, base + chosen] @ follow)
            return moved.without(line[chosen], coordinate[chosen]), len(chosen)
        chosen = chosen[: int(0.7 * len(chosen))]
    return model, 0


def _rise(around: Spread, places: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the increase of |r|^2 without some parameters, and the change of the others up to a matrix product."""
    block = around.inverse[np.ix_(places, places)]
    block = block + 1e-12 * np.diag(np.diag(block))
    follow = np.linalg.lstsq(block, values, rcond=1e-10)[0]
    return float(values @ follow), follow
