"""Equality and copying of objects that contain arrays."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from planted.base import arrays

__all__ = ["by_value", "frozen", "same", "tuple_of_arrays"]

_Class = TypeVar("_Class", bound=type)


def by_value(cls: _Class) -> _Class:
    """Class decorator: objects are equal if their parts, including arrays, are equal.

    Parameters
    ----------
    cls : type
        A class with a method ``_parts`` that returns a tuple, or a dataclass, whose parts are the fields with
        ``compare=True``.

    Returns
    -------
    type
        The same class, with ``__eq__`` and, unless it is a mutable dataclass, ``__hash__``.

    Notes
    -----
    Two objects are equal if they are of the same class and :func:`same` holds for all their parts: arrays on the same
    device, of the same dtype and shape, with equal elements. The comparison runs on the device, with one
    synchronisation per array. The hash depends on the class, on strings and integers, and on the shapes (not the
    values) of arrays, so it is cheap.
    """
    if dataclasses.is_dataclass(cls) and not hasattr(cls, "_parts"):
        names = tuple(item.name for item in dataclasses.fields(cls) if item.compare)

        def parts(self: Any) -> tuple[Any, ...]:
            return tuple(getattr(self, name) for name in names)
    else:

        def parts(self: Any) -> tuple[Any, ...]:
            return tuple(self._parts())

    def __eq__(self: Any, other: Any) -> Any:
        if type(self) is not type(other):
            return NotImplemented
        return self is other or same(parts(self), parts(other))

    def __hash__(self: Any) -> int:
        found = [tuple(part.shape) if arrays.is_array(part) else part for part in parts(self)]
        return hash((type(self), *(part for part in found if isinstance(part, (str, int, tuple)) and _plain(part))))

    changes = dataclasses.is_dataclass(cls) and not cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    for name, method in (("__eq__", __eq__), ("__hash__", None if changes else __hash__)):
        if method is not None:
            method.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, method)
    return cls


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal: of the same type, with equal parts. NaN equals NaN.

    Parameters
    ----------
    one, other : object
        Arrays, numbers, strings, containers of these, or objects that define ``==``.

    Returns
    -------
    bool
        False for arrays that differ in device, type or shape.
    """
    if one is other:
        return True
    if arrays.is_array(one) and arrays.is_array(other):
        if device_kind(one) != device_kind(other) or one.dtype != other.dtype or one.shape != other.shape:
            return False
        equal = one == other
        if np.dtype(one.dtype).kind in "fc":
            equal = equal | ((one != one) & (other != other))
        return bool(equal.all())
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, functools.partial):
        return same((one.func, one.args, one.keywords), (other.func, other.args, other.keywords))
    return bool(one == other)


def frozen(value: Any) -> Any:
    """Return a copy of an array, read-only if it is a NumPy array.

    Parameters
    ----------
    value : array
        Any array.

    Returns
    -------
    array
        The copy. CuPy has no read-only arrays.
    """
    value = value.copy()
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    return value


def tuple_of_arrays(cls: _Class) -> _Class:
    """Class decorator: named tuples of arrays are equal if their parts are, and print shapes instead of elements.

    Parameters
    ----------
    cls : type
        A subclass of ``typing.NamedTuple``.

    Returns
    -------
    type
        The same class, unhashable because arrays are. It prints like ``LinearModel(X=float64[50, 20], y=float64[50],
        w=float64[20])``.
    """

    def __eq__(self: Any, other: Any) -> bool:
        return type(self) is type(other) and same(tuple(self), tuple(other))

    def __ne__(self: Any, other: Any) -> bool:
        return not self == other

    def __repr__(self: Any) -> str:
        parts = [
            f"{name}={part.dtype}{list(part.shape)}" if arrays.is_array(part) else f"{name}={part!r}"
            for name, part in zip(self._fields, self, strict=True)
        ]
        return f"{cls.__name__}({', '.join(parts)})"

    for method in (__eq__, __ne__, __repr__):
        method.__qualname__ = f"{cls.__qualname__}.{method.__name__}"
        setattr(cls, method.__name__, method)
    cls.__hash__ = None  # type: ignore[assignment]
    return cls


def _plain(part: Any) -> bool:
    return not isinstance(part, tuple) or all(isinstance(item, (str, int)) for item in part)


def device_kind(value: Any) -> type:
    """Return the type of an array; for NumPy scalars and subclasses, ``numpy.ndarray``."""
    return np.ndarray if isinstance(value, (np.ndarray, np.generic)) else type(value)
