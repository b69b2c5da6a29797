"""Figure 1: PSNR of planted networks found again, over width and sparsity, a panel a method."""

from __future__ import annotations

from typing import Any

from figures.heatmap import heatmap
from figures.style import WIDTH

__all__ = ["draw", "layout", "panels", "size"]


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels."""
    return len(summary["methods"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 1.3 + 0.24 * max(len(summary["m"]), 5)


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, side by side."""
    return list(figure.subplots(1, count, sharey=True, squeeze=False)[0])


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the panels and their colour bar."""
    low, high = summary["colour_range_db"]
    image = None
    for position, (panel, method) in enumerate(zip(axes, summary["methods"], strict=True)):
        image = heatmap(
            panel,
            summary["mean_psnr_db"][method],
            summary["possible"],
            summary["m"],
            summary["s"],
            (low, high),
            lambda value: f"{value:.0f}",
        )
        panel.set_title(summary["labels"][method])
        if position == 0:
            panel.set_ylabel("hidden width m")
    bar = axes[0].figure.colorbar(image, ax=axes, extend="both", shrink=0.9, aspect=25, pad=0.015)
    bar.set_label("mean PSNR (dB)")
    bar.outline.set_visible(False)
