"""How often each recovery condition holds, and how often each solver succeeds, as n grows.

Every trial draws gated columns A = [D_1 X, ..., D_p X] (or Gaussian columns of the same size), scales them to unit
norm, and plants nested weights with s = 1, 2, ... non-zeros, uniformly chosen over all columns. The conditions are
evaluated, the restricted ones by bounds and complete enumeration, and the solvers run with their defaults. If a
condition holds, the solver is also run as its theorem prescribes; a failure then would be a violation.

With more rows than columns, A is replaced by the R of A = Q R, since all conditions and solvers depend only on A'A, A'y
and the null space.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

import planted
import recovery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import wilson
from paper_repro.experiments.lottery import SOURCE, rate_text
from paper_repro.experiments.solvers import LABELS, TOLERANCE, relative_error, unit_norm
from paper_repro.store import Record
from paper_repro.verdicts import EXACT
from planted.base import arrays
from recovery import GatedOperator, conditions
from recovery.certificates.null_space import proved_bound
from recovery.conditions import null_space_multipliers

__all__ = [
    "CHEAP",
    "CONDITIONS",
    "ENUMERATED",
    "EXPERIMENTS",
    "GUARANTEES",
    "OPERATORS",
    "OPERATOR_LABELS",
    "SLACK",
    "SYMBOLS",
    "ConditionsCell",
    "ConditionsPreset",
    "Spreads",
    "as_prescribed",
    "compress",
    "draw_problem",
    "group_value",
    "judge",
    "multipliers_of",
    "summarise_conditions",
]


ENUMERATED = 200_000
"""Supports of a size are enumerated up to this number; beyond, bounds decide, or nothing does."""
CHEAP = 20_000
"""Sizes with no more supports than this are enumerated in any case: they often refute larger sizes at once."""
SLACK = 1e-9
"""A number counts as below its limit only if it is below by this fraction of the limit."""
Extremes = tuple[float, float]


@dataclass(eq=False)
class Spreads:
    """Bounds on the extreme eigenvalues of A_S'A_S over supports of a size, no more exact than the limits need.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns.
    """

    A: np.ndarray

    def __post_init__(self) -> None:
        self._exact: dict[int, Extremes] = {}
        self._outer: dict[int, Extremes] = {}

    def below(self, order: int, ratio: float) -> Extremes | bool | None:
        """Decide whether largest / smallest eigenvalue is below `ratio` for supports of `order` columns.

        Parameters
        ----------
        order : int
            Size of the supports; at most all columns count.
        ratio : float
            The limit.

        Returns
        -------
        (float, float), False or None
            Bounds on the eigenvalues from outside whose ratio is below the limit; False if it is not; None if too many
            supports would have to be enumerated.

        Notes
        -----
        The extreme eigenvalues spread with the order (interlacing), so a smaller order refutes a larger one. From
        outside: the spectrum of the whole Gram matrix, and Gershgorin's discs. Enumeration decides the rest.
        """
        size = self.A.shape[1]
        order = min(order, size)
        for smaller in range(2, order + 1):
            if math.comb(size, smaller) <= CHEAP and not _small(self._enumerate(smaller), ratio):
                return False
        outer = self._bounds(order)
        if _small(outer, ratio):
            return outer
        if math.comb(size, order) > ENUMERATED:
            return None
        exact = self._enumerate(order)
        return exact if _small(exact, ratio) else False

    def _enumerate(self, order: int) -> Extremes:
        if order not in self._exact:
            found = conditions.restricted_eigenvalues(self.A, order, limit=ENUMERATED)
            self._exact[order] = found.smallest.lower, found.largest.upper
        return self._exact[order]

    def _bounds(self, order: int) -> Extremes:
        if order not in self._outer:
            found = conditions.restricted_eigenvalues(self.A, order, limit=0)
            self._outer[order] = found.smallest.lower, found.largest.upper
        return self._outer[order]


def _small(found: Extremes, ratio: float) -> bool:
    low, high = found
    return low > 0.0 and high < ratio * low * (1.0 - SLACK)


CONDITIONS = {
    "coherence": "μ < 1/(2s-1)",
    "babel": "μ₁(s-1) + μ₁(s) < 1",
    "erc": "exact recovery coefficient < 1",
    "irrepresentable": "irrepresentable value < 1",
    "null-space": "null-space constant < 1/2",
    "isometry-l1": "δ₂ₛ < 1/√2",
    "isometry-omp": "δₛ₊₁ < 1/√(s+1)",
    "isometry-iht": "δ₃ₛ < 0.618",
    "isometry-htp": "δ₃ₛ < 1/√3",
    "grades": "κ₂ₛ < 2",
    "niht": "κ₂ₛ < 2/1.05",
    "neural": "neural isometry",
}
"""The names that records use -> what figures and tables call them."""

SYMBOLS = {
    "coherence": "μ",
    "babel": "μ₁",
    "erc": "exact recovery",
    "irrepresentable": "irrepresentable",
    "null-space": "null space",
    "isometry-l1": "δ₂ₛ",
    "isometry-omp": "δₛ₊₁",
    "isometry-iht": "δ₃ₛ",
    "isometry-htp": "δ₃ₛ",
    "grades": "κ₂ₛ",
    "niht": "κ₂ₛ",
    "neural": "neural isometry",
}
"""The same in short form."""

GUARANTEES: dict[str, tuple[str, ...]] = {
    "iht": ("isometry-iht", "grades"),
    "niht": ("niht",),
    "htp": ("isometry-htp",),
    "omp": ("coherence", "babel", "erc", "isometry-omp"),
    "l1": ("coherence", "babel", "erc", "irrepresentable", "null-space", "isometry-l1"),
    "group-l1": ("neural",),
}
"""Solver -> the conditions that guarantee its success."""

NIHT_KAPPA = 1.05
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def judge(
    A: np.ndarray, w: np.ndarray, raw: np.ndarray, width: int, spreads: Spreads, multipliers: np.ndarray | None
) -> dict[str, Any]:
    """Say for each condition whether it holds.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns of unit norm.
    w : numpy.ndarray, shape (N,)
        Planted weights of these columns.
    raw : numpy.ndarray, shape (n, N)
        The columns before they were scaled, for the neural isometry condition.
    width : int
        Columns of a gate.
    spreads : Spreads
        Of A; instances with the same A share it.
    multipliers : numpy.ndarray, shape (n, N), or None
        For the null-space constant; None where the columns are independent, which makes it 0.

    Returns
    -------
    dict
        Condition -> True, False, or None where it is out of reach. For conditions on restricted eigenvalues the bounds
        that showed it stand for True.
    """
    support = np.flatnonzero(w)
    s = len(support)
    coefficient = conditions.exact_recovery_coefficient(A, support)
    values = {
        "coherence": (conditions.mutual_coherence(A), 1.0 / (2 * s - 1)),
        "babel": (conditions.babel_function(A, s - 1) + conditions.babel_function(A, s), 1.0),
        "erc": (coefficient, 1.0),
        "irrepresentable": (conditions.irrepresentability(A, support, np.sign(w[support])), 1.0),
        "null-space": (0.0 if multipliers is None else proved_bound(A, multipliers, s), 0.5),
        "neural": (group_value(raw, w / np.linalg.norm(raw, axis=0), width), 1.0),
    }
    found: dict[str, Any] = {name: value < limit * (1.0 - SLACK) for name, (value, limit) in values.items()}
    found |= {
        "isometry-l1": spreads.below(2 * s, _ratio(1 / math.sqrt(2))),
        "isometry-omp": spreads.below(s + 1, _ratio(1 / math.sqrt(s + 1))),
        "isometry-iht": spreads.below(3 * s, _ratio(GOLDEN)),
        "isometry-htp": spreads.below(3 * s, _ratio(1 / math.sqrt(3))),
        "grades": spreads.below(2 * s, 2.0),
        "niht": spreads.below(2 * s, 2.0 / NIHT_KAPPA),
    }
    return found


def as_prescribed(
    solver: str, condition: str, shown: Any, A: np.ndarray, w: np.ndarray, *, raw: np.ndarray, width: int
) -> float:
    """Return the relative error of a solver that runs as the theorem with this condition wants it.

    Parameters
    ----------
    solver, condition : str
        A pair of :data:`GUARANTEES`.
    shown : bool or (float, float)
        What :func:`judge` found: it holds.
    A, w, raw, width
        As for :func:`judge`.

    Returns
    -------
    float
        The distance from w over its norm.

    Notes
    -----
    With bounds a <= alpha_3s and b >= beta_3s IHT and HTP have the step 2 / (a + b): their theorems hold with such
    bounds in place of the numbers. By kappa_2s < 2: the step 1 / b, b >= beta_2s. NIHT has kappa = 1.05.
    """
    options: Mapping[str, Any] = {}
    if condition in ("isometry-iht", "isometry-htp"):
        options = {"step": 2.0 / (shown[0] + shown[1]), "normalise": False}
    elif condition == "grades":
        options = {"step": 1.0 / shown[1]}
    elif condition == "niht":
        options = {"kappa": NIHT_KAPPA, "normalise": False}
    elif condition == "neural":
        A, w = raw, w / np.linalg.norm(raw, axis=0)
    if not options:
        return relative_error(solver, A, w, width)
    if solver == "htp":
        options = {**options, "escapes": 0}
    found = recovery.solve(A, A @ w, int(np.count_nonzero(w)), solver=cast(Any, solver), **options)
    return float(np.linalg.norm(found.x - w) / np.linalg.norm(w))


def multipliers_of(A: np.ndarray) -> np.ndarray | None:
    """Return multipliers that bound the null-space constant, or None if the columns are independent.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns.

    Returns
    -------
    numpy.ndarray, shape (n, N), or None
        From one linear program a column; they serve every sparsity.
    """
    return None if np.linalg.matrix_rank(A) == A.shape[1] else null_space_multipliers(A, 1)


def compress(A: np.ndarray) -> np.ndarray:
    """Return R of A = Q R if A has more rows than columns, otherwise A: same Gram matrix and same null space."""
    if A.shape[0] <= A.shape[1]:
        return A
    _, R = np.linalg.qr(A)
    return R


def group_value(A: np.ndarray, w: np.ndarray, width: int) -> float:
    """Return the largest norm of a block that is not planted, for the dual vector of least norm.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns; blocks of `width` consecutive ones make a group.
    w : numpy.ndarray, shape (N,)
        Planted weights.
    width : int
        Columns of a group.

    Returns
    -------
    float
        Below 1, w is the only minimiser of sum_j |w_j|_2 with its own data; ``inf`` where the planted blocks have
        dependent columns. For gated columns it is ``recovery.conditions.neural_isometry(...).value``, by another route.
    """
    blocks, weights = A.reshape(len(A), -1, width), w.reshape(-1, width)
    planted = np.any(weights != 0.0, axis=1)
    M = blocks[:, planted].reshape(len(A), -1)
    if np.linalg.matrix_rank(M) < M.shape[1]:
        return math.inf
    wanted = (weights[planted] / np.linalg.norm(weights[planted], axis=1)[:, None]).ravel()
    dual = np.linalg.lstsq(M.T, wanted, rcond=None)[0]
    norms = np.linalg.norm(np.einsum("nji,n->ji", blocks[:, ~planted], dual), axis=1)
    return float(norms.max(initial=0.0))


def _ratio(delta: float) -> float:
    """Return the ratio of the extreme eigenvalues for an isometry constant in the best scale."""
    return (1.0 + delta) / (1.0 - delta)


OPERATOR_LABELS = {"relu": "ReLU gates", "gaussian": "Gaussian"}

Point = dict[str, np.ndarray]
Points = dict[tuple[str, int], Point]


def summarise_conditions(
    sizes: Sequence[int],
    s_max: int,
    shown: Sequence[int],
    shape: tuple[int, int],
    operators: Sequence[str],
    records: Sequence[Record],
) -> dict[str, Any]:
    """Return a panel for each operator, shown sparsity and solver, and the table.

    Parameters
    ----------
    sizes : sequence of int
        n.
    s_max : int
        Largest sparsity; the arrays of a record have a column for each from 1 on.
    shown : sequence of int
        Sparsities that are drawn.
    shape : (int, int)
        d and p.
    operators : sequence of str
        Names that the records use.
    records : sequence of Record
        Finished cells.

    Returns
    -------
    dict
        The experiment's summary.
    """
    points: Points = {}
    for operator in operators:
        for n in sizes:
            parts = [
                record.arrays
                for record in records
                if (record.cell.settings["operator"], record.cell.settings["n"]) == (operator, n)
            ]
            if parts:
                points[operator, n] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    rows = [(operator, s) for s in shown for operator in operators]
    panels = [_panel(points, operator, s, solver, sizes) for operator, s in rows for solver in GUARANTEES]
    d, p = shape
    trials = max((len(point["coherence"]) for point in points.values()), default=0)
    runs, failed = _prescribed(points)
    return {
        "subtitle": f"d = {d}, p = {p}, N = {d * p} unit columns, s weights at random places; {trials} instances per "
        "point\nthick: share recovered, with 95 % band; thin: share on which a condition that guarantees it holds",
        "n": list(sizes),
        "columns": d * p,
        "rows": [f"{OPERATOR_LABELS[operator]}, s = {s}" for operator, s in rows],
        "solvers": list(GUARANTEES),
        "labels": {solver: LABELS[solver] for solver in GUARANTEES},
        "conditions": dict(CONDITIONS),
        "symbols": dict(SYMBOLS),
        "panels": panels,
        "violations": failed,
        "notes": [
            *(
                [f"VIOLATION: {failed} runs failed although a condition that guarantees success held."]
                if failed
                else []
            ),
            f"{SOURCE} Success: a distance from the planted weights of at most {TOLERANCE:g} of their norm. Brackets: "
            "Wilson's 95 % intervals.",
            f"Where a condition held the solver also ran as its theorem prescribes (steps from the restricted "
            f"eigenvalues, NIHT with kappa = 1.05): {runs} runs, {failed} failures. That there is none is {EXACT}.",
            "Coherence, Babel, null-space and isometry conditions concern all supports of one size. Exact recovery, "
            ""
            "irrepresentability and neural isometry concern the planted support, which is unknown in practice.",
            *_uniform_notes(points, s_max),
            "'+k?': on k more instances the condition is unknown, because there are too many supports to enumerate "
            "and the bounds do not decide. Null-space constants are upper bounds from linear programs, proved with "
            "outward rounding.",
            f"From n = {d * p} on the columns are independent, unless a gate is open on too few rows. Then the "
            "labels determine the weights, and l1 cannot fail.",
        ],
        "table": _table(points, s_max, sizes, operators),
    }


def _share(hits: np.ndarray) -> dict[str, Any]:
    low, high = wilson(int(hits.sum()), len(hits)) or (0.0, 1.0)
    return {"rate": float(hits.mean()), "low": low, "high": high}


def _solved(point: Point, solver: str, s: int) -> np.ndarray:
    solved: np.ndarray = point[f"solver {solver}"][:, s - 1] <= TOLERANCE
    return solved


def _panel(points: Points, operator: str, s: int, solver: str, sizes: Sequence[int]) -> dict[str, Any]:
    known = [(n, points[operator, n]) for n in sizes if (operator, n) in points]
    curves = {}
    for name in GUARANTEES[solver]:
        found = [_share(point[name][:, s - 1] == 1) for _, point in known]
        curves[name] = {
            "rate": [share["rate"] for share in found],
            "low": [share["low"] for share in found],
            "high": [share["high"] for share in found],
            "possible": [float(np.mean(point[name][:, s - 1] != 0)) for _, point in known],
        }
    rates = [_share(_solved(point, solver, s)) for _, point in known]
    return {
        "operator": operator,
        "s": s,
        "solver": solver,
        "n": [n for n, _ in known],
        "solved": {key: [rate[key] for rate in rates] for key in ("rate", "low", "high")},
        "curves": curves,
        "never": [name for name, curve in curves.items() if not any(curve["possible"])],
    }


def _prescribed(points: Points) -> tuple[int, int]:
    """Return how many runs had a guarantee, and how many of these failed."""
    errors = [point[f"solver {a} {b}"] for point in points.values() for a in GUARANTEES for b in GUARANTEES[a]]
    return (
        sum(int(np.isfinite(error).sum()) for error in errors),
        sum(int((error > TOLERANCE).sum()) for error in errors),
    )


def _uniform_notes(points: Points, s_max: int) -> list[str]:
    """Say on how many gated instances any isometry condition held, at any n."""
    names = [name for name in CONDITIONS if name.startswith("isometry") or name in ("grades", "niht")]
    here = [point for (operator, _), point in points.items() if operator == "relu"]
    if not here:
        return []
    parts = []
    for s in range(1, s_max + 1):
        held = np.concatenate([np.stack([point[name][:, s - 1] == 1 for name in names]).any(axis=0) for point in here])
        parts.append(f"{int(held.sum())} of {len(held)} for s = {s}")
    return [f"ReLU gates, all n: at least one isometry or condition-number condition held on {', '.join(parts)}."]


def _table(points: Points, s_max: int, sizes: Sequence[int], operators: Sequence[str]) -> dict[str, Any]:
    columns = ["operator", "s", "n", "instances", *(LABELS[solver] for solver in GUARANTEES), *CONDITIONS.values()]
    rows = []
    for operator in operators:
        for s in range(1, s_max + 1):
            for n in sizes:
                if (operator, n) in points:
                    point = points[operator, n]
                    solved = [rate_text(_share(_solved(point, solver, s))) for solver in GUARANTEES]
                    held = [_held(point[name][:, s - 1]) for name in CONDITIONS]
                    rows.append([OPERATOR_LABELS[operator], s, n, len(point["coherence"]), *solved, *held])
    return {"columns": columns, "rows": rows}


def _held(verdicts: np.ndarray) -> str:
    unknown = int(np.sum(verdicts == -1))
    return rate_text(_share(verdicts == 1)) + (f" +{unknown}?" if unknown else "")


OPERATORS = ("relu", "gaussian")


@dataclass(frozen=True)
class ConditionsCell:
    """`trials` matrices of one size, each with nested weights of 1 to `s_max` non-zeros."""

    operator: str
    n: int
    seed: int
    trials: int
    s_max: int = 3
    d: int = 6
    p: int = 4
    dtype: str = "float64"


@dataclass(frozen=True)
class ConditionsPreset:
    """Sizes, with `chunks` cells a point; the sparsities in `shown` are drawn."""

    n: tuple[int, ...]
    trials: int
    chunks: int
    s_max: int = 3
    shown: tuple[int, ...] = (2, 3)
    d: int = 6
    p: int = 4


PRESETS = {
    "smoke": ConditionsPreset((8, 32, 512), trials=2, chunks=1, s_max=2, shown=(2,), d=4, p=3),
    "quick": ConditionsPreset((16, 24, 48, 100, 200, 400, 1600), trials=6, chunks=2),
    "cpu": ConditionsPreset((8, 12, 16, 20, 24, 32, 48, 70, 100, 140, 200, 400, 800, 1600, 6400), trials=8, chunks=25),
    "paper": ConditionsPreset(
        (10, 15, 20, 25, 30, 40, 60, 100, 200, 400, 800, 1600, 6400, 25_600), trials=8, chunks=50, d=8, p=5
    ),
}


def cells(preset: str, seed: int) -> list[ConditionsCell]:
    """Return the cells of a preset; the chunks of a point differ in their seed."""
    grid = PRESETS[preset]
    return [
        ConditionsCell(operator, n, seed + chunk, grid.trials, grid.s_max, grid.d, grid.p)
        for operator in OPERATORS
        for n in grid.n
        for chunk in range(grid.chunks)
    ]


def cost(cell: ConditionsCell) -> float:
    """Return what a cell costs: programs of the null space below N rows, steps of the solvers, enumeration."""
    size = cell.d * cell.p
    return cell.trials * (cell.s_max * (2.0 if cell.operator == "relu" else 1.0) + (3.0 if cell.n < size else 0.0))


def draw_problem(cell: ConditionsCell, trial: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the columns of a trial, not yet scaled, and weights of the scaled columns with 1, ..., s_max non-zeros."""
    key = (cell.n, cell.d, cell.p, cell.s_max, cell.seed, trial)
    X, _, H, w = planted.gated_model(cell.n, cell.d, cell.p, cell.s_max, rng=stream("conditions", "instance", *key))
    order = stream("conditions", "order", *key).permutation(np.flatnonzero(w))
    nested = [np.where(np.isin(np.arange(w.size), order[:s]), w, 0.0) for s in range(1, cell.s_max + 1)]
    if cell.operator == "gaussian":
        return stream("conditions", "gaussian", *key).standard_normal((cell.n, w.size)), nested
    return GatedOperator.from_generators(X, H).columns(np.arange(w.size)), nested


