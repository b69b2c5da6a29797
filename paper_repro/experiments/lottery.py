"""Common parts of the experiments on sparse linear models: whether methods find a support, and their rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

import linear_lottery
from linear_lottery import comparators
from paper_repro.experiments.intervals import wilson
from paper_repro.store import Record
from planted.base import arrays

__all__ = ["LABELS", "SCHEDULES", "SOURCE", "Rate", "pooled", "rate_text", "recovers"]

SOURCE = "This project's experiment; no figure of a paper is redrawn."

SCHEDULES: dict[str, Literal["one-by-one", "one-shot"] | float] = {
    "imp-1": "one-by-one",
    "imp-10": 0.1,
    "imp-20": 0.2,
    "one-shot": "one-shot",
}
"""The schedules of iterative magnitude pruning, by the names that records use."""

LABELS = {
    "imp-1": "IMP, one by one",
    "imp-10": "IMP, 10 % per round",
    "imp-20": "IMP, 20 % per round",
    "one-shot": "one-shot pruning",
    "omp": "OMP",
    "lasso": "Lasso, best λ",
    "htp": "HTP",
    "backward": "backward elimination",
}

Rate = dict[str, Any]
"""``successes``, ``trials``, ``rate``, and ``low`` and ``high``, the ends of Wilson's 95 % interval; None untried."""


def recovers(method: str, X: Any, y: Any, support: np.ndarray, w0: Any = None) -> bool:
    """Return whether a method that is given the number of non-zeros finds exactly the planted support.

    Parameters
    ----------
    method : str
        A key of :data:`LABELS`. ``"lasso"`` has an advantage: it counts if any value of λ gives exactly the support.
    X, y : array, shapes (n, d) and (n,)
        The data.
    support : numpy.ndarray, shape (k,)
        The planted support, ascending.
    w0 : array, shape (d,), optional
        Where the training of a pruning schedule starts; zero by default. The other methods have no start.

    Returns
    -------
    bool
        Success.
    """
    k = len(support)
    if method in SCHEDULES:
        found = linear_lottery.imp(X, y, k, w0=w0, schedule=SCHEDULES[method]).support
    elif method == "lasso":
        found = comparators.lasso_best(X, y, support).support
    else:
        found = comparators.COMPARATORS[method](X, y, k).support
    return bool(np.array_equal(arrays.to_numpy(found), support))


def pooled(
    records: Iterable[Record],
    methods: Sequence[str],
    key: Callable[[Mapping[str, Any]], Any],
) -> dict[Any, dict[str, Rate]]:
    """Add up the successes of the cells that belong to one point of a figure.

    Parameters
    ----------
    records : iterable of Record
        Cells whose metrics count ``trials`` and the successes of each method.
    methods : sequence of str
        Which methods.
    key : callable
        From the settings of a cell to its point.

    Returns
    -------
    dict
        Point -> method -> :data:`Rate`.
    """
    counts: dict[Any, dict[str, int]] = {}
    for record in records:
        point = counts.setdefault(key(record.cell.settings), dict.fromkeys(("trials", *methods), 0))
        for name in point:
            point[name] += int(record.metrics[name])
    return {
        place: {method: _rate(count[method], count["trials"]) for method in methods} for place, count in counts.items()
    }


def _rate(successes: int, trials: int) -> Rate:
    low, high = wilson(successes, trials) or (None, None)
    rate = successes / trials if trials else None
    return {"successes": successes, "trials": trials, "rate": rate, "low": low, "high": high}


def rate_text(rate: Rate | None) -> str:
    """Return a rate with its interval, as tables show it.

    Parameters
    ----------
    rate : Rate or None
        From :func:`pooled`; None where there is no cell.

    Returns
    -------
    str
        Such as ``0.64 [0.57, 0.70]``.
    """
    if rate is None or rate["rate"] is None:
        return "-"
    return f"{rate['rate']:.2f} [{rate['low']:.2f}, {rate['high']:.2f}]"
