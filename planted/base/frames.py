"""Data frames at the door: names that come in with a frame, and tables that go out as one."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base.extras import need

__all__ = ["Names", "check_names", "data_frame", "labels", "names_of"]

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
