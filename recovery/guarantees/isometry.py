"""Isometry constants in hypotheses: enumerated, or unknown; and instances that have a given one."""

from __future__ import annotations

import math

import numpy as np

from recovery.conditions.enumeration import extreme_blocks
from recovery.conditions.intervals import Interval
from recovery.conditions.restricted import RestrictedEigenvalues, restricted_eigenvalues
from recovery.guarantees import frames
from recovery.guarantees.base import ROUNDING, Verdict, exceeds
from recovery.guarantees.bounded import Bounded, constant, exponents

__all__ = ["LIMIT", "isometric_columns", "isometry", "smaller"]

LIMIT = 200_000
"""So many supports are enumerated at most; beyond, bounds that need no enumeration may still decide."""
_COMFORT = 64
"""Exponents of the largest entry up to this are left alone."""


def isometry(A: np.ndarray, s: int) -> RestrictedEigenvalues:
    """Return the extreme eigenvalues of A_T'A_T over at most s (and at most all) columns.

    The ends are outside of what rounding can have moved them by. Columns far from 1 are looked at in other units.
    """
    s = min(max(s, 1), A.shape[1])
    shift = int(exponents(A, None))
    if abs(shift) <= _COMFORT:
        return restricted_eigenvalues(A, s, limit=LIMIT)
    found = restricted_eigenvalues(np.ldexp(A, -shift), s, limit=LIMIT)
    smallest, largest = (
        Interval(
            math.nextafter(_times(one.lower, 2 * shift), 0.0), math.nextafter(_times(one.upper, 2 * shift), math.inf)
        )
        for one in (found.smallest, found.largest)
    )
    return RestrictedEigenvalues(s, smallest, largest, found.message)


def _times(value: float, power: int) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(value, power))


def smaller(value: Interval, limit: float, reason: str) -> Verdict:
    """Return whether a number known by bounds is below a limit; ``unknown`` where the bounds do not decide.

    Parameters
    ----------
    value : Interval
        Bounds of the number.
    limit : float
        Not negative.
    reason : str
        What the two are.

    Returns
    -------
    Verdict
        Margin limit / value - 1.
    """
    bound = constant(limit)
    sure = exceeds(bound, _end(value.upper, value.upper_certified), reason)
    if sure.status == "holds":
        return sure
    never = exceeds(bound, _end(value.lower, value.lower_certified), reason)
    if never.status == "fails":
        return never
    return Verdict.unknown(f"{reason}: {limit:.6g} against {value.lower:.6g} to {value.upper:.6g}", sure.margin)


def _end(value: float, certified: bool) -> Bounded:
    """Return an end of an interval: one that is not proved is known to 1e-12 of itself."""
    return Bounded(value, 0.0 if certified or math.isinf(value) else ROUNDING * abs(value))


def isometric_columns(rng: np.random.Generator, size: int, s: int, delta: float) -> tuple[str, np.ndarray] | None:
    """Draw columns with a given isometry constant.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        N.
    s : int
        Size of the supports, at most N.
    delta : float
        delta_s of the columns as they are.

    Returns
    -------
    name : str
        The pattern of the Gram matrix.
    A : numpy.ndarray, shape (n, N)
        One in four has fewer rows than columns: the corners of a simplex, scaled. None where there are no such columns
        in the direction drawn.

    Notes
    -----
    The isometry constant of the Gram matrix I + t E is t times the largest eigenvalue, in size, of a block of E.
    """
    if rng.random() < 0.25 and s < size:
        signs = rng.choice([-1.0, 1.0], size)
        gram = (np.eye(size) - np.full((size, size), 1.0 / size)) * size / (size - 1.0) * signs[:, None] * signs
        # blocks of s have the eigenvalues 1 + 1 / (N - 1) and 1 - (s - 1) / (N - 1)
        high, low = size / (size - 1.0), (size - s) / (size - 1.0)
        scales = [(1.0 + delta) / high, (1.0 - delta) / low]
        fitting = [c for c in scales if max(c * high - 1.0, 1.0 - c * low) <= delta * (1.0 + 1e-9)]
        if not fitting:
            return None
        A = frames.columns(rng, fitting[int(rng.integers(len(fitting)))] * gram, extra=0)
        return None if A is None else ("simplex_corners", A)
    name, E = frames.pattern(rng, size, unit=bool(rng.random() < 0.5))
    low, _, high, _ = extreme_blocks(E, s)
    A = frames.columns(rng, np.eye(size) + delta / max(-low, high, math.ulp(1.0)) * E)
    return None if A is None else (name, A)
