"""When iterative magnitude pruning, OMP and the Lasso recover a sparse linear model.

Gaussian designs with d features and k equal weights in noise of standard deviation 1, over the number of samples per
feature, n / d, and the size of a weight. All methods and all sizes of weights of a trial see the same X and noise.
Beside the measured rates: the exact probability for an orthogonal design (E1), and the same integral with the means and
variances of the weights of a Gaussian design put in (an approximation: it takes the weights as independent).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from linear_lottery.closed_forms import moments, probabilities
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import crossing
from paper_repro.experiments.lottery import LABELS, SOURCE, pooled, rate_text, recovers
from paper_repro.store import Record
from planted.base import arrays

__all__ = [
    "EARLIER",
    "EXPERIMENTS",
    "METHODS",
    "PhaseCell",
    "PhasePreset",
    "approximated_one_shot",
    "even_odds",
    "summarise_rates",
]


EARLIER = {
    (55, 0.8): {"imp-1": 0.64, "imp-20": 0.59, "one-shot": 0.04, "omp": 0.91, "lasso": 0.52},
    (55, 1.2): {"imp-1": 0.90, "imp-20": 0.87, "one-shot": 0.23, "omp": 0.97, "lasso": 0.74},
    (100, 0.5): {"imp-1": 0.88, "imp-20": 0.88, "one-shot": 0.53, "omp": 0.86, "lasso": 0.61},
    (200, 0.3): {"imp-1": 0.79, "imp-20": 0.79, "one-shot": 0.60, "omp": 0.79, "lasso": 0.66},
}
"""Rates of an earlier trial with other code and other seeds, 200 runs a point: (n, amplitude) -> method -> rate."""

LINE_POINTS = 40
SIZE_POINTS = 24


def approximated_one_shot(n: int, d: int, k: int, amplitude: float, noise: float) -> float | None:
    """Return about how likely one-shot pruning succeeds, its weights taken as independent and Gaussian.

    Parameters
    ----------
    n, d, k : int
        Samples, features, non-zero weights.
    amplitude, noise : float
        Size of a weight, and standard deviation of the noise.

    Returns
    -------
    float or None
        ``linear_lottery.closed_forms.moments.one_shot_recovery_approximation``; None for abs(n - d) < 2,
        where the variance of a weight is infinite.
    """
    if abs(n - d) < 2:
        return None
    w = np.zeros(d)
    w[:k] = amplitude
    return moments.one_shot_recovery_approximation(n, w, noise)


def even_odds(probability: Callable[[float], float], low: float, high: float) -> float | None:
    """Return the amplitude at which a probability that rises with it is 1/2.

    Parameters
    ----------
    probability : callable
        Of the amplitude.
    low, high : float
        Where to look, both positive.

    Returns
    -------
    float or None
        None if it is not 1/2 anywhere between.
    """
    from scipy.optimize import brentq

    if probability(low) > 0.5 or probability(high) < 0.5:
        return None
    return math.exp(brentq(lambda x: probability(math.exp(x)) - 0.5, math.log(low), math.log(high), xtol=1e-4))


def summarise_rates(grid: PhasePreset, methods: Sequence[str], records: Sequence[Record]) -> dict[str, Any]:
    """Return rates with Wilson's intervals on the grid, the lines of even odds, and the closed forms."""
    rates = pooled(records, methods, lambda settings: (settings["n"], settings["amplitude"]))
    d, k, noise = grid.d, grid.k, grid.noise
    low, high = grid.amplitude[0], grid.amplitude[-1]
    grids = {
        method: [[rates[n, a][method]["rate"] if (n, a) in rates else None for n in grid.n] for a in grid.amplitude]
        for method in methods
    }
    half = {
        method: [
            [n / d, place]
            for column, n in enumerate(grid.n)
            if (place := crossing(grid.amplitude, [row[column] for row in grids[method]])) is not None
        ]
        for method in methods
    }
    transition = probabilities.transition_amplitude(d, k)
    exact = [(n, transition * noise / math.sqrt(n)) for n in _sizes(max(d, grid.n[0]), grid.n[-1])]
    approximated = [
        (n, even_odds(functools.partial(_approximated, n, grid), low / 10, high * 10))
        for n in _sizes(grid.n[0], grid.n[-1])
        if abs(n - d) >= 2
    ]
    trials = sorted({rate["trials"] for point in rates.values() for rate in point.values()})
    return {
        "subtitle": f"Gaussian design, d = {d}, k = {k} equal weights, noise {noise:g}; "
        f"{' to '.join(str(count) for count in dict.fromkeys((trials[0], trials[-1])))} instances per point; "
        "bands: 95 %",
        "methods": list(methods),
        "labels": {method: LABELS[method] for method in methods},
        "d": d,
        "n": list(grid.n),
        "amplitude": list(grid.amplitude),
        "rates": grids,
        "half": half,
        "exact_half": [[n / d, place] for n, place in exact],
        "approximated_half": [[n / d, place] for n, place in approximated],
        "slices": [_slice(n, grid, methods, rates) for n in grid.slices],
        "notes": _notes(transition, grid),
        "table": _table(grid, methods, rates),
    }


