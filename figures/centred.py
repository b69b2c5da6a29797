"""Recovery with raw and with centred gates: one row per solver, one column per number of neurons."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.lottery import legend_below, numbers
from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

ARMS = {"raw": ("raw gates", COLOURS["orange"], "o"), "centred": ("centred gates", COLOURS["blue"], "s")}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: one per solver and number of neurons."""
    return len(summary["panels"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 1.2 + 1.55 * len(summary["solvers"])


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes row by row; there are three solvers."""
    grid = figure.subplots(3, count // 3, sharex=True, sharey=True)
    return list(grid.ravel())


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the rates of both arms, with bands for the first kind of output weights, and stars where the arms differ."""
    columns = len(summary["k"])
    for position, (panel, shown) in enumerate(zip(axes, summary["panels"], strict=True)):
        for kind, curves in shown["curves"].items():
            first = kind == next(iter(shown["curves"]))
            for arm, (label, colour, marker) in ARMS.items():
                look = {"color": colour, "linewidth": 1.3 if first else 0.9, "linestyle": "-" if first else ":"}
                look |= {"marker": marker, "markersize": 4.0 if first else 2.5}
                rates = curves[arm]
                if first:
                    band = numbers(rates["low"]), numbers(rates["high"])
                    panel.fill_between(curves["n"], *band, color=colour, alpha=0.15, linewidth=0)
                panel.plot(curves["n"], numbers(rates["rate"]), label=f"{label}, {kind} output weights", **look)
            if first:
                for n, differs in zip(curves["n"], curves["differs"], strict=True):
                    if differs:
                        panel.text(n, 1.04, "*", ha="center", va="center", fontsize=11)
        row, column = divmod(position, columns)
        panel.set_title(f"{shown['solver']}, k = {shown['k']}")
        panel.set_xscale("log")
        panel.set_ylim(-0.04, 1.12)
        panel.set_yticks([0, 0.5, 1])
        panel.xaxis.set_major_locator(FixedLocator(summary["n"]))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if row == len(summary["solvers"]) - 1:
            panel.set_xlabel("samples n")
        if column == 0:
            panel.set_ylabel("share recovered")
    legend_below(axes, own, 2)
