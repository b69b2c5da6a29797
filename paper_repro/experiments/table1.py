"""Tables 1 and 2: the effect of updating the gates only every k steps.

The paper fits one planted network (d = 100, m = 10, s = 500, n = 50,000) and reports the PSNR after
100 steps and the step at which the set of active columns stops changing. Here the same is done for
several planted networks, with labels rounded to float32 (which limits every fit to about the paper's 160 dB) and
unrounded, and the network found is compared with the planted one. Table 2 shows another result of the longer runs: the
step at which the active columns stop changing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Literal, cast

import numpy as np

import planted
import recovery
from paper_repro.claims import Claim
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import LABELS, METHODS, PSNR_CAP_DB, capped, fit_arrays, stream
from paper_repro.store import Record
from paper_repro.verdicts import BASIS_SEEDS, Measured, least_share, paired, scores
from planted.base import arrays
from recovery import networks

__all__ = [
    "EXPERIMENTS",
    "FLOOR_DB",
    "LABEL_TYPES",
    "PAPER",
    "PAPER_FIXED_DB",
    "TABLE1",
    "TABLE2",
    "Table1Cell",
    "Table1Preset",
    "convergence_claim",
    "data_in_words",
    "is_full_size",
    "median_step",
    "psnr_claims",
    "rank_correlation",
    "settling_step",
    "size_in_words",
    "summarise_convergence",
    "summarise_runs",
]


PAPER_CONVERGED_DB = 160.0
"""The paper: above this PSNR with k < 5."""
PAPER_FIXED_DB = 19.88
"""The paper: PSNR with k = 100, gates that do not move within the run."""
NEAR_DB = 3.0
"""Largest distance that counts as near it."""

Steps = Mapping[int, Mapping[int, int | None]]
"""k -> seed -> a run's convergence step, None if it was cut off."""


def median_step(steps: Sequence[int | None]) -> float | None:
    """Return the median convergence step of runs.

    Parameters
    ----------
    steps : sequence of int or None
        None is a run that was cut off while its active columns still changed; it counts as later than every step.

    Returns
    -------
    float or None
        NaN without runs, None where the median lies beyond the cut.
    """
    if not steps:
        return math.nan
    found = median([math.inf if step is None else float(step) for step in steps])
    return None if math.isinf(found) else found


def rank_correlation(steps: Mapping[int, Sequence[int | None]]) -> float:
    """Return Spearman's rank correlation of k and the convergence step, over the runs that were not cut off.

    Parameters
    ----------
    steps : mapping
        k -> convergence steps, None where cut off.

    Returns
    -------
    float
        Ties get their mean rank; NaN for fewer than two different k or steps.
    """
    pairs = [(k, step) for k, found in steps.items() for step in found if step is not None]
    if len({k for k, _ in pairs}) < 2 or len({step for _, step in pairs}) < 2:
        return math.nan
    from scipy.stats import rankdata

    first, second = (rankdata(values) for values in zip(*pairs, strict=True))
    return float(np.corrcoef(first, second)[0, 1])


def convergence_claim(steps: Steps, limit: int, size: str, data: str) -> Claim:
    """Return the claim of Table 2: the convergence step grows with k.

    Parameters
    ----------
    steps : mapping
        k -> seed -> convergence step of the paper's method.
    limit : int
        Steps that were made.
    size, data : str
        The size of the planted networks, in words, and which data they are.

    Returns
    -------
    Claim
        Held if, for each two neighbouring k, the larger one takes longer on more than half of the networks.
    """
    medians = {k: median_step(list(steps[k].values())) for k in sorted(steps) if steps[k]}
    found = least_share(_later([(small, large) for small, large in pairwise(medians)], steps))
    listed = ", ".join(
        f"k={k}: {f'not within {limit} steps' if value is None else f'step {value:g}'}" for k, value in medians.items()
    )
    ranks = rank_correlation({k: list(runs.values()) for k, runs in steps.items()})
    every = [step for runs in steps.values() for step in runs.values()]
    cut = sum(step is None for step in every)
    text = f"medians at {size}: {listed}" if listed else "no run"
    if math.isfinite(ranks):
        kept = f"{len(every) - cut} of {len(every)} runs not cut off"
        text += f"; rank correlation of k and step {ranks:+.2f} over the {kept}"
    return Claim(
        "Table 2",
        "The step at which the set of active columns stops changing grows with k.",
        "IHT as in the paper, float32 labels: for each two neighbouring k, the share of planted networks on which the "
        f"larger k takes longer is more than half; equal steps, and two runs that still change at step {limit}, count "
        "half",
        found.verdict,
        text,
        data=data,
        interval=_interval("smallest share", found),
        basis=BASIS_SEEDS,
    )


