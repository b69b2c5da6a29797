"""Proved bounds on the spark of a matrix, the smallest number of linearly dependent columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.base.arrays import EPS
from planted.base.checks import check_integer
from recovery.exact.enumeration import BLOCK_ENTRIES, LIMIT, supports
from recovery.exact.intervals import Interval
from recovery.operators.columns import host_columns

__all__ = ["spark_bounds"]


def spark_bounds(A: Any, *, limit: int = LIMIT) -> Interval:
    """Return bounds on the spark: the smallest number of columns that are linearly dependent.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns; their norms do not matter. The computation runs on the CPU.
    limit : int, default 2,000,000
        Supports are enumerated, starting with pairs, as long as their total number does not exceed this.

    Returns
    -------
    Interval
        Integers, or ``inf`` if all columns are independent. Both bounds are certified. The witness contains the
        ascending indices of dependent columns, shape (upper,), such that some z with exactly A z = 0 has these as its
        support; None if there are none.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix.

    Notes
    -----
    A vector with at most s non-zeros is determined by A x for every such x if and only if spark > 2 s. Lower bounds:
    spark >= 1 + 1 / mu and, at least as good, spark > k if mu_1(k - 1) < 1 (Gershgorin discs of the Gram matrix); then
    all supports of 2, 3, ... columns, decided in exact arithmetic unless the smallest eigenvalue of the Gram matrix of
    their unit columns exceeds 1e-9 and a bound on its rounding errors. Upper bounds: null vectors of minimal l1 norm,
    made exact, one of which has at most rank + 1 entries.

    References
    ----------
    Donoho and Elad 2003 (from memory of the literature; proved in docs/theory, "Bounds on the spark", and
    verified against a search in exact arithmetic by tests/recovery/test_spark.py).

    Examples
    --------
    >>> import numpy as np
    >>> spark = spark_bounds(np.array([[1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 0.0]]))
    >>> spark.lower, spark.upper, spark.witness.tolist()
    (2.0, 2.0, [0, 3])
    """
    columns = host_columns(A)
    limit = check_integer(limit, "limit", minimum=0)
    n, size = columns.shape
    peaks = np.abs(columns).max(axis=0)
    if np.any(peaks == 0.0):
        return Interval(1.0, 1.0, True, True, witness=np.array([int(np.argmin(peaks))]))
    # by powers of two, so that no square under- or overflows; the columns are the same up to scale unless bits are lost
    exponents = np.frexp(peaks)[1]
    scaled = np.ldexp(columns, -exponents)
    units = scaled / np.sqrt((scaled * scaled).sum(axis=0))
    columns = scaled if np.array_equal(np.ldexp(scaled, exponents), columns) else columns
    witness = _short_dependence(columns)
    if witness is None:
        return Interval(math.inf, math.inf, True, True)
    gram = units.T @ units
    known = _independent_by_babel(gram, n)  # every set of this many columns is independent
    left = limit
    while known + 1 < witness.size:
        left -= math.comb(size, known + 1)
        if left < 0:
            break
        found = _dependent_set(columns, gram, known + 1)
        if found is not None:
            witness = found
            break
        known += 1
    lower = min(known + 1, witness.size)
    return Interval(float(lower), float(witness.size), True, True, witness=witness)


def _independent_by_babel(gram: np.ndarray, rows: int) -> int:
    """Return the largest k with mu_1(k - 1) < 1, where mu_1 is rounded up by more than its error."""
    cosines = np.abs(gram - np.diag(np.diag(gram))) + (rows + 8) * EPS
    np.fill_diagonal(cosines, 0.0)
    sums = np.cumsum(-np.sort(-cosines, axis=1), axis=1).max(axis=0) * (1.0 + 2 * len(gram) * EPS)
    return 1 + int(np.sum(sums[: len(gram) - 1] < 1.0 - (rows + 8) * EPS))


def _short_dependence(columns: np.ndarray) -> np.ndarray | None:
    """Return the smallest support of an exact null vector that the search finds; None if there is none."""
    from recovery.conditions.null_space import Programs
    from recovery.exact.rational import null_vector

    exact = null_vector(columns, np.zeros(columns.shape[1]))
    if exact is None:
        return None
    best = np.flatnonzero([one != 0 for one in exact])
    programs = Programs(columns)
    if programs.rank == columns.shape[1]:
        return best
    for i in range(columns.shape[1]):
        z = programs.sparsest(i)
        shown = 0 if z is None else int(np.sum(np.abs(z) > 1e-9 * np.abs(z).max()))
        if z is not None and 0 < shown < best.size:
            exact = null_vector(columns, z)
            support = np.flatnonzero([one != 0 for one in exact or ()])
            best = support if 0 < support.size < best.size else best
    return best


def _dependent_set(columns: np.ndarray, gram: np.ndarray, k: int) -> np.ndarray | None:
    """Return k dependent columns, given that smaller sets are independent, or None; exact if floats cannot decide."""
    from recovery.exact.rational import null_vector

    n, size = columns.shape
    # errors in the entries of the Gram matrix of the computed unit columns, in their norms, and of the eigenvalue
    # routine
    slack = max(1e-9, 4.0 * k * (n + 4 * k + 8) * EPS)
    for chosen in supports(size, k, max(1, BLOCK_ENTRIES // (k * k))):
        spectrum = np.linalg.eigvalsh(gram[chosen[:, :, None], chosen[:, None, :]])
        for support in chosen[spectrum[:, 0] <= slack]:
            if null_vector(columns[:, support], np.ones(k)) is not None:
                return support
    return None
