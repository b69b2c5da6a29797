"""Does removing the linear part help? The same planted networks, recovered with raw and with centred gates.

A gate 1{x.h >= 0} is 1/2 + sign(x.h) / 2, so every block D_j X of A = [D_1 X, ..., D_p X] contains half of X itself,
which makes the blocks similar. Centring projects y and the columns of A onto the orthogonal complement of the columns
of X, which leaves the sign part of each block. Every instance is solved both ways, by the same solvers with the same
sparsity, on columns of unit norm, with the same step rules.

The generators are all e_a + e_b and e_a - e_b: one of each pair +-h, in both arms. A planted network has k of these
as neurons, y = sum_j v_j relu(X h_j), so that w has s = 2 k non-zeros.

The criterion for success is the same in both arms. After centring, the linear part is fitted to the residual, b = X^+
(y - A w), and the result is (w, b); the raw arm returns (w, 0), and the truth is (w*, 0). A result counts as correct if
its distance from the truth is at most 1e-4 of |w*|. So the centred arm gets no credit for other weights that fit up to
a linear function.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

import recovery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import wilson
from paper_repro.experiments.lottery import SOURCE, rate_text
from paper_repro.store import Record
from planted.base import arrays

__all__ = [
    "ARMS",
    "EXPERIMENTS",
    "LABELS",
    "SIGNS",
    "SOLVERS",
    "CentredCell",
    "CentredPreset",
    "draw_problem",
    "pair_generators",
    "paired_test",
    "summarise_arms",
]


LABELS = {"niht": "NIHT", "htp-plain": "HTP, plain", "htp": "HTP, with escapes"}


def paired_test(gained: int, lost: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    Parameters
    ----------
    gained, lost : int
        Instances that only the second arm solved, and instances that only the first one solved.

    Returns
    -------
    float
        Given that the arms differ on ``gained + lost`` instances, ``gained`` is Binomial(gained + lost, 1/2) where
        they are equally good; 1 if they never differ.

    References
    ----------
    McNemar 1947, in its exact form (``scipy.stats.binomtest``).
    """
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue)


def summarise_arms(
    sizes: Sequence[int],
    neurons: Sequence[int],
    d: int,
    signs: Sequence[str],
    solvers: Sequence[str],
    records: Sequence[Record],
) -> dict[str, Any]:
    """Return one panel per solver and number of neurons, and the table.

    Parameters
    ----------
    sizes, neurons : sequence of int
        n and k.
    d : int
        Inputs.
    signs : sequence of str
        Kinds of output weights; the first is drawn with bands.
    solvers : sequence of str
        Names that the records use.
    records : sequence of Record
        Finished cells.

    Returns
    -------
    dict
        The experiment's summary.
    """
    pooled: dict[tuple[str, int, int], dict[str, np.ndarray]] = {}
    for kind in signs:
        for k in neurons:
            for n in sizes:
                parts = [
                    record.arrays
                    for record in records
                    if (record.cell.settings["signs"], record.cell.settings["k"], record.cell.settings["n"])
                    == (kind, k, n)
                ]
                if parts:
                    pooled[kind, k, n] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    points = {(solver, *place): _point(outcomes, solver) for place, outcomes in pooled.items() for solver in solvers}
    panels = [
        {
            "solver": LABELS[solver],
            "k": k,
            "curves": {kind: _curves(points, solver, kind, k, sizes) for kind in signs},
        }
        for solver in solvers
        for k in neurons
    ]
    trials = {kind: sorted({point["trials"] for key, point in points.items() if key[1] == kind}) for kind in signs}
    listed = ", ".join(f"{_range(counts)} {kind}" for kind, counts in trials.items() if counts)
    other = {
        arm: sum(int(outcomes[f"{solver} {arm} other"].sum()) for outcomes in pooled.values() for solver in solvers)
        for arm in ("raw", "centred")
    }
    return {
        "subtitle": f"d = {d}, gates of e_a ± e_b ({d * d * (d - 1)} columns), k neurons, s = 2k; instances per point: "
        f"{listed}\nbands: 95 %; star: the arms differ, McNemar's exact test, p < 0.05 / {len(points)}",
        "n": list(sizes),
        "k": list(neurons),
        "solvers": [LABELS[solver] for solver in solvers],
        "panels": panels,
        "notes": [
            SOURCE + " Brackets and bands: Wilson's 95 % intervals. p: McNemar's exact test of the paired outcomes, "
            f"two-sided; {len(points)} tests, so a star stands for p < 0.05 / {len(points)}.",
            "Both arms look for 2 k weights on columns of unit norm with the same step rules; the result of the "
            "centred arm includes its fitted linear part, which must vanish to the same tolerance.",
            f"Results with other weights that fit all labels: raw {other['raw']}, centred (up to a linear function) "
            f"{other['centred']}. They count as failures.",
            *_pooled_notes(points, signs, solvers),
        ],
        "table": _table(points, pooled),
    }


