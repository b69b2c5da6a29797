"""Argument checks of the estimators: tables with non-numeric cells, and sizes."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from planted.base.checks import check_integer, check_number
from planted.base.extras import need
from planted.base.frames import Cell, first_bad_cell

__all__ = ["checked_data", "checked_ridge", "checked_size", "written_out"]

NO_TARGETS = "no_validation"
"""What scikit-learn takes as y where there is none; None is a mistake of the caller, which it names."""
WRITTEN = 20_000_000
"""A sparse matrix with more entries, zeros included, is not written out."""
ADVICE = {
    "text": "make numbers of it, for example with sklearn.preprocessing.OneHotEncoder or pandas.get_dummies, or leave "
    "the column out",
    "missing": "fill the gaps, for example with sklearn.impute.SimpleImputer, or leave out the rows or the column",
    "infinite": "replace or leave out these rows",
}
"""What to do about a cell of X, by its kind."""
ADVICE_Y = {
    "text": "make numbers of it, or for classes use a classifier",
    "missing": "leave out these rows of X and y, for example with keep = y.notna()",
    "infinite": "leave out these rows of X and y",
}
"""What to do about a cell of y: a target that is filled in would be an invention."""
SHOWN = 10
"""A message names at most this many columns."""


def checked_data(estimator: Any, X: Any, y: Any = NO_TARGETS, **options: Any) -> Any:
    """Return data that scikit-learn has validated; its errors about a cell then name the column and the row.

    Parameters
    ----------
    estimator : estimator
        The estimator, whose number and names of features are stored or compared.
    X : array, data frame or scipy sparse matrix, shape (n, p)
        Features.
    y : array, shape (n,), optional
        Targets; none in a prediction.
    **options
        Passed on to ``sklearn.utils.validation.validate_data``.

    Returns
    -------
    X, or tuple (X, y)
        The arrays.

    Raises
    ------
    TypeError, ValueError
        As scikit-learn raises them, with the place of the first cell that is not a finite number, and advice.
    """
    validate = need("sklearn.utils.validation", "an estimator").validate_data
    try:
        found = validate(estimator, X, y, **options)
        # y_numeric alone converts objects only
        return (found[0], found[1].astype(np.float64)) if options.get("y_numeric") else found
    except (TypeError, ValueError) as error:
        said = str(error)
        # errors about shapes, names and kinds of data are left as they are
        if not any(word in said for word in ("NaN", "infinity", "could not convert", "argument must be", "NA")):
            raise
        cell, name = (first_bad_cell(y), "y") if "Input y" in said else (first_bad_cell(X), "X")
        if cell is None and y is not NO_TARGETS:
            cell, name = first_bad_cell(y), "y"
        if cell is None:
            raise
        short = said.partition("\n")[0].rstrip(".")
        raise type(error)(f"{short}. {_sentence(cell, name)}; {_advice(cell, name)}") from error


def written_out(X: Any, user: str) -> Any:
    """Return features as a dense array, for a model that computes with all of them.

    Parameters
    ----------
    X : array or scipy sparse matrix, shape (n, p)
        Features.
    user : str
        The class of the model, for the message.

    Returns
    -------
    array, shape (n, p)
        X itself if it is dense.

    Raises
    ------
    ValueError
        If X is sparse and has more than 2e7 entries, zeros included.
    """
    if not hasattr(X, "toarray"):
        return X
    n, p = X.shape
    if n * p > WRITTEN:
        raise ValueError(
            f"X is a sparse matrix of shape {(n, p)}, with {n * p:,} entries if zeros count; {user} computes with a "
            f"dense array and expected at most {WRITTEN:,}; select features first, for example with SparseRegressor"
        )
    return X.toarray()


def _sentence(cell: Cell, name: str) -> str:
    """Return where a cell is, in words."""
    where = name if cell.column is None else f"column {cell.column!r} of {name}"
    row = f"row {cell.row}" if cell.label is None else f"row {cell.row} (index {cell.label!r})"
    if cell.kind == "text":
        return f"In {where}, {row} holds {cell.value!r}, which is not a number{_others(cell, 'with text')}"
    word = "missing (NaN)" if cell.kind == "missing" else "infinite"
    others = _others(cell, f"with {word.partition(' ')[0]} values")
    return f"In {where}, {cell.count} value(s) are {word}, the first in {row}{others}"


def _others(cell: Cell, what: str) -> str:
    """Return the columns with cells of the same kind, if there are several, as the end of a sentence."""
    if len(cell.columns) < 2:
        return ""
    listed = ", ".join(map(repr, cell.columns[:SHOWN])) + (", ..." if len(cell.columns) > SHOWN else "")
    return f" ({len(cell.columns)} columns {what}: {listed})"


def _advice(cell: Cell, name: str) -> str:
    """Return what to do about a cell."""
    if name == "y":
        return ADVICE_Y[cell.kind]
    if cell.kind == "text" and cell.count > SHOWN and 2 * cell.distinct > cell.count:
        return (
            f"the column has {cell.distinct} different values, so it seems to identify the rows: leave it out, or if "
            f"it does not, {ADVICE['text'].partition(', or leave')[0]}"
        )
    return ADVICE[cell.kind]


def checked_size(value: Any, most: int, why: str, other: str = "", name: str = "sparsity") -> int:
    """Return a sparsity, or raise an error that says where its limit comes from.

    Parameters
    ----------
    value : object
        The argument.
    most : int
        The limit.
    why : str
        What it is, such as "X has 10 features".
    other : str, default ""
        What is accepted besides an integer, such as "'cv'".
    name : str, default "sparsity"
        Name of the argument.

    Returns
    -------
    int
        The size.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer, or out of range.
    """
    expected = f"{other} or an integer" if other else "an integer"
    if isinstance(value, str):
        raise ValueError(f"{name}={value!r} is not known; expected {expected} between 0 and {most}")
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name}={value!r} is of type {type(value).__name__}; expected {expected} between 0 and {most}")
    try:
        return check_integer(value, name, minimum=0, maximum=most)
    except ValueError as error:
        raise ValueError(f"{error}: {why}") from error


def checked_ridge(value: Any) -> float:
    """Return a ridge that is not "cv", or raise an error that names both kinds of value."""
    if isinstance(value, str):
        raise ValueError(f"ridge={value!r} is not known; expected 'cv' or a number of at least 0")
    return check_number(value, "ridge", minimum=0.0)
