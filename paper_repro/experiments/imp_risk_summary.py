"""What the paths of `imp-risk` amount to: medians, quartiles and means over the runs, and closed forms beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from linear_lottery.closed_forms import moments, risks
from paper_repro.experiments.intervals import mean_interval, median_interval
from paper_repro.experiments.lottery import SOURCE, pooled, rate_text
from paper_repro.store import Record

__all__ = ["EARLIER", "summarise_risks"]

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
    columns += ["random nulls, mean", "E5", "largest m, not retrained, mean", "E4, approximated", "earlier trial"]
    return {
        "subtitle": f"Gaussian rows, k = {k} weights of {amplitude:g}, noise {noise:g}; "
        f"{' or '.join(map(str, runs))} runs; lines: medians, bands: quartiles",
        "k": k,
        "panels": shown,
        "notes": [
            SOURCE + " Brackets: 95 % intervals, of order statistics for medians, Student's for means.",
            "Random nulls: nested masks of the planted support and nulls drawn at random; E5 is the exact mean of "
            "their error, infinite for |m - n| <= 1 (there and near it sample means say little: heavy tails).",
            "E4, approximated: the exact risk of keeping the m largest of independent Gaussian weights with the "
            "variance of the full fit, noise^2 / (n - d - 1).",
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
