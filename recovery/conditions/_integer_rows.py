"""Linear algebra of a few vectors of integers, which is exact."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

__all__ = ["Row", "basis", "independent_columns", "integers", "orthogonal"]

Row = tuple[int, ...]


def integers(row: np.ndarray) -> Row:
    """Return a row times the positive number that makes it integer without a common divisor."""
    parts = [Fraction(*value.as_integer_ratio()) for value in row.tolist()]
    scale = math.lcm(*(part.denominator for part in parts))
    whole = [int(part * scale) for part in parts]
    common = math.gcd(*whole) or 1
    return tuple(value // common for value in whole)


def orthogonal(rows: list[Row], size: int) -> Row:
    """Return the vector of signed minors, orthogonal to size - 1 rows of length size; 0 if they are dependent."""
    if size == 1:
        return (1,)
    if size == 2:
        return (-rows[0][1], rows[0][0])
    if size == 3:
        (a, b, c), (e, f, g) = rows
        return (b * g - c * f, c * e - a * g, a * f - b * e)
    minors = (_determinant([[*row[:j], *row[j + 1 :]] for row in rows]) for j in range(size))
    return tuple((-1) ** j * minor for j, minor in enumerate(minors))


def _determinant(matrix: list[list[int]]) -> int:
    """Return the determinant by Bareiss' elimination, in integers."""
    matrix, sign, last = [list(row) for row in matrix], 1, 1
    for k in range(len(matrix)):
        pivot = next((i for i in range(k, len(matrix)) if matrix[i][k]), None)
        if pivot is None:
            return 0
        if pivot != k:
            matrix[k], matrix[pivot], sign = matrix[pivot], matrix[k], -sign
        for i in range(k + 1, len(matrix)):
            for j in range(k + 1, len(matrix)):
                matrix[i][j] = (matrix[i][j] * matrix[k][k] - matrix[i][k] * matrix[k][j]) // last
        last = matrix[k][k]
    return sign * last


def basis(rows: Iterable[Row]) -> list[int]:
    """Return the places of a maximal set of independent rows, the first ones."""
    reduced: list[tuple[int, list[int]]] = []
    places = []
    for place, row in enumerate(rows):
        here = list(row)
        for pivot, other in reduced:
            if here[pivot]:
                a, b = other[pivot], here[pivot]
                here = [a * x - b * y for x, y in zip(here, other, strict=True)]
        pivot = next((j for j, value in enumerate(here) if value), -1)
        if pivot >= 0:
            common = math.gcd(*here)
            reduced.append((pivot, [value // common for value in here]))
            places.append(place)
            if len(places) == len(row):
                break
    return places


def independent_columns(rows: list[Row]) -> list[int]:
    """Return the places of as many independent columns as there are rows, which are independent."""
    return basis([tuple(row[j] for row in rows) for j in range(len(rows[0]))])
