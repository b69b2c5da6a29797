"""What the trials of imp-margin amount to: rates in bins of the margin, failures near sqrt(2), and the table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paper_repro.experiments.intervals import wilson
from paper_repro.store import Record
from paper_repro.verdicts import EXACT

__all__ = ["LIMIT", "bins", "summarise_trials"]

LIMIT = math.sqrt(2)
BINS_A_DECADE = 8
RUG = 50
"""The rug shows so many failures of a kind of noise nearest to the line, and twice as many of the others, thinned."""


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
            f"The rug: for each kind of noise the {RUG} failures nearest to the line, and {2 * RUG} of the others.",
            "The last columns give the largest margin at which a problem failed, over sqrt(2): 1 is the most that the "
            "condition allows. Adversarial noise is aimed at the weakest signal weight and one null weight; half of "
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
