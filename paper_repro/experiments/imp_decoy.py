"""A design on which pruning by magnitude succeeds where the Lasso and OMP must fail.

One null column is correlated with all k signal columns at once: it is c (their sum) / sqrt(k) + sqrt(1 - c^2) noise.
Its correlation with the signal exceeds that of every signal column, so a method that adds columns by correlation
selects it. In the population its irrepresentable value, and its exact recovery coefficient, is c sqrt(k): above 1 the
Lasso and OMP must fail however many samples there are. Least squares on all columns distinguishes it from the signal
for any c < 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
import recovery.conditions
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import crossing, quartiles
from paper_repro.experiments.lottery import LABELS, SOURCE, pooled, rate_text, recovers
from paper_repro.store import Record
from planted.base import arrays

__all__ = ["EARLIER", "EXPERIMENTS", "METHODS", "DecoyCell", "DecoyPreset"]

METHODS = ("imp-1", "one-shot", "backward", "htp", "omp", "lasso")

EARLIER = {
    0.3: {"imp-1": 1.00, "one-shot": 1.00, "omp": 0.00, "lasso": 0.01},
    0.6: {"imp-1": 0.99, "one-shot": 0.98, "omp": 0.00, "lasso": 0.01},
}
"""Rates of an earlier trial with other code and other seeds, c = 0.9: noise -> method -> rate."""

EARLIER_CORRELATION = 0.9


@dataclass(frozen=True)
class DecoyCell:
    """`trials` instances of one correlation and one level of noise, each solved by all methods."""

    correlation: float
    noise: float
    seed: int
    trials: int
    n: int = 60
    d: int = 20
    k: int = 3
    amplitude: float = 1.0
    dtype: str = "float64"


@dataclass(frozen=True)
class DecoyPreset:
    """Correlations and levels of noise; `chunks` cells of `trials` instances each."""

    correlation: tuple[float, ...]
    noise: tuple[float, ...]
    trials: int
    chunks: int


COARSE = (0.0, 0.35, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9)
FINE = (*(round(0.05 * step, 2) for step in range(20)), 0.97, 0.99)
PRESETS = {
    "smoke": DecoyPreset((0.0, 0.6, 0.9), (0.3, 0.6), trials=5, chunks=1),
    "quick": DecoyPreset(COARSE, (0.3, 0.6), trials=50, chunks=1),
    "cpu": DecoyPreset(FINE, (0.3, 0.6), trials=250, chunks=2),
    "paper": DecoyPreset(FINE, (0.3, 0.6), trials=400, chunks=5),
}


def cells(preset: str, seed: int) -> list[DecoyCell]:
    """Return the cells of a preset; the chunks of a point differ in their seed."""
    grid = PRESETS[preset]
    return [
        DecoyCell(correlation, noise, seed + chunk, grid.trials)
        for noise in grid.noise
        for correlation in grid.correlation
        for chunk in range(grid.chunks)
    ]


def cost(cell: DecoyCell) -> float:
    """Return what a cell costs: all instances are alike."""
    return float(cell.trials)


def compute(cell: DecoyCell, device: str) -> Outcome:
    """Count the successes of each method.

    Parameters
    ----------
    cell : DecoyCell
        The settings.
    device : {"cpu", "gpu"}
        Where the methods run (the Lasso always on the CPU); instances are drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``trials``, under each method's name how many of them it solved, the same in ``above`` for the instances whose
        irrepresentable value is above 1, and the quartiles of that value and of the exact recovery coefficient.
    arrays : dict
        Under each method's name its outcome a trial, bool, shape (trials,); ``irrepresentable`` and
        ``exact_recovery_coefficient``, float64, same shape.
    """
    outcomes: dict[str, list[bool]] = {method: [] for method in METHODS}
    measured: dict[str, list[float]] = {"irrepresentable": [], "exact_recovery_coefficient": []}
    for trial in range(cell.trials):
        # the stream does not depend on the correlation: its instances differ in the one null column alone
        X, y, w = planted.linear_model(
            cell.n,
            cell.d,
            cell.k,
            design=planted.designs.decoy(cell.correlation),
            amplitude=cell.amplitude,
            noise=cell.noise,
            rng=stream("imp-decoy", "instance", cell.n, cell.d, cell.k, cell.seed, trial),
            dtype=cell.dtype,
        )
        support = np.flatnonzero(w)
        X, y = arrays.asarray(X, device), arrays.asarray(y, device)
        for method in METHODS:
            outcomes[method].append(recovers(method, X, y, support))
        measured["irrepresentable"].append(recovery.conditions.irrepresentability(X, support, np.sign(w[support])))
        measured["exact_recovery_coefficient"].append(recovery.conditions.exact_recovery_coefficient(X, support))
    metrics: dict[str, Any] = {"trials": cell.trials, **{method: sum(outcomes[method]) for method in METHODS}}
    metrics |= {name: list(quartiles(values)) for name, values in measured.items()}
    found: dict[str, np.ndarray] = {method: np.array(outcomes[method], dtype=bool) for method in METHODS}
    found |= {name: np.array(values) for name, values in measured.items()}
    above = found["irrepresentable"] > 1
    metrics["above"] = {"trials": int(above.sum()), **{method: int(found[method][above].sum()) for method in METHODS}}
    return metrics, found


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return rates with Wilson intervals over the correlation, and the limits of the conditions of Lasso and OMP."""
    grid = PRESETS[preset]
    rates = pooled(records, METHODS, lambda settings: (settings["noise"], settings["correlation"]))
    values = _conditions(records, grid)
    curves = {}
    for noise in grid.noise:
        there = [c for c in grid.correlation if (noise, c) in rates]
        curves[f"{noise:g}"] = {
            method: {"correlation": there}
            | {name: [rates[noise, c][method][name] for c in there] for name in ("rate", "low", "high")}
            for method in METHODS
        }
    positive = [c for c in grid.correlation if c > 0]
    medians = {c: row[1] for c, row in values.items()}
    measured = crossing(positive, [medians.get(c) for c in positive], level=1.0)
    trials = sorted({rate["trials"] for point in rates.values() for rate in point.values()})
    population = 1 / math.sqrt(DecoyCell.k)
    return {
        "subtitle": f"n = {DecoyCell.n}, d = {DecoyCell.d}, k = {DecoyCell.k} weights of {DecoyCell.amplitude:g}, "
        f"{trials[-1]} instances per point; bands: 95 %",
        "methods": list(METHODS),
        "labels": {method: LABELS[method] for method in METHODS},
        "noise": list(grid.noise),
        "curves": curves,
        "population": population,
        "measured": measured,
        "irrepresentable": [[c, *values[c]] for c in grid.correlation if c in values],
        "notes": [
            SOURCE
            + " Brackets and bands: Wilson's 95 % intervals. The design is derived here (planted.designs.decoy).",
            f"Irrepresentable value: c sqrt({DecoyCell.k}) in the population, 1 at c = {population:.3f}; its median "
            + (f"over the designs drawn is 1 at c = {measured:.3f}." if measured else "does not reach 1 here."),
            "Irrepresentable value: Zhao and Yu 2006; for equal weights the exact recovery coefficient of OMP "
            "(Tropp 2004) has the same population value.",
            "With a value above 1 and the planted signs, the Lasso needs noise that pushes the zero weight in one "
            "direction, the same for all λ, which at most every second draw has. " + _above(records),
            "All methods are given k; the Lasso counts as correct if any λ on its path gives exactly the support.",
            f"Earlier trial: c = {EARLIER_CORRELATION}, with other code and other seeds.",
        ],
        "table": _table(grid, rates, values),
    }


