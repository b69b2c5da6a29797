"""Heat maps over (sparsity, width): one row with a colour bar per quantity and depth, one column per method."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from figures.heatmap import CROSS, DIVERGED, IMPOSSIBLE, colour_bar, heatmap
from figures.style import WIDTH

__all__ = ["arrange", "draw", "draw_maps", "layout", "panels", "signs", "size"]

PANEL_INCHES = 1.75
"""A quarter of a page: the width, with its labels, for which the font sizes of heat maps are made."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels."""
    return sum(len(row["panels"]) for row in summary["rows"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches: larger grids make a larger figure, so that the numbers stay readable."""
    columns = max(len(row["panels"]) for row in summary["rows"])
    characters = max(_characters(row, panel) for row in summary["rows"] for panel in row["panels"])
    width = max(WIDTH, 1.2 + columns * max(1.25, 0.062 * characters))
    heights = [0.62 + 0.21 * max(5, *(len(panel["m"]) for panel in row["panels"])) for row in summary["rows"]]
    return width, 1.3 + sum(heights)


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, row by row; four methods stand side by side."""
    columns = 4 if count % 4 == 0 else count
    return list(figure.subplots(count // columns, columns, squeeze=False).ravel())


def arrange(figure: Any, summary: dict[str, Any]) -> list[Any]:
    """Return the axes of the panels, row by row; a row with fewer panels than the longest ends earlier."""
    rows = summary["rows"]
    grid = figure.add_gridspec(len(rows), max(len(row["panels"]) for row in rows))
    return [
        figure.add_subplot(grid[number, position])
        for number, row in enumerate(rows)
        for position in range(len(row["panels"]))
    ]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw all rows with their colour bars, and below a figure of our own what grey, crossed and hatched cells are."""
    draw_maps(axes, summary, own)
    found = signs(summary)
    if own and found:
        axes[0].figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=len(found))


def signs(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a legend, text -> handle, for the cells without a number that there are."""
    cells = [
        (here, possible)
        for row in summary["rows"]
        for panel in row["panels"]
        for values, able in zip(panel["values"], panel["possible"], strict=True)
        for here, possible in zip(values, able, strict=True)
    ]
    found: dict[str, Any] = {}
    if not all(possible for _, possible in cells):
        found[summary.get("grey", "no such network")] = Patch(facecolor=IMPOSSIBLE)
    if any(possible and value is None for value, possible in cells):
        found["not computed, or not defined"] = Line2D([], [], ls="", marker=f"${CROSS}$", color="0.4")
    if any(value is not None and math.isinf(value) for value, _ in cells):
        found[summary.get("diverged", "a fit diverged")] = Patch(**DIVERGED)
    few = [
        text
        for row in summary["rows"]
        for panel in row["panels"]
        for line in panel.get("few", [])
        for text in line
        if text is not None
    ]
    if few:
        found[f"{few[0]}: seeds that count"] = Line2D([], [], ls="")
    return found


def draw_maps(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw all rows with their colour bars, without a legend."""
    rest = list(axes)
    columns = max(len(row["panels"]) for row in summary["rows"])
    for number, row in enumerate(summary["rows"]):
        here, rest = rest[: len(row["panels"])], rest[len(row["panels"]) :]
        low, high = row["limits"]
        digits = int(row["digits"])
        image, inches = None, here[0].figure.get_size_inches()[0] / columns
        # one font size a row; wider panels have room for more
        longest = max(_longest(row, panel) for panel in row["panels"]) * PANEL_INCHES / max(PANEL_INCHES, inches)
        for position, (panel, content) in enumerate(zip(here, row["panels"], strict=True)):
            image = heatmap(
                panel,
                [[_signed(value) for value in line] for line in content["values"]],
                content["possible"],
                content["m"],
                content["s"],
                (low, high),
                label=partial(_text, digits=digits),
                longest=longest,
                few=content.get("few"),
            )
            if number == 0:
                panel.set_title(content["title"])
            last = number == len(summary["rows"]) - 1
            panel.set_xlabel("non-zero weights s" if last else "")  # four panels leave no room for more words
            if position == 0:
                panel.set_ylabel(f"{row['name']}\nhidden width m")
            else:
                panel.set_yticklabels([])
        beside = [*here, *_blank(here, number, columns)] if own else here
        shown = [_signed(value) for panel in row["panels"] for line in panel["values"] for value in line]
        bar = colour_bar(image, beside, shown, (low, high), shrink=0.92, aspect=18, pad=0.012)
        bar.set_label(row["unit"])


def _blank(here: list[Any], number: int, columns: int) -> list[Any]:
    """Return an empty panel at the end of a row with fewer than others, so that colour bars stand below each other."""
    if len(here) == columns:
        return []
    grid = here[0].get_subplotspec().get_gridspec()
    empty = here[0].figure.add_subplot(grid[number, len(here) :])
    empty.set_axis_off()
    return [empty]


def _characters(row: dict[str, Any], panel: dict[str, Any]) -> int:
    return (_longest(row, panel) + 1) * len(panel["s"])


def _longest(row: dict[str, Any], panel: dict[str, Any]) -> int:
    known = [value for line in panel["values"] for value in line if value is not None and math.isfinite(value)]
    texts = [_text(value, row["digits"]) for value in known]
    return max((len(text) for text in texts), default=1)


def _signed(value: float | None) -> float | None:
    return -math.inf if value is not None and math.isinf(value) else value


def _text(value: float, digits: int) -> str:
    text = f"{value + 0.0 if round(value, digits) else 0.0:.{digits}f}"
    return text.removeprefix("0") if digits and value < 1 else text
