"""The names of the solvers, and where each one lives."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, fields
from typing import Any

from recovery.solvers.base import Solver

__all__ = ["SolverInfo", "list_solvers", "solver_class"]

_SOLVERS = {
    "htp": ("htp", "HTP"),
    "iht": ("iht", "IHT"),
    "niht": ("niht", "NIHT"),
    "aiht": ("aiht", "AIHT"),
    "cosamp": ("cosamp", "CoSaMP"),
    "omp": ("omp", "OMP"),
    "l1": ("l1", "L1"),
    "group_l1": ("group_l1", "GroupL1"),
}


@dataclass(frozen=True)
class SolverInfo:
    """What :func:`list_solvers` says of one solver.

    Parameters
    ----------
    name : str
        The string for ``solve(..., solver=name)``.
    requires : tuple of str
        Methods the operator must have.
    options : dict
        Options and their defaults.
    summary : str
        One line.
    """

    name: str
    requires: tuple[str, ...]
    options: dict[str, Any]
    summary: str

    def __str__(self) -> str:
        return f"{self.name}: {self.summary}; requires {', '.join(self.requires)}"


def solver_class(name: str) -> type[Solver]:
    """Return the class of a solver by its name.

    Parameters
    ----------
    name : str
        One of the names in :func:`list_solvers`.

    Returns
    -------
    type
        A subclass of :class:`recovery.solvers.base.Solver`.

    Raises
    ------
    ValueError
        If there is no such solver.
    """
    if name not in _SOLVERS:
        raise ValueError(f"solver={name!r} is not known; expected one of {', '.join(sorted(_SOLVERS))}")
    module, attribute = _SOLVERS[name]
    found: type[Solver] = getattr(importlib.import_module(f"recovery.solvers.{module}"), attribute)
    return found


def list_solvers() -> dict[str, SolverInfo]:
    """Return the solvers, what each requires of the operator, and its options.

    Returns
    -------
    dict of str to SolverInfo
        By name, in the order in which they should be tried.
    """
    found = {}
    for name in _SOLVERS:
        cls = solver_class(name)
        options = {item.name: item.default for item in fields(cls)}
        found[name] = SolverInfo(name, cls.requires, options, cls.summary)
    return found