def _approximated(n: int, grid: PhasePreset, amplitude: float) -> float:
    return approximated_one_shot(n, grid.d, grid.k, amplitude, grid.noise) or 0.0


def _sizes(low: int, high: int) -> list[int]:
    """Return sizes for a smooth line."""
    return sorted({round(value) for value in np.geomspace(low, high, SIZE_POINTS)})


def _slice(n: int, grid: PhasePreset, methods: Sequence[str], rates: Any) -> dict[str, Any]:
    curves = {}
    for method in methods:
        points = [(a, rates[n, a][method]) for a in grid.amplitude if (n, a) in rates]
        curves[method] = {"amplitude": [a for a, _ in points]} | {
            name: [rate[name] for _, rate in points] for name in ("rate", "low", "high")
        }
    line = [float(a) for a in np.geomspace(grid.amplitude[0], grid.amplitude[-1], LINE_POINTS)]
    s = grid.noise / math.sqrt(n)
    exact = [float(probabilities.recovery_probability(grid.d, grid.k, a, s)) for a in line] if n >= grid.d else []
    approximated = (
        [approximated_one_shot(n, grid.d, grid.k, a, grid.noise) for a in line] if abs(n - grid.d) >= 2 else []
    )
    return {"n": n, "curves": curves, "line": line, "exact": exact, "approximated": approximated}


def _table(grid: PhasePreset, methods: Sequence[str], rates: Any) -> dict[str, Any]:
    columns = ["n", "n/d", "weight", "trials", *(LABELS[method] for method in methods)]
    columns += [
        "closed form, orthogonal design",
        "one-shot, approximate closed form",
        "earlier trial: " + " / ".join(methods),
    ]
    points = [(n, a) for n in grid.n for a in grid.amplitude if (n, a) in rates]
    rows = []
    for n, a in sorted(points, key=lambda point: point not in EARLIER):
        point = rates[n, a]
        exact = (
            float(probabilities.recovery_probability(grid.d, grid.k, a, grid.noise / math.sqrt(n)))
            if n >= grid.d
            else None
        )
        earlier = EARLIER.get((n, a), {}) if (grid.d, grid.k, grid.noise) == (50, 5, 1.0) else {}
        rows.append(
            [
                n,
                n / grid.d,
                a,
                point[methods[0]]["trials"],
                *(rate_text(point[method]) for method in methods),
                exact,
                approximated_one_shot(n, grid.d, grid.k, a, grid.noise),
                " / ".join(f"{earlier[method]:.2f}" for method in methods) if earlier else None,
            ]
        )
    return {"columns": columns, "rows": rows}


def _notes(transition: float, grid: PhasePreset) -> list[str]:
    asymptotic = probabilities.asymptotic_transition(grid.d, grid.k)
    return [
        SOURCE + " Brackets and bands: Wilson's 95 % intervals.",
        "All methods are given k; the Lasso counts as correct if any λ on its path gives exactly the support.",
        "The closed form is exact for an orthogonal design and any schedule: even odds at "
        f"{transition:.2f} noise / sqrt(n) (its asymptotic formula says {asymptotic:.2f}).",
        "The approximate closed form of one-shot pruning takes its weights as independent and Gaussian, with their "
        "exact means and variances: not a bound, not exact.",
        "Closed forms: derived in this project (docs/theory).",
        "Earlier trial: 200 runs per point with other code and other seeds.",
    ]


