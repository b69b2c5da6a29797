"""Common parts of the figures on pruning planted models: a style for each method, and curves with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from figures.lottery import numbers
from figures.style import COLOURS

__all__ = ["LOOK", "SKY", "curve"]

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
    "edge-popup": (COLOURS["grey"], "^", "-."),
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
