"""Tests of single entries: which of a line's missing ones the residual asks for, and which present ones are zero."""

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
"""t values from which an entry is added, and below which one is dropped."""
SCREEN = 4.0
CANDIDATES, PER_LINE = 300, 2


def additions(inputs: Inputs, model: Lines, r: Any) -> tuple[np.ndarray, np.ndarray, Spread]:
    """Return lines and inputs of the entries to add, and the spread of the present ones.

    Notes
    -----
    For a column c that is not in the model, t = c . r / (sd sqrt(c'c - c'F'(F F')^-1 F c)): the drop of |r|^2 along c
    when all others follow is sd^2 t^2. The columns whose t without the correction is large are corrected.
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
    """Return the missing entries whose columns are most correlated with r.

    Of inputs that are not around 0, the part sign(w . x) mean_i of a column is nearly what the entries have that are
    there: it is taken off, and so is the mean of the sign.
    """
    xp, centre = inputs.xp, inputs.centre
    weights = inputs.put(model.weights)
    total, along = xp.zeros(model.weights.shape, dtype=np.float64), xp.zeros(model.n_lines, dtype=np.float64)
    opened = xp.zeros(model.n_lines, dtype=np.float64)
    for rows in inputs.blocks(model.n_lines + inputs.n_inputs):
        block = inputs.XT[:, rows]
        # sign(z) = 2 [z > 0] - 1; the sign of the line is of no matter here
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
    """Return the model without entries that are zero to the accuracy of the data, and how many those are.

    Parameters
    ----------
    inputs : Inputs
        The data.
    model : Lines
        The model at which `around` was taken.
    around : Spread
        Its spread.
    deviation : float
        Of the residual.
    all_at_once : bool
        Try all small entries of a line together; else only the weakest of each line, and lines that are small as a
        whole.
    below : float
        t values below this are small.

    Notes
    -----
    Dropping the entries D raises |r|^2 by w_D' (inv_DD)^-1 w_D, if the other parameters follow by
    -inv_{:,D} (inv_DD)^-1 w_D; that may be at most sd^2 (25 + 8 |D|), else the 70 % weakest are tried. A line is small
    as a whole if that holds for all of its entries.
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
    """Return what |r|^2 rises by without some parameters, and what the others follow by, but for a product."""
    block = around.inverse[np.ix_(places, places)]
    block = block + 1e-12 * np.diag(np.diag(block))
    follow = np.linalg.lstsq(block, values, rcond=1e-10)[0]
    return float(values @ follow), follow
