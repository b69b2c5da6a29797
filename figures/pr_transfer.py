"""Error of transferred tickets over the overlap of the tasks: measurements and, for linear models, closed forms."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.lottery import legend_below, numbers
from figures.pruned import curve
from figures.style import COLOURS, WIDTH

__all__ = ["FLOOR", "draw", "layout", "panels", "size"]

LOOK = {
    "source": (COLOURS["blue"], "o", "-"),
    "initial": (COLOURS["orange"], "D", "-"),
    "random": (COLOURS["yellow"], "^", "-"),
    "random-mask": (COLOURS["grey"], "X", "-"),
    "dense": ("black", "s", "--"),
}
SIZES = {"source": 6.5, "initial": 4.4, "random": 2.6, "random-mask": 4.2, "dense": 3.4}
"""Of markers: where they lie on each other, all can be seen."""
NAMES = {"linear": "linear model", "relu": "two-layer ReLU network"}
FLOOR = 1e-3


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: one for each kind of model and number of target samples."""
    return len(summary["panels"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 1.25 + 2.0 * -(-len(summary["panels"]) // 3)


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, three per row."""
    return list(figure.subplots(-(-count // 3), min(count, 3), squeeze=False, sharey=True).ravel())


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw markers with bands, and lines: closed forms where there are any, else through the markers."""
    for number, (panel, one) in enumerate(zip(axes, summary["panels"], strict=True)):
        for name, look in LOOK.items():
            _curve(panel, one, name, look, re.sub("(θ)_(.)", r"$\\theta_\2$", summary["labels"][name]))
        panel.set_yscale("log")
        panel.set_ylim(0.7 * FLOOR, 6.0)
        panel.yaxis.set_major_locator(FixedLocator([FLOOR, 0.01, 0.1, 1.0]))
        panel.yaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: "≤ .001" if value <= FLOOR else f"{value:g}"))
        panel.set_xticks([0, 0.5, 1])
        relation = "<" if one["n"] < one["size"] else ">"
        panel.set_title(f"$n_T$ = {one['n']} {relation} {one['size']} weights kept")
        if number % 3 == 0:
            panel.set_ylabel(f"{NAMES[one['kind']]}\nerror on the target")
        if number >= len(axes) - 3:
            panel.set_xlabel("share of relevant inputs in common")
    linear = [panel for panel, one in zip(axes, summary["panels"], strict=True) if one["exact"]]
    if linear:
        linear[0].plot([], [], color="0.3", linewidth=0.9, label="lines (linear): closed form")
    legend_below(axes, own, 3)


def _curve(panel: Any, one: dict[str, Any], name: str, look: tuple[str, str, str], label: str) -> None:
    found = {key: np.maximum(numbers(values), FLOOR).tolist() for key, values in one["curves"][name].items()}
    places = one["overlaps"]
    options: dict[str, Any] = {"markersize": SIZES[name]}
    if not one["exact"]:
        curve(panel, places, found, look, label, **options)
        return
    curve(panel, places, found, look, label, linestyle="none", **options)
    panel.plot(places, np.maximum(one["exact"][name], FLOOR), color=look[0], linestyle=look[2], linewidth=0.9)
