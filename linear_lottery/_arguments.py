"""Arguments of the closed forms, brought to NumPy: they are formulas on the CPU, in float64, wherever X lives."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_array, check_mask

__all__ = ["mask_of", "matrix", "numbers", "places", "scalar_or_array", "vector"]


def numbers(
    value: Any,
    name: str,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    finite: bool = True,
) -> np.ndarray:
    """Return a number, or an array of numbers of any shape, as float64; refuse what is out of bounds."""
    found = np.asarray(arrays.to_numpy(check_array(value, name, ndim=tuple(range(9)), finite=finite)), dtype=float)
    bad = np.isnan(found)
    wanted: list[str] = []
    if minimum is not None:
        bad, wanted = bad | (found < minimum), [*wanted, f"at least {minimum:g}"]
    if above is not None:
        bad, wanted = bad | (found <= above), [*wanted, f"more than {above:g}"]
    if maximum is not None:
        bad, wanted = bad | (found > maximum), [*wanted, f"at most {maximum:g}"]
    if bad.any():
        first = found[bad].flat[0] if found.ndim else float(found)
        raise ValueError(f"{name}={first:g} is out of range; expected {' and '.join(wanted) or 'no NaN'}")
    return found


def matrix(value: Any, name: str = "X") -> np.ndarray:
    """Return a matrix as float64 on the CPU."""
    return np.asarray(arrays.to_numpy(check_array(value, name, ndim=2)), dtype=float)


def vector(value: Any, name: str, length: int) -> np.ndarray:
    """Return a vector of a given length as float64 on the CPU."""
    return np.asarray(arrays.to_numpy(check_array(value, name, ndim=1, shape=(length,))), dtype=float)


def mask_of(value: Any, name: str, d: int) -> np.ndarray:
    """Return a mask over d weights as bool; None is all of them."""
    if value is None:
        return np.ones(d, dtype=bool)
    return np.asarray(arrays.to_numpy(check_mask(value, name, d)))


def places(value: Any, name: str, d: int) -> np.ndarray:
    """Return distinct indices below d, ascending; none at all is legal."""
    found = arrays.to_numpy(value)
    if found.size and found.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {found.dtype}; expected integers, the indices of weights")
    found = found.astype(np.int64).ravel()
    distinct = np.unique(found)
    if distinct.size != found.size or (distinct.size and (distinct[0] < 0 or distinct[-1] >= d)):
        raise ValueError(f"{name}={found.tolist()} are not distinct indices between 0 and {d - 1}")
    return distinct


def scalar_or_array(value: Any) -> Any:
    """Return a float for an array without dimensions, and the array otherwise."""
    found = np.asarray(value)
    return float(found) if found.ndim == 0 else found
