"""What the runs of table 1 amount to, beside the paper's values."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from paper_repro.experiments.common import LABELS, METHODS, PSNR_CAP_DB, capped
from paper_repro.experiments.table1_claims import psnr_claims
from paper_repro.store import Record

if TYPE_CHECKING:
    from paper_repro.experiments.table1 import Table1Preset

__all__ = ["FLOOR_DB", "LABEL_TYPES", "PAPER", "data_in_words", "is_full_size", "size_in_words", "summarise_runs"]

LABEL_TYPES: tuple[Literal["float32", "float64"], ...] = ("float32", "float64")

FLOOR_DB = 155.0
"""A fit above this PSNR is at the floor that labels rounded to float32 put under it (158 to 165 dB)."""

PAPER: tuple[dict[str, Any], ...] = (
    {"k": 1, "psnr_db": 160.0, "settled": None, "text": "> 160"},
    {"k": 2, "psnr_db": 160.0, "settled": None, "text": "> 160"},
    {"k": 4, "psnr_db": 160.0, "settled": None, "text": "> 160"},
    {"k": 5, "psnr_db": 36.63, "settled": 135, "text": "36.63 (then 161.44)"},
    {"k": 100, "psnr_db": 19.88, "settled": None, "text": "19.88"},
)
"""The paper's values, one trajectory each; those of k = 10 and 20 are not known to us."""


def is_full_size(size: Table1Preset) -> bool:
    """Return whether a preset plants networks of the paper's size."""
    return (size.m, size.s, size.n, size.d) == (10, 500, 50_000, 100)


def size_in_words(size: Table1Preset) -> str:
    """Return the size of the planted networks, for a sentence."""
    return f"n={size.n:,}, d={size.d}, m={size.m}, s={size.s}"


def data_in_words(size: Table1Preset) -> str:
    """Return which data a preset uses, and of what size."""
    paper = "the paper's size" if is_full_size(size) else "the paper: n=50,000, d=100, m=10, s=500"
    networks = f"{size.seeds} planted network{'s' if size.seeds > 1 else ''}"
    return f"{networks}, {size_in_words(size)} ({paper})"


