"""Accuracy against sparsity, one panel per family of methods; paired differences; all methods at one sparsity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.lottery import numbers
from figures.style import COLOURS, WIDTH

__all__ = ["arrange", "draw", "panels", "size"]

SKY = "#56b4e9"
PALETTE = (COLOURS["orange"], COLOURS["green"], COLOURS["purple"], COLOURS["yellow"], SKY, "black")
MARKERS = ("o", "s", "^", "D", "v", "P")
REFERENCES = {"random": (COLOURS["grey"], "--"), "magnitude": (COLOURS["blue"], "-")}
TICKS = (0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Accuracies that are written on the axis, which is a log scale of the error."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: the families, the pairs, the ranking."""
    return len(summary["families"]) + 2


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 7.3


def arrange(figure: Any, summary: dict[str, Any]) -> list[Any]:
    """Return the axes: two columns of curves, and all methods at their right, with the markers that the curves have."""
    left, right = figure.add_gridspec(1, 2, width_ratios=[2.35, 1.0])
    curves = left.subgridspec(3, 2).subplots(squeeze=False).ravel()
    return [*curves, figure.add_subplot(right)]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw all panels; the list of all methods is the legend of the curves."""
    families = summary["families"]
    bottom, top = _range(summary)
    for place, (panel, family) in enumerate(zip(axes, families, strict=False)):
        _family(panel, family, summary)
        _accuracies(panel, bottom, top)
        _shares(panel, summary["keep"])
        panel.set_title(family["title"])
        if place % 2 == 0:
            panel.set_ylabel("test accuracy (%)")
    pairs, ranking = axes[len(families)], axes[len(families) + 1]
    _pairs(pairs, summary)
    _all(ranking, summary)


def _range(summary: dict[str, Any]) -> tuple[float, float]:
    """Return lowest and highest accuracy."""
    found = [value for family in summary["families"] for one in family["curves"].values() for value in one["mean"]]
    found.append(summary["dense"]["mean"])
    known = [value for value in found if value is not None]
    return (max(0.0, min(known) - 0.02), max(known)) if known else (0.1, 0.9)


def _accuracies(panel: Any, bottom: float, top: float) -> None:
    """Set an axis of accuracies that is a log scale of the error."""
    panel.set_yscale("log")
    panel.set_ylim(min(1.0, 1.0 - bottom), 0.75 * (1.0 - top) if top < 1.0 else 1e-3)
    panel.yaxis.set_major_locator(FixedLocator([1.0 - tick for tick in TICKS]))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * (1 - value):.0f}"))


def _shares(panel: Any, keep: Sequence[float]) -> None:
    """Set an axis of the share of weights that is kept, fewer to the right."""
    panel.set_xscale("log")
    panel.set_xlim(1.12 * max(keep), 0.88 * min(keep))
    panel.xaxis.set_major_locator(FixedLocator(list(keep)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    panel.set_xlabel("weights kept (%)")


def look_of(family: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Return colour, marker and dashes of each method of a family; those that all panels show have their own."""
    found, looks = {}, iter(zip(PALETTE, MARKERS, strict=True))
    for name in family["curves"]:
        colour, marker = next(looks)
        own, dashes = REFERENCES.get(name, (colour, "-"))
        found[name] = (own, marker, dashes)
    return found


