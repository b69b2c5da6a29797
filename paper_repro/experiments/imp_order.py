"""The order in which IMP prunes, against the projection of the data onto each feature.

"IMP prunes the features with the smallest projection onto the data" is a statement about the design. It is exact for
orthogonal columns of equal norm and nearly so for independent ones when there are many samples; it fails for columns
of unequal norm (where the order is that of <x_j, y> / |x_j|^2, not of <x_j, y> / |x_j|) and for correlated ones,
however many samples there are: with equal correlations the order is that of |c_j - constant|, c_j = E[x_j y] (D4 of
this project's derivations). The counter-example is four equally correlated features, one of them null, of which the
projection would drop a signal feature first and IMP drops the null one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import linear_lottery
from linear_lottery.closed_forms.ranking import equicorrelated_weights
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.imp_order_rules import best_subset, ranks, sequential_ranks
from paper_repro.experiments.imp_order_summary import summarise_orders
from paper_repro.store import Record
from planted import designs
from planted.base import arrays

__all__ = ["COUNTER", "EXPERIMENT", "LAWS", "RHO", "RULES", "OrderCell", "OrderPreset", "draw_problem"]

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
"""Largest over smallest norm of the columns where IMP is compared with the best subset."""


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
        f"{size.chunks * size.trials} problems a point",
        **summarise_orders(records, LAWS, RULES, list(size.n), np.array(COUNTER), RHO),
    }


EXPERIMENT = Experiment(
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
)
