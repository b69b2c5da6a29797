"""Success rates of each method on sparse linear models: maps over samples and weight size, and slices of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.patheffects import Normal, Stroke

from figures.heatmap import log_axis, log_edges
from figures.lottery import curve, legend_below, numbers
from figures.style import WIDTH

__all__ = ["draw", "layout", "panels", "size"]

RATIO_TICKS = (0.5, 1, 2, 4)
AMPLITUDE_TICKS = (0.2, 0.5, 1, 2)
THEORY = "#e3170a"
EXACT = {"color": THEORY, "linestyle": "-", "linewidth": 1.1}
APPROXIMATED = {"color": THEORY, "linestyle": (0, (1, 1.2)), "linewidth": 1.3}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: one map per method, and the slices."""
    return len(summary["methods"]) + len(summary["slices"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 5.0


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes: five maps above, the slices below."""
    maps = 5
    below = count - maps
    grid = figure.add_gridspec(2, maps * below, height_ratios=[1, 1.15])
    made: list[Any] = []
    for row, number, span in ((0, maps, below), (1, below, maps)):
        first: Any = None
        for position in range(number):
            place = grid[row, position * span : (position + 1) * span]
            panel = figure.add_subplot(place, sharex=first, sharey=first)
            first = first or panel
            if position:
                panel.tick_params(labelleft=False)
            made.append(panel)
    return made


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the maps with their lines of even odds, a colour bar, and the slices with their bands."""
    methods = summary["methods"]
    maps, below = axes[: len(methods)], axes[len(methods) :]
    image = None
    for position, (panel, method) in enumerate(zip(maps, methods, strict=True)):
        image = _map(panel, summary, method)
        panel.set_title(summary["labels"][method])
        if position == 0:
            panel.set_ylabel("size of a weight (noise = 1)")
    bar = axes[0].figure.colorbar(image, ax=maps, shrink=0.95, aspect=18, pad=0.01)
    bar.set_label("share recovered")
    bar.outline.set_visible(False)
    for position, (panel, cut) in enumerate(zip(below, summary["slices"], strict=True)):
        _slice(panel, summary, cut)
        if position == 0:
            panel.set_ylabel("share recovered")
    legend_below(axes, own, 3)


def _map(panel: Any, summary: dict[str, Any], method: str) -> Any:
    ratio = np.array(summary["n"]) / summary["d"]
    amplitude = np.array(summary["amplitude"])
    values = np.ma.masked_invalid([numbers(row) for row in summary["rates"][method]])
    image = panel.pcolormesh(log_edges(ratio), log_edges(amplitude), values, vmin=0, vmax=1, rasterized=True)
    half = np.array(summary["half"][method]).reshape(-1, 2)
    look = {"marker": "o", "markersize": 2.6, "markeredgecolor": "black", "markeredgewidth": 0.5, "linewidth": 1.0}
    outline = [Stroke(linewidth=2.0, foreground="black"), Normal()]
    panel.plot(half[:, 0], half[:, 1], color="white", label="even odds, measured", path_effects=outline, **look)
    exact = np.array(summary["exact_half"]).reshape(-1, 2)
    panel.plot(exact[:, 0], exact[:, 1], label="exact closed form, orthogonal features", **EXACT)
    if method == "one-shot":
        points = summary["approximated_half"]
        for part in ([p for p in points if p[0] < 1], [p for p in points if p[0] > 1]):
            panel.plot([x for x, _ in part], numbers([a for _, a in part]), **APPROXIMATED)
    panel.set_xlim(*log_edges(ratio)[[0, -1]])
    panel.set_ylim(*log_edges(amplitude)[[0, -1]])
    log_axis(panel, "x", RATIO_TICKS)
    log_axis(panel, "y", AMPLITUDE_TICKS)
    panel.set_xlabel("n / d")
    return image


def _slice(panel: Any, summary: dict[str, Any], cut: dict[str, Any]) -> None:
    for method in summary["methods"]:
        found = cut["curves"][method]
        curve(panel, found["amplitude"], found, method, summary["labels"][method])
    if cut["exact"]:
        panel.plot(cut["line"], cut["exact"], **EXACT)
    if cut["approximated"]:
        panel.plot(cut["line"], cut["approximated"], label="approximate closed form, one-shot", **APPROXIMATED)
    log_axis(panel, "x", AMPLITUDE_TICKS)
    panel.set_ylim(-0.03, 1.03)
    panel.set_xlabel("size of a weight (noise = 1)")
    panel.set_title(f"n = {cut['n']}, n / d = {cut['n'] / summary['d']:g}")
