"""What the trials of imp-order amount to: rank against rank, Kendall's tau over n, counter-example, best subset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linear_lottery.closed_forms.ranking import equicorrelated_weights
from paper_repro.experiments.intervals import mean_interval, quartiles, wilson
from paper_repro.store import Record

__all__ = ["kendall", "summarise_orders"]


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
            "First to go: share of problems in which IMP prunes the null feature of the counter-example first, and in "
            "which the smallest projection is that of a signal feature; Wilson's 95 % intervals.",
            "Best subset: share of problems (orthogonal columns, d = 8, k = 3) in which IMP's survivors are the best "
            "subset, by largest over smallest norm. It depends on the spread of the norms: 28 % belongs to a ratio of "
            "about 5.",
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
    """Return the share of problems for each pair of ranks, at the largest n, and the mean of tau."""
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
    """Return the share of problems in which IMP finds the best subset, by the ratio of the columns' norms."""
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
