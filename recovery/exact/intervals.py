"""Intervals whose bounds may be certified, and directed rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from planted.base.checks import check_number
from planted.base.exactness import exact_numbers
from planted.base.values import by_value

__all__ = ["NEGLIGIBLE", "UNIT", "Interval", "column_scaled", "gamma", "outward", "sum_above", "written"]


@by_value
@dataclass(frozen=True, eq=False)
class Interval:
    """Lower and upper bound of a number, each with a flag that says whether it was proved.

    Parameters
    ----------
    lower, upper : float
        The bounds; they may be infinite, but not NaN. Values that are not floats, such as Fractions, are rounded
        outward.
    lower_certified, upper_certified : bool, default False
        Whether the bound was proved by rigorous arithmetic. Floating-point results, even complete enumerations, are not
        proofs. The flag is the creator's claim; it is not verified here.
    witness : object, optional
        An example that attains one of the bounds, such as a support or a vector.

    Raises
    ------
    TypeError, ValueError
        If a bound is not a number, a flag is not a bool, or the lower bound exceeds the upper one.

    Notes
    -----
    ``repr`` writes decimals rounded outward that still parse to the same floats: 0.1 for a lower bound,
    0.10000000000000001 for an upper one. ``str`` writes six digits: 0.1 to 0.100001 (not proved).
    """

    lower: float
    upper: float
    lower_certified: bool = False
    upper_certified: bool = False
    witness: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise an error for bounds that do not enclose a number."""
        for name in ("lower_certified", "upper_certified"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise TypeError(f"{name}={getattr(self, name)!r}; expected a bool")
            object.__setattr__(self, name, bool(getattr(self, name)))
        lower, upper = _end(self.lower, "lower", -math.inf), _end(self.upper, "upper", math.inf)
        if lower > upper:
            raise ValueError(f"lower={lower} is above upper={upper}; expected bounds in ascending order")
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)

    def __repr__(self) -> str:
        return (
            f"Interval(lower={_same_float(self.lower, False)}, upper={_same_float(self.upper, True)}, "
            f"lower_certified={self.lower_certified}, upper_certified={self.upper_certified})"
        )

    def __str__(self) -> str:
        """Return the bounds with six digits, rounded outward, and which of them are proved."""
        if self.lower_certified and self.upper_certified:
            proved = "proved"
        else:
            one = "lower" if self.lower_certified else "upper" if self.upper_certified else ""
            proved = f"{one} bound proved" if one else "not proved"
        return f"{written(self.lower, False)} to {written(self.upper, True)} ({proved})"

    @property
    def width(self) -> float:
        """The difference of the bounds, rounded up."""
        if self.lower == self.upper:
            return 0.0
        if math.isinf(self.lower) or math.isinf(self.upper):
            return math.inf
        return _rounded(Fraction(self.upper) - Fraction(self.lower), math.inf)

    def below(self, threshold: float) -> bool | None:
        """Return whether the number is below a threshold.

        Parameters
        ----------
        threshold : float
            The threshold.

        Returns
        -------
        bool or None
            None if the bounds do not decide it.
        """
        if self.upper < threshold:
            return True
        return False if self.lower >= threshold else None

    def __contains__(self, value: float) -> bool:
        return self.lower <= value <= self.upper

    def __and__(self, other: Interval) -> Interval:
        """Return the intersection: on each side the tighter bound, with its own flag.

        Parameters
        ----------
        other : Interval
            Bounds on the same number from another method.

        Returns
        -------
        Interval
            If bounds are equal, a proved one is preferred. The witness of the tighter interval is kept.

        Raises
        ------
        ValueError
            If the intervals are disjoint, so at least one of them is wrong.
        """
        if not isinstance(other, Interval):
            return NotImplemented
        lower, upper = max(self.lower, other.lower), min(self.upper, other.upper)
        if lower > upper:
            raise ValueError(f"{self} and {other} are disjoint; expected two enclosures of the same number")
        parts = (self, other)
        first, second = sorted(parts, key=lambda part: (part.width, part.witness is None))
        return Interval(
            lower,
            upper,
            any(part.lower == lower and part.lower_certified for part in parts),
            any(part.upper == upper and part.upper_certified for part in parts),
            first.witness if first.witness is not None else second.witness,
        )


def written(value: float, up: bool, digits: int = 6) -> str:
    """Return a number as text with a few digits, rounded up or down.

    Parameters
    ----------
    value : float
        A bound; may be infinite.
    up : bool
        Round upward (for upper bounds) or downward.
    digits : int, default 6
        Significant digits.

    Returns
    -------
    str
        A decimal that is not below (up), or not above, the exact value of the float.
    """
    if math.isinf(value) or value == 0.0:
        return f"{value:g}" if value else "0"
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    near = Context(prec=digits, rounding=rounding).plus(Decimal(value)).normalize()
    if -5 <= near.adjusted() < max(digits, 6):
        return format(near, "f")
    mantissa = format(near.scaleb(-near.adjusted()).normalize(), "f")
    return f"{mantissa}e{near.adjusted():+03d}"


