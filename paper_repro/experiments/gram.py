"""The limit of A'A / n for a ReLU operator, which is not the identity: no isometry constant decreases with n.

Two parts. ``entries``: the expectation of x x' on the rows where two gates are open, at one angle, from a sample.
``operator``: unit-norm operators with n rows, with ReLU gates drawn once, or a dense Gaussian matrix of the same size;
their coherence and restricted isometry constants by enumeration, the condition number of one fixed support, the
distance of A'A from its limit, and how often hard thresholding pursuit finds a planted vector. Limits are exact
(:mod:`recovery.conditions.population`).
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
from paper_repro.experiments.intervals import wilson
from paper_repro.store import Record
from planted.base import arrays
from recovery.conditions.population import population_gram
from recovery.exact.enumeration import extreme_blocks

__all__ = [
    "DIRECTIONS",
    "EXPERIMENTS",
    "IHT_LIMIT",
    "GramCell",
    "GramPreset",
    "closed_form",
    "constants",
    "draw_gates",
    "draw_operator",
    "summarise_cells",
]


DIRECTIONS = ("h, h", "h, g", "outside")
IHT_LIMIT = 1 / math.sqrt(3)
"""The theorems on IHT and HTP require delta_{3s} below this."""
CURVE = 61
QUANTITIES = ("delta_2", "delta_3", "condition", "distance")
DESIGNS = ("relu", "gaussian")


def closed_form(theta: float) -> list[float]:
    """Return h'B h, h'B g and e'B e of the population block B of two unit generators, e outside their plane.

    Parameters
    ----------
    theta : float
        Their angle, rad.

    Returns
    -------
    list of float
        In the order of :data:`DIRECTIONS`.
    """
    H = np.array([[1.0, math.cos(theta)], [0.0, math.sin(theta)], [0.0, 0.0]])
    B = population_gram(H)[:3, 3:]
    return [float(H[:, 0] @ B @ H[:, 0]), float(H[:, 0] @ B @ H[:, 1]), float(B[2, 2])]


def summarise_cells(
    records: Sequence[Record], limits: Sequence[float], rows: Sequence[int], s: int, k: int
) -> dict[str, Any]:
    """Return what the figure shows.

    Parameters
    ----------
    records : sequence of Record
        Finished cells.
    limits : sequence of float
        Population values of delta_2, delta_3 and the condition number, for the ReLU operator.
    rows : sequence of int
        All n of the preset.
    s, k : int
        Size of the support whose condition number is followed, and of the planted vectors.

    Returns
    -------
    dict
        Part of the experiment's summary.
    """
    angles = np.linspace(0.0, math.pi, CURVE)
    curves = np.array([closed_form(theta) for theta in angles]).T
    points = [
        {"theta": record.cell.settings["theta"], **{name: record.metrics[name] for name in DIRECTIONS}}
        for record in records
        if record.cell.settings["part"] == "entries"
    ]
    points.sort(key=lambda point: point["theta"])
    deviations = [
        abs(point[name][0] - wanted) / point[name][1]
        for point in points
        for name, wanted in zip(DIRECTIONS, closed_form(point["theta"]), strict=True)
        if point[name][1] > 0
    ]
    series, table = {}, []
    for design in DESIGNS:
        series[design] = [_spread(_of(records, design, n)) for n in rows]
        for n, values in zip(rows, series[design], strict=True):
            found = _of(records, design, n)
            hits = [sum(record.metrics[name] for record in found) for name in ("recovered", "trials")]
            spreads = [_text(values[name]) if values else None for name in QUANTITIES]
            share = None if not values else f"{hits[0]} of {hits[1]} ({_interval(hits[0], hits[1])})"
            table.append(["ReLU" if design == "relu" else "dense Gaussian", n, *spreads, share])
    limit = dict(zip(QUANTITIES, [*limits, 0.0], strict=True))
    table.append(["ReLU, limit", "∞", *(f"{limit[name]:.4f}" for name in QUANTITIES), None])
    table.append(["dense Gaussian, limit", "∞", "0", "0", "1", "0", None])
    return {
        "angles": angles.tolist(),
        "curves": dict(zip(DIRECTIONS, curves.tolist(), strict=True)),
        "points": points,
        "rows": list(rows),
        "series": series,
        "limits": limit,
        "iht_limit": IHT_LIMIT,
        "support": s,
        "planted": k,
        "recovered": {design: _recovered(records, design) for design in DESIGNS},
        "notes": _notes(deviations, limit, records, s, k),
        "table": {
            "columns": [
                "operator",
                "n",
                "δ2 (= coherence)",
                "δ3",
                f"condition number of one support of {s}",
                "max |A'A - limit|",
                f"HTP finds a planted vector of {k} (95 % interval)",
            ],
            "rows": table,
        },
    }


def _of(records: Sequence[Record], design: str, n: int) -> list[Record]:
    wanted = ("operator", design, n)
    return [r for r in records if tuple(r.cell.settings[name] for name in ("part", "design", "n")) == wanted]


def _spread(found: Sequence[Record]) -> dict[str, list[float]] | None:
    """Return the 10 %, 50 % and 90 % quantiles of each quantity over all trials."""
    if not found:
        return None
    delta = np.concatenate([record.arrays["delta"] for record in found])
    values = {
        "delta_2": delta[:, 0],
        "delta_3": delta[:, 1],
        **{name: np.concatenate([record.arrays[name] for record in found]) for name in ("condition", "distance")},
    }
    return {name: np.quantile(values[name], (0.1, 0.5, 0.9)).tolist() for name in QUANTITIES}


def _text(spread: Sequence[float]) -> str:
    return f"{spread[1]:.3g} ({spread[0]:.3g} to {spread[2]:.3g})"


def _interval(hits: int, trials: int) -> str:
    bounds = wilson(hits, trials)
    return "" if bounds is None else f"{bounds[0]:.2f} to {bounds[1]:.2f}"


def _notes(deviations: Sequence[float], limit: Any, records: Sequence[Record], s: int, k: int) -> list[str]:
    notes = [
        "δ2 and δ3 are the isometry constants of the best multiple of A, by enumeration of all supports; markers are "
        "medians over trials, bars reach from the 10 % to the 90 % quantile. Gates and the support are the same in all "
        f"trials; the limits are exact. The support has {s} columns."
    ]
    if deviations:
        notes.append(
            f"{len(deviations)} sampled entries: the largest deviation from the closed form is {max(deviations):.1f} "
            "standard errors."
        )
    if limit["delta_2"] >= IHT_LIMIT:
        notes.append(
            f"In the limit δ2 = {limit['delta_2']:.3f}, above 1/√3 = .577: because δ3s >= δ2, more data will never "
            "make the theorems on IHT and HTP apply, for any s."
        )
    elif limit["delta_2"] >= 1 / 3:
        notes.append(
            f"In the limit δ2 = {limit['delta_2']:.3f}, above 1/3: κ2 is above 2, and GraDeS's condition κ2s < 2 fails."
        )
    hits, trials = _recovered(records, "relu")
    if trials:
        notes.append(
            f"On the ReLU operator HTP finds {hits} of {trials} planted vectors with {k} non-zeros, over all n."
        )
    return notes


def _recovered(records: Sequence[Record], design: str) -> list[int]:
    """Return how many planted vectors were found, and of how many, over all numbers of rows."""
    found = [r for r in records if (r.cell.settings["part"], r.cell.settings["design"]) == ("operator", design)]
    return [sum(record.metrics[name] for record in found) for name in ("recovered", "trials")]


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
    """Return the generators and the support, which are the same for all numbers of rows.

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


EXPERIMENTS = (
    Experiment(
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
        layout="figures.gram",
        shows="why a ReLU network's sensing matrix never becomes an isometry: the limit of A'A, "
        "isometry constants "
        "over n",
        place=450,
    ),
)
