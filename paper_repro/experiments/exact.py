"""Exact recovery on Figure 1's grid: networks recovered to the last digit, sample complexity, and errors under noise.

The networks and inputs are those of the paper (:func:`planted.release_instance`), with labels that are not rounded to
float32. Three methods: the paper's at its 15 steps, the robust one, and exact recovery. Exact means that the kink form,
which is what a network's function determines, agrees with the planted one: the same lines and supports, and weights to
1e-9 of its norm.

A grid cell is one fit. A sample-complexity cell is one n for one method: fits of up to 10 networks, ended by the second
failure, since 9 of 10 are then out of reach. A noise cell is one fit, together with an oracle that knows the support
and the gates. Further cells determine what is possible: whether the data distinguish all planted lines, and to how many
digits they determine them (:func:`recovery.diagnosis.identifiability`). The companion shows these numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, cast

import numpy as np

import planted
import recovery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import exact_fit, fit_arrays, form_arrays, series_125, stream
from paper_repro.experiments.grids import Grid, medians_of, panel_row, shares_above, statistics, values_table
from paper_repro.experiments.planted_networks import COLOUR_RANGE_DB
from paper_repro.store import Record
from planted.base import arrays
from recovery import networks
from recovery.diagnosis import identifiability

__all__ = [
    "EXPERIMENTS",
    "METHODS",
    "ExactCell",
    "ExactPreset",
    "cells",
    "compute",
    "cost",
    "oracle_network",
    "smallest_n",
    "summarise",
    "summarise_limits",
]

METHODS = ("paper", "robust", "exact")
DATA = "data"
"""Pseudo-method: what the data determine, without a fit."""
LABELS = {
    "paper": "IHT as in the paper",
    "robust": "IHT, robust",
    "exact": "exact recovery",
    DATA: "the data distinguish all lines",
}
PAPER_STEPS, ROBUST_STEPS = 15, 100
"""The paper's, and the default of ``fit_network``."""
ATOL = 1e-9
"""Largest distance of an exact kink form from the planted one, relative to its norm."""
TRIALS, ENOUGH = 10, 9
"""Networks of a point of the sample complexity, and how many of them have to be found."""
FRESH = 10_000
"""Inputs on which errors under noise are measured."""


@dataclass(frozen=True)
class ExactCell:
    """One fit (`part` grid or noise), or fits of up to `trials` networks (samples)."""

    part: str
    method: str
    m: int
    s: int
    n: int
    d: int
    seed: int
    n_iter: int | None
    trials: int = 1
    snr_db: float | None = None
    dtype: str = "float64"


@dataclass(frozen=True)
class ExactPreset:
    """The three parts of the figure.

    Parameters
    ----------
    grid : Grid
        Widths and sparsities.
    seeds, n, d : int
        Of the grid.
    points : tuple of (int, int)
        (m, s) of the sample complexity.
    ladder : tuple of int
        Its sizes n, ascending.
    noisy : tuple of (int, int)
        (m, s) of the fits under noise, one panel each.
    snr_db : tuple of float
        Signal-to-noise ratios, in dB.
    noise_seeds, noise_n : int
        Seeds and samples under noise.
    """

    grid: Grid
    seeds: int
    n: int
    d: int
    points: tuple[tuple[int, int], ...]
    ladder: tuple[int, ...]
    noisy: tuple[tuple[int, int], ...]
    snr_db: tuple[float, ...]
    noise_seeds: int
    noise_n: int


PRESETS = {
    "smoke": ExactPreset(Grid(1, (1, 5), (2, 10)), 1, 400, 8, ((2, 6),), (40, 400), ((2, 6),), (10.0, 40.0), 1, 400),
    "quick": ExactPreset(
        Grid(1, (2, 5, 10, 20, 50), (5, 20, 50, 100)),
        3,
        2_000,
        20,
        ((2, 10), (10, 50)),
        (100, 200, 400),
        ((10, 50),),
        (10.0, 20.0, 40.0),
        3,
        2_000,
    ),
    "cpu": ExactPreset(
        Grid(1, series_125(1, 200), series_125(1, 500)),
        3,
        20_000,
        100,
        ((10, 50), (20, 100), (50, 100)),
        (500, 1_000, 2_000, 5_000, 10_000, 20_000),
        ((10, 50), (20, 100)),
        (10.0, 20.0, 40.0),
        5,
        20_000,
    ),
    "paper": ExactPreset(
        Grid(1, series_125(1, 1000), series_125(1, 1000)),
        3,
        50_000,
        100,
        ((10, 50), (20, 100), (50, 100), (100, 200)),
        (500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000),
        ((20, 100), (100, 200)),
        (10.0, 20.0, 40.0),
        5,
        50_000,
    ),
}


