"""Equal and complementary gates and the rank they cost, and enumeration of the patterns of sparse generators.

Everything is computed on the CPU from the patterns themselves, because -h need not generate the complement of 1{X h >=
0}: D(h) + D(-h) = I + diag(1{X h = 0}).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer
from planted.base.exactness import exact_numbers
from planted.base.values import by_value
from recovery.operators.columns import Row, basis, check_gated, check_gates, independent_columns, integers, orthogonal
from recovery.operators.ranks import rank

__all__ = [
    "GatePair",
    "Patterns",
    "RankReport",
    "ReducedGates",
    "complementary_pairs",
    "cover_count",
    "dependent_gates",
    "enumerate_patterns",
    "equal_gates",
    "gated_rank",
    "keys",
    "one_per_pair",
    "pattern_bound",
]


@by_value
@dataclass(frozen=True)
class GatePair:
    """Two gates that are complementary up to some rows.

    Parameters
    ----------
    first, second : int
        Indices of the gates, first < second.
    both : int
        Number of rows that both let through; with gates 1{X h >= 0} and 1{-X h >= 0}, those with X h = 0.
    neither : int
        Number of rows that neither lets through; with strict gates, those with X h = 0.
    """

    first: int
    second: int
    both: int
    neither: int


def complementary_pairs(gates: Any, rows: int = 0) -> list[GatePair]:
    """Return the pairs of complementary gates.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.
    rows : int, default 0
        Number of rows that may violate complementarity (both open or both closed); 0 for exact complements.

    Returns
    -------
    list of GatePair
        Ascending by both + neither, then by the indices. A gate can be in several pairs.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones, or `rows` is negative.

    Notes
    -----
    Counts come from one product of integers, G'G, with p^2 entries.
    """
    G = arrays.to_numpy(check_gates(gates))
    rows = check_integer(rows, "rows", minimum=0)
    both, neither = _counts(G)
    first, second = np.nonzero(np.triu(both + neither <= rows, k=1))
    order = np.lexsort((second, first, (both + neither)[first, second]))
    return [
        GatePair(int(i), int(j), int(both[i, j]), int(neither[i, j]))
        for i, j in zip(first[order], second[order], strict=True)
    ]


def equal_gates(gates: Any) -> list[list[int]]:
    """Return the groups of two or more equal gates.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.

    Returns
    -------
    list of list of int
        Each group in ascending order, groups ordered by their first gate.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones.
    """
    groups: dict[bytes, list[int]] = {}
    for j, key in enumerate(keys(arrays.to_numpy(check_gates(gates)))):
        groups.setdefault(key, []).append(j)
    return [group for group in groups.values() if len(group) > 1]


def dependent_gates(gates: Any) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return two sets of at most two gates with the same sum, if there are any.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.

    Returns
    -------
    tuple of two tuples of int, or None
        ((i, j), (k, l)) with D_i + D_j = D_k + D_l, ((i, j), (k,)) with D_i + D_j = D_k, two equal gates ((i,), (j,)),
        or an empty gate ((i,), ()). The difference of the sums times x_a is 0 for every feature a, so that many columns
        of A are dependent, and the smallest restricted eigenvalue of that order is exactly 0.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones.

    Notes
    -----
    Two pairs of exact complements are the usual case; so are two pairs h, -h with X h = 0 on the same rows. Sums of two
    gates are compared by a hash, and those with equal hashes in full: O(p^2 log p + n p).
    """
    G = arrays.to_numpy(check_gates(gates))
    p = G.shape[1]
    if not G.any(axis=0).all():
        return (int(np.argmin(G.any(axis=0))),), ()
    equal = equal_gates(G)
    if equal:
        return (equal[0][0],), (equal[0][1],)
    counts = np.concatenate([G, np.zeros((len(G), 1), dtype=bool)], axis=1).astype(np.int64)  # the last is empty
    # arbitrary weights are fine, and sums may wrap around
    hashes = (np.random.default_rng(0).integers(-(2**62), 2**62, size=(len(G), 1)) * counts).sum(axis=0)
    first, second = np.triu_indices(p + 1, k=1)
    sums = hashes[first] + hashes[second]
    order = np.argsort(sums, kind="stable")
    for place in np.flatnonzero(sums[order][1:] == sums[order][:-1]):
        sides = [(int(first[at]), int(second[at])) for at in order[place : place + 2]]
        if np.array_equal(*(counts[:, side].sum(axis=1) for side in sides)):
            one, other = sorted((tuple(at for at in side if at < p) for side in sides), key=len, reverse=True)
            return one, other
    return None


