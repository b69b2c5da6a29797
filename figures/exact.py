"""Heat maps of exact recovery and PSNR, one column per method; below, sample complexity and errors under noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures import panels as heat
from figures.lottery import legend_below, numbers
from figures.style import COLOURS, WIDTH

__all__ = ["arrange", "draw", "panels", "size"]

LOOK = {
    "paper": (COLOURS["orange"], "o", "-"),
    "robust": (COLOURS["blue"], "s", "-"),
    "exact": (COLOURS["green"], "D", "-"),
    "oracle": ("black", "", "--"),
    "data": ("black", "x", ":"),
}
"""Colour, marker and dashes."""
LINES_INCHES = 2.5


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: the heat maps, sample complexity, and one for each size of network under noise."""
    return heat.panels(summary) + 1 + len(summary["noise"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    width, height = heat.size(summary)
    return max(WIDTH, width), height + LINES_INCHES


def arrange(figure: Any, summary: dict[str, Any]) -> list[Any]:
    """Return the axes: rows of heat maps, and below them the curves."""
    _, height = heat.size(summary)
    upper, lower = figure.add_gridspec(2, 1, height_ratios=[height, LINES_INCHES])
    rows = summary["rows"]
    above = upper.subgridspec(len(rows), len(rows[0]["panels"])).subplots(squeeze=False).ravel()
    below = lower.subgridspec(1, 1 + len(summary["noise"])).subplots(squeeze=False).ravel()
    return [*above, *below]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw all panels, and one legend for the curves."""
    count = heat.panels(summary)
    heat.draw_maps(axes[:count], summary, False)
    samples, noisy = axes[count], axes[count + 1 :]
    _samples(samples, summary["samples"])
    for position, (panel, content) in enumerate(zip(noisy, summary["noise"], strict=True)):
        _noise(panel, content, position == 0)
    legend_below([*noisy, samples], own, 3, heat.signs(summary))


def _samples(panel: Any, content: dict[str, Any]) -> None:
    """Draw the smallest n of each method; a marker with an arrow where the largest n is not enough."""
    places = np.arange(len(content["points"]))
    top = content["ladder"][-1]
    for number, (method, found) in enumerate(content["methods"].items()):
        colour, marker, dashes = LOOK[method]
        shift = 0.14 * (number - 1.5)  # side by side, where methods need equally many
        least = numbers(found["n"])
        look = {"color": colour, "marker": marker, "linestyle": dashes, "markersize": 4.5, "linewidth": 1.0}
        panel.plot(places + shift, least, label=found["label"], **look)
        for place in places[np.isnan(least) & np.array(found["measured"], dtype=bool)]:
            panel.annotate(
                "",
                (place + shift, 1.9 * top),
                (place + shift, 1.15 * top),
                arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.2},
            )
    if any(np.isnan(numbers(found["n"])).any() for found in content["methods"].values()):
        panel.plot([], [], color="0.25", marker=r"$\uparrow$", linestyle="", label=f"more than {top:,} samples")
    panel.plot(places, content["unknowns"], color=COLOURS["grey"], linestyle="-.", label="number of unknowns")
    panel.set_yscale("log")
    panel.set_ylim(0.6 * min(*content["unknowns"], *content["ladder"]), 2.2 * top)
    panel.yaxis.set_major_locator(FixedLocator(content["ladder"]))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.set_xticks(places, [f"({m}, {s})" for m, s in content["points"]])
    panel.set_xlim(-0.5, len(places) - 0.5)
    panel.set_xlabel("(m, s)")
    panel.set_ylabel(f"smallest n, {content['wanted']} seeds")
    panel.set_title("samples needed")


def _noise(panel: Any, content: dict[str, Any], first: bool) -> None:
    """Draw errors over the signal-to-noise ratio."""
    for method, curve in content["curves"].items():
        colour, marker, dashes = LOOK[method]
        look = {"color": colour, "marker": marker, "linestyle": dashes, "markersize": 4.0, "linewidth": 1.0}
        panel.plot(content["snr_db"], numbers(curve["error"]), label=curve["label"], **look)
    panel.set_yscale("log")
    panel.set_xticks(content["snr_db"])
    panel.set_xlabel("signal-to-noise ratio (dB)")
    panel.set_ylabel("relative error, median" if first else "")
    panel.set_title(f"noise, (m, s) = ({content['m']}, {content['s']})")