def cells(preset: str, seed: int) -> list[ExactCell]:
    """Return the cells of a preset; all methods of a point see the same instances."""
    size = PRESETS[preset]
    found = []
    for method in (*METHODS, DATA):
        steps = {"paper": PAPER_STEPS, "robust": ROBUST_STEPS}.get(method)
        found += [
            ExactCell("grid", method, m, s, size.n, size.d, seed + trial, steps)
            for m in size.grid.m
            for s in size.grid.s
            for trial in range(size.seeds)
            if s <= m * size.d
        ]
        found += [
            ExactCell("samples", method, m, s, n, size.d, seed, steps, TRIALS)
            for m, s in size.points
            for n in size.ladder
        ]
        found += [
            ExactCell("noise", method, m, s, size.noise_n, size.d, seed + trial, steps, snr_db=snr_db)
            for m, s in size.noisy
            for snr_db in size.snr_db
            for trial in range(size.noise_seeds)
            if method != DATA
        ]
    return found


def cost(cell: ExactCell) -> float:
    """Return the approximate time of a cell on one core, in seconds."""
    if cell.method == DATA:
        return cell.trials * (0.01 + 6e-11 * cell.n * (2 * cell.d + cell.s) ** 2)
    if cell.method == "exact":
        search = 0.3 + 8e-7 * cell.d * min(2 * cell.m, 1000)
        each = (search + 4e-10 * cell.n * (2 * cell.d + cell.s) ** 2) * (1 if cell.part == "grid" else 3)
    else:
        each = (cell.n_iter or 1) * (1e-3 + cell.n * (1e-10 * cell.d * cell.m + 8e-9 * cell.s))
    return each * cell.trials


def compute(cell: ExactCell, device: str) -> Outcome:
    """Fit and score a cell.

    Parameters
    ----------
    cell : ExactCell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs; instances are drawn on the CPU.

    Returns
    -------
    metrics : dict
        Of the grid: ``psnr_db`` on the samples, ``same_function``, ``exact``, ``weight_error``, ``status``, ``claimed``
        (whether the fit says of itself that it is exact to rounding), ``n_iter``. Of the sample complexity, lists with
        one entry for each network that was tried: ``exact``, ``claimed``. For what the data determine: ``determined``
        (a list in the sample complexity), ``lines``, ``unknowns``, ``angle``, ``between`` and ``shared`` (rows and
        unknowns of the thinnest wedge), ``condition``, ``sigma_min``, ``digits`` (fewest). Under noise: ``error`` of
        the outputs on fresh inputs and that of the oracle, ``oracle_error``, both relative to the planted outputs, in
        the root mean square; ``nonzeros``, ``status``.
    arrays : dict
        The network that was found, or its kink form; ``errors`` of all trials of a cell of the sample complexity.
    """
    if cell.method == DATA:
        return _determined(cell, device)
    if cell.part == "samples":
        return _samples(cell, device)
    return _noisy(cell, device) if cell.part == "noise" else _one(cell, cell.seed, device)


def _fit(cell: ExactCell, X: Any, y: Any, seed: int) -> tuple[Any, Any]:
    """Return a fit and its result: a network, or the kink form if exact recovery gives no network."""
    rng = stream("exact", "fit", cell.part, cell.m, cell.s, cell.n, seed)
    if cell.method == "exact":
        fit = exact_fit(X, y, m=cell.m, s=cell.s, rng=rng)
        return fit, fit.kink_form if fit.network is None else fit.network
    method = cast(networks.Method, cell.method)
    fit = recovery.fit_network(
        X, y, n_neurons=cell.m, sparsity=cell.s, method=method, max_iter=cell.n_iter or 1, rng=rng
    )
    return fit, fit.network


def _instance(cell: ExactCell, seed: int) -> tuple[Any, Any, Any]:
    X, y, truth = planted.release_instance(cell.m, cell.s, seed, n=cell.n, d=cell.d, labels="float64", dtype=cell.dtype)
    return X, y, truth


