"""Figure 3, two classes: test accuracy over width and sparsity, and beside it what simpler models reach."""

from __future__ import annotations

from typing import Any

from figures.heatmap import heatmap
from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

_LINES = (("blue", "o"), ("orange", "s"), ("green", "^"))
_DASHES = ("--", ":", "-.")


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: one a method, and the comparison."""
    return len(summary["methods"]) + 1


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 2.05 + 0.2 * max(len(summary["m"]), 6)


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes of the panels, side by side."""
    return list(figure.subplots(1, count, squeeze=False, width_ratios=[1.3] * (count - 1) + [1])[0])


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the heat maps, their colour bar, and the comparison; its legend goes below a figure of our own."""
    limits = tuple(summary["colour_range"])
    image = None
    for position, method in enumerate(summary["methods"]):
        image = heatmap(
            axes[position],
            summary["mean_accuracy"][method],
            summary["possible"],
            summary["m"],
            summary["s"],
            limits,
            lambda value: f"{value:.3f}".lstrip("0"),
        )
        axes[position].set_title(summary["labels"][method])
        if position == 0:
            axes[position].set_ylabel("hidden width m")
    bar = axes[0].figure.colorbar(image, ax=axes[:-1], extend=summary["extend"], shrink=0.9, aspect=25, pad=0.02)
    bar.set_label("mean test accuracy")
    bar.outline.set_visible(False)
    _compare(axes[-1], summary)
    if own:
        axes[-1].figure.legend(loc="outside lower center", ncols=3)
    else:
        axes[-1].legend()


def _compare(panel: Any, summary: dict[str, Any]) -> None:
    for (colour, marker), method in zip(_LINES, summary["methods"], strict=False):
        points = summary["points"][method]
        panel.plot(
            [point["s"] for point in points],
            [point["accuracy"] for point in points],
            marker,
            color=COLOURS[colour],
            markersize=3,
            alpha=0.5,
        )
        line = summary["at_width"][method]
        panel.plot(
            [point["s"] for point in line],
            [point["accuracy"] for point in line],
            marker=marker,
            color=COLOURS[colour],
            label=f"{summary['labels'][method]}, m = {summary['width']}",
        )
    for dashes, baseline in zip(_DASHES, summary["baselines"], strict=False):
        panel.axhline(
            baseline["accuracy"],
            color="0.3",
            linestyle=dashes,
            linewidth=1.0,
            label=f"{baseline['label']}: {baseline['accuracy']:.4f}",
        )
    panel.set_xscale("log")
    ticks = summary["s"] if len(summary["s"]) <= 5 else summary["s"][1::2]
    panel.set_xticks(ticks, [str(value) for value in ticks])
    panel.minorticks_off()
    panel.set_ylim(*summary["compare_range"])
    panel.set_xlabel("non-zero hidden weights s")
    panel.set_ylabel("test accuracy")
    panel.yaxis.tick_right()
    panel.yaxis.set_label_position("right")
    panel.spines["left"].set_visible(False)
    panel.spines["right"].set_visible(True)
    panel.set_title("Against simpler models")
