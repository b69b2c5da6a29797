"""For growing n: how often each condition of recovery holds, and how often each solver recovers.

Every trial draws gated columns A = [D_1 X, ..., D_p X] (or Gaussian columns of the same size), scales them to unit
norm, and plants nested weights with s = 1, 2, ... non-zeros, uniformly chosen over all columns. The conditions are
computed, the restricted ones by bounds and by complete enumeration, and the solvers run as they are by default. Where a
condition holds, the solver also runs as its theorem prescribes: a failure there would be a violation.

With more rows than columns the R of A = Q R takes the place of A: all conditions and all solvers depend on A'A, A'y and
the null space alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.conditions_judge import (
    CONDITIONS,
    GUARANTEES,
    as_prescribed,
    compress,
    judge,
    multipliers_of,
)
from paper_repro.experiments.conditions_summary import summarise_conditions
from paper_repro.experiments.solvers import TOLERANCE, relative_error, unit_norm
from paper_repro.experiments.spreads import Spreads
from paper_repro.store import Record
from planted.base import arrays
from recovery import GatedOperator

__all__ = ["EXPERIMENT", "OPERATORS", "ConditionsCell", "ConditionsPreset", "draw_problem"]

OPERATORS = ("relu", "gaussian")


@dataclass(frozen=True)
class ConditionsCell:
    """`trials` matrices of one size, each with nested weights of 1 to `s_max` non-zeros."""

    operator: str
    n: int
    seed: int
    trials: int
    s_max: int = 3
    d: int = 6
    p: int = 4
    dtype: str = "float64"


@dataclass(frozen=True)
class ConditionsPreset:
    """Sizes, with `chunks` cells a point; the sparsities in `shown` are drawn."""

    n: tuple[int, ...]
    trials: int
    chunks: int
    s_max: int = 3
    shown: tuple[int, ...] = (2, 3)
    d: int = 6
    p: int = 4


PRESETS = {
    "smoke": ConditionsPreset((8, 32, 512), trials=2, chunks=1, s_max=2, shown=(2,), d=4, p=3),
    "quick": ConditionsPreset((8, 12, 16, 24, 48, 100, 200, 400, 1600), trials=6, chunks=3),
    "cpu": ConditionsPreset((8, 12, 16, 20, 24, 32, 48, 70, 100, 140, 200, 400, 800, 1600, 6400), trials=8, chunks=25),
    "paper": ConditionsPreset(
        (10, 15, 20, 25, 30, 40, 60, 100, 200, 400, 800, 1600, 6400, 25_600), trials=8, chunks=50, d=8, p=5
    ),
}


def cells(preset: str, seed: int) -> list[ConditionsCell]:
    """Return the cells of a preset; the chunks of a point differ in their seed."""
    grid = PRESETS[preset]
    return [
        ConditionsCell(operator, n, seed + chunk, grid.trials, grid.s_max, grid.d, grid.p)
        for operator in OPERATORS
        for n in grid.n
        for chunk in range(grid.chunks)
    ]


def cost(cell: ConditionsCell) -> float:
    """Return what a cell costs: programs of the null space below N rows, steps of the solvers, enumeration."""
    size = cell.d * cell.p
    return cell.trials * (cell.s_max * (2.0 if cell.operator == "relu" else 1.0) + (3.0 if cell.n < size else 0.0))


def draw_problem(cell: ConditionsCell, trial: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the columns of a trial, not yet scaled, and weights of the scaled columns with 1, ..., s_max non-zeros."""
    key = (cell.n, cell.d, cell.p, cell.s_max, cell.seed, trial)
    X, _, H, w = planted.gated_model(cell.n, cell.d, cell.p, cell.s_max, rng=stream("conditions", "instance", *key))
    order = stream("conditions", "order", *key).permutation(np.flatnonzero(w))
    nested = [np.where(np.isin(np.arange(w.size), order[:s]), w, 0.0) for s in range(1, cell.s_max + 1)]
    if cell.operator == "gaussian":
        return stream("conditions", "gaussian", *key).standard_normal((cell.n, w.size)), nested
    return GatedOperator.from_generators(X, H).columns(np.arange(w.size)), nested


def compute(cell: ConditionsCell, device: str) -> Outcome:
    """Judge all conditions and run all solvers.

    Parameters
    ----------
    cell : ConditionsCell
        The settings.
    device : {"cpu", "gpu"}
        Where the solvers run by default (the convex programs always on the CPU); conditions are a matter of the CPU,
        and so are the runs that the theorems prescribe.

    Returns
    -------
    metrics : dict
        ``trials``, and ``violations``: prescribed runs that failed although the condition held.
    arrays : dict
        Under each condition, int8 of shape (trials, s_max): 1 holds, 0 fails, -1 unknown. Under ``"solver NAME"`` the
        relative errors of the solver, under ``"solver NAME CONDITION"`` those of the prescribed run (NaN: not run).
    """
    shape = (cell.trials, cell.s_max)
    found = {name: np.zeros(shape, dtype=np.int8) for name in CONDITIONS}
    errors = {f"solver {solver}": np.full(shape, np.nan) for solver in GUARANTEES}
    errors |= {
        f"solver {solver} {name}": np.full(shape, np.nan) for solver in GUARANTEES for name in GUARANTEES[solver]
    }
    for trial in range(cell.trials):
        raw, nested = draw_problem(cell, trial)
        raw = compress(raw)
        A = unit_norm(raw)
        spreads = Spreads(A)
        multipliers = multipliers_of(A)
        there = [arrays.asarray(columns.astype(cell.dtype, copy=False), device) for columns in (A, raw)]
        for place, w in enumerate(nested):
            at = (trial, place)
            verdicts = judge(A, w, raw, cell.d, spreads, multipliers)
            for name, shown in verdicts.items():
                found[name][at] = -1 if shown is None else int(shown is not False)
            for solver, names in GUARANTEES.items():
                # the neural isometry condition is about the group program on the columns as they are
                group = solver == "group-l1"
                planted_weights = w / np.linalg.norm(raw, axis=0) if group else w
                errors[f"solver {solver}"][at] = relative_error(solver, there[group], planted_weights, cell.d)
                for name in names:
                    if found[name][at] == 1:
                        error = as_prescribed(solver, name, verdicts[name], A, w, raw, cell.d)
                        errors[f"solver {solver} {name}"][at] = error
    violations = sum(int(np.sum(errors[f"solver {a} {b}"] > TOLERANCE)) for a in GUARANTEES for b in GUARANTEES[a])
    return {"trials": cell.trials, "violations": violations}, {**found, **errors}


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    grid = PRESETS[preset]
    return summarise_conditions(grid.n, grid.s_max, grid.shown, (grid.d, grid.p), OPERATORS, records)


EXPERIMENT = Experiment(
    name="conditions",
    version=1,
    title="Our experiment: what theory promises, and what the solvers do",
    module=__name__,
    settings=ConditionsCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
