"""Argument checks; every error message names the argument, its value and what was expected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.frames import first_bad_cell, names_of

__all__ = [
    "check_array",
    "check_choice",
    "check_finite",
    "check_gates",
    "check_integer",
    "check_mask",
    "check_number",
    "check_same_rows",
]


def check_array(
    value: Any,
    name: str,
    *,
    ndim: int | Sequence[int],
    dtype: Any = None,
    finite: bool = True,
    allow_empty: bool = False,
    shape: Sequence[int | None] | None = None,
) -> Any:
    """Return `value` as an array of real numbers on its own device, or raise an error.

    Parameters
    ----------
    value : array or nested sequence
        The argument. Sequences, NumPy scalars and subclasses of NumPy's array become plain NumPy arrays; integer and
        bool arrays, float16 and long double become float64 unless `dtype` says otherwise; float32 stays float32.
    name : str
        The argument's name, for the message.
    ndim : int or sequence of int
        Accepted numbers of dimensions.
    dtype : dtype, optional
        Type of the result.
    finite : bool, default True
        Reject NaN and infinities (costs one synchronisation on a GPU).
    allow_empty : bool, default False
        Accept arrays without elements.
    shape : sequence of int or None, optional
        Expected shape; None stands for any length.

    Returns
    -------
    array
        `value` itself if nothing had to change.

    Raises
    ------
    TypeError
        If `value` is not an array of real numbers, or is a masked array.
    ValueError
        If its dimensions, shape or values are not as expected.
    """
    given = value
    if not arrays.is_array(value):
        if value is None or isinstance(value, (str, bytes, dict)):
            raise TypeError(f"{name}={value!r} is not an array; expected an array of real numbers")
        if type(value).__module__.startswith("scipy.sparse") and hasattr(value, "toarray"):
            raise TypeError(
                f"{name} is a sparse matrix ({type(value).__name__}); expected a dense array, such as {name}.toarray()"
            )
        try:
            value = value.to_numpy(dtype=np.float64) if _nullable(value) else np.asarray(value)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{name} cannot be made into an array ({error}); expected an array of real numbers"
            ) from error
    elif isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be ignored; expected an array without missing values"
        )
    elif isinstance(value, np.generic) or (isinstance(value, np.ndarray) and type(value) is not np.ndarray):
        value = np.asarray(value)  # scalars have no array namespace, and * of np.matrix is not elementwise
    kind = np.dtype(value.dtype).kind
    if kind not in "fiub":
        raise TypeError(f"{name} has dtype {value.dtype}; expected real numbers{_place(given)}")
    wanted = (ndim,) if isinstance(ndim, int) else tuple(ndim)
    if value.ndim not in wanted:
        expected = " or ".join(str(item) for item in wanted)
        raise ValueError(f"{name} has shape {tuple(value.shape)}; expected {expected} dimension(s)")
    if shape is not None:
        fits = len(shape) == value.ndim and all(
            want is None or want == have for want, have in zip(shape, value.shape, strict=True)
        )
        if not fits:
            listed = ", ".join("any" if item is None else str(item) for item in shape)
            pretty = f"({listed},)" if len(shape) == 1 else f"({listed})"
            raise ValueError(f"{name} has shape {tuple(value.shape)}; expected {pretty}")
    if not allow_empty and value.size == 0:
        raise ValueError(f"{name} is empty (shape {tuple(value.shape)}); expected at least one element")
    if dtype is None and (kind != "f" or np.dtype(value.dtype).itemsize not in (4, 8)):
        dtype = np.float64
    if dtype is not None and value.dtype != dtype:
        value = value.astype(dtype)
    if finite:
        check_finite(value, name, given)
    return value


def _place(given: Any) -> str:
    """Return which column of a data frame holds what is no finite number, as the end of a message; "" for others."""
    cell = first_bad_cell(given) if names_of(given) is not None else None
    return "" if cell is None else f"; column {cell.column!r} holds {cell.value!r} in row {cell.row}"


def _nullable(value: Any) -> bool:
    """Say whether this is a pandas frame or series of numbers of which some are of pandas' own or of Arrow's types."""
    if not hasattr(value, "iloc"):
        return False
    kinds = list(value.dtypes) if value.ndim == 2 else [value.dtype]
    numbers = all(getattr(kind, "kind", "O") in "fiub" for kind in kinds)
    return numbers and not all(isinstance(kind, np.dtype) for kind in kinds)


def check_finite(value: Any, name: str, given: Any = None) -> None:
    """Raise an error if there are NaN or infinities, saying how many there are and where the first one is.

    Parameters
    ----------
    value : array
        The argument.
    name : str
        Its name.
    given : object, optional
        What the caller passed; if it is a data frame, the message names the column.

    Raises
    ------
    ValueError
        If an element is NaN or infinite.
    """
    xp = arrays.namespace(value)
    if np.dtype(value.dtype).kind != "f" or bool(xp.isfinite(value).all()):
        return
    host = arrays.to_numpy(value)
    bad = ~np.isfinite(host)
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    raise ValueError(
        f"{name} has {int(bad.sum())} element(s) that are NaN or infinite, the first {host[where]} at index {where}; "
        f"expected finite numbers{_place(given)}"
    )


def check_mask(value: Any, name: str, size: int) -> Any:
    """Return `value` as an array of bool on its own device, or raise an error.

    Parameters
    ----------
    value : array or nested sequence, shape (size,)
        The argument: bools, or zeros and ones.
    name : str
        Its name.
    size : int
        Expected length.

    Returns
    -------
    array of bool, shape (size,)
        The mask.

    Raises
    ------
    TypeError, ValueError
        If it is not such an array.
    """
    return _bits(check_array(value, name, ndim=1, shape=(size,)), name)


def check_gates(value: Any, name: str = "gates") -> Any:
    """Return `value` as a matrix of bool on its own device, or raise an error.

    Parameters
    ----------
    value : array or nested sequence, shape (n, p)
        The argument: bools, or zeros and ones; column j is the diagonal of D_j.
    name : str, default "gates"
        Its name.

    Returns
    -------
    array of bool, shape (n, p)
        The gates.

    Raises
    ------
    TypeError, ValueError
        If it is not such an array.
    """
    return _bits(check_array(value, name, ndim=2), name)


def _bits(value: Any, name: str) -> Any:
    """Return an array of zeros and ones as bools, or raise an error."""
    if not bool(((value == 0) | (value == 1)).all()):
        raise ValueError(f"{name} holds values other than 0 and 1; expected a bool array, or one of zeros and ones")
    return value != 0


def check_integer(value: Any, name: str, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """Return `value` as an int within bounds, or raise an error.

    Parameters
    ----------
    value : int
        The argument; bools and floats are rejected.
    name : str
        Its name.
    minimum, maximum : int, optional
        Inclusive bounds.

    Returns
    -------
    int
        The value.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is out of bounds.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name}={value!r} is of type {type(value).__name__}; expected an integer")
    number = int(value)
    _check_bounds(number, name, minimum, maximum)
    return number


