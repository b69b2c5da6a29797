"""Display of solver results in notebooks: tables, plots and files."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice
from planted.base.files import Stored
from planted.base.frames import Names, data_frame, labels
from planted.base.markup import SHOWN, card, table
from planted.base.plots import axes_of, whole_numbers

__all__ = ["ShownResult", "draw_history", "history_frame"]

NAMED = 40
"""A plot labels the axis with the names of the support for at most this many features."""


class ShownResult(Stored):
    """Tables, plots and files of :class:`recovery.RecoveryResult`."""

    x: Any
    support: Any
    values: Any
    history: dict[str, list[float]]
    names: Names

    @property
    def support_names(self) -> Names:
        """Names of the columns in the support, in its order; None if the columns of A have no names."""
        return None if self.names is None else tuple(labels(self.names, arrays.to_numpy(self.support)))

    def to_pandas(self, table: Literal["coefficients", "history"] = "coefficients") -> Any:
        """Return the coefficients or the history of the run as a table.

        Parameters
        ----------
        table : {"coefficients", "history"}, default "coefficients"
            ``"coefficients"`` has one row per non-zero of x: ``feature``, the name of the column of A or else its
            number, and ``coefficient``. ``"history"`` has one row per step.

        Returns
        -------
        pandas.DataFrame
            The table. The index of the history, ``n_iter``, counts steps from 1.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        ValueError
            If there is no such table.
        """
        if check_choice(table, "table", ("coefficients", "history")) == "history":
            return history_frame(self.history)
        values = self.values if self.values is not None else self.x[self.support]
        features = labels(self.names, arrays.to_numpy(self.support))
        return data_frame({"feature": features, "coefficient": arrays.to_numpy(values)}, "to_pandas")

    def plot(self, ax: Any = None, *, show: Literal["x", "history"] = "x", truth: Any = None) -> Any:
        """Plot x as stems, or the objective against the steps.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; a new figure by default.
        show : {"x", "history"}, default "x"
            The non-zero entries of x, or the objective after each step.
        truth : array, shape (N,), optional
            A planted vector, whose non-zero entries are drawn as circles around the stems.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        TypeError, ValueError
            If `show` is unknown, or `truth` is not a vector of the length of x.
        """
        check_choice(show, "show", ("x", "history"))
        size = None if self.x is None else int(self.x.shape[0])
        if truth is not None:
            truth = arrays.to_numpy(check_array(truth, "truth", ndim=1, shape=(size,)))
        ax = axes_of(ax, "RecoveryResult.plot")
        if show == "history":
            return draw_history(ax, self.history, "objective", "objective 1/2 |A x - y|^2")
        support = arrays.to_numpy(self.support)
        values = arrays.to_numpy(self.values if self.values is not None else self.x[self.support])
        if support.size:
            stems = ax.stem(support, values, basefmt=" ", label="found")
            stems.markerline.set_markersize(4)
        ax.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
        if size is not None:
            ax.set_xlim(-0.5, size - 0.5)
        if truth is not None:
            there = np.flatnonzero(truth)
            ax.plot(there, truth[there], "o", markersize=9, fillstyle="none", color="C1", label="planted")
            ax.legend(fontsize="small")
        if self.names is not None and 0 < support.size <= NAMED:
            ax.set_xticks(support, labels(self.names, support), rotation=90)
        ax.set_xlabel("column of A")
        ax.set_ylabel("coefficient")
        return ax

    def _repr_html_(self) -> str:
        """Return a summary and the largest coefficients as HTML, for notebooks."""
        support = arrays.to_numpy(self.support)
        values = arrays.to_numpy(self.values if self.values is not None else self.x[self.support])
        order = np.argsort(-np.abs(values), kind="stable")
        head = "column" if self.names is None else "feature"
        rows = zip(labels(self.names, support[order]), values[order].tolist(), strict=True)
        size = "" if self.x is None else f" of {int(self.x.shape[0])}"
        found: Any = self
        pairs = [
            ("non-zeros", f"{len(support)}{size}"),
            ("objective", found.objective),
            ("relative residual", found.relative_residual),
            ("steps", found.n_iter),
            ("status", found.message),
        ]
        return card(type(self).__name__, pairs, table([head, "coefficient"], rows, most=SHOWN))


def history_frame(history: dict[str, list[float]]) -> Any:
    """Return a history as a pandas data frame; shorter columns are padded with NaN.

    Parameters
    ----------
    history : dict of list
        One entry per step.

    Returns
    -------
    pandas.DataFrame
        Its index, ``n_iter``, counts from 1.
    """
    length = max(map(len, history.values()), default=0)
    columns = {key: [*column, *[np.nan] * (length - len(column))] for key, column in history.items()}
    index = np.arange(1, length + 1)
    return data_frame(columns, "to_pandas", index=index).rename_axis("n_iter")


def draw_history(ax: Any, history: dict[str, list[float]], key: str, title: str, *, log: bool = True) -> Any:
    """Plot one column of a history against the steps.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    history : dict of list
        The history.
    key, title : str
        The column, and the label of the axis.
    log : bool, default True
        Use a logarithmic axis; values that are not positive are then left out.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    values = np.array(history.get(key, []), dtype=float)
    steps = np.arange(1, len(values) + 1)
    keep = np.isfinite(values) & ((values > 0.0) if log else True)
    ax.plot(steps[keep], values[keep], marker=".")
    if log and keep.any():
        ax.set_yscale("log")
    whole_numbers(ax.xaxis)
    ax.set_xlabel("step")
    ax.set_ylabel(title)
    return ax
