"""Data frames as input and output: column names of a frame that is passed in, and tables returned as frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planted.base.extras import need

__all__ = ["Cell", "Names", "check_names", "data_frame", "first_bad_cell", "labels", "names_of"]

Names = tuple[str, ...] | None
"""Names of features; None where they came without."""


def names_of(value: Any) -> Names:
    """Return the names of the columns of a data frame, or None.

    Parameters
    ----------
    value : object
        Anything. A frame is what has a two-dimensional shape and `columns` that are no method, as those of pandas and
        polars do, or what speaks the data frame interchange protocol.

    Returns
    -------
    tuple of str or None
        The names, as text. None for what is no frame, and for a pandas frame without names of its own, whose columns
        are 0, 1, 2, ...
    """
    columns = getattr(value, "columns", None)
    if columns is None and hasattr(value, "__dataframe__"):
        columns = value.__dataframe__().column_names()
    if columns is None or callable(columns) or isinstance(columns, (str, bytes)):
        return None
    listed = list(columns)
    if listed == list(range(len(listed))):
        return None
    return tuple("/".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in listed)


def check_names(names: Any, count: int, what: str = "names") -> Names:
    """Return names as a tuple of text, or refuse them.

    Parameters
    ----------
    names : sequence of str or None
        One name for each feature, or None.
    count : int
        How many there have to be.
    what : str, default "names"
        The argument's name, for the sentence.

    Returns
    -------
    tuple of str or None
        The names.

    Raises
    ------
    TypeError, ValueError
        If they are no sequence of text, or too many or too few.
    """
    if names is None:
        return None
    if isinstance(names, (str, bytes)) or not hasattr(names, "__len__"):
        raise TypeError(f"{what}={names!r} is no sequence of names; expected {count} of them")
    found = tuple(names)
    if not all(isinstance(one, str) for one in found):
        raise TypeError(f"{what}={found!r} has names that are no text; expected strings")
    if len(found) != count:
        raise ValueError(f"{what} has {len(found)} name(s); expected {count}")
    return tuple(map(str, found))


def labels(names: Names, places: Any) -> list[Any]:
    """Return the names at some places, or the places themselves where there are no names.

    Parameters
    ----------
    names : tuple of str or None
        Names of all features.
    places : array of int
        Which, on the CPU.

    Returns
    -------
    list of str or of int
        One entry for each place.
    """
    listed = np.asarray(places).tolist()
    return listed if names is None else [names[place] for place in listed]


@dataclass(frozen=True)
class Cell:
    """A cell of a table that is not a finite number.

    Parameters
    ----------
    kind : {"text", "missing", "infinite"}
        What it holds; "text" stands for any object that is not a number.
    value : object
        The content.
    row : int
        The row, from 0.
    label : object
        The row's label in the index of a pandas frame; None without an index, or if it is the number of the row.
    column : str or int or None
        Name of the column, or its number if it has none; None for a vector.
    count : int
        Number of cells of this kind in the column.
    columns : tuple
        All columns with a cell of this kind, by name or number; empty for a vector.
    distinct : int
        Number of different values of this kind in the column.
    """

    kind: str
    value: Any
    row: int
    label: Any
    column: str | int | None
    count: int
    columns: tuple[str | int, ...] = ()
    distinct: int = 0


def first_bad_cell(value: Any) -> Cell | None:
    """Return the first cell, column by column, that is not a finite number; one with text, if there is any.

    Parameters
    ----------
    value : array, data frame, series, sequence or scipy sparse matrix
        A table or a vector. It is read slowly, entry by entry if it is not of a numeric dtype: for error messages.

    Returns
    -------
    Cell or None
        The cell; None if all are finite numbers, or if `value` has another shape.
    """
    names = names_of(value)
    if hasattr(value, "tocoo"):
        return _in_sparse(value.tocoo())
    table = np.asarray(value)
    if table.ndim not in (1, 2) or table.dtype.kind not in "fcOUSMm":
        return None
    first: Cell | None = None
    columns: dict[str, list[str | int]] = {"text": [], "missing": [], "infinite": []}
    for place in range(table.shape[1] if table.ndim == 2 else 1):
        entries = table[:, place] if table.ndim == 2 else table
        if table.dtype.kind == "f" and np.isfinite(entries).all():
            continue
        kinds = [_kind(entry) for entry in entries.tolist()]
        # text comes first, here and below: it is what stops the conversion to numbers
        rows = [i for i, kind in enumerate(kinds) if kind == "text"] or [i for i, kind in enumerate(kinds) if kind]
        if not rows:
            continue
        row = rows[0]
        index = getattr(value, "index", None)
        label = index[row] if hasattr(value, "iloc") and index is not None else None
        column: str | int | None = None
        if table.ndim == 2:
            column = names[place] if names is not None else place
        for kind in set(kinds) & set(columns):
            if column is not None:
                columns[kind].append(column)
        kind, listed = kinds[row], entries.tolist()
        if first is None or (kind == "text" and first.kind != "text"):
            distinct = len({str(entry) for entry, one in zip(listed, kinds, strict=True) if one == kind})
            label = None if label == row else label
            first = Cell(kind, listed[row], row, label, column, kinds.count(kind), distinct=distinct)
    return None if first is None else replace(first, columns=tuple(columns[first.kind]))


def _in_sparse(sparse: Any) -> Cell | None:
    """Return the first bad cell of a sparse matrix in coordinate format, by columns, or None."""
    bad = np.flatnonzero(~np.isfinite(sparse.data))
    if not len(bad):
        return None
    column = int(sparse.col[bad].min())
    inside = bad[sparse.col[bad] == column]
    one = inside[np.argmin(sparse.row[inside])]
    found, row, place = sparse.data[inside], int(sparse.row[one]), int(column)
    kinds = ["missing" if math.isnan(entry) else "infinite" for entry in found]
    first = "missing" if math.isnan(sparse.data[one]) else "infinite"
    return Cell(first, sparse.data[one], row, None, place, kinds.count(first))


def _kind(entry: Any) -> str:
    """Return the kind of an entry, see :class:`Cell`; "" for a finite number."""
    if entry is None or type(entry).__name__ in ("NAType", "NaTType"):
        return "missing"
    try:
        number = float(entry)
    except (TypeError, ValueError):
        return "text"
    if math.isnan(number):
        return "missing"
    return "infinite" if math.isinf(number) else ""


def data_frame(content: Any, user: str, **options: Any) -> Any:
    """Return a ``pandas.DataFrame``.

    Parameters
    ----------
    content : mapping of str to sequence, sequence of mappings, or matrix
        The columns, the rows, or all of it.
    user : str
        Who asks, for the sentence where pandas is missing.
    **options
        Passed on: ``index`` and ``columns``.

    Returns
    -------
    pandas.DataFrame
        The table.

    Raises
    ------
    MissingExtra
        If pandas is not installed.
    """
    return need("pandas", user).DataFrame(content, **options)
