"""How often six solvers find sparse weights, over samples n and sparsity s: gated columns beside Gaussian ones.

The ReLU operator is A = [D_1 X, ..., D_p X] with Gaussian X and fixed gates of random generators; the Gaussian operator
has as many rows and columns. Both have unit columns, and both hide the same weights: s of the d p weights, uniformly
chosen, with values N(0, 1). All solvers of a trial see the same instance. Success: a distance of at most 1e-4 |w|.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.phase_summary import summarise_phases
from paper_repro.experiments.solvers import LABELS, TOLERANCE, relative_error, unit_norm
from paper_repro.store import Record
from planted.base import arrays
from recovery import GatedOperator

__all__ = ["EXPERIMENT", "METHODS", "OPERATORS", "SLOW", "PhaseCell", "PhasePreset", "draw_problem"]

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
    "quick": PhasePreset((12, 20, 30, 45, 70, 110, 170), (1, 2, 4, 6, 10, 16), trials=20, slow=10),
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


EXPERIMENT = Experiment(
    name="phase",
    version=1,
    title="Our experiment: how often sparse weights are found, over samples and sparsity",
    module=__name__,
    settings=PhaseCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