METHODS = ("imp-1", "imp-20", "one-shot", "omp", "lasso")


@dataclass(frozen=True)
class PhaseCell:
    """`trials` instances of one size, each solved by all methods; their streams are numbered by `seed` and trial."""

    n: int
    amplitude: float
    seed: int
    trials: int
    d: int = 50
    k: int = 5
    noise: float = 1.0
    dtype: str = "float64"


@dataclass(frozen=True)
class PhasePreset:
    """A grid of sizes, `chunks` cells of `trials` instances a point; the slices get `slice_chunks` cells a point."""

    n: tuple[int, ...]
    amplitude: tuple[float, ...]
    slices: tuple[int, ...]
    trials: int
    chunks: int
    slice_chunks: int
    d: int = 50
    k: int = 5
    noise: float = 1.0


COARSE = (0.2, 0.3, 0.5, 0.8, 1.2, 2.4)
FINE = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 2.0, 2.4, 3.2)
PRESETS = {
    "smoke": PhasePreset((25, 55, 100), (0.3, 0.8, 1.2), slices=(55,), trials=4, chunks=1, slice_chunks=1),
    "quick": PhasePreset(
        (25, 45, 55, 70, 100, 200), COARSE, slices=(55, 100, 200), trials=30, chunks=1, slice_chunks=2
    ),
    "cpu": PhasePreset(
        (20, 25, 30, 35, 40, 45, 50, 55, 60, 70, 85, 100, 120, 140, 170, 200),
        FINE,
        slices=(55, 100, 200),
        trials=200,
        chunks=1,
        slice_chunks=5,
    ),
    "paper": PhasePreset(
        (20, 25, 30, 35, 40, 45, 48, 50, 52, 55, 60, 70, 85, 100, 120, 140, 170, 200),
        FINE,
        slices=(55, 100, 200),
        trials=400,
        chunks=2,
        slice_chunks=5,
    ),
}


def cells(preset: str, seed: int) -> list[PhaseCell]:
    """Return the cells of a preset; the chunks of a point differ in their seed."""
    grid = PRESETS[preset]
    return [
        PhaseCell(n, amplitude, seed + chunk, grid.trials, grid.d, grid.k, grid.noise)
        for n in grid.n
        for amplitude in grid.amplitude
        for chunk in range(grid.slice_chunks if n in grid.slices else grid.chunks)
    ]


def cost(cell: PhaseCell) -> float:
    """Return the cost of a cell; with fewer samples than features each round of pruning trains from the start."""
    return cell.trials * cell.d * (cell.n + (20.0 * cell.d if cell.n < cell.d else 0.0))


def compute(cell: PhaseCell, device: str) -> Outcome:
    """Count the successes of each method.

    Parameters
    ----------
    cell : PhaseCell
        The settings.
    device : {"cpu", "gpu"}
        Where the methods run (the Lasso always on the CPU); instances are drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``trials``, and under each method's name how many of them it solved.
    arrays : dict
        Under each method's name its outcome a trial, bool, shape (trials,).
    """
    outcomes: dict[str, list[bool]] = {method: [] for method in METHODS}
    for trial in range(cell.trials):
        X, y, w = planted.linear_model(
            cell.n,
            cell.d,
            cell.k,
            amplitude=cell.amplitude,
            noise=cell.noise,
            rng=stream("imp-phase", "instance", cell.n, cell.d, cell.k, cell.seed, trial),
            dtype=cell.dtype,
        )
        support = np.flatnonzero(w)
        X, y = arrays.asarray(X, device), arrays.asarray(y, device)
        for method in METHODS:
            outcomes[method].append(recovers(method, X, y, support))
    metrics = {"trials": cell.trials, **{method: sum(outcomes[method]) for method in METHODS}}
    return metrics, {method: np.array(outcomes[method], dtype=bool) for method in METHODS}


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    return summarise_rates(PRESETS[preset], METHODS, records)


EXPERIMENTS = (
    Experiment(
        name="imp-phase",
        version=1,
        title="Our experiment: how often a sparse linear model is recovered exactly, over samples and weight size",
        module=__name__,
        settings=PhaseCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.imp_phase",
        shows="how often pruning, OMP and the Lasso recover a sparse linear model, over samples and weight size",
        place=310,
    ),
)
