"""How often IMP finds the planted support, as a function of the margin sigma_min(X) min|w| / |P_X noise|.

For n >= d a margin above sqrt(2) is enough, for every schedule (D7 of this project's derivations): no failure may lie
to its right. The bound uses only the smallest singular value of X, so for most problems IMP succeeds far to the left of
it. To show that sqrt(2) cannot be lowered, some of the noise is adversarial: it lies along the direction that pushes
the smallest signal weight and one null weight together at the least cost, in the first or in the last round of pruning,
and one design is built so that this direction is the worst that the bound allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import linear_lottery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import wilson
from paper_repro.store import Record
from paper_repro.verdicts import EXACT
from planted import designs
from planted.base import arrays

__all__ = [
    "CASES",
    "EXPERIMENTS",
    "LAWS",
    "LIMIT",
    "SCHEDULES",
    "MarginCell",
    "MarginPreset",
    "bins",
    "draw_problem",
    "margin",
    "summarise_trials",
]


LIMIT = math.sqrt(2)
BINS_A_DECADE = 8
RUG = 50
"""Number of failures nearest to the line that the rug shows for each kind of noise, and twice as many of the rest,
thinned."""


def bins(margins: np.ndarray) -> np.ndarray:
    """Return edges of equal logarithmic width that hold all margins, one of them exactly sqrt(2).

    Parameters
    ----------
    margins : numpy.ndarray, shape (trials,)
        Positive numbers.

    Returns
    -------
    numpy.ndarray
        Ascending edges.
    """
    steps = BINS_A_DECADE * np.log10(margins / LIMIT)
    return LIMIT * 10.0 ** (np.arange(math.floor(steps.min()), math.ceil(steps.max()) + 1) / BINS_A_DECADE)


def summarise_trials(
    records: Sequence[Record], schedules: Sequence[str], cases: Mapping[str, str], laws: Mapping[str, str]
) -> dict[str, Any]:
    """Return rates, failures and table.

    Parameters
    ----------
    records : sequence of Record
        Finished cells, with the arrays ``margin`` and ``exact``.
    schedules : sequence of str
        Names of the columns of ``exact``.
    cases, laws : mapping of str to str
        Labels of the designs and of the kinds of noise.

    Returns
    -------
    dict
        Part of the experiment's summary.
    """
    trials = {
        (case, law): [
            record for record in records if (record.cell.settings["case"], record.cell.settings["law"]) == (case, law)
        ]
        for case in cases
        for law in laws
    }
    margin = {
        key: np.concatenate([r.arrays["margin"] for r in found] or [np.zeros(0)]) for key, found in trials.items()
    }
    exact = {
        key: np.concatenate([r.arrays["exact"] for r in found] or [np.zeros((0, len(schedules)), dtype=bool)])
        for key, found in trials.items()
    }
    edges = bins(np.concatenate(list(margin.values())))
    rates: list[list[Any]] = []
    failures: list[list[list[float]]] = []
    for column, _ in enumerate(schedules):
        rates.append([])
        failures.append([])
        for law in laws:
            where = np.concatenate([margin[case, law] for case in cases])
            good = np.concatenate([exact[case, law][:, column] for case in cases])
            rates[-1].append(_rates(where, good, edges))
            failures[-1].append(_rug(where[~good]))
    nearest = [
        [
            [_largest(margin[case, law][~exact[case, law][:, column]]) for column, _ in enumerate(schedules)]
            for law in laws
        ]
        for case in cases
    ]
    rows: list[list[Any]] = []
    wrong = hit = 0
    for (case, label), line in zip(cases.items(), nearest, strict=True):
        for (law, noise), largest in zip(laws.items(), line, strict=True):
            beyond = margin[case, law] > LIMIT
            bad = int((~exact[case, law][beyond]).sum())
            wrong += bad
            hit += int((~exact[case, law][beyond]).any(axis=1).sum())
            rows.append([label, noise, len(beyond), int(beyond.sum()), bad, *(_share(value) for value in largest)])
    count, right = sum(row[2] for row in rows), sum(row[3] for row in rows)
    bound = wilson(hit, right)  # the schedules of one problem are not independent
    below = "" if bound is None else f" (95 % interval of the share of such problems: up to {bound[1]:.1e})"
    return {
        "limit": LIMIT,
        "schedules": list(schedules),
        "laws": list(laws.values()),
        "cases": list(cases.values()),
        "rates": rates,
        "failures": failures,
        "nearest": nearest,
        "edges": [float(edge) for edge in edges],
        "violations": wrong,
        "notes": [
            *([f"VIOLATION: {wrong} failures lie right of sqrt(2); the condition is wrong."] if wrong else []),
            f"{count} problems, {right} of them right of sqrt(2), each pruned with {len(schedules)} schedules: {wrong} "
            f"failures there{below}. That there is none is {EXACT}.",
            "Rates are pooled over the designs, which have equally many problems; bands are Wilson's 95 % intervals. "
            f"Rug marks: for each kind of noise, the {RUG} failures nearest to the line and {2 * RUG} of the others.",
            "The last columns give the largest margin at which a problem failed, over sqrt(2): 1 is the most that the "
            "condition allows. Adversarial noise is aimed at the smallest planted weight and one zero weight; half of "
            "its problems lie within 5 % of the line.",
        ],
        "table": {
            "columns": [
                "design",
                "noise",
                "problems",
                "right of sqrt(2)",
                "failures there",
                *(f"largest failing margin / sqrt(2), {schedule}" for schedule in schedules),
            ],
            "rows": rows,
        },
    }


def _rates(margins: np.ndarray, good: np.ndarray, edges: np.ndarray) -> list[dict[str, float] | None]:
    """Return for each bin its rate, interval and number of trials; None without a trial."""
    place = np.digitize(margins, edges) - 1
    found: list[dict[str, float] | None] = []
    for index in range(len(edges) - 1):
        hits = good[place == index]
        interval = wilson(int(hits.sum()), len(hits))
        found.append(
            None
            if interval is None
            else {"rate": float(hits.mean()), "low": interval[0], "high": interval[1], "n": len(hits)}
        )
    return found


def _rug(failures: np.ndarray) -> list[float]:
    ordered = np.sort(failures)[::-1]
    rest = ordered[RUG:]
    return [float(value) for value in (*ordered[:RUG], *rest[:: max(1, len(rest) // (2 * RUG))][: 2 * RUG])]


def _largest(values: np.ndarray) -> float | None:
    return float(values.max()) if values.size else None


def _share(value: float | None) -> float | None:
    return None if value is None else value / LIMIT


SCHEDULES: dict[str, Literal["one-by-one", "one-shot"] | float] = {
    "one by one": "one-by-one",
    "20 % a round": 0.2,
    "one-shot": "one-shot",
}

CASES = {
    "orthogonal": ("orthogonal", designs.orthogonal()),
    "twins": ("one correlated pair, ρ = 0.9", designs.orthogonal()),
    "gaussian": ("Gaussian", designs.gaussian()),
    "heavy-tailed": ("Student t, 3 degrees of freedom", designs.heavy_tailed(3.0)),
    "toeplitz": ("AR(1), ρ = 0.9", designs.toeplitz(0.9)),
    "equicorrelated": ("equicorrelated, ρ = 0.9", designs.equicorrelated(0.9)),
    "ill-conditioned": ("singular values 1 to 1e-2", designs.ill_conditioned(1e2)),
    "unequal-norms": ("norms 1 to 0.1", designs.unequal_norms(10.0)),
}
TWIN_CORRELATION = 0.9

LAWS = {
    "gaussian": "Gaussian noise",
    "student": "heavy-tailed noise (Student t, 2 d.f.)",
    "first-round": "adversarial noise, first round",
    "last-round": "adversarial noise, last round",
}
RANGES = {"gaussian": (0.01, 4.0), "student": (0.01, 4.0), "first-round": (0.1, 4.0), "last-round": (0.1, 4.0)}
NEAR = 0.05
"""Half of the trials with adversarial noise have a margin within this fraction of sqrt(2)."""


@dataclass(frozen=True)
class MarginCell:
    """Problems of one design and one kind of noise, with margins spread over a range."""

    case: str
    law: str
    seed: int
    n: int
    d: int
    k: int
    trials: int
    dtype: str = "float64"


@dataclass(frozen=True)
class MarginPreset:
    """How many problems, and how large."""

    n: int
    d: int
    k: int
    chunks: int
    trials: int


PRESETS = {
    "smoke": MarginPreset(n=20, d=8, k=2, chunks=1, trials=12),
    "quick": MarginPreset(n=60, d=20, k=4, chunks=1, trials=150),
    "cpu": MarginPreset(n=60, d=20, k=4, chunks=20, trials=300),
    "paper": MarginPreset(n=150, d=50, k=8, chunks=10, trials=500),
}


def cells(preset: str, seed: int) -> list[MarginCell]:
    """Return the cells of a preset."""
    size = PRESETS[preset]
    return [
        MarginCell(case, law, seed + chunk, size.n, size.d, size.k, size.trials)
        for case in CASES
        for law in LAWS
        for chunk in range(size.chunks)
    ]


def cost(cell: MarginCell) -> float:
    """Return what a cell costs: mostly the rounds of pruning."""
    return cell.trials * (cell.d * 1e4 + cell.n * float(cell.d) ** 2)


def compute(cell: MarginCell, device: str) -> Outcome:
    """Draw problems, prune each with every schedule, and see whether the planted support is what is left.

    Parameters
    ----------
    cell : MarginCell
        The settings.
    device : {"cpu", "gpu"}
        Where IMP runs; problems and their margins are computed on the CPU.

    Returns
    -------
    metrics : dict
        ``exact``: share of exact recoveries for each schedule; ``violations``: failures with a margin above sqrt(2).
    arrays : dict
        ``margin``, shape (trials,), measured on the problem as IMP sees it, and ``exact``, bool, shape
        (trials, schedules).
    """
    margins, exact = [], []
    for trial in range(cell.trials):
        X, w, noise = draw_problem(cell, trial)
        margins.append(margin(X, w, noise))
        X_there, y_there = arrays.asarray(X, device), arrays.asarray(X @ w + noise, device)
        support = np.flatnonzero(w)
        exact.append(
            [
                np.array_equal(
                    arrays.to_numpy(linear_lottery.imp(X_there, y_there, cell.k, schedule=schedule).support), support
                )
                for schedule in SCHEDULES.values()
            ]
        )
    found = {"margin": np.array(margins), "exact": np.array(exact)}
    beyond = found["margin"] > math.sqrt(2)
    return {
        "exact": [float(share) for share in found["exact"].mean(axis=0)],
        "violations": int((~found["exact"][beyond]).sum()),
    }, found


def margin(X: np.ndarray, w: np.ndarray, noise: np.ndarray) -> float:
    """Return sigma_min(X) min|w_S| / |P_X noise|, S the support of `w`.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Features, of full column rank.
    w : numpy.ndarray, shape (d,)
        The planted weights.
    noise : numpy.ndarray, shape (n,)
        What is added to X w; P_X projects it on the columns of X.

    Returns
    -------
    float
        Above sqrt(2), IMP returns S with every schedule (derived here).
    """
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    return float(s[-1] * np.abs(w[w != 0]).min() / np.linalg.norm(U.T @ noise))


def draw_problem(cell: MarginCell, trial: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X, w and the noise of a trial; the signs and sizes (1 to 4, the smallest exactly 1) of w are random.

    Parameters
    ----------
    cell : MarginCell
        The settings.
    trial : int
        Number of the trial within the cell.

    Returns
    -------
    X, w, noise : numpy.ndarray
        Shapes (n, d), (d,) and (n,). The noise is scaled such that the margin is log-uniform over the law's range.
    """
    rng = stream("imp-margin", cell.case, cell.law, cell.n, cell.d, cell.k, cell.seed, trial)
    support = rng.choice(cell.d, size=cell.k, replace=False)
    w = np.zeros(cell.d)
    w[support] = rng.choice([-1.0, 1.0], size=cell.k) * np.exp(rng.uniform(0, math.log(4.0), size=cell.k))
    weakest = int(support[0])
    w[weakest] = math.copysign(1.0, w[weakest])
    X = CASES[cell.case][1](cell.n, cell.d, rng, np.sort(support))
    nulls = np.setdiff1d(np.arange(cell.d), support)
    if cell.case == "twins":
        lean = math.sqrt(1 - TWIN_CORRELATION**2)
        X[:, nulls[0]] = TWIN_CORRELATION * X[:, weakest] + lean * X[:, nulls[0]]
    X = X.astype(cell.dtype)
    if cell.law == "gaussian":
        noise = rng.standard_normal(cell.n)
    elif cell.law == "student":
        noise = rng.standard_t(2.0, size=cell.n)
    else:
        noise = _worst(X, np.sort(support), nulls, weakest, math.copysign(1.0, w[weakest]), cell.law)
    low, high = RANGES[cell.law]
    wanted = math.exp(rng.uniform(math.log(low), math.log(high)))
    if cell.law in ("first-round", "last-round") and trial % 2:
        wanted = math.sqrt(2) * rng.uniform(1 - NEAR, 1 + NEAR)
    return X, w, noise * (margin(X, w, noise) / wanted)


