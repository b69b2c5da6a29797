"""Table of pruning methods: one row per method, one column per axis of the framework."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from planted.base.frames import data_frame
from planted.base.markup import table
from recovery.pruning.catalogue import catalogue
from recovery.pruning.method import Method
from recovery.pruning.training import Trains

__all__ = ["COLUMNS", "Space", "describe"]

COLUMNS = (
    "method",
    "scored at",
    "criterion",
    "scope",
    "schedule",
    "rewinds to",
    "weights",
    "retraining",
    "dynamics",
    "target",
    "data",
)


@dataclasses.dataclass(frozen=True, repr=False)
class Space:
    """A table of methods.

    Parameters
    ----------
    rows : tuple of tuple of str
        One row per method, in the order of :attr:`columns`.
    columns : tuple of str
        The names of the axes.

    Notes
    -----
    ``str`` gives a table with aligned columns; notebooks show it as HTML.
    """

    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = COLUMNS

    def __str__(self) -> str:
        listed = [self.columns, *self.rows]
        widths = [max(len(row[i]) for row in listed) for i in range(len(self.columns))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in listed]
        return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [self.columns, tuple("-" * 3 for _ in self.columns), *self.rows]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)

    def __repr__(self) -> str:
        return f"Space({len(self.rows)} methods)"

    def to_pandas(self) -> Any:
        """Return the table.

        Returns
        -------
        pandas.DataFrame
            One row per method, one column per axis.

        Raises
        ------
        MissingExtra
            If pandas is not installed.
        """
        columns = {name: [row[i] for row in self.rows] for i, name in enumerate(self.columns)}
        return data_frame(columns, "to_pandas")

    def _repr_html_(self) -> str:
        return table(self.columns, self.rows)


def describe(methods: Mapping[str, Method] | Sequence[Method] | Method | None = None) -> Space:
    """Return methods as a table, with one row per method and one column per axis.

    Parameters
    ----------
    methods : dict or sequence of Method, or a Method, optional
        The catalogue by default.

    Returns
    -------
    Space
        Print it.

    Examples
    --------
    >>> describe(catalogue()["snip"]).rows[0][:3]
    ('snip', 'start', 'snip')
    """
    chosen: Any = catalogue() if methods is None else methods
    if isinstance(chosen, Method):
        chosen = [chosen]
    listed = list(chosen.values()) if isinstance(chosen, Mapping) else list(chosen)
    return Space(tuple(_row(method) for method in listed))


def _row(method: Method) -> tuple[str, ...]:
    scope = method.scope if method.scope == "global" else f"{method.scope}, {_words(method.ratio)}"
    if method.layers != "all":
        scope += f", {method.layers if isinstance(method.layers, str) else list(method.layers)} layers"
    rewind = _point(method.rewind)
    if method.between is not None:
        rewind += f" ({_point(method.between)} between rounds)"
    mask, weights, retraining = method.data
    return (
        method.name,
        _point(method.source),
        _words(method.criterion),
        scope,
        _words(method.schedule),
        rewind,
        "as they are" if method.weight_map is None else _words(method.weight_map),
        "none" if method.after is None else "as before" if method.retraining == "same" else _words(method.retraining),
        "none" if method.dynamics is None else _words(method.dynamics),
        method.target,
        mask if mask == weights == retraining else ", ".join(method.data),
    )


def _point(value: Any) -> str:
    return value if isinstance(value, str) else f"{100 * value:g} %"


def _words(value: Any) -> str:
    """Return a short text for an option: its name, and the fields that differ from their defaults."""
    if isinstance(value, str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = []
        for field in dataclasses.fields(value):
            given = getattr(value, field.name)
            if isinstance(given, Trains):  # the training's length and steps are not an axis
                continue
            if field.default is not dataclasses.MISSING and given == field.default:
                continue
            if field.default_factory is not dataclasses.MISSING and given == field.default_factory():
                continue
            shown.append(f"{field.name}={_words(given)}")
        return f"{type(value).__name__}({', '.join(shown)})"
    name = getattr(value, "__name__", None)
    return str(name) if name is not None else repr(value)
