"""What the figures on pruning planted models share: a look for each method, curves with bands, labels at their ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from figures.lottery import numbers
from figures.style import COLOURS

__all__ = ["LOOK", "SKY", "curve", "label_ends"]

SKY = "#56b4e9"
"""One more colour of the palette of Okabe and Ito."""

LOOK: dict[str, tuple[str, str, str]] = {
    "magnitude": (COLOURS["blue"], "o", "-"),
    "distance": (SKY, "s", "-"),
    "obd": (COLOURS["green"], "^", "-"),
    "obs": (COLOURS["green"], "v", ":"),
    "snip": (COLOURS["orange"], "D", "-"),
    "gradient": (COLOURS["yellow"], "P", "--"),
    "grasp": (COLOURS["purple"], "X", "-"),
    "synflow": ("black", "x", ":"),
    "random": (COLOURS["grey"], "", "--"),
    "movement": (COLOURS["orange"], "D", "--"),
    "bingo-running-mean": (COLOURS["green"], "^", "--"),
    "bingo-printed": (COLOURS["purple"], "X", "--"),
    "iht": ("black", "o", "-"),
    "rigl": (COLOURS["blue"], "s", "-"),
    "set": (COLOURS["yellow"], "v", "-"),
    "gradual": (SKY, "P", "-"),
}
"""Colour, marker and dashes of each criterion or method."""


def curve(
    panel: Any,
    places: Sequence[float],
    found: Mapping[str, Sequence[float | None]],
    look: tuple[str, str, str],
    label: str | None = None,
    **changes: Any,
) -> None:
    """Draw means with their band."""
    colour, marker, dashes = look
    low, high = numbers(found["low"]), numbers(found["high"])
    if np.isfinite(low).any():
        panel.fill_between(places, low, high, color=colour, alpha=0.14, linewidth=0)
    options: dict[str, Any] = {
        "color": colour,
        "marker": marker,
        "linestyle": dashes,
        "markersize": 3.4,
        "linewidth": 1.1,
        "markeredgewidth": 0.25 if marker not in ("x", "") else 0.9,
    }
    if marker not in ("x", ""):
        options["markeredgecolor"] = "white"
    panel.plot(places, numbers(found["mean"]), label=label, **{**options, **changes})


def label_ends(
    panel: Any, entries: Sequence[tuple[float, str, str]], *, place: float, gap: float, limits: tuple[float, float]
) -> None:
    """Write names beside the ends of curves, moved apart where they would overlap.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Where.
    entries : sequence of (float, str, str)
        For each curve its last value, its name, and its colour.
    place : float
        Horizontal position, in parts of the panel's width.
    gap : float
        Least vertical distance of two names, in data units.
    limits : (float, float)
        The lowest and highest position of a name.
    """
    heights = spread([value for value, _, _ in entries], gap, limits)
    for (_, text, colour), height in zip(entries, heights, strict=True):
        panel.text(
            place, height, text, color=colour, fontsize=6.3, va="center", ha="left", transform=panel.get_yaxis_transform()
        )


def spread(values: Sequence[float], gap: float, limits: tuple[float, float]) -> list[float]:
    """Return positions near the values, in their order, at least `gap` apart, and within limits where they fit."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    found = [min(max(values[i], limits[0]), limits[1]) for i in order]
    for _ in range(200):  # push neighbours apart, then back into the limits
        for i in range(len(found) - 1):
            short = gap - (found[i + 1] - found[i])
            if short > 1e-9:
                found[i] -= short / 2
                found[i + 1] += short / 2
        below, above = limits[0] - found[0], found[-1] - limits[1]
        if below > 0:
            found[0] += below
        if above > 0:
            found[-1] -= above
    heights = [0.0] * len(values)
    for position, i in enumerate(order):
        heights[i] = found[position]
    return heights
