"""Input check for proofs: the numbers must be exactly the caller's own, or they are rejected.

Converting to an array can round silently: a list of 2**53 + 3 and .5 becomes float64, and so do frames with columns of
different types, 64-bit integers multiplied by floats, and long doubles. A proof about such an array is a proof about
other numbers. This module therefore inspects the caller's own object before it becomes an array.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Rational
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array

__all__ = ["InexactNumber", "check_exact", "exact_numbers", "exactly", "inexact", "refuse_rounded"]

WHOLE = 2**53
"""float64 represents all integers up to here exactly."""


FARTHEST = 5000
"""Largest accepted exponent of a Decimal, of either sign: as an integer, 1e999999999 would exhaust memory."""


class InexactNumber(ValueError):
    """A number that float64 would round; the message gives the argument, the value and its position."""


def exactly(value: Any, name: str) -> Any:
    """Return `value` as an array of floats that are exactly the caller's numbers, or raise an error.

    Parameters
    ----------
    value : array, frame or nested sequence of real numbers
        NumPy and CuPy arrays of any real dtype (or dtype object), pandas frames and series, nested sequences of
        numbers, Fractions, Decimals or arrays.
    name : str
        The argument's name, for the message.

    Returns
    -------
    array
        float32 and float64 arrays unchanged, on their own device; everything else as float64. NaN and infinities are
        accepted.

    Raises
    ------
    TypeError
        If an element is not a real number, or the array is masked.
    InexactNumber
        A ValueError: if float64 would round a number, such as 2**53 + 1 or one third.
    """
    if _plain_floats(value):
        return value
    found = value if _device_array(value) else exact_numbers(value, name)
    kind = np.dtype(found.dtype).kind
    if kind == "O":
        flat = [_as_float(one, name, index) for index, one in zip(np.ndindex(found.shape), found.ravel(), strict=True)]
        return np.array(flat, dtype=np.float64).reshape(found.shape)
    if kind in "iu" and found.size and np.dtype(found.dtype).itemsize > 4:
        if int(found.min()) < -WHOLE or int(found.max()) > WHOLE:
            host = arrays.to_numpy(found)
            large = (host > WHOLE) | (host < -WHOLE)
            for at in np.argwhere(large):
                _as_float(int(host[tuple(at)]), name, tuple(int(i) for i in at), f"of type {host.dtype}")
    elif kind == "f" and np.dtype(found.dtype).itemsize > 8:
        with np.errstate(over="ignore", under="ignore"):
            changed = (found.astype(np.float64) != found) & ~np.isnan(found)
        if changed.any():
            place = tuple(int(i) for i in np.argwhere(changed)[0])
            _as_float(found[place], name, place)
    elif kind not in "fiub":
        raise TypeError(f"{name} has dtype {found.dtype}; expected real numbers")
    return found.astype(np.float64) if kind != "f" or np.dtype(found.dtype).itemsize not in (4, 8) else found


def check_exact(value: Any, name: str, **expected: Any) -> Any:
    """Apply :func:`exactly`, and check the dimensions, shape and finiteness too.

    Parameters
    ----------
    value : array, frame or nested sequence of real numbers
        The argument.
    name : str
        Its name.
    **expected
        As for :func:`planted.base.checks.check_array`.

    Returns
    -------
    array
        The same numbers, on their own device.

    Raises
    ------
    TypeError, ValueError
        As :func:`exactly`, and as :func:`planted.base.checks.check_array`.
    """
    return check_array(exactly(value, name), name, **expected)


def inexact(value: Any, name: str) -> str | None:
    """Return the message with which :func:`exactly` would refuse to round a number, or None.

    Parameters
    ----------
    value : array, frame or nested sequence
        Input of an operator; whether it is an array of real numbers at all is checked elsewhere.
    name : str
        The argument's name.

    Returns
    -------
    str or None
        None if float64 represents all numbers exactly.
    """
    try:
        exactly(value, name)
    except InexactNumber as error:
        return str(error)
    except TypeError:
        return None
    return None


def refuse_rounded(operator: Any, proves: bool = True) -> None:
    """Raise an error if an operator's numbers are not exactly those that the caller gave.

    Parameters
    ----------
    operator : object
        Its attribute ``inexact`` is a message or None; so is that of its ``base``, if it was made from another
        operator.
    proves : bool, default True
        If False, the rounded products of a scaled operator are accepted, and only the numbers it was made from are
        checked.

    Raises
    ------
    InexactNumber
        A ValueError.
    """
    if not proves:
        while hasattr(operator, "base"):
            operator = operator.base
    why = getattr(operator, "inexact", None)
    if why is not None:
        raise InexactNumber(why)


def exact_numbers(value: Any, name: str) -> np.ndarray:
    """Return `value` as an array of floats, integers or Python numbers, without any rounding.

    Parameters
    ----------
    value : array, frame or nested sequence of real numbers
        See :func:`exactly`.
    name : str
        The argument's name, for the message.

    Returns
    -------
    numpy.ndarray
        On the CPU, of type bool, integer, float (long double too) or object; objects are ints, floats, Fractions,
        Decimals or NumPy's numbers. Except for long doubles, ``.tolist()`` gives numbers with ``as_integer_ratio``.

    Raises
    ------
    TypeError
        If an element is not a real number, or the array is masked.
    InexactNumber
        A ValueError: if a Decimal has thousands of digits.
    """
    if value is None or isinstance(value, (str, bytes, dict, set)):
        raise TypeError(f"{name}={shown(value)} is not an array; expected an array of real numbers")
    if _masked(value):
        raise TypeError(
            f"{name} is a masked array, whose mask would be ignored; expected an array without missing values"
        )
    if hasattr(value, "toarray") and not arrays.is_array(value):
        raise TypeError(f"{name} is a sparse {type(value).__name__}; expected an array, such as {name}.toarray()")
    try:
        found = _array(value, name)
    except InexactNumber:
        raise
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} cannot be made into an array ({error}); expected an array of real numbers") from error
    if found.dtype.kind == "O":
        for index, one in zip(np.ndindex(found.shape), found.ravel(), strict=True):
            if isinstance(one, (list, tuple, np.ndarray)):
                raise TypeError(
                    f"{name} cannot be made into an array (its rows have different lengths); expected an array of real "
                    "numbers"
                )
            if not isinstance(one, (int, float, Rational, Decimal, np.bool_, np.integer, np.floating)):
                at = f" at index {_place(index)}" if index else ""
                raise TypeError(f"{name} holds {shown(one)} of type {type(one).__name__}{at}; expected real numbers")
            if isinstance(one, Decimal) and one.is_finite() and _far(one):
                raise InexactNumber(
                    f"{name} holds {shown(one)}; expected a Decimal of at most {FARTHEST} places, which an exact "
                    "fraction can stand for"
                )
    elif found.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {found.dtype}; expected real numbers")
    return found


def shown(value: Any) -> str:
    """Return a value as text for a message: short, and never longer than Python's limit on integer digits."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, Fraction) and max(value.numerator.bit_length(), value.denominator.bit_length()) > 200:
        return "a fraction of many digits"
    text = repr(value) if not isinstance(value, (np.generic, Fraction)) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _array(value: Any, name: str) -> np.ndarray:
    if arrays.is_array(value):
        return np.asarray(arrays.to_numpy(value))
    if hasattr(value, "iloc") and hasattr(value, "dtypes") and getattr(value, "ndim", 0) == 2:
        kinds = set(value.dtypes)
        if len(kinds) == 1 and isinstance(next(iter(kinds)), np.dtype):
            return np.asarray(value)
        # column by column: a frame with several dtypes would be converted to an array of one
        return _side_by_side([_array(value.iloc[:, j], name) for j in range(value.shape[1])], value.shape)
    if hasattr(value, "get_columns"):
        return _side_by_side([_array(column, name) for column in value.get_columns()], value.shape)
    if hasattr(value, "iloc") and not isinstance(getattr(value, "dtype", None), np.dtype):
        return np.asarray(value.to_numpy(dtype=object))
    if hasattr(value, "__array__"):
        return np.asarray(value)
    whole = np.asarray(value, dtype=object)
    kinds = set(map(type, whole.ravel()))
    return whole.astype(np.float64) if kinds == {float} else whole