@by_value
@dataclass(frozen=True)
class RankReport:
    """The rank of a gated operator, and how much of the deficit is due to the gates behind single features.

    Parameters
    ----------
    shape : tuple of int
        n and d p.
    rank : int
        Numerical rank of A with columns of unit norm (zero columns stay 0): number of singular values above
        :func:`recovery.operators.ranks.rank_tolerance`, which does not grow with the number of rows.
    within_features : int
        Sum over features of the rank of the p gates on the rows where the feature is not 0: an upper bound on the rank.
    pairs : int
        Number of disjoint pairs of exact complements.
    """

    shape: tuple[int, int]
    rank: int
    within_features: int
    pairs: int

    @property
    def full(self) -> bool:
        """Whether the rank is min(n, d p)."""
        return self.rank == min(self.shape)

    @property
    def lost_within_features(self) -> int:
        """Number of dependent columns within single features: d p minus the sum of their ranks."""
        return self.shape[1] - self.within_features


def gated_rank(A: Any) -> RankReport:
    """Return the rank of a gated operator and the part of its deficit explained by single features.

    Parameters
    ----------
    A : GatedOperator, shape (n, d p)
        Formed explicitly on the CPU.

    Returns
    -------
    RankReport
        The report.

    Raises
    ------
    TypeError
        If A has no gates.

    Notes
    -----
    The columns of feature a are gate_j * x_a, so these p columns have the rank of the 0/1 matrix of gates on the rows
    with x_a != 0. With k pairs of exact complements, D_i + D_j = I for each, that rank is at most p - k + 1: two pairs
    already make (D_1 + D_2 - D_3 - D_4) x_a = 0, four dependent columns for every feature, and alpha_4 = 0.

    References
    ----------
    Derived here: docs/theory, section "Complementary gates".
    """
    A = check_gated(A)
    X, G = arrays.to_numpy(A.inputs).astype(np.float64), arrays.to_numpy(A.gates())
    within = sum(_rank(G[feature != 0.0].astype(np.float64)) for feature in X)
    columns = (G.T[:, None, :] * X).reshape(-1, X.shape[1]).T
    return RankReport((X.shape[1], columns.shape[1]), _rank(columns), within, len(_paired(G)))


