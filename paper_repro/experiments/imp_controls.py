"""Controls that are exactly zero in linear models: loss barriers between IMP solutions, growth of condition numbers.

In networks, two things are measured along iterative magnitude pruning (IMP): the barrier of the loss on the straight
line from one round's solution to the next one's, and how badly conditioned the pruned problem is. In a linear model
the first is 0 because the loss is convex, and the condition number of X_M'X_M never grows because the eigenvalues of a
principal submatrix interlace. Any other result is rounding error or a bug. Next to each control is a quantity that is
not zero: how far the loss dips below the chord, and how the condition number decreases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import linear_lottery
import planted
from linear_lottery.closed_forms.landscape import condition_numbers, segment_excess
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import quartiles
from paper_repro.store import Record
from paper_repro.verdicts import EXACT
from planted import designs
from planted.base import arrays

__all__ = [
    "CLEAR",
    "CONDITION_ROUNDING",
    "EXPERIMENTS",
    "LOSS_ROUNDING",
    "ControlsCell",
    "ControlsPreset",
    "log_growth",
    "summarise_paths",
]


LOSS_ROUNDING = 1e-13
"""Excess over the chord that counts as rounding, in units of the loss of zero weights."""

CLEAR = 100 * LOSS_ROUNDING
"""The shape of a segment is checked if the loss rises by more than this; smaller rises are hidden by rounding."""

CONDITION_ROUNDING = 16.0
"""Growth (log10) of the condition number counts as rounding up to this many eps cond(X_M)."""

STORED = ("highest", "lowest", "rise", "deviation", "cond")


def log_growth(cond: np.ndarray) -> np.ndarray:
    """Return log10 of the ratio of condition numbers after and before a step; NaN if it is infinite before.

    Parameters
    ----------
    cond : numpy.ndarray, shape (..., d)
        Condition numbers of X_M'X_M along the path.

    Returns
    -------
    numpy.ndarray, shape (..., d - 1)
        At most 0 up to rounding.
    """
    before, after = cond[..., :-1], cond[..., 1:]
    finite = np.isfinite(before)
    ratio = np.divide(after, before, out=np.ones_like(before), where=finite)
    return np.where(finite, np.log10(ratio), np.nan)


def summarise_paths(records: Sequence[Record], labels: Mapping[str, str], k: int) -> dict[str, Any]:
    """Return curves over the survivors, and the table.

    Parameters
    ----------
    records : sequence of Record
        Finished cells.
    labels : mapping of str to str
        Of the designs.
    k : int
        Number of features in the data; the table shows the condition number there.

    Returns
    -------
    dict
        Part of the experiment's summary.
    """
    parts: dict[str, list[Record]] = {}
    for record in records:
        parts.setdefault(record.cell.settings["case"], []).append(record)
    shown, rows, faults = [], [], []
    for name in (name for name in labels if name in parts):
        whole = {key: np.concatenate([one.arrays[key] for one in parts[name]]) for key in STORED}
        shape = np.stack([record.arrays["shape"] for record in parts[name]])
        one, row, fault = _case(labels[name], whole, shape, k)
        shown.append(one)
        rows.append(row)
        faults += fault
    return {
        "rounding": LOSS_ROUNDING,
        "cases": shown,
        "notes": [
            *faults,
            "Barrier: the largest excess of the loss over its chord at 19 points inside the segment, at least 0, in "
            f"units of the loss of zero weights; up to {LOSS_ROUNDING:.0e} it counts as rounding. By convexity it is "
            "0; the closed form of the excess is -a (1 - a) |X (w' - w)|^2 / (2 n).",
            "Growth: log10 of the ratio of cond(X_M'X_M) after and before a step; up to "
            f"{CONDITION_ROUNDING:.0f} eps cond(X_M) it counts as rounding. By interlacing it is at most 0.",
            "Values are not clipped: the columns show the largest values with their signs.",
            f"That both are 0 is {EXACT}.",
        ],
        "table": {
            "columns": [
                "design",
                "problems",
                "steps",
                "barrier > rounding",
                "largest excess inside",
                "deepest dip (median)",
                "largest deviation from the closed form",
                "cond grew > rounding",
                "largest growth (log10)",
                "cond(X'X) at d (median)",
                f"cond at {k} (median)",
            ],
            "rows": rows,
        },
    }


def _case(
    label: str, whole: dict[str, np.ndarray], shape: np.ndarray, k: int
) -> tuple[dict[str, Any], list[Any], list[str]]:
    """Return the figure's data for a design, its row of the table, and a message if a control failed."""
    highest, cond = whole["highest"], whole["cond"]
    growth = log_growth(cond)
    barriers = int((highest > LOSS_ROUNDING).sum())
    # a singular value s_i of X_M is off by eps s_1 at most, hence relatively by eps cond(X_M)
    ulps = CONDITION_ROUNDING * np.finfo(float).eps * np.sqrt(np.where(np.isfinite(cond), cond, 0.0))[:, :-1]
    grew = int((growth > ulps).sum())
    extremes = np.stack([np.fmin.reduce(shape[:, 0]), np.fmax.reduce(shape[:, 1])])
    one = {
        "label": label,
        "barrier": [max(0.0, float(value)) for value in highest.max(axis=0)],
        "dip": [quartiles(values) for values in -whole["lowest"].T],
        "shape": None if np.isnan(extremes).any() else [[float(value) for value in line] for line in extremes],
        "cond": [None if np.isinf(values).any() else quartiles(values) for values in cond.T],
        "growth_largest": [_finite(values, np.max) for values in growth.T],
        "growth_median": [_finite(values, np.median) for values in growth.T],
    }
    row = [
        label,
        len(highest),
        highest.size,
        barriers,
        float(highest.max()),
        float(np.median(-whole["lowest"].min(axis=1))),
        float(whole["deviation"].max()),
        grew,
        float(np.nanmax(growth)),
        float(np.median(cond[:, 0])),
        float(np.median(cond[:, -k])),
    ]
    words = []
    if barriers or grew:
        words = [f"FAULT: {label}: {barriers} barriers and {grew} growths above rounding; both must be 0."]
    return one, row, words


