"""Table 1: what happens when the gates are updated only every k steps.

The paper fits one planted network (d = 100, m = 10, s = 500, n = 50,000) and reports the PSNR after
100 steps and the step at which the set of active columns stops changing. Here the same is done for
several planted networks, with labels rounded to float32 (which puts a floor under every fit, the
paper's 160 dB) and not, and the network that is found is compared with the planted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import planted
import recovery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import METHODS, fit_arrays, stream
from paper_repro.experiments.table1_summary import LABEL_TYPES, data_in_words, summarise_runs
from paper_repro.store import Record
from planted.base import arrays

__all__ = ["EXPERIMENT", "Table1Cell", "Table1Preset", "settling_step"]


@dataclass(frozen=True)
class Table1Cell:
    """One fit of a planted network with its gates updated every `k` steps."""

    k: int
    seed: int
    labels: Literal["float32", "float64"]
    method: str
    n_iter: int
    m: int
    s: int
    n: int
    d: int
    dtype: str = "float64"


@dataclass(frozen=True)
class Table1Preset:
    """One size of planted network; every k is run for `n_iter` steps (the score) and for `n_iter_long` (settling)."""

    k: tuple[int, ...]
    m: int
    s: int
    n: int
    d: int
    seeds: int
    n_iter: int = 100
    n_iter_long: int = 400


PRESETS = {
    "smoke": Table1Preset(k=(1, 10), m=3, s=12, n=400, d=10, seeds=1, n_iter=20, n_iter_long=40),
    "quick": Table1Preset(k=(1, 2, 5, 20, 100), m=5, s=100, n=4_000, d=30, seeds=3, n_iter_long=200),
    "cpu": Table1Preset(k=(1, 2, 4, 5, 10, 20, 100), m=10, s=500, n=50_000, d=100, seeds=3),
    "paper": Table1Preset(k=(1, 2, 4, 5, 10, 20, 100), m=10, s=500, n=50_000, d=100, seeds=10),
}


def cells(preset: str, seed: int) -> list[Table1Cell]:
    """Return the cells of a preset; one seed is one planted network, the same for all k, labels and methods."""
    size = PRESETS[preset]
    return [
        Table1Cell(k, seed + trial, labels, method, n_iter, size.m, size.s, size.n, size.d)
        for method in METHODS
        for labels in LABEL_TYPES
        for n_iter in (size.n_iter, size.n_iter_long)
        for k in size.k
        for trial in range(size.seeds)
    ]


def cost(cell: Table1Cell) -> float:
    """Return what a cell costs, in products with a column."""
    return float(cell.n_iter) * cell.n * (cell.d * cell.m + 10.0 * cell.s)


def compute(cell: Table1Cell, device: str) -> Outcome:
    """Plant, fit, and score a cell.

    Parameters
    ----------
    cell : Table1Cell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs; the instance is drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``psnr_db``, ``settled`` (see :func:`settling_step`), how the fit ended, and how far the network is from
        the planted one in its kink form.
    arrays : dict
        PSNR and number of changed active columns a step, and the network that was found.
    """
    X, y, network = planted.release_instance(
        cell.m, cell.s, cell.seed, n=cell.n, d=cell.d, labels=cell.labels, dtype=cell.dtype
    )
    fit = recovery.fit_network(
        arrays.asarray(X, device),
        arrays.asarray(y, device),
        n_neurons=cell.m,
        sparsity=cell.s,
        method=cell.method,
        n_iter=cell.n_iter,
        gate_update=cell.k,
        rng=stream("table1", "fit", cell.m, cell.s, cell.seed),
    )
    changed = np.asarray(fit.history["active"], dtype=float)
    match = planted.match_networks(fit.network, network)
    metrics = {
        "psnr_db": float(fit.psnr_db),
        "settled": settling_step(changed, np.asarray(fit.history["start"]), _winner(fit.history), cell.n_iter),
        "steps": int(fit.n_iter),
        "status": fit.status.name,
        "weight_error": match.weight_error,
        "support_precision": match.support_precision,
        "support_recall": match.support_recall,
        "same_function": bool(match.same_function),
        "exact": bool(match.exact),
    }
    history = {"psnr_history_db": np.asarray(fit.history["psnr_db"], dtype=float), "changed_columns": changed}
    return metrics, {**history, **fit_arrays(fit.network)}


def settling_step(changed: np.ndarray, start: np.ndarray, winner: int, n_iter: int) -> int | None:
    """Return the step from which the set of active columns no longer changes.

    Parameters
    ----------
    changed : numpy.ndarray, shape (steps,)
        How much of the set of active columns changed at each step; 0 is nothing.
    start : numpy.ndarray, shape (steps,)
        Number of the random start each step belongs to.
    winner : int
        The start whose answer was taken; only its steps count.
    n_iter : int
        Largest number of steps the fit was allowed.

    Returns
    -------
    int or None
        The last step, counted from 1 over all starts, at which something changed, 0 if nothing ever did; None if
        the fit was cut off by the step limit while it still changed.
    """
    own = np.flatnonzero(start == winner)
    moving = own[changed[own] != 0] + 1
    if moving.size == 0:
        return 0
    last = int(moving[-1])
    return None if last == n_iter else last


def _winner(history: dict[str, list[float]]) -> int:
    """Return the start that came closest to the data."""
    return int(history["start"][int(np.argmax(history["psnr_db"]))]) if history["start"] else 0


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    return summarise_runs(PRESETS[preset], seed, records)


EXPERIMENT = Experiment(
    name="table1",
    version=4,
    title="Planted ReLU networks: updating the gates every k steps",
    module=__name__,
    settings=Table1Cell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
    data=lambda preset: data_in_words(PRESETS[preset]),
)
