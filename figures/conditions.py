"""Theoretical guarantees against solver performance: one row per operator and sparsity, one column per solver."""

from __future__ import annotations

from typing import Any

from figures.heatmap import log_axis
from figures.lottery import legend_below, numbers
from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

SOLVERS = 6
N_TICKS = (10, 100, 1000, 10000)
NEVER = "#a33d00"
CURVES: dict[str, tuple[str, Any]] = {
    "coherence": (COLOURS["purple"], "-"),
    "babel": (COLOURS["purple"], (0, (2, 1.2))),
    "erc": (COLOURS["green"], "-"),
    "irrepresentable": (COLOURS["green"], (0, (2, 1.2))),
    "null-space": (COLOURS["blue"], "-"),
    "isometry-l1": (COLOURS["orange"], (0, (4, 1))),
    "isometry-omp": (COLOURS["orange"], (0, (1, 1))),
    "isometry-iht": (COLOURS["orange"], "-"),
    "isometry-htp": (COLOURS["orange"], (0, (2, 1, 1, 1))),
    "grades": (COLOURS["yellow"], "-"),
    "niht": (COLOURS["yellow"], (0, (2, 1.2))),
    "neural": (COLOURS["blue"], (0, (2, 1.2))),
}
"""Colour and dashes of each condition."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels."""
    return len(summary["panels"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 1.9 + 1.45 * len(summary["rows"])


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes row by row."""
    return list(figure.subplots(count // SOLVERS, SOLVERS, sharex=True, sharey=True).ravel())


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the rate of each solver, the shares of its conditions, and the names of those that never hold."""
    for position, (panel, shown) in enumerate(zip(axes, summary["panels"], strict=True)):
        row, column = divmod(position, SOLVERS)
        _panel(panel, summary, shown)
        if row == 0:
            panel.set_title(summary["labels"][shown["solver"]])
        if row == len(summary["rows"]) - 1:
            panel.set_xlabel("samples n")
        if column == 0:
            panel.set_ylabel(f"{summary['rows'][row]}\nshare")
    if own:  # a line for each condition, also for those that are nowhere drawn
        for name, label in summary["conditions"].items():
            colour, dashes = CURVES[name]
            axes[0].plot([], [], color=colour, linestyle=dashes, linewidth=1.1, label=label)
    legend_below(axes, own, 4)


def _panel(panel: Any, summary: dict[str, Any], shown: dict[str, Any]) -> None:
    n, solved = shown["n"], shown["solved"]
    panel.axvline(summary["columns"], color="0.8", linewidth=0.8, zorder=0, label="n = N")
    panel.fill_between(n, numbers(solved["low"]), numbers(solved["high"]), color="black", alpha=0.13, linewidth=0)
    panel.plot(n, numbers(solved["rate"]), color="black", linewidth=1.8, label="solver recovers")
    for name, curve in shown["curves"].items():
        if name in shown["never"]:
            continue
        colour, dashes = CURVES[name]
        rate, possible = numbers(curve["rate"]), numbers(curve["possible"])
        if (possible > rate).any():
            panel.fill_between(n, rate, possible, color=colour, alpha=0.4, linewidth=0, label="unknown")
        panel.plot(n, rate, color=colour, linestyle=dashes, linewidth=1.1)
    if shown["never"]:
        words = "never holds:\n" + ", ".join(summary["symbols"][name] for name in shown["never"])
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
        look = {"ha": "right", "va": "bottom", "fontsize": 6.5, "color": NEVER, "bbox": box}
        panel.text(0.98, 0.05, words, transform=panel.transAxes, **look)
    panel.set_ylim(-0.04, 1.06)
    panel.set_yticks([0, 0.5, 1])
    sizes = summary["n"]
    log_axis(panel, "x", [tick for tick in N_TICKS if sizes[0] / 1.2 <= tick <= sizes[-1] * 1.2])
    panel.set_xlim(sizes[0] / 1.15, sizes[-1] * 1.15)
