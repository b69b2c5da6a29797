"""What an experiment is, and the list of those that the command line knows."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from paper_repro.store import Cell, Record

__all__ = ["PRESETS", "Experiment", "UnknownName", "get", "names", "register"]

PRESETS = ("smoke", "quick", "cpu", "paper")
"""From seconds, over minutes on two cores and a night on sixteen, to the size of the paper."""


class UnknownName(ValueError):
    """A figure or preset of that name does not exist; the message lists those that do."""


Outcome = tuple[dict[str, Any], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Experiment:
    """A figure or table: which cells it has, how one is computed, and what they amount to.

    Parameters
    ----------
    name : str
        Name on the command line and of the files.
    version : int
        To be raised whenever a cell's numbers would change; older results are then left alone.
    title : str
        One line that says what is shown.
    module : str
        Import path of the module that holds this object as ``EXPERIMENT``; worker processes import it.
    settings : type
        Frozen dataclass of JSON values with the fields ``seed`` and ``dtype``; one instance is one cell.
    presets : dict
        What ``cells`` is given for each name of :data:`PRESETS`.
    cells : callable
        ``cells(preset, seed) -> list of settings``; trials use the seeds ``seed``, ``seed + 1``, ...
    cost : callable
        ``cost(settings) -> float``, proportional to the time a cell takes; long cells start first.
    compute : callable
        ``compute(settings, device) -> (metrics, arrays)``; depends on its settings alone.
    summarise : callable
        ``summarise(preset, seed, records) -> dict`` of what the figure shows, with the printed table
        as ``{"table": {"columns": [...], "rows": [[...], ...]}}``; see :mod:`paper_repro.experiments.grids` for
        further tables, rows of panels and claims.
    cells_of : str, optional
        Name of another experiment whose cells these are: a companion shows more of the same results and computes
        nothing that is there. Its `version`, `module`, `settings`, `cells` and `compute` are those of the other.
    compute_many : callable, optional
        ``compute_many(sequence of settings, device) -> list`` of what `compute` returns for each of them, in their
        order and equal to it; for cells that share work or that a GPU fits in one call. It need not guard against
        running out of memory: the batch is then halved.
    batch_key : callable, optional
        ``batch_key(settings)``: cells with equal keys may be computed in one call of `compute_many`. Both or none.
    data : callable, optional
        ``data(preset) -> str``: which data a run of this preset uses, and of what size, in a few words.
    """

    name: str
    version: int
    title: str
    module: str
    settings: type
    presets: Mapping[str, Any]
    cells: Callable[[str, int], Sequence[Any]]
    cost: Callable[[Any], float]
    compute: Callable[[Any, str], Outcome]
    summarise: Callable[[str, int, Sequence[Record]], dict[str, Any]]
    cells_of: str | None = None
    compute_many: Callable[[Sequence[Any], str], list[Outcome]] | None = None
    batch_key: Callable[[Any], Hashable] | None = None
    data: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        if (self.compute_many is None) != (self.batch_key is None):
            raise ValueError(f"experiment {self.name!r} has one of compute_many and batch_key; expected both or none")

    @property
    def store_name(self) -> str:
        """Name of the store's folder that holds the cells."""
        return self.cells_of or self.name

    def companion(
        self, name: str, title: str, summarise: Callable[[str, int, Sequence[Record]], dict[str, Any]]
    ) -> Experiment:
        """Return an experiment that shows more of the same cells."""
        return replace(self, name=name, title=title, summarise=summarise, cells_of=self.store_name)

    def cell(self, settings: Any) -> Cell:
        """Return the store's name for settings of this experiment."""
        return Cell(self.store_name, self.version, asdict(settings))

    def check_preset(self, preset: str) -> None:
        """Refuse, with a sentence, a preset that this experiment does not have."""
        if preset not in self.presets:
            listed = ", ".join(self.presets)
            raise UnknownName(f"preset={preset!r} is not known for {self.name}; expected one of {listed}")


_BUILT_IN = {
    "fig1": "paper_repro.experiments.fig1",
    "fig2": "paper_repro.experiments.fig2",
    "fig3-binary": "paper_repro.experiments.fig3_binary",
    "fig3-digits": "paper_repro.experiments.fig3_digits",
    "fig4": "paper_repro.experiments.fig4",
    "fig5": "paper_repro.experiments.fig5",
    "table1": "paper_repro.experiments.table1",
    "table2": "paper_repro.experiments.table2",
    "fig6": "paper_repro.experiments.fig6",
    "fig7": "paper_repro.experiments.fig7",
    "fig8-binary": "paper_repro.experiments.fig8_binary",
    "fig8-digits": "paper_repro.experiments.fig8_digits",
    "fig9": "paper_repro.experiments.fig9",
    "fig10": "paper_repro.experiments.fig10",
    "imp-phase": "paper_repro.experiments.imp_phase",
    "imp-decoy": "paper_repro.experiments.imp_decoy",
    "imp-init": "paper_repro.experiments.imp_init",
    "imp-risk": "paper_repro.experiments.imp_risk",
    "imp-controls": "paper_repro.experiments.imp_controls",
    "imp-margin": "paper_repro.experiments.imp_margin",
    "imp-order": "paper_repro.experiments.imp_order",
    "phase": "paper_repro.experiments.phase",
    "conditions": "paper_repro.experiments.conditions",
    "rsc": "paper_repro.experiments.rsc",
    "centred": "paper_repro.experiments.centred",
    "gram": "paper_repro.experiments.gram",
}
_registered: dict[str, Experiment] = {}


def register(experiment: Experiment) -> None:
    """Make an experiment known to :func:`get`, and so to the command line.

    Parameters
    ----------
    experiment : Experiment
        A name that is already taken is replaced.
    """
    _registered[experiment.name] = experiment


def names() -> list[str]:
    """Return the names of all experiments, in the order in which ``run`` takes them."""
    return [*_BUILT_IN, *(name for name in _registered if name not in _BUILT_IN)]


def get(name: str) -> Experiment:
    """Return an experiment by name.

    Parameters
    ----------
    name : str
        One of :func:`names`.

    Returns
    -------
    Experiment
        The experiment.

    Raises
    ------
    UnknownName
        If there is none of that name; the sentence lists those there are.
    """
    if name in _registered:
        return _registered[name]
    if name not in _BUILT_IN:
        near = [one for one in names() if name and one.startswith(name + "-")] or get_close_matches(name, names(), n=1)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise UnknownName(f"there is no figure {name!r}{hint}; expected one of {', '.join(names())}")
    experiment: Experiment = importlib.import_module(_BUILT_IN[name]).EXPERIMENT
    return experiment
