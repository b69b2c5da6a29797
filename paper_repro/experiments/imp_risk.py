"""Excess test error along the path of iterative magnitude pruning, compared with masks chosen without the data.

Rows N(0, I), so that the excess test error of weights w is |w - w*|^2. Pruning one weight at a time gives weights for
every number m of survivors. Beside them stand nested masks that hold the planted support and nulls drawn at random:
their mean error is known in closed form (E5), it has a peak at m = n, and pruning by magnitude, which keeps the nulls
that fit the noise best, lies above it until it meets it at m = k, where both are least squares on the support.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import linear_lottery
import planted
from linear_lottery.closed_forms import moments, risks
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import stream
from paper_repro.experiments.intervals import mean_interval, median_interval
from paper_repro.experiments.lottery import SOURCE, pooled, rate_text
from paper_repro.store import Record
from planted.base import arrays

__all__ = ["EARLIER", "EXPERIMENTS", "RiskCell", "RiskPreset", "summarise_risks"]


EARLIER: dict[tuple[int, int, float], tuple[str, dict[int, float], str]] = {
    (200, 100, 0.0): (
        "mean",
        {100: 0.993, 75: 0.971, 50: 0.819, 30: 0.534, 20: 0.340, 15: 0.217, 10: 0.053, 8: 2.10, 5: 5.14},
        "1.00",
    ),
    (100, 200, 0.0): (
        "median",
        {200: 6.08, 120: 6.00, 101: 6.20, 100: 6.6, 90: 6.9, 75: 6.9, 50: 4.4, 20: 0.95, 10: 0.117},
        "0.78",
    ),
    (100, 200, 0.1): ("median", {}, "0.65"),
}
"""An earlier trial with other code and other seeds, 60 runs, k = 10: (n, d, alpha) -> which average, its value a number
of survivors, and the share of runs whose last k survivors were the planted support."""


def summarise_risks(
    panels: Sequence[tuple[int, int, float]], k: int, amplitude: float, noise: float, records: Sequence[Record]
) -> dict[str, Any]:
    """Return the curves of each panel and the table."""
    shown, rows = [], []
    recovered = pooled(records, ["recovered"], lambda s: (s["n"], s["d"], s["alpha"]))
    for n, d, alpha in panels:
        own = [record for record in records if _place(record) == (n, d, alpha)]
        if not own:
            continue
        data = {name: np.concatenate([record.arrays[name] for record in own]) for name in ("imp", "truncated", "fixed")}
        panel = _panel((n, d, alpha), k, amplitude, noise, data, [int(m) for m in own[0].arrays["fixed_sizes"]])
        panel["recovered"] = recovered[n, d, alpha]["recovered"]
        shown.append(panel)
        rows += _rows(panel, data)
    runs = sorted({panel["runs"] for panel in shown})
    columns = ["n", "d", "alpha", "survivors", "runs", "IMP, median", "IMP, mean", "random nulls, median"]
    columns += [
        "random nulls, mean",
        "closed form",
        "largest m, not retrained, mean",
        "approximate closed form",
        "earlier trial",
    ]
    return {
        "subtitle": f"Gaussian rows, k = {k} weights of {amplitude:g}, noise {noise:g}; "
        f"{' or '.join(map(str, runs))} runs; lines: medians, bands: quartiles",
        "k": k,
        "panels": shown,
        "notes": [
            SOURCE + " Brackets: 95 % intervals, of order statistics for medians, Student's for means.",
            "Random nulls: nested masks of the planted support and random zero weights; the closed form is the exact "
            "mean of their error, infinite for |m - n| <= 1 (there and nearby, heavy tails make sample means "
            "unreliable).",
            "The approximate closed form: the exact risk of keeping the m largest of independent Gaussian weights with "
            "the variance of the full fit, noise^2 / (n - d - 1).",
            *(f"n = {p['n']}, d = {p['d']}, start {p['alpha']:g}: {_recovered(p)}" for p in shown),
        ],
        "table": {"columns": columns, "rows": rows},
    }


def _place(record: Record) -> tuple[int, int, float]:
    settings = record.cell.settings
    return settings["n"], settings["d"], settings["alpha"]


def _panel(
    place: tuple[int, int, float],
    k: int,
    amplitude: float,
    noise: float,
    data: dict[str, np.ndarray],
    sizes: Sequence[int],
) -> dict[str, Any]:
    n, d, alpha = place
    power = amplitude**2
    exact = [
        moments.fixed_mask_risk(n, m, noise, signal=min(m, k) * power, alpha=alpha, missing=max(k - m, 0) * power)
        for m in range(1, d + 1)
    ]
    kept = None
    if n >= d + 2:
        s = noise / math.sqrt(n - d - 1)
        kept = {"survivors": list(sizes), "mean": [risks.top_m_risk(d, k, m, amplitude, s) for m in sizes]}
    return {
        "n": n,
        "d": d,
        "k": k,
        "alpha": alpha,
        "runs": len(data["imp"]),
        "imp": {"survivors": list(range(d, 0, -1)), **_spread(data["imp"])},
        "fixed": {"survivors": list(sizes), **_spread(data["fixed"])},
        "truncated": {"survivors": list(range(d, 0, -1)), **_spread(data["truncated"])},
        "exact": [value if math.isfinite(value) else None for value in map(float, exact)],
        "kept": kept,
        "oracle": float(moments.fixed_mask_risk(n, k, noise)),
    }


def _spread(runs: np.ndarray) -> dict[str, list[float]]:
    """Return median, quartiles and mean over the runs, shape (runs, sizes)."""
    low, middle, high = np.quantile(runs, (0.25, 0.5, 0.75), axis=0)
    named = {"low": low, "median": middle, "high": high, "mean": runs.mean(axis=0)}
    return {name: values.tolist() for name, values in named.items()}


def _rows(panel: dict[str, Any], data: dict[str, np.ndarray]) -> list[list[Any]]:
    n, d, k, alpha = (panel[name] for name in ("n", "d", "k", "alpha"))
    full = k == 10 and (n, d, alpha) in EARLIER
    which, values, _ = EARLIER[n, d, alpha] if full else ("", {}, "")
    common = sorted({*panel["fixed"]["survivors"], *values}, reverse=True)
    wanted = [m for m in common if m in values or m in (d, n, k) or m % max(1, d // 8) == 0]
    kept = dict(zip(panel["kept"]["survivors"], panel["kept"]["mean"], strict=True)) if panel["kept"] else {}
    rows = []
    for m in wanted:
        imp, column = data["imp"][:, d - m], None
        if m in panel["fixed"]["survivors"]:
            column = data["fixed"][:, panel["fixed"]["survivors"].index(m)]
        exact = panel["exact"][m - 1]
        rows.append(
            [
                n,
                d,
                alpha,
                m,
                panel["runs"],
                _median(imp),
                _mean(imp),
                _median(column),
                _mean(column),
                math.inf if exact is None else exact,
                float(data["truncated"][:, d - m].mean()),
                kept.get(m),
                f"{which} {values[m]:g}" if m in values else None,
            ]
        )
    return rows


def _median(values: np.ndarray | None) -> str | None:
    if values is None:
        return None
    ends = median_interval(values.tolist())
    return f"{np.median(values):.3g}" + (f" [{ends[0]:.3g}, {ends[1]:.3g}]" if ends else "")


def _mean(values: np.ndarray | None) -> str | None:
    if values is None:
        return None
    ends = mean_interval(values.tolist())
    return f"{values.mean():.3g}" + (f" [{ends[0]:.3g}, {ends[1]:.3g}]" if ends else "")


def _recovered(panel: dict[str, Any]) -> str:
    place = (panel["n"], panel["d"], panel["alpha"])
    earlier = f" (earlier trial: {EARLIER[place][2]})" if panel["k"] == 10 and place in EARLIER else ""
    return f"the last k survivors were the planted support in {rate_text(panel['recovered'])} of the runs{earlier}."


@dataclass(frozen=True)
class RiskCell:
    """`trials` paths of pruning one weight at a time, on one size and one scale of the start."""

    n: int
    d: int
    alpha: float
    seed: int
    trials: int
    k: int = 10
    amplitude: float = 1.0
    noise: float = 1.0
    dtype: str = "float64"


@dataclass(frozen=True)
class RiskPreset:
    """Panels (n, d, alpha), and for each of them how many cells of how many paths."""

    panels: tuple[tuple[int, int, float], ...]
    trials: tuple[int, ...]
    chunks: tuple[int, ...]
    k: int = 10


FULL = ((200, 100, 0.0), (100, 200, 0.0), (100, 200, 0.1))
PRESETS = {
    "smoke": RiskPreset(((40, 20, 0.0), (20, 40, 0.0), (20, 40, 0.1)), trials=(3, 3, 3), chunks=(2, 2, 2), k=3),
    "quick": RiskPreset(FULL, trials=(20, 4, 4), chunks=(2, 4, 4)),
    "cpu": RiskPreset(FULL, trials=(50, 8, 8), chunks=(8, 25, 25)),
    "paper": RiskPreset(FULL, trials=(100, 10, 10), chunks=(20, 100, 100)),
}


def cells(preset: str, seed: int) -> list[RiskCell]:
    """Return the cells of a preset; the chunks of a panel differ in their seed."""
    grid = PRESETS[preset]
    return [
        RiskCell(n, d, alpha, seed + chunk, trials, grid.k)
        for (n, d, alpha), trials, chunks in zip(grid.panels, grid.trials, grid.chunks, strict=True)
        for chunk in range(chunks)
    ]


def cost(cell: RiskCell) -> float:
    """Return the cost of a cell: one decomposition per mask if there are few samples, otherwise one factorisation."""
    rounds = cell.d if cell.n < cell.d else 30
    return cell.trials * rounds * float(cell.n) * cell.d * min(cell.n, cell.d)


def fixed_sizes(n: int, d: int, k: int) -> list[int]:
    """Return the sizes of the fixed masks: steps of 5, and all near k and near n."""
    near = [place + step for place in (k, n) for step in (-3, -2, -1, 0, 1, 2, 3)]
    return sorted({m for m in (*range(5, d + 1, 5), *near, 1, d) if 1 <= m <= d})


def compute(cell: RiskCell, device: str) -> Outcome:
    """Prune, and fit the fixed masks.

    Parameters
    ----------
    cell : RiskCell
        The settings.
    device : {"cpu", "gpu"}
        Where the fits run; instances and starts are drawn on the CPU.

    Returns
    -------
    metrics : dict
        ``trials``, and in ``recovered`` how often the k last survivors were the planted support.
    arrays : dict
        Excess errors |w - w*|^2: ``imp``, shape (trials, d), for d, d - 1, ..., 1 survivors; ``truncated``, same
        shape, for the m largest weights of the first fit without training again; ``fixed``, shape (trials, sizes),
        for nested masks of ``fixed_sizes``. ``recovered``, bool, shape (trials,).
    """
    sizes = fixed_sizes(cell.n, cell.d, cell.k)
    found: dict[str, list[Any]] = {name: [] for name in ("imp", "truncated", "fixed", "recovered")}
    for trial in range(cell.trials):
        key = (cell.n, cell.d, cell.k, cell.seed, trial)
        X, y, w = planted.linear_model(
            cell.n,
            cell.d,
            cell.k,
            amplitude=cell.amplitude,
            noise=cell.noise,
            rng=stream("imp-risk", "instance", *key),
            dtype=cell.dtype,
        )
        w0 = cell.alpha * stream("imp-risk", "start", *key).standard_normal(cell.d)
        support = np.flatnonzero(w)
        nulls = stream("imp-risk", "masks", *key).permutation(np.setdiff1d(np.arange(cell.d), support))
        ranks = np.empty(cell.d, dtype=int)
        ranks[np.concatenate((support, nulls))] = np.arange(cell.d)
        X, y, w0 = (arrays.asarray(part, device, cell.dtype) for part in (X, y, w0))
        path = linear_lottery.imp(X, y, 1, w0=w0, schedule="one-by-one")
        weights = arrays.to_numpy(path.weights)
        found["imp"].append(((weights - w) ** 2).sum(axis=1))
        found["truncated"].append(_truncated(weights[0], w))
        fits = [
            arrays.to_numpy(linear_lottery.gradient_flow(X, y, w0, mask=arrays.asarray(ranks < m, device)))
            for m in sizes
        ]
        found["fixed"].append([float(((fit - w) ** 2).sum()) for fit in fits])
        mask = arrays.to_numpy(path.masks[path.round_of(cell.k)])
        found["recovered"].append(bool(np.array_equal(np.flatnonzero(mask), support)))
    metrics = {"trials": cell.trials, "recovered": sum(found["recovered"])}
    return metrics, {name: np.array(values) for name, values in found.items()} | {"fixed_sizes": np.array(sizes)}


def _truncated(w: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the error of the m largest weights, the others set to zero, for m = d, d - 1, ..., 1."""
    order = np.argsort(np.abs(w), kind="stable")
    change = truth[order] ** 2 - (w - truth)[order] ** 2  # of pruning the smallest, the second smallest, ...
    return ((w - truth) ** 2).sum() + np.concatenate(([0.0], np.cumsum(change)[:-1]))


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the figure and the table show."""
    grid = PRESETS[preset]
    return summarise_risks(grid.panels, grid.k, RiskCell.amplitude, RiskCell.noise, records)


EXPERIMENTS = (
    Experiment(
        name="imp-risk",
        version=1,
        title="Our experiment: excess test error along the path of pruning one weight at a time",
        module=__name__,
        settings=RiskCell,
        presets=PRESETS,
        cells=cells,
        cost=cost,
        compute=compute,
        summarise=summarise,
        layout="figures.imp_risk",
        shows="excess test error along the path of pruning, with closed forms",
        place=340,
    ),
)
