"""The axes of plots of results: those passed by the caller, or new ones."""

from __future__ import annotations

from typing import Any

from planted.base.extras import need

__all__ = ["axes_of", "whole_numbers"]


def axes_of(ax: Any, user: str) -> Any:
    """Return the axes to draw in.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        The caller's axes, returned as they are. None makes a new figure of pyplot, which a notebook shows by itself
        and a script by ``matplotlib.pyplot.show()``.
    user : str
        Who draws, for the sentence where matplotlib is missing.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    MissingExtra
        If matplotlib is not installed.
    TypeError
        If `ax` cannot be drawn in.
    """
    if ax is None:
        return need("matplotlib.pyplot", user).subplots(layout="constrained")[1]
    if not (hasattr(ax, "plot") and hasattr(ax, "set_xlabel")):
        raise TypeError(f"ax={ax!r} is of type {type(ax).__name__}; expected matplotlib axes, or None for new ones")
    return ax


def whole_numbers(axis: Any) -> None:
    """Put the ticks of an axis on whole numbers, unless they were chosen by hand or the axis is logarithmic.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Its ticks are changed.
    """
    locator = axis.get_major_locator()
    if isinstance(locator, need("matplotlib.ticker").MaxNLocator):
        locator.set_params(integer=True, min_n_ticks=1)  # two ticks in a range below 1 would be fractions