def check_number(
    value: Any, name: str, *, minimum: float | None = None, maximum: float | None = None, finite: bool = True
) -> float:
    """Return `value` as a float within bounds, or raise an error.

    Parameters
    ----------
    value : float
        The argument; bools are rejected.
    name : str
        Its name.
    minimum, maximum : float, optional
        Inclusive bounds.
    finite : bool, default True
        Reject infinities (NaN is always rejected).

    Returns
    -------
    float
        The value.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is NaN, infinite although `finite` is True, or out of bounds.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name}={value!r} is of type {type(value).__name__}; expected a real number")
    number = float(value)
    if math.isnan(number) or (finite and math.isinf(number)):
        raise ValueError(f"{name}={number}; expected a finite number")
    _check_bounds(number, name, minimum, maximum)
    return number


def check_choice(value: Any, name: str, choices: Sequence[Any]) -> Any:
    """Return `value` if it is one of `choices`, or raise an error.

    Parameters
    ----------
    value : object
        The argument.
    name : str
        Its name.
    choices : sequence
        Accepted values.

    Returns
    -------
    object
        The value.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return value
    listed = ", ".join(repr(choice) for choice in choices)
    raise ValueError(f"{name}={value!r} is not known; expected one of {listed}")


def check_same_rows(first: Any, first_name: str, second: Any, second_name: str) -> None:
    """Raise an error if two arrays do not have the same number of rows.

    Parameters
    ----------
    first, second : array
        The arguments.
    first_name, second_name : str
        Their names.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    if first.shape[0] != second.shape[0]:
        raise ValueError(
            f"{first_name} has {first.shape[0]} rows and {second_name} has {second.shape[0]}; expected equally many"
        )


def _check_bounds(number: float, name: str, minimum: float | None, maximum: float | None) -> None:
    low = minimum is not None and number < minimum
    high = maximum is not None and number > maximum
    if low or high:
        if minimum is not None and maximum is not None:
            expected = f"between {minimum} and {maximum}"
        else:
            expected = f"at least {minimum}" if minimum is not None else f"at most {maximum}"
        raise ValueError(f"{name}={number} is out of range; expected a value {expected}")