def _side_by_side(columns: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Return columns stacked into a matrix of objects."""
    out = np.empty(shape, dtype=object)
    for j, column in enumerate(columns):
        out[:, j] = column.astype(object)
    return out


def _as_float(value: Any, name: str, index: tuple[int, ...], note: str = "") -> float:
    """Return the float that equals a real number exactly, or raise an error."""
    if isinstance(value, (float, np.bool_)):
        return float(value)
    try:
        with np.errstate(over="ignore", under="ignore"):
            near = float(value)
    except OverflowError:
        near = float("inf") if value > 0 else -float("inf")
    if isinstance(value, np.floating):
        same = bool(type(value)(near) == value) or near != near
    elif isinstance(value, Decimal) and not value.is_finite():
        return near
    else:
        exact = int(value) if isinstance(value, Integral) else Fraction(value)
        same = abs(near) < float("inf") and Fraction(near) == exact
    if not same:
        at = f" at index {_place(index)}" if index else ""
        kind = note or f"of type {type(value).__name__}"
        raise InexactNumber(
            f"{name} holds {shown(value)}{at}, {kind} that float64 would round to {near!r}; expected numbers that "
            "float64 holds exactly, such as integers up to 2**53, since something is proved about them"
        )
    return near


def _far(value: Decimal) -> bool:
    """Return whether a finite Decimal has too many digits to be converted to an integer."""
    return max(abs(value.adjusted()), abs(int(value.as_tuple().exponent))) > FARTHEST


def _place(index: tuple[int, ...]) -> str:
    return str(index[0]) if len(index) == 1 else str(index)


def _plain_floats(value: Any) -> bool:
    """Return whether nothing needs checking: a float32 or float64 array, and not a masked one."""
    return (
        _device_array(value)
        and np.dtype(value.dtype).kind == "f"
        and np.dtype(value.dtype).itemsize in (4, 8)
        and not isinstance(value, np.ndarray)
    ) or (type(value) is np.ndarray and value.dtype.kind == "f" and value.dtype.itemsize in (4, 8))


def _device_array(value: Any) -> bool:
    """Return whether this is an array that is not NumPy's, such as CuPy's, which has no object or long double dtype."""
    return arrays.is_array(value) and not isinstance(value, (np.ndarray, np.generic))


def _masked(value: Any) -> bool:
    if isinstance(value, np.ma.MaskedArray):
        return True
    return isinstance(value, (list, tuple)) and any(_masked(one) for one in _containers(value))


def _containers(value: Iterable[Any]) -> list[Any]:
    return [one for one in value if isinstance(one, (list, tuple, np.ma.MaskedArray))]
