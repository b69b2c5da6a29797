"""A heat map over (sparsity, width), with values written into the cells if there is room."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.drawing import CELL
from figures.style import COLOURS

__all__ = ["CROSS", "DIVERGED", "IMPOSSIBLE", "beyond", "colour_bar", "heatmap", "log_axis", "log_edges"]


IMPOSSIBLE = "0.85"
"""Grey of cells that cannot exist."""
CROSS = "×"
"""Drawn in a cell that was not computed."""
FEW = 0.8
"""Font size of the line that says how many seeds count, relative to that of the number above it."""
DIVERGED: dict[str, Any] = {"facecolor": "white", "edgecolor": COLOURS["orange"], "hatch": "////", "linewidth": 0.0}
"""Look of a cell in which a fit diverged, whose number would be meaningless."""


def heatmap(
    axes: Any,
    values: Sequence[Sequence[float | None]],
    possible: Sequence[Sequence[bool]],
    widths: Sequence[int],
    sparsities: Sequence[int],
    limits: tuple[float, float],
    *,
    label: Callable[[float], str],
    longest: float | None = None,
    few: Sequence[Sequence[str | None]] | None = None,
) -> Any:
    """Draw one panel.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where.
    values : list of lists of float or None, shape (len(widths), len(sparsities))
        Values; None where nothing was computed, -inf where a fit diverged.
    possible : list of lists of bool, same shape
        False where no network of this width has that many weights; these cells are grey.
    widths, sparsities : sequence of int
        The rows, from the bottom, and the columns.
    limits : (float, float)
        Ends of the colour scale; values beyond them get the colour of the nearer end, and their labels are exact.
    label : callable
        Text of a value.
    longest : float, optional
        Characters of the longest text, where panels that stand side by side are to have one font size; by default
        that of this panel.
    few : list of lists of str or None, optional
        A second, smaller line in a cell, such as "1 of 3" where only one of three seeds counts.

    Returns
    -------
    matplotlib.image.AxesImage
        The image, for a colour bar.
    """
    numbers = np.array([[np.nan if value is None else value for value in row] for row in values], dtype=float)
    colours = np.ma.masked_invalid(np.where(np.isposinf(numbers), limits[1], numbers))
    axes.set_facecolor("white")
    grey = np.ma.masked_where(np.asarray(possible), np.zeros(numbers.shape))
    edges = [np.arange(length + 1) - 0.5 for length in reversed(numbers.shape)]
    axes.pcolormesh(*edges, grey, cmap=_flat(IMPOSSIBLE), linewidth=0.0)
    image = axes.imshow(colours, vmin=limits[0], vmax=limits[1], origin="lower", aspect="auto", interpolation="nearest")
    # 9 numbers of up to 4 digits, as on the paper's grids, would touch
    crowded = len(sparsities) * max(len(str(value)) for value in sparsities) > 28
    axes.set_xticks(range(len(sparsities)), [str(value) for value in sparsities], rotation=90 if crowded else 0)
    axes.set_yticks(range(len(widths)), [str(value) for value in widths])
    axes.set_xlabel("non-zero hidden weights s")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if longest is None:
        longest = max((len(label(value)) for value in numbers[np.isfinite(numbers)]), default=1)
    size = _font_size(len(sparsities) * longest)
    for (row, column), value in np.ndenumerate(numbers):
        if not possible[row][column]:
            continue
        if np.isnan(value):
            axes.text(column, row, CROSS, ha="center", va="center", fontsize=size, color="0.4")
            continue
        if np.isneginf(value):
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1.0, 1.0, **DIVERGED))
            continue
        colour = _readable(image.cmap(image.norm(min(value, limits[1]))))
        below = few[row][column] if few is not None else None
        if below is None:
            axes.text(column, row, label(value), ha="center", va="center", fontsize=size, color=colour, gid=CELL)
            continue
        axes.text(column, row + 0.2, label(value), ha="center", va="center", fontsize=size, color=colour, gid=CELL)
        axes.text(column, row - 0.28, below, ha="center", va="center", fontsize=FEW * size, color=colour, gid=CELL)
    return image


def colour_bar(
    image: Any, axes: Any, values: Iterable[float | None], limits: tuple[float, float], **options: Any
) -> Any:
    """Draw the colour bar of an image, with an arrow at each end beyond which there are values.

    Parameters
    ----------
    image : matplotlib.cm.ScalarMappable
        What the bar explains.
    axes : matplotlib.axes.Axes or sequence of them
        Those that make room for it.
    values : iterable of float or None
        What the image shows, see :func:`beyond`.
    limits : (float, float)
        Ends of the colour scale.
    **options
        Passed to :meth:`matplotlib.figure.Figure.colorbar`.

    Returns
    -------
    matplotlib.colorbar.Colorbar
        The bar, without a frame.
    """
    bar = image.axes.figure.colorbar(image, ax=axes, extend=beyond(values, limits), **options)
    bar.outline.set_visible(False)
    for arrow in bar.ax.patches:
        arrow.set_gid(CELL)
    return bar


def beyond(values: Iterable[float | None], limits: tuple[float, float]) -> str:
    """Return at which ends a colour bar needs an arrow, because a value lies beyond: "neither", "min", "max" or "both".

    Parameters
    ----------
    values : iterable of float or None
        What the bar stands for; None, NaN and -inf have no colour.
    limits : (float, float)
        Ends of the colour scale.
    """
    shown = [value for value in values if value is not None and value > -math.inf]
    low, high = any(value < limits[0] for value in shown), any(value > limits[1] for value in shown)
    return "both" if low and high else "min" if low else "max" if high else "neither"


def _readable(ground: Sequence[float]) -> str:
    """Return black or white, whichever has more contrast with a colour: at least 4.58 to 1."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in ground[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def _flat(colour: str) -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap([colour])


def _font_size(characters: float) -> float:
    """Return a size in points at which this many characters fit into a row of a panel."""
    return 7.0 if characters <= 20 else 6.0 if characters <= 26 else 5.0 if characters <= 30 else 4.4


def log_edges(centres: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the edges of cells around at least two ascending centres on a logarithmic axis."""
    logs = np.log(np.asarray(centres, dtype=float))
    middle = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate(([2 * logs[0] - middle[0]], middle, [2 * logs[-1] - middle[-1]])))


def log_axis(panel: Any, name: str, ticks: Sequence[float]) -> None:
    """Make the axis `name`, "x" or "y", logarithmic with ticks at given places only, written as plain numbers."""
    panel.set(**{f"{name}scale": "log"})
    axis = getattr(panel, f"{name}axis")
    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