def _finite(values: np.ndarray, of: Any) -> float | None:
    return None if np.isnan(values).any() else float(of(values))


POSITIONS = tuple(step / 20 for step in range(1, 20))
"""Sample points of a segment, as fractions of its length; the ends, where the excess is 0 by definition, are
omitted."""


@dataclass(frozen=True)
class Case:
    """A design, and its number of rows for each column."""

    label: str
    design: designs.Design
    rows: float = 3.0


CASES = {
    "orthogonal": Case("orthogonal", designs.orthogonal()),
    "gaussian": Case("Gaussian", designs.gaussian()),
    "toeplitz": Case("AR(1), ρ = 0.9", designs.toeplitz(0.9)),
    "equicorrelated": Case("equicorrelated, ρ = 0.9", designs.equicorrelated(0.9)),
    "ill-conditioned": Case("singular values 1 to 1e-3", designs.ill_conditioned(1e3)),
    "unequal-norms": Case("norms 1 to 1e-2", designs.unequal_norms(100.0)),
    "wide": Case("Gaussian, n = d / 2", designs.gaussian(), rows=0.5),
}


@dataclass(frozen=True)
class ControlsCell:
    """Whole paths of IMP one by one, on `trials` problems of one case."""

    case: str
    seed: int
    d: int
    k: int
    trials: int
    noise: float = 0.5
    dtype: str = "float64"


@dataclass(frozen=True)
class ControlsPreset:
    """How many problems, and how large."""

    d: int
    k: int
    chunks: int
    trials: int


PRESETS = {
    "smoke": ControlsPreset(d=10, k=2, chunks=1, trials=3),
    "quick": ControlsPreset(d=40, k=5, chunks=4, trials=40),
    "cpu": ControlsPreset(d=40, k=5, chunks=40, trials=25),
    "paper": ControlsPreset(d=100, k=10, chunks=20, trials=50),
}


def cells(preset: str, seed: int) -> list[ControlsCell]:
    """Return the cells of a preset."""
    size = PRESETS[preset]
    return [
        ControlsCell(case, seed + chunk, size.d, size.k, size.trials) for case in CASES for chunk in range(size.chunks)
    ]


def cost(cell: ControlsCell) -> float:
    """Return what a cell costs: a decomposition for each mask, and the losses on each segment."""
    return cell.trials * CASES[cell.case].rows * float(cell.d) ** 3 * (cell.d / 3 + len(POSITIONS))


