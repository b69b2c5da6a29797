"""Table 1 as a figure: effect of updating the gates every k steps on the fit, and when the active columns settle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from figures.lottery import legend_below
from figures.style import COLOURS, WIDTH

__all__ = ["LIMIT", "LOOK", "draw", "layout", "panels", "scatter_seeds", "size", "table"]


LIMIT: dict[str, Any] = {"color": COLOURS["grey"], "linestyle": ":", "linewidth": 0.8}
"""Look of the line at the limit of steps."""
LOOK = {"float64": ("blue", "o", -0.13), "float32": ("orange", "s", 0.13)}
"""Colour, marker and place beside the tick of each type of labels."""


def scatter_seeds(panel: Any, index: int, heights: np.ndarray, cut: np.ndarray, labels: str) -> None:
    """Draw one point per seed.

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


TABLE_INCHES = 1.1
"""Height of the table with its heading."""


def table(
    panel: Any, summary: dict[str, Any], heading: str, entry: Callable[[dict[str, Any], str, str, int], str]
) -> None:
    """Write a table, as the paper has it: one row per method and type of labels, one column per k.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Where.
    summary : dict
        What is shown; its ``methods``, ``label_types`` and ``k`` are the rows and columns.
    heading : str
        What the entries are.
    entry : callable
        ``entry(summary, method, labels, index of k)``: the text of an entry.
    """
    rows = [(method, labels) for method in summary["methods"] for labels in summary["label_types"]]
    texts = [
        [f"{summary['labels'][method]}, {labels}", *(entry(summary, *row, place) for place in range(len(summary["k"])))]
        for row in rows
        for method, labels in [row]
    ]
    first = 0.3
    widths = [first, *[(1.0 - first) / len(summary["k"])] * len(summary["k"])]
    head = ["method, labels in", *(f"k = {k}" for k in summary["k"])]
    drawn = panel.table(cellText=texts, colLabels=head, colWidths=widths, loc="upper center", cellLoc="center")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(7)
    for (line, column), cell in drawn.get_celld().items():
        cell.visible_edges = "B" if line else "TB"
        cell.set_linewidth(0.5)
        cell.PAD = 0.03
        if column == 0:
            cell.set_text_props(ha="left")
    panel.set_title(heading)
    panel.set_axis_off()


def _entry(summary: dict[str, Any], method: str, labels: str, place: int) -> str:
    psnr, steps = (summary[name][method][labels][place] for name in ("psnr_db", "settled"))
    if not psnr or not steps:
        return "-"
    middle = float(np.median([np.inf if step is None else step for step in steps]))
    settled = f"{middle:g}" if middle <= summary["n_iter_long"] else f"> {summary['n_iter_long']}"
    return f"{np.median(psnr):.0f} / {settled}"


NEVER = 1.35
"""Runs that did not settle are drawn at this multiple of the step limit."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: two rows, one column a method, and the table."""
    return 2 * len(summary["methods"]) + 1


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 5.1 + TABLE_INCHES


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, row by row, and below them that of the table."""
    upper, lower = figure.add_gridspec(2, 1, height_ratios=[3.9, TABLE_INCHES])
    return [
        *upper.subgridspec(2, count // 2).subplots(sharex=True, sharey="row", squeeze=False).ravel(),
        figure.add_subplot(lower),
    ]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw PSNR above and the settling step below, one point per seed and a line through medians; then the table."""
    columns = len(summary["methods"])
    limit = summary["n_iter_long"]
    for position, method in enumerate(summary["methods"]):
        above, below = axes[position], axes[columns + position]
        _points(above, summary, method, "psnr_db", np.inf)
        _points(below, summary, method, "settled", limit)
        above.set_title(summary["labels"][method])
        if summary["paper"]:
            _paper(above, below, summary)
        _exact(above, summary, method)
        below.axhline(limit, label=f"limit of {limit} steps", **LIMIT)
        below.set_yscale("log")
        below.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        below.yaxis.set_minor_locator(NullLocator())
        below.set_ylim(summary["settled_from"], limit * NEVER * 1.4)
        below.set_xticks(range(len(summary["k"])), [str(value) for value in summary["k"]])
        below.set_xlim(-0.5, len(summary["k"]) - 0.5)
        below.set_xlabel("gates updated every k steps")
        if position == 0:
            above.set_ylabel(f"PSNR after {summary['n_iter']} steps (dB)")
            below.set_ylabel("active columns\nsettle at step")
            note = f"hollow: still changing at step {limit}"
            place = (0.01, limit * NEVER)
            below.annotate(note, place, xycoords=("axes fraction", "data"), va="center", fontsize=6.5, color="0.25")
    table(axes[2 * columns], summary, "median PSNR in dB / step at which the active columns settle", _entry)
    legend_below([axes[0], axes[columns]], own, 3)


def _points(panel: Any, summary: dict[str, Any], method: str, quantity: str, limit: float) -> None:
    for labels in summary["label_types"]:
        colour, _, shift = LOOK[labels]
        medians = []
        for index, seeds in enumerate(summary[quantity][method][labels]):
            never = np.array([value is None for value in seeds], dtype=bool)
            values = np.array([limit * NEVER if value is None else max(value, 1e-9) for value in seeds], dtype=float)
            median = np.median(values) if values.size else np.nan
            medians.append(median if median <= limit else np.nan)
            scatter_seeds(panel, index, values, never, labels)
        places = np.arange(len(medians)) + shift
        panel.plot(places, medians, color=COLOURS[colour], label=f"labels in {labels}, median")


def _paper(above: Any, below: Any, summary: dict[str, Any]) -> None:
    places = {k: index for index, k in enumerate(summary["k"])}
    look = {"marker": "D", "color": "black", "linestyle": "none", "markersize": 4.5, "fillstyle": "none", "zorder": 4}
    rows = [row for row in summary["paper"] if row["k"] in places]
    above.plot([places[row["k"]] for row in rows], [row["psnr_db"] for row in rows], label="paper", **look)
    settled = [row for row in rows if row.get("settled") is not None]
    below.plot([places[row["k"]] for row in settled], [row["settled"] for row in settled], **look)


def _exact(panel: Any, summary: dict[str, Any], method: str) -> None:
    """Write above each k how many seeds gave the planted network itself."""
    for index, text in enumerate(summary["exact"][method]):
        panel.annotate(
            text,
            (index, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=6.5,
            color="0.25",
        )
    panel.margins(y=0.15)
