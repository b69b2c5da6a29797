"""What A'A / n tends to for a ReLU operator, and that this is not the identity: no isometry constant falls with n.

Two parts. ``entries``: the expectation of x x' on the rows where two gates are open, at one angle, from a sample.
``operator``: unit-norm operators with n rows, ReLU gates that are drawn once or a dense Gaussian matrix of the same
size; their coherence and restricted isometry constants by enumeration, the condition number of one support that stays
the same, the distance of A'A from its limit, and how often hard thresholding pursuit finds a planted vector. Limits are
exact (:mod:`recovery.conditions.population`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import recovery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.gram_summary import DIRECTIONS, summarise_cells
from paper_repro.store import Record
from planted.base import arrays
from recovery.conditions.population import population_gram
from recovery.exact.enumeration import extreme_blocks

__all__ = ["EXPERIMENT", "GramCell", "GramPreset", "constants", "draw_gates", "draw_operator"]


@dataclass(frozen=True)
class GramCell:
    """One angle of the part ``entries``, or one design and number of rows of the part ``operator``."""

    part: str
    design: str
    theta: float
    n: int
    seed: int
    gates: int
    d: int
    p: int
    s: int
    k: int
    trials: int
    dtype: str = "float64"


@dataclass(frozen=True)
class GramPreset:
    """Samples an angle, angles, rows, trials, and the operator's size."""

    samples: int
    angles: int
    rows: tuple[int, ...]
    trials: int
    chunks: int = 1
    d: int = 8
    p: int = 5
    s: int = 10
    k: int = 4


PRESETS = {
    "smoke": GramPreset(samples=2_000, angles=4, rows=(50, 200), trials=2, d=4, p=3, s=4, k=2),
    "quick": GramPreset(samples=10_000, angles=13, rows=(100, 300, 1000, 3000, 10_000), trials=20),
    "cpu": GramPreset(samples=40_000, angles=17, rows=(100, 300, 1000, 3000, 10_000, 30_000, 100_000), trials=50),
    "paper": GramPreset(
        samples=40_000, angles=17, rows=(100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000), trials=50, chunks=4
    ),
}


def cells(preset: str, seed: int) -> list[GramCell]:
    """Return the cells of a preset."""
    size = PRESETS[preset]
    more: dict[str, Any] = {"gates": seed, "d": size.d, "p": size.p, "s": size.s, "k": size.k}
    angles = np.linspace(0.0, math.pi, size.angles + 2)[1:-1].tolist()
    found = [GramCell("entries", "relu", round(theta, 6), size.samples, seed, trials=1, **more) for theta in angles]
    found += [
        GramCell("operator", design, 0.0, n, seed + chunk, trials=size.trials, **more)
        for design in ("relu", "gaussian")
        for n in size.rows
        for chunk in range(size.chunks)
    ]
    return found


def cost(cell: GramCell) -> float:
    """Return what a cell costs: products of columns, and enumeration."""
    size = cell.d * cell.p
    return cell.trials * (3.0 * cell.n * size**2 + 3e3 * float(size) ** 3) if cell.part == "operator" else 50.0 * cell.n


def draw_gates(cell: GramCell) -> tuple[np.ndarray, np.ndarray]:
    """Return the generators and the support that all numbers of rows share.

    Parameters
    ----------
    cell : GramCell
        The settings.

    Returns
    -------
    H : numpy.ndarray, shape (d, p)
        Standard normal generators.
    support : numpy.ndarray of int64, shape (s,)
        Ascending indices of columns, any of the d p equally likely.
    """
    rng = stream("gram", "gates", cell.d, cell.p, cell.s, cell.gates)
    H = rng.standard_normal((cell.d, cell.p))
    return H, np.sort(rng.choice(cell.d * cell.p, size=cell.s, replace=False))


def draw_operator(cell: GramCell, trial: int, device: str = "cpu") -> Any:
    """Return the operator of a trial, with unit columns.

    Parameters
    ----------
    cell : GramCell
        The settings.
    trial : int
        Number of the trial.
    device : {"cpu", "gpu"}, default "cpu"
        Where it lives.

    Returns
    -------
    Operator, shape (n, d p)
        Gates 1{X h_j >= 0} on standard normal X, or a standard normal matrix.
    """
    rng = stream("gram", cell.design, cell.n, cell.d, cell.p, cell.gates, cell.seed, trial)
    if cell.design == "gaussian":
        raw: Any = arrays.asarray(rng.standard_normal((cell.n, cell.d * cell.p)), device, cell.dtype)
    else:
        X = arrays.asarray(rng.standard_normal((cell.n, cell.d)), device, cell.dtype)
        raw = recovery.GatedOperator.from_generators(X, arrays.asarray(draw_gates(cell)[0], device, cell.dtype))
    return recovery.normalise(raw)[0]


