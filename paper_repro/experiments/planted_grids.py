"""Cells of Figures 1 and 2: networks that are planted in random inputs and found again, by four methods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from paper_repro.experiments.grids import METHODS, Grid

__all__ = ["PlantedCell", "PlantedPreset", "cells_of", "cost", "possible", "weights"]


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
