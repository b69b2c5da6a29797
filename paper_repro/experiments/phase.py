"""How often six solvers recover sparse weights, over samples n and sparsity s, for gated and for Gaussian columns.

The ReLU operator is A = [D_1 X, ..., D_p X] with Gaussian X and fixed gates of random generators; the Gaussian operator
has as many rows and columns. Both have unit columns, and both hide the same weights: s of the d p weights, uniformly
chosen, with values N(0, 1). All solvers of a trial see the same instance. Success means a distance of at most 1e-4 |w|.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import EvenOdds, fit_even_odds, wilson
from paper_repro.experiments.lottery import SOURCE, rate_text
from paper_repro.experiments.solvers import LABELS, TOLERANCE, relative_error, unit_norm
from paper_repro.store import Record
from planted.base import arrays
from recovery import GatedOperator

__all__ = [
    "EXPERIMENTS",
    "METHODS",
    "OPERATORS",
    "OPERATOR_LABELS",
    "SLOW",
    "PhaseCell",
    "PhasePreset",
    "draw_problem",
    "summarise_phases",
]


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
        "subtitle": f"d = {d}, p = {p} fixed gates, N = {d * p} unit columns; instances per point: {listed}\n"
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
            "All solvers are given s; the results of l1 and group-l1 are cut to s entries and refitted. IHT has the "
            "step 1/L with L the largest eigenvalue of A'A. HTP escapes from supports that repeat while a residual "
            "is left. The non-zeros are chosen among all columns and not gate by gate, which group-l1 is not made "
            "for.",
            "Even odds: logit P = a + b log n + c log s, fitted with Firth's correction, interval by the delta "
            "method; shown only inside the grid. Misfit: Pearson's statistic over its degrees of freedom, about 1 if "
            "the line fits.",
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
    """Return the part of the line of even odds inside the grid."""
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


METHODS = tuple(LABELS)
OPERATORS = ("relu", "gaussian")
SLOW = ("iht", "l1", "group-l1")
"""These take most of the time and see only the first `slow` of a cell's trials."""


@dataclass(frozen=True)
class PhaseCell:
    """`trials` instances of one size on one kind of operator, the first `slow` of them for the slow solvers too."""

    operator: str
    n: int
    s: int
    seed: int
    trials: int
    slow: int
    d: int = 8
    p: int = 10
    dtype: str = "float64"


@dataclass(frozen=True)
class PhasePreset:
    """A grid of sizes, with `chunks` cells a point."""

    n: tuple[int, ...]
    s: tuple[int, ...]
    trials: int
    slow: int
    chunks: int = 1
    d: int = 8
    p: int = 10


FINE_N = (12, 15, 20, 25, 30, 37, 45, 56, 70, 88, 110, 140, 170)
PRESETS = {
    "smoke": PhasePreset((10, 20, 40), (1, 3), trials=4, slow=2, d=4, p=6),
    "quick": PhasePreset((12, 20, 30, 45, 70, 110, 170), (1, 2, 4, 6, 10, 16), trials=10, slow=5),
    "cpu": PhasePreset(FINE_N, (1, 2, 3, 4, 6, 8, 10, 13, 16, 20), trials=20, slow=10, chunks=10),
    "paper": PhasePreset(FINE_N, (1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 26), trials=20, slow=20, chunks=20),
}


def cells(preset: str, seed: int) -> list[PhaseCell]:
    """Return the cells of a preset; the chunks of a point differ in their seed."""
    grid = PRESETS[preset]
    return [
        PhaseCell(operator, n, s, seed + chunk, grid.trials, grid.slow, grid.d, grid.p)
        for operator in OPERATORS
        for n in grid.n
        for s in grid.s
        for chunk in range(grid.chunks)
    ]


def cost(cell: PhaseCell) -> float:
    """Return what a cell costs: mostly steps of the slow solvers."""
    return cell.trials * (20.0 + cell.s) + cell.slow * (100.0 + cell.n * (1.0 if cell.operator == "gaussian" else 0.1))


def draw_problem(cell: PhaseCell, trial: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit columns A (n, d p) and the weights w (d p,) of a trial; w is the same for both operators."""
    key = (cell.n, cell.d, cell.p, cell.s, cell.seed, trial)
    X, _, H, w = planted.gated_model(cell.n, cell.d, cell.p, cell.s, rng=stream("phase", "instance", *key))
    if cell.operator == "gaussian":
        A = stream("phase", "gaussian", *key).standard_normal((cell.n, w.size))
    else:
        A = GatedOperator.from_generators(X, H).columns(np.arange(w.size))
    return unit_norm(A), w


def compute(cell: PhaseCell, device: str) -> Outcome:
    """Count the successes of each solver.

    Parameters
    ----------
    cell : PhaseCell
        The settings.
    device : {"cpu", "gpu"}
        Where the solvers run (the convex programs always on the CPU); instances are drawn on the CPU.

    Returns
    -------
    metrics : dict
        Under each solver's name how many trials it solved, and under ``"NAME trials"`` of how many.
    arrays : dict
        Under each solver's name its relative errors, shape (trials it saw,).
    """
    errors: dict[str, list[float]] = {method: [] for method in METHODS}
    for trial in range(cell.trials):
        A, w = draw_problem(cell, trial)
        there = arrays.asarray(A.astype(cell.dtype, copy=False), device)
        for method in METHODS:
            if trial < cell.slow or method not in SLOW:
                errors[method].append(relative_error(method, there, w, cell.d))
    metrics: dict[str, Any] = {}
    for method, found in errors.items():
        metrics |= {method: sum(error <= TOLERANCE for error in found), f"{method} trials": len(found)}
    return metrics, {method: np.array(found) for method, found in errors.items()}


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    grid = PRESETS[preset]
    return summarise_phases(grid.n, grid.s, (grid.d, grid.p), OPERATORS, METHODS, records)


EXPERIMENTS = (
    Experiment(
        name="phase",
        version=1,
        title="Our experiment: how often sparse weights are recovered, over samples and sparsity",
        module=__name__,
        settings=PhaseCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.phase",
        shows="how often six solvers recover sparse weights, over samples and sparsity, "
        "for ReLU gates and "
        "Gaussian columns",
        place=410,
    ),
)
