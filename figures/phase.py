"""Maps of the recovery rate over samples and sparsity, one row per operator; below, all 50 % recovery lines."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.patheffects import Normal, Stroke

from figures.heatmap import log_axis, log_edges
from figures.lottery import legend_below, numbers
from figures.style import SOLVER_LOOK, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

MAPS = 6
OPERATORS = 2
N_TICKS = (10, 20, 40, 80, 160)
S_TICKS = (1, 2, 4, 8, 16)


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: a map for each solver and operator, and the lines of each operator."""
    return len(summary["methods"]) * len(summary["operators"]) + len(summary["operators"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 6.4


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes: two rows of six maps, then the two panels of lines."""
    grid = figure.add_gridspec(OPERATORS + 1, MAPS, height_ratios=[1, 1, 1.9])
    made: list[Any] = []
    for row in range(OPERATORS):
        for column in range(MAPS):
            first = made[0] if made else None
            panel = figure.add_subplot(grid[row, column], sharex=first, sharey=first)
            panel.tick_params(labelleft=column == 0, labelbottom=row == OPERATORS - 1)
            made.append(panel)
    span = MAPS // OPERATORS
    for column in range(OPERATORS):
        made.append(
            figure.add_subplot(grid[OPERATORS, column * span : (column + 1) * span], sharex=made[0], sharey=made[0])
        )
    made[-1].tick_params(labelleft=False)
    return made


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the maps with a line of even odds each, a colour bar, and all lines with their bands."""
    methods, operators = summary["methods"], summary["operators"]
    count = len(methods) * len(operators)
    image = None
    for position, panel in enumerate(axes[:count]):
        row, column = divmod(position, len(methods))
        method = methods[column]
        image = _map(panel, summary, summary["maps"][row][method])
        if row == 0:
            panel.set_title(summary["labels"][method])
        if row == len(operators) - 1:
            panel.set_xlabel("samples n")
        if column == 0:
            panel.set_ylabel(f"{operators[row]}\nnon-zeros s")
    bar = axes[0].figure.colorbar(image, ax=axes[:count], shrink=0.9, aspect=22, pad=0.01)
    bar.set_label("share recovered")
    bar.outline.set_visible(False)
    for panel, operator, maps in zip(axes[count:], operators, summary["maps"], strict=True):
        for method in methods:
            colour, marker = SOLVER_LOOK[method]
            line = maps[method]["line"]
            panel.fill_betweenx(line["s"], line["low"], line["high"], color=colour, alpha=0.15, linewidth=0)
            look = {"color": colour, "marker": marker, "markevery": 5, "markersize": 4}
            panel.plot(line["n"], line["s"], label=summary["labels"][method], **look)
        _frame(panel, summary)
        panel.set_title(f"even odds: {operator}")
        panel.set_xlabel("samples n")
    axes[count].set_ylabel("non-zeros s")
    legend_below(axes[count:], own, MAPS)


def _map(panel: Any, summary: dict[str, Any], shown: dict[str, Any]) -> Any:
    values = np.ma.masked_invalid([numbers(row) for row in shown["rates"]])
    edges = log_edges(summary["n"]), log_edges(summary["s"])
    image = panel.pcolormesh(*edges, values, vmin=0, vmax=1, rasterized=True)
    line = shown["line"]
    panel.fill_betweenx(line["s"], line["low"], line["high"], color="white", alpha=0.35, linewidth=0)
    outline = [Stroke(linewidth=2.2, foreground="black"), Normal()]
    panel.plot(line["n"], line["s"], color="white", linewidth=1.1, path_effects=outline)
    _frame(panel, summary)
    return image


def _frame(panel: Any, summary: dict[str, Any]) -> None:
    for name, ticks, values in (("x", N_TICKS, summary["n"]), ("y", S_TICKS, summary["s"])):
        edges = log_edges(values)
        log_axis(panel, name, [tick for tick in ticks if edges[0] <= tick <= edges[-1]])
        panel.set(**{f"{name}lim": (edges[0], edges[-1])})