def _counts(G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for all pairs of gates, on how many rows both are open, and on how many neither is."""
    ones = G.astype(np.float64)  # BLAS multiplies floats only; the counts are exact
    both = ones.T @ ones
    on = ones.sum(axis=0)
    return both, G.shape[0] - on[:, None] - on[None, :] + both


def keys(G: np.ndarray) -> list[bytes]:
    """Return the gates packed into bytes; keys are equal if and only if the gates are."""
    packed = np.packbits(G, axis=0)
    return [packed[:, j].tobytes() for j in range(G.shape[1])]


def _paired(G: np.ndarray) -> list[tuple[int, int]]:
    """Pair off exact complements, each gate at most once."""
    waiting: dict[bytes, list[int]] = {}
    pairs = []
    for j, (key, opposite) in enumerate(zip(keys(G), keys(~G), strict=True)):
        if waiting.get(opposite):
            pairs.append((waiting[opposite].pop(), j))
        else:
            waiting.setdefault(key, []).append(j)
    return pairs


def _rank(columns: np.ndarray) -> int:
    """Return the numerical rank of a matrix after scaling its columns to unit norm, so features may have any units."""
    if columns.shape[0] == 0:
        return 0
    largest = np.abs(columns).max(axis=0)
    units = columns / np.where(largest > 0.0, largest, 1.0)
    norms = np.sqrt((units * units).sum(axis=0))
    return rank(units / np.where(norms > 0.0, norms, 1.0))


LIMIT = 200_000
"""Default limit of hyperplane intersections when enumerating patterns: half a minute for s = 3, n = 30, d = 15."""

Signs = tuple[int, int]
"""A sign vector as two bit masks: rows with a positive product, and rows with a negative one."""


def cover_count(n: int, sparsity: int) -> int:
    """Return 2 sum_{k < s} C(n - 1, k), the number of cells of n hyperplanes through 0 in general position in R^s.

    Parameters
    ----------
    n : int
        Number of hyperplanes, at least 1.
    sparsity : int
        Dimension, at least 1.

    Returns
    -------
    int
        The exact number.

    Notes
    -----
    In any position there are at most this many patterns 1{X h >= 0} with h != 0, even when those with X h = 0 on some
    rows are counted (docs/theory, section "Number of gate patterns").

    References
    ----------
    Cover, IEEE Trans. Electronic Computers 1965 (from memory of the literature, verified by
    tests/recovery/test_conditions_arrangements.py).
    """
    n, sparsity = check_integer(n, "n", minimum=1), check_integer(sparsity, "sparsity", minimum=1)
    return 2 * sum(math.comb(n - 1, k) for k in range(sparsity))


def pattern_bound(n: int, d: int, sparsity: int) -> int:
    """Return C(d, s) times :func:`cover_count`: an upper bound on the patterns of s-sparse generators.

    Parameters
    ----------
    n, d : int
        Rows and columns of X.
    sparsity : int
        Non-zeros of a generator, from 1 to d.

    Returns
    -------
    int
        The exact bound. Generators with fewer than s non-zeros are included.
    """
    d = check_integer(d, "d", minimum=1)
    return math.comb(d, check_integer(sparsity, "sparsity", minimum=1, maximum=d)) * cover_count(n, sparsity)


@by_value
@dataclass(frozen=True)
class Patterns:
    """All patterns of sparse generators.

    Parameters
    ----------
    gates : numpy.ndarray of bool, shape (n, p)
        One pattern per column, without repetition.
    counts : numpy.ndarray of int64, shape (C(d, s),)
        Number of patterns of each support, in lexicographic order of the supports; a pattern may belong to several.
    bound : int
        :func:`pattern_bound`.
    """

    gates: np.ndarray
    counts: np.ndarray
    bound: int


def enumerate_patterns(X: Any, sparsity: int, *, boundary: bool = True, limit: int = LIMIT) -> Patterns:
    """Return all patterns 1{X h >= 0} of generators h != 0 with at most s non-zeros.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs, on the CPU, used exactly as given: integers of any size, Fractions, floats.
    sparsity : int
        Non-zeros of a generator, from 1 to d. Meant for small values: the work grows like C(d, s) C(n, s - 1) n.
    boundary : bool, default True
        Include generators with X h = 0 on rows that are not 0 on the support of h; such rows count as open. Otherwise
        only the cells are enumerated: generators with X h != 0 on all rows that are not 0 on a support of size s. In
        general position both give the same patterns.
    limit : int, default 200,000
        Largest C(d, s) C(n, s - 1) that is attempted.

    Returns
    -------
    Patterns
        Exactly the set of all patterns.

    Raises
    ------
    TypeError, ValueError
        If X is not a finite matrix, `sparsity` is out of range, or the work exceeds `limit`.

    Notes
    -----
    For each support the sign vectors of X_S h, h in R^s, are computed by recursion over the dimension, in integers
    (rows scaled by positive numbers): every face of the arrangement has a ray in its closure, on which s - 1
    independent rows are 0; around a ray the rows that are 0 on it form an arrangement of dimension one less, and the
    others keep their signs. A row that is 0 on the support has product 0 and counts as open.

    References
    ----------
    Derived here: docs/theory, section "Number of gate patterns".
    """
    rows = _integer_rows(X)
    n, d = len(rows), len(rows[0])
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=d)
    work = math.comb(d, sparsity) * math.comb(n, sparsity - 1)
    if work > check_integer(limit, "limit", minimum=0):
        raise ValueError(
            f"sparsity={sparsity} with X of shape {(n, d)} needs {work} intersections of hyperplanes, limit={limit}; "
            "expected a smaller problem, or a larger limit"
        )
    everything = (1 << n) - 1
    found: dict[int, None] = {}
    counts = []
    for support in combinations(range(d), sparsity):
        part = [tuple(row[j] for j in support) for row in rows]
        blank = sum(1 << i for i, row in enumerate(part) if not any(row))
        live = [(i, row) for i, row in enumerate(part) if any(row)]
        signs = _sign_vectors(live)
        if len(basis([row for _, row in live])) == sparsity:  # otherwise some h != 0 has X_S h = 0
            signs.discard((0, 0))
        if not boundary:
            signs = {(plus, minus) for plus, minus in signs if plus | minus | blank == everything}
        here = {everything & ~minus for _, minus in signs}
        counts.append(len(here))
        found.update(dict.fromkeys(sorted(here)))
    bits = np.array([[pattern >> i & 1 for pattern in found] for i in range(n)], dtype=bool).reshape(n, len(found))
    return Patterns(bits, np.array(counts, dtype=np.int64), pattern_bound(n, d, sparsity))


def _integer_rows(X: Any) -> list[Row]:
    """Return the rows of X, each multiplied by a positive number that makes it integer, without rounding."""
    given = exact_numbers(X, "X")
    if given.dtype.kind == "f" or given.ndim != 2 or not given.size:
        check_array(X, "X", ndim=2)  # dimensions, and NaN
    try:
        return [integers(row) for row in given]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"X has an entry that is NaN or infinite ({error}); expected finite numbers") from error


def _sign_vectors(rows: list[tuple[int, Row]]) -> set[Signs]:
    """Return all sign vectors of the rows' products with h in R^m, as bit masks of the rows' numbers.

    No row is 0. Sign vectors depend only on the column space, so a basis of it is enough.
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
    """For each line on which rank - 1 independent rows are 0, yield the rows positive, negative and 0 there."""
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
        if zero not in seen:  # the rows that are 0 on a line span a hyperplane, which has a unique normal
            seen.add(zero)
            yield plus, minus, zero


def _all_signs(places: list[int]) -> Iterator[Signs]:
    for signs in product((-1, 0, 1), repeat=len(places)):
        yield (
            sum(1 << i for i, sign in zip(places, signs, strict=True) if sign > 0),
            sum(1 << i for i, sign in zip(places, signs, strict=True) if sign < 0),
        )


@by_value
@dataclass(frozen=True)
class ReducedGates:
    """One gate of each complementary pair, and an ungated block that compensates for the other.

    Parameters
    ----------
    gates : numpy.ndarray of bool, shape (n, q + 1)
        The gates kept, and last the gate that is always open: the ungated block X.
    kept : numpy.ndarray of int64, shape (q,)
        Their indices among the old gates.
    home : numpy.ndarray of int64, shape (p,)
        For each old gate, the new gate that equals it or is its complement.
    flipped : numpy.ndarray of bool, shape (p,)
        Whether it is the complement.
    """

    gates: np.ndarray
    kept: np.ndarray
    home: np.ndarray
    flipped: np.ndarray

    def fold(self, w: Any) -> np.ndarray:
        """Return weights of the new operator with the same product.

        Parameters
        ----------
        w : array, shape (d p,)
            Fused weights of the old gates.

        Returns
        -------
        numpy.ndarray, shape (d (q + 1),)
            (I - D) X u = X u - D X u: the weights of a flipped gate are moved with opposite sign to the new gate and
            added to the ungated block, so their number of non-zeros can double.
        """
        old = arrays.to_numpy(check_array(w, "w", ndim=1))
        p, q = self.home.size, self.gates.shape[1]
        if old.size % p:
            raise ValueError(f"w has {old.size} entries; expected a multiple of the {p} gates")
        blocks = old.reshape(p, -1)
        new = np.zeros((q, blocks.shape[1]))
        np.add.at(new, self.home, np.where(self.flipped, -1.0, 1.0)[:, None] * blocks)
        new[-1] += blocks[self.flipped].sum(axis=0)
        return new.ravel()


def one_per_pair(gates: Any) -> ReducedGates:
    """Return gates no two of which are equal or exact complements, and an ungated block.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.

    Returns
    -------
    ReducedGates
        The first gate of each pair, or group of equal ones, is kept; gates that let all rows through, or none, become
        the ungated block. A = [D_1 X, ..., D_p X] and the new operator have the same range if the old gates contain a
        complementary pair; see :meth:`ReducedGates.fold`. The new operator lacks full rank if two of its gates, or a
        gate and the complement of another, differ on fewer than d rows.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones.

    References
    ----------
    Derived here: docs/theory, section "Complementary gates".
    """
    G = arrays.to_numpy(check_gates(gates))
    every = np.ones(G.shape[0], dtype=bool)
    known: dict[bytes, tuple[int, bool]] = {}
    homes: list[tuple[int, bool]] = []
    kept: list[int] = []
    constant = dict(zip(keys(np.stack([every, ~every], axis=1)), (False, True), strict=True))
    for j, (key, opposite) in enumerate(zip(keys(G), keys(~G), strict=True)):
        if key in constant:
            homes.append((-1, constant[key]))
        elif key in known:
            homes.append(known[key])
        else:
            known[key], known[opposite] = (len(kept), False), (len(kept), True)
            homes.append(known[key])
            kept.append(j)
    home = np.array([len(kept) if place < 0 else place for place, _ in homes], dtype=np.int64)
    flipped = np.array([flip for _, flip in homes])
    return ReducedGates(
        np.concatenate([G[:, kept], every[:, None]], axis=1), np.array(kept, dtype=np.int64), home, flipped
    )
