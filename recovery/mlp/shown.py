"""Display of network fits in notebooks: tables, plots and files."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from planted.base.checks import check_choice
from planted.base.files import Stored, storable
from planted.base.frames import Names, labels
from planted.base.markup import SHOWN, card, table
from planted.base.plots import axes_of, whole_numbers
from planted.networks import ReLUNetwork
from recovery.certificates.certificate import Certificate
from recovery.solvers.shown import history_frame

__all__ = ["ShownFit"]

storable(Certificate)  # a fit may hold one, and is read where nothing else has asked for it


class ShownFit(Stored):
    """Tables, plots and files of :class:`recovery.NetworkFit`."""

    network: ReLUNetwork
    history: dict[str, list[float]]
    names: Names

    @property
    def support_names(self) -> Names:
        """Names of the inputs that a weight of the first layer uses, in their order; None where they have no names."""
        if self.names is None:
            return None
        return tuple(labels(self.names, self._inputs()))

    def to_pandas(self, table: Literal["weights", "history"] = "weights") -> Any:
        """Return the weights, or the record of the fit, as a table.

        Parameters
        ----------
        table : {"weights", "history"}, default "weights"
            ``"weights"`` has one row per non-zero weight, see :meth:`planted.ReLUNetwork.to_pandas`. ``"history"`` has
            one row per entry of the record.

        Returns
        -------
        pandas.DataFrame
            The table. The index of the history, ``n_iter``, counts from 1.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        ValueError
            If there is no such table.
        """
        if check_choice(table, "table", ("weights", "history")) == "history":
            return history_frame(self.history)
        return self.network.to_pandas(self.names)

    def plot(self, ax: Any = None, *, show: Literal["history", "weights"] = "history") -> Any:
        """Draw how the fit went, or the weights that it found.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; a new figure by default.
        show : {"history", "weights"}, default "history"
            ``"history"`` draws the PSNR in dB after each step, with dotted lines where further starts begin, and a
            dashed line at the PSNR of the answer. ``"weights"`` draws the first layer, see
            :meth:`planted.ReLUNetwork.plot`.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        ValueError
            If `show` is not known.
        """
        if check_choice(show, "show", ("history", "weights")) == "weights":
            return self.network.plot(axes_of(ax, "NetworkFit.plot"), names=self.names)
        ax = axes_of(ax, "NetworkFit.plot")
        values = np.array(self.history.get("psnr_db", []), dtype=float)
        steps = np.arange(1, len(values) + 1)
        keep = np.isfinite(values)
        ax.plot(steps[keep], values[keep], marker=".", label="after each step")
        starts = np.array(self.history.get("start", []))
        for place in np.flatnonzero(np.diff(starts)):
            ax.axvline(place + 1.5, color="0.6", linestyle=":", linewidth=0.9)
        final: float = self.psnr_db  # type: ignore[attr-defined]
        if np.isfinite(final):
            ax.axhline(final, color="C1", linestyle="--", linewidth=0.9, label=f"answer: {final:.1f} dB")
        ax.legend(fontsize="small")
        whole_numbers(ax.xaxis)
        ax.set_xlabel("step")
        ax.set_ylabel("PSNR (dB)")
        return ax

    def _inputs(self) -> Any:
        """Return the inputs that have a weight, ascending, on the CPU."""
        found = self.network.namespace.flatnonzero((self.network.hidden != 0).any(axis=1))
        return np.array(found.tolist(), dtype=np.int64)

    def _repr_html_(self) -> str:
        """Return the numbers of the fit and the shape of its network for notebooks."""
        found: Any = self
        network = self.network
        used = labels(self.names, self._inputs())
        more = ", ..." if len(used) > SHOWN else ""
        pairs = [
            ("PSNR (dB)", found.psnr_db),
            ("hidden neurons", ", ".join(str(int(layer.shape[1])) for layer in network.layers[:-1])),
            ("non-zero weights", network.sparsity),
            (f"inputs in use ({len(used)} of {network.n_inputs})", ", ".join(map(str, used[:SHOWN])) + more),
            ("steps", found.n_iter),
            ("status", found.message),
            ("certificate", "none" if found.certificate is None else found.certificate.kind),
        ]
        layers = [
            (level, f"{int(layer.shape[0])} x {1 if layer.ndim == 1 else int(layer.shape[1])}", int((layer != 0).sum()))
            for level, layer in enumerate(network.layers)
        ]
        return card("NetworkFit", pairs, table(["layer", "shape", "non-zero"], layers, most=SHOWN))
