"""Effect of the initialisation on a ticket when there are more weights than samples.

With d > n the component of the initial weights in the null space of X is never trained away: it acts as noise on the
weights that pruning compares. So large initial weights destroy the ticket, retraining after each round repairs part of
it, and two initialisations give two masks. (With n >= d and full rank the initialisation does not matter.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import linear_lottery
import planted
from linear_lottery.closed_forms import moments
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import mean_interval
from paper_repro.experiments.lottery import LABELS, SCHEDULES, SOURCE, pooled, rate_text
from paper_repro.store import Record
from planted.base import arrays

__all__ = ["EARLIER", "EXPERIMENTS", "METHODS", "InitCell", "InitPreset"]

METHODS = ("imp-10", "one-shot")

EARLIER = {
    0.1: (1.00, 0.68, 0.99),
    0.2: (0.92, 0.05, 0.96),
    0.3: (0.82, 0.00, 0.91),
    0.5: (0.25, 0.00, 0.58),
    1.0: (0.05, 0.00, 0.31),
}
"""An earlier trial with other code and seeds, 60 runs a point: scale -> rate of IMP, of one-shot, overlap of IMP."""

LINE_POINTS = 81


@dataclass(frozen=True)
class InitCell:
    """`trials` instances, each pruned from two independent starts N(0, alpha^2)."""

    alpha: float
    seed: int
    trials: int
    n: int = 100
    d: int = 200
    k: int = 5
    amplitude: float = 1.0
    noise: float = 0.5
    dtype: str = "float64"


@dataclass(frozen=True)
class InitPreset:
    """Scales of the start; `chunks` cells of `trials` instances each."""

    alpha: tuple[float, ...]
    trials: int
    chunks: int
    n: int = 100
    d: int = 200
    k: int = 5


COARSE = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
FINE = (0.0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0)
PRESETS = {
    "smoke": InitPreset((0.0, 0.2, 1.0), trials=2, chunks=2, n=30, d=60, k=3),
    "quick": InitPreset(COARSE, trials=10, chunks=4),
    "cpu": InitPreset(FINE, trials=20, chunks=10),
    "paper": InitPreset(FINE, trials=50, chunks=20),
}


def cells(preset: str, seed: int) -> list[InitCell]:
    """Return the cells of a preset; the chunks of a point differ in their seed."""
    grid = PRESETS[preset]
    return [
        InitCell(alpha, seed + chunk, grid.trials, grid.n, grid.d, grid.k)
        for alpha in grid.alpha
        for chunk in range(grid.chunks)
    ]


def cost(cell: InitCell) -> float:
    """Return what a cell costs: all instances are alike."""
    return float(cell.trials)


def compute(cell: InitCell, device: str) -> Outcome:
    """Prune each instance from two starts.

    Parameters
    ----------
    cell : InitCell
        The settings.
    device : {"cpu", "gpu"}
        Where the pruning runs; instances and starts are drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``trials``; under each method's name how often its first start led to the planted support; under
        ``<method> common`` how many pairs of starts had 0, 1, ..., k weights in common, a list.
    arrays : dict
        Under each method's name the outcome of both starts, bool, shape (trials, 2); under ``<method> common`` the
        number of weights in common, shape (trials,).
    """
    outcomes: dict[str, list[list[bool]]] = {method: [] for method in METHODS}
    common: dict[str, list[int]] = {method: [] for method in METHODS}
    for trial in range(cell.trials):
        size = (cell.n, cell.d, cell.k)
        X, y, w = planted.linear_model(
            *size,
            amplitude=cell.amplitude,
            noise=cell.noise,
            rng=stream("imp-init", "instance", *size, cell.seed, trial),
            dtype=cell.dtype,
        )
        # the stream does not depend on alpha: all scales stretch the same two directions
        starts = cell.alpha * stream("imp-init", "start", *size, cell.seed, trial).standard_normal((2, cell.d))
        support = np.flatnonzero(w)
        X, y = arrays.asarray(X, device), arrays.asarray(y, device)
        for method in METHODS:
            found = [
                arrays.to_numpy(
                    linear_lottery.imp(
                        X, y, cell.k, w0=arrays.asarray(start, device, cell.dtype), schedule=SCHEDULES[method]
                    ).support
                )
                for start in starts
            ]
            outcomes[method].append([bool(np.array_equal(one, support)) for one in found])
            common[method].append(int(np.intersect1d(found[0], found[1]).size))
    metrics: dict[str, Any] = {"trials": cell.trials}
    results: dict[str, np.ndarray] = {}
    for method in METHODS:
        results[method] = np.array(outcomes[method], dtype=bool)
        results[f"{method} common"] = np.array(common[method])
        metrics[method] = int(results[method][:, 0].sum())
        metrics[f"{method} common"] = np.bincount(common[method], minlength=cell.k + 1).tolist()
    return metrics, results


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return rates and overlaps over the scale of the start, and what E6 predicts for one-shot pruning."""
    grid = PRESETS[preset]
    rates = pooled(records, METHODS, lambda settings: settings["alpha"])
    there = [alpha for alpha in grid.alpha if alpha in rates]
    overlaps = {method: [_overlap(records, method, alpha, grid.k) for alpha in there] for method in METHODS}
    line = [float(alpha) for alpha in np.linspace(grid.alpha[0], grid.alpha[-1], LINE_POINTS)]
    trials = sorted({point[METHODS[0]]["trials"] for point in rates.values()})
    return {
        "subtitle": f"n = {grid.n} samples, d = {grid.d} features, k = {grid.k} weights of {InitCell.amplitude:g}, "
        f"noise {InitCell.noise:g}, {trials[-1]} instances per point; bands: 95 %",
        "methods": list(METHODS),
        "labels": {method: LABELS[method] for method in METHODS},
        "alpha": there,
        "rates": {
            method: {name: [rates[alpha][method][name] for alpha in there] for name in ("rate", "low", "high")}
            for method in METHODS
        },
        "overlaps": {
            method: {name: [one[name] for one in overlaps[method]] for name in ("rate", "low", "high")}
            for method in METHODS
        },
        "chance": grid.k / grid.d,
        "line": line,
        "approximated": [_approximated(grid, alpha) for alpha in line],
        "notes": [
            SOURCE + " Brackets and bands: 95 % intervals, Wilson's for rates, Student's for the mean overlap.",
            "A rate counts only the first start of each instance. The overlap is the share of the k survivors that two "
            "starts have in common.",
            "The approximate closed form takes the weights as independent and Gaussian, with their exact means and "
            "variances.",
            "Earlier trial: 60 runs per point with other code and other seeds.",
        ],
        "table": _table(grid, there, rates, overlaps),
    }