def _conditions(records: Sequence[Record], grid: DecoyPreset) -> dict[float, list[float]]:
    """Return the quartiles of the irrepresentable value a correlation, averaged over the cells."""
    found: dict[float, list[list[float]]] = {}
    for record in records:
        found.setdefault(record.cell.settings["correlation"], []).append(record.metrics["irrepresentable"])
    return {c: [math.fsum(column) / len(column) for column in zip(*rows, strict=True)] for c, rows in found.items()}


def _above(records: Sequence[Record]) -> str:
    counts = {name: sum(record.metrics["above"][name] for record in records) for name in ("trials", *METHODS)}
    solved = ", ".join(f"{LABELS[method]} {counts[method]}" for method in METHODS)
    return (
        f"Of the {counts['trials']} instances whose own irrepresentable value is above 1, these were solved: {solved}."
    )


def _table(grid: DecoyPreset, rates: Any, values: dict[float, list[float]]) -> dict[str, Any]:
    columns = ["noise", "c", "irrepresentable value (median)", "c sqrt(k)", "trials", *(LABELS[m] for m in METHODS)]
    rows = []
    for noise in grid.noise:
        for c in grid.correlation:
            if (noise, c) not in rates:
                continue
            point = rates[noise, c]
            texts = [rate_text(point[method]) for method in METHODS]
            rows.append([noise, c, values[c][1], c * math.sqrt(DecoyCell.k), point[METHODS[0]]["trials"], *texts])
            if c == EARLIER_CORRELATION and noise in EARLIER:
                earlier = [EARLIER[noise].get(method) for method in METHODS]
                texts = ["-" if rate is None else f"{rate:.2f}" for rate in earlier]
                rows.append([noise, c, None, None, "earlier trial", *texts])
    return {"columns": columns, "rows": rows}


EXPERIMENTS = (
    Experiment(
        name="imp-decoy",
        version=1,
        title="Our experiment: a design on which pruning succeeds while the Lasso and OMP must fail",
        module=__name__,
        settings=DecoyCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.imp_decoy",
        shows="a design on which pruning succeeds while the Lasso and OMP must fail",
        place=320,
    ),
)
