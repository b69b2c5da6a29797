"""Recovery over the scale of the initial weights with more weights than samples, and the overlap of two tickets."""

from __future__ import annotations

from typing import Any

from figures.lottery import curve, legend_below
from figures.style import WIDTH

__all__ = ["draw", "layout", "panels", "size"]


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: rates, and overlaps."""
    return 2


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 3.3


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, side by side."""
    return list(figure.subplots(1, count, sharex=True, sharey=True, squeeze=False)[0])


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw rates and overlaps with their bands, the approximation, and the overlap of two random masks."""
    rates, overlaps = axes
    for method in summary["methods"]:
        curve(rates, summary["alpha"], summary["rates"][method], method, summary["labels"][method])
        curve(overlaps, summary["alpha"], summary["overlaps"][method], method, None)
    text = "one-shot, approximate closed form"
    rates.plot(summary["line"], summary["approximated"], color="black", linestyle=(0, (1, 1.2)), label=text)
    overlaps.axhline(summary["chance"], color="0.4", linestyle="--", linewidth=0.9, label="two random masks")
    rates.set_ylim(-0.03, 1.03)
    rates.set_ylabel("share recovered")
    rates.set_title("Exact recovery of the planted support")
    overlaps.set_ylabel("share of the survivors in common")
    overlaps.set_title("Overlap of the tickets of two starts")
    for panel in axes:
        panel.set_xlabel("standard deviation alpha of the start (weights = 1)")
    legend_below(axes, own, 4)
