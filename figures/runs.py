"""Runs of several seeds beside a category: a point a seed, hollow where the run was cut off."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures.style import COLOURS

__all__ = ["LOOK", "scatter_seeds"]

LOOK = {"float64": ("blue", "o", -0.13), "float32": ("orange", "s", 0.13)}
"""Colour, marker and place beside the tick of each type of labels."""


def scatter_seeds(panel: Any, index: int, heights: np.ndarray, cut: np.ndarray, labels: str) -> None:
    """Draw one point a seed.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Where.
    index : int
        Number of the category; the first one names the points for a legend.
    heights : numpy.ndarray, shape (seeds,)
        Values, those of cut runs included.
    cut : numpy.ndarray of bool, shape (seeds,)
        Runs that were cut off; they are hollow.
    labels : str
        A key of :data:`LOOK`.
    """
    colour, marker, shift = LOOK[labels]
    spread = np.linspace(-0.08, 0.08, heights.size) if heights.size > 1 else np.zeros(heights.size)
    for part, face in ((~cut, COLOURS[colour]), (cut, "white")):
        panel.scatter(
            (index + shift + spread)[part],
            heights[part],
            s=11,
            marker=marker,
            facecolor=face,
            edgecolor=COLOURS[colour],
            linewidth=0.6,
            alpha=0.8,
            zorder=3,
            label=f"labels in {labels}, one seed" if index == 0 and face != "white" else None,
        )
