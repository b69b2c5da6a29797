"""Distributions over the epochs of units' similarities, their changes and velocities, and the frozen fraction."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter

from figures.lottery import legend_below
from figures.style import COLOURS, WIDTH

__all__ = ["arrange", "draw", "panels", "size"]

ROWS = {
    "phi": (r"$1-\phi$", "purple"),
    "change": (r"$|\Delta\phi|$", "green"),
    "velocity": (r"$|v|$", "blue"),
}
FROZEN = {
    "1e-3": (COLOURS["blue"], "-"),
    "1e-5": (COLOURS["blue"], "--"),
    "calibrated 25 %": (COLOURS["orange"], "-"),
    "calibrated 5 %": (COLOURS["orange"], "--"),
}
FLOOR = 1e-10
"""The end of the axis; what is below is drawn there."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: four for each layer."""
    return 4 * len(summary["panels"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 7.2


def arrange(figure: Any, summary: dict[str, Any]) -> list[Any]:
    """Return the axes, one column per layer."""
    return list(figure.subplots(4, len(summary["panels"]), sharex="col", sharey="row", squeeze=False).ravel())


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the fans and the frozen shares."""
    count = len(summary["panels"])
    for column, one in enumerate(summary["panels"]):
        epochs = np.arange(1, one["epochs"] + 1)
        for row, (name, (label, colour)) in enumerate(ROWS.items()):
            panel = axes[row * count + column]
            fan = np.maximum(np.array(one["fans"][name]), FLOOR)
            for low, high, shade in ((0, 4, 0.15), (1, 3, 0.3)):
                panel.fill_between(epochs, fan[low], fan[high], color=COLOURS[colour], alpha=shade, linewidth=0)
            panel.plot(epochs, fan[2], color=COLOURS[colour])
            panel.set_yscale("log")
            panel.yaxis.set_major_locator(LogLocator(base=100.0))
            panel.yaxis.set_minor_locator(NullLocator())
            panel.set_ylim(FLOOR, 1.5)
            if name == "velocity":
                panel.axhline(summary["eps"], color="black", linewidth=0.8, linestyle="--")
            if column == 0:
                panel.set_ylabel(label)
            if column == 0 and name == "velocity":
                panel.annotate(
                    "eps = 1e-3",
                    (1.0, summary["eps"]),
                    xycoords=("axes fraction", "data"),
                    xytext=(-2, 2),
                    textcoords="offset points",
                    ha="right",
                    va="bottom",
                    fontsize=6.5,
                )
            if row == 0:
                panel.set_title(one["title"])
        _shares(axes[3 * count + column], one, epochs, column == 0)
        for row in range(4):
            for share in summary["decays"]:
                axes[row * count + column].axvline(
                    share * one["epochs"] + 0.5, color="0.6", linewidth=0.7, linestyle=":", zorder=0
                )
    legend_below(axes[3 * count :], own, 4)


def _shares(panel: Any, one: dict[str, Any], epochs: np.ndarray, first: bool) -> None:
    for rule, (colour, dashes) in FROZEN.items():
        if rule in one["frozen"]:
            label = f"eps {rule}"
            panel.plot(epochs, one["frozen"][rule], color=colour, linestyle=dashes, label=label)
    panel.set_ylim(0.0, 1.05)
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    panel.set_xlim(1, epochs[-1])
    panel.set_xlabel("epoch")
    if first:
        panel.set_ylabel("frozen units")
