"""Figure 1: how well a planted network with one hidden layer is fitted, over width m and sparsity s.

The paper's grid is m, s = 1, 2, 5, ..., 1000 with 50,000 samples of 100 inputs, 15 steps, seeds
0, 1, 2, and a colour scale from -20 to 50 dB (preset ``paper``). Cells with more weights than
the network has (s > d m) do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
import recovery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import (
    LABELS,
    METHODS,
    PSNR_CAP_DB,
    capped,
    fit_arrays,
    grid_of_means,
    series_125,
    stream,
)
from paper_repro.store import Record
from planted import arrays

__all__ = ["EXPERIMENT", "Fig1Cell", "Fig1Preset"]

COLOUR_RANGE_DB = (-20.0, 50.0)


@dataclass(frozen=True)
class Fig1Cell:
    """One fit: a planted network of width `m` with `s` non-zero weights, from `n` samples of `d` inputs."""

    m: int
    s: int
    seed: int
    method: str
    n: int
    d: int
    n_iter: int = 15
    dtype: str = "float64"


@dataclass(frozen=True)
class Fig1Preset:
    """A grid."""

    m: tuple[int, ...]
    s: tuple[int, ...]
    seeds: int
    n: int
    d: int


PRESETS = {
    "smoke": Fig1Preset(m=(1, 5, 20), s=(2, 20), seeds=1, n=500, d=20),
    "quick": Fig1Preset(m=(1, 2, 5, 10, 20, 50), s=(1, 5, 10, 50, 100, 200), seeds=3, n=5_000, d=50),
    "cpu": Fig1Preset(m=series_125(1, 200), s=series_125(1, 500), seeds=3, n=20_000, d=100),
    "paper": Fig1Preset(m=series_125(1, 1000), s=series_125(1, 1000), seeds=3, n=50_000, d=100),
}


def cells(preset: str, seed: int) -> list[Fig1Cell]:
    """Return the cells of a preset; one seed is one planted network a grid point, the same for both methods."""
    grid = PRESETS[preset]
    return [
        Fig1Cell(m=m, s=s, seed=seed + trial, method=method, n=grid.n, d=grid.d)
        for method in METHODS
        for m in grid.m
        for s in grid.s
        for trial in range(grid.seeds)
        if s <= grid.d * m
    ]


def cost(cell: Fig1Cell) -> float:
    """Return what a cell costs: products with the gates of all neurons, and with the s columns in use."""
    width = cell.m if cell.method == "released" else 2 * cell.m
    return cell.n * (cell.d * width + 4.0 * cell.s + 2_000.0)


def compute(cell: Fig1Cell, device: str) -> Outcome:
    """Plant, fit, and score a cell.

    Parameters
    ----------
    cell : Fig1Cell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs; the instance is drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``psnr_db`` of the returned network on the samples it was fitted to (the paper's measure), how the fit
        ended, and how far the network is from the planted one.
    arrays : dict
        ``psnr_history_db`` a step, and the network that was found.
    """
    X, y, network = planted.release_instance(cell.m, cell.s, cell.seed, n=cell.n, d=cell.d, dtype=cell.dtype)
    fit = recovery.fit_network(
        arrays.asarray(X, device),
        arrays.asarray(y, device),
        n_neurons=cell.m,
        sparsity=cell.s,
        method=cell.method,
        n_iter=cell.n_iter,
        rng=stream("fig1", "fit", cell.m, cell.s, cell.seed),
    )
    match = planted.match_networks(fit.network, network)
    metrics = {
        "psnr_db": float(fit.psnr_db),
        "n_iter": int(fit.n_iter),
        "status": fit.status.name,
        "weight_error": match.weight_error,
        "exact": bool(match.exact),
    }
    return metrics, {"psnr_history_db": np.asarray(fit.history["psnr_db"], dtype=float), **fit_arrays(fit.network)}


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the mean PSNR a grid point and method, and the same as a table."""
    grid = PRESETS[preset]
    means = {
        method: grid_of_means(
            (record for record in records if record.cell.settings["method"] == method),
            grid.m,
            grid.s,
            lambda record: capped(record.metrics["psnr_db"]),
        )
        for method in METHODS
    }
    seeds = ", ".join(str(seed + trial) for trial in range(grid.seeds))
    rows = []
    for method in METHODS:
        for m, line in zip(grid.m, means[method], strict=True):
            rows.append([method, m, *line])
    return {
        "subtitle": f"n = {grid.n:,} samples, d = {grid.d} Gaussian inputs, {Fig1Cell.n_iter} steps, "
        f"seed{'s' if grid.seeds > 1 else ''} {seeds}; grey: s > d m",
        "methods": list(METHODS),
        "labels": LABELS,
        "m": list(grid.m),
        "s": list(grid.s),
        "possible": [[s <= grid.d * m for s in grid.s] for m in grid.m],
        "mean_psnr_db": means,
        "colour_range_db": list(COLOUR_RANGE_DB),
        "notes": [f"Mean PSNR in dB over the seeds; an exact fit counts as {PSNR_CAP_DB:.0f} dB."],
        "table": {"columns": ["method", "m \\ s", *(str(s) for s in grid.s)], "rows": rows},
    }


EXPERIMENT = Experiment(
    name="fig1",
    version=1,
    title="Planted ReLU networks, one hidden layer, scalar output: PSNR of the fit",
    module=__name__,
    settings=Fig1Cell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