def _point(outcomes: Mapping[str, np.ndarray], solver: str) -> dict[str, Any]:
    raw, centred = outcomes[f"{solver} raw"], outcomes[f"{solver} centred"]
    gained, lost = int((centred & ~raw).sum()), int((raw & ~centred).sum())
    return {
        "trials": len(raw),
        "raw": _rate(raw),
        "centred": _rate(centred),
        "gained": gained,
        "lost": lost,
        "p": paired_test(gained, lost),
    }


def _rate(outcomes: np.ndarray) -> dict[str, Any]:
    low, high = wilson(int(outcomes.sum()), len(outcomes)) or (None, None)
    return {"rate": float(outcomes.mean()), "low": low, "high": high}


def _curves(
    points: Mapping[tuple[str, str, int, int], dict[str, Any]], solver: str, kind: str, k: int, sizes: Sequence[int]
) -> dict[str, Any]:
    known = [(n, points[solver, kind, k, n]) for n in sizes if (solver, kind, k, n) in points]
    arms = {
        arm: {name: [point[arm][name] for _, point in known] for name in ("rate", "low", "high")}
        for arm in ("raw", "centred")
    }
    return {"n": [n for n, _ in known], **arms, "differs": [point["p"] < 0.05 / len(points) for _, point in known]}


def _pooled_notes(
    points: Mapping[tuple[str, str, int, int], dict[str, Any]], signs: Sequence[str], solvers: Sequence[str]
) -> list[str]:
    """Return how often only one arm was correct, over all points; the paired test is valid when they are pooled."""
    notes = []
    for kind in signs:
        parts = []
        for solver in solvers:
            here = [point for key, point in points.items() if key[:2] == (solver, kind)]
            gained, lost = sum(point["gained"] for point in here), sum(point["lost"] for point in here)
            parts.append(f"{LABELS[solver]} {gained} versus {lost} (p = {paired_test(gained, lost):.1e})")
        notes.append(
            f"Instances that only the centred arm recovers versus only the raw arm, all points, {kind} outputs: "
            f"{'; '.join(parts)}."
        )
    return notes


def _table(
    points: Mapping[tuple[str, str, int, int], dict[str, Any]],
    pooled: Mapping[tuple[str, int, int], Mapping[str, np.ndarray]],
) -> dict[str, Any]:
    columns = ["solver", "outputs", "k", "n", "trials", "raw", "centred", "only centred", "only raw", "p"]
    columns += ["beta/alpha, raw", "beta/alpha, centred"]
    rows = []
    for (solver, kind, k, n), point in points.items():
        ratios = [float(np.median(pooled[kind, k, n][f"ratio {arm}"])) for arm in ("raw", "centred")]
        row = [LABELS[solver], kind, k, n, point["trials"], rate_text(point["raw"]), rate_text(point["centred"])]
        rows.append([*row, point["gained"], point["lost"], f"{point['p']:.1e}", *ratios])
    return {"columns": columns, "rows": rows}


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"


ARMS = ("raw", "centred")
SIGNS = ("positive", "mixed")
SOLVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "niht": ("niht", {"normalise": True, "max_iter": 1000}),
    "htp-plain": ("htp", {"escapes": 0}),
    "htp": ("htp", {}),
}
"""The names that records use -> solver and options. ``htp-plain`` has no escapes: Foucart's method, cycles broken."""

TOLERANCE = 1e-4


@dataclass(frozen=True)
class CentredCell:
    """`trials` networks of k neurons, each recovered in both arms by all solvers."""

    n: int
    k: int
    signs: str
    seed: int
    trials: int
    d: int = 8
    dtype: str = "float64"


@dataclass(frozen=True)
class CentredPreset:
    """Sizes, and how many cells of `trials` networks a point has for each kind of output weights."""

    n: tuple[int, ...]
    k: tuple[int, ...]
    chunks: dict[str, int]
    trials: int
    d: int = 8


PRESETS = {
    "smoke": CentredPreset((60, 120), (1, 2), {"positive": 1, "mixed": 1}, trials=4, d=5),
    "quick": CentredPreset((250, 400, 800), (1, 3), {"positive": 2, "mixed": 1}, trials=40),
    "cpu": CentredPreset((150, 250, 400, 800, 1600), (1, 2, 3, 4), {"positive": 20, "mixed": 20}, trials=50),
    "paper": CentredPreset((150, 250, 400, 800, 1600, 3200), (1, 2, 3, 4, 5), {"positive": 40, "mixed": 40}, trials=50),
}


