"""BINGO's scores: variance over probes with exact curves; AUC over the scale of initial weights and over probes."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.lottery import legend_below
from figures.pruned import SKY, curve
from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

LOOK = {
    "printed": (COLOURS["purple"], "X", "-"),
    "corrected": (COLOURS["orange"], "D", "-"),
    "running-mean": (COLOURS["green"], "^", "-"),
    "running-mean-zero": (COLOURS["yellow"], "v", "-"),
    "release": ("black", "o", "-"),
    "magnitude": (COLOURS["blue"], "s", "--"),
    "distance": (SKY, "P", "--"),
}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: variance, linear models, ReLU networks."""
    return 3


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 3.3


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, side by side."""
    return list(figure.subplots(1, count, squeeze=False)[0])


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the three parts; one that was not computed stays empty."""
    variance, linear, relu = axes
    if summary["variance"] is not None:
        _variance(variance, summary)
    if summary["linear"] is not None:
        _linear(linear, summary)
    if summary["relu"] is not None:
        _relu(relu, summary)
    for panel in (linear, relu):
        panel.axhline(0.5, color="0.6", linewidth=0.6, zorder=0, label="chance")
        panel.set_ylabel("AUC of the planted weights")
    linear.set_ylim(-0.03, 1.05)
    relu.set_ylim(0.35, 0.85)
    variance.set_title("variance of the scores")
    linear.set_title("linear model")
    relu.set_title("two-layer ReLU classifier")
    variance.set_xlabel("probes of a weight, N")
    variance.set_ylabel("variance / that of one probe")
    linear.set_xlabel("standard deviation of the start")
    relu.set_xlabel("probes of a weight")
    legend_below([linear, variance, relu], own, 4)


def _variance(panel: Any, summary: dict[str, Any]) -> None:
    marks, part = summary["marks"], summary["variance"]
    for name, found in part["curves"].items():
        curve(panel, marks, found, LOOK[name], linestyle="none", markersize=4.5)
        panel.plot(marks, part["exact"][name], color=LOOK[name][0], linewidth=1.0)
    top, last = part["exact"]["printed"][-1], marks[-1]
    small = {"fontsize": 6.8, "ha": "right"}
    panel.text(last, 1.25, "markers: measured; lines: exact", color="0.3", va="center", **small)
    panel.text(last, 1.12 * top, "published average: σ²/3", color=LOOK["printed"][0], va="bottom", **small)
    panel.text(last, 0.40 / last * 2, "running mean: σ²/N", color=LOOK["running-mean"][0], va="top", **small)
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_ylim(0.35 / last, 1.6)
    _plain(panel.xaxis, marks)
    _plain(panel.yaxis, [value for value in (0.01, 0.03, 0.1, 0.3, 1) if value > 0.4 / last])


def _linear(panel: Any, summary: dict[str, Any]) -> None:
    part = summary["linear"]
    for name, found in part["curves"].items():
        curve(panel, part["scales"], found, LOOK[name], summary["labels"][name])
    positive = [scale for scale in part["scales"] if scale > 0]
    panel.set_xscale("symlog", linthresh=positive[0], linscale=0.4)
    panel.set_xlim(-0.1 * positive[0], 1.15 * part["scales"][-1])
    _plain(panel.xaxis, part["scales"])


def _relu(panel: Any, summary: dict[str, Any]) -> None:
    part = summary["relu"]
    for name, found in part["curves"].items():
        curve(panel, part["probes"], found, LOOK[name], summary["labels"][name])
    for name, one in part["lines"].items():
        panel.axhline(one["mean"], color=LOOK[name][0], linestyle=LOOK[name][2], linewidth=1.1)
        if one["low"] is not None:
            panel.axhspan(one["low"], one["high"], color=LOOK[name][0], alpha=0.12, linewidth=0)
    panel.set_xscale("log")
    _plain(panel.xaxis, part["probes"])


def _plain(axis: Any, ticks: list[float]) -> None:
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:.3g}".removeprefix("0") if 0 < value < 1 else f"{value:.0f}")
    )
