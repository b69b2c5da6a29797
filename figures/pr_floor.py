"""Accuracy while weights are pruned, and the fraction pruned at the accuracy floor against the cost."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from figures.lottery import legend_below, numbers
from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

LOOK = {
    "random": (COLOURS["grey"], "x", "--"),
    "bingo-printed": (COLOURS["orange"], "v", "-"),
    "bingo-corrected": (COLOURS["yellow"], "^", "-"),
    "bingo-release": (COLOURS["purple"], "D", "-"),
    "bingo-running-mean": (COLOURS["green"], "s", "-"),
    "bingo-running-mean-layer": ("black", "*", ":"),
    "magnitude": ("#56b4e9", "P", "-"),
    "imp": (COLOURS["blue"], "o", "-"),
}
"""Colour, marker and dashes."""
PAPER = {"bingo": ("BINGO, 71 % in 17 min", COLOURS["orange"]), "imp": ("IMP, 85 % in 122 min", COLOURS["blue"])}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels."""
    return 2


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 3.9


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes, side by side."""
    return list(figure.subplots(1, count, width_ratios=[1.25, 1.0]))


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw both panels, and one legend."""
    _curves(axes[0], summary)
    _points(axes[1], summary)
    legend_below(axes, own, 4)


def _curves(panel: Any, summary: dict[str, Any]) -> None:
    for name, found in summary["methods"].items():
        colour, marker, dashes = LOOK[name]
        panel.fill_between(
            found["gone"], numbers(found["low"]), numbers(found["high"]), color=colour, alpha=0.15, linewidth=0
        )
        every = 1 if name == "imp" else max(1, len(found["gone"]) // 10)
        look = {"color": colour, "marker": marker, "linestyle": dashes, "markersize": 3.8, "markevery": every}
        panel.plot(found["gone"], numbers(found["mean"]), label=found["label"], **look)
    panel.axhline(summary["floor"], color="black", linewidth=0.8, linestyle=(0, (5, 2)))
    panel.annotate(
        f"floor, {100 * summary['floor']:g} %",
        (0.42, summary["floor"]),
        xytext=(0, -3),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=6.8,
    )
    panel.set_xlim(0.0, 1.0)
    panel.set_ylim(0.0, 1.02)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    panel.set_xlabel("weights pruned")
    panel.set_ylabel("test accuracy")
    panel.set_title("accuracy while pruning")


def _points(panel: Any, summary: dict[str, Any]) -> None:
    for key, (text, colour) in PAPER.items():
        share = summary["published"][key]
        panel.axhline(share, color=colour, linewidth=0.9, linestyle=":", zorder=1)
        panel.annotate(
            f"paper: {text}",
            (1.0, share),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=6.5,
            color=colour,
        )
    for name, found in summary["methods"].items():
        colour, marker, _ = LOOK[name]
        for cost, pruned in found["points"]:
            panel.plot([cost], [pruned], color=colour, marker=marker, linestyle="", markersize=2.4, alpha=0.4)
        middle, mean = found["pruned"], found["cost"]["mean"]
        if middle["low"] is not None:
            panel.plot([mean, mean], [middle["low"], middle["high"]], color=colour, linewidth=1.2)
        panel.plot([mean], [middle["mean"]], color=colour, marker=marker, linestyle="", markersize=6.5, zorder=4)
    look = {"color": "0.25", "marker": "o", "linestyle": "", "markersize": 2.4, "alpha": 0.4}
    panel.plot([], [], label="small marker: one seed", **look)
    panel.set_xscale("log")
    panel.set_xlim(0.7, 30)
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    panel.set_ylim(-0.04, 1.02)
    panel.set_xlabel("cost (trainings of the dense network)")
    panel.set_ylabel("pruned at the floor")
    panel.set_title("at the floor")
