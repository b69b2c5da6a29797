"""What the runs of `conditions` amount to: shares of instances, solver by solver, beside the rates of the solvers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paper_repro.experiments.conditions_judge import CONDITIONS, GUARANTEES, SYMBOLS
from paper_repro.experiments.intervals import wilson
from paper_repro.experiments.lottery import SOURCE, rate_text
from paper_repro.experiments.solvers import LABELS, TOLERANCE
from paper_repro.store import Record
from paper_repro.verdicts import EXACT

__all__ = ["OPERATOR_LABELS", "summarise_conditions"]

OPERATOR_LABELS = {"relu": "ReLU gates", "gaussian": "Gaussian"}

Point = dict[str, np.ndarray]
Points = dict[tuple[str, int], Point]


def summarise_conditions(
    sizes: Sequence[int],
    s_max: int,
    shown: Sequence[int],
    shape: tuple[int, int],
    operators: Sequence[str],
    records: Sequence[Record],
) -> dict[str, Any]:
    """Return a panel for each operator, shown sparsity and solver, and the table.

    Parameters
    ----------
    sizes : sequence of int
        n.
    s_max : int
        Largest sparsity; the arrays of a record have a column for each from 1 on.
    shown : sequence of int
        Sparsities that are drawn.
    shape : (int, int)
        d and p.
    operators : sequence of str
        Names that the records use.
    records : sequence of Record
        Finished cells.

    Returns
    -------
    dict
        The experiment's summary.
    """
    points: Points = {}
    for operator in operators:
        for n in sizes:
            parts = [
                record.arrays
                for record in records
                if (record.cell.settings["operator"], record.cell.settings["n"]) == (operator, n)
            ]
            if parts:
                points[operator, n] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    rows = [(operator, s) for s in shown for operator in operators]
    panels = [_panel(points, operator, s, solver, sizes) for operator, s in rows for solver in GUARANTEES]
    d, p = shape
    trials = max((len(point["coherence"]) for point in points.values()), default=0)
    runs, failed = _prescribed(points)
    return {
        "subtitle": f"d = {d}, p = {p}, N = {d * p} unit columns, s weights at random places; {trials} instances a "
        "point\nthick: share recovered, with 95 % band; thin: share on which a condition holds that guarantees it",
        "n": list(sizes),
        "columns": d * p,
        "rows": [f"{OPERATOR_LABELS[operator]}, s = {s}" for operator, s in rows],
        "solvers": list(GUARANTEES),
        "labels": {solver: LABELS[solver] for solver in GUARANTEES},
        "conditions": dict(CONDITIONS),
        "symbols": dict(SYMBOLS),
        "panels": panels,
        "violations": failed,
        "notes": [
            *([f"VIOLATION: {failed} runs failed although a condition held that guarantees them."] if failed else []),
            f"{SOURCE} Success: a distance from the planted weights of at most {TOLERANCE:g} of their norm. Brackets: "
            "Wilson's 95 % intervals.",
            f"Where a condition held the solver also ran as its theorem prescribes (steps from the restricted "
            f"eigenvalues, NIHT with kappa = 1.05): {runs} runs, {failed} failures. That there is none is {EXACT}.",
            "Coherence, Babel, null-space and isometry conditions are about all supports of a size. Exact recovery, "
            "irrepresentability and neural isometry are about the planted support; nobody who seeks it knows it.",
            *_uniform_notes(points, s_max),
            "'+k?': on k more instances a condition is unknown: too many supports to enumerate, and the bounds "
            "do not decide. Null-space constants are upper bounds from linear programs, proved with outward rounding.",
            f"From n = {d * p} on the columns are independent, unless a gate is open on too few rows: the labels "
            "determine the weights, and l1 cannot fail.",
        ],
        "table": _table(points, s_max, sizes, operators),
    }


def _share(hits: np.ndarray) -> dict[str, Any]:
    low, high = wilson(int(hits.sum()), len(hits)) or (0.0, 1.0)
    return {"rate": float(hits.mean()), "low": low, "high": high}


def _solved(point: Point, solver: str, s: int) -> np.ndarray:
    solved: np.ndarray = point[f"solver {solver}"][:, s - 1] <= TOLERANCE
    return solved


def _panel(points: Points, operator: str, s: int, solver: str, sizes: Sequence[int]) -> dict[str, Any]:
    known = [(n, points[operator, n]) for n in sizes if (operator, n) in points]
    curves = {}
    for name in GUARANTEES[solver]:
        found = [_share(point[name][:, s - 1] == 1) for _, point in known]
        curves[name] = {
            "rate": [share["rate"] for share in found],
            "low": [share["low"] for share in found],
            "high": [share["high"] for share in found],
            "possible": [float(np.mean(point[name][:, s - 1] != 0)) for _, point in known],
        }
    rates = [_share(_solved(point, solver, s)) for _, point in known]
    return {
        "operator": operator,
        "s": s,
        "solver": solver,
        "n": [n for n, _ in known],
        "solved": {key: [rate[key] for rate in rates] for key in ("rate", "low", "high")},
        "curves": curves,
        "never": [name for name, curve in curves.items() if not any(curve["possible"])],
    }


def _prescribed(points: Points) -> tuple[int, int]:
    """Return how many runs had a guarantee, and how many of these failed."""
    errors = [point[f"solver {a} {b}"] for point in points.values() for a in GUARANTEES for b in GUARANTEES[a]]
    return (
        sum(int(np.isfinite(error).sum()) for error in errors),
        sum(int((error > TOLERANCE).sum()) for error in errors),
    )


def _uniform_notes(points: Points, s_max: int) -> list[str]:
    """Say on how many gated instances any isometry condition held, at any n."""
    names = [name for name in CONDITIONS if name.startswith("isometry") or name in ("grades", "niht")]
    here = [point for (operator, _), point in points.items() if operator == "relu"]
    if not here:
        return []
    parts = []
    for s in range(1, s_max + 1):
        held = np.concatenate([np.stack([point[name][:, s - 1] == 1 for name in names]).any(axis=0) for point in here])
        parts.append(f"{int(held.sum())} of {len(held)} for s = {s}")
    return [f"ReLU gates, any n: some isometry or condition-number condition held on {', '.join(parts)}."]


def _table(points: Points, s_max: int, sizes: Sequence[int], operators: Sequence[str]) -> dict[str, Any]:
    columns = ["operator", "s", "n", "instances", *(LABELS[solver] for solver in GUARANTEES), *CONDITIONS.values()]
    rows = []
    for operator in operators:
        for s in range(1, s_max + 1):
            for n in sizes:
                if (operator, n) in points:
                    point = points[operator, n]
                    solved = [rate_text(_share(_solved(point, solver, s))) for solver in GUARANTEES]
                    held = [_held(point[name][:, s - 1]) for name in CONDITIONS]
                    rows.append([OPERATOR_LABELS[operator], s, n, len(point["coherence"]), *solved, *held])
    return {"columns": columns, "rows": rows}


def _held(verdicts: np.ndarray) -> str:
    unknown = int(np.sum(verdicts == -1))
    return rate_text(_share(verdicts == 1)) + (f" +{unknown}?" if unknown else "")
