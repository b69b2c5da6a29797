"""Condition number of the planted columns over sparsity, one curve per width, and a theorem's requirement."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.lottery import legend_below, numbers
from figures.style import WIDTH

__all__ = ["draw", "layout", "panels", "size"]

MARKERS = "os^Dvp*XP"


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: the ratio, and the requirement."""
    return 2


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 4.0


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes, side by side."""
    return list(figure.subplots(1, count))


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw medians with bars over the seeds, and the line for all weights."""
    ratio, asked = axes
    curves = summary["curves"]
    sparsities = sorted({s for curve in curves for s in curve["s"]})
    for place, curve in enumerate(curves):
        # the upper end of the colour map is too light for a line on white
        colour = colormaps["viridis"](0.72 * place / max(1, len(curves) - 1))
        look = {"color": colour, "marker": MARKERS[place % len(MARKERS)], "markersize": 3.5}
        # side by side, so that the bars of one s do not hide each other
        shift = 1.03 ** (place - (len(curves) - 1) / 2)
        label = f"m = {curve['m']}"
        _bars(ratio, curve, ("median", "low", "high"), shift, look, label)
        _bars(asked, curve, ("asked", "asked_low", "asked_high"), shift, look, None)
    for panel in axes:
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel("planted non-zero weights s")
        panel.xaxis.set_major_locator(FixedLocator(sparsities))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ratio.set_ylabel("β / α on the planted support")
    ratio.set_title("extreme eigenvalues of the planted columns")
    asked.axhline(1.0, color="black", linewidth=1.0, linestyle="--", label="1: all hidden weights")
    asked.set_ylim(bottom=0.3)
    asked.set_ylabel("32 (β / α)² s / (d m)")
    asked.set_title("weights the theorem would keep, over all d m")
    if any(value is None for curve in curves for value in curve["high"]):
        ratio.plot([], [], color="0.25", marker=r"$\uparrow$", linestyle="", label="infinite for some seeds")
    legend_below(axes, own, 4)


def _bars(
    panel: Any,
    curve: dict[str, Any],
    names: tuple[str, str, str],
    shift: float,
    look: dict[str, Any],
    label: str | None,
) -> None:
    """Draw medians and ranges; where a seed is infinite the bar leaves the panel, where the median is, no dot."""
    places = np.array(curve["s"], dtype=float) * shift
    middle, low, high = (numbers(curve[name]) for name in names)
    panel.plot(places, middle, label=label, **look)
    open_end = np.isnan(high) & ~np.isnan(low)
    panel.vlines(places[~open_end], low[~open_end], high[~open_end], color=look["color"], linewidth=1.0)
    for place, start in zip(places[open_end], low[open_end], strict=True):
        arrow = {"arrowstyle": "->", "color": look["color"], "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
        panel.annotate(
            "", (place, 0.99), (place, start), xycoords=("data", "axes fraction"), textcoords="data", arrowprops=arrow
        )
