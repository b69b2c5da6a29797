"""Figures 1, 2, 6 and 7: recovery of networks planted on random inputs, over width m and sparsity s.

The paper's grid is m, s = 1, 2, 5, ..., 1000 (m from 2 and s from 10 for two hidden layers) with 50,000 samples of 100
inputs, seeds 0, 1, 2, and a colour scale from -20 to 50 dB (preset ``paper``): 15 steps for one output (Figure 1), 100
epochs of batches of 5,000 samples for 10 outputs (Figure 2), where the output weights are planted too and share the
sparsity with the hidden ones. Cells with more weights than the network has do not exist. Figures 6 and 7 show
the standard deviations over the seeds, above medians and shares of exact fits.

A cell is one fit. All methods of a grid point and seed see the same instance, the one of
:func:`planted.release_instance`, and are scored on it (the paper's measure) and on fresh inputs. The released code
draws so few weights in wide networks that some of these connect no input to an output; their labels are all 0, nothing
is fitted, and they are excluded.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import planted
import recovery
from paper_repro.claims import Claim, against
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import (
    DIVERGED_DB,
    EXACT_DB,
    PSNR_CAP_DB,
    fit_arrays,
    form_arrays,
    series_125,
    stream,
)
from paper_repro.experiments.grids import (
    DEPTH_NAMES,
    METHODS,
    SPREAD_NOTE,
    WITH_EXACT,
    Grid,
    compared,
    deviations_of,
    extras_table,
    fits,
    meanings,
    medians_of,
    panel_row,
    shares_above,
    statistics,
    trials,
    values_table,
)
from paper_repro.store import Record
from planted.base import arrays

__all__ = [
    "COLOUR_RANGE_DB",
    "EXPERIMENTS",
    "FIG1",
    "FIG2",
    "FIG6",
    "FIG7",
    "TIE_DB",
    "Depths",
    "Fig1Cell",
    "Fig2Cell",
    "PlantedCell",
    "PlantedPreset",
    "batch_key",
    "cells_of",
    "claims_by_depth",
    "compute",
    "compute_many",
    "cost",
    "data_in_words",
    "methods_of",
    "possible",
    "summarise_companion",
    "summarise_figure",
    "trials_by_depth",
    "weights",
]


@dataclass(frozen=True)
class PlantedCell:
    """One fit: a network of width `m` and `depth` with `s` non-zero weights, from `n` samples of `d` inputs."""

    m: int
    s: int
    seed: int
    method: str
    depth: int
    n: int
    d: int
    n_outputs: int
    n_iter: int
    batch_size: int | None = None
    imp_updates: int | None = None
    dtype: str = "float64"


@dataclass(frozen=True)
class PlantedPreset:
    """Grids, a size of the data, and how long the methods work.

    Parameters
    ----------
    grids : tuple of Grid
        One per depth.
    seeds : int
        Trials of each grid point.
    n, d : int
        Samples and inputs.
    epochs : int
        Passes over the samples: steps of IHT (for each layer) and updates a round of IMP as in the paper, on batches.
    batch_size : int, optional
        Samples a step sees; all by default.
    n_outputs : int, default 1
        Outputs of the planted network.
    imp_updates : int, optional
        Updates a round of the fair IMP; its recipe's default where None.
    """

    grids: tuple[Grid, ...]
    seeds: int
    n: int
    d: int
    epochs: int
    batch_size: int | None = None
    n_outputs: int = 1
    imp_updates: int | None = None

    @property
    def n_iter(self) -> int:
        """Steps in all, ``epochs`` times the number of batches."""
        return self.epochs * -(-self.n // (self.batch_size or self.n))


def weights(d: int, m: int, depth: int, n_outputs: int) -> int:
    """Return how many weights can be planted: those of the hidden layers, and of the output layer if it is drawn."""
    return d * m + (depth - 1) * m * m + (m * n_outputs if n_outputs > 1 else 0)


def methods_of(depth: int) -> tuple[str, ...]:
    """Return the methods that fit networks with this many hidden layers."""
    return WITH_EXACT if depth == 1 else METHODS


def possible(size: PlantedPreset, depth: int, m: int, s: int) -> bool:
    """Return whether a network of this width has that many weights."""
    return s <= weights(size.d, m, depth, size.n_outputs)


def cells_of(size: PlantedPreset, seed: int, kind: type[PlantedCell]) -> list[Any]:
    """Return the cells of a preset; one seed is one planted network a grid point, the same for all methods.

    Parameters
    ----------
    size : PlantedPreset
        The preset.
    seed : int
        First seed.
    kind : type
        The experiment's own class of settings.

    Returns
    -------
    list
        Settings.
    """
    return [
        kind(
            m=m,
            s=s,
            seed=seed + trial,
            method=method,
            depth=grid.depth,
            n=size.n,
            d=size.d,
            n_outputs=size.n_outputs,
            n_iter=size.n_iter,
            # a fair IMP and exact recovery choose their own batches, and the other methods have no updates of their own
            batch_size=size.batch_size if method not in ("imp-fair", "exact") else None,
            imp_updates=size.imp_updates if method == "imp-fair" else None,
        )
        for grid in size.grids
        for method in methods_of(grid.depth)
        for m in grid.m
        for s in grid.s
        for trial in range(size.seeds)
        if possible(size, grid.depth, m, s)
    ]


def cost(cell: PlantedCell) -> float:
    """Return the approximate time of a cell on one core, in seconds; the factors were measured on small cells."""
    rows, scalar = cell.batch_size or cell.n, cell.n_outputs == 1
    size = weights(cell.d, cell.m, cell.depth, cell.n_outputs)
    if cell.method.startswith("imp-"):
        fair = cell.method == "imp-fair"
        rounds = 1.0 + math.log(max(1.0, size / cell.s)) / -math.log(0.8 if fair else 0.9)
        updates = rounds * (cell.imp_updates or 400) + 2_000 if fair else rounds * cell.n_iter
        return updates * (6e-5 + 1e-10 * size * (500 if fair else rows))
    if cell.method == "exact":  # steps of the search on batches of 500, then rounds with products of Gram matrices
        unknowns = 2 * cell.d + cell.s
        return 0.3 + 8e-7 * cell.d * min(2 * cell.m, 1000) + 4e-10 * cell.n * unknowns**2 * cell.n_outputs
    step = 1e-3 + rows * (1e-10 * size + (8e-9 if scalar else 1e-9) * cell.s)
    return cell.depth * cell.n_iter * step * (1.0 if cell.method == "paper" else 2.0)


SCORES = ("psnr_db", "test_psnr_db", "nonzeros", "n_iter", "weight_error", "same_function", "exact", "support_recall")


def compute(cell: PlantedCell, device: str) -> Outcome:
    """Plant, fit, and score a cell.

    Parameters
    ----------
    cell : PlantedCell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs; the instance is drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``psnr_db`` of the returned network on the samples it was fitted to (the paper's measure), ``test_psnr_db`` on
        as many fresh ones, ``nonzeros`` that were found and ``planted_nonzeros``, how the fit ended, and for one hidden
        layer how far the network is from the planted one: ``weight_error``, ``same_function`` and ``exact`` (the same
        network; see :class:`planted.NetworkMatch`), ``support_recall``. All but the count of planted weights is None
        where the labels are all 0.
    arrays : dict
        ``psnr_history_db`` a step, and the network that was found.
    """
    X, y, truth = _plant(cell)
    if not y.any():
        return _outcome(cell, truth, None, device)
    (fit,) = fits(
        cell.method,
        arrays.asarray(X, device),
        arrays.asarray(y, device),
        m=cell.m,
        depth=cell.depth,
        sparsities=[cell.s],
        n_iter=cell.n_iter,
        imp_updates=cell.imp_updates,
        batch_size=cell.batch_size,
        rng=lambda: _stream(cell),
    )
    return _outcome(cell, truth, fit, device)


def batch_key(cell: PlantedCell) -> Hashable:
    """Return the settings common to the cells of a batch: all but the sparsity, since they then share their inputs.

    Parameters
    ----------
    cell : PlantedCell
        The settings.

    Returns
    -------
    hashable
        The cell itself, so that it is alone, where no method fits several at once.
    """
    together = cell.method.startswith("imp-") or (cell.method, cell.depth, cell.n_outputs) == ("paper", 1, 1)
    return replace(cell, s=0) if together else cell


def compute_many(cells: Sequence[PlantedCell], device: str) -> list[Outcome]:
    """Compute cells of one :func:`batch_key`.

    Parameters
    ----------
    cells : sequence of PlantedCell
        Cells that differ in their sparsity only.
    device : {"cpu", "gpu"}
        On a GPU all networks take their steps together, and differ from :func:`compute` by rounding, which training
        multiplies; on a CPU there is nothing to gain, and :func:`compute` is called for one after the other.

    Returns
    -------
    list of (metrics, arrays)
        In the order of the cells.
    """
    if device == "cpu" or len(cells) == 1 or batch_key(cells[0]) == cells[0]:
        return [compute(cell, device) for cell in cells]
    instances = [_plant(cell) for cell in cells]
    loud = [index for index, (_, y, _) in enumerate(instances) if y.any()]
    found: dict[int, Any] = {}
    if loud:
        X = arrays.asarray(instances[loud[0]][0], device)  # one seed, so all of them have these inputs
        Y = [arrays.asarray(instances[index][1], device) for index in loud]
        found = dict(zip(loud, _fit_together([cells[index] for index in loud], X, Y), strict=True))
    return [_outcome(cell, instances[index][2], found.get(index), device) for index, cell in enumerate(cells)]


def _fit_together(cells: Sequence[PlantedCell], X: Any, Y: Sequence[Any]) -> list[Any]:
    first, streams = cells[0], [_stream(cell) for cell in cells]
    if first.method == "paper":
        from recovery import fit_many

        sizes = [cell.s for cell in cells]
        return fit_many(X, Y, n_neurons=first.m, sparsity=sizes, method="paper", max_iter=first.n_iter, rngs=streams)
    from recovery import imp_many

    paper = first.method == "imp-paper"
    return imp_many(
        X,
        Y,
        n_neurons=first.m if first.depth == 1 else [first.m] * first.depth,
        sparsity=[cell.s for cell in cells],
        recipe="paper" if paper else "fair",
        max_iter=first.n_iter if paper else first.imp_updates,
        batch_size=first.batch_size,
        rngs=streams,
    )


def _plant(cell: PlantedCell) -> tuple[Any, Any, Any]:
    return planted.release_instance(
        cell.m,
        cell.s,
        cell.seed,
        n=cell.n,
        d=cell.d,
        n_outputs=cell.n_outputs,
        depth=cell.depth,
        dtype=cell.dtype,
    )


def _stream(cell: PlantedCell) -> np.random.Generator:
    return stream("planted", "fit", cell.n_outputs, cell.depth, cell.m, cell.s, cell.seed)


def _outcome(cell: PlantedCell, truth: Any, fit: Any, device: str) -> Outcome:
    """Return the scores of a fit; None if the planted network is silent and nothing was fitted."""
    drawn = _nonzeros(truth, cell.n_outputs)
    if fit is None:
        return {**dict.fromkeys(SCORES), "planted_nonzeros": drawn, "status": "ZERO_DATA"}, {}
    # exact recovery returns the kink form alone where it does not fit into m and s
    found = fit.kink_form if fit.network is None else fit.network
    metrics = {
        "psnr_db": float(fit.psnr_db),
        "test_psnr_db": _test_psnr(cell, found, truth, device),
        "nonzeros": None if fit.network is None else _nonzeros(fit.network, cell.n_outputs),
        "planted_nonzeros": drawn,
        "n_iter": int(fit.n_iter),
        "status": fit.status.name,
        **_closeness(cell, fit.psnr_db, found, truth),
    }
    history = np.asarray(fit.history.get("psnr_db", []), dtype=float)
    kept = form_arrays(found) if fit.network is None else fit_arrays(found)
    return metrics, {"psnr_history_db": history, **kept}


def _test_psnr(cell: PlantedCell, found: Any, truth: Any, device: str) -> float | None:
    """Return the PSNR on as many fresh inputs, of labels rounded as the training labels are."""
    X = stream("planted", "test", cell.d, cell.seed).standard_normal((cell.n, cell.d)).astype(np.float32)
    X = X.astype(cell.dtype)
    y = truth(X).astype(np.float32).astype(cell.dtype)
    if not y.any():  # the planted network is 0 on all of them
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # a diverged fit
        outputs = found(arrays.asarray(X, device))
        if not bool(arrays.namespace(outputs).isfinite(outputs).all()):
            return -math.inf
    return recovery.psnr(outputs, arrays.asarray(y, device))


def _closeness(cell: PlantedCell, psnr_db: float, found: Any, truth: Any) -> dict[str, Any]:
    """Return how far the kink forms are from each other; nothing of that kind is known for deeper networks."""
    if cell.depth > 1:
        return dict.fromkeys(("weight_error", "same_function", "exact", "support_recall"))
    if psnr_db == -math.inf:  # products of such weights leave the range of the numbers
        return {"weight_error": math.inf, "same_function": False, "exact": False, "support_recall": None}
    match = planted.match_networks(found, truth)
    return {
        "weight_error": match.weight_error,
        "same_function": bool(match.same_function),
        "exact": bool(match.exact),
        "support_recall": match.support_recall,
    }


def _nonzeros(network: Any, n_outputs: int) -> int:
    """Return the non-zero weights of the layers that are planted; for one output its weights are not among them."""
    layers = network.layers if n_outputs > 1 else network.layers[:-1]
    return sum(int(network.namespace.count_nonzero(layer)) for layer in layers)


COLOUR_RANGE_DB = (-20.0, 50.0)
"""The paper's."""
DEVIATION_RANGE_DB = (0.0, 30.0)

TIE_DB = 1.0
"""Fits of two methods that are this close are level."""
UNTRAINED = (
    "So few updates hardly train it: at preset quick of Figure 1, with 15 updates, every result is within 0.5 dB of "
    "the zero network, so that being above it says little"
)
"""About IMP as in the paper, measured on the grid of preset ``quick``; see ``docs/figures_planted.md``."""
PAPER = (50_000, 100)
"""The paper's n and d."""
MATCH_NOTE = (
    "Same function: the fitted network computes what the planted one does, for every input, to a relative error of "
    "1e-6. This is decided by their kink forms. A network of ReLUs is linear except at its kinks, the hyperplanes "
    "where a neuron switches on or off; the positions and strengths of the kinks and the linear part determine its "
    "function. Same network: each neuron has the weights of a planted one up to a positive factor, zeros included. "
    "Two networks can have the same function and differ, if the budget allows weights that the data do not need. For "
    "two hidden layers neither is decided, only whether the fit is exact."
)

EXTRAS = {
    "psnr_db": "PSNR (dB, median)",
    "test_psnr_db": "test PSNR (dB, median)",
    "same_function": "same function (share)",
    "exact": "same network (share)",
    "support_recall": "support recall",
    "nonzeros": "non-zeros found",
    "n_iter": "steps",
}

Depths = dict[int, dict[str, dict[tuple[int, int], dict[int, float]]]]
"""Depth -> method -> (m, s) -> seed -> PSNR in dB."""
Points = dict[str, dict[tuple[int, int], float]]


def data_in_words(size: PlantedPreset) -> str:
    """Return which data a preset uses, and of what size."""
    outputs = f", {size.n_outputs} outputs" if size.n_outputs > 1 else ""
    paper = "the paper's size" if (size.n, size.d) == PAPER else "the paper: n = {:,}, d = {}".format(*PAPER)
    seeds = f"{size.seeds} seed{'s' if size.seeds > 1 else ''}"
    return f"planted networks, n = {size.n:,}, d = {size.d}{outputs}, {seeds} ({paper})"


def summarise_figure(
    size: PlantedPreset,
    seed: int,
    records: Sequence[Record],
    claims: Callable[[Depths, str], Sequence[Claim]],
) -> dict[str, Any]:
    """Return the summary of Figure 1 or 2: median PSNR of both depths, and how often the planted network was found.

    Parameters
    ----------
    size : PlantedPreset
        The preset.
    seed : int
        First seed.
    records : sequence of Record
        Finished cells.
    claims : callable
        ``claims(trials by depth, data) -> list``: the paper's claims of this figure.

    Returns
    -------
    dict
        As :mod:`paper_repro.experiments.grids` says.
    """
    rows = []
    for grid in size.grids:
        rows.append(_medians(size, records, grid.depth))
        if grid.depth == 1:
            shown = methods_of(1)
            for name, unit in (
                ("same_function", "same function\n(% of the seeds)"),
                ("exact", "same network\n(% of the seeds)"),
            ):
                points = {method: shares_above(statistics(records, name, 1, method), 0.5) for method in shown}
                rows.append(_row(size, records, 1, points, unit, (0.0, 100.0), value=name))
        else:  # no kink form is known there, so only the fit can be exact
            rows.append(_exact_fits(size, records, grid.depth))
    depths = [grid.depth for grid in size.grids]
    summary = _frame(size, seed, rows)
    summary["notes"].append(MATCH_NOTE)
    return {
        **summary,
        "tables": [
            extras_table(
                records, depths, EXTRAS, WITH_EXACT, above=(EXACT_DB, f"exact fits (share above {EXACT_DB:g} dB)")
            )
        ],
        "claims": [claim.as_dict() for claim in claims(trials_by_depth(size, records), data_in_words(size))],
    }


def summarise_companion(size: PlantedPreset, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the summary of Figure 6 or 7: for each depth standard deviations over the seeds, medians, exact fits."""
    rows = []
    for grid in size.grids:
        spread = {
            method: deviations_of(statistics(records, "psnr_db", grid.depth, method))
            for method in methods_of(grid.depth)
        }
        rows.append(_row(size, records, grid.depth, spread, "standard deviation\nof PSNR (dB)", DEVIATION_RANGE_DB))
        rows.append(_medians(size, records, grid.depth))
        rows.append(_exact_fits(size, records, grid.depth))
    summary = _frame(size, seed, rows)
    summary["notes"].append(SPREAD_NOTE)
    return summary


def claims_by_depth(figure: str, claim: str, rule: str, trials: Depths, data: str, margin: float = 0.0) -> list[Claim]:
    """Return a claim about IHT and IMP for each depth, and for all cells of both together.

    Parameters
    ----------
    figure, claim, rule, data : str
        As in :class:`paper_repro.claims.Claim`.
    trials : dict
        depth -> method -> (m, s) -> seed -> PSNR in dB.
    margin : float, default 0
        As in :func:`paper_repro.claims.compare`, in dB.

    Returns
    -------
    list of Claim
        The one about both depths is the last.
    """

    def together(depths: Sequence[int], method: str) -> dict[tuple[int, ...], dict[int, float]]:
        return compared({(depth, *key): seeds for depth in depths for key, seeds in trials[depth][method].items()})

    parts = [(DEPTH_NAMES[depth].capitalize(), [depth]) for depth in trials]
    return [
        against(
            figure,
            f"{name}: {claim}",
            rule,
            functools.partial(together, depths),
            data=data,
            margin=margin,
            tie=TIE_DB,
            exact=EXACT_DB,
        )
        for name, depths in [*parts, ("Both depths", list(trials))]
    ]


def trials_by_depth(size: PlantedPreset, records: Sequence[Record]) -> Depths:
    """Return depth -> method -> (m, s) -> seed -> PSNR in dB."""
    return {
        grid.depth: {method: trials(records, "psnr_db", grid.depth, method) for method in METHODS}
        for grid in size.grids
    }


def _medians(size: PlantedPreset, records: Sequence[Record], depth: int) -> dict[str, Any]:
    shown = methods_of(depth)
    points = {method: medians_of(statistics(records, "psnr_db", depth, method)) for method in shown}
    return _row(size, records, depth, points, "median PSNR (dB)", COLOUR_RANGE_DB)


def _exact_fits(size: PlantedPreset, records: Sequence[Record], depth: int) -> dict[str, Any]:
    shown = methods_of(depth)
    points = {method: shares_above(statistics(records, "psnr_db", depth, method), EXACT_DB) for method in shown}
    unit = f"exact fits, > {EXACT_DB:g} dB\n(% of the seeds)"
    return _row(size, records, depth, points, unit, (0.0, 100.0))


def _row(
    size: PlantedPreset,
    records: Sequence[Record],
    depth: int,
    points: Points,
    unit: str,
    limits: tuple[float, float],
    *,
    value: str = "psnr_db",
    digits: int = 0,
) -> dict[str, Any]:
    (grid,) = [grid for grid in size.grids if grid.depth == depth]
    silent = _silent(records, depth)

    def drawn(m: int, s: int) -> bool:
        return possible(size, depth, m, s) and (m, s) not in silent

    counts = {
        method: {key: len(values) for key, values in statistics(records, value, depth, method).items()}
        for method in points
    }
    return panel_row(
        DEPTH_NAMES[depth],
        unit,
        limits,
        grid,
        points,
        drawn,
        digits=digits,
        counts=counts,
        seeds=size.seeds,
    )


def _silent(records: Sequence[Record], depth: int) -> set[tuple[int, int]]:
    """Return the grid points at which the labels of all planted networks are 0."""
    found: dict[tuple[int, int], bool] = {}
    for record in records:
        settings = record.cell.settings
        if settings["depth"] == depth:
            key = (settings["m"], settings["s"])
            found[key] = found.get(key, True) and record.metrics["status"] == "ZERO_DATA"
    return {key for key, silent in found.items() if silent}


def _frame(size: PlantedPreset, seed: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    batches = f" on batches of {size.batch_size:,}" if size.batch_size else ""
    outputs = f", {size.n_outputs} outputs" if size.n_outputs > 1 else ""
    steps = f"{size.epochs} epochs{batches}" if size.batch_size else f"{size.epochs} steps on all samples"
    updates = "" if size.imp_updates is None else f", fair IMP {size.imp_updates:,} updates per round"
    seeds = f"seed{'s' if size.seeds > 1 else ''} " + ", ".join(str(seed + trial) for trial in range(size.seeds))
    return {
        "subtitle": f"n = {size.n:,} samples, d = {size.d} Gaussian inputs{outputs}, {seeds}\n{steps}{updates}",
        "grey": "no such network, or all labels 0",
        "rows": rows,
        "table": values_table(rows),
        "meanings": meanings(
            WITH_EXACT,
            steps=size.n_iter,
            imp_updates=size.imp_updates,
            remark=UNTRAINED if size.n_iter < 100 else "",
        ),
        "notes": [
            f"PSNR in dB on the samples that were fitted, at most {PSNR_CAP_DB:.0f} dB, median over the seeds. Below "
            f"{DIVERGED_DB:.0f} dB a fit has diverged. If the median fit of a cell (or one of the two in the middle) "
            "has diverged, the cell is hatched in the figure, and its median is -inf in the table. If any fit has, the "
            f"standard deviation is inf. Above {EXACT_DB:.0f} dB a fit is exact: down to the rounding of the labels. "
            "The paper shows means; where some fits are exact, means say little and depend on the last bits of the "
            "processor's arithmetic. Planted networks with "
            'labels that are all 0 are left out: "1 of 3" means that only one of three seeds counts.'
        ],
    }


@dataclass(frozen=True)
class Fig1Cell(PlantedCell):
    """One fit of a planted network with scalar output."""


@dataclass(frozen=True)
class Fig2Cell(PlantedCell):
    """One fit of a planted network with several outputs."""


def grids(m: tuple[int, ...], s: tuple[int, ...], deep_m: tuple[int, ...], deep_s: tuple[int, ...]) -> tuple[Grid, ...]:
    """Return the grids of one and of two hidden layers."""
    return Grid(1, m, s), Grid(2, deep_m, deep_s)


PAPER_GRIDS = grids(series_125(1, 1000), series_125(1, 1000), series_125(2, 1000), series_125(10, 1000))
CPU_GRIDS = grids(series_125(1, 200), series_125(1, 500), series_125(2, 200), series_125(10, 500))

_SCALAR = {
    "smoke": PlantedPreset(grids((1, 5), (2, 20), (2, 5), (10, 20)), seeds=1, n=500, d=20, epochs=15, imp_updates=30),
    "quick": PlantedPreset(
        grids((1, 2, 5, 20, 50), (1, 10, 50, 200), (2, 10, 20), (10, 50, 200)),
        seeds=3,
        n=5_000,
        d=50,
        epochs=15,
        imp_updates=400,
    ),
    "cpu": PlantedPreset(CPU_GRIDS, seeds=3, n=20_000, d=100, epochs=15, imp_updates=1_000),
    "paper": PlantedPreset(PAPER_GRIDS, seeds=3, n=50_000, d=100, epochs=15, imp_updates=1_000),
}

_VECTOR = {
    "smoke": PlantedPreset(
        grids((2, 5), (10, 20), (2, 5), (10, 20)),
        seeds=1,
        n=400,
        d=20,
        epochs=10,
        batch_size=200,
        n_outputs=3,
        imp_updates=20,
    ),
    "quick": PlantedPreset(
        grids((2, 5, 20), (10, 50, 200), (5, 10), (50, 100, 200)),
        seeds=2,
        n=2_000,
        d=30,
        epochs=100,
        batch_size=200,
        n_outputs=10,
        imp_updates=400,
    ),
    # batches of a tenth of the samples, as in the paper: the step of the paper's method is fixed, so steps count
    "cpu": PlantedPreset(
        CPU_GRIDS, seeds=3, n=20_000, d=100, epochs=100, batch_size=2_000, n_outputs=10, imp_updates=1_000
    ),
    "paper": PlantedPreset(
        PAPER_GRIDS, seeds=3, n=50_000, d=100, epochs=100, batch_size=5_000, n_outputs=10, imp_updates=1_000
    ),
}

MARGIN_DB = 3.0
"""IHT counts as competitive if it is at most this much below IMP."""


def above_claims(trials: Depths, data: str) -> list[Claim]:
    """Return the claim "IHT above IMP for most (m, s)", for each depth and for both together."""
    rule = (
        "both methods fit the same planted networks, one for each (m, s) and seed. IHT as in the paper must have the "
        f"higher PSNR in more than half of these pairs of fits. A pair within {TIE_DB:g} dB, or of two exact fits, "
        "counts half"
    )
    return claims_by_depth("Figure 1", "IHT is above IMP for most (m, s).", rule, trials, data)


def competitive_claims(trials: Depths, data: str) -> list[Claim]:
    """Return the claim "IHT is competitive with IMP", for each depth and for both together."""
    rule = (
        "both methods fit the same planted networks, one for each (m, s) and seed. IHT as in the paper must have a "
        f"PSNR above that of IMP minus {MARGIN_DB:.0f} dB in more than half of these pairs of fits. A pair within "
        f"{TIE_DB:g} dB of that limit counts half; two exact fits have equal PSNR"
    )
    return claims_by_depth("Figure 2", "IHT is competitive with IMP.", rule, trials, data, -MARGIN_DB)


def _figure(
    settings: type[PlantedCell],
    presets: Mapping[str, PlantedPreset],
    claims: Callable[[Depths, str], Sequence[Claim]],
    **described: Any,
) -> Experiment:
    return Experiment(
        **described,
        module=__name__,
        settings=settings,
        presets=presets,
        cells=lambda preset, seed: cells_of(presets[preset], seed, settings),
        cost=cost,
        compute=compute,
        summarise=lambda preset, seed, records: summarise_figure(presets[preset], seed, records, claims),
        compute_many=compute_many,
        batch_key=batch_key,
        data=lambda preset: data_in_words(presets[preset]),
        layout="figures.panels",
    )


_FULL_SIZE = "n = 50,000, d = 100, m and s up to 1,000"
FIG1 = _figure(
    Fig1Cell,
    _SCALAR,
    above_claims,
    name="fig1",
    version=3,
    title="Planted ReLU networks, scalar output: PSNR of the fit",
    origin="Figure 1 of arXiv:2509.20323",
    full_size=_FULL_SIZE,
    shows="PSNR of the fit of planted networks with a scalar output, over width m and sparsity s",
    place=110,
)
FIG2 = _figure(
    Fig2Cell,
    _VECTOR,
    competitive_claims,
    name="fig2",
    version=3,
    title="Planted ReLU networks, vector output: PSNR of the fit",
    origin="Figure 2 of arXiv:2509.20323",
    full_size=_FULL_SIZE,
    shows="the same for planted networks with 10 outputs",
    place=120,
)
FIG6 = FIG1.companion(
    "fig6",
    "Planted ReLU networks, scalar output: spread of the PSNR over the seeds",
    lambda preset, seed, records: summarise_companion(_SCALAR[preset], seed, records),
    layout="figures.panels",
    origin="Figure 6 of arXiv:2509.20323",
    shows="standard deviations over the seeds of `fig1`, above its medians and shares of exact fits",
    place=210,
)
FIG7 = FIG2.companion(
    "fig7",
    "Planted ReLU networks, vector output: spread of the PSNR over the seeds",
    lambda preset, seed, records: summarise_companion(_VECTOR[preset], seed, records),
    layout="figures.panels",
    origin="Figure 7 of arXiv:2509.20323",
    shows="the same for `fig2`",
    place=220,
)
EXPERIMENTS = (FIG1, FIG2, FIG6, FIG7)
