"""Controls of linear models: loss barrier and growth of the condition number, next to quantities that are not zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

_LOOK = tuple(zip([*COLOURS.values(), "black"], "os^vDP*", strict=False))
_ROUNDING_COLOUR = "0.85"
_MIDDLE = (0.03, 0.5)


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: two rows of two."""
    return 4


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 5.9


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, row by row."""
    return list(figure.subplots(2, 2).ravel())


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw both controls on the left, and their mirror images on the right."""
    survivors = np.array(summary["survivors"])
    for case, (colour, marker) in zip(summary["cases"], _LOOK, strict=False):
        look = {"color": colour, "marker": marker, "markersize": 2.6, "linewidth": 0.9}
        _excess(axes[0], survivors, case, look)
        _shape(axes[1], summary["positions"], case, look)
        _growth(axes[2], survivors, case, look)
        _condition(axes[3], survivors, case, look)
    _frame(axes, summary)
    handles, texts = axes[3].get_legend_handles_labels()
    if own:
        axes[0].figure.legend(handles, texts, loc="outside lower center", ncols=4)
    else:
        axes[3].legend()


def _excess(panel: Any, survivors: Any, case: dict[str, Any], look: dict[str, Any]) -> None:
    low, middle, high = -np.array(case["dip"]).T
    panel.plot(survivors[:-1], middle, **look)
    panel.fill_between(survivors[:-1], low, high, color=look["color"], alpha=0.15, linewidth=0)
    panel.plot(survivors[:-1], case["barrier"], **{**look, "linestyle": "none"}, fillstyle="none")


def _shape(panel: Any, positions: list[float], case: dict[str, Any], look: dict[str, Any]) -> None:
    if case["shape"] is None:
        return
    for line in case["shape"]:
        panel.plot(positions, line, **{**look, "linestyle": "none"}, fillstyle="none")


def _growth(panel: Any, survivors: Any, case: dict[str, Any], look: dict[str, Any]) -> None:
    largest, median = (_numbers(case[key]) for key in ("growth_largest", "growth_median"))
    panel.plot(survivors[:-1], median, **look)
    panel.plot(survivors[:-1], largest, **{**look, "linestyle": "none"}, fillstyle="none")


def _condition(panel: Any, survivors: Any, case: dict[str, Any], look: dict[str, Any]) -> None:
    low, middle, high = _numbers([value or (np.nan,) * 3 for value in case["cond"]]).T
    panel.plot(survivors, middle, label=case["label"], **look)
    panel.fill_between(survivors, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _numbers(values: list[Any]) -> Any:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _frame(axes: list[Any], summary: dict[str, Any]) -> None:
    """Set scales, labels and titles, and say in words what is zero."""
    rounding = summary["rounding"]
    excess, shape, growth, condition = axes
    for panel in (excess, growth, condition):
        panel.set_xlim(summary["survivors"][0] + 0.5, 0.5)  # pruning runs to the right
        panel.set_xlabel("survivors m, before the step")
    condition.set_xlabel("survivors m")
    for panel in (excess, growth):
        panel.set_yscale("symlog", linthresh=rounding, linscale=0.6)
        panel.axhspan(-rounding, rounding, color=_ROUNDING_COLOUR, zorder=0)
        panel.axhline(0, color="black", linewidth=0.7)
        panel.set_yticks([-1, -1e-4, -1e-8, -1e-12, 0], ["-1", "-1e-4", "-1e-8", "-1e-12", "0"])
        panel.minorticks_off()
        panel.set_ylim(-2, 50 * rounding)
    excess.set_title("Barrier of the loss: 0 at every step")
    excess.set_ylabel("loss - chord (loss of zero weights = 1)")
    words = f"hollow: highest (barrier)\nfilled: lowest, median\nand quartiles\ngrey: rounding, ±{rounding:.0e}"
    _note(excess, words, _MIDDLE)
    fine = np.linspace(0, 1, 101)
    shape.plot(fine, -fine * (1 - fine), color="black", linewidth=0.8, zorder=1)
    shape.set_title("Every segment is the same parabola")
    shape.set_xlabel("position a on the segment")
    shape.set_ylabel("(loss - chord) / (rise of the loss)")
    shape.set_ylim(-0.27, 0.02)
    shape.annotate(
        "line: -a (1 - a)\nhollow: least and largest over all steps\nwhose loss rises by more than 1e-11",
        (0.5, 0.97),
        xycoords="axes fraction",
        ha="center",
        va="top",
        fontsize=6.5,
        color="0.25",
    )
    growth.set_title("Growth of the condition number: never above 0")
    growth.set_ylabel("log10 cond(X'X) after / before")
    _note(growth, "hollow: largest; filled: median; grey: ±1e-13", _MIDDLE)
    condition.set_yscale("log")
    condition.set_title("Condition number along the path")
    condition.set_ylabel("cond(X'X) of the survivors")
    _note(condition, "median and quartiles", place=(0.98, 0.97), ha="right", va="top")


def _note(
    panel: Any, text: str, place: tuple[float, float] = (0.03, 0.03), ha: str = "left", va: str = "bottom"
) -> None:
    panel.annotate(text, place, xycoords="axes fraction", ha=ha, va=va, fontsize=6.5, color="0.25")
