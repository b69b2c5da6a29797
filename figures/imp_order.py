"""The order of pruning: rank against rank for each feature distribution; below, curves over n and examples."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures.style import COLOURS, WIDTH

__all__ = ["draw", "layout", "panels", "size"]

_LOOK = {
    ("orthogonal", "projection"): ("blue", "o", "-"),
    ("equal-norm", "projection"): ("green", "s", "-"),
    ("unequal-norm", "projection"): ("orange", "^", "-"),
    ("unequal-norm", "coefficient"): ("orange", "v", ":"),
    ("equicorrelated", "projection"): ("purple", "D", "-"),
    ("equicorrelated", "population"): ("purple", "P", ":"),
}


def panels(summary: dict[str, Any]) -> int:
    """Return the number of panels: the rank-rank plots, and three below."""
    return len(summary["densities"]) + 3


def size(summary: dict[str, Any]) -> tuple[float, float]:
    """Return width and height in inches."""
    return WIDTH, 6.0


def layout(figure: Any, count: int) -> list[Any]:
    """Return the axes: the rank-rank plots side by side, below them one wide and two narrower panels."""
    upper, lower = figure.add_gridspec(2, 1, height_ratios=[1.0, 1.35])
    above, below = upper.subgridspec(1, count - 3), lower.subgridspec(1, 3, width_ratios=[1.5, 1.0, 0.8])
    return [
        *(figure.add_subplot(above[index]) for index in range(count - 3)),
        *(figure.add_subplot(below[index]) for index in range(3)),
    ]


def draw(axes: list[Any], summary: dict[str, Any], own: bool) -> None:
    """Draw the panels."""
    *above, curves, example, subsets = axes
    image = None
    for position, (panel, one) in enumerate(zip(above, summary["densities"], strict=True)):
        image = _density(panel, one, position) or image
    if image is not None:
        bar = axes[0].figure.colorbar(image, ax=above, shrink=0.8, aspect=16, pad=0.01, extend="max")
        bar.set_label("share of problems")
        bar.outline.set_visible(False)
    _curves(curves, summary)
    _example(example, summary["counter_example"])
    _subsets(subsets, summary["best_subset"])
    handles, texts = curves.get_legend_handles_labels()
    if own:
        axes[0].figure.legend(handles, texts, loc="outside lower center", ncols=2)
    else:
        curves.legend()


def _density(panel: Any, one: dict[str, Any], position: int) -> Any:
    """Draw how often each rank of IMP goes with each rank of the rule; the diagonal is agreement."""
    heading = one["label"].replace(", ", "\n")
    if one["tau"] is not None:
        low, high = one["interval"] or (np.nan, np.nan)
        heading += f"\nτ = {one['tau']:.2f} [{low:.2f}, {high:.2f}]"
    panel.set_title(heading, fontsize=7)
    panel.set_xlabel(_rule(one["rule"]))
    if position == 0:
        panel.set_ylabel(f"rank in IMP's order\n(n = {one['n']:,})")
    else:
        panel.tick_params(labelleft=False)
    if one["share"] is None:
        return None
    share = np.array(one["share"])
    d = len(share)
    image = panel.imshow(share, origin="lower", extent=(0.5, d + 0.5, 0.5, d + 0.5), vmin=0, vmax=0.5, cmap="Blues")
    panel.set_xticks([1, d])
    panel.set_yticks([1, d])
    return image


def _rule(words: str) -> str:
    return "rank by projection" if words.startswith("projection") else "rank by |$c_j$ - const|"


def _curves(panel: Any, summary: dict[str, Any]) -> None:
    for curve in summary["curves"]:
        colour, marker, dashes = _LOOK[curve["law"], curve["rule"]]
        points = curve["points"]
        places = [point["n"] for point in points]
        intervals = [point["interval"] or (point["tau"],) * 2 for point in points]
        panel.fill_between(places, *zip(*intervals, strict=True), color=COLOURS[colour], alpha=0.2, linewidth=0)
        panel.plot(
            places,
            [point["tau"] for point in points],
            color=COLOURS[colour],
            marker=marker,
            linestyle=dashes,
            fillstyle="none" if dashes == ":" else "full",
            label=curve["label"],
        )
    panel.set_xscale("log")
    panel.set_ylim(0, 1.05)
    panel.set_xlabel("samples n")
    panel.set_ylabel("Kendall's τ with IMP's order")
    panel.set_title("Agreement of the orders (mean, 95 %)")


def _example(panel: Any, example: dict[str, Any]) -> None:
    """Draw projection and weight of the four features; the smallest of each is filled: it is the one to go."""
    looks = (("c", "projections", "purple", "s", -0.13), ("w", "weights", "blue", "o", 0.13))
    for population, measured, colour, marker, shift in looks:
        values = np.abs(np.array(example[population]))
        places = np.arange(1, len(values) + 1) + shift
        if example["n"] is not None:
            low, _, high = np.array(example[measured]).T
            panel.vlines(places, low, high, color=COLOURS[colour], linewidth=3, alpha=0.35)
        label = "projection $|c_j|$" if population == "c" else "IMP's weight $|w_j|$"
        panel.plot(places, values, marker, color=COLOURS[colour], fillstyle="none", markersize=5, label=label)
        smallest = int(np.argmin(values))
        panel.plot(places[smallest], values[smallest], marker, color=COLOURS[colour], markersize=5)
        panel.annotate(
            "pruned first",
            (places[smallest], values[smallest]),
            xytext=(0, -5),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=6,
            color=COLOURS[colour],
        )
    panel.set_xticks(range(1, len(example["c"]) + 1), ["1\nsignal", "2\nsignal", "3\nsignal", "4\nnull"])
    panel.set_xlim(0.5, len(example["c"]) + 0.6)
    panel.set_ylim(-0.35, 1.35 * max(np.abs(example["c"])))
    panel.set_ylabel("size; quartiles at the smallest n")
    panel.set_xlabel("feature")
    panel.legend(loc="upper right", fontsize=6.5, handletextpad=0.1, borderpad=0.1)
    panel.set_title(f"Counter-example, ρ = {example['rho']:g}")


def _subsets(panel: Any, agreement: list[dict[str, Any]]) -> None:
    places, rates = np.arange(len(agreement)), np.array([one["rate"] for one in agreement])
    errors = np.abs([[one["rate"] - one["low"], one["high"] - one["rate"]] for one in agreement]).reshape(-1, 2).T
    panel.errorbar(places, rates, errors, fmt="o", color=COLOURS["orange"], elinewidth=1, capsize=2)
    panel.axhline(1 / 56, color="0.5", linestyle=":", linewidth=0.8)
    panel.annotate("chance, 1/56", (0.03, 1 / 56), xycoords=("axes fraction", "data"), va="bottom", fontsize=6)
    panel.set_xticks(places, [f"{one['ratio']:g}" for one in agreement])
    panel.set_xlim(-0.5, len(agreement) - 0.5)
    panel.set_ylim(0, 1.05)
    panel.set_xlabel("norm ratio (orthogonal)")
    panel.set_ylabel("rate of IMP's 3 = best 3 (95 %)")
    panel.set_title("Best 3 of 8 columns")
