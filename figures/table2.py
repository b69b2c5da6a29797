"""Table 2 as a figure: the step at which the active columns stop changing, over k, one panel per method."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from figures.lottery import legend_below
from figures.style import COLOURS, WIDTH
from figures.table1 import LIMIT, LOOK, TABLE_INCHES, scatter_seeds, table

__all__ = ["draw", "layout", "panels", "size"]

BEYOND = 1.35
"""Runs that were cut off are drawn at this multiple of the step limit."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: one per method, and the table."""
    return len(summary["methods"]) + 1


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 3.5 + TABLE_INCHES


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, side by side, and below them that of the table."""
    upper, lower = figure.add_gridspec(2, 1, height_ratios=[2.3, TABLE_INCHES])
    return [
        *upper.subgridspec(1, count - 1).subplots(sharey=True, squeeze=False).ravel(),
        figure.add_subplot(lower),
    ]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw one point per run and a line through the medians, and the table of the medians."""
    limit, ticks = summary["limit"], range(len(summary["k"]))
    known = [step for method in summary["steps"].values() for runs in method.values() for run in runs for step in run]
    lowest = min((max(step, 1) for step in known if step is not None), default=1)
    for panel, method in zip(axes[:-1], summary["methods"], strict=True):
        for labels in summary["label_types"]:
            _runs(panel, summary, method, labels)
        places = {k: index for index, k in enumerate(summary["k"])}
        if summary["paper"] and method == "paper":
            panel.plot(
                [places[row["k"]] for row in summary["paper"]],
                [row["step"] for row in summary["paper"]],
                marker="D",
                color="black",
                linestyle="none",
                markersize=4.5,
                fillstyle="none",
                zorder=4,
                label="paper, one run",
            )
        panel.axhline(limit, label=f"limit of {limit} steps", **LIMIT)
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_locator(NullLocator())
        panel.set_ylim(0.6 * lowest, limit * BEYOND * 1.4)
        panel.set_xticks(ticks, [str(k) for k in summary["k"]])
        panel.set_xlim(-0.5, len(summary["k"]) - 0.5)
        panel.set_xlabel("gates updated every k steps")
        panel.set_title(summary["labels"][method])
    axes[0].set_ylabel("step at which the active\ncolumns stop changing")
    axes[0].annotate(
        f"hollow: still changing at step {limit}",
        (0.01, limit * BEYOND),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=6.5,
        color="0.25",
    )
    table(axes[-1], summary, "step at which the active columns stop changing: median (range)", _entry)
    legend_below(axes[:-1], own, 3)


def _entry(summary: dict[str, Any], method: str, labels: str, place: int) -> str:
    limit, runs = summary["limit"], summary["steps"][method][labels][place]
    if not runs:
        return "-"
    last = f"> {limit}" if None in runs else f"{max(runs)}"
    middle = summary["medians"][method][labels][place]
    if middle is None:
        return f"> {limit}"
    return f"{middle:g} ({min(step for step in runs if step is not None)} to {last})"


def _runs(panel: Any, summary: dict[str, Any], method: str, labels: str) -> None:
    colour, _, shift = LOOK[labels]
    for index, runs in enumerate(summary["steps"][method][labels]):
        cut = np.array([step is None for step in runs], dtype=bool)
        heights = np.array([summary["limit"] * BEYOND if step is None else max(step, 1) for step in runs], dtype=float)
        scatter_seeds(panel, index, heights, cut, labels)
    medians = [np.nan if value is None else max(value, 1.0) for value in summary["medians"][method][labels]]
    places = np.arange(len(medians)) + shift
    panel.plot(places, medians, color=COLOURS[colour], label=f"labels in {labels}, median")
