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
    """Return 2^-e values with a largest magnitude in [1, 2), and 2^e as an array of shape (): no synchronisation."""
    xp = arrays.namespace(values)
    exponent = xp.frexp(xp.abs(values).max())[1] - 1
    return xp.ldexp(values, -exponent), xp.ldexp(xp.ones((), dtype=values.dtype), exponent)
