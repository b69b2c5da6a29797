"""What the paths of imp-controls amount to: the extremes of both controls, and what is not zero beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paper_repro.experiments.intervals import quartiles
from paper_repro.store import Record
from paper_repro.verdicts import EXACT

__all__ = ["CLEAR", "CONDITION_ROUNDING", "LOSS_ROUNDING", "log_growth", "summarise_paths"]

LOSS_ROUNDING = 1e-13
"""Excess over the chord that counts as rounding, in units of the loss of zero weights."""

CLEAR = 100 * LOSS_ROUNDING
"""The shape of a segment is looked at where the loss rises by more than this; below, it drowns in rounding."""

CONDITION_ROUNDING = 16.0
"""Growth (log10) of the condition number counts as rounding up to this many eps cond(X_M)."""

STORED = ("highest", "lowest", "rise", "deviation", "cond")


def log_growth(cond: np.ndarray) -> np.ndarray:
    """Return log10 of the condition number after a step over that before it; NaN where it is infinite before.

    Parameters
    ----------
    cond : numpy.ndarray, shape (..., d)
        Condition numbers of X_M'X_M along the path.

    Returns
    -------
    numpy.ndarray, shape (..., d - 1)
        At most 0 up to rounding.
    """
    before, after = cond[..., :-1], cond[..., 1:]
    finite = np.isfinite(before)
    ratio = np.divide(after, before, out=np.ones_like(before), where=finite)
    return np.where(finite, np.log10(ratio), np.nan)


def summarise_paths(records: Sequence[Record], labels: Mapping[str, str], k: int) -> dict[str, Any]:
    """Return curves over the survivors, and the table.

    Parameters
    ----------
    records : sequence of Record
        Finished cells.
    labels : mapping of str to str
        Of the designs.
    k : int
        Number of features in the data; the table shows the condition number there.

    Returns
    -------
    dict
        Part of the experiment's summary.
    """
    parts: dict[str, list[Record]] = {}
    for record in records:
        parts.setdefault(record.cell.settings["case"], []).append(record)
    shown, rows, faults = [], [], []
    for name in (name for name in labels if name in parts):
        whole = {key: np.concatenate([one.arrays[key] for one in parts[name]]) for key in STORED}
        shape = np.stack([record.arrays["shape"] for record in parts[name]])
        one, row, fault = _case(labels[name], whole, shape, k)
        shown.append(one)
        rows.append(row)
        faults += fault
    return {
        "rounding": LOSS_ROUNDING,
        "cases": shown,
        "notes": [
            *faults,
            "Barrier: largest of 0 and the excess, the loss at 19 points inside the segment minus its chord, in units "
            f"of the loss of zero weights; up to {LOSS_ROUNDING:.0e} it counts as rounding. By convexity it is 0; the "
            "closed form of the excess is -a (1 - a) |X (w' - w)|^2 / (2 n).",
            "Growth: log10 of cond(X_M'X_M) after a step over before it; up to "
            f"{CONDITION_ROUNDING:.0f} eps cond(X_M) it counts as rounding. By interlacing it is at most 0.",
            "Nothing is set to zero: the columns show the largest signed numbers.",
            f"That both are 0 is {EXACT}.",
        ],
        "table": {
            "columns": [
                "design",
                "problems",
                "steps",
                "barrier > rounding",
                "largest excess inside",
                "deepest dip (median)",
                "largest deviation from the closed form",
                "cond grew > rounding",
                "largest growth (log10)",
                "cond(X'X) at d (median)",
                f"cond at {k} (median)",
            ],
            "rows": rows,
        },
    }


def _case(
    label: str, whole: dict[str, np.ndarray], shape: np.ndarray, k: int
) -> tuple[dict[str, Any], list[Any], list[str]]:
    """Return what the figure shows of a design, its row of the table, and a sentence if a control failed."""
    highest, cond = whole["highest"], whole["cond"]
    growth = log_growth(cond)
    barriers = int((highest > LOSS_ROUNDING).sum())
    # a singular value s_i of X_M is off by eps s_1 at most, hence relatively by eps cond(X_M)
    ulps = CONDITION_ROUNDING * np.finfo(float).eps * np.sqrt(np.where(np.isfinite(cond), cond, 0.0))[:, :-1]
    grew = int((growth > ulps).sum())
    extremes = np.stack([np.fmin.reduce(shape[:, 0]), np.fmax.reduce(shape[:, 1])])
    one = {
        "label": label,
        "barrier": [max(0.0, float(value)) for value in highest.max(axis=0)],
        "dip": [quartiles(values) for values in -whole["lowest"].T],
        "shape": None if np.isnan(extremes).any() else [[float(value) for value in line] for line in extremes],
        "cond": [None if np.isinf(values).any() else quartiles(values) for values in cond.T],
        "growth_largest": [_finite(values, np.max) for values in growth.T],
        "growth_median": [_finite(values, np.median) for values in growth.T],
    }
    row = [
        label,
        len(highest),
        highest.size,
        barriers,
        float(highest.max()),
        float(np.median(-whole["lowest"].min(axis=1))),
        float(whole["deviation"].max()),
        grew,
        float(np.nanmax(growth)),
        float(np.median(cond[:, 0])),
        float(np.median(cond[:, -k])),
    ]
    words = []
    if barriers or grew:
        words = [f"FAULT: {label}: {barriers} barriers and {grew} growths above rounding; both must be 0."]
    return one, row, words


def _finite(values: np.ndarray, of: Any) -> float | None:
    return None if np.isnan(values).any() else float(of(values))