def cells(preset: str, seed: int) -> list[CentredCell]:
    """Return the cells of a preset; the chunks of a point differ in their seed."""
    grid = PRESETS[preset]
    return [
        CentredCell(n, k, signs, seed + chunk, grid.trials, grid.d)
        for n in grid.n
        for k in grid.k
        for signs in SIGNS
        for chunk in range(grid.chunks[signs])
    ]


def cost(cell: CentredCell) -> float:
    """Return what a cell costs: steps of NIHT, of which a larger k needs more."""
    return cell.trials * cell.n * cell.d**3 * (1.0 + cell.k)


def pair_generators(d: int) -> np.ndarray:
    """Return all e_a + e_b and e_a - e_b with a < b as columns, shape (d, d (d - 1)): no two are h and -h."""
    H = np.zeros((d, d * (d - 1)))
    for pair, (a, b) in enumerate(itertools.combinations(range(d), 2)):
        H[a, 2 * pair : 2 * pair + 2] = 1.0
        H[b, 2 * pair : 2 * pair + 2] = 1.0, -1.0
    return H


def draw_problem(cell: CentredCell, trial: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs X (n, d), all columns A (n, d p), fused weights w (d p,) and labels y = A w (n,) of a trial."""
    rng = stream("centred", "instance", cell.n, cell.d, cell.k, cell.signs, cell.seed, trial)
    H = pair_generators(cell.d)
    X = rng.standard_normal((cell.n, cell.d))
    chosen = rng.choice(H.shape[1], size=cell.k, replace=False)
    outputs = rng.choice([-1.0, 1.0], size=cell.k) if cell.signs == "mixed" else np.ones(cell.k)
    blocks = np.zeros((H.shape[1], cell.d))
    blocks[chosen] = outputs[:, None] * H[:, chosen].T
    gates = X @ H >= 0
    A = (gates[:, :, None] * X[:, None, :]).reshape(cell.n, -1)
    w = blocks.ravel()
    return X, A, w, A @ w


def compute(cell: CentredCell, device: str) -> Outcome:
    """Recover every network in both arms.

    Parameters
    ----------
    cell : CentredCell
        The settings.
    device : {"cpu", "gpu"}
        Where the solvers run; instances are drawn and centred on the CPU.

    Returns
    -------
    metrics : dict
        ``trials``, and under ``"SOLVER ARM"`` how many of them were right.
    arrays : dict
        Under ``"SOLVER ARM"`` the outcome a trial, bool, shape (trials,), and under ``"SOLVER ARM other"`` whether
        other weights fit the labels to 1e-6 of their norm; under ``"ratio ARM"`` the ratio of the extreme eigenvalues
        on the planted columns of unit norm.
    """
    found: dict[str, list[Any]] = {}
    for trial in range(cell.trials):
        X, A, w, y = draw_problem(cell, trial)
        basis, triangle = np.linalg.qr(X)
        problems = {"raw": (A, y), "centred": (A - basis @ (basis.T @ A), y - basis @ (basis.T @ y))}
        planted = np.flatnonzero(w)
        for arm, (columns, labels) in problems.items():
            columns, labels = columns.astype(cell.dtype, copy=False), labels.astype(cell.dtype, copy=False)
            units = columns[:, planted] / np.linalg.norm(columns[:, planted], axis=0)
            spectrum = np.linalg.eigvalsh(units.T @ units)
            found.setdefault(f"ratio {arm}", []).append(float(spectrum[-1] / spectrum[0]))
            there = arrays.asarray(columns, device), arrays.asarray(labels, device)
            for name, (solver, options) in SOLVERS.items():
                result = recovery.solve(*there, 2 * cell.k, solver=cast(Any, solver), **options)
                x = arrays.to_numpy(result.x)
                rest = y - A @ x
                linear = np.linalg.solve(triangle, basis.T @ rest) if arm == "centred" else np.zeros(cell.d)
                right = np.hypot(np.linalg.norm(x - w), np.linalg.norm(linear)) <= TOLERANCE * np.linalg.norm(w)
                fits = np.linalg.norm(rest - X @ linear) <= 1e-6 * np.linalg.norm(y)
                found.setdefault(f"{name} {arm}", []).append(bool(right))
                found.setdefault(f"{name} {arm} other", []).append(bool(fits and not right))
    outcomes = {key: np.array(values) for key, values in found.items()}
    counts = {f"{name} {arm}": int(outcomes[f"{name} {arm}"].sum()) for name in SOLVERS for arm in ARMS}
    return {"trials": cell.trials, **counts}, outcomes


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    grid = PRESETS[preset]
    return summarise_arms(grid.n, grid.k, grid.d, SIGNS, tuple(SOLVERS), records)


EXPERIMENTS = (
    Experiment(
        name="centred",
        version=1,
        title="Our experiment: recovery of planted networks with raw and with centred gates",
        module=__name__,
        settings=CentredCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.centred",
        shows="recovery of planted networks with raw and with centred gates",
        place=440,
    ),
)