def _worst(X: np.ndarray, support: np.ndarray, nulls: np.ndarray, weakest: int, sign: float, law: str) -> np.ndarray:
    """Return the direction of noise that makes the weakest signal weight and a null weight meet at the least cost.

    In round M the weights are off by X_M^+ noise. Of all unit noise, X_M G^-1 u / |X_M G^-1 u| with G = X_M'X_M moves
    u . w the most, by sqrt(u' G^-1 u); u takes the signal weight down and the null weight up, and the null weight and
    its sign are those for which that is largest. M is all columns in the first round, the support and one null
    column in the last.
    """
    best, direction = -1.0, np.zeros(X.shape[0])
    for null in nulls:
        M = np.append(support, null) if law == "last-round" else np.arange(X.shape[1])
        inverse = np.linalg.inv(X[:, M].T @ X[:, M])
        i, j = int(np.flatnonzero(M == weakest)[0]), int(np.flatnonzero(M == null)[0])
        push = np.zeros(len(M))
        push[i], push[j] = -sign, sign if inverse[i, j] < 0 else -sign
        gain = float(push @ inverse @ push)
        if gain > best:
            best, direction = gain, X[:, M] @ (inverse @ push)
    return direction


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return recovery rates over the margin with their intervals, and the failures nearest to sqrt(2)."""
    size = PRESETS[preset]
    trials = size.chunks * size.trials
    return {
        "subtitle": "this project's experiment; condition derived in this project,\n"
        "for the phenomenon studied in Elesedy et al. 2020\n"
        f"n = {size.n}, d = {size.d}, k = {size.k}, {len(CASES)} designs, {trials} problems per design "
        "and kind of noise",
        **summarise_trials(records, list(SCHEDULES), {name: label for name, (label, _) in CASES.items()}, LAWS),
    }


EXPERIMENTS = (
    Experiment(
        name="imp-margin",
        version=1,
        title="Exact recovery by IMP against its margin: no failure above √2",
        module=__name__,
        settings=MarginCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.imp_margin",
        shows="success of IMP over the margin of a sufficient condition: no failure above sqrt(2)",
        place=360,
    ),
)