def compute(cell: ControlsCell, device: str) -> Outcome:
    """Prune down to one weight, and look at each step of the path.

    Parameters
    ----------
    cell : ControlsCell
        The settings.
    device : {"cpu", "gpu"}
        Where IMP runs; losses and singular values are computed on the CPU.

    Returns
    -------
    metrics : dict
        ``largest_excess`` and ``largest_growth`` over all steps, for a glance.
    arrays : dict
        For each step of each path, shape (trials, d - 1), in units of the loss of zero weights: ``highest`` and
        ``lowest`` excess of the loss inside the segment over its chord, ``rise``: |X (w' - w)|^2 / (2 n), and
        ``deviation``: largest difference from the closed form. ``cond``, shape (trials, d): the condition number of
        X_M'X_M; inf where X_M has more columns than rows. ``shape``, (2, positions): least and largest excess / rise.
    """
    case = CASES[cell.case]
    n = round(case.rows * cell.d)
    paths = []
    for trial in range(cell.trials):
        X, y, _ = planted.linear_model(
            n,
            cell.d,
            cell.k,
            design=case.design,
            noise=cell.noise,
            signs="random",
            rng=stream("imp-controls", cell.case, n, cell.d, cell.seed, trial),
            dtype=cell.dtype,
        )
        path = linear_lottery.imp(arrays.asarray(X, device), arrays.asarray(y, device), 1)
        paths.append(look_along(X, y, arrays.to_numpy(path.weights), arrays.to_numpy(path.masks)))
    found = {name: np.array([one[name] for one in paths]) for name in paths[0]}
    found["shape"] = np.stack([np.fmin.reduce(found["shape"][:, 0]), np.fmax.reduce(found["shape"][:, 1])])
    return {
        "largest_excess": float(found["highest"].max()),
        "largest_growth": float(np.nanmax(log_growth(found["cond"]))),
    }, found


def look_along(X: np.ndarray, y: np.ndarray, weights: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a cell keeps of one path.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Features.
    y : numpy.ndarray, shape (n,)
        Targets.
    weights : numpy.ndarray, shape (R + 1, d)
        The solutions of the rounds.
    masks : numpy.ndarray of bool, shape (R + 1, d)
        Their masks.

    Returns
    -------
    dict of numpy.ndarray
        As :func:`compute` says; ``shape`` is NaN if the loss does not rise clearly at any step.
    """
    unit = float(y @ y) / (2 * X.shape[0])
    excess = excess_over_chord(X, y, weights) / unit
    steps = pairwise(weights)
    closed = np.array([segment_excess(X, start, end, np.array(POSITIONS)) for start, end in steps]) / unit
    middle = POSITIONS.index(0.5)
    rise = -4 * closed[:, middle]
    clear = rise > CLEAR
    share = excess[clear] / rise[clear, None] if clear.any() else np.full((1, len(POSITIONS)), np.nan)
    return {
        "highest": excess.max(axis=1),
        "lowest": excess.min(axis=1),
        "rise": rise,
        "deviation": np.abs(excess - closed).max(axis=1),
        "cond": condition_numbers(X, masks),
        "shape": np.stack([share.min(axis=0), share.max(axis=0)]),
    }


def excess_over_chord(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the loss on the segments between successive rows of `weights`, minus its linear interpolation.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Features.
    y : numpy.ndarray, shape (n,)
        Targets.
    weights : numpy.ndarray, shape (R + 1, d)
        The solutions.

    Returns
    -------
    numpy.ndarray, shape (R, positions)
        L((1 - a) w + a w') - (1 - a) L(w) - a L(w') with L(w) = |X w - y|^2 / (2 n), a in :data:`POSITIONS`.

    Notes
    -----
    Each loss is computed from its own weights, so that the closed form -a (1 - a) |X (w' - w)|^2 / (2 n), an identity
    of cond, is not built in.
    """
    loss = _losses(X, y, weights)
    columns = []
    for a in POSITIONS:
        inside = _losses(X, y, (1 - a) * weights[:-1] + a * weights[1:])
        columns.append(inside - (1 - a) * loss[:-1] - a * loss[1:])
    return np.stack(columns, axis=1)


def _losses(X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return ((X @ weights.T - y[:, None]) ** 2).sum(axis=0) / (2 * X.shape[0])


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the extremes of the two controls for each number of survivors, and the medians of what is not zero."""
    size = PRESETS[preset]
    return {
        "subtitle": "controls of this project's experiments, for the phenomenon studied in Elesedy et al. 2020\n"
        f"d = {size.d} features, {size.k} of them in the data, {size.chunks * size.trials} problems per design, "
        "n = 3 d unless stated",
        "survivors": list(range(size.d, 0, -1)),
        "positions": list(POSITIONS),
        **summarise_paths(records, {name: case.label for name, case in CASES.items()}, size.k),
    }


EXPERIMENTS = (
    Experiment(
        name="imp-controls",
        version=1,
        title="Controls that are zero in linear models: loss barrier and growth of the condition number",
        module=__name__,
        settings=ControlsCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.imp_controls",
        shows="two numbers that are exactly zero in linear models: loss barrier, and growth of the condition number",
        place=350,
    ),
)
