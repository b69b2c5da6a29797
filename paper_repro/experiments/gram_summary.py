"""What the cells of gram amount to: points beside the closed form, constants over n beside their limits, the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from paper_repro.experiments.intervals import wilson
from paper_repro.store import Record
from recovery.conditions.population import population_gram

__all__ = ["DIRECTIONS", "IHT_LIMIT", "closed_form", "summarise_cells"]

DIRECTIONS = ("h, h", "h, g", "outside")
IHT_LIMIT = 1 / math.sqrt(3)
"""delta_{3s} below this is what the theorems on IHT and HTP ask for."""
CURVE = 61
QUANTITIES = ("delta_2", "delta_3", "condition", "distance")
DESIGNS = ("relu", "gaussian")


def closed_form(theta: float) -> list[float]:
    """Return h'B h, h'B g and e'B e of the population block B of two unit generators, e outside their plane.

    Parameters
    ----------
    theta : float
        Their angle, rad.

    Returns
    -------
    list of float
        In the order of :data:`DIRECTIONS`.
    """
    H = np.array([[1.0, math.cos(theta)], [0.0, math.sin(theta)], [0.0, 0.0]])
    B = population_gram(H)[:3, 3:]
    return [float(H[:, 0] @ B @ H[:, 0]), float(H[:, 0] @ B @ H[:, 1]), float(B[2, 2])]


def summarise_cells(
    records: Sequence[Record], limits: Sequence[float], rows: Sequence[int], s: int, k: int
) -> dict[str, Any]:
    """Return what the figure shows.

    Parameters
    ----------
    records : sequence of Record
        Finished cells.
    limits : sequence of float
        Population values of delta_2, delta_3 and the condition number, for the ReLU operator.
    rows : sequence of int
        All n of the preset.
    s, k : int
        Size of the support whose condition number is followed, and of the planted vectors.

    Returns
    -------
    dict
        Part of the experiment's summary.
    """
    angles = np.linspace(0.0, math.pi, CURVE)
    curves = np.array([closed_form(theta) for theta in angles]).T
    points = [
        {"theta": record.cell.settings["theta"], **{name: record.metrics[name] for name in DIRECTIONS}}
        for record in records
        if record.cell.settings["part"] == "entries"
    ]
    points.sort(key=lambda point: point["theta"])
    deviations = [
        abs(point[name][0] - wanted) / point[name][1]
        for point in points
        for name, wanted in zip(DIRECTIONS, closed_form(point["theta"]), strict=True)
        if point[name][1] > 0
    ]
    series, table = {}, []
    for design in DESIGNS:
        series[design] = [_spread(_of(records, design, n)) for n in rows]
        for n, values in zip(rows, series[design], strict=True):
            found = _of(records, design, n)
            hits = [sum(record.metrics[name] for record in found) for name in ("recovered", "trials")]
            spreads = [_text(values[name]) if values else None for name in QUANTITIES]
            share = None if not values else f"{hits[0]} of {hits[1]} ({_interval(hits[0], hits[1])})"
            table.append(["ReLU" if design == "relu" else "dense Gaussian", n, *spreads, share])
    limit = dict(zip(QUANTITIES, [*limits, 0.0], strict=True))
    table.append(["ReLU, limit", "∞", *(f"{limit[name]:.4f}" for name in QUANTITIES), None])
    table.append(["dense Gaussian, limit", "∞", "0", "0", "1", "0", None])
    return {
        "angles": angles.tolist(),
        "curves": dict(zip(DIRECTIONS, curves.tolist(), strict=True)),
        "points": points,
        "rows": list(rows),
        "series": series,
        "limits": limit,
        "iht_limit": IHT_LIMIT,
        "support": s,
        "planted": k,
        "recovered": {design: _recovered(records, design) for design in DESIGNS},
        "notes": _notes(deviations, limit, records, s, k),
        "table": {
            "columns": [
                "operator",
                "n",
                "δ2 (= coherence)",
                "δ3",
                f"condition number of one support of {s}",
                "max |A'A - limit|",
                f"HTP finds a planted vector of {k} (95 % interval)",
            ],
            "rows": table,
        },
    }


def _of(records: Sequence[Record], design: str, n: int) -> list[Record]:
    wanted = ("operator", design, n)
    return [r for r in records if tuple(r.cell.settings[name] for name in ("part", "design", "n")) == wanted]


def _spread(found: Sequence[Record]) -> dict[str, list[float]] | None:
    """Return the 10 %, 50 % and 90 % quantiles of each quantity over all trials."""
    if not found:
        return None
    delta = np.concatenate([record.arrays["delta"] for record in found])
    values = {
        "delta_2": delta[:, 0],
        "delta_3": delta[:, 1],
        **{name: np.concatenate([record.arrays[name] for record in found]) for name in ("condition", "distance")},
    }
    return {name: np.quantile(values[name], (0.1, 0.5, 0.9)).tolist() for name in QUANTITIES}


def _text(spread: Sequence[float]) -> str:
    return f"{spread[1]:.3g} ({spread[0]:.3g} to {spread[2]:.3g})"


def _interval(hits: int, trials: int) -> str:
    bounds = wilson(hits, trials)
    return "" if bounds is None else f"{bounds[0]:.2f} to {bounds[1]:.2f}"


def _notes(deviations: Sequence[float], limit: Any, records: Sequence[Record], s: int, k: int) -> list[str]:
    notes = [
        "δ2 and δ3 are the isometry constants of the best multiple of A, by enumeration of all supports; markers are "
        "medians over trials, bars reach from the 10 % to the 90 % quantile. Gates and the support are the same in all "
        f"trials; the limits are exact. The support has {s} columns."
    ]
    if deviations:
        notes.append(
            f"{len(deviations)} sampled entries: the largest deviation from the closed form is {max(deviations):.1f} "
            "standard errors."
        )
    if limit["delta_2"] >= IHT_LIMIT:
        notes.append(
            f"In the limit δ2 = {limit['delta_2']:.3f}, above 1/√3 = .577: since δ3s >= δ2, no more data will make the "
            "theorems on IHT and HTP apply, for any s."
        )
    elif limit["delta_2"] >= 1 / 3:
        notes.append(
            f"In the limit δ2 = {limit['delta_2']:.3f}, above 1/3: κ2 is above 2, and GraDeS's condition κ2s < 2 fails."
        )
    hits, trials = _recovered(records, "relu")
    if trials:
        notes.append(
            f"On the ReLU operator HTP finds {hits} of {trials} planted vectors of {k} non-zeros, all n together."
        )
    return notes


def _recovered(records: Sequence[Record], design: str) -> list[int]:
    """Return how many planted vectors were found, and of how many, over all numbers of rows."""
    found = [r for r in records if (r.cell.settings["part"], r.cell.settings["design"]) == ("operator", design)]
    return [sum(record.metrics[name] for record in found) for name in ("recovered", "trials")]
