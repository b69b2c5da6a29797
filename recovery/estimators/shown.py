"""Plots of the estimators: the path of the linear models, and the weights of the networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base.extras import need
from planted.base.markup import SHOWN
from planted.base.plots import axes_of, whole_numbers
from planted.networks import ReLUNetwork
from recovery.estimators.paths import SparsePath

__all__ = ["CRITERIA", "draw_coefficients", "draw_errors", "draw_weights", "names_of_features"]

CRITERIA = {
    "cv": "error in cross-validation",
    "ebic": "EBIC",
    "validation": "error on the validation set",
    "noise": "error on the rows of the fit",
}
"""What a choice of the size compares, by `selection`; the errors are mean squared errors."""


def names_of_features(model: Any) -> list[str]:
    """Return the names of the features of a fitted estimator; x0, x1, ... if they have none, as in scikit-learn."""
    names = getattr(model, "feature_names_in_", None)
    return [f"x{j}" for j in range(model.n_features_in_)] if names is None else [str(name) for name in names]


def draw_coefficients(ax: Any, path: SparsePath, coef: Any, names: list[str]) -> Any:
    """Draw the coefficients of the models of all sizes, and those of the model that predicts.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Axes to draw on.
    path : SparsePath
        The best single model of every size.
    coef : array, shape (p,)
        The coefficients of the model that predicts.
    names : list of str
        Names of the features.

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
        ax.plot(path.sizes, path.coefs[j], color="0.75", linestyle=":", marker=".", label=label)
    colours = _colours(len(support))
    for i, j in enumerate(support):
        label = names[j] if i < SHOWN else f"{len(support) - SHOWN} more" if i == SHOWN else None
        ax.plot(path.sizes, path.coefs[j], color=colours[i], marker=".", label=label)
    averaged = _is_average(path, coef)
    if averaged:
        ax.scatter(
            np.full(len(support), len(support)), coef[support], c=colours, marker="D", edgecolors="black", zorder=3
        )
        # one entry for all of them, without the colour of one
        ax.plot([], [], "D", color="white", markeredgecolor="black", label="the average, which predicts")
    _mark(ax, path, averaged)
    ax.set_ylabel("coefficient")
    return _finished(ax)


def draw_errors(ax: Any, path: SparsePath, coef: Any, criterion: str) -> Any:
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

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax, "plot_path")
    spread = np.where(np.isnan(path.spread), 0.0, path.spread)
    ax.errorbar(path.sizes, path.errors, yerr=spread, marker=".", label="best single model of each size")
    averaged = _is_average(path, coef)
    if averaged:
        size = int(np.count_nonzero(coef))
        ax.axvline(size, color="black", linestyle=":", label=f"size of the average, which predicts: {size}")
    _mark(ax, path, averaged)
    ax.set_ylabel(CRITERIA[criterion])
    return _finished(ax)


def draw_weights(ax: Any, network: ReLUNetwork, names: list[str], title: str) -> Any:
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

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax, "plot")
    if network.n_neurons:
        network.plot(ax, names=names)
    else:
        ax.text(0.5, 0.5, "no neuron: the prediction is constant", ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
    ax.set_title(title, fontsize="medium")
    return ax


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


def _finished(ax: Any) -> Any:
    entries = len(ax.get_legend_handles_labels()[1])
    ax.legend(fontsize="x-small", ncols=1 + entries // 12)
    whole_numbers(ax.xaxis)
    ax.set_xlabel("features in the model")
    return ax
