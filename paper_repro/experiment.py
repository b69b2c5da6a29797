"""The class of experiments, and the registry used by the command line."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from importlib.abc import InspectLoader
from typing import Any

import numpy as np

import figures
from paper_repro import experiments
from paper_repro.store import Cell, Record

__all__ = ["PRESETS", "TAKES", "Experiment", "Outcome", "UnknownName", "get", "layouts", "names", "near", "register"]

PRESETS = ("smoke", "quick", "cpu", "paper")
"""From seconds, through minutes on two cores and a night on sixteen, to the paper's size."""
TAKES = {
    "smoke": "a few seconds",
    "quick": "one to four minutes on two cores",
    "cpu": "a night on 16 cores",
    "paper": "a GPU or a cluster",
}
"""How long one figure takes at each preset."""


class UnknownName(ValueError):
    """There is no figure or preset of this name; the message lists the existing ones."""


Outcome = tuple[dict[str, Any], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Experiment:
    """A figure or table: its cells, how to compute a cell, and how to summarise them.

    Parameters
    ----------
    name : str
        Name on the command line, and base name of the files.
    version : int
        Must be increased whenever a cell's numbers would change; older results are then ignored.
    title : str
        One line that describes what is shown.
    module : str
        Import path of the module that lists this object in ``EXPERIMENTS``; worker processes find it there by name.
    settings : type
        Frozen dataclass of JSON values with the fields ``seed`` and ``dtype``; one instance is one cell.
    presets : dict
        Argument of ``cells`` for each name in :data:`PRESETS`.
    cells : callable
        ``cells(preset, seed) -> list of settings``; trials use the seeds ``seed``, ``seed + 1``, ...
    cost : callable
        ``cost(settings) -> float``, proportional to the time a cell takes; long cells start first.
    compute : callable
        ``compute(settings, device) -> (metrics, arrays)``; depends only on its settings.
    summarise : callable
        ``summarise(preset, seed, records) -> dict`` with the content of the figure, including the printed table as
        ``{"table": {"columns": [...], "rows": [[...], ...]}}``; see :mod:`paper_repro.experiments.grids` for further
        tables, rows of panels and claims.
    cells_of : str, optional
        Name of another experiment whose cells these are: a companion shows further aspects of the same results and
        recomputes nothing. Its `version`, `module`, `settings`, `cells` and `compute` are those of that experiment.
    compute_many : callable, optional
        ``compute_many(sequence of settings, device) -> list`` of what `compute` returns for each of them, in the same
        order and with equal values; for cells that share work or that a GPU can process in one call. It need not handle
        running out of memory: the batch is then halved.
    batch_key : callable, optional
        ``batch_key(settings)``: cells with equal keys may be computed in one call of `compute_many`. Define both or
        neither.
    data : callable, optional
        ``data(preset) -> str``: a short description of the data used by this preset, and their size.
    layout : str or object, optional
        What draws the figure: the import path of a module, or an object, with the functions ``panels``, ``size``,
        ``layout`` and ``draw`` (see :func:`figures.draw`). Without it there are only tables.
    origin : str, optional
        The figure or table of a paper that it reproduces, such as ``"Figure 1 of arXiv:2509.20323"``; stands above the
        title. Nothing for an experiment of this project.
    full_size : str, optional
        The paper's own size, in a few words; stands beside `origin` at smaller presets.
    shows : str, optional
        One line for the table of figures in the README; the title by default.
    place : int, default 1,000
        Position in lists, in increasing order, with ties ordered by name: the paper's figures and tables from 100,
        their companions from 200, pruning from 300, conditions and recovery from 400.
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
    layout: Any = None
    origin: str = ""
    full_size: str = ""
    shows: str = ""
    place: int = 1000

    def __post_init__(self) -> None:
        if (self.compute_many is None) != (self.batch_key is None):
            raise ValueError(
                f"experiment {self.name!r} has one of compute_many and batch_key; expected both or neither"
            )

    @property
    def store_name(self) -> str:
        """Name of the store's folder that holds the cells."""
        return self.cells_of or self.name

    def companion(
        self,
        name: str,
        title: str,
        summarise: Callable[[str, int, Sequence[Record]], dict[str, Any]],
        *,
        layout: Any = None,
        origin: str = "",
        shows: str = "",
        place: int = 1000,
    ) -> Experiment:
        """Return a companion experiment that shows further aspects of the same cells."""
        return replace(
            self,
            name=name,
            title=title,
            summarise=summarise,
            cells_of=self.store_name,
            layout=layout,
            origin=origin,
            shows=shows,
            place=place,
        )

    def heading(self, preset: str) -> list[str]:
        """Return which figure of which paper this is, at which preset, and the paper's size; empty for others."""
        if not self.origin:
            return []
        if preset == "paper":
            return [f"{self.origin}, at the paper's size"]
        first = f"{self.origin}, preset {preset}"
        return [first, f"the paper's size: {self.full_size}"] if self.full_size else [first]

    def cell(self, settings: Any) -> Cell:
        """Return the store's name for settings of this experiment."""
        return Cell(self.store_name, self.version, asdict(settings))

    def check_preset(self, preset: str) -> None:
        """Raise an error for a preset that this experiment does not have."""
        if preset not in self.presets:
            listed = ", ".join(self.presets)
            close = near(str(preset), list(self.presets))
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise UnknownName(f"preset={preset!r} is not known for {self.name}{hint}; expected one of {listed}")


_registered: dict[str, Experiment] = {}


def register(experiment: Experiment) -> None:
    """Register an experiment for :func:`get`, and thus for the command line.

    Parameters
    ----------
    experiment : Experiment
        An experiment that already has this name is replaced.
    """
    _registered[experiment.name] = experiment


def names() -> list[str]:
    """Return the names of all experiments, in the order used by ``run``."""
    every = {one.name: one for module in _modules() for one in _listed(module)} | _registered
    return [one.name for one in sorted(every.values(), key=lambda one: (one.place, _natural(one.name)))]


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
        If there is no experiment of this name; the message lists the existing ones.
    """
    if name in _registered:
        return _registered[name]
    # modules that contain the name come first, so that one figure does not wait for importing all others
    for module in sorted(_modules(), key=lambda module: f'"{name}"' not in _source(module)):
        for one in _listed(module):
            if one.name == name:
                return one
    found = [one for one in names() if name and one.startswith(name + "-")] or near(name, names())
    hint = f"; did you mean {' or '.join(found)}?" if found else ";"
    raise UnknownName(f"there is no figure {name!r}{hint} `paper-repro list` shows all names")


_ALIKE = str.maketrans("lio", "110")
"""Characters that look alike, after :meth:`str.lower`."""


def near(word: str, known: Sequence[str]) -> list[str]:
    """Return the name that a mistyped word most likely stands for.

    Parameters
    ----------
    word : str
        What was typed.
    known : sequence of str
        The names.

    Returns
    -------
    list of str
        At most one: a name that looks alike (``figl`` is ``fig1``), else the only one that begins so, else the most
        similar one, preferably of the same length.
    """
    alike = [one for one in known if one.lower().translate(_ALIKE) == word.lower().translate(_ALIKE)]
    if alike:
        return alike[:1]
    begun = [one for one in known if word and one.startswith(word.lower())]
    if len(begun) == 1:
        return begun
    found = get_close_matches(word.lower(), known, n=5)
    return sorted(found, key=lambda one: len(one) != len(word))[:1]


def layouts() -> dict[str, Any]:
    """Return the layout of each experiment that has a picture, by name."""
    every = {name: get(name).layout for name in names()}
    return {name: layout for name, layout in every.items() if layout is not None}


figures.provide(layouts)


def _modules() -> list[str]:
    """Return the import paths of the modules of :mod:`paper_repro.experiments`, some of which list experiments."""
    return [f"{experiments.__name__}.{one.name}" for one in pkgutil.iter_modules(experiments.__path__)]


def _listed(module: str) -> tuple[Experiment, ...]:
    found: tuple[Experiment, ...] = getattr(importlib.import_module(module), "EXPERIMENTS", ())
    return found


@functools.cache
def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    loader = None if spec is None else spec.loader
    return (loader.get_source(module) or "") if isinstance(loader, InspectLoader) else ""


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts fig9 before fig10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
