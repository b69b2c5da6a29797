"""The order in which IMP prunes, against the projection of the data onto each feature.

"IMP prunes the features with the smallest projection onto the data" is a statement about the design. It is exact for
orthogonal columns of equal norm and nearly so for independent ones when there are many samples; it fails for columns
of unequal norm (where the order is that of <x_j, y> / |x_j|^2, not of <x_j, y> / |x_j|) and for correlated ones,
however many samples there are: with equal correlations the order is that of |c_j - constant|, c_j = E[x_j y] (D4 of
this project's derivations). The counter-example is four equally correlated features, one of them null, of which the
projection would drop a signal feature first and IMP drops the null one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

import linear_lottery
from linear_lottery.closed_forms.ranking import equicorrelated_weights
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import mean_interval, quartiles, wilson
from paper_repro.store import Record
from planted import designs
from planted.base import arrays

__all__ = [
    "COUNTER",
    "EXPERIMENTS",
    "LAWS",
    "RHO",
    "RULES",
    "OrderCell",
    "OrderPreset",
    "best_subset",
    "draw_problem",
    "kendall",
    "ranks",
    "sequential_ranks",
    "summarise_orders",
]


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value, 0 for the smallest.

    Parameters
    ----------
    values : numpy.ndarray, shape (d,)
        Distinct numbers.

    Returns
    -------
    numpy.ndarray of int, shape (d,)
        A permutation of 0 to d - 1.
    """
    return np.argsort(np.argsort(values))


def sequential_ranks(weights: Callable[[np.ndarray], np.ndarray], d: int) -> np.ndarray:
    """Return the round in which each feature is pruned if every round prunes the smallest weight of the mask.

    Parameters
    ----------
    weights : callable
        Mask, bool of shape (d,), to weights of shape (d,).
    d : int
        Number of features.

    Returns
    -------
    numpy.ndarray of int, shape (d,)
        0 for the first to go.
    """
    mask, found = np.ones(d, dtype=bool), np.empty(d, dtype=int)
    for place in range(d):
        size = np.where(mask, np.abs(weights(mask)), np.inf)
        goes = int(np.argmin(size))
        found[goes], mask[goes] = place, False
    return found


def best_subset(X: np.ndarray, y: np.ndarray, k: int) -> tuple[int, ...]:
    """Return the k columns with the smallest residual sum of squares, by trying all.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Features, of full column rank.
    y : numpy.ndarray, shape (n,)
        Targets.
    k : int
        How many columns.

    Returns
    -------
    tuple of int
        Ascending.
    """
    Q, R = np.linalg.qr(X)
    target = Q.T @ y
    subsets = np.array(list(combinations(range(X.shape[1]), k)))
    basis, _ = np.linalg.qr(np.moveaxis(R[:, subsets], 1, 0))
    explained = (np.einsum("sij,i->sj", basis, target) ** 2).sum(axis=1)
    return tuple(int(j) for j in subsets[int(np.argmax(explained))])