def psnr_claims(
    psnr: Mapping[int, Mapping[int, float]],
    steps: Steps,
    n_iter: int,
    limit: int,
    *,
    size: str,
    data: str,
    full_size: bool,
) -> list[Claim]:
    """Return the claims of Table 1.

    Parameters
    ----------
    psnr : mapping
        k -> seed -> PSNR in dB after `n_iter` steps of the paper's method.
    steps : mapping
        k -> seed -> convergence step of the longer runs.
    n_iter, limit : int
        Steps of the shorter and of the longer runs.
    size, data : str
        The size of the planted networks, in words, and which data they are.
    full_size : bool
        Whether it is the paper's; the claims in dB are judged only there.

    Returns
    -------
    list of Claim
        Three of them.
    """
    middle = {k: median(psnr[k].values()) for k in sorted(psnr) if psnr[k]}
    settled = {k: median_step(list(steps[k].values())) for k in sorted(steps) if steps[k]}
    shown = f"medians at {size} after {n_iter} steps: " + ", ".join(f"k={k} {v:.1f} dB" for k, v in middle.items())
    stands = {k: f"not within {limit} steps" if value is None else f"at step {value:g}" for k, value in settled.items()}
    often = {k: psnr[k] for k in middle if k < 5} if full_size else {}
    fixed = {100: psnr[100]} if full_size and 100 in middle else {}
    _, _, (reached,) = paired(often)
    _, _, (near,) = paired(
        {k: {seed: abs(v - PAPER_FIXED_DB) for seed, v in runs.items()} for k, runs in fixed.items()}
    )
    above = least_share(scores(reached, PAPER_CONVERGED_DB))
    later = least_share(_later([(k, 5) for k in settled if k < 5] if 5 in settled else [], steps))
    close = least_share(scores(np.full_like(near, NEAR_DB), near))
    common = {"data": data, "basis": BASIS_SEEDS}
    return [
        Claim(
            "Table 1",
            "With gates updated every k < 5 steps the fit converges to above 160 dB.",
            f"IHT as in the paper, float32 labels: for each k < 5, the share of planted networks whose PSNR after "
            f"{n_iter} steps is above {PAPER_CONVERGED_DB:g} dB is more than half (judged at the paper's size)",
            above.verdict,
            shown,
            interval=_interval("smallest share", above),
            **common,
        ),
        Claim(
            "Table 1",
            "With k = 5 the fit converges later.",
            "IHT as in the paper, float32 labels: for each k < 5, the share of planted networks on which the active "
            "columns stop changing later with k = 5 is more than half; equal steps, and two runs that were cut off, "
            "count half",
            later.verdict,
            shown + "; the columns stop changing: " + ", ".join(f"k={k} {text}" for k, text in stands.items()),
            interval=_interval("smallest share", later),
            **common,
        ),
        Claim(
            "Table 1",
            f"With k = 100, where the gates do not change before the end, the fit stays at {PAPER_FIXED_DB} dB.",
            "IHT as in the paper, float32 labels: the share of planted networks whose PSNR at k = 100 is within "
            f"{NEAR_DB:g} dB of {PAPER_FIXED_DB} dB is more than half (judged at the paper's size)",
            close.verdict,
            shown,
            interval=_interval("share", close),
            **common,
        ),
    ]


def _later(pairs: Sequence[tuple[int, int]], steps: Steps) -> np.ndarray:
    """Return scores of "the second k takes longer than the first", one row per pair of k, one column per network."""
    beyond = {k: {seed: math.inf if step is None else float(step) for seed, step in steps[k].items()} for k in steps}
    seeds = sorted({seed for pair in pairs for k in pair for seed in steps[k]})
    rows = [[[beyond[k].get(seed, math.nan) for seed in seeds] for k in pair] for pair in pairs]
    values = np.array(rows, dtype=float).reshape(len(pairs), 2, len(seeds))
    return scores(values[:, 1], values[:, 0])


