"""Restricted eigenvalues as intervals with proved bounds."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from typing import Any

import numpy as np

from planted.base.checks import check_choice, check_integer
from recovery.certificates.certificate import Certificate, exact, exact_matrix
from recovery.certificates.cholesky import ExactGram, GramEnclosure, blocks_proved, enclose_gram, exact_gram, short_gram
from recovery.certificates.dual import SIDES, Side, proved_dual
from recovery.certificates.semidefinite import is_positive_semidefinite
from recovery.certificates.tight import DENOMINATOR
from recovery.exact.enumeration import LIMIT, extreme_blocks, extreme_support, supports
from recovery.exact.intervals import UNIT, Interval, outward
from recovery.operators.columns import check_support, host_columns

__all__ = [
    "certified_intervals",
    "enumeration_bound",
    "proved_enumeration",
    "proved_over_supports",
    "proved_witness",
    "witness_bound",
]


BLOCK = 2**17
"""Number of matrix entries of blocks that are factorised together."""
EXACT_BLOCKS = 5000
"""Largest number of distinct blocks examined in exact arithmetic for one bound."""


def enumeration_bound(A: Any, sparsity: int, side: Side = "largest", *, limit: int = LIMIT) -> Certificate:
    """Prove the largest, or the smallest, eigenvalue of A_S'A_S over |S| <= s by examining every support.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, unscaled. Copied to the CPU; floats are treated as exact numbers.
    sparsity : int
        Largest number of columns, from 1 to N.
    side : {"largest", "smallest"}, default "largest"
        Whether to prove an upper bound on L_s or a lower bound on m_s.
    limit : int, default 2,000,000
        Largest number of supports that are enumerated.

    Returns
    -------
    Certificate
        Of kind "largest-eigenvalue" or "smallest-eigenvalue" with the proof {"method": "enumeration"}. The bound is the
        exact value if that is a short rational number, and otherwise differs from it by rounding errors on the safe
        side.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, `sparsity` or `side` is invalid, or there are too many supports.

    Notes
    -----
    A float eigenvalue routine proposes t. For each support t I - A_S'A_S (or its negative) is proved to be positive
    definite by a Cholesky factorisation with an error bound, for all supports at once; cases that this leaves
    undecided, such as the extreme supports of an integer matrix at exactly t = L_s, are decided by exact elimination.
    """
    begin = time.perf_counter()
    check_choice(side, "side", SIDES)
    columns = host_columns(A)
    size = columns.shape[1]
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=size)
    count = math.comb(size, sparsity)
    if count > check_integer(limit, "limit", minimum=1):
        raise ValueError(
            f"C({size}, {sparsity}) = {count} supports exceed limit={limit}; raise limit, or use dual_bound"
        )
    bound, at = proved_enumeration(columns, sparsity, (side,))[side]
    made_by = {
        "supports": count,
        "extreme": [int(i) for i in at],
        "seconds": round(time.perf_counter() - begin, 3),
    }
    claim = {"s": sparsity, "bound": exact(bound)}
    return Certificate(f"{side}-eigenvalue", claim, {"A": exact_matrix(columns)}, {"method": "enumeration"}, made_by)


def proved_enumeration(
    columns: np.ndarray, s: int, sides: tuple[str, ...] = SIDES
) -> dict[str, tuple[Fraction, np.ndarray]]:
    """Return proved bounds on the extreme eigenvalues over all supports, and the supports found by a float routine.

    Parameters
    ----------
    columns : numpy.ndarray of float64, shape (n, N)
        A, on the CPU and checked.
    s : int
        Size of the supports.
    sides : tuple of {"largest", "smallest"}
        The bounds to prove.

    Returns
    -------
    dict
        For each side, the bound and the support (ascending indices of shape (s,)).
    """
    gram = enclose_gram(columns)
    low, low_at, high, high_at = extreme_blocks(gram.approximate, s)
    found = {"largest": (high, high_at), "smallest": (low, low_at)}
    return {side: (_proved_value(columns, gram, s, side, found[side][0]), found[side][1]) for side in sides}


def _proved_value(columns: np.ndarray, gram: GramEnclosure, s: int, side: str, value: float) -> Fraction:
    """Return a proved bound near `value`."""
    if side == "smallest" and s > columns.shape[0]:
        return Fraction(0)
    norms = gram.approximate.diagonal()
    scale = float(norms.max())
    short = short_gram(columns)
    if short is not None:
        near = Fraction(value).limit_denominator(DENOMINATOR)
        if (
            abs(float(near) - value) <= 1e-9 * scale
            and (side == "largest" or near > 0)
            and proved_over_supports(columns, gram, s, side, near, short)
        ):
            return near
    direction, margin = (1.0 if side == "largest" else -1.0), max(64.0 * s * UNIT * scale, math.ulp(0.0))
    for _ in range(20):
        t = value + direction * margin
        if side == "smallest" and t <= 0:
            break
        if proved_over_supports(columns, gram, s, side, Fraction(t), None):
            return Fraction(t)
        margin *= 4.0
    if side == "largest":
        raise ArithmeticError("no bound could be proved: the numbers of A are out of range")
    # small eigenvalues among large ones: halve from the smallest squared norm, which bounds them
    lowest = float(norms.min())
    for halvings in range(1, 61):
        t = math.ldexp(lowest, -halvings)
        if t > 0 and proved_over_supports(columns, gram, s, side, Fraction(t), None):
            return Fraction(t)
    return Fraction(0)


def proved_over_supports(
    columns: np.ndarray, gram: GramEnclosure, s: int, side: str, t: Fraction, short: ExactGram | None
) -> bool:
    """Return whether t is proved to bound the eigenvalues of all blocks of s columns.

    Parameters
    ----------
    columns : numpy.ndarray, shape (n, N)
        A.
    gram : GramEnclosure
        Enclosure of the Gram matrix of A.
    s : int
        Size of the blocks.
    side : {"largest", "smallest"}
        Whether t is an upper or a lower bound.
    t : Fraction
        A float as a rational number, or any rational number if `short` is given.
    short : ExactGram or None
        The Gram matrix of A, used to decide exactly what floats leave undecided; None leaves it undecided.

    Returns
    -------
    bool
        True is a proof.
    """
    size = columns.shape[1]
    enclosed = gram.shifted(side, None, float(t)) if float(t) == t else None
    seen: dict[tuple[int, ...], bool] = {}
    for chosen in supports(size, s, max(1, BLOCK // (s * s))):
        undecided = chosen if enclosed is None else chosen[~blocks_proved(*enclosed, chosen)]
        if len(undecided) and short is None:
            return False
        for support in undecided.tolist():
            assert short is not None
            # equal blocks are common if numbers are short
            key = tuple(short.integers[i][j] for i in support for j in support) + tuple(
                short.exponents[i] for i in support
            )
            if key not in seen:
                if len(seen) >= EXACT_BLOCKS:
                    return False
                seen[key] = is_positive_semidefinite(short.shifted(side, None, t, support))
            if not seen[key]:
                return False
    return True


SHORT = 2**20
"""Largest denominator of a quotient that is stated exactly; others are rounded to a float on the safe side."""


def witness_bound(A: Any, sparsity: int, side: Side = "largest", support: Any = None, *, Z: Any = None) -> Certificate:
    """Prove a lower bound on the largest, or an upper bound on the smallest, eigenvalue of A_S'A_S over |S| <= s.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, unscaled. Copied to the CPU; floats are treated as exact numbers.
    sparsity : int
        Largest number of columns, from 1 to N.
    side : {"largest", "smallest"}, default "largest"
        L_s or m_s.
    support : array of int, shape (at most s,), optional
        The support to use; by default a local search finds one.
    Z : array, shape (N, N), optional
        A solution of the relaxation, used as a starting point of the search.

    Returns
    -------
    Certificate
        Of kind "largest-eigenvalue-witness" or "smallest-eigenvalue-witness".

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, or `sparsity`, `side` or `support` is invalid.

    Notes
    -----
    The vector is the extreme eigenvector of A_S'A_S in floats, with the largest entry 1 and the others rounded to 30
    binary digits. Its quotient x'A'A x / x'x, a rational number, differs from the eigenvalue by the square of that
    error.
    """
    check_choice(side, "side", SIDES)
    columns = host_columns(A)
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=columns.shape[1])
    if support is not None:
        support = check_support(support, columns.shape[1])
        if not 1 <= len(support) <= sparsity:
            raise ValueError(f"support has {len(support)} indices; expected between 1 and sparsity={sparsity}")
    quotient, support, x = proved_witness(columns, sparsity, side, support, Z)
    return Certificate(
        f"{side}-eigenvalue-witness",
        {"s": sparsity, "bound": exact(quotient)},
        {"A": exact_matrix(columns)},
        {"method": "witness", "support": [int(i) for i in support], "vector": [exact(value) for value in x]},
        {"found by": "local search and the eigenvector of the block"},
    )


def proved_witness(
    columns: np.ndarray, s: int, side: str, support: np.ndarray | None = None, Z: Any = None
) -> tuple[Fraction, np.ndarray, list[int]]:
    """Return the bound attained by a sparse vector, its support and its entries.

    Parameters
    ----------
    columns : numpy.ndarray of float64, shape (n, N)
        A, on the CPU and checked.
    s, side, support, Z
        As for :func:`witness_bound`, checked.

    Returns
    -------
    quotient : Fraction
        Its Rayleigh quotient, or that rounded to a float on the safe side.
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


