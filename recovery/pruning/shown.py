"""Display of pruning results in notebooks: tables, plots and files."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base.files import Stored
from planted.base.frames import data_frame
from planted.base.markup import SHOWN, card, table
from planted.base.plots import axes_of, whole_numbers

__all__ = ["ShownPruning"]


class ShownPruning(Stored):
    """Tables, plots and files of :class:`recovery.pruning.PruningResult`."""

    path: tuple[Any, ...]

    def _state(self) -> dict[str, Any]:
        """Return what is saved: everything but `details`, which may hold anything."""
        return super()._state() | {"details": None}

    def _rows(self) -> list[tuple[int, int, int, float]]:
        return [(r, one.masks.count, one.n_iter, float(one.loss)) for r, one in enumerate(self.path)]

    def to_pandas(self) -> Any:
        """Return the rounds as a table.

        Returns
        -------
        pandas.DataFrame
            One row per round: ``weights`` (that are left after it), ``n_iter`` (updates of its training), ``loss``
            (mean loss of its last batch, NaN without training). The index, ``round``, counts from 0.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        """
        names = ("weights", "n_iter", "loss")
        columns: dict[str, list[Any]] = {name: [row[i] for row in self._rows()] for i, name in enumerate(names, 1)}
        return data_frame(columns, "to_pandas").rename_axis("round")

    def plot(self, ax: Any = None) -> Any:
        """Draw how many weights each layer keeps, round by round.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes
            The axes: the share of the weights that is left after each round, for each layer and for all.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        """
        ax = axes_of(ax, "PruningResult.plot")
        found: Any = self
        sizes = np.array([int(mask.size) for mask in found.masks.layers])
        kept = np.array([[int(mask.sum()) for mask in one.masks.layers] for one in self.path]).reshape(-1, len(sizes))
        kept = np.vstack([sizes, kept])
        rounds = np.arange(len(kept))
        if len(sizes) > 1:
            for level in range(len(sizes)):
                ax.plot(rounds, kept[:, level] / sizes[level], marker=".", label=f"layer {level}")
        ax.plot(rounds, kept.sum(axis=1) / sizes.sum(), color="0.3", marker="o", label="all weights")
        ax.legend(fontsize="small")
        ax.set_ylim(bottom=0.0)
        whole_numbers(ax.xaxis)
        ax.set_xlabel("rounds of pruning")
        ax.set_ylabel("share of the weights that is left")
        return ax

    def _repr_html_(self) -> str:
        """Return the result and its rounds as tables for notebooks."""
        found: Any = self
        pairs = [
            ("weights", f"{found.masks.count} of {found.model.n_weights}"),
            ("layers", ", ".join(f"{int(mask.sum())} of {int(mask.size)}" for mask in found.masks.layers)),
            ("updates", found.n_iter),
            ("multiply-adds", f"{found.cost.executed:.3g}"),
            ("status", found.message),
        ]
        head = ["round", "weights left", "updates", "loss"]
        return card("PruningResult", pairs, table(head, self._rows(), most=SHOWN))
