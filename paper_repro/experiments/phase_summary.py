"""What the runs of `phase` amount to: rates, fitted lines of even odds, and the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paper_repro.experiments.intervals import wilson
from paper_repro.experiments.logistic import EvenOdds, fit_even_odds
from paper_repro.experiments.lottery import SOURCE, rate_text
from paper_repro.experiments.solvers import LABELS, TOLERANCE
from paper_repro.store import Record

__all__ = ["OPERATOR_LABELS", "summarise_phases"]

OPERATOR_LABELS = {"relu": "ReLU gates", "gaussian": "Gaussian"}
LINE_POINTS = 30

Counts = dict[tuple[str, str, int, int], tuple[int, int]]


def summarise_phases(
    sizes: Sequence[int],
    sparsities: Sequence[int],
    shape: tuple[int, int],
    operators: Sequence[str],
    methods: Sequence[str],
    records: Sequence[Record],
) -> dict[str, Any]:
    """Return maps of rates, lines of even odds with their intervals, and the table.

    Parameters
    ----------
    sizes, sparsities : sequence of int
        n and s.
    shape : (int, int)
        d and p.
    operators, methods : sequence of str
        Names that the records use.
    records : sequence of Record
        Finished cells.

    Returns
    -------
    dict
        The experiment's summary.
    """
    counts = _count(methods, records)
    fits = {
        (operator, method): _fit(counts, operator, method, sizes, sparsities)
        for operator in operators
        for method in methods
    }
    maps = {
        operator: {
            method: {
                "rates": [[_rate(counts.get((operator, method, n, s))) for n in sizes] for s in sparsities],
                "line": _line(fits[operator, method], sizes, sparsities),
            }
            for method in methods
        }
        for operator in operators
    }
    d, p = shape
    trials = {key[1]: total for key, (_, total) in counts.items()}
    most = max(trials.values(), default=0)
    fewer = [LABELS[method] for method in trials if trials[method] < most]
    listed = f"{most}" + (f", {min(trials.values())} for {', '.join(fewer)}" if fewer else "")
    return {
        "subtitle": f"d = {d}, p = {p} fixed gates, N = {d * p} unit columns; instances a point: {listed}\n"
        "line: even odds by logistic regression on log n and log s, with its 95 % interval",
        "n": list(sizes),
        "s": list(sparsities),
        "methods": list(methods),
        "labels": {method: LABELS[method] for method in methods},
        "operators": [OPERATOR_LABELS[operator] for operator in operators],
        "maps": [maps[operator] for operator in operators],
        "notes": [
            f"{SOURCE} Success: a distance from the planted weights of at most {TOLERANCE:g} of their norm. Brackets: "
            "Wilson's 95 % intervals.",
            "All solvers are told s; l1 and group-l1 are cut to s entries and fitted on them. IHT has the step 1/L, L "
            "the largest eigenvalue of A'A. HTP escapes from supports that repeat with a residual left. The weights "
            "are chosen over all columns, not gate by gate, which is not what group-l1 is made for.",
            "Even odds: logit P = a + b log n + c log s, fitted with Firth's correction, interval by the delta method; "
            "only inside the grid. Misfit: Pearson's statistic over its degrees of freedom, about 1 if the line fits.",
        ],
        "table": _table(counts, fits, sizes, sparsities, operators, methods),
    }


def _count(methods: Sequence[str], records: Sequence[Record]) -> Counts:
    counts: Counts = {}
    for record in records:
        settings = record.cell.settings
        for method in methods:
            key = (settings["operator"], method, settings["n"], settings["s"])
            before = counts.get(key, (0, 0))
            counts[key] = (
                before[0] + int(record.metrics[method]),
                before[1] + int(record.metrics[f"{method} trials"]),
            )
    return counts


def _rate(count: tuple[int, int] | None) -> float | None:
    return count[0] / count[1] if count and count[1] else None


def _fit(
    counts: Counts, operator: str, method: str, sizes: Sequence[int], sparsities: Sequence[int]
) -> EvenOdds | None:
    points = [
        (n, s, counts[operator, method, n, s]) for n in sizes for s in sparsities if (operator, method, n, s) in counts
    ]
    if not points:
        return None
    n, s, found = zip(*points, strict=True)
    return fit_even_odds(n, s, [count[0] for count in found], [count[1] for count in found])


def _line(fit: EvenOdds | None, sizes: Sequence[int], sparsities: Sequence[int]) -> dict[str, list[float]]:
    """Return the line of even odds where it lies inside the grid."""
    found: dict[str, list[float]] = {name: [] for name in ("s", "n", "low", "high")}
    if fit is None:
        return found
    for s in np.geomspace(sparsities[0], sparsities[-1], LINE_POINTS):
        place = fit.samples(float(s))
        if place is not None and sizes[0] <= place[0] <= sizes[-1]:
            for name, value in zip(found, (float(s), *place), strict=True):
                found[name].append(value)
    return found


def _table(
    counts: Counts,
    fits: Mapping[tuple[str, str], EvenOdds | None],
    sizes: Sequence[int],
    sparsities: Sequence[int],
    operators: Sequence[str],
    methods: Sequence[str],
) -> dict[str, Any]:
    columns = ["operator", "solver", "s", "n for even odds", "misfit", *(f"n = {n}" for n in sizes)]
    rows = []
    for operator in operators:
        for method in methods:
            fit = fits[operator, method]
            for s in sparsities:
                odds = _odds(fit.samples(s) if fit else None, sizes)
                rates = [_text(counts.get((operator, method, n, s))) for n in sizes]
                rows.append([OPERATOR_LABELS[operator], LABELS[method], s, odds, fit.misfit if fit else None, *rates])
    return {"columns": columns, "rows": rows}


def _odds(place: tuple[float, float, float] | None, sizes: Sequence[int]) -> str:
    if place is None:
        return "-"
    if not sizes[0] <= place[0] <= sizes[-1]:
        return f"below {sizes[0]}" if place[0] < sizes[0] else f"above {sizes[-1]}"
    return f"{place[0]:.0f} [{place[1]:.0f}, {place[2]:.0f}]"


def _text(count: tuple[int, int] | None) -> str:
    if not count or not count[1]:
        return "-"
    low, high = wilson(*count) or (0.0, 1.0)
    return rate_text({"rate": count[0] / count[1], "low": low, "high": high})
