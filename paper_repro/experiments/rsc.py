"""Restricted strong convexity on the planted support, in the setting of the paper's planted networks.

This measures the ratio beta / alpha of the extreme eigenvalues of the Gram matrix of the planted columns: those columns
of A = [D_1 X, ..., D_m X], with the gates of the planted network and unit norm, that carry planted weights. The
condition of Jain, Tewari and Kar, on which the recovery theorem for ReLU networks rests, requires s~ >= 32 (beta /
alpha)^2 s, where beta and alpha refer to ALL supports of a larger order. By interlacing, their ratio is at least the
one measured here, so the values shown are lower bounds on the requirement. They are compared with d m, the total number
of hidden weights at the planted width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import planted
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import series_125
from paper_repro.experiments.lottery import SOURCE
from paper_repro.store import Record
from planted.base import arrays
from recovery import GatedOperator

__all__ = ["EXPERIMENTS", "RscCell", "RscPreset", "asked_for", "planted_spectrum", "summarise_ratios"]


def asked_for(ratio: float, s: int) -> float:
    """Return 32 (beta / alpha)^2 s, the sparsity on which iterative hard thresholding would have to project.

    Parameters
    ----------
    ratio : float
        beta / alpha.
    s : int
        Planted non-zeros.

    Returns
    -------
    float
        A number of weights.

    References
    ----------
    Jain, Tewari and Kar, "On iterative hard thresholding methods for high-dimensional M-estimation", NIPS 2014 (the
    constant from memory of the literature).
    """
    return 32.0 * ratio**2 * s


def summarise_ratios(
    widths: Sequence[int], sparsities: Sequence[int], n: int, d: int, records: Sequence[Record]
) -> dict[str, Any]:
    """Return curves over s, a curve a width, and the table.

    Parameters
    ----------
    widths, sparsities : sequence of int
        m and s.
    n, d : int
        Samples and inputs.
    records : sequence of Record
        Finished cells.

    Returns
    -------
    dict
        The experiment's summary.
    """
    found: dict[tuple[int, int], list[float]] = {}
    for record in records:
        settings, metrics = record.cell.settings, record.metrics
        ratio = metrics["beta"] / metrics["alpha"] if metrics["alpha"] > 0 else math.inf
        found.setdefault((settings["m"], settings["s"]), []).append(ratio)
    curves = []
    for m in widths:
        points = [(s, found[m, s]) for s in sparsities if (m, s) in found]
        curves.append(
            {
                "m": m,
                "s": [s for s, _ in points],
                "median": [_median(ratios) for _, ratios in points],
                "low": [_finite(min(ratios)) for _, ratios in points],
                "high": [_finite(max(ratios)) for _, ratios in points],
                "dependent": [sum(math.isinf(ratio) for ratio in ratios) for _, ratios in points],
                "asked": [_share(_median(ratios), s, m * d) for s, ratios in points],
                "asked_low": [_share(min(ratios), s, m * d) for s, ratios in points],
                "asked_high": [_share(max(ratios), s, m * d) for s, ratios in points],
            }
        )
    seeds = max(map(len, found.values()), default=0)
    least = min((asked_for(ratio, s) / (m * d) for (m, s), ratios in found.items() for ratio in ratios), default=None)
    return {
        "subtitle": f"n = {n:,}, d = {d}, gates of the planted network, unit columns\n{seeds} seeds: median and "
        "range; arrow: infinite for some (two neurons share a column), no dot: for most",
        "d": d,
        "curves": curves,
        "least": least,
        "notes": [
            SOURCE + " Networks, inputs and seeds are those of the paper's planted experiments.",
            "beta / alpha is that of the planted support only. The theorem needs it over all supports of an order "
            "above s, where by interlacing it is no smaller: the theorem requires at least 32 (beta/alpha)^2 s "
            "weights.",
            f"In the mildest network shown this minimum is {least:.3g} times all d m hidden weights."
            if least is not None
            else "",
            "Dependent: seeds on which planted columns coincide (two neurons with the same single weight); their ratio "
            "is infinite.",
        ],
        "table": _table(found, d),
    }


def _table(found: dict[tuple[int, int], list[float]], d: int) -> dict[str, Any]:
    columns = ["m", "s", "seeds", "dependent", "beta/alpha: median", "smallest", "largest"]
    columns += ["32 (beta/alpha)^2 s: median", "d m", "required / (d m): median"]
    rows = []
    for (m, s), ratios in sorted(found.items()):
        middle = _middle(ratios)
        dependent = sum(math.isinf(ratio) for ratio in ratios)
        asked = asked_for(middle, s)
        row: list[Any] = [m, s, len(ratios), dependent, middle, min(ratios), max(ratios)]
        rows.append([*row, asked, d * m, asked / (d * m)])
    return {"columns": columns, "rows": rows}


def _middle(ratios: Sequence[float]) -> float:
    """Return the median of values that may be infinite."""
    ordered = sorted(ratios)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _median(ratios: Sequence[float]) -> float | None:
    return _finite(_middle(ratios))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _share(ratio: float | None, s: int, weights: int) -> float | None:
    return None if ratio is None or math.isinf(ratio) else asked_for(ratio, s) / weights


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
    """A grid of widths and sparsities, with a number of seeds per point."""

    m: tuple[int, ...]
    s: tuple[int, ...]
    seeds: int
    n: int = 50_000
    d: int = 100


PRESETS = {
    "smoke": RscPreset((1, 2, 5), (5, 10, 20), seeds=2, n=500, d=20),
    "quick": RscPreset((1, 2, 5, 10, 100), (20, 50, 100, 500), seeds=5),
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


EXPERIMENTS = (
    Experiment(
        name="rsc",
        version=1,
        title="Our experiment: restricted strong convexity on the planted support, and a theorem's requirement",
        module=__name__,
        settings=RscCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.rsc",
        shows="condition number of the planted columns at the paper's size, and how many weights a theorem would keep",
        place=430,
    ),
)