def kendall(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Kendall's tau of each pair of rows.

    Parameters
    ----------
    first, second : numpy.ndarray of int, shape (trials, d)
        Ranks without ties.

    Returns
    -------
    numpy.ndarray, shape (trials,)
        Share of pairs in the same order minus share of pairs in the opposite one; 1 where d is 1.
    """
    d = first.shape[1]
    if d < 2:
        return np.ones(len(first))
    low, high = np.triu_indices(d, 1)
    return (np.sign(first[:, high] - first[:, low]) * np.sign(second[:, high] - second[:, low])).mean(axis=1)


def summarise_orders(
    records: Sequence[Record],
    laws: Mapping[str, str],
    rules: Mapping[str, str],
    n: Sequence[int],
    counter: np.ndarray,
    rho: float,
) -> dict[str, Any]:
    """Return all that the figure shows, and the table.

    Parameters
    ----------
    records : sequence of Record
        Finished cells.
    laws, rules : mapping of str to str
        Labels of the laws of features and of the rules that order is compared with.
    n : sequence of int
        Numbers of samples of the curves.
    counter : numpy.ndarray, shape (4,)
        Weights of the counter-example.
    rho : float
        Its correlation.

    Returns
    -------
    dict
        Part of the experiment's summary.
    """
    curves: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    for law, rule in [*((law, "projection") for law in laws), ("unequal-norm", "coefficient"), _POPULATION]:
        points: list[dict[str, Any]] = []
        for size in n:
            found = _pool(records, "order", law, size)
            if found:
                tau = kendall(found["imp"], found[rule])
                points.append({"n": size, "tau": float(tau.mean()), "interval": mean_interval(tau.tolist())})
                low, high = points[-1]["interval"] or (None, None)
                rows.append(["order", laws[law], rules[rule], size, len(tau), points[-1]["tau"], low, high])
        curves.append({"law": law, "rule": rule, "label": f"{laws[law]}: {_SHORT[rule]}", "points": points})
    shown = [_density(records, law, rule, n[-1], laws[law], rules[rule]) for law, rule in _SHOWN]
    example, lines = _counter_example(records, n, counter, rho)
    agreement, more = _subsets(records)
    return {
        "curves": curves,
        "densities": shown,
        "counter_example": example,
        "best_subset": agreement,
        "n": list(n),
        "notes": [
            "Order: mean of Kendall's tau between the order in which IMP prunes (one by one, to the end) and that of "
            "the rule, with its 95 % interval (Student) over problems.",
            "The projection is exact for orthogonal columns of equal norm, at every n. For equal correlations it does "
            "not become exact with n; (c_j - rho C / (1 - rho + rho m)) / (1 - rho), computed anew for the survivors, "
            "does.",
            "Pruned first: share of problems in which IMP prunes the irrelevant feature of the counter-example "
            "first, and in which the smallest projection is that of a relevant feature; Wilson's 95 % intervals.",
            "Best subset: share of problems (orthogonal columns, d = 8, k = 3) in which IMP's survivors are the best "
            "subset, by largest over smallest norm. It depends on the spread of the norms: a share of 28 % "
            "corresponds to a ratio of about 5.",
        ],
        "table": {
            "columns": ["task", "features", "rule or event", "n", "problems", "tau or share", "low", "high"],
            "rows": rows + lines + more,
        },
    }


_POPULATION = ("equicorrelated", "population")
_SHOWN = [
    ("orthogonal", "projection"),
    ("equal-norm", "projection"),
    ("unequal-norm", "projection"),
    ("equicorrelated", "projection"),
    _POPULATION,
]
_SHORT = {"projection": "projection", "coefficient": "|⟨$x_j$, y⟩| / ‖$x_j$‖²", "population": "|$c_j$ - const|"}


def _pool(records: Sequence[Record], task: str, law: str, n: int) -> dict[str, np.ndarray]:
    """Return the arrays of all cells of a task, law and size, one below the other; empty without a cell."""
    wanted = {"task": task, "law": law, "n": n}
    found = [record.arrays for record in records if wanted.items() <= dict(record.cell.settings).items()]
    return {name: np.concatenate([one[name] for one in found]) for name in (found[0] if found else ())}


def _density(records: Sequence[Record], law: str, rule: str, n: int, label: str, words: str) -> dict[str, Any]:
    """Return the fraction of problems for each pair of ranks, at the largest n, and the mean of tau."""
    found = _pool(records, "order", law, n)
    if not found:
        return {"label": label, "rule": words, "n": n, "share": None, "tau": None, "interval": None}
    trials, d = found["imp"].shape
    share = np.zeros((d, d))
    np.add.at(share, (found["imp"].ravel(), found[rule].ravel()), 1)
    share /= trials
    tau = kendall(found["imp"], found[rule])
    return {
        "label": label,
        "rule": words,
        "n": n,
        "share": [[float(value) for value in line] for line in share],
        "tau": float(tau.mean()),
        "interval": mean_interval(tau.tolist()),
    }


def _counter_example(
    records: Sequence[Record], n: Sequence[int], counter: np.ndarray, rho: float
) -> tuple[dict[str, Any], list[list[Any]]]:
    """Return population and measured numbers of the four features, and how often each rule drops the null one first."""
    c = (1 - rho) * counter + rho * counter.sum()
    example: dict[str, Any] = {
        "c": [float(value) for value in c],
        "w": [float(value) for value in equicorrelated_weights(rho, c)],
        "rho": rho,
        "n": None,
        "curve": [],
    }
    null, lines = int(np.argmin(np.abs(counter))), []
    for size in n:
        found = _pool(records, "counter-example", "equicorrelated", size)
        if not found:
            continue
        trials = len(found["imp"])
        first = int((found["imp"][:, null] == 0).sum())
        wrong = int((found["projection"][:, null] != 0).sum())
        example["curve"].append({"n": size, "imp": first / trials, "projection": 1 - wrong / trials})
        for words, hits in (("IMP prunes the null first", first), ("smallest projection: a signal feature", wrong)):
            low, high = wilson(hits, trials) or (None, None)
            lines.append(
                ["counter-example", f"equicorrelated, ρ = {rho:g}", words, size, trials, hits / trials, low, high]
            )
        if example["n"] is None:  # the fewest samples, where the numbers spread most
            example["n"] = size
            for name in ("projections", "weights"):
                example[name] = [quartiles(values) for values in np.abs(found[name]).T]
    return example, lines


def _subsets(records: Sequence[Record]) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """Return the fraction of problems in which IMP finds the best subset, by the ratio of the columns' norms."""
    counts: dict[tuple[float, int], list[int]] = {}
    for record in records:
        settings = record.cell.settings
        if settings["task"] == "best-subset":
            entry = counts.setdefault((settings["ratio"], settings["n"]), [0, 0])
            entry[0] += int(record.arrays["agree"].sum())
            entry[1] += len(record.arrays["agree"])
    found, lines = [], []
    for (ratio, n), (hits, trials) in sorted(counts.items()):
        low, high = wilson(hits, trials) or (None, None)
        found.append({"ratio": ratio, "rate": hits / trials, "low": low, "high": high, "n": trials})
        words = "IMP's survivors are the best subset"
        lines.append(["best subset", f"orthogonal, norm ratio {ratio:g}", words, n, trials, hits / trials, low, high])
    return found, lines


RHO = 0.5
NORM_RATIO = 10.0
LAWS = {
    "orthogonal": "orthogonal, equal norms",
    "equal-norm": "independent, equal norms",
    "unequal-norm": f"orthogonal, norms 1 to {1 / NORM_RATIO:g}",
    "equicorrelated": f"equicorrelated, ρ = {RHO:g}",
}
RULES = {
    "projection": "projection ⟨x_j, y⟩ / ‖x_j‖",
    "coefficient": "coefficient ⟨x_j, y⟩ / ‖x_j‖²",
    "population": "c_j - const, equicorrelated population",
}
COUNTER = (2.0, 1.75, -1.5, 0.0)
"""Weights of the counter-example; the null feature is the last one, the smallest projection that of the third."""

RATIOS = (1.0, 2.0, 5.0, 10.0)
"""Ratio of largest to smallest column norm in the comparison of IMP with the best subset."""


BEST_OF = 3
"""Size of the best subset."""


@dataclass(frozen=True)
class OrderCell:
    """Problems of one law of features: ``task`` is "order", "counter-example" or "best-subset"."""

    task: str
    law: str
    seed: int
    n: int
    d: int
    trials: int
    ratio: float = 1.0
    noise: float = 0.5
    dtype: str = "float64"


@dataclass(frozen=True)
class OrderPreset:
    """How many problems, and how large: `n` are the samples of the curves, `n_subset` those of the best subset."""

    d: int
    n: tuple[int, ...]
    chunks: int
    trials: int
    n_subset: int = 40
    d_subset: int = 8


PRESETS = {
    "smoke": OrderPreset(d=8, n=(16, 200), chunks=1, trials=6),
    "quick": OrderPreset(d=20, n=(25, 50, 100, 400, 2_000, 10_000), chunks=2, trials=75),
    "cpu": OrderPreset(d=20, n=(25, 50, 100, 200, 400, 1_000, 4_000, 20_000), chunks=10, trials=200),
    "paper": OrderPreset(d=50, n=(60, 100, 200, 400, 1_000, 4_000, 20_000, 100_000), chunks=8, trials=250),
}


def cells(preset: str, seed: int) -> list[OrderCell]:
    """Return the cells of a preset."""
    size, made = PRESETS[preset], []
    for chunk in range(size.chunks):
        trial = seed + chunk
        for n in size.n:
            made += [OrderCell("order", law, trial, n, size.d, size.trials) for law in LAWS]
            made.append(OrderCell("counter-example", "equicorrelated", trial, n, len(COUNTER), size.trials))
        made += [
            OrderCell("best-subset", "unequal-norm", trial, size.n_subset, size.d_subset, size.trials, ratio)
            for ratio in RATIOS
        ]
    return made


def cost(cell: OrderCell) -> float:
    """Return what a cell costs: drawing and factoring X, and the rounds of pruning."""
    return cell.trials * (cell.n * float(cell.d) ** 2 + 1e4 * cell.d)


def compute(cell: OrderCell, device: str) -> Outcome:
    """Prune every feature, and write down in which order, and in which order each rule would have.

    Parameters
    ----------
    cell : OrderCell
        The settings.
    device : {"cpu", "gpu"}
        Where IMP runs; the rules are computed on the CPU.

    Returns
    -------
    metrics : dict
        ``trials``; for the best subset also ``agree``, the number of trials in which IMP's survivors are it.
    arrays : dict
        ``imp``: rank of each feature in IMP's order, 0 for the first to go, shape (trials, d); for the tasks "order"
        and "counter-example" the ranks of each rule; for the counter-example also ``projections`` (c = X'y / n) and
        ``weights`` (IMP's first round). For the best subset ``agree``, shape (trials,).
    """
    found: dict[str, list[Any]] = {}
    for trial in range(cell.trials):
        X, y, c = draw_problem(cell, trial)
        keep = BEST_OF if cell.task == "best-subset" else 0
        path = linear_lottery.imp(arrays.asarray(X, device), arrays.asarray(y, device), keep)
        if cell.task == "best-subset":
            support = tuple(arrays.to_numpy(path.support).tolist())
            found.setdefault("agree", []).append(support == best_subset(X, y, BEST_OF))
            continue
        found.setdefault("imp", []).append(np.argsort(arrays.to_numpy(path.order)))
        for rule, values in _rules(X, y, c).items():
            found.setdefault(rule, []).append(values)
        if cell.task == "counter-example":
            found.setdefault("projections", []).append(X.T @ y / cell.n)
            found.setdefault("weights", []).append(arrays.to_numpy(path.weights)[0])
    stored = {name: np.array(values) for name, values in found.items()}
    metrics: dict[str, Any] = {"trials": cell.trials}
    if "agree" in stored:
        metrics["agree"] = int(stored["agree"].sum())
    return metrics, stored


def draw_problem(cell: OrderCell, trial: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X, y and the population's c_j = E[x_j y] for features of variance 1 and the law's correlations.

    Parameters
    ----------
    cell : OrderCell
        The settings.
    trial : int
        Number of the trial within the cell.

    Returns
    -------
    X, y, c : numpy.ndarray
        Shapes (n, d), (n,) and (d,). Weights are N(0, 1), those of the counter-example :data:`COUNTER`.
    """
    rng = stream("imp-order", cell.task, cell.law, cell.n, cell.d, round(100 * cell.ratio), cell.seed, trial)
    if cell.law == "equicorrelated":
        X, rho = designs.equicorrelated(RHO)(cell.n, cell.d, rng), RHO
    elif cell.law == "equal-norm":
        X, rho = designs.gaussian()(cell.n, cell.d, rng), 0.0
        X *= np.sqrt(cell.n) / np.linalg.norm(X, axis=0)
    else:
        X, rho = designs.orthogonal()(cell.n, cell.d, rng), 0.0
    if cell.law == "unequal-norm":
        ratio = cell.ratio if cell.task == "best-subset" else NORM_RATIO
        X *= rng.permutation(np.geomspace(1.0, 1.0 / ratio, cell.d))
    w = np.array(COUNTER) if cell.task == "counter-example" else rng.standard_normal(cell.d)
    y = X @ w + cell.noise * rng.standard_normal(cell.n)
    return X.astype(cell.dtype), y.astype(cell.dtype), (1 - rho) * w + rho * w.sum()


def _rules(X: np.ndarray, y: np.ndarray, c: np.ndarray) -> dict[str, np.ndarray]:
    """Return the ranks by each of :data:`RULES`; the population's are those of its own rounds of pruning."""
    inner, norm = np.abs(X.T @ y), np.linalg.norm(X, axis=0)
    return {
        "projection": ranks(inner / norm),
        "coefficient": ranks(inner / norm**2),
        "population": sequential_ranks(lambda mask: equicorrelated_weights(RHO, c, mask), len(c)),
    }


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return rank against rank, rank correlations over n, the counter-example, and the agreement with best subset."""
    size = PRESETS[preset]
    return {
        "subtitle": "this project's experiment; conditions derived in this project,\n"
        "for the phenomenon studied in Elesedy et al. 2020\n"
        f"d = {size.d} features with N(0, 1) weights, noise sd {OrderCell.noise}, "
        f"{size.chunks * size.trials} problems per point",
        **summarise_orders(records, LAWS, RULES, list(size.n), np.array(COUNTER), RHO),
    }


EXPERIMENTS = (
    Experiment(
        name="imp-order",
        version=1,
        title="The order in which IMP prunes, against the projection onto the data",
        module=__name__,
        settings=OrderCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.imp_order",
        shows="order in which IMP prunes, compared with the projections of the features onto the data",
        place=370,
    ),
)