def _one(cell: ExactCell, seed: int, device: str) -> Outcome:
    X, y, truth = _instance(cell, seed)
    fit, found = _fit(cell, arrays.asarray(X, device), arrays.asarray(y, device), seed)
    kept = fit_arrays(found) if fit.network is not None else form_arrays(found)
    metrics = {
        "psnr_db": float(fit.psnr_db),
        "n_iter": int(fit.n_iter),
        "status": fit.status.name,
        "claimed": fit.status.name == "EXACT",
        "nonzeros": None if fit.network is None else int(fit.network.sparsity),
    }
    if fit.psnr_db == -math.inf:  # weights that leave the range of the numbers
        return {**metrics, "weight_error": math.inf, "same_function": False, "exact": False}, kept
    match = planted.match_networks(found, truth, atol=ATOL)
    return {
        **metrics,
        "weight_error": match.weight_error,
        "same_function": bool(match.same_function),
        "exact": bool(match.exact),
    }, kept


def _samples(cell: ExactCell, device: str) -> Outcome:
    outcomes: list[dict[str, Any]] = []
    for trial in range(cell.trials):
        outcomes.append(_one(cell, cell.seed + trial, device)[0])
        if sum(not one["exact"] for one in outcomes) > TRIALS - ENOUGH:
            break
    return {name: [one[name] for one in outcomes] for name in ("exact", "claimed")}, {
        "errors": np.array([one["weight_error"] for one in outcomes])
    }


def _moved(network: planted.ReLUNetwork, device: str) -> planted.ReLUNetwork:
    return planted.ReLUNetwork([arrays.asarray(layer, device) for layer in network.layers])


def _determined(cell: ExactCell, device: str) -> Outcome:
    found = []
    for trial in range(cell.trials):
        X, _, truth = _instance(cell, cell.seed + trial)
        found.append(identifiability(arrays.asarray(X, device), _moved(truth, device)))
    if cell.part == "samples":
        return {"determined": [one.determined for one in found]}, {}
    one = found[0]
    rows, unknowns = one.thinnest
    return {
        "determined": one.determined,
        "lines": one.n_lines,
        "unknowns": one.n_unknowns,
        "apart": int(one.apart.sum()),
        "angle": one.smallest_angle,
        "between": rows,
        "shared": unknowns,
        "sigma_min": one.sigma_min,
        "condition": one.condition,
        "digits": one.fewest_digits,
    }, {"digits": one.digits, "angles": one.angles}


def _noisy(cell: ExactCell, device: str) -> Outcome:
    X, y, truth = _instance(cell, cell.seed)
    assert cell.snr_db is not None  # cells() gives one to each of these
    size = float(np.sqrt((y**2).mean())) * 10 ** (-cell.snr_db / 20)
    noisy = y + size * stream("exact", "noise", cell.m, cell.s, cell.n, cell.seed).standard_normal(cell.n)
    fit, found = _fit(cell, arrays.asarray(X, device), arrays.asarray(noisy, device), cell.seed)
    fresh = stream("exact", "fresh", cell.d, cell.seed).standard_normal((FRESH, cell.d))
    target = truth(fresh)
    outputs = arrays.to_numpy(found(arrays.asarray(fresh, device)))

    def error(values: np.ndarray) -> float:
        return float(np.sqrt(((values - target) ** 2).mean() / (target**2).mean()))

    return {
        "psnr_db": float(fit.psnr_db),
        "error": error(outputs),
        "oracle_error": error(oracle_network(X, noisy, truth)(fresh)),
        "nonzeros": None if fit.network is None else int(fit.network.sparsity),
        "n_iter": int(fit.n_iter),
        "status": fit.status.name,
        "claimed": fit.status.name == "EXACT",
        "exact": False,
    }, fit_arrays(found) if fit.network is not None else form_arrays(found)


def oracle_network(X: np.ndarray, y: np.ndarray, truth: planted.ReLUNetwork) -> planted.ReLUNetwork:
    """Return the least-squares fit of an oracle that knows the support, the gates and the output weights.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Inputs.
    y : numpy.ndarray, shape (n,)
        Labels with noise.
    truth : planted.ReLUNetwork
        The planted network.

    Returns
    -------
    planted.ReLUNetwork
        The planted network with its non-zero hidden weights fitted.
    """
    hidden, output = truth.layers
    place = np.nonzero(hidden.T)  # neuron by neuron
    gates = X @ hidden > 0
    columns = X[:, place[1]] * gates[:, place[0]] * output[place[0]]
    weights = np.zeros(hidden.shape)
    weights[place[1], place[0]] = np.linalg.lstsq(columns, y, rcond=None)[0]
    return planted.ReLUNetwork([weights, output])


