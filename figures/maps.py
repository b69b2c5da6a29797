"""Maps over two logarithmic axes: edges of the cells, and ticks at given places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

__all__ = ["log_axis", "log_edges"]


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
