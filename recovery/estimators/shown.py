"""Plots of the estimators: the path of the linear models, and the weights of the networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base.extras import need
from planted.base.markup import SHOWN
from planted.base.plots import axes_of, whole_numbers
from planted.networks import ReLUNetwork
from recovery.estimators.paths import SparsePath

__all__ = ["CRITERIA", "draw_coefficients", "draw_errors", "draw_model", "draw_weights", "names_of_features"]

BARS = 40
"""A plot of coefficients has at most this many bars."""

CRITERIA = {
    "cv": "mean squared error in cross-validation",
    "ebic": "EBIC",
    "validation": "mean squared error on the validation set",
    "noise": "mean squared error on the rows of the fit",
}
"""What a choice of the size compares, by `selection`."""


def names_of_features(model: Any) -> list[str]:
    """Return the names of the features of a fitted estimator; x0, x1, ... if they have none, as in scikit-learn."""
    names = getattr(model, "feature_names_in_", None)
    return [f"x{j}" for j in range(model.n_features_in_)] if names is None else [str(name) for name in names]


def draw_model(ax: Any, coef: Any, names: list[str]) -> Any:
    """Draw the coefficients of a linear model as horizontal bars; without any, say so.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Axes to draw on.
    coef : array, shape (p,)
        Coefficients per standard deviation of the features.
    names : list of str
        Names of the features.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax, "plot")
    order = np.argsort(-np.abs(coef), kind="stable")[: np.count_nonzero(coef)]
    if not len(order):
        ax.text(0.5, 0.5, "no feature: the prediction is constant", ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
        return ax
    shown = order[:BARS][::-1]  # bars go from the bottom to the top
    places = np.arange(len(shown))
    ax.barh(places, coef[shown], color=["C3" if value > 0.0 else "C0" for value in coef[shown]])
    ax.set_yticks(places, [names[j] for j in shown], fontsize="small" if len(shown) > SHOWN else None)
    ax.axvline(0.0, color="0.6", linewidth=0.8)
    ax.set_xlabel("coefficient per standard deviation")
    if len(order) > BARS:
        ax.set_title(f"the {BARS} largest of {len(order)} coefficients", fontsize="medium")
    return ax


def draw_coefficients(
    ax: Any, path: SparsePath, coef: Any, scale: Any, names: list[str], largest: int | None = None
) -> Any:
    """Draw the coefficients of the models of all sizes, and those of the model that predicts.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Axes to draw on.
    path : SparsePath
        The best single model of every size.
    coef : array, shape (p,)
        The coefficients of the model that predicts.
    scale : array, shape (p,)
        Standard deviations of the features, by which coefficients are multiplied.
    names : list of str
        Names of the features.
    largest : int, optional
        Largest size on the axis.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax, "plot_path")
    support = np.flatnonzero(coef)
    outside = np.flatnonzero((path.coefs != 0.0).any(axis=1) & (coef == 0.0))
    single = all(len(group) <= SHOWN for group in (support, outside))
    for i, j in enumerate(outside):
        word = f"{names[j]} (not in the model)" if single else f"{len(outside)} features that are not in the model"
        label = word if single or i == 0 else None
        ax.plot(path.sizes, path.coefs[j] * scale[j], color="0.75", linestyle=":", marker=".", label=label)
    colours = _colours(len(support))
    for i, j in enumerate(support):
        label = names[j] if i < SHOWN else f"{len(support) - SHOWN} more" if i == SHOWN else None
        ax.plot(path.sizes, path.coefs[j] * scale[j], color=colours[i], marker=".", label=label)
    averaged = _is_average(path, coef)
    if averaged:
        heights = coef[support] * scale[support]
        ax.scatter(np.full(len(support), len(support)), heights, c=colours, marker="D", edgecolors="black", zorder=3)
        # one entry for all of them, without the colour of one
        ax.plot([], [], "D", color="white", markeredgecolor="black", label="the average, which predicts")
    _mark(ax, path, averaged)
    ax.set_ylabel("coefficient per standard deviation")
    return _finished(ax, path, len(support), largest)


def draw_errors(ax: Any, path: SparsePath, coef: Any, criterion: str, largest: int | None = None) -> Any:
    """Draw what the choice of the size compared.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Axes to draw on.
    path : SparsePath
        The best single model of every size.
    coef : array, shape (p,)
        The coefficients of the model that predicts.
    criterion : str
        A key of :data:`CRITERIA`.
    largest : int, optional
        Largest size on the axis.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax, "plot_path")
    spread = np.where(np.isnan(path.spread), 0.0, path.spread)
    ax.errorbar(path.sizes, path.errors, yerr=spread, marker=".", label="best single model of each size")
    averaged, size = _is_average(path, coef), int(np.count_nonzero(coef))
    _mark(ax, path, averaged)
    if averaged:  # above the other line, and wider, so that both are seen where the sizes are equal
        label = f"size of the average, which predicts: {size}"
        ax.axvline(size, color="black", linestyle=":", linewidth=2.5, label=label)
    ax.set_ylabel(CRITERIA[criterion])
    return _finished(ax, path, size, largest)


