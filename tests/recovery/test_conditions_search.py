"""The local search for extreme supports: its values are attained, and how often they are the extremes."""

import math

import numpy as np
import pytest

from recovery.conditions import restricted_eigenvalues
from recovery.exact.enumeration import _grown, extreme_support

SIDES = ("smallest", "largest")


def operators(count, rng):
    """Gaussian and gated columns of unit norm, in turn."""
    for number in range(count):
        A = rng.standard_normal((25, 12))
        if number % 2:
            X, H = rng.standard_normal((40, 4)), rng.standard_normal((4, 3))
            A = np.concatenate([X * (X @ H[:, [j]] >= 0) for j in range(3)], axis=1)
        yield A / np.linalg.norm(A, axis=0)


def test_what_a_support_shows_is_the_eigenvalue_of_its_block(backend):
    A = np.random.default_rng(0).standard_normal((9, 7))
    for s in (1, 3, 7):
        found = restricted_eigenvalues(backend.put(A), s, "search")
        exact = restricted_eigenvalues(A, s)
        assert found.smallest.lower == 0.0
        assert found.largest.upper == found.kappa.upper == found.restricted_isometry.upper == math.inf
        assert found.scaled_restricted_isometry.upper == 1.0
        for interval, truth, value in (
            (found.smallest, exact.smallest, found.smallest.upper),
            (found.largest, exact.largest, found.largest.lower),
        ):
            S = interval.witness
            assert S.shape == (s,)
            assert np.all(np.diff(S) > 0)
            block = np.linalg.eigvalsh(A[:, S].T @ A[:, S])
            assert value == pytest.approx(block[0 if interval is found.smallest else -1], abs=1e-12)
            assert truth.lower <= interval.upper
            assert interval.lower <= truth.upper
        assert found.kappa.lower_certified is found.kappa.upper_certified is False


def test_it_finds_the_extreme_support_of_small_operators_nearly_always():
    rng, hits = np.random.default_rng(1), 0
    for A in operators(30, rng):
        exact = restricted_eigenvalues(A, 4)
        found = restricted_eigenvalues(A, 4, "search")
        hits += found.smallest.upper in exact.smallest or found.smallest.upper <= exact.smallest.upper
        hits += found.largest.lower in exact.largest or found.largest.lower >= exact.largest.lower
    assert hits >= 58


def test_no_exchange_of_one_index_improves_the_support():
    rng = np.random.default_rng(2)
    for A in operators(4, rng):
        G = A.T @ A
        for side, sign, at in (("largest", 1, -1), ("smallest", -1, 0)):
            S = extreme_support(G, 3, side)
            value = sign * np.linalg.eigvalsh(G[np.ix_(S, S)])[at]
            for out in range(3):
                for new in set(range(12)) - set(S.tolist()):
                    T = np.append(np.delete(S, out), new)
                    assert sign * np.linalg.eigvalsh(G[np.ix_(T, T)])[at] <= value + 1e-12


def test_planted_extremes_are_found_where_nothing_can_be_enumerated():
    rng = np.random.default_rng(3)
    A = rng.standard_normal((400, 300)) / 20.0
    cluster = np.sort(rng.choice(300, 5, replace=False))
    A[:, cluster] = 0.8 * A[:, cluster[:1]] + 0.6 * A[:, cluster]
    assert extreme_support(A.T @ A, 5, "largest").tolist() == cluster.tolist()
    A[:, 7] = (A[:, 11] + A[:, 13] + A[:, 17]) / 3**0.5 + 1e-3 * A[:, 19]
    found = restricted_eigenvalues(A, 4, "search", certify=True)
    assert found.smallest.witness.tolist() == [7, 11, 13, 17]
    assert found.smallest.upper < 1e-5
    assert found.scaled_restricted_isometry.lower > 0.99  # a refutation, proved
    assert found.scaled_restricted_isometry.lower_certified
    assert found.kappa.lower_certified


@pytest.mark.parametrize("s", [1, 2, 4, 5])
def test_degenerate_matrices(s):
    for A in (np.zeros((3, 5)), np.ones((3, 5)), np.eye(5), np.eye(5) * 10.0 ** np.arange(-60, 65, 25.0)):
        for options in ({}, {"certify": True}):
            found = restricted_eigenvalues(A, s, "search", **options)
            exact = restricted_eigenvalues(A, s)
            assert found.largest.lower == pytest.approx(exact.largest.lower, rel=1e-9, abs=1e-300)
            assert found.smallest.upper == pytest.approx(exact.smallest.upper, rel=1e-9, abs=1e-12 * A.max() ** 2)
            both = found & exact
            assert both.largest.lower >= exact.largest.lower


def test_greedy_starts_are_supports_of_distinct_indices():
    G = np.diag([3.0, 2.0, 1.0, 0.0])
    for s in (1, 2, 3, 4):
        for row in _grown(G, s):
            assert len(set(row.tolist())) == s
        assert sorted(_grown(G, s)[0].tolist()) == list(range(s))