def smallest_n(reached: dict[int, bool], ladder: Sequence[int]) -> int | None:
    """Return the smallest n from which on all sizes of the ladder are reached; None if the largest is not."""
    found = None
    for n in sorted(ladder, reverse=True):
        if not reached.get(n, False):
            break
        found = n
    return found


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return heat maps of success rates and PSNR, the smallest n of each method, and errors under noise."""
    size = PRESETS[preset]
    parts: dict[str, list[Record]] = {"grid": [], "samples": [], "noise": []}
    for record in records:
        parts[record.cell.settings["part"]].append(record)
    rows = _rows(size, parts["grid"])
    samples, noise = _complexity(size, parts["samples"]), _noise(size, parts["noise"])
    seeds = ", ".join(str(seed + trial) for trial in range(size.seeds))
    told = [record.metrics["determined"] for record in parts["grid"] if record.cell.settings["method"] == DATA]
    return {
        "subtitle": f"n = {size.n:,} samples, d = {size.d} Gaussian inputs, seeds {seeds}, float64 labels\n"
        f"the paper's method: {PAPER_STEPS} steps; robust: up to {ROBUST_STEPS}; the data distinguish all "
        f"lines "
        f"in {sum(told)} of {len(told)} networks",
        "rows": rows,
        "samples": samples,
        "noise": noise,
        "table": values_table(rows),
        "tables": [_totals(parts), _samples_table(size, parts["samples"], samples), _noise_table(noise)],
        "notes": [
            "Exact: the fit has the kink form of the planted network: its lines and supports, and its weights to "
            f"{ATOL:g} of their norm. PSNR in dB on the samples that were fitted, on the paper's colour scale; "
            "labels are not rounded to float32, so that an exact fit is above 250 dB.",
            f"Sample complexity: the smallest n of {', '.join(f'{n:,}' for n in size.ladder)} from which on "
            f"the method finds at least {ENOUGH} of {TRIALS} networks, or the data distinguish all lines in as many "
            f"of "
            "them. Unknowns: the linear part, the bends on the axes and the weights, 2 d + s.",
            "Noise: root-mean-square errors of the outputs on fresh inputs, relative to the planted outputs; medians "
            "over the seeds. The oracle knows the support and the gates and makes one least-squares fit.",
        ],
    }


def _rows(size: ExactPreset, records: Sequence[Record]) -> list[dict[str, Any]]:
    def possible(m: int, s: int) -> bool:
        return s <= m * size.d

    shares = {method: shares_above(statistics(records, "exact", 1, method), 0.5) for method in METHODS}
    scores = {method: medians_of(statistics(records, "psnr_db", 1, method)) for method in METHODS}
    exact = panel_row(
        "exact",
        "recovered exactly\n(% of the seeds)",
        (0.0, 100.0),
        size.grid,
        shares,
        possible,
        labels=LABELS,
    )
    psnr = panel_row("PSNR", "median PSNR (dB)", COLOUR_RANGE_DB, size.grid, scores, possible, labels=LABELS)
    return [exact, psnr]


def _complexity(size: ExactPreset, records: Sequence[Record]) -> dict[str, Any]:
    reached: dict[tuple[str, int, int], dict[int, bool]] = {}
    for record in records:
        settings = record.cell.settings
        key = (settings["method"], settings["m"], settings["s"])
        found = record.metrics["determined" if settings["method"] == DATA else "exact"]
        reached.setdefault(key, {})[settings["n"]] = sum(found) >= ENOUGH
    return {
        "points": [[m, s] for m, s in size.points],
        "unknowns": [2 * size.d + s for _, s in size.points],
        "ladder": list(size.ladder),
        "wanted": f"{ENOUGH} of {TRIALS}",
        "methods": {
            method: {
                "label": LABELS[method],
                "n": [smallest_n(reached.get((method, m, s), {}), size.ladder) for m, s in size.points],
                "measured": [(method, m, s) in reached for m, s in size.points],
            }
            for method in (*METHODS, DATA)
        },
    }


def _noise(size: ExactPreset, records: Sequence[Record]) -> list[dict[str, Any]]:
    found: dict[tuple[str, int, int, float], list[tuple[float, float]]] = {}
    for record in records:
        settings, metrics = record.cell.settings, record.metrics
        key = (settings["method"], settings["m"], settings["s"], settings["snr_db"])
        found.setdefault(key, []).append((metrics["error"], metrics["oracle_error"]))

    def middle(method: str, m: int, s: int, what: Any) -> list[float | None]:
        values = [found.get((method, m, s, snr_db)) for snr_db in size.snr_db]
        return [None if pairs is None else float(median(map(what, pairs))) for pairs in values]

    panels = []
    for m, s in size.noisy:
        curves = {
            method: {
                "label": LABELS[method],
                "error": middle(method, m, s, lambda pair: pair[0]),
                "ratio": middle(method, m, s, lambda pair: pair[0] / pair[1]),
            }
            for method in METHODS
        }
        oracle = {"label": "oracle", "error": middle("exact", m, s, lambda pair: pair[1])}
        panels.append({"m": m, "s": s, "snr_db": list(size.snr_db), "curves": {**curves, "oracle": oracle}})
    return panels


def _totals(parts: dict[str, list[Record]]) -> dict[str, Any]:
    """Return each method's statuses; a network other than the planted one is wrong if the data distinguish them."""
    told: dict[tuple[int, ...], bool] = {}
    for record in (*parts["grid"], *parts["samples"]):
        settings = record.cell.settings
        if settings["method"] == DATA:
            for trial, determined in enumerate(_list(record.metrics["determined"])):
                told[_instance_of(settings, trial)] = determined
    lines: list[list[Any]] = []
    for method in METHODS:
        own = {
            name: [record for record in found if record.cell.settings["method"] == method]
            for name, found in parts.items()
        }
        fits = [
            (_instance_of(record.cell.settings, trial), exact, claimed)
            for record in (*own["grid"], *own["samples"])
            for trial, (exact, claimed) in enumerate(
                zip(_list(record.metrics["exact"]), _list(record.metrics["claimed"]), strict=True)
            )
        ]
        other = [told.get(key) for key, exact, claimed in fits if claimed and not exact]
        noisy = sum(record.metrics["claimed"] for record in own["noise"])  # no fit of noise is exact
        seconds = [float(record.run["wall_s"]) for record in own["grid"] if record.run.get("wall_s") is not None]
        lines.append(
            [
                LABELS[method],
                len(own["grid"]),
                sum(record.metrics["exact"] for record in own["grid"]),
                noisy + sum(claimed for _, _, claimed in fits),
                noisy + sum(known is not False for known in other),
                sum(known is False for known in other),
                float(median(seconds)) if seconds else None,
                max(seconds) if seconds else None,
            ]
        )
    columns = ["method", "fits of the grid", "exact", "fits reported as exact (all parts)", "wrongly reported"]
    columns += [
        "another network that the data do not distinguish from it",
        "wall time of the grid (s, median)",
        "largest",
    ]
    return {"title": "All fits of each method, and how many it reports as exact", "columns": columns, "rows": lines}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _instance_of(settings: Mapping[str, Any], trial: int) -> tuple[int, ...]:
    return settings["m"], settings["s"], settings["n"], settings["d"], settings["seed"] + trial


