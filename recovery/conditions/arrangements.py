"""All activation patterns 1{X h >= 0} of sparse generators h, in exact arithmetic, and how many there can be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from planted.checks import check_array, check_integer
from planted.exactness import exact_numbers
from planted.values import by_value
from recovery.conditions._integer_rows import Row, basis, independent_columns, integers, orthogonal

__all__ = ["Patterns", "cover_count", "enumerate_patterns", "pattern_bound"]

LIMIT = 200_000
"""Intersections of hyperplanes up to which patterns are enumerated: half a minute for s = 3, n = 30, d = 15."""

Signs = tuple[int, int]
"""A sign vector as two bit masks: the rows with a positive and with a negative product."""


def cover_count(n: int, s: int) -> int:
    """Return 2 sum_{k < s} C(n - 1, k), the number of cells of n hyperplanes through 0 in general position in R^s.

    Parameters
    ----------
    n : int
        Hyperplanes, at least 1.
    s : int
        Dimension, at least 1.

    Returns
    -------
    int
        Exact.

    Notes
    -----
    In any position there are at most so many patterns 1{X h >= 0} with h != 0, also when those with X h = 0 on some
    rows are counted (docs/derivations.md, section "How many patterns there are").

    References
    ----------
    Cover, IEEE Trans. Electronic Computers 1965 (from memory of the literature, verified by
    tests/recovery/test_conditions_arrangements.py).
    """
    n, s = check_integer(n, "n", minimum=1), check_integer(s, "s", minimum=1)
    return 2 * sum(math.comb(n - 1, k) for k in range(s))


def pattern_bound(n: int, d: int, s: int) -> int:
    """Return C(d, s) times :func:`cover_count`: an upper bound on the patterns of s-sparse generators.

    Parameters
    ----------
    n, d : int
        Rows and columns of X.
    s : int
        Non-zeros of a generator, from 1 to d.

    Returns
    -------
    int
        Exact. Supports of fewer than s entries are part of those with s.
    """
    d = check_integer(d, "d", minimum=1)
    return math.comb(d, check_integer(s, "s", minimum=1, maximum=d)) * cover_count(n, s)


@by_value
@dataclass(frozen=True)
class Patterns:
    """All patterns of sparse generators.

    Parameters
    ----------
    gates : numpy.ndarray of bool, shape (n, p)
        One pattern a column, each once.
    counts : numpy.ndarray of int64, shape (C(d, s),)
        How many patterns each support has, supports in lexicographic order; one pattern may belong to several.
    bound : int
        :func:`pattern_bound`.
    """

    gates: np.ndarray
    counts: np.ndarray
    bound: int


def enumerate_patterns(X: Any, s: int, *, boundary: bool = True, limit: int = LIMIT) -> Patterns:
    """Return all patterns 1{X h >= 0} of generators h != 0 with at most s non-zeros.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs, taken as the exact numbers that they are, on the CPU: integers of any size, Fractions, floats.
    s : int
        Non-zeros of a generator, from 1 to d. Meant for small ones: the work grows like C(d, s) C(n, s - 1) n.
    boundary : bool, default True
        Also generators with X h = 0 on rows that are not 0 on the support of h: such rows count as on. Otherwise only
        the cells: generators with X h != 0 on all rows that are not 0 on a support of s. In general position both
        give the same patterns.
    limit : int, default 200,000
        Largest C(d, s) C(n, s - 1) that is attempted.

    Returns
    -------
    Patterns
        Exact: every pattern there is, and no other.

    Raises
    ------
    TypeError, ValueError
        If X is not a finite matrix, `s` is out of range, or there is more to do than `limit`.

    Notes
    -----
    For each support the sign vectors of X_S h, h in R^s, are worked out by recursion over the dimension, in integers
    (rows scaled by positive numbers): every face of the arrangement has a ray in its closure, on which s - 1
    independent rows are 0; around a ray the rows that are 0 on it form an arrangement of dimension one less, and
    the others keep their signs. A row that is 0 on the support has the product 0 and is on.

    References
    ----------
    Derived here: docs/derivations.md, section "How many patterns there are".
    """
    rows = _integer_rows(X)
    n, d = len(rows), len(rows[0])
    s = check_integer(s, "s", minimum=1, maximum=d)
    work = math.comb(d, s) * math.comb(n, s - 1)
    if work > check_integer(limit, "limit", minimum=0):
        raise ValueError(
            f"s={s} with X of shape {(n, d)} needs {work} intersections of hyperplanes, limit={limit}; expected a "
            "smaller problem, or a larger limit"
        )
    everything = (1 << n) - 1
    found: dict[int, None] = {}
    counts = []
    for support in combinations(range(d), s):
        part = [tuple(row[j] for j in support) for row in rows]
        blank = sum(1 << i for i, row in enumerate(part) if not any(row))
        live = [(i, row) for i, row in enumerate(part) if any(row)]
        signs = _sign_vectors(live)
        if len(basis([row for _, row in live])) == s:  # otherwise some h != 0 has X_S h = 0
            signs.discard((0, 0))
        if not boundary:
            signs = {(plus, minus) for plus, minus in signs if plus | minus | blank == everything}
        here = {everything & ~minus for _, minus in signs}
        counts.append(len(here))
        found.update(dict.fromkeys(sorted(here)))
    bits = np.array([[pattern >> i & 1 for pattern in found] for i in range(n)], dtype=bool).reshape(n, len(found))
    return Patterns(bits, np.array(counts, dtype=np.int64), pattern_bound(n, d, s))


def _integer_rows(X: Any) -> list[Row]:
    """Return the rows of X, each times a positive number that makes it integer: nothing is rounded."""
    given = exact_numbers(X, "X")
    if given.dtype.kind == "f" or given.ndim != 2 or not given.size:
        check_array(X, "X", ndim=2)  # dimensions, and NaN
    try:
        return [integers(row) for row in given]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"X has an entry that is NaN or infinite ({error}); expected finite numbers") from error


def _sign_vectors(rows: list[tuple[int, Row]]) -> set[Signs]:
    """Return all sign vectors of the rows' products with h in R^m, as bit masks of the rows' numbers.

    No row is 0. Sign vectors depend on the column space alone, so that a basis of it will do.
    """
    if not rows:
        return {(0, 0)}
    first = basis([row for _, row in rows])
    rank = len(first)
    if len(rows) == rank:  # independent rows: all signs
        return set(_all_signs([i for i, _ in rows]))
    columns = independent_columns([rows[k][1] for k in first])
    rows = [(i, tuple(row[j] for j in columns)) for i, row in rows]
    found: set[Signs] = {(0, 0)}
    for plus, minus, zero in _rays(rows, rank):
        around = _sign_vectors([(i, row) for i, row in rows if zero >> i & 1]) if rank > 1 else {(0, 0)}
        for extra_plus, extra_minus in around:
            found.add((plus | extra_plus, minus | extra_minus))
            found.add((minus | extra_plus, plus | extra_minus))
    return found


def _rays(rows: list[tuple[int, Row]], rank: int) -> Iterator[tuple[int, int, int]]:
    """Yield the lines on which rank - 1 independent rows are 0: the rows that are positive, negative and 0 there."""
    seen: set[int] = set()
    for chosen in combinations(rows, rank - 1):
        h = orthogonal([row for _, row in chosen], rank)
        if not any(h):
            continue  # dependent rows
        plus = minus = zero = 0
        for i, row in rows:
            value = sum(map(int.__mul__, row, h))
            if value > 0:
                plus |= 1 << i
            elif value < 0:
                minus |= 1 << i
            else:
                zero |= 1 << i
        if zero not in seen:  # the rows that are 0 on a line span a hyperplane, which has one normal
            seen.add(zero)
            yield plus, minus, zero


def _all_signs(places: list[int]) -> Iterator[Signs]:
    for signs in product((-1, 0, 1), repeat=len(places)):
        yield (
            sum(1 << i for i, sign in zip(places, signs, strict=True) if sign > 0),
            sum(1 << i for i, sign in zip(places, signs, strict=True) if sign < 0),
        )