def draw_weights(ax: Any, network: ReLUNetwork, names: list[str], title: str, labels: list[str]) -> Any:
    """Draw the hidden weights of a network; without neurons, say so.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Axes to draw on.
    network : planted.ReLUNetwork
        The network.
    names : list of str
        Names of its inputs.
    title : str
        Title of the axes.
    labels : list of str
        Labels of the neurons; left out if they are too many.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax, "plot")
    if network.n_neurons:
        network.plot(ax, names=names)
        if network.n_neurons <= SHOWN:
            ax.set_xticks(range(network.n_neurons), labels)
        ax.set_xlabel("neuron")
    else:
        ax.text(0.5, 0.5, "no neuron: the prediction is constant", ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
    ax.set_title(title, fontsize="medium")
    return ax


def _fit_heights(ax: Any, largest: int) -> None:
    """Limit the vertical axis to the points at sizes up to a limit."""
    inside = [
        y
        for line in ax.lines
        if len(line.get_xdata()) > 2
        for x, y in zip(*line.get_data(), strict=True)
        if x <= largest
    ]
    inside += [
        y for points in ax.collections if hasattr(points, "get_sizes") for x, y in points.get_offsets() if x <= largest
    ]
    heights = np.array(inside, dtype=float)
    heights = heights[np.isfinite(heights)]
    if len(heights):
        low, high = float(heights.min()), float(heights.max())
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        ax.set_ylim(low - margin, high + margin)


def _is_average(path: SparsePath, coef: Any) -> bool:
    """Return whether the model that predicts is not the best single one."""
    return not np.array_equal(path.coefs[:, path.best], coef)


def _mark(ax: Any, path: SparsePath, averaged: bool) -> None:
    """Mark the size of the best single model."""
    word = "best single model" if averaged else "chosen size"
    ax.axvline(path.size, color="0.6", linestyle="--", label=f"{word}: {path.size}")


def _colours(count: int) -> Any:
    """Return colours for lines, none of which is grey."""
    tab = need("matplotlib", "plot_path").colormaps["tab20"].colors
    kept = [colour for i, colour in enumerate(tab) if i not in (14, 15)]
    kept = kept[::2] + kept[1::2]
    return [kept[i % len(kept)] for i in range(count)]


def _finished(ax: Any, path: SparsePath, size: int, largest: int | None) -> Any:
    """Label the axes, and limit them to the sizes around that of the model that predicts."""
    last = int(path.sizes[-1])
    largest = max(10, 3 * max(size, path.size)) if largest is None else largest
    if largest < last:
        ax.set_xlim(-0.03 * largest, 1.03 * largest)
        _fit_heights(ax, largest)
    entries = len(ax.get_legend_handles_labels()[1])
    if ax.figure.get_layout_engine() is None:
        ax.legend(fontsize="x-small", ncols=1 + entries // 12, framealpha=0.6)
    else:  # which makes room beside the axes, where the legend hides no line
        ax.legend(fontsize="x-small", ncols=1 + entries // 24, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    whole_numbers(ax.xaxis)
    ax.set_xlabel("features in the model")
    return ax
