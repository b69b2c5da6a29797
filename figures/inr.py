"""Heat maps of PSNR as in :mod:`figures.panels`, and below them the image next to each method's reconstruction."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures import panels as heat

__all__ = ["draw", "layout", "panels", "size"]

MAPS, IMAGES = 4, 5
"""Panels in a row of heat maps, one per method, and in a row of images, where the original comes first."""
IMAGE_INCHES = 1.6
"""Height of a row of images, with its titles and numbers."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels."""
    return heat.panels(summary) + sum(len(row["panels"]) for row in summary["images"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    width, height = heat.size(summary)
    return width, height + IMAGE_INCHES * len(summary["images"])


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes: rows of heat maps, then as many rows of images."""
    rows = count // (MAPS + IMAGES)
    high = (figure.get_figheight() - IMAGE_INCHES * rows) / rows
    grid = figure.add_gridspec(2 * rows, MAPS * IMAGES, height_ratios=[high] * rows + [IMAGE_INCHES] * rows)
    found = [
        figure.add_subplot(grid[row, place * IMAGES : (place + 1) * IMAGES])
        for row in range(rows)
        for place in range(MAPS)
    ]
    return found + [
        figure.add_subplot(grid[row, place * MAPS : (place + 1) * MAPS])
        for row in range(rows, 2 * rows)
        for place in range(IMAGES)
    ]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw all rows."""
    maps = heat.panels(summary)
    heat.draw(axes[:maps], summary, own)
    rest = axes[maps:]
    for number, row in enumerate(summary["images"]):
        for position, (here, content) in enumerate(zip(rest, row["panels"], strict=False)):
            _image(here, content)
            if number == 0:
                here.set_title(content["title"].replace(" as in", "\nas in"))  # five titles in one row
            if position == 0:
                here.set_ylabel(row["name"])
        rest = rest[len(row["panels"]) :]


def _image(axes: Any, content: dict[str, Any]) -> None:
    axes.set_xlabel(content["text"])
    axes.set_xticks([])
    axes.set_yticks([])
    if content["pixels"] is None:
        axes.set_aspect("equal")
        return
    # grey values and colours alike: black is 0 and white is 1
    axes.imshow(np.asarray(content["pixels"]), cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    for side in axes.spines.values():
        side.set_visible(True)
        side.set_color("0.6")
