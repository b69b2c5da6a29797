"""What the runs of `rsc` amount to: medians and ranges over the seeds, and what a theorem would ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from paper_repro.experiments.lottery import SOURCE
from paper_repro.store import Record

__all__ = ["asked_for", "summarise_ratios"]


def asked_for(ratio: float, s: int) -> float:
    """Return 32 (beta / alpha)^2 s, the sparsity on which iterative hard thresholding would have to project.

    Parameters
    ----------
    ratio : float
        beta / alpha.
    s : int
        Planted non-zeros.

    Returns
    -------
    float
        A number of weights.

    References
    ----------
    Jain, Tewari and Kar, "On iterative hard thresholding methods for high-dimensional M-estimation", NIPS 2014 (the
    constant from memory of the literature).
    """
    return 32.0 * ratio**2 * s


def summarise_ratios(
    widths: Sequence[int], sparsities: Sequence[int], n: int, d: int, records: Sequence[Record]
) -> dict[str, Any]:
    """Return curves over s, a curve a width, and the table.

    Parameters
    ----------
    widths, sparsities : sequence of int
        m and s.
    n, d : int
        Samples and inputs.
    records : sequence of Record
        Finished cells.

    Returns
    -------
    dict
        The experiment's summary.
    """
    found: dict[tuple[int, int], list[float]] = {}
    for record in records:
        settings, metrics = record.cell.settings, record.metrics
        ratio = metrics["beta"] / metrics["alpha"] if metrics["alpha"] > 0 else math.inf
        found.setdefault((settings["m"], settings["s"]), []).append(ratio)
    curves = []
    for m in widths:
        points = [(s, found[m, s]) for s in sparsities if (m, s) in found]
        curves.append(
            {
                "m": m,
                "s": [s for s, _ in points],
                "median": [_median(ratios) for _, ratios in points],
                "low": [_finite(min(ratios)) for _, ratios in points],
                "high": [_finite(max(ratios)) for _, ratios in points],
                "dependent": [sum(math.isinf(ratio) for ratio in ratios) for _, ratios in points],
                "asked": [_share(_median(ratios), s, m * d) for s, ratios in points],
                "asked_low": [_share(min(ratios), s, m * d) for s, ratios in points],
                "asked_high": [_share(max(ratios), s, m * d) for s, ratios in points],
            }
        )
    seeds = max(map(len, found.values()), default=0)
    least = min((asked_for(ratio, s) / (m * d) for (m, s), ratios in found.items() for ratio in ratios), default=None)
    return {
        "subtitle": f"n = {n:,}, d = {d}, gates of the planted network, unit columns\n{seeds} seeds: median and "
        "range; arrow: infinite for some (two neurons share a column), no dot: for most",
        "d": d,
        "curves": curves,
        "least": least,
        "notes": [
            SOURCE + " Networks, inputs and seeds are those of the paper's planted experiments.",
            "beta / alpha is that of the planted support only. The condition wants it over all supports of an order "
            "above s, where by interlacing it is no smaller: 32 (beta/alpha)^2 s is the least that it can ask for.",
            f"In the mildest network shown it asks for {least:.3g} times all d m hidden weights."
            if least is not None
            else "",
            "Dependent: seeds on which planted columns coincide (two neurons with the same single weight); their ratio "
            "is infinite.",
        ],
        "table": _table(found, d),
    }


def _table(found: dict[tuple[int, int], list[float]], d: int) -> dict[str, Any]:
    columns = ["m", "s", "seeds", "dependent", "beta/alpha: median", "smallest", "largest"]
    columns += ["32 (beta/alpha)^2 s: median", "d m", "asked / (d m): median"]
    rows = []
    for (m, s), ratios in sorted(found.items()):
        middle = _middle(ratios)
        dependent = sum(math.isinf(ratio) for ratio in ratios)
        asked = asked_for(middle, s)
        row: list[Any] = [m, s, len(ratios), dependent, middle, min(ratios), max(ratios)]
        rows.append([*row, asked, d * m, asked / (d * m)])
    return {"columns": columns, "rows": rows}


def _middle(ratios: Sequence[float]) -> float:
    """Return the median of values that may be infinite."""
    ordered = sorted(ratios)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _median(ratios: Sequence[float]) -> float | None:
    return _finite(_middle(ratios))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _share(ratio: float | None, s: int, weights: int) -> float | None:
    return None if ratio is None or math.isinf(ratio) else asked_for(ratio, s) / weights
