"""Bounds that an example shows: a sparse vector of rational numbers whose Rayleigh quotient is computed exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from planted.checks import check_choice, check_integer
from recovery.certificates.certificate import Certificate, exact, exact_matrix
from recovery.certificates.dual import SIDES
from recovery.certificates.gram import enclose_gram, exact_gram
from recovery.certificates.rounding import outward
from recovery.conditions._columns import check_support, host_columns
from recovery.conditions.search import extreme_support

__all__ = ["proved_witness", "witness_bound"]

SHORT = 2**20
"""Denominators up to which a quotient is stated exactly; others are rounded to a float on the safe side."""


def witness_bound(A: Any, s: int, side: str = "largest", support: Any = None, *, Z: Any = None) -> Certificate:
    """Prove a lower bound of the largest, or an upper bound of the smallest, eigenvalue of A_S'A_S over |S| <= s.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns as they are. Copied to the CPU; its floats are taken as exact.
    s : int
        Largest number of columns, from 1 to N.
    side : {"largest", "smallest"}, default "largest"
        L_s or m_s.
    support : array of int, shape (at most s,), optional
        Where to look; by default a local search finds a support.
    Z : array, shape (N, N), optional
        A solution of the relaxation, which helps the search.

    Returns
    -------
    Certificate
        Of kind "largest-eigenvalue-witness" or "smallest-eigenvalue-witness".

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, or `s`, `side` or `support` is not as expected.

    Notes
    -----
    The vector is the extreme eigenvector of A_S'A_S in floats, with the largest entry 1 and the others rounded to 30
    binary digits. Its quotient x'A'A x / x'x, a rational number, is off the eigenvalue by the square of that.
    """
    check_choice(side, "side", SIDES)
    columns = host_columns(A)
    s = check_integer(s, "s", minimum=1, maximum=columns.shape[1])
    if support is not None:
        support = check_support(support, columns.shape[1])
        if not 1 <= len(support) <= s:
            raise ValueError(f"support has {len(support)} indices; expected between 1 and s={s}")
    quotient, support, x = proved_witness(columns, s, side, support, Z)
    return Certificate(
        f"{side}-eigenvalue-witness",
        {"s": s, "bound": exact(quotient)},
        {"A": exact_matrix(columns)},
        {"method": "witness", "support": [int(i) for i in support], "vector": [exact(value) for value in x]},
        {"found by": "local search and the eigenvector of the block"},
    )


def proved_witness(
    columns: np.ndarray, s: int, side: str, support: np.ndarray | None = None, Z: Any = None
) -> tuple[Fraction, np.ndarray, list[int]]:
    """Return a bound that a sparse vector shows, its support and its entries.

    Parameters
    ----------
    columns : numpy.ndarray of float64, shape (n, N)
        A, on the CPU and checked.
    s, side, support, Z
        As for :func:`witness_bound`, checked.

    Returns
    -------
    quotient : Fraction
        Its Rayleigh quotient, or a float on the safe side of it.
    support : numpy.ndarray of int64, shape (at most s,)
        Ascending.
    vector : list of int
        The entries on the support.
    """
    G = enclose_gram(columns).approximate
    if support is None:
        support = extreme_support(G, s, side, Z)
    vectors = np.linalg.eigh(G[np.ix_(support, support)])[1]
    vector = vectors[:, -1 if side == "largest" else 0]
    whole = np.rint(np.ldexp(vector / vector[np.argmax(np.abs(vector))], 30)).astype(np.int64).tolist()
    shared = math.gcd(*whole)
    x = [value // shared for value in whole]
    gram = exact_gram(columns, support)
    total = sum((gram.entry(i, j) * x[i] * x[j] for i in range(len(x)) for j in range(len(x))), Fraction(0))
    quotient = total / sum(value * value for value in x)
    if quotient.denominator > SHORT:
        quotient = Fraction(outward(quotient, -math.inf if side == "largest" else math.inf))
    return quotient, support, x
