"""Heat maps of test accuracy as in :mod:`figures.panels`, and a comparison with simpler models below."""

from __future__ import annotations

from typing import Any

from figures import panels as heat
from figures.lottery import legend_below
from figures.style import COLOURS

__all__ = ["draw", "layout", "panels", "size"]

MAPS = 4
"""Heat maps in a row, one per method; a comparison for each row stands below them."""
_LINES = (("blue", "o"), ("orange", "s"), ("green", "^"), ("purple", "D"))
_DASHES = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
COMPARE_INCHES = 2.5
"""Height of the comparisons with their legend."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: one per method and depth, and one comparison per depth."""
    return heat.panels(summary) + len(summary["rows"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    width, height = heat.size(summary)
    return width, height + COMPARE_INCHES


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes: rows of heat maps, then the comparisons side by side."""
    rows = count // (MAPS + 1)
    high = (figure.get_figheight() - COMPARE_INCHES) / rows
    grid = figure.add_gridspec(rows + 1, MAPS * rows, height_ratios=[high] * rows + [COMPARE_INCHES])
    found = [
        figure.add_subplot(grid[row, place * rows : (place + 1) * rows]) for row in range(rows) for place in range(MAPS)
    ]
    return found + [figure.add_subplot(grid[rows, place * MAPS : (place + 1) * MAPS]) for place in range(rows)]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the heat maps and the comparisons; the legend goes below a figure of our own."""
    maps = heat.panels(summary)
    heat.draw_maps(axes[:maps], summary, own)
    for position, panel in enumerate(axes[maps:]):
        depth = summary["depths"][position]
        _compare(panel, [line for line in summary["compare"] if line["depth"] == depth], summary, position == 0)
    legend_below(axes[maps:], own, 3, heat.signs(summary))


def _compare(panel: Any, lines: list[dict[str, Any]], summary: dict[str, Any], labelled: bool) -> None:
    for (colour, marker), line in zip(_LINES, lines, strict=False):
        style = {"color": COLOURS[colour], "marker": marker}
        single = [(s, value) for s, values in zip(line["s"], line["seeds"], strict=True) for value in values]
        panel.plot([s for s, _ in single], [value for _, value in single], ls="", ms=2.5, alpha=0.5, **style)
        panel.plot(line["s"], line["mean"], ms=3.5, label=line["label"] if labelled else None, **style)
    if labelled:
        panel.plot([], [], ls="", marker="o", ms=2.5, alpha=0.5, color="0.25", label="small marker: one seed")
    low, high = summary["compare_range"]
    for dashes, together in zip(_DASHES, _coinciding(summary["baselines"], (high - low) / 100), strict=False):
        text = "\n".join(f"{model['label']}: {model['accuracy']:.4f}" for model in together)
        text += "\n(one line for both)" if len(together) == 2 else "\n(one line for all)" if len(together) > 2 else ""
        panel.axhline(
            together[0]["accuracy"], color="0.3", linestyle=dashes, linewidth=1.0, label=text if labelled else None
        )
    panel.set_xscale("log")
    ticks = sorted({s for line in lines for s in line["s"]})
    panel.set_xticks(ticks, [str(value) for value in ticks])
    panel.minorticks_off()
    panel.set_ylim(*summary["compare_range"])
    panel.set_xlabel("non-zero weights s")
    panel.set_title(f"{lines[0]['name']}, m = {lines[0]['width']}" if lines else "")
    if labelled:
        panel.set_ylabel("test accuracy")
    else:
        panel.set_yticklabels([])


def _coinciding(models: list[dict[str, Any]], gap: float) -> list[list[dict[str, Any]]]:
    """Return the models in groups whose lines coincide."""
    groups: list[list[dict[str, Any]]] = []
    for model in models:
        near = next((one for one in groups if abs(one[0]["accuracy"] - model["accuracy"]) < gap), None)
        if near is None:
            groups.append([model])
        else:
            near.append(model)
    return groups