def _samples_table(size: ExactPreset, records: Sequence[Record], samples: dict[str, Any]) -> dict[str, Any]:
    counts = {}
    for record in records:
        one, metrics = record.cell.settings, record.metrics
        found = metrics["determined" if one["method"] == DATA else "exact"]
        counts[one["method"], one["m"], one["s"], one["n"]] = f"{sum(found)}/{len(found)}"
    lines = [
        [LABELS[method], m, s, unknowns, least, *(counts.get((method, m, s, n)) for n in size.ladder)]
        for method in (*METHODS, DATA)
        for (m, s), unknowns, least in zip(
            size.points, samples["unknowns"], samples["methods"][method]["n"], strict=True
        )
    ]
    columns = ["method", "m", "s", "unknowns", f"smallest n for {ENOUGH} of {TRIALS}"]
    title = "Sample complexity: networks found of those tried; a second failure ends the trials"
    return {"title": title, "columns": [*columns, *(f"n = {n}" for n in size.ladder)], "rows": lines}


def _noise_table(noise: Sequence[dict[str, Any]]) -> dict[str, Any]:
    lines = [
        [panel["m"], panel["s"], snr_db, panel["curves"]["oracle"]["error"][place]]
        + [panel["curves"][method]["ratio"][place] for method in METHODS]
        for panel in noise
        for place, snr_db in enumerate(panel["snr_db"])
    ]
    columns = ["m", "s", "signal to noise (dB)", "error of the oracle", *(LABELS[method] for method in METHODS)]
    return {"title": "Error under noise, over that of the oracle (medians)", "columns": columns, "rows": lines}


