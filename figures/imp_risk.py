"""Excess test error against survivors: pruning by magnitude, random masks, and the closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator

from figures.lottery import legend_below, numbers
from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

CEILING = 4.0
"""The axis ends at this multiple of the largest median of pruning; the closed form goes to infinity at m = n."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels."""
    return len(summary["panels"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 3.7


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, side by side."""
    return list(figure.subplots(1, count, sharey=True, squeeze=False)[0])


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw medians with quartiles, the closed forms, and marks at m = k and m = n."""
    for position, (panel, one) in enumerate(zip(axes, summary["panels"], strict=True)):
        _curves(panel, one)
        _marks(panel, one)
        panel.set_xlabel("survivors m")
        panel.set_title(f"n = {one['n']}, d = {one['d']}, start {one['alpha']:g}")
        if position == 0:
            panel.set_ylabel("excess test error |w - w*|²")
    top = max(max(one["imp"]["median"]) for one in summary["panels"])
    bottom = min(min(one["imp"]["low"]) for one in summary["panels"])
    for panel in axes:
        panel.set_ylim(0.5 * bottom, CEILING * top)
    legend_below(axes, own, 2)


def _curves(panel: Any, one: dict[str, Any]) -> None:
    every = np.arange(1, one["d"] + 1)
    for name, colour, text in (("fixed", "orange", "random nulls, median"), ("imp", "blue", "IMP, median")):
        found = one[name]
        band = {"color": COLOURS[colour], "alpha": 0.2, "linewidth": 0}
        panel.fill_between(found["survivors"], found["low"], found["high"], **band)
        panel.plot(found["survivors"], found["median"], color=COLOURS[colour], label=text)
    if one["n"] > one["d"]:  # with fewer samples the tails are too heavy for a mean to say anything
        look = {"color": COLOURS["blue"], "linestyle": "--", "linewidth": 0.9}
        panel.plot(one["imp"]["survivors"], one["imp"]["mean"], label="IMP, mean", **look)
    look = {"color": "black", "linestyle": (0, (1, 1.2)), "linewidth": 1.3}
    panel.plot(every, numbers(one["exact"]), label="random nulls, exact mean (closed form)", **look)
    if one["kept"] is not None:
        label = "largest m, not retrained (approximate closed form)"
        panel.plot(
            one["kept"]["survivors"],
            one["kept"]["mean"],
            color=COLOURS["green"],
            linestyle="-.",
            linewidth=1.0,
            label=label,
        )
    panel.axhline(one["oracle"], color="0.4", linewidth=0.8, linestyle="--", label="oracle, exact mean")
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.minorticks_off()


def _marks(panel: Any, one: dict[str, Any]) -> None:
    for place, text in ((one["k"], "m = k"), (one["n"], "m = n")):
        if place > one["d"]:
            continue
        panel.axvline(place, color="0.6", linewidth=0.6, zorder=0)
        panel.annotate(
            text,
            (place, 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 3),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=6.5,
            color="0.25",
        )
