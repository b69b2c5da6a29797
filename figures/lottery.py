"""Common parts of the figures on pruning in linear models: a style for each method, and curves with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from figures.style import COLOURS

__all__ = ["LOOK", "curve", "legend_below", "numbers"]

LOOK: dict[str, tuple[str, str, str]] = {
    "imp-1": (COLOURS["blue"], "o", "-"),
    "imp-10": (COLOURS["blue"], "o", "-"),
    "imp-20": (COLOURS["green"], "s", "-"),
    "one-shot": (COLOURS["orange"], "^", "-"),
    "omp": (COLOURS["purple"], "v", "--"),
    "lasso": (COLOURS["yellow"], "D", "--"),
    "htp": (COLOURS["grey"], "P", "--"),
    "backward": ("black", "X", "--"),
}
"""Colour, marker and dashes of each method: pruning is drawn solid, the others dashed."""


def numbers(values: Sequence[float | None]) -> np.ndarray:
    """Return values with NaN for None, which is not drawn."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def curve(
    panel: Any,
    places: Sequence[float],
    found: Mapping[str, Sequence[float | None]],
    method: str,
    label: str | None,
    *,
    middle: str = "rate",
    markersize: float = 4.0,
) -> None:
    """Draw a curve with its band.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Where.
    places : sequence of float
        Positions along the horizontal axis.
    found : mapping
        The values under the name `middle`, and the ends of the band under ``low`` and ``high``.
    method : str
        A key of :data:`LOOK`.
    label : str or None
        Text of the legend.
    middle : str, default "rate"
        What the line shows.
    markersize: float, default 4
        In points; where curves lie on each other, sizes that fall let all of them be seen.
    """
    colour, marker, dashes = LOOK[method]
    panel.fill_between(places, numbers(found["low"]), numbers(found["high"]), color=colour, alpha=0.13, linewidth=0)
    look = {"color": colour, "marker": marker, "linestyle": dashes, "markersize": markersize, "linewidth": 1.1}
    look |= {"markeredgecolor": "white", "markeredgewidth": 0.25}
    panel.plot(places, numbers(found[middle]), label=label, **look)


def legend_below(axes: Sequence[Any], own: bool, columns: int, more: Mapping[str, Any] | None = None) -> None:
    """Put one legend for all panels below a figure of our own, and into the first panel of a foreign one.

    Parameters
    ----------
    axes : sequence of matplotlib.axes.Axes
        The panels.
    own : bool
        Whether the figure is ours.
    columns : int
        Columns of the legend.
    more : mapping, optional
        Further entries, text -> handle, that belong to no curve.
    """
    entries: dict[str, Any] = {}
    for panel in axes:
        for handle, text in zip(*panel.get_legend_handles_labels(), strict=True):
            entries.setdefault(text, handle)
    entries.update(more or {})
    if own:
        axes[0].figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)
    else:
        axes[0].legend(entries.values(), entries.keys())
