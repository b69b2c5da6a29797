"""A number that is known to lie between two bounds, and which of them are proved."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from planted.checks import check_number
from planted.values import by_value

__all__ = ["Interval"]


@by_value
@dataclass(frozen=True, eq=False)
class Interval:
    """Bounds of a number, each with the word whether it was proved.

    Parameters
    ----------
    lower, upper : float
        The number lies between them; infinities are legal, NaN is not.
    lower_certified, upper_certified : bool, default False
        Whether the bound was proved by rigorous arithmetic. Floating-point results, also complete
        enumerations, are not proofs.
    witness : object, optional
        What shows the bound that an example can show, such as a support or a vector.

    Raises
    ------
    TypeError, ValueError
        If a bound is not a number, or the lower one is above the upper one.
    """

    lower: float
    upper: float
    lower_certified: bool = False
    upper_certified: bool = False
    witness: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse bounds that do not enclose a number."""
        lower = check_number(self.lower, "lower", finite=False)
        upper = check_number(self.upper, "upper", finite=False)
        if lower > upper:
            raise ValueError(f"lower={lower} is above upper={upper}; expected bounds in ascending order")

    @property
    def width(self) -> float:
        """The difference of the bounds."""
        return 0.0 if self.lower == self.upper else self.upper - self.lower

    def below(self, threshold: float) -> bool | None:
        """Say whether the number is smaller than a threshold.

        Parameters
        ----------
        threshold : float
            What to compare with.

        Returns
        -------
        bool or None
            None where the bounds do not decide.
        """
        if self.upper < threshold:
            return True
        return False if self.lower >= threshold else None

    def __contains__(self, value: float) -> bool:
        return self.lower <= value <= self.upper

    def __and__(self, other: Interval) -> Interval:
        """Return the intersection: of each side the tighter bound, with its own certificate.

        Parameters
        ----------
        other : Interval
            Bounds of the same number from another method.

        Returns
        -------
        Interval
            Of equal bounds a proved one counts. The witness of the tighter interval is kept.

        Raises
        ------
        ValueError
            If the intervals are disjoint: then at least one of them is wrong.
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


def down(value: float) -> float:
    """Return the next smaller float: a bound below the exact result of one correctly rounded operation."""
    return value if math.isinf(value) else math.nextafter(value, -math.inf)


def up(value: float) -> float:
    """Return the next larger float: a bound above the exact result of one correctly rounded operation."""
    return value if math.isinf(value) else math.nextafter(value, math.inf)


def ratio(high: float, low: float, towards: float) -> float:
    """Return high / low for numbers that are not negative, rounded `towards` an infinity; infinite for low = 0.

    Of exact numbers: a division of floats would call a large quotient infinite.
    """
    if low <= 0.0 or math.isinf(high):
        return math.inf
    return 0.0 if math.isinf(low) else _rounded(Fraction(high) / Fraction(low), towards)


def contrast(high: float, low: float, towards: float) -> float:
    """Return (high - low) / (high + low), rounded `towards` an infinity; at 0 / 0 what is farthest that way, 0 or 1.

    Of exact numbers: a sum of floats could overflow.
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
    # not at the top: certificates are built on conditions
    from recovery.certificates.rounding import outward

    return outward(value, towards)
