"""Table 2: the step at which the set of active columns stops changing, when the gates are updated every k steps.

The cells are those of table 1, the longer runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paper_repro.experiments import table1
from paper_repro.experiments.common import LABELS, METHODS
from paper_repro.experiments.table1 import (
    LABEL_TYPES,
    PAPER,
    convergence_claim,
    data_in_words,
    is_full_size,
    median_step,
    rank_correlation,
    size_in_words,
)
from paper_repro.store import Record

__all__ = ["EXPERIMENT", "summarise"]


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the convergence steps of each method, kind of labels and k, and their medians and ranges."""
    size = table1.PRESETS[preset]
    limit = size.n_iter_long
    found = {
        tuple(record.cell.settings[name] for name in ("method", "labels", "n_iter", "k", "seed")): record.metrics
        for record in records
    }
    seeds = [seed + trial for trial in range(size.seeds)]
    each: dict[str, dict[str, dict[int, dict[int, int | None]]]] = {
        method: {
            labels: {
                k: {one: found[key]["settled"] for one in seeds if (key := (method, labels, limit, k, one)) in found}
                for k in size.k
            }
            for labels in LABEL_TYPES
        }
        for method in METHODS
    }
    steps = {
        method: {labels: {k: list(runs.values()) for k, runs in part.items()} for labels, part in kinds.items()}
        for method, kinds in each.items()
    }
    full_size = is_full_size(size)
    texts = {row["k"]: row["settled"] for row in PAPER if row["settled"] is not None} if full_size else {}
    rows = [
        [method, labels, k, *_row(runs, limit), texts.get(k, "other size" if not full_size else "not known")]
        for method in METHODS
        for labels in LABEL_TYPES
        for k, runs in steps[method][labels].items()
    ]
    ranks = {method: {labels: rank_correlation(steps[method][labels]) for labels in LABEL_TYPES} for method in METHODS}
    claim = convergence_claim(each["released"]["float32"], limit, size_in_words(size), data_in_words(size))
    return {
        "subtitle": f"n = {size.n:,}, d = {size.d}, m = {size.m}, s = {size.s}, {limit} steps, "
        f"{size.seeds} planted network{'s' if size.seeds > 1 else ''}",
        "methods": list(METHODS),
        "labels": LABELS,
        "label_types": list(LABEL_TYPES),
        "k": list(size.k),
        "limit": limit,
        "steps": {
            method: {labels: list(steps[method][labels].values()) for labels in LABEL_TYPES} for method in METHODS
        },
        "medians": {
            method: {
                labels: [_number(median_step(runs)) for runs in steps[method][labels].values()]
                for labels in LABEL_TYPES
            }
            for method in METHODS
        },
        "paper": [{"k": k, "step": step} for k, step in texts.items() if k in size.k],
        "claims": [claim.as_dict()],
        "notes": [
            "step: the last one at which a column entered or left the active set (gate bits of neurons with weights, "
            "and the support); the same as table 1's.",
            f"A run that still changes at step {limit} is cut off and counts as later than every step.",
            *(
                f"{LABELS[method]}, {labels} labels: rank correlation of k and step {value:+.2f} over runs not cut off."
                for method in METHODS
                for labels in LABEL_TYPES
                if (value := ranks[method][labels]) == value
            ),
            "The paper's value is of one trajectory."
            if full_size
            else "The paper's value belongs to another size (d = 100, m = 10, s = 500, n = 50,000) and is left out.",
        ],
        "table": {
            "columns": ["method", "labels", "k", "median step", "first", "last", f"within {limit} steps", "paper"],
            "rows": rows,
        },
    }


def _row(runs: Sequence[int | None], limit: int) -> list[Any]:
    middle = median_step(runs)
    known = [step for step in runs if step is not None]
    beyond = f"not within {limit}"
    return [
        beyond if middle is None else _number(middle),
        min(known, default=beyond if runs else None),
        beyond if len(known) < len(runs) else max(known, default=None),
        f"{len(known)}/{len(runs)}",
    ]


def _number(value: float | None) -> float | None:
    """Return a number for the table; None for what is not there or not known."""
    return None if value is None or value != value else value


EXPERIMENT = table1.EXPERIMENT.companion(
    "table2", "Planted ReLU networks: when the active columns stop changing", summarise
)