def certified_intervals(columns: np.ndarray, s: int, method: str) -> tuple[Interval, Interval, str]:
    """Return proved intervals of the smallest and of the largest eigenvalue of A_S'A_S over |S| <= s.

    Parameters
    ----------
    columns : numpy.ndarray of float64, shape (n, N)
        A, on the CPU and checked.
    s : int
        Largest number of columns, from 1 to N.
    method : {"dual", "enumerate", "search"}
        How to prove the bounds that no example can prove: by a dual matrix, support by support, or not at all (0 and
        infinity). The other bounds are Rayleigh quotients of sparse rational vectors.

    Returns
    -------
    smallest, largest : Interval
        All bounds are certified; the witnesses are supports.
    message : str
        How they were found.
    """
    message = ""
    known: dict[str, Interval] = {}
    enumerated = proved_enumeration(columns, s) if method == "enumerate" else {}
    G = enclose_gram(columns).approximate
    for side in SIDES:
        if method == "enumerate":
            outer, at = enumerated[side]
            message = "proved for every support"
        elif method == "search":
            outer, at = None, extreme_support(G, s, side)
            message = "proved bounds from sparse vectors found by a local search: other supports may be worse"
        else:
            outer, _, proposal, _ = proved_dual(columns, s, side)
            at = extreme_support(G, s, side, proposal.Z)
            message = "proved dual bounds, and sparse vectors found by a local search"
        shown, support, _ = proved_witness(columns, s, side, at)
        if side == "largest":
            low, high = outward(shown, -math.inf), math.inf if outer is None else outward(outer, math.inf)
        else:
            low, high = 0.0 if outer is None else outward(outer, -math.inf), outward(shown, math.inf)
        known[side] = Interval(low, high, True, True, support)
    if s > columns.shape[0]:
        known["smallest"] = Interval(0.0, 0.0, True, True, known["smallest"].witness)
    return known["smallest"], known["largest"], message
