"""Display of a diagnosis in notebooks: tables, plots and files."""

from __future__ import annotations

from typing import Any, Literal

from planted.base.checks import check_choice
from planted.base.files import Stored, storable
from planted.base.frames import data_frame
from planted.base.plots import axes_of, whole_numbers
from recovery.guarantees.engine.base import Verdict

__all__ = ["ShownDiagnosis"]

storable(Verdict)

TABLES = ("uniform", "planted", "effects", "numbers")


class ShownDiagnosis(Stored):
    """Tables, plots and files of :class:`recovery.Diagnosis`."""

    numbers: list[tuple[str, str]]
    uniform: list[Any]
    planted: list[Any]
    effects: list[Any]

    def to_pandas(self, table: Literal["uniform", "planted", "effects", "numbers"] = "uniform") -> Any:
        """Return one of the tables of the report.

        Parameters
        ----------
        table : {"uniform", "planted", "effects", "numbers"}, default "uniform"
            Guarantees for every x of a sparsity, guarantees about the x that was given or found, changes of A, or facts
            about A.

        Returns
        -------
        pandas.DataFrame
            One row per entry. ``status``, ``margin`` and ``reason`` are those of the verdict.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        ValueError
            If there is no such table.
        """
        check_choice(table, "table", TABLES)
        rows: list[dict[str, Any]]
        if table == "numbers":
            rows = [{"number": name, "value": value} for name, value in self.numbers]
        elif table == "effects":
            rows = [
                {
                    "change": one.name,
                    "measured": one.measured,
                    "largest s": one.best,
                    "coherence": one.coherence,
                    "kappa": one.kappa,
                    "share": one.share,
                    "note": one.note,
                }
                for one in self.effects
            ]
        else:
            rows = [
                {"guarantee": ", ".join(one.names)}
                | ({"method": one.method, "condition": one.text, "largest s": one.covers} if table == "uniform" else {})
                | {"status": one.verdict.status, "margin": one.verdict.margin, "reason": one.verdict.reason}
                for one in getattr(self, table)
            ]
        return data_frame(rows, "to_pandas")

    def plot(self, ax: Any = None) -> Any:
        """Plot up to which sparsity each condition guarantees every x.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes
            The axes: one bar per condition on A, as long as the largest s for which it holds. A dashed line marks the
            requested sparsity.

        Raises
        ------
        MissingExtra
            If matplotlib is not installed.
        """
        ax = axes_of(ax, "Diagnosis.plot")
        found: Any = self
        names = [", ".join(one.names) for one in self.uniform]
        covers = [one.covers or 0 for one in self.uniform]
        places = range(len(names))
        bars = ax.barh(places, covers)
        ax.bar_label(bars, padding=3)
        ax.set_yticks(places, names)
        ax.invert_yaxis()
        ax.set_xlim(0, 1.15 * max([*covers, found.sparsity or 0, 1]))
        if found.sparsity:
            ax.axvline(found.sparsity, color="C1", linestyle="--", label=f"s = {found.sparsity}")
            ax.legend(fontsize="small")
        whole_numbers(ax.xaxis)
        n, size = found.shape
        ax.set_xlabel("largest s for which every x is guaranteed")
        ax.set_title(f"{n} x {size} matrix")
        return ax
