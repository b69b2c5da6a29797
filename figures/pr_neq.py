"""Test error against saved operations for NEq and its baselines; below, counted against executed savings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from figures.lottery import legend_below, numbers
from figures.style import COLOURS, WIDTH

__all__ = ["arrange", "draw", "panels", "size"]

LOOK = {
    "neq": (COLOURS["blue"], "o", "-"),
    "random": (COLOURS["orange"], "^", "--"),
    "early": (COLOURS["green"], "s", ":"),
    "compressed": (COLOURS["grey"], "P", ":"),
}
"""Colour, marker and dashes."""
BOOKED = {
    "counted": ("counted by units", COLOURS["purple"], "D"),
    "booked": ("booked as published", "black", "x"),
}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: two for each problem."""
    return 2 * len(summary["panels"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 5.8


def arrange(figure: Any, summary: dict[str, Any]) -> list[Any]:
    """Return the axes: a row of errors, and a row of savings below it."""
    upper, lower = figure.subplots(2, len(summary["panels"]), squeeze=False, height_ratios=[1.7, 1.0])
    return [*upper, *lower]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the panels, and one legend for them."""
    count = len(summary["panels"])
    for place, one in enumerate(summary["panels"]):
        _errors(axes[place], one)
        _booked(axes[count + place], one)
    legend_below(axes, own, 4)


def _errors(panel: Any, one: dict[str, Any]) -> None:
    for rival, curve in one["curves"].items():
        colour, marker, dashes = LOOK[rival]
        saved, found = _places(one, one["sweep"]), _bands(curve, one["sweep"])
        look = {"color": colour, "marker": marker, "linestyle": dashes, "zorder": 4 if rival == "neq" else 3}
        panel.plot(saved, found["mean"], label=curve["label"], **look)
        panel.fill_between(saved, found["low"], found["high"], color=colour, alpha=0.15, linewidth=0)
    neq = one["curves"]["neq"]
    saved, found = _places(one, one["calibrated"]), _bands(neq, one["calibrated"])
    look = {"color": COLOURS["blue"], "marker": "*", "linestyle": "", "markersize": 8, "markerfacecolor": "white"}
    panel.plot(saved, found["mean"], label="NEq, calibrated eps", zorder=5, **look)
    _axis(panel, one)
    for rule in one["sweep"]:
        value, place = neq[rule]["mean"], one["saved"][rule]
        if value is not None and place is not None:
            above = rule.removeprefix("1e-")
            panel.annotate(
                f"$10^{{-{above}}}$",
                (place, value),
                xytext=(2, -6) if one["scale"] == "log" else (0, -22),
                textcoords="offset points",
                ha="left" if one["scale"] == "log" else "center",
                va="top",
                fontsize=6.2,
                color=COLOURS["blue"],
            )
    panel.axhline(1.0 if one["scale"] == "log" else 0.0, color="black", linewidth=0.8, zorder=1)
    panel.set_xlim(0.0, 1.0)
    panel.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    panel.set_xlabel("multiply-adds saved in backward passes")
    panel.set_ylabel(one["ylabel"])
    panel.set_title(one["title"])


def _places(one: dict[str, Any], rules: Sequence[str]) -> np.ndarray:
    return numbers([one["saved"][rule] for rule in rules])


def _bands(curve: dict[str, Any], rules: Sequence[str]) -> dict[str, np.ndarray]:
    return {end: numbers([curve[rule][end] for rule in rules]) for end in ("mean", "low", "high")}


def _axis(panel: Any, one: dict[str, Any]) -> None:
    """Set the axis of errors: factors on a log scale, or differences; it ends above the largest mean."""
    means = [curve[rule]["mean"] for curve in one["curves"].values() for rule in one["rules"]]
    top = max([value for value in means if value is not None], default=1.0)
    if one["scale"] == "linear":
        low = min([value for value in means if value is not None], default=0.0)
        room = 0.25 * max(top - low, 1.0)
        panel.set_ylim(low - room, top + room)
        return
    panel.set_yscale("log")
    panel.set_ylim(0.7, 1.5 * top)
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _booked(panel: Any, one: dict[str, Any]) -> None:
    rules = one["rules"]
    places = np.arange(len(rules))[::-1]
    panel.axvline(0.0, color="black", linewidth=0.8, zorder=1)
    for kind, (label, colour, marker) in BOOKED.items():
        found = {end: numbers([value[end] for value in one["beside"][kind]]) for end in ("mean", "low", "high")}
        panel.hlines(places, found["low"], found["high"], color=colour, linewidth=1.0)
        panel.plot(found["mean"], places, label=label, color=colour, marker=marker, linestyle="", markersize=4.5)
    shares = ["-" if (share := one["saved"][rule]) is None else f"{100 * share:.0f} %" for rule in rules]
    names = [rule.replace("calibrated", "cal.").replace(", released", ", rel.") for rule in rules]
    panel.set_yticks(places, [f"{name}: {share}" for name, share in zip(names, shares, strict=True)])
    panel.set_ylabel("eps: saved")
    panel.set_ylim(-0.6, len(places) - 0.4)
    ends = [abs(value[end]) for rows in one["beside"].values() for value in rows for end in value if value[end]]
    reach = 1.1 * max([1.0, *ends])
    panel.set_xlim(-reach, reach)
    panel.set_xlabel("counted minus executed savings (points)")
    panel.grid(axis="y", color="0.92", linewidth=0.6)
    panel.set_axisbelow(True)
