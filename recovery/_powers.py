"""Scaling by powers of two, which changes no bit of a number that stays in range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted import arrays

__all__ = ["exponent_of", "normalised_power", "power", "shifted"]


def exponent_of(values: Any) -> int:
    """Return e with 2^(e-1) <= max |values| < 2^e; 0 for zeros (one synchronisation)."""
    return math.frexp(float(arrays.namespace(values).abs(values).max()))[1]


def power(mantissa: float, exponent: int) -> float:
    """Return mantissa 2^exponent, or an infinity where that is out of range."""
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def shifted(values: Any, exponent: int) -> Any:
    """Return 2^exponent values, rounded at most once; what leaves the range becomes infinite or 0 without a warning."""
    if exponent == 0:
        return values
    with np.errstate(over="ignore", under="ignore"):
        if abs(exponent) <= np.finfo(values.dtype).maxexp - 2:  # a product is several times faster than ldexp
            return values * 2.0**exponent
        return arrays.namespace(values).ldexp(values, exponent)


def normalised_power(values: Any) -> tuple[Any, Any]:
    """Return values / u with a largest magnitude in [1, 2), and u, a power of two of shape (): no synchronisation.

    Where all values are below the smallest normal number, u is that number, and the magnitude is below 1.
    """
    xp = arrays.namespace(values)
    peak = xp.maximum(xp.abs(values).max(), np.finfo(values.dtype).tiny)
    unit = peak / (2.0 * xp.frexp(peak)[0])  # exact: the peak is its mantissa times a power of two
    return values / unit, unit