def compute(cell: ConditionsCell, device: str) -> Outcome:
    """Judge all conditions and run all solvers.

    Parameters
    ----------
    cell : ConditionsCell
        The settings.
    device : {"cpu", "gpu"}
        Where the solvers run by default (the convex programs always on the CPU); conditions are a matter of the CPU,
        and so are the runs that the theorems prescribe.

    Returns
    -------
    metrics : dict
        ``trials``, and ``violations``: prescribed runs that failed although the condition held.
    arrays : dict
        Under each condition, int8 of shape (trials, s_max): 1 holds, 0 fails, -1 unknown. Under ``"solver NAME"`` the
        relative errors of the solver, under ``"solver NAME CONDITION"`` those of the prescribed run (NaN: not run).
    """
    shape = (cell.trials, cell.s_max)
    found = {name: np.zeros(shape, dtype=np.int8) for name in CONDITIONS}
    errors = {f"solver {solver}": np.full(shape, np.nan) for solver in GUARANTEES}
    errors |= {
        f"solver {solver} {name}": np.full(shape, np.nan) for solver in GUARANTEES for name in GUARANTEES[solver]
    }
    for trial in range(cell.trials):
        raw, nested = draw_problem(cell, trial)
        raw = compress(raw)
        A = unit_norm(raw)
        spreads = Spreads(A)
        multipliers = multipliers_of(A)
        there = [arrays.asarray(columns.astype(cell.dtype, copy=False), device) for columns in (A, raw)]
        for place, w in enumerate(nested):
            at = (trial, place)
            verdicts = judge(A, w, raw, cell.d, spreads, multipliers)
            for name, shown in verdicts.items():
                found[name][at] = -1 if shown is None else int(shown is not False)
            for solver, names in GUARANTEES.items():
                # the neural isometry condition is about the group program on the columns as they are
                group = solver == "group-l1"
                planted_weights = w / np.linalg.norm(raw, axis=0) if group else w
                errors[f"solver {solver}"][at] = relative_error(solver, there[group], planted_weights, cell.d)
                for name in names:
                    if found[name][at] == 1:
                        error = as_prescribed(solver, name, verdicts[name], A, w, raw=raw, width=cell.d)
                        errors[f"solver {solver} {name}"][at] = error
    violations = sum(int(np.sum(errors[f"solver {a} {b}"] > TOLERANCE)) for a in GUARANTEES for b in GUARANTEES[a])
    return {"trials": cell.trials, "violations": violations}, {**found, **errors}


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    grid = PRESETS[preset]
    return summarise_conditions(grid.n, grid.s_max, grid.shown, (grid.d, grid.p), OPERATORS, records)


EXPERIMENTS = (
    Experiment(
        name="conditions",
        version=1,
        title="Our experiment: theoretical guarantees and actual success of solvers",
        module=__name__,
        settings=ConditionsCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.conditions",
        shows="the share of matrices on which theorems apply, next to the success rate of each solver",
        place=420,
    ),
)
