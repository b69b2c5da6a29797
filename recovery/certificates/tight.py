"""Exactly tight bounds, such as those of integer matrices: simple fractions proved by exact elimination."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from recovery.certificates.cholesky import ExactGram
from recovery.certificates.semidefinite import is_positive_semidefinite

__all__ = ["DENOMINATOR", "exactly_tight"]

DENOMINATOR = 720
"""Largest denominator of a bound that is tried in exact arithmetic."""


def exactly_tight(
    gram: ExactGram, s: int, side: str, U: np.ndarray, value: Fraction | None
) -> tuple[Fraction, list[list[Fraction]]] | None:
    """Return a short rational bound better than `value`, and its U, if exact arithmetic proves one nearby.

    Parameters
    ----------
    gram : ExactGram
        G, with short numbers.
    s : int
        Largest number of columns.
    side : {"largest", "smallest"}
        The bound to prove.
    U : numpy.ndarray of float64, shape (N, N)
        A nearly optimal proposal.
    value : Fraction or None
        The bound that it gives in floating point.

    Returns
    -------
    tuple of (Fraction, list of list of Fraction) or None
        The fraction with denominator up to 720 closest to `value`, and a matrix that proves it: 0, the Gram matrix
        clipped at one of its own entries, or U rounded to simple fractions. None if there is no such fraction within
        1e-7, it is not better, or none of these matrices proves it.
    """
    if value is None:
        return None
    size = len(gram.exponents)
    entries = gram.block(range(size))
    scale = max(abs(entry) for row in entries for entry in row) or Fraction(1)
    near = value.limit_denominator(DENOMINATOR)
    if abs(near - value) > scale / 10**7 or (near >= value if side == "largest" else near <= value):
        return None
    sign = 1 if side == "largest" else -1
    levels = sorted({abs(entry) for row in entries for entry in row})
    level = Fraction(float(np.abs(U).max()))
    nearby = [t for t in levels if abs(t - level) <= scale / 100][:3]
    trials = [[[Fraction(0)] * size for _ in range(size)]]
    for t in nearby if level else ():
        clipped_rows = [[-max(-t, min(t, entry)) for entry in row] for row in entries]
        for i in range(size):
            clipped_rows[i][i] = -sign * t
        trials.append(clipped_rows)
    step = Fraction(float(scale)) / 24
    for denominator in (1, 24):
        unit = Fraction(1, denominator) if denominator == 1 else step
        trials.append([[round(Fraction(float(u)) / unit) * unit for u in row] for row in U])
    for trial in trials:
        spread = s * max(abs(entry) for row in trial for entry in row)
        if is_positive_semidefinite(gram.shifted(side, trial, near - sign * spread)):
            return near, trial
    return None