def _interval(name: str, found: Measured) -> str:
    return f"{name} {found.interval()}" if found.cells else ""


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
    """Return the size of the planted networks in words."""
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
        {k: by_seed("psnr_db", "paper", "float32", size.n_iter, k) for k in size.k},
        {k: by_seed("settled", "paper", "float32", size.n_iter_long, k) for k in size.k},
        size.n_iter,
        size.n_iter_long,
        size=size_in_words(size),
        data=data_in_words(size),
        full_size=full_size,
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
            "same function: the kink form of the planted network, to 1e-6; same network: its lines and supports as "
            "well (planted.match_networks).",
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
    """Return a sentence on how representative one trajectory with k < 5, such as the paper's, is of the others."""
    runs = [value for k, values in zip(size.k, psnr, strict=True) if k < 5 for value in values]
    if not runs:
        return f"{LABELS[method]}: no run with k < 5."
    missed = [value for value in runs if value <= FLOOR_DB]
    rest = f", the others end between {min(missed):.0f} and {max(missed):.0f} dB" if missed else ""
    return (
        f"{LABELS[method]}, float32 labels, k < 5: {len(runs) - len(missed)} of {len(runs)} runs are at the floor "
        f"after {size.n_iter} steps{rest}. The paper shows one run per k, at the floor."
    )


def _lowest(settled: dict[str, dict[str, list[list[int | None]]]]) -> float:
    """Return the lower end of an axis that holds every settling step."""
    steps = [step for one in settled.values() for lists in one.values() for seeds in lists for step in seeds if step]
    return 0.6 * min([10, *steps])


def _median(values: Sequence[float]) -> float | None:
    return float(statistics.median(values)) if values else None


def _share(values: Sequence[bool]) -> str:
    return f"{sum(values)}/{len(values)}"


@dataclass(frozen=True)
class Table1Cell:
    """One fit of a planted network with its gates updated every `k` steps."""

    k: int
    seed: int
    labels: Literal["float32", "float64"]
    method: str
    n_iter: int
    m: int
    s: int
    n: int
    d: int
    dtype: str = "float64"


@dataclass(frozen=True)
class Table1Preset:
    """One size of planted network; every k is run for `n_iter` steps (the score) and for `n_iter_long` (settling)."""

    k: tuple[int, ...]
    m: int
    s: int
    n: int
    d: int
    seeds: int
    n_iter: int = 100
    n_iter_long: int = 400


PRESETS = {
    "smoke": Table1Preset(k=(1, 10), m=3, s=12, n=400, d=10, seeds=1, n_iter=20, n_iter_long=40),
    "quick": Table1Preset(k=(1, 5, 100), m=5, s=100, n=4_000, d=30, seeds=3, n_iter_long=200),
    "cpu": Table1Preset(k=(1, 2, 4, 5, 10, 20, 100), m=10, s=500, n=50_000, d=100, seeds=3),
    "paper": Table1Preset(k=(1, 2, 4, 5, 10, 20, 100), m=10, s=500, n=50_000, d=100, seeds=10),
}


def cells(preset: str, seed: int) -> list[Table1Cell]:
    """Return the cells of a preset; one seed is one planted network, the same for all k, labels and methods."""
    size = PRESETS[preset]
    return [
        Table1Cell(k, seed + trial, labels, method, n_iter, size.m, size.s, size.n, size.d)
        for method in METHODS
        for labels in LABEL_TYPES
        for n_iter in (size.n_iter, size.n_iter_long)
        for k in size.k
        for trial in range(size.seeds)
    ]


def cost(cell: Table1Cell) -> float:
    """Return what a cell costs, in products with a column."""
    return float(cell.n_iter) * cell.n * (cell.d * cell.m + 10.0 * cell.s)


