"""Table 1: what happens when the gates are updated only every k steps.

The paper fits one planted network (d = 100, m = 10, s = 500, n = 50,000) and reports the PSNR after
100 steps and the step at which the set of active columns stops changing. Here the same is done for
several planted networks, with labels rounded to float32 (which puts a floor under every fit, the
paper's 160 dB) and not, and the network that is found is compared with the planted one.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
import recovery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import LABELS, METHODS, PSNR_CAP_DB, capped, fit_arrays, stream
from paper_repro.store import Record
from planted import arrays

__all__ = ["EXPERIMENT", "PAPER", "Table1Cell", "Table1Preset", "settling_step"]

LABEL_TYPES = ("float32", "float64")

FLOOR_DB = 155.0
"""A fit above this PSNR is at the floor that labels rounded to float32 put under it (158 to 165 dB)."""

PAPER: tuple[dict[str, Any], ...] = (
    {"k": 1, "psnr_db": 160.0, "settled": None, "text": "> 160"},
    {"k": 2, "psnr_db": 160.0, "settled": None, "text": "> 160"},
    {"k": 4, "psnr_db": 160.0, "settled": None, "text": "> 160"},
    {"k": 5, "psnr_db": 36.63, "settled": 135, "text": "36.63 (then 161.44)"},
    {"k": 100, "psnr_db": 19.88, "settled": None, "text": "19.88"},
)
"""The paper's values, one trajectory each; those of k = 10 and 20 are not known to us."""


@dataclass(frozen=True)
class Table1Cell:
    """One fit of a planted network with its gates updated every `k` steps."""

    k: int
    seed: int
    labels: str
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
    """Return PSNR, settling step and exactness a seed, for each method, kind of labels and k."""
    size = PRESETS[preset]
    found = {
        tuple(record.cell.settings[name] for name in ("method", "labels", "n_iter", "k", "seed")): record.metrics
        for record in records
    }
    first = {
        tuple(record.cell.settings[name] for name in ("method", "labels", "n_iter", "k", "seed")): _first_at_floor(
            record
        )
        for record in records
    }
    seeds = [seed + trial for trial in range(size.seeds)]

    def values(name: str, method: str, labels: str, n_iter: int, k: int) -> list[Any]:
        keys = [(method, labels, n_iter, k, one) for one in seeds]
        return [found[key][name] for key in keys if key in found]

    psnr: dict[str, dict[str, list[list[float]]]] = {}
    settled: dict[str, dict[str, list[list[int | None]]]] = {}
    exact: dict[str, list[str]] = {}
    rows = []
    full_size = (size.m, size.s, size.n, size.d) == (10, 500, 50_000, 100)
    texts = {row["k"]: row["text"] for row in PAPER} if full_size else {}
    for method in METHODS:
        psnr[method], settled[method] = {}, {}
        for labels in LABEL_TYPES:
            psnr[method][labels] = [
                [capped(value) for value in values("psnr_db", method, labels, size.n_iter, k)] for k in size.k
            ]
            settled[method][labels] = [values("settled", method, labels, size.n_iter_long, k) for k in size.k]
            for index, k in enumerate(size.k):
                rows.append(
                    [
                        method,
                        labels,
                        k,
                        _median(psnr[method][labels][index]),
                        min(psnr[method][labels][index], default=None),
                        max(psnr[method][labels][index], default=None),
                        _share([value > FLOOR_DB for value in psnr[method][labels][index]]),
                        _median(
                            [
                                step
                                for one in seeds
                                if (step := first.get((method, labels, size.n_iter_long, k, one))) is not None
                            ]
                        ),
                        _share(values("exact", method, labels, size.n_iter, k)),
                        _share(values("exact", method, labels, size.n_iter_long, k)),
                        _median([step for step in settled[method][labels][index] if step is not None]),
                        _share([step is not None for step in settled[method][labels][index]]),
                        texts.get(k, "other size" if not full_size else "not known"),
                    ]
                )
        exact[method] = [_share(values("exact", method, "float64", size.n_iter, k)) for k in size.k]
    columns = ["method", "labels", "k", f"PSNR at {size.n_iter} (dB, median)", "min", "max"]
    columns += [f"at floor at {size.n_iter}", "first at floor (median)", f"exact at {size.n_iter}"]
    columns += [f"exact at {size.n_iter_long}", "settles at (median)", "settled", "paper (dB)"]
    return {
        "subtitle": f"n = {size.n:,}, d = {size.d}, m = {size.m}, s = {size.s}, "
        f"{size.seeds} planted network{'s' if size.seeds > 1 else ''}; fractions: exact, float64 labels",
        "methods": list(METHODS),
        "labels": LABELS,
        "label_types": list(LABEL_TYPES),
        "k": list(size.k),
        "n_iter": size.n_iter,
        "n_iter_long": size.n_iter_long,
        "psnr_db": psnr,
        "settled": settled,
        "settled_from": _lowest(settled),
        "exact": exact,
        "paper": list(PAPER) if full_size else [],
        "notes": [
            "exact: the kink form of the planted network, to 1e-6 (planted.match_networks).",
            "settles at: last step at which a column entered or left the active set, among the runs that settled "
            f"within {size.n_iter_long} steps.",
            f"at floor: PSNR above {FLOOR_DB:.0f} dB. first at floor: the step at which it first was, among the runs "
            f"of {size.n_iter_long} steps that got there.",
            *(_typical(method, psnr[method]["float32"], size) for method in METHODS),
            f"An exact fit has infinite PSNR and counts as {PSNR_CAP_DB:.0f} dB.",
            "The paper's values are of one trajectory each."
            if full_size
            else "The paper's values belong to another size (d = 100, m = 10, s = 500, n = 50,000) and are left out.",
        ],
        "table": {"columns": columns, "rows": rows},
    }


def _first_at_floor(record: Record) -> int | None:
    """Return the first step, counted from 1, at which the iterate was at the floor."""
    history = record.arrays.get("psnr_history_db")
    reached = np.flatnonzero(history > FLOOR_DB) if history is not None else np.empty(0)
    return int(reached[0]) + 1 if reached.size else None


def _typical(method: str, psnr: Sequence[Sequence[float]], size: Table1Preset) -> str:
    """Return a sentence on how far one trajectory with k < 5, such as the paper's, speaks for the others."""
    runs = [value for k, values in zip(size.k, psnr, strict=True) if k < 5 for value in values]
    if not runs:
        return f"{LABELS[method]}: no run with k < 5."
    missed = [value for value in runs if value <= FLOOR_DB]
    rest = f", the others end between {min(missed):.0f} and {max(missed):.0f} dB" if missed else ""
    return (
        f"{LABELS[method]}, float32 labels, k < 5: {len(runs) - len(missed)} of {len(runs)} runs are at the floor after "
        f"{size.n_iter} steps{rest}. The paper shows one run a k, at the floor."
    )


def _lowest(settled: dict[str, dict[str, list[list[int | None]]]]) -> float:
    """Return the lower end of an axis that holds every settling step."""
    steps = [step for one in settled.values() for lists in one.values() for seeds in lists for step in seeds if step]
    return 0.6 * min([10, *steps])


def _median(values: Sequence[float]) -> float | None:
    return float(statistics.median(values)) if values else None


def _share(values: Sequence[bool]) -> str:
    return f"{sum(values)}/{len(values)}"


EXPERIMENT = Experiment(
    name="table1",
    version=1,
    title="Planted ReLU networks: updating the gates every k steps",
    module=__name__,
    settings=Table1Cell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
