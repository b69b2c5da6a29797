"""Bounds on rounding errors, and numbers rounded to a stated side."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["NEGLIGIBLE", "UNIT", "column_scaled", "gamma", "outward", "sum_above"]

UNIT = 2.0**-53
"""Unit roundoff of float64: fl(a op b) = (a op b)(1 + e) with |e| <= UNIT, save underflow."""

NEGLIGIBLE = 2.0**-900
"""Above all that underflow can do to a sum of up to 2**40 products of numbers of size up to 4, even if subnormal
results are flushed to 0: each loses less than 2**-1021."""


def gamma(count: int) -> float:
    """Return an upper bound of count u / (1 - count u), the relative error that `count` roundings add up to.

    Parameters
    ----------
    count : int
        Number of roundings, up to 2**40.

    Returns
    -------
    float
        1.01 count u. With count u <= 2**-13 the quotient is at most 1.0002 count u, and the product here is off by
        a relative error of 2**-51 at most.

    Raises
    ------
    ValueError
        If `count` is larger.
    """
    if not 0 <= count <= 2**40:
        raise ValueError(f"count={count} roundings; expected between 0 and 2**40")
    return 1.01 * count * UNIT


def sum_above(values: Any, axis: int | None = None) -> Any:
    """Return an upper bound of a sum of numbers that are not negative.

    Parameters
    ----------
    values : numpy.ndarray of float64
        None negative.
    axis : int, optional
        As in ``numpy.sum``.

    Returns
    -------
    float or numpy.ndarray
        The computed sum, raised by a bound of its error: a sum in any order is at least (1 - gamma(count)) times the
        exact one, and additions do not underflow.
    """
    count = values.size if axis is None else values.shape[axis]
    return values.sum(axis=axis) * (1.0 + 2.0 * gamma(count + 3))


def outward(value: Fraction, towards: float) -> float:
    """Return the nearest float on one side of a rational number; the number itself where it is a float.

    Parameters
    ----------
    value : Fraction
        The number.
    towards : float
        ``inf`` for a float that is not below `value`, ``-inf`` for one that is not above it.

    Returns
    -------
    float
        Infinite beyond the largest float.
    """
    try:
        nearest = float(value)  # correctly rounded
    except OverflowError:
        edge = math.inf if value > 0 else -math.inf
        return edge if edge == towards else math.copysign(float(np.finfo(np.float64).max), edge)
    exact = Fraction(nearest)
    wrong = exact < value if towards > 0 else exact > value
    return math.nextafter(nearest, towards) if wrong else nearest


def column_scaled(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return B and exponents e with A[:, j] = 2**e[j] B[:, j], the largest entry of each column of B in [1/2, 1).

    Parameters
    ----------
    A : numpy.ndarray of float64, shape (n, N)
        Finite.

    Returns
    -------
    B : numpy.ndarray of float64, shape (n, N)
        Exact, save entries below 2**-1022 times the largest of their column, which are off by 2**-1022 at most.
    exponents : numpy.ndarray of int64, shape (N,)
        0 for a column of zeros.
    """
    exponents = np.frexp(np.abs(A).max(axis=0))[1].astype(np.int64)
    # in two steps: 2**-e itself overflows for a column of subnormal numbers
    half = exponents // 2
    return np.ldexp(np.ldexp(A, -half), half - exponents), exponents
