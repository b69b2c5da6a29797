"""Excess test error along the path of iterative magnitude pruning, beside masks that are chosen without the data.

Rows N(0, I), so that the excess test error of weights w is |w - w*|^2. Pruning one weight at a time gives weights for
every number m of survivors. Beside them stand nested masks that hold the planted support and nulls drawn at random:
their mean error is known in closed form (E5), it has a peak at m = n, and pruning by magnitude, which keeps the nulls
that fit the noise best, lies above it until it meets it at m = k, where both are least squares on the support.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import linear_lottery
import planted
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.imp_risk_summary import summarise_risks
from paper_repro.store import Record
from planted.base import arrays

__all__ = ["EXPERIMENT", "RiskCell", "RiskPreset"]


@dataclass(frozen=True)
class RiskCell:
    """`trials` paths of pruning one weight at a time, on one size and one scale of the start."""

    n: int
    d: int
    alpha: float
    seed: int
    trials: int
    k: int = 10
    amplitude: float = 1.0
    noise: float = 1.0
    dtype: str = "float64"


@dataclass(frozen=True)
class RiskPreset:
    """Panels (n, d, alpha), and for each of them how many cells of how many paths."""

    panels: tuple[tuple[int, int, float], ...]
    trials: tuple[int, ...]
    chunks: tuple[int, ...]
    k: int = 10


FULL = ((200, 100, 0.0), (100, 200, 0.0), (100, 200, 0.1))
PRESETS = {
    "smoke": RiskPreset(((40, 20, 0.0), (20, 40, 0.0), (20, 40, 0.1)), trials=(3, 3, 3), chunks=(2, 2, 2), k=3),
    "quick": RiskPreset(FULL, trials=(20, 4, 4), chunks=(5, 10, 10)),
    "cpu": RiskPreset(FULL, trials=(50, 8, 8), chunks=(8, 25, 25)),
    "paper": RiskPreset(FULL, trials=(100, 10, 10), chunks=(20, 100, 100)),
}


def cells(preset: str, seed: int) -> list[RiskCell]:
    """Return the cells of a preset; the chunks of a panel differ in their seed."""
    grid = PRESETS[preset]
    return [
        RiskCell(n, d, alpha, seed + chunk, trials, grid.k)
        for (n, d, alpha), trials, chunks in zip(grid.panels, grid.trials, grid.chunks, strict=True)
        for chunk in range(chunks)
    ]


def cost(cell: RiskCell) -> float:
    """Return what a cell costs: one decomposition a mask where samples are few, one factorisation where not."""
    rounds = cell.d if cell.n < cell.d else 30
    return cell.trials * rounds * float(cell.n) * cell.d * min(cell.n, cell.d)


def fixed_sizes(n: int, d: int, k: int) -> list[int]:
    """Return the sizes of the fixed masks: steps of 5, and all near k and near n."""
    near = [place + step for place in (k, n) for step in (-3, -2, -1, 0, 1, 2, 3)]
    return sorted({m for m in (*range(5, d + 1, 5), *near, 1, d) if 1 <= m <= d})


def compute(cell: RiskCell, device: str) -> Outcome:
    """Prune, and fit the fixed masks.

    Parameters
    ----------
    cell : RiskCell
        The settings.
    device : {"cpu", "gpu"}
        Where the fits run; instances and starts are drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``trials``, and in ``recovered`` how often the k last survivors were the planted support.
    arrays : dict
        Excess errors |w - w*|^2: ``imp``, shape (trials, d), for d, d - 1, ..., 1 survivors; ``truncated``, same
        shape, for the m largest weights of the first fit without training again; ``fixed``, shape (trials, sizes),
        for nested masks of ``fixed_sizes``. ``recovered``, bool, shape (trials,).
    """
    sizes = fixed_sizes(cell.n, cell.d, cell.k)
    found: dict[str, list[Any]] = {name: [] for name in ("imp", "truncated", "fixed", "recovered")}
    for trial in range(cell.trials):
        key = (cell.n, cell.d, cell.k, cell.seed, trial)
        X, y, w = planted.linear_model(
            cell.n,
            cell.d,
            cell.k,
            amplitude=cell.amplitude,
            noise=cell.noise,
            rng=stream("imp-risk", "instance", *key),
            dtype=cell.dtype,
        )
        w0 = cell.alpha * stream("imp-risk", "start", *key).standard_normal(cell.d)
        support = np.flatnonzero(w)
        nulls = stream("imp-risk", "masks", *key).permutation(np.setdiff1d(np.arange(cell.d), support))
        ranks = np.empty(cell.d, dtype=int)
        ranks[np.concatenate((support, nulls))] = np.arange(cell.d)
        X, y, w0 = (arrays.asarray(part, device, cell.dtype) for part in (X, y, w0))
        path = linear_lottery.imp(X, y, 1, w0=w0, schedule="one-by-one")
        weights = arrays.to_numpy(path.weights)
        found["imp"].append(((weights - w) ** 2).sum(axis=1))
        found["truncated"].append(_truncated(weights[0], w))
        fits = [
            arrays.to_numpy(linear_lottery.gradient_flow(X, y, w0, mask=arrays.asarray(ranks < m, device)))
            for m in sizes
        ]
        found["fixed"].append([float(((fit - w) ** 2).sum()) for fit in fits])
        mask = arrays.to_numpy(path.masks[path.round_of(cell.k)])
        found["recovered"].append(bool(np.array_equal(np.flatnonzero(mask), support)))
    metrics = {"trials": cell.trials, "recovered": sum(found["recovered"])}
    return metrics, {name: np.array(values) for name, values in found.items()} | {"fixed_sizes": np.array(sizes)}


def _truncated(w: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the error of the m largest weights, the others set to zero, for m = d, d - 1, ..., 1."""
    order = np.argsort(np.abs(w), kind="stable")
    change = truth[order] ** 2 - (w - truth)[order] ** 2  # of pruning the smallest, the second smallest, ...
    return ((w - truth) ** 2).sum() + np.concatenate(([0.0], np.cumsum(change)[:-1]))


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    grid = PRESETS[preset]
    return summarise_risks(grid.panels, grid.k, RiskCell.amplitude, RiskCell.noise, records)


EXPERIMENT = Experiment(
    name="imp-risk",
    version=1,
    title="Our experiment: excess test error along the path of pruning one weight at a time",
    module=__name__,
    settings=RiskCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