def constants(gram: np.ndarray, support: np.ndarray) -> list[float]:
    """Return delta_2 and delta_3, optimally scaled, and the condition number of one support.

    Parameters
    ----------
    gram : numpy.ndarray, shape (N, N)
        A'A for unit columns.
    support : numpy.ndarray of int64
        Indices.

    Returns
    -------
    list of float
        (largest - smallest) / (largest + smallest) over all supports of size 2 and of size 3, and the ratio of the
        extreme eigenvalues of the block of `support`. For unit columns the first is the coherence.
    """
    found = []
    for s in (2, 3):
        low, _, high, _ = extreme_blocks(gram, s)
        found.append((high - low) / (high + low))
    spectrum = np.linalg.eigvalsh(gram[np.ix_(support, support)])
    return [*found, float(spectrum[-1] / spectrum[0])]


def compute(cell: GramCell, device: str) -> Outcome:
    """Return what a cell measures.

    Parameters
    ----------
    cell : GramCell
        The settings.
    device : {"cpu", "gpu"}
        Where operators and recovery live; enumeration is done on the CPU.

    Returns
    -------
    metrics : dict
        ``entries``: mean and standard error of three entries of the block. ``operator``: number of recovered vectors.
    arrays : dict
        ``operator``: ``delta``, shape (trials, 2); ``condition`` and ``distance``, shape (trials,).
    """
    return _entries(cell) if cell.part == "entries" else _operator(cell, device)


def _entries(cell: GramCell) -> Outcome:
    """Return sample means of h'B h, h'B g and e'B e, e outside the plane of h and g."""
    x = stream("gram", "entries", cell.n, cell.seed, round(cell.theta * 1e6)).standard_normal((cell.n, 3))
    h, g = x[:, 0], math.cos(cell.theta) * x[:, 0] + math.sin(cell.theta) * x[:, 1]
    both = (h >= 0) & (g >= 0)
    products = np.stack([h * h, h * g, x[:, 2] ** 2]) * both
    error = products.std(axis=1) / math.sqrt(cell.n)
    return {name: [float(m), float(e)] for name, m, e in zip(DIRECTIONS, products.mean(axis=1), error, strict=True)}, {}


def _operator(cell: GramCell, device: str) -> Outcome:
    H, support = draw_gates(cell)
    limit = population_gram(H, unit=True) if cell.design == "relu" else np.eye(cell.d * cell.p)
    found, distance, recovered = [], [], 0
    for trial in range(cell.trials):
        A = draw_operator(cell, trial, device)
        gram = arrays.to_numpy(A.gram(A.xp.arange(A.shape[1])))
        found.append(constants(gram, support))
        distance.append(float(np.abs(gram - limit).max()))
        rng = stream("gram", "planted", cell.n, cell.d, cell.p, cell.k, cell.seed, trial)
        w = np.zeros(A.shape[1])
        w[rng.choice(len(w), size=cell.k, replace=False)] = rng.standard_normal(cell.k)
        y = A.matvec(arrays.asarray(w, device, cell.dtype))
        result = recovery.solve(A, y, cell.k, solver="htp")
        recovered += int(np.abs(arrays.to_numpy(result.x) - w).max() <= 1e-8 * np.abs(w).max())
    values = np.array(found)
    outcome = {"delta": values[:, :2], "condition": values[:, 2], "distance": np.array(distance)}
    return {"trials": cell.trials, "recovered": recovered}, outcome


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return curves of the closed form, sampled points, and the constants over n beside their limits."""
    size = PRESETS[preset]
    first = next(cell for cell in cells(preset, seed) if cell.part == "operator")
    H, support = draw_gates(first)
    return {
        "subtitle": "this project's experiment, limit derived here; over n: medians, bars from 10 % to 90 % of the "
        "draws\n"
        f"d = {size.d}, p = {size.p} gates on standard normal X, and a dense Gaussian matrix; "
        f"{size.d * size.p} unit columns each",
        **summarise_cells(records, constants(population_gram(H, unit=True), support), size.rows, size.s, size.k),
    }


EXPERIMENT = Experiment(
    name="gram",
    version=1,
    title="A ReLU operator does not become an isometry as n grows",
    module=__name__,
    settings=GramCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
