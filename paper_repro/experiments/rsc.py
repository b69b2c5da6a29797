"""Restricted strong convexity on the planted support, in the setting of the paper's planted networks.

Of A = [D_1 X, ..., D_m X] with the gates of the planted network and unit columns, the columns that carry the planted
weights: the ratio beta / alpha of the extreme eigenvalues of their Gram matrix. Jain, Tewari and Kar's condition, which
the recovery theorem for ReLU networks rests on, asks for s~ >= 32 (beta / alpha)^2 s where beta and alpha belong to ALL
supports of a larger order; by interlacing their ratio is at least the one measured here, so that what is shown is the
least that the condition can ask for. It is set against d m, the number of all hidden weights of the planted width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import series_125
from paper_repro.experiments.rsc_summary import summarise_ratios
from paper_repro.store import Record
from planted.base import arrays
from recovery import GatedOperator

__all__ = ["EXPERIMENT", "RscCell", "RscPreset", "planted_spectrum"]


@dataclass(frozen=True)
class RscCell:
    """One planted network, drawn as the paper's code draws it."""

    m: int
    s: int
    seed: int
    n: int = 50_000
    d: int = 100
    dtype: str = "float64"


@dataclass(frozen=True)
class RscPreset:
    """A grid of widths and sparsities, with so many seeds a point."""

    m: tuple[int, ...]
    s: tuple[int, ...]
    seeds: int
    n: int = 50_000
    d: int = 100


PRESETS = {
    "smoke": RscPreset((1, 2, 5), (5, 10, 20), seeds=2, n=500, d=20),
    "quick": RscPreset((1, 2, 5, 10, 20, 50, 100), (20, 50, 100, 200, 500), seeds=5),
    "cpu": RscPreset(series_125(1, 500), series_125(10, 1000), seeds=20),
    "paper": RscPreset(series_125(1, 1000), series_125(10, 1000), seeds=50),
}


def cells(preset: str, seed: int) -> list[RscCell]:
    """Return the cells of a preset: every network with at most d m non-zeros, for every seed."""
    grid = PRESETS[preset]
    return [
        RscCell(m, s, seed + trial, grid.n, grid.d)
        for m in grid.m
        for s in grid.s
        if s <= m * grid.d
        for trial in range(grid.seeds)
    ]


def cost(cell: RscCell) -> float:
    """Return what a cell costs: the inputs, the gates, and the Gram matrix."""
    return cell.n * (10.0 * cell.d + cell.d * min(cell.m, cell.s) / 5 + cell.s**2)


def planted_spectrum(X: Any, hidden: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of the Gram matrix of the planted columns, scaled to unit norm.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    hidden : numpy.ndarray, shape (d, m)
        Hidden weights; neuron j has the gates 1{X u_j > 0}, and its columns are those of its non-zero weights.

    Returns
    -------
    numpy.ndarray, shape (s,)
        Ascending, computed in float64 on the CPU from a Gram matrix summed over blocks of rows on the device of X.
    """
    hidden = hidden[:, (hidden != 0).any(axis=0)]
    feature, gate = np.nonzero(hidden)
    operator = GatedOperator.from_generators(X, arrays.from_numpy_like(hidden, X), strict=True)
    index = arrays.from_numpy_like(gate * hidden.shape[0] + feature, X, dtype=np.int64)
    gram = arrays.to_numpy(operator.gram(index)).astype(np.float64)
    norms = np.sqrt(np.diag(gram))
    return np.linalg.eigvalsh(gram / norms / norms[:, None])


def compute(cell: RscCell, device: str) -> Outcome:
    """Compute the extreme eigenvalues on the planted support.

    Parameters
    ----------
    cell : RscCell
        The settings.
    device : {"cpu", "gpu"}
        Where gates and Gram matrix are computed; the network and its inputs are drawn on the CPU, the spectrum is
        computed there.

    Returns
    -------
    metrics : dict
        ``alpha`` and ``beta``, the smallest and the largest eigenvalue, and ``s``, the non-zeros that were planted.
        An alpha below (n + 8 s) eps s, the most that rounding can make of 0, is stored as 0: dependent columns.
    arrays : dict
        ``spectrum``, ascending, shape (s,).
    """
    X, _, network = planted.release_instance(cell.m, cell.s, cell.seed, n=cell.n, d=cell.d, dtype=cell.dtype)
    hidden = network.hidden
    spectrum = planted_spectrum(arrays.asarray(X, device), hidden)
    s = int(np.count_nonzero(hidden))
    noise = (cell.n + 8 * s) * float(np.finfo(np.float64).eps) * s
    alpha = float(spectrum[0]) if spectrum[0] > noise else 0.0
    return {"alpha": alpha, "beta": float(spectrum[-1]), "s": s}, {"spectrum": spectrum}


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    grid = PRESETS[preset]
    return summarise_ratios(grid.m, grid.s, grid.n, grid.d, records)


EXPERIMENT = Experiment(
    name="rsc",
    version=1,
    title="Our experiment: restricted strong convexity on the planted support, and what a theorem makes of it",
    module=__name__,
    settings=RscCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
