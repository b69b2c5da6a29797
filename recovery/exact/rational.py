"""Exact linear algebra for matrices of floats: conversion to integers, reduced echelon form, null vectors."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

__all__ = ["LONGEST", "exact_products", "integer_matrix", "null_vector", "reduced_echelon", "rounded", "too_long"]

Integers = list[list[int]]

LONGEST = 13_000
"""Total bits of numerator and denominator that fit into 4,000 characters, the limit for a number in a file."""


def too_long(values: Iterable[Fraction | int]) -> bool:
    """Return whether a number has more than `LONGEST` bits, so that a certificate with it could not be checked."""
    return any(one.numerator.bit_length() + one.denominator.bit_length() > LONGEST for one in values)


def integer_matrix(values: Any) -> tuple[Integers, int]:
    """Return a matrix times its common denominator, as integers, and the denominator.

    Parameters
    ----------
    values : array or nested list of finite numbers (float, int or Fraction), shape (n, N)
        Arrays must be NumPy arrays.

    Returns
    -------
    integers : list of lists of int
        Exactly `denominator` times `values`.
    denominator : int
        At least 1.
    """
    rows = values.tolist() if isinstance(values, np.ndarray) else values
    ratios = [[one.as_integer_ratio() for one in row] for row in rows]
    common = lcm(*{q for row in ratios for _, q in row})
    return [[p * (common // q) for p, q in row] for row in ratios], common


def exact_products(left: Any, right: Any) -> list[list[Fraction]]:
    """Return the inner products of the rows of two matrices, exactly.

    Parameters
    ----------
    left, right : as for :func:`integer_matrix`, shapes (k, n) and (m, n)
        The rows.

    Returns
    -------
    list of lists of Fraction, shape (k, m)
        The products.
    """
    (a, first), (b, second) = integer_matrix(left), integer_matrix(right)
    return [[Fraction(sum(map(int.__mul__, x, y)), first * second) for y in b] for x in a]


def rounded(values: Any, bits: int) -> np.ndarray:
    """Return values rounded to multiples of 2^-bits times the power of two above their largest size.

    Parameters
    ----------
    values : numpy.ndarray of float64
        Finite.
    bits : int
        Binary digits of the largest entry.

    Returns
    -------
    numpy.ndarray of float64
        Short binary fractions, which keep files small; proofs refer to these rounded values.
    """
    largest = float(np.abs(values).max(initial=0.0))
    unit = int(np.frexp(largest)[1]) - bits
    return np.ldexp(np.rint(np.ldexp(values, -unit)), unit)


def reduced_echelon(rows: Integers) -> tuple[Integers, int, list[int]]:
    """Return the reduced row echelon form of an integer matrix, without fractions.

    Parameters
    ----------
    rows : list of lists of int, shape (n, N)
        The matrix, which is not modified.

    Returns
    -------
    form : list of lists of int, shape (r, N)
        The non-zero rows times `pivot`: the columns `pivots` are `pivot` times the identity matrix.
    pivot : int
        Not 0.
    pivots : list of int, length r
        The first columns that are independent of those before them.

    Notes
    -----
    Uses python-flint if it is installed, else fraction-free Gauss-Jordan elimination after Bareiss, whose divisions
    leave no remainder because all entries are minors of the matrix (Bareiss 1968, from memory of the literature; the
    two are compared by tests/recovery/test_null_space.py).
    """
    try:
        from flint import fmpz_mat
    except ImportError:
        return _eliminate(rows)
    form, pivot, rank = fmpz_mat(rows).rref()
    kept = [[int(one) for one in row] for row in form.tolist()[:rank]]
    return kept, int(pivot), [next(j for j, one in enumerate(row) if one) for row in kept]


def _eliminate(rows: Integers) -> tuple[Integers, int, list[int]]:
    """Compute the result of :func:`reduced_echelon` with Python integers only."""
    rows = [list(row) for row in rows]
    last, pivots = 1, list[int]()
    for column in range(len(rows[0])):
        rank = len(pivots)
        place = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if place is None:
            continue
        rows[rank], rows[place] = rows[place], rows[rank]
        chosen = rows[rank]
        pivot = chosen[column]
        for i, row in enumerate(rows):
            if i != rank:
                factor = row[column]
                rows[i] = [(pivot * a - factor * b) // last for a, b in zip(row, chosen, strict=True)]
        last = pivot
        pivots.append(column)
        if len(pivots) == len(rows):
            break
    return rows[: len(pivots)], last, pivots


def null_vector(A: np.ndarray, near: np.ndarray, bits: int = 24) -> list[int] | None:
    """Return integers z, not all 0, with A z = 0 exactly, close in direction to a given vector.

    Parameters
    ----------
    A : numpy.ndarray of float64, shape (n, N)
        The matrix.
    near : numpy.ndarray of float64, shape (N,)
        The direction, such as a floating-point solution of A z = 0.
    bits : int, default 24
        Binary digits kept of the free entries.

    Returns
    -------
    list of int, length N, or None
        None if the columns of A are independent.

    Notes
    -----
    Columns are eliminated in order of decreasing |near|: those that are independent of the preceding columns form a
    basis B, the entries off B are those of `near`, rounded, and z_B = -A_B^-1 A_F z_F is computed exactly. A vertex of
    a linear program, which has one entry more than its support has independent columns, keeps its zeros.
    """
    order = np.argsort(-np.abs(near), kind="stable")
    form, pivot, pivots = reduced_echelon(integer_matrix(A[:, order])[0])
    free = sorted(set(range(A.shape[1])) - set(pivots))
    if not free:
        return None
    kept = rounded(near[order[free]], bits) if np.any(near[order[free]]) else np.eye(1, len(free))[0]
    values, _ = integer_matrix([kept.tolist()])
    z = [0] * A.shape[1]
    for place, value in zip(free, values[0], strict=True):
        z[order[place]] = value * pivot
    for place, row in zip(pivots, form, strict=True):
        z[order[place]] = -sum(row[at] * value for at, value in zip(free, values[0], strict=True))
    common = gcd(*z)
    return [one // common for one in z]
