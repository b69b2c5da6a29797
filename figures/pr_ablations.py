"""Ablations in the survey's framework: one row per change, dots with intervals, and a line for the base method."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

NAMES = {"linear": "linear", "relu": "ReLU"}
PALETTE = (
    "black",
    *(COLOURS[name] for name in ("blue", "orange", "green", "purple", "yellow", "blue")),
    COLOURS["grey"],
)
"""A colour for each group of rows."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: two for each kind of model."""
    return 2 * len(summary["models"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 0.9 + 0.165 * _height(summary)


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, side by side."""
    return list(figure.subplots(1, count, squeeze=False)[0])


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the rows, from above."""
    for number, model in enumerate(summary["models"]):
        right, error = axes[2 * number : 2 * number + 2]
        for panel, what in ((right, "right"), (error, "error")):
            _rows(panel, summary, model[what], panel is axes[0])
            panel.set_ylim(-_height(summary) + 0.4, 0.6)
            panel.tick_params(axis="y", length=0)
        right.set_xlim(-0.03, 1.05)
        right.set_xticks([0, 0.5, 1])
        right.set_title(f"{NAMES[model['kind']]}: mask")
        right.set_xlabel("share of the kept\nweights that matter")
        error.set_xscale("log")
        means = [point["mean"] for point in model["error"].values()]
        ticks = [0.001, 0.01, 0.1, 1] if max(means) > 30 * min(means) else [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1]
        error.xaxis.set_major_locator(FixedLocator(ticks))
        error.xaxis.set_minor_locator(NullLocator())
        error.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("0.", ".")))
        error.set_title(f"{NAMES[model['kind']]}: error")
        error.set_xlabel("test error\n(relative)")


def _height(summary: dict[str, Any]) -> int:
    """Return how many lines there are: rows, and a heading for each named group."""
    return sum(len(rows) + bool(name) for name, rows in summary["groups"])


def _rows(panel: Any, summary: dict[str, Any], points: dict[str, dict[str, Any]], first: bool) -> None:
    """Draw a dot for each row; the first panel has their names."""
    place = 0
    places: list[int] = []
    texts: list[str] = []
    bold: list[bool] = []
    panel.axvline(points["base"]["mean"], color="0.6", linewidth=0.7, zorder=0)
    for (name, rows), colour in zip(summary["groups"], PALETTE, strict=True):
        if name:
            places.append(-place)
            texts.append(name)
            bold.append(True)
            place += 1
        for key, label in rows:
            places.append(-place)
            texts.append(label)
            bold.append(not name)
            if key in points:
                _dot(panel, -place, points[key], colour)
            else:
                panel.text(
                    0.03,
                    -place,
                    "one scope",
                    transform=panel.get_yaxis_transform(),
                    fontsize=6,
                    color="0.45",
                    va="center",
                )
            place += 1
    panel.set_yticks(places, texts if first else [""] * len(places))
    if not first:
        return
    for tick, heavy in zip(panel.get_yticklabels(), bold, strict=True):
        tick.set_fontweight("bold" if heavy else "normal")


def _dot(panel: Any, height: int, point: dict[str, Any], colour: str) -> None:
    if point["low"] is not None:
        # a mean of errors is positive, its interval need not be
        panel.plot([max(point["low"], 1e-4), point["high"]], [height, height], color=colour, linewidth=1.3, alpha=0.55)
    panel.plot(
        [point["mean"]],
        [height],
        marker="o",
        markersize=3.8,
        color=colour,
        markeredgecolor="white",
        markeredgewidth=0.3,
    )
