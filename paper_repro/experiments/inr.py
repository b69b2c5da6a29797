"""Implicit neural representations, figures 4 and 5: a network whose inputs are a pixel's place, its output the pixel.

As in the paper's release the inputs are Fourier features of the integer row and column (and colour plane) of a pixel,
the frequencies are drawn anew for each seed, all pixels are one batch, and the PSNR takes 1, the largest value that a
pixel can have, as its peak. All methods of a seed see the same features.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from paper_repro.experiment import Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.grids import METHODS, Grid, fits
from planted.base import arrays
from recovery.mlp.losses import psnr_of

__all__ = ["SIGMAS", "INRCell", "INRPreset", "cells_of", "compute", "cost", "possible"]

SIGMAS = {"grey": (2.0, 2.0), "colour": (5.0, 5.0, 0.05)}
"""Standard deviation of the frequencies along rows, columns and colour planes, in the paper's release."""
SHAPES = {"grey": (28, 28), "colour": (32, 32, 3)}
PEAK, HALF_STEP = 1.0, 0.5 / 255
"""Largest value of a pixel, and half of the step between two values of a file."""
DTYPES = {"released": "float64", "repaired": "float64", "imp-paper": "float32", "imp-fair": "float32"}
"""As in the release: IHT on CuPy's float64, pruning in PyTorch's float32."""


@dataclass(frozen=True)
class INRCell:
    """Fits of one image: one of IHT, or those of one pass of pruning, a fit for each number in `s`."""

    m: int
    s: tuple[int, ...]
    seed: int
    method: str
    depth: int
    data: str
    block: int
    n_features: int
    n_iter: int
    imp_updates: int | None
    imp_fine_tune: int | None
    dtype: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "s", tuple(self.s))  # a list where it comes from JSON


@dataclass(frozen=True)
class INRPreset:
    """Grids, the network (m, s) whose images are shown, and the size of the problem.

    A smaller problem averages squares of `block` x `block` pixels and takes fewer features in the same proportion: what
    matters is whether there are more features than samples, as in figure 4, or fewer, as in figure 5.
    """

    grids: tuple[Grid, ...]
    seeds: int
    shown: tuple[int, int]
    block: int = 1
    n_features: int = 1500
    n_iter: int = 100
    imp_updates: int | None = None
    imp_fine_tune: int | None = None


def possible(n_features: int, depth: int, m: int, s: int) -> bool:
    """Return whether a network of this size has `s` hidden weights."""
    return s <= n_features * m + (depth - 1) * m * m


def cells_of(preset: INRPreset, data: str, seed: int) -> list[INRCell]:
    """Return the cells of a preset; a pass of pruning serves all sparsities of a width."""
    made = []
    for grid in preset.grids:
        for method in METHODS:
            for m in grid.m:
                able = tuple(s for s in grid.s if possible(preset.n_features, grid.depth, m, s))
                groups = [able] if method.startswith("imp-") else [(s,) for s in able]
                made += [
                    INRCell(
                        m,
                        group,
                        seed + trial,
                        method,
                        grid.depth,
                        data,
                        preset.block,
                        preset.n_features,
                        preset.n_iter,
                        *((preset.imp_updates, preset.imp_fine_tune) if method == "imp-fair" else (None, None)),
                        DTYPES[method],
                    )
                    for group in groups
                    if group
                    for trial in range(preset.seeds)
                ]
    return made


def cost(cell: INRCell) -> float:
    """Return what a cell costs: products of all rows with all weights, forwards and backwards."""
    n = math.prod(SHAPES[kind_of(cell.data)]) / cell.block**2
    weights = cell.m * (cell.n_features + (cell.depth - 1) * cell.m)
    if cell.method.startswith("imp-"):
        rounds = 1 + math.log(max(weights / min(cell.s), 1.0)) / math.log(1 / 0.9)
        return 3.0 * rounds * max(cell.n_iter, cell.imp_updates or 0) * n * weights
    if cell.method == "repaired":  # least squares on up to three times s columns, and a joint phase for two layers
        columns = max(cell.s[0], min(3 * cell.s[0], n / 2))
        return cell.n_iter * cell.depth * n * (4.0 * weights + columns**2 / 4)
    return cell.n_iter * n * (2.0 * weights + 20.0 * cell.s[0])


def kind_of(data: str) -> str:
    """Return "grey" or "colour" for a source of images."""
    return next(kind for kind, sources in planted.INR_SOURCES.items() if data in sources)


@functools.lru_cache(maxsize=4)
def image(data: str, block: int) -> planted.INRImage:
    """Return the image that is to be represented, each square of `block` x `block` pixels averaged."""
    whole = planted.inr_image(data)
    rows, columns, *planes = whole.pixels.shape
    squares = whole.pixels.reshape(rows // block, block, columns // block, block, *planes)
    return planted.INRImage(whole.name, squares.mean(axis=(1, 3)))


@functools.lru_cache(maxsize=2)
def _problem(data: str, block: int, n_features: int, seed: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    frequencies = planted.release_frequencies(n_features // 2, SIGMAS[kind_of(data)], seed)
    pixels = image(data, block).pixels
    X = planted.fourier_features(pixels.shape, frequencies=frequencies)
    return X.astype(dtype), pixels.ravel().astype(dtype)


def compute(name: str) -> Callable[[INRCell, str], Outcome]:
    """Return the function that computes a cell of a figure.

    Parameters
    ----------
    name : str
        Of the figure; part of the key of the random numbers.

    Returns
    -------
    callable
        ``(cell, device) -> (metrics, arrays)``. For each sparsity ``psnr_db``, ``clipped`` (share of the outputs
        outside of [0, 1] by more than rounding to a pixel's value explains), ``nonzeros`` (that the budget counts),
        ``n_iter`` and ``status``; the outputs themselves, float32 and unclipped, are the array ``outputs``, shape
        (fits, pixels).
    """

    def computed(cell: INRCell, device: str) -> Outcome:
        X, y = (
            arrays.asarray(part, device)
            for part in _problem(cell.data, cell.block, cell.n_features, cell.seed, cell.dtype)
        )
        found = fits(
            cell.method,
            X,
            y,
            m=cell.m,
            depth=cell.depth,
            sparsities=cell.s,
            n_iter=cell.n_iter,
            imp_updates=cell.imp_updates,
            imp_fine_tune=cell.imp_fine_tune,
            rng=lambda: stream(name, "fit", cell.m, cell.depth, cell.seed),
        )
        rows, outputs = [], []
        for s, fit in zip(cell.s, found, strict=True):
            output = arrays.to_numpy(fit.network(X)).astype(np.float64)
            error = float(np.mean((output - arrays.to_numpy(y)) ** 2))
            rows.append(
                {
                    "s": s,
                    "psnr_db": psnr_of(error, PEAK),
                    "clipped": float(np.mean((output < -HALF_STEP) | (output > PEAK + HALF_STEP))),
                    "nonzeros": _nonzeros(cell, fit.network),
                    "n_iter": fit.n_iter,
                    "status": fit.status.name,
                }
            )
            outputs.append(output.astype(np.float32))
        return {"fits": rows}, {"outputs": np.array(outputs)}

    return computed


def _nonzeros(cell: INRCell, network: Any) -> int:
    """Count what the budget counts: output weights are +-1 and free, but for the paper's pruning."""
    layers = network.layers if cell.method == "imp-paper" else network.layers[:-1]
    return sum(int(np.count_nonzero(arrays.to_numpy(layer))) for layer in layers)