def summarise_runs(size: Table1Preset, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return PSNR, settling step and exactness a seed, for each method, kind of labels and k, and the table of them."""
    found = {
        tuple(record.cell.settings[name] for name in ("method", "labels", "n_iter", "k", "seed")): record.metrics
        for record in records
    }
    first = {
        tuple(record.cell.settings[name] for name in ("method", "labels", "n_iter", "k", "seed")): _first_at_floor(
            record
        )
        for record in records
    }
    seeds = [seed + trial for trial in range(size.seeds)]

    def values(name: str, method: str, labels: str, n_iter: int, k: int) -> list[Any]:
        return list(by_seed(name, method, labels, n_iter, k).values())

    def by_seed(name: str, method: str, labels: str, n_iter: int, k: int) -> dict[int, Any]:
        keys = {one: (method, labels, n_iter, k, one) for one in seeds}
        return {one: found[key][name] for one, key in keys.items() if key in found}

    psnr: dict[str, dict[str, list[list[float]]]] = {}
    settled: dict[str, dict[str, list[list[int | None]]]] = {}
    exact: dict[str, list[str]] = {}
    rows = []
    full_size = is_full_size(size)
    texts = {row["k"]: row["text"] for row in PAPER} if full_size else {}
    for method in METHODS:
        psnr[method], settled[method] = {}, {}
        for labels in LABEL_TYPES:
            psnr[method][labels] = [
                [capped(value) for value in values("psnr_db", method, labels, size.n_iter, k)] for k in size.k
            ]
            settled[method][labels] = [values("settled", method, labels, size.n_iter_long, k) for k in size.k]
            for index, k in enumerate(size.k):
                rows.append(
                    [
                        method,
                        labels,
                        k,
                        _median(psnr[method][labels][index]),
                        min(psnr[method][labels][index], default=None),
                        max(psnr[method][labels][index], default=None),
                        _share([value > FLOOR_DB for value in psnr[method][labels][index]]),
                        _median(
                            [
                                step
                                for one in seeds
                                if (step := first.get((method, labels, size.n_iter_long, k, one))) is not None
                            ]
                        ),
                        _share(values("same_function", method, labels, size.n_iter, k)),
                        _share(values("exact", method, labels, size.n_iter, k)),
                        _share(values("same_function", method, labels, size.n_iter_long, k)),
                        _share(values("exact", method, labels, size.n_iter_long, k)),
                        _median([step for step in settled[method][labels][index] if step is not None]),
                        _share([step is not None for step in settled[method][labels][index]]),
                        texts.get(k, "other size" if not full_size else "not known"),
                    ]
                )
        exact[method] = [_share(values("same_function", method, "float64", size.n_iter, k)) for k in size.k]
    claims = psnr_claims(
        {k: by_seed("psnr_db", "released", "float32", size.n_iter, k) for k in size.k},
        {k: by_seed("settled", "released", "float32", size.n_iter_long, k) for k in size.k},
        size.n_iter,
        size.n_iter_long,
        size_in_words(size),
        data_in_words(size),
        full_size,
    )
    columns = ["method", "labels", "k", f"PSNR at {size.n_iter} (dB, median)", "min", "max"]
    columns += [f"at floor at {size.n_iter}", "first at floor (median)"]
    for n_iter in (size.n_iter, size.n_iter_long):
        columns += [f"same function at {n_iter}", f"same network at {n_iter}"]
    columns += ["settles at (median)", "settled", "paper (dB)"]
    return {
        "subtitle": f"n = {size.n:,}, d = {size.d}, m = {size.m}, s = {size.s}, "
        f"{size.seeds} planted network{'s' if size.seeds > 1 else ''}\n"
        "fractions: same function as the planted network, float64 labels",
        "methods": list(METHODS),
        "labels": LABELS,
        "label_types": list(LABEL_TYPES),
        "k": list(size.k),
        "n_iter": size.n_iter,
        "n_iter_long": size.n_iter_long,
        "psnr_db": psnr,
        "settled": settled,
        "settled_from": _lowest(settled),
        "exact": exact,
        "paper": list(PAPER) if full_size else [],
        "claims": [claim.as_dict() for claim in claims],
        "notes": [
            "same function: the kink form of the planted network, to 1e-6; same network: its lines and supports, too "
            "(planted.match_networks).",
            "settles at: last step at which a column entered or left the active set, among the runs that settled "
            f"within {size.n_iter_long} steps.",
            f"at floor: PSNR above {FLOOR_DB:.0f} dB. first at floor: the step at which it first was, among the runs "
            f"of {size.n_iter_long} steps that got there.",
            *(_typical(method, psnr[method]["float32"], size) for method in METHODS),
            f"A fit without any error has infinite PSNR and counts as {PSNR_CAP_DB:.0f} dB.",
            "The paper's values are of one trajectory each."
            if full_size
            else "The paper's values belong to another size (d = 100, m = 10, s = 500, n = 50,000) and are left out.",
        ],
        "table": {"columns": columns, "rows": rows},
    }


def _first_at_floor(record: Record) -> int | None:
    """Return the first step, counted from 1, at which the iterate was at the floor."""
    history = record.arrays.get("psnr_history_db")
    reached = np.flatnonzero(history > FLOOR_DB) if history is not None else np.empty(0)
    return int(reached[0]) + 1 if reached.size else None


def _typical(method: str, psnr: Sequence[Sequence[float]], size: Table1Preset) -> str:
    """Return a sentence on how far one trajectory with k < 5, such as the paper's, speaks for the others."""
    runs = [value for k, values in zip(size.k, psnr, strict=True) if k < 5 for value in values]
    if not runs:
        return f"{LABELS[method]}: no run with k < 5."
    missed = [value for value in runs if value <= FLOOR_DB]
    rest = f", the others end between {min(missed):.0f} and {max(missed):.0f} dB" if missed else ""
    return (
        f"{LABELS[method]}, float32 labels, k < 5: {len(runs) - len(missed)} of {len(runs)} runs are at the floor "
        f"after {size.n_iter} steps{rest}. The paper shows one run a k, at the floor."
    )


def _lowest(settled: dict[str, dict[str, list[list[int | None]]]]) -> float:
    """Return the lower end of an axis that holds every settling step."""
    steps = [step for one in settled.values() for lists in one.values() for seeds in lists for step in seeds if step]
    return 0.6 * min([10, *steps])


def _median(values: Sequence[float]) -> float | None:
    return float(statistics.median(values)) if values else None


def _share(values: Sequence[bool]) -> str:
    return f"{sum(values)}/{len(values)}"
