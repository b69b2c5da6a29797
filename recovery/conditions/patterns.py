"""Pairs of gates that are equal or complementary, and the rank they cost.

All of it is worked out on the CPU, from the patterns alone: -h is no reliable name for the complement of 1{X h >= 0},
since D(h) + D(-h) = I + diag(1{X h = 0}).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_integer
from planted.values import by_value
from recovery.conditions._columns import EPS
from recovery.conditions._gates import check_gated, check_gates

__all__ = ["GatePair", "RankReport", "complementary_pairs", "dependent_gates", "equal_gates", "gated_rank", "keys"]


@by_value
@dataclass(frozen=True)
class GatePair:
    """Two gates that are each other's complement, up to some rows.

    Parameters
    ----------
    first, second : int
        Indices of the gates, first < second.
    both : int
        Rows that both let through; with gates 1{X h >= 0} and 1{-X h >= 0}, those with X h = 0.
    neither : int
        Rows that neither lets through; with strict gates, those with X h = 0.
    """

    first: int
    second: int
    both: int
    neither: int


def complementary_pairs(gates: Any, rows: int = 0) -> list[GatePair]:
    """Return the pairs of gates that are each other's complement.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.
    rows : int, default 0
        Rows that may disagree with a complement, on or off in both; 0 for exact complements.

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
    """Return the groups of two and more equal gates.

    Parameters
    ----------
    gates : array of bool or 0/1, shape (n, p), or GatedOperator
        The diagonals of D_1, ..., D_p.

    Returns
    -------
    list of list of int
        Each group ascending, groups by their first gate.

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
        or an empty gate ((i,), ()). The difference times x_a is 0 for every feature a: so many columns of A are
        dependent, and the smallest restricted eigenvalue of that order is 0, exactly.

    Raises
    ------
    TypeError, ValueError
        If `gates` is not a matrix of zeros and ones.

    Notes
    -----
    Two pairs of exact complements are the usual case; so are two pairs h, -h with X h = 0 on the same rows. Sums of
    two gates are compared by a hash, and equal ones in full: O(p^2 log p + n p).
    """
    G = arrays.to_numpy(check_gates(gates))
    p = G.shape[1]
    if not G.any(axis=0).all():
        return (int(np.argmin(G.any(axis=0))),), ()
    equal = equal_gates(G)
    if equal:
        return (equal[0][0],), (equal[0][1],)
    counts = np.concatenate([G, np.zeros((len(G), 1), dtype=bool)], axis=1).astype(np.int64)  # the last one is empty
    # any weights will do, and sums may wrap around
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
    """The rank of a gated operator, and how much of what it lacks is due to the gates of single features.

    Parameters
    ----------
    shape : tuple of int
        n and d p.
    rank : int
        Numeric rank of A with columns of unit norm (zero columns stay 0); singular values up to max(n, d p) eps times
        the largest count as 0.
    within_features : int
        Sum over features of the rank of the p gates on the rows where the feature is not 0: an upper bound of the rank.
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
        """Dependent columns of single features: d p minus their ranks."""
        return self.shape[1] - self.within_features


def gated_rank(A: Any) -> RankReport:
    """Return the rank of a gated operator and the part of its loss that single features show.

    Parameters
    ----------
    A : GatedOperator, shape (n, d p)
        Written out on the CPU.

    Returns
    -------
    RankReport
        See there.

    Raises
    ------
    TypeError
        If A has no gates.

    Notes
    -----
    The columns of feature a are gate_j * x_a, so that the p of them have the rank of the 0/1 matrix of gates on the
    rows with x_a != 0. With k pairs of exact complements, D_i + D_j = I for each, that rank is at most p - k + 1: two
    pairs already make (D_1 + D_2 - D_3 - D_4) x_a = 0, four dependent columns for every feature, and alpha_4 = 0.

    References
    ----------
    Derived here: docs/derivations.md, section "Complementary gates".
    """
    A = check_gated(A)
    X, G = arrays.to_numpy(A.inputs).astype(np.float64), arrays.to_numpy(A.gates())
    within = sum(_rank(G[feature != 0.0].astype(np.float64)) for feature in X)
    columns = (G.T[:, None, :] * X).reshape(-1, X.shape[1]).T
    return RankReport((X.shape[1], columns.shape[1]), _rank(columns), within, len(_paired(G)))


def _counts(G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many rows two gates both let through, and how many neither does, for all pairs."""
    ones = G.astype(np.float64)  # BLAS multiplies floats only; the counts are exact
    both = ones.T @ ones
    on = ones.sum(axis=0)
    return both, G.shape[0] - on[:, None] - on[None, :] + both


def keys(G: np.ndarray) -> list[bytes]:
    """Return the gates packed into bytes: equal ones, and no others, have equal keys."""
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
    """Return the numeric rank of a matrix with columns of unit norm."""
    if columns.shape[0] == 0:
        return 0
    largest = np.abs(columns).max(axis=0)
    units = columns / np.where(largest > 0.0, largest, 1.0)
    norms = np.sqrt((units * units).sum(axis=0))
    spectrum = np.linalg.svd(units / np.where(norms > 0.0, norms, 1.0), compute_uv=False)
    return int((spectrum > max(columns.shape) * EPS * spectrum[0]).sum())
