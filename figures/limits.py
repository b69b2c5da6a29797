"""What the data determine over (sparsity, width): four heat maps, each with its own colour scale."""

from __future__ import annotations

import math
from typing import Any

from figures import panels as heat
from figures.heatmap import colour_bar, heatmap
from figures.style import WIDTH

__all__ = ["draw", "layout", "panels", "size"]


ZERO = -99.0
"""Exponent that stands for 0: below all colours, and drawn where -inf would not be."""


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels."""
    return len(summary["panels"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches: larger grids make a larger figure, so that the numbers stay readable."""
    first = summary["panels"][0]
    return max(WIDTH, 1.6 + 0.75 * len(first["s"])), 1.0 + 2 * (0.75 + 0.22 * len(first["m"]))


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes, two side by side."""
    return list(figure.subplots(-(-count // 2), 2, squeeze=False).ravel()[:count])


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the maps, each with its colour bar; colours of a logarithmic scale are those of the exponents of 10."""
    for position, (panel, content) in enumerate(zip(axes, summary["panels"], strict=True)):
        logarithmic = content["scale"] == "log"
        values = content["values"]
        low, high = content["limits"]
        if logarithmic:
            values = [[None if value is None else _exponent(value) for value in row] for row in values]
            low, high = math.log10(low), math.log10(high)
        image = heatmap(
            panel,
            values,
            content["possible"],
            content["m"],
            content["s"],
            (low, high),
            label=_power if logarithmic else _plain,
            longest=5 * 1.75 / 3.2,  # four or five characters, in a panel about twice as wide as the usual
        )
        panel.set_title(content["title"])
        panel.set_xlabel("non-zero weights s" if position >= len(axes) - 2 else "")
        if position % 2 == 0:
            panel.set_ylabel("hidden width m")
        shown = [value for row in values for value in row]
        bar = colour_bar(image, panel, shown, (low, high), aspect=18, pad=0.02)
        if logarithmic:
            ticks = range(math.ceil(low), math.floor(high) + 1, 2 if high - low > 5 else 1)
            bar.set_ticks(list(ticks), labels=[f"$10^{{{tick}}}$" for tick in ticks])
        else:
            bar.set_ticks(range(0, int(high) + 1, 4))  # digits are whole
    found = heat.signs({"rows": [{"panels": [_finite(content) for content in summary["panels"]]}]})
    if own and found:
        axes[0].figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=len(found))


def _finite(content: dict[str, Any]) -> dict[str, Any]:
    """Return a panel without infinite values, which are a number here, not a fit that diverged."""
    return {**content, "values": [[value and min(value, 1.0) for value in row] for row in content["values"]]}


def _exponent(value: float) -> float:
    return math.log10(value) if value > 0 else ZERO


def _power(exponent: float) -> str:
    """Return a power of ten in at most five characters."""
    if exponent in (math.inf, ZERO):
        return "inf" if exponent > 0 else "0"
    value = 10.0**exponent
    if 0.095 <= value < 1000:
        return f"{value:.0f}" if value >= 9.5 else f"{value:.1f}"
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _plain(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 or value == 0 else f"{value:.1f}"
