"""Recovery rate over the margin, one panel per schedule; below, how close to sqrt(2) each design fails."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import NullFormatter

from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

_COLOURS = tuple(COLOURS[name] for name in ("blue", "green", "orange", "purple"))
_MARKERS = "osD"
_EMPTY = {"rate": np.nan, "low": np.nan, "high": np.nan}
_LINE = {"color": "black", "linewidth": 1.0, "linestyle": "--", "zorder": 1}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: one per schedule, and the nearest failures."""
    return len(summary["schedules"]) + 1


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 3.6 + 0.24 * len(summary["cases"])


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes: the schedules side by side, and below them one panel of full width."""
    upper, lower = figure.add_gridspec(2, 1)
    grid = upper.subgridspec(1, count - 1)
    first = figure.add_subplot(grid[0])
    above = [first, *(figure.add_subplot(grid[column], sharey=first) for column in range(1, count - 1))]
    for panel in above[1:]:
        panel.tick_params(labelleft=False)
    return [*above, figure.add_subplot(lower)]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw rates with bands and a rug of failures, and the largest failing margins."""
    *above, below = axes
    for position, panel in enumerate(above):
        _rates(panel, summary, position)
        panel.set_title(summary["schedules"][position])
        if position == 0:
            panel.set_ylabel("rate of exact recovery")
        panel.set_xlim(summary["edges"][0], summary["edges"][-1])
    _nearest(below, summary)
    for panel in axes:
        panel.set_xscale("log")
        panel.axvline(summary["limit"], **_LINE)
        panel.set_xlabel(r"margin $\sigma_{\min}(X)\,\min|w|\,/\,\|P_X\,\mathrm{noise}\|$")
    if own:
        axes[0].figure.legend(loc="outside lower center", ncols=2)
    else:
        below.legend()


def _rates(panel: Any, summary: dict[str, Any], position: int) -> None:
    for index, (colour, law) in enumerate(zip(_COLOURS, summary["laws"], strict=False)):
        bins = [one or _EMPTY for one in summary["rates"][position][index]]
        # a step a bin: a line through the bins' centres would cross sqrt(2) below 1
        rate, low, high = (np.array([one[key] for one in bins + bins[-1:]]) for key in ("rate", "low", "high"))
        panel.fill_between(summary["edges"], low, high, step="post", color=colour, alpha=0.2, linewidth=0)
        label = law if position == 0 else None
        panel.plot(summary["edges"], rate, drawstyle="steps-post", color=colour, label=label)
        failures = summary["failures"][position][index]
        height = np.full(len(failures), -0.07 - 0.05 * index)
        panel.plot(failures, height, "|", color=colour, markersize=3.5, markeredgewidth=0.6)
    panel.axhline(0, color="0.8", linewidth=0.6, zorder=0)
    panel.set_ylim(-0.27, 1.04)
    panel.set_yticks([-0.145, 0, 0.25, 0.5, 0.75, 1], ["failures", "0", "0.25", "0.5", "0.75", "1"])
    panel.tick_params(axis="y", length=0)
    if position == 0:
        panel.annotate("√2", (summary["limit"], 0.42), xytext=(3, 0), textcoords="offset points", fontsize=8)


def _nearest(panel: Any, summary: dict[str, Any]) -> None:
    """Draw the largest margin at which a problem failed, for each design, kind of noise and schedule."""
    cases, schedules = summary["cases"], summary["schedules"]
    for row, line in enumerate(summary["nearest"]):
        for index, largest in enumerate(line):
            for position, value in enumerate(largest):
                if value is not None:
                    height = row + 0.24 - 0.16 * index
                    panel.plot(
                        value,
                        height,
                        _MARKERS[position % len(_MARKERS)],
                        color=_COLOURS[index],
                        markersize=4.5 - position,
                        fillstyle="none" if position == 0 else "full",
                        markeredgewidth=0.7,
                        zorder=3 - position,
                    )
        panel.axhline(row + 0.5, color="0.9", linewidth=0.5, zorder=0)
    panel.fill_between([], [], [], color="0.3", alpha=0.2, linewidth=0, label="band: 95 % interval of the rate")
    for position, schedule in enumerate(schedules):
        panel.plot(
            [],
            [],
            _MARKERS[position % len(_MARKERS)],
            color="0.3",
            markersize=4.5 - position,
            fillstyle="none" if position == 0 else "full",
            label=f"{schedule}: largest failing margin",
        )
    panel.set_yticks(range(len(cases)), cases)
    panel.set_ylim(len(cases) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    found = [value for line in summary["nearest"] for largest in line for value in largest if value is not None]
    panel.set_xlim(min([summary["limit"] / 2, *found]) / 1.5, summary["edges"][-1])
    panel.xaxis.set_minor_formatter(NullFormatter())  # their texts would run into each other
    panel.set_title("Failure nearest to √2, by design")