def _same_float(value: float, up: bool) -> str:
    """Return the shortest decimal, rounded outward, that parses to the same float."""
    if math.isinf(value) or (Decimal(repr(value)) >= Decimal(value) if up else Decimal(repr(value)) <= Decimal(value)):
        return repr(value)
    texts = (written(value, up, digits) for digits in range(16, 800))
    return next(text for text in texts if float(text) == value)


def _end(value: Any, name: str, towards: float) -> float:
    """Return a bound as a float, rounded outward if it is not one."""
    if isinstance(value, (bool, np.bool_, float)) or value is None or isinstance(value, (str, complex)):
        return check_number(value, name, finite=False)
    found = exact_numbers(value, name)
    if found.ndim:
        raise TypeError(f"{name} has shape {found.shape}; expected a number")
    number: Any = found.item() if found.dtype.kind != "f" else found[()]
    try:
        return _rounded(Fraction(*number.as_integer_ratio()), towards)
    except (ValueError, OverflowError):  # NaN or infinite
        return check_number(float(number), name, finite=False)


def down(value: float) -> float:
    """Return the next smaller float: a bound below the exact result of one correctly rounded operation."""
    return value if math.isinf(value) else math.nextafter(value, -math.inf)


def up(value: float) -> float:
    """Return the next larger float: a bound above the exact result of one correctly rounded operation."""
    return value if math.isinf(value) else math.nextafter(value, math.inf)


def ratio(high: float, low: float, towards: float) -> float:
    """Return high / low for non-negative numbers, rounded `towards` an infinity; infinite for low = 0.

    Uses exact numbers: a floating-point division could overflow for large quotients.
    """
    if low <= 0.0 or math.isinf(high):
        return math.inf
    return 0.0 if math.isinf(low) else _rounded(Fraction(high) / Fraction(low), towards)


def contrast(high: float, low: float, towards: float) -> float:
    """Return (high - low) / (high + low), rounded `towards` an infinity; for 0 / 0 the extreme on that side, 0 or 1.

    Uses exact numbers, because a sum of floats could overflow.
    """
    if math.isinf(high):
        return 1.0
    if math.isinf(low):
        return 0.0
    total = Fraction(high) + Fraction(low)
    if total <= 0:
        return 0.0 if towards < 0 else 1.0
    return _rounded((Fraction(high) - Fraction(low)) / total, towards)


def _rounded(value: Fraction, towards: float) -> float:
    # imported here to avoid a cycle: certificates are built on conditions

    return outward(value, towards)


UNIT = 2.0**-53
"""Unit roundoff of float64: fl(a op b) = (a op b)(1 + e) with |e| <= UNIT, barring underflow."""

NEGLIGIBLE = 2.0**-900
"""Upper bound on the effect of underflow on a sum of up to 2**40 products of numbers of size up to 4, even if subnormal
results are flushed to 0: each loses less than 2**-1021."""


def gamma(count: int) -> float:
    """Return an upper bound on count u / (1 - count u), the relative error accumulated by `count` roundings.

    Parameters
    ----------
    count : int
        Number of roundings, up to 2**40.

    Returns
    -------
    float
        1.01 count u. With count u <= 2**-13 the quotient is at most 1.0002 count u, and the product here has a relative
        error of at most 2**-51.

    Raises
    ------
    ValueError
        If `count` is larger.
    """
    if not 0 <= count <= 2**40:
        raise ValueError(f"count={count} roundings; expected between 0 and 2**40")
    return 1.01 * count * UNIT


def sum_above(values: Any, axis: int | None = None) -> Any:
    """Return an upper bound on a sum of non-negative numbers.

    Parameters
    ----------
    values : numpy.ndarray of float64
        Non-negative numbers.
    axis : int, optional
        As in ``numpy.sum``.

    Returns
    -------
    float or numpy.ndarray
        The computed sum plus a bound on its error: in any order of summation the computed sum is at least (1 -
        gamma(count)) times the exact one, and additions do not underflow.
    """
    count = values.size if axis is None else values.shape[axis]
    return values.sum(axis=axis) * (1.0 + 2.0 * gamma(count + 3))


def outward(value: Fraction, towards: float) -> float:
    """Return the nearest float on one side of a rational number; the number itself if it is a float.

    Parameters
    ----------
    value : Fraction
        The number.
    towards : float
        ``inf`` for a float not below `value`, ``-inf`` for one not above it.

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
        Exact, except that entries below 2**-1022 times the largest of their column have an error of at most 2**-1022.
    exponents : numpy.ndarray of int64, shape (N,)
        0 for a column of zeros.
    """
    exponents = np.frexp(np.abs(A).max(axis=0))[1].astype(np.int64)
    # in two steps: 2**-e itself overflows for a column of subnormal numbers
    half = exponents // 2
    return np.ldexp(np.ldexp(A, -half), half - exponents), exponents