def summarise_limits(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the data determine over the grid: angles, wedges, condition numbers and digits, the worst seed."""
    size = PRESETS[preset]
    found: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for record in records:
        settings = record.cell.settings
        if (settings["part"], settings["method"]) == ("grid", DATA):
            found.setdefault((settings["m"], settings["s"]), []).append(record.metrics)
    panels = []
    for title, scale, limits, worst, value in LIMITS:
        points = {key: worst(value(one) for one in seeds) for key, seeds in found.items()}
        panels.append(
            {
                "title": title,
                "scale": scale,
                "limits": list(limits),
                "m": list(size.grid.m),
                "s": list(size.grid.s),
                "possible": [[s <= m * size.d for s in size.grid.s] for m in size.grid.m],
                "values": [[points.get((m, s)) for s in size.grid.s] for m in size.grid.m],
            }
        )
    seeds = ", ".join(str(seed + trial) for trial in range(size.seeds))
    apart = [one["determined"] for every in found.values() for one in every]
    return {
        "subtitle": f"n = {size.n:,} samples, d = {size.d} Gaussian inputs; worst over the seeds {seeds}\n"
        f"the data distinguish all lines in {sum(apart)} of {len(apart)} networks; inf: fewer than two lines, or no "
        "full rank",
        "panels": panels,
        "table": _limits_table(found),
        "notes": [
            "Angles are those between lines, and between lines and axes. Two lines that share q inputs are "
            "distinguished only by the rows between them, of which there have to be at least q. Condition numbers "
            "are of the Jacobian of the free kink form, with columns of norm 1, at the planted network.",
            "Digits: -log10 of the largest relative change of a line's weights that an error of eps |y| in the labels "
            "can cause; labels rounded to float32 cost 8.4 digits. 0: some line is not determined.",
        ],
    }


LIMITS: tuple[tuple[str, str, tuple[float, float], Any, Any], ...] = (
    ("smallest angle (rad)", "log", (1e-4, 1.0), min, lambda one: one["angle"]),
    (
        "rows in the thinnest wedge, per unknown",
        "log",
        (1.0, 1e4),
        min,
        lambda one: one["between"] / one["shared"] if one["shared"] else math.inf,
    ),
    ("condition number of the Jacobian", "log", (1.0, 1e8), max, lambda one: one["condition"]),
    ("digits of the least certain line", "linear", (0.0, 16.0), min, lambda one: one["digits"]),
)
"""Title, scale, ends of the colours, which seed is shown, and the value of each."""


def _limits_table(found: dict[tuple[int, int], list[Mapping[str, Any]]]) -> dict[str, Any]:
    columns = ["m", "s", "seeds", "lines", "unknowns", "distinguished", "smallest angle", "rows of the thinnest wedge"]
    columns += ["unknowns of that wedge", "sigma_min", "condition", "fewest digits"]
    rows: list[list[Any]] = []
    for (m, s), seeds in sorted(found.items()):
        ratios = [one["between"] / one["shared"] if one["shared"] else math.inf for one in seeds]
        thin = seeds[ratios.index(min(ratios))]
        lines = " ".join(str(one["lines"]) for one in seeds)
        unknowns = " ".join(str(one["unknowns"]) for one in seeds)
        apart = f"{sum(one['determined'] for one in seeds)}/{len(seeds)}"
        row: list[Any] = [m, s, len(seeds), lines, unknowns, apart, min(one["angle"] for one in seeds)]
        row += [thin["between"], thin["shared"], min(one["sigma_min"] for one in seeds)]
        rows.append([*row, max(one["condition"] for one in seeds), min(one["digits"] for one in seeds)])
    return {"columns": columns, "rows": rows}


EXACT = Experiment(
    name="exact",
    version=1,
    title="Planted ReLU networks: exact recovery",
    module=__name__,
    settings=ExactCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
    layout="figures.exact",
    shows="which planted networks are recovered exactly, from how many samples, and the error under noise, "
    ""
    "for the paper's method, the robust one and exact recovery",
    place=402,
)
LIMITS_OF_DATA = EXACT.companion(
    "exact-limits",
    "Planted ReLU networks: what the data determine",
    summarise_limits,
    layout="figures.limits",
    shows="how accurately the data determine these networks: angles between lines, rows between them, condition "
    "numbers, and accurate digits",
    place=404,
)
EXPERIMENTS = (EXACT, LIMITS_OF_DATA)