def compute(cell: Table1Cell, device: str) -> Outcome:
    """Plant, fit, and score a cell.

    Parameters
    ----------
    cell : Table1Cell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs; the instance is drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``psnr_db``, ``settled`` (see :func:`settling_step`), how the fit ended, and how far the network is from
        the planted one in its kink form.
    arrays : dict
        PSNR and number of changed active columns a step, and the network that was found.
    """
    X, y, network = planted.release_instance(
        cell.m, cell.s, cell.seed, n=cell.n, d=cell.d, labels=cell.labels, dtype=cell.dtype
    )
    fit = recovery.fit_network(
        arrays.asarray(X, device),
        arrays.asarray(y, device),
        n_neurons=cell.m,
        sparsity=cell.s,
        method=cast(networks.Method, cell.method),
        max_iter=cell.n_iter,
        gate_update=cell.k,
        rng=stream("table1", "fit", cell.m, cell.s, cell.seed),
    )
    changed = np.asarray(fit.history["active"], dtype=float)
    match = planted.match_networks(fit.network, network)
    metrics = {
        "psnr_db": float(fit.psnr_db),
        "settled": settling_step(changed, np.asarray(fit.history["start"]), _winner(fit.history), cell.n_iter),
        "steps": int(fit.n_iter),
        "status": fit.status.name,
        "weight_error": match.weight_error,
        "support_precision": match.support_precision,
        "support_recall": match.support_recall,
        "same_function": bool(match.same_function),
        "exact": bool(match.exact),
    }
    history = {"psnr_history_db": np.asarray(fit.history["psnr_db"], dtype=float), "changed_columns": changed}
    return metrics, {**history, **fit_arrays(fit.network)}


def settling_step(changed: np.ndarray, start: np.ndarray, winner: int, n_iter: int) -> int | None:
    """Return the step from which the set of active columns no longer changes.

    Parameters
    ----------
    changed : numpy.ndarray, shape (steps,)
        How much of the set of active columns changed at each step; 0 is nothing.
    start : numpy.ndarray, shape (steps,)
        Number of the random start each step belongs to.
    winner : int
        The start whose answer was taken; only its steps count.
    n_iter : int
        Largest number of steps the fit was allowed.

    Returns
    -------
    int or None
        The last step, counted from 1 over all starts, at which something changed, 0 if nothing ever did; None if
        the fit was cut off by the step limit while it still changed.
    """
    own = np.flatnonzero(start == winner)
    moving = own[changed[own] != 0] + 1
    if moving.size == 0:
        return 0
    last = int(moving[-1])
    return None if last == n_iter else last


def _winner(history: dict[str, list[float]]) -> int:
    """Return the start that came closest to the data."""
    return int(history["start"][int(np.argmax(history["psnr_db"]))]) if history["start"] else 0


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    return summarise_runs(PRESETS[preset], seed, records)


def summarise_convergence(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the convergence steps of each method, kind of labels and k, and their medians and ranges."""
    size = PRESETS[preset]
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
        [method, labels, k, *_step_row(runs, limit), texts.get(k, "other size" if not full_size else "not known")]
        for method in METHODS
        for labels in LABEL_TYPES
        for k, runs in steps[method][labels].items()
    ]
    ranks = {method: {labels: rank_correlation(steps[method][labels]) for labels in LABEL_TYPES} for method in METHODS}
    claim = convergence_claim(each["paper"]["float32"], limit, size_in_words(size), data_in_words(size))
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


def _step_row(runs: Sequence[int | None], limit: int) -> list[Any]:
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


TABLE1 = Experiment(
    name="table1",
    version=4,
    title="Planted ReLU networks: updating the gates every k steps",
    origin="Table 1 of arXiv:2509.20323",
    full_size="n = 50,000, d = 100, m = 10, s = 500",
    module=__name__,
    settings=Table1Cell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
    data=lambda preset: data_in_words(PRESETS[preset]),
    layout="figures.table1",
    shows="planted networks at one size, with the gates updated every k steps",
    place=160,
)
TABLE2 = TABLE1.companion(
    "table2",
    "Planted ReLU networks: when the active columns stop changing",
    summarise_convergence,
    layout="figures.table2",
    origin="Table 2 of arXiv:2509.20323",
    shows="the step at which the active columns stop changing, over k",
    place=170,
)
EXPERIMENTS = (TABLE1, TABLE2)