def _family(panel: Any, family: dict[str, Any], summary: dict[str, Any]) -> None:
    keep = summary["keep"]
    if summary["dense"]["mean"] is not None:
        panel.axhline(1.0 - summary["dense"]["mean"], color="black", linewidth=0.8, linestyle=(0, (5, 2)))
    for name, found in summary["references"].items():
        if name not in family["curves"]:
            colour, dashes = REFERENCES[name]
            error = 1.0 - numbers(found["mean"])
            panel.plot(keep, error, color=colour, linestyle=dashes, linewidth=0.9)
            place = len(keep) // 2 if name == "magnitude" else len(keep) // 3
            others = [one["mean"][place] for one in family["curves"].values() if one["mean"][place] is not None]
            side = 1.0 if name == "magnitude" else -1.0  # the name stands above the line, or below it
            if any(side * (accuracy - 1.0 + error[place]) > -0.01 for accuracy in others):
                continue  # where other curves run
            panel.annotate(
                name,
                (keep[place], error[place]),
                xytext=(3, 3) if name == "magnitude" else (-3, -3),
                textcoords="offset points",
                ha="left" if name == "magnitude" else "right",
                va="bottom" if name == "magnitude" else "top",
                fontsize=6.0,
                color=colour,
            )
    for name, (colour, marker, dashes) in look_of(family).items():
        found = family["curves"][name]
        mean, low, high = (1.0 - numbers(found[end]) for end in ("mean", "low", "high"))
        panel.fill_between(keep, np.minimum(low, 1.0), high, color=colour, alpha=0.15, linewidth=0)
        look = {"color": colour, "marker": marker, "linestyle": dashes, "markersize": 3.6, "linewidth": 1.1}
        panel.plot(keep, mean, label=found["label"], **look)


def _pairs(panel: Any, summary: dict[str, Any]) -> None:
    """Draw the mean difference in accuracy of each pair of the ordering."""
    panel.axhline(0.0, color="black", linewidth=0.8)
    for one, colour, marker in zip(summary["pairs"], (*PALETTE, COLOURS["blue"]), (*MARKERS, "X"), strict=False):
        low, mean, high = (numbers(one[end]) for end in ("low", "mean", "high"))
        panel.fill_between(summary["keep"], low, high, color=colour, alpha=0.12, linewidth=0)
        label = f"{one['better'].partition(',')[0]} − {one['worse']}: {one['verdict']}"
        look = {"color": colour, "marker": marker, "markersize": 3.2, "linewidth": 1.0}
        panel.plot(summary["keep"], mean, label=label, **look)
    _shares(panel, summary["keep"])
    means = [value for one in summary["pairs"] for value in one["mean"] if value is not None]
    least, most = min([0.0, *means]), max([1.0, *means])
    room = most - least
    panel.set_ylim(least - 0.1 * room, most + 1.15 * room)
    panel.set_ylabel("difference (points)")
    panel.set_title("the reported ordering")
    panel.legend(loc="upper left", fontsize=6.0, handlelength=1.6, labelspacing=0.2, borderaxespad=0.1)


def _all(panel: Any, summary: dict[str, Any]) -> None:
    """Draw all methods at one share, the best of each family on top; markers are those of the curves."""
    looks = {name: look for family in summary["families"] for name, look in look_of(family).items()}
    place, ticks, labels = 0.0, [], []
    for family in summary["families"]:
        rows = sorted(
            (row for row in summary["ranking"] if row["family"] == family["title"]), key=lambda row: -row["mean"]
        )
        panel.text(1.0, place, family["title"], fontsize=6.8, style="italic", ha="left", va="center")
        place += 1.0
        for row in rows:
            colour, marker, _ = looks[row["method"]]
            if row["low"] is not None:
                ends = [100 * max(row["low"], 0.0), 100 * min(row["high"], 1.0)]
                panel.plot(ends, [place, place], color=colour, linewidth=1.2)
            panel.plot([100 * row["mean"]], [place], color=colour, marker=marker, markersize=4.6)
            ticks.append(place)
            labels.append(row["label"])
            place += 1.0
        panel.axhline(place - 0.45, color="0.8", linewidth=0.6)
        place += 0.2
    if summary["dense"]["mean"] is not None:
        dense = 100 * summary["dense"]["mean"]
        panel.axvline(dense, color="black", linewidth=0.8, linestyle=(0, (5, 2)))
        panel.annotate(
            "dense",
            (dense, 0.0),
            xytext=(-2, 0),
            textcoords="offset points",
            fontsize=6.5,
            ha="right",
            va="center",
        )
    panel.set_yticks(ticks, labels)
    panel.set_ylim(place - 0.5, -0.7)
    panel.set_xlim(0, 102)
    panel.set_xlabel("test accuracy (%)")
    panel.set_title(f"{100 * summary['shown']:g} % of the weights kept")