def _approximated(grid: InitPreset, alpha: float) -> float:
    w = np.zeros(grid.d)
    w[: grid.k] = InitCell.amplitude
    return moments.one_shot_recovery_approximation(grid.n, w, InitCell.noise, alpha)


def _overlap(records: Sequence[Record], method: str, alpha: float, k: int) -> dict[str, Any]:
    """Return the mean fraction of common weights with its interval, over all pairs of starts at one scale."""
    counts = np.zeros(k + 1, dtype=int)
    for record in records:
        if record.cell.settings["alpha"] == alpha:
            counts += np.asarray(record.metrics[f"{method} common"])
    shares = np.repeat(np.arange(k + 1) / k, counts)
    ends = mean_interval(shares.tolist())
    low, high = (max(ends[0], 0.0), min(ends[1], 1.0)) if ends else (None, None)  # a share lies between 0 and 1
    return {"rate": float(shares.mean()), "low": low, "high": high}


def _table(grid: InitPreset, there: Sequence[float], rates: Any, overlaps: Any) -> dict[str, Any]:
    columns = ["alpha", "trials", *(LABELS[method] for method in METHODS), "one-shot, approximate closed form"]
    columns += [f"overlap of two starts: {LABELS[method]}" for method in METHODS]
    columns += ["earlier trial: " + " / ".join((*METHODS, f"overlap of {METHODS[0]}"))]
    full_size = (grid.n, grid.d, grid.k) == (InitCell.n, InitCell.d, InitCell.k)
    rows = []
    for index, alpha in enumerate(there):
        earlier = EARLIER.get(alpha) if full_size else None
        rows.append(
            [
                alpha,
                rates[alpha][METHODS[0]]["trials"],
                *(rate_text(rates[alpha][method]) for method in METHODS),
                _approximated(grid, alpha),
                *(rate_text(overlaps[method][index]) for method in METHODS),
                " / ".join(f"{value:.2f}" for value in earlier) if earlier else None,
            ]
        )
    return {"columns": columns, "rows": rows}


EXPERIMENTS = (
    Experiment(
        name="imp-init",
        version=1,
        title="Our experiment: scale of the initial weights and the ticket, with more weights than samples",
        module=__name__,
        settings=InitCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.imp_init",
        shows="recovery and agreement of two tickets over the scale of the initial weights, for n < d",
        place=330,
    ),
)
