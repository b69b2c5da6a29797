"""When iterative magnitude pruning finds a sparse linear model, and when OMP and the Lasso do.

Gaussian designs with d features and k equal weights in noise of standard deviation 1, over the number of samples a
feature, n / d, and the size of a weight. All methods and all sizes of weights of a trial see the same X and noise.
Beside the measured rates: the exact probability for an orthogonal design (E1), and the same integral with the means
and variances of the weights of a Gaussian design put in (an approximation: it takes the weights as independent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.imp_phase_summary import summarise_rates
from paper_repro.experiments.lottery import recovers
from paper_repro.store import Record
from planted.base import arrays

__all__ = ["EXPERIMENT", "METHODS", "PhaseCell", "PhasePreset"]

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


COARSE = (0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.2, 1.6, 2.4)
FINE = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 2.0, 2.4, 3.2)
PRESETS = {
    "smoke": PhasePreset((25, 55, 100), (0.3, 0.8, 1.2), slices=(55,), trials=4, chunks=1, slice_chunks=1),
    "quick": PhasePreset(
        (25, 35, 45, 55, 70, 100, 140, 200), COARSE, slices=(55, 100, 200), trials=30, chunks=1, slice_chunks=2
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
    """Return what a cell costs; with fewer samples than features each round of pruning is trained anew."""
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


EXPERIMENT = Experiment(
    name="imp-phase",
    version=1,
    title="Our experiment: how often a sparse linear model is found exactly, over samples and size of the weights",
    module=__name__,
    settings=PhaseCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
