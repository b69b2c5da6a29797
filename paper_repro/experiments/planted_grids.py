"""Cells of Figures 1 and 2: networks that are planted in random inputs and found again, by four methods.

A cell is one fit. All methods of a grid point and seed see the same instance, the one of
:func:`planted.release_instance`, and are scored on it (the paper's measure) and on fresh inputs. The released code
draws so few weights into wide networks that some of them connect no input with an output; their labels are all 0,
nothing is fitted, and they count nowhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
import recovery
from paper_repro.experiment import Outcome
from paper_repro.experiments.common import fit_arrays, stream
from paper_repro.experiments.grids import METHODS, Grid, fits
from planted import arrays

__all__ = ["PlantedCell", "PlantedPreset", "cells_of", "compute", "cost", "possible", "weights"]


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
        One a depth.
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
            # a fair IMP chooses its own batches, and the other methods have no updates of their own
            batch_size=size.batch_size if method != "imp-fair" else None,
            imp_updates=size.imp_updates if method == "imp-fair" else None,
        )
        for grid in size.grids
        for method in METHODS
        for m in grid.m
        for s in grid.s
        for trial in range(size.seeds)
        if possible(size, grid.depth, m, s)
    ]


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
        layer how far the network is from the planted one: ``weight_error``, ``exact``, ``support_recall``. All but the
        last count is None where the labels are all 0.
    arrays : dict
        ``psnr_history_db`` a step, and the network that was found.
    """
    X, y, network = planted.release_instance(
        cell.m,
        cell.s,
        cell.seed,
        n=cell.n,
        d=cell.d,
        n_outputs=cell.n_outputs,
        depth=cell.depth,
        dtype=cell.dtype,
    )
    drawn = _nonzeros(network, cell.n_outputs)
    if not y.any():
        return {**dict.fromkeys(SCORES), "planted_nonzeros": drawn, "status": "ZERO_DATA"}, {}
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
        rng=lambda: stream("planted", "fit", cell.n_outputs, cell.depth, cell.m, cell.s, cell.seed),
    )
    metrics = {
        "psnr_db": float(fit.psnr_db),
        "test_psnr_db": _test_psnr(cell, fit.network, network),
        "nonzeros": _nonzeros(fit.network, cell.n_outputs),
        "planted_nonzeros": drawn,
        "n_iter": int(fit.n_iter),
        "status": fit.status.name,
        **_closeness(cell, fit.network, network),
    }
    history = np.asarray(fit.history.get("psnr_db", []), dtype=float)
    return metrics, {"psnr_history_db": history, **fit_arrays(fit.network)}


SCORES = ("psnr_db", "test_psnr_db", "nonzeros", "n_iter", "weight_error", "exact", "support_recall")


def _test_psnr(cell: PlantedCell, found: Any, truth: Any) -> float | None:
    """Return the PSNR on as many fresh inputs, of labels rounded as the training labels are."""
    X = stream("planted", "test", cell.d, cell.seed).standard_normal((cell.n, cell.d)).astype(np.float32)
    X = X.astype(cell.dtype)
    y = truth(X).astype(np.float32).astype(cell.dtype)
    if not y.any():  # the planted network is 0 on all of them
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # a diverged fit
        outputs = found(arrays.asarray(X, found.device))
        if not bool(found.namespace.isfinite(outputs).all()):
            return -math.inf
    return recovery.psnr(outputs, arrays.asarray(y, found.device))


def _closeness(cell: PlantedCell, found: Any, truth: Any) -> dict[str, Any]:
    """Return how far the kink forms are from each other; nothing of that kind is known for deeper networks."""
    if cell.depth > 1:
        return dict.fromkeys(("weight_error", "exact", "support_recall"))
    match = planted.match_networks(found, truth)
    return {"weight_error": match.weight_error, "exact": bool(match.exact), "support_recall": match.support_recall}


def _nonzeros(network: Any, n_outputs: int) -> int:
    """Return the non-zero weights of the layers that are planted; for one output its weights are not among them."""
    layers = network.layers if n_outputs > 1 else network.layers[:-1]
    return sum(int(network.namespace.count_nonzero(layer)) for layer in layers)


def cost(cell: PlantedCell) -> float:
    """Return about how many seconds a cell takes on one core; the factors were measured on small cells."""
    rows, scalar = cell.batch_size or cell.n, cell.n_outputs == 1
    size = weights(cell.d, cell.m, cell.depth, cell.n_outputs)
    if cell.method.startswith("imp-"):
        fair = cell.method == "imp-fair"
        rounds = 1.0 + math.log(max(1.0, size / cell.s)) / -math.log(0.8 if fair else 0.9)
        updates = rounds * (cell.imp_updates or 400) + 2_000 if fair else rounds * cell.n_iter
        return updates * (6e-5 + 1e-10 * size * (500 if fair else rows))
    step = 1e-3 + rows * (1e-10 * size + (8e-9 if scalar else 1e-9) * cell.s)
    return cell.depth * cell.n_iter * step * (1.0 if cell.method == "released" else 2.0)
