"""AUC of criteria over training and over samples, with one row per kind of model."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from figures.lottery import legend_below
from figures.pruned import LOOK, curve
from figures.style import WIDTH

__all__ = ["draw", "layout", "panels", "size"]

POINT = ("magnitude", "distance", "obd", "obs", "synflow", "snip", "gradient", "grasp", "random")
MOVED = ("iht", "gradual", "rigl", "set", "edge-popup", "movement", "bingo-running-mean", "bingo-printed")
NAMES = {"linear": "linear model", "relu": "two-layer ReLU network"}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: three for each kind of model."""
    return 3 * len(summary["rows"])


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 1.35 + 2.05 * len(summary["rows"])


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, row by row."""
    return list(figure.subplots(count // 3, 3, squeeze=False, sharey="row").ravel())


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw all rows, and one legend."""
    labels = summary["labels"]
    for number, row in enumerate(summary["rows"]):
        points, paths, samples = axes[3 * number : 3 * number + 3]
        last = number == len(summary["rows"]) - 1
        for panel, chosen in ((points, POINT), (paths, MOVED)):
            for name in chosen:
                curve(panel, row["steps"], row["curves"][name], LOOK[name], labels[name])
            _updates(panel, row["steps"], last)
        _samples(samples, row, last)
        points.set_ylabel(f"{NAMES[row['kind']]}\nAUC, first layer")
        low = min(value for found in row["curves"].values() for value in found["mean"])
        for panel in (points, paths, samples):
            panel.axhline(0.5, color="0.6", linewidth=0.6, zorder=0, label="chance" if panel is points else None)
            panel.set_ylim(min(-0.04, low) if low < 0.2 else 0.29, 1.04)
        if number == 0:
            points.set_title("criteria at one time")
            paths.set_title("moving masks; path-based scores")
            samples.set_title("over samples")
    legend_below([axis for axis in axes if axis not in axes[2::3]], own, 4)
    handles, texts = axes[2].get_legend_handles_labels()
    axes[2].legend(handles, texts, loc="center", bbox_to_anchor=(0.62, 0.26))


def _updates(panel: Any, steps: list[int], last: bool) -> None:
    panel.set_xscale("symlog", linthresh=1, linscale=0.4)
    panel.set_xlim(-0.1, 1.25 * steps[-1])
    ticks = [at for at in (0, 1, 10, 100) if at <= steps[-1]]
    if steps[-1] not in ticks:
        ticks.append(steps[-1])
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.set_xlabel("updates of training" if last else "")


def _samples(panel: Any, row: dict[str, Any], last: bool) -> None:
    """Draw the ends of training, solid, and its start, dotted with hollow markers."""
    for name, ends in row["over"].items():
        colour, marker, _ = LOOK[name]
        curve(panel, row["sizes"], ends["end"], (colour, marker, "-"))
        curve(
            panel,
            row["sizes"],
            ends["start"],
            (colour, marker, ":"),
            markerfacecolor="white",
            markeredgecolor=colour,
            markeredgewidth=0.7,
        )
    for dashes, text in (("-", "at the end"), (":", "at the start")):
        panel.plot([], [], color="0.3", linestyle=dashes, linewidth=1.1, label=text)
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(row["sizes"]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.tick_params(axis="x", labelsize=6)
    panel.set_xlabel("samples n" if last else "")
