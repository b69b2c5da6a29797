"""Display of pruning paths in notebooks: tables, plots and files."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.files import Stored
from planted.base.frames import Names, data_frame, labels
from planted.base.markup import SHOWN, card, table
from planted.base.plots import axes_of, whole_numbers

__all__ = ["ShownPath"]

NAMED = 12
"""A plot has a legend with the survivors if there are at most this many."""


class ShownPath(Stored):
    """Tables, plots and files of :class:`linear_lottery.PruningPath`."""

    weights: Any
    order: Any
    support: Any
    sizes: tuple[int, ...]
    names: Names

    @property
    def support_names(self) -> Names:
        """Names of the survivors, in the order of ``support``; None where the features have none."""
        return None if self.names is None else tuple(labels(self.names, arrays.to_numpy(self.support)))

    @property
    def order_names(self) -> Names:
        """Names of the pruned weights, in the order of pruning; None where the features have none."""
        return None if self.names is None else tuple(labels(self.names, arrays.to_numpy(self.order)))

    def to_pandas(self) -> Any:
        """Return the weights of all rounds as a table.

        Returns
        -------
        pandas.DataFrame
            One row per round, indexed by ``size``, the number of weights that it trains; one column per feature, by its
            name or else its number.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        """
        weights = arrays.to_numpy(self.weights)
        columns = labels(self.names, np.arange(weights.shape[1]))
        frame = data_frame(weights, "to_pandas", index=list(self.sizes), columns=columns)
        return frame.rename_axis("size")

    def plot(self, ax: Any = None) -> Any:
        """Draw the weights against the number that is left.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes
            The axes. Pruning goes from left to right. A weight is drawn up to the round after which it was pruned, in
            grey; survivors are in colour, with their names where they are few.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        """
        ax = axes_of(ax, "PruningPath.plot")
        weights, sizes = arrays.to_numpy(self.weights), np.array(self.sizes)
        masks = arrays.to_numpy(self.masks)  # type: ignore[attr-defined]
        support = arrays.to_numpy(self.support)
        few = 0 < support.size <= NAMED
        for j in arrays.to_numpy(self.order).tolist():
            there = masks[:, j]
            ax.plot(sizes[there], weights[there, j], color="0.6", linewidth=0.8, marker=".", markersize=3, zorder=1)
        for j in support.tolist():
            (label,) = labels(self.names, [j])
            ax.plot(sizes, weights[:, j], marker=".", zorder=2, label=str(label) if few else None)
        if few:
            ax.legend(fontsize="small", title="survivors")
        if len(sizes) > 1:
            ax.invert_xaxis()
        whole_numbers(ax.xaxis)
        ax.set_xlabel("weights left")
        ax.set_ylabel("weight")
        return ax

    def _repr_html_(self) -> str:
        """Return the path as a table for notebooks: sizes of the rounds, and which weights each pruned."""
        found: Any = self
        order = labels(self.names, arrays.to_numpy(self.order))
        rows = []
        for r in range(min(len(self.sizes), SHOWN)):
            begin, end = (self.sizes[0] - size for size in (*self.sizes[r:], self.sizes[-1])[:2])
            gone = order[begin:end]
            some = ", ".join(map(str, gone[:SHOWN])) + (", ..." if len(gone) > SHOWN else "")
            rows.append((r, self.sizes[r], some))
        left = len(self.sizes) - len(rows)
        more = [f"<p>and {left} more rounds</p>"] if left else []
        kept = labels(self.names, arrays.to_numpy(self.support))
        survivors = ", ".join(map(str, kept[:SHOWN])) + (", ..." if len(kept) > SHOWN else "")
        pairs = [("result", found.message), ("survivors", survivors), ("route", found.route)]
        return card("PruningPath", pairs, table(["round", "weights", "pruned after it"], rows), *more)
