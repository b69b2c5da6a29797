"""Success of each method over the correlation of a misleading null column, one panel per noise level."""

from __future__ import annotations

from typing import Any

from figures.lottery import curve, legend_below, numbers
from figures.style import WIDTH

__all__ = ["draw", "layout", "panels", "size"]

SIZES = {"imp-1": 7.5, "one-shot": 6.2, "backward": 5.2, "htp": 4.2}
"""The curves of these methods coincide; nested markers keep all of them visible."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: one per level of noise, and the irrepresentable value."""
    return len(summary["noise"]) + 1


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 3.8


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, side by side; all but the last share their vertical axis."""
    made = list(figure.subplots(1, count, squeeze=False, sharex=True, width_ratios=[1.25] * (count - 1) + [1])[0])
    for panel in made[1:-1]:
        panel.sharey(made[0])
        panel.tick_params(labelleft=False)
    return made


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the curves with their bands, and the lines beyond which the Lasso and OMP must fail."""
    methods = summary["methods"]
    for position, (panel, noise) in enumerate(zip(axes[:-1], summary["noise"], strict=True)):
        for method in methods:
            found = summary["curves"][f"{noise:g}"][method]
            label = summary["labels"][method]
            curve(panel, found["correlation"], found, method, label, markersize=SIZES.get(method, 4.2))
        _limits(panel, summary)
        panel.set_ylim(-0.03, 1.05)
        panel.set_title(f"noise {noise:g}")
        panel.set_xlabel("correlation c of the null column")
        if position == 0:
            panel.set_ylabel("share recovered")
    _condition(axes[-1], summary)
    legend_below(axes, own, 3)


def _limits(panel: Any, summary: dict[str, Any]) -> None:
    text = "irrepresentable value 1, population"
    panel.axvline(summary["population"], color="0.25", linestyle=":", linewidth=1.0, label=text)
    if summary["measured"] is not None:
        text = "irrepresentable value 1, measured median"
        panel.axvline(summary["measured"], color="0.25", linestyle="-", linewidth=0.7, label=text)


def _condition(panel: Any, summary: dict[str, Any]) -> None:
    places, low, middle, high = (numbers(column) for column in zip(*summary["irrepresentable"], strict=True))
    panel.fill_between(places, low, high, color="0.25", alpha=0.2, linewidth=0)
    panel.plot(places, middle, color="0.25", marker=".", label="irrepresentable value, median")
    look = {"color": "0.25", "linestyle": "-.", "linewidth": 1.0}
    panel.plot(places, places / summary["population"], label="irrepresentable value, population", **look)
    panel.axhline(1.0, color="0.25", linewidth=0.5, linestyle="--", label="irrepresentable value 1: threshold")
    _limits(panel, summary)
    panel.set_ylim(bottom=0)
    panel.set_title("quartiles over designs")
    panel.set_xlabel("correlation c")
    panel.set_ylabel("irrepresentable value")
