"""The exact recovery coefficient: against the pseudo-inverse, against OMP, and the worst over all supports."""

import math
from itertools import combinations

import numpy as np
import pytest

import recovery
from recovery.conditions import (
    babel_function,
    exact_recovery_coefficient,
    irrepresentability,
    mutual_coherence,
    worst_exact_recovery_coefficient,
)


def direct(A, support):
    """Tropp's coefficient by the pseudo-inverse."""
    rest = np.setdiff1d(np.arange(A.shape[1]), support)
    return np.abs(np.linalg.pinv(A[:, support]) @ A[:, rest]).sum(axis=0).max()


def unit(A):
    return A / np.linalg.norm(A, axis=0)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_coefficient_is_that_of_the_pseudo_inverse(backend, k):
    rng = np.random.default_rng(k)
    A = rng.standard_normal((12, 20)) * np.exp(rng.standard_normal(20))
    support = rng.permutation(20)[:k]
    found = exact_recovery_coefficient(backend.put(A), backend.put(support))
    assert found == pytest.approx(direct(unit(A), np.sort(support)), rel=1e-11)
    raw = exact_recovery_coefficient(backend.put(A), support.tolist(), normalise=False)
    assert raw == pytest.approx(direct(A, np.sort(support)), rel=1e-11)
    assert raw != pytest.approx(found, rel=1e-3)


def test_edges_of_supports():
    A = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert exact_recovery_coefficient(A, []) == 0.0
    assert exact_recovery_coefficient(np.eye(2), [0, 1]) == 0.0
    assert exact_recovery_coefficient(A, [0, 1]) == math.inf  # equal columns
    assert exact_recovery_coefficient(A[:, [0, 2, 2]], [0, 1]) == pytest.approx(1.0)
    assert exact_recovery_coefficient(np.random.default_rng(0).standard_normal((2, 4)), [0, 1, 2]) == math.inf


def test_omp_recovers_where_the_coefficient_is_below_one():
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((20, 30)) * np.exp(rng.standard_normal(30))
        support = np.sort(rng.choice(30, 3, replace=False))
        if exact_recovery_coefficient(A, support) < 1.0:
            held += 1
            for _ in range(3):
                x = np.zeros(30)
                x[support] = rng.choice([-1.0, 1.0], 3) * np.exp(rng.standard_normal(3))
                found = recovery.solve(A, A @ x, 3, solver="omp").support
                np.testing.assert_array_equal(found, support)
    assert held >= 40


def test_above_one_some_signal_misleads_omp():
    # the column with the largest |A_S^+ a_j|_1 > 1 beats S for y = (A_S^+)' signs of that column's coefficients
    misled = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        A = unit(rng.standard_normal((8, 14)))
        support = np.sort(rng.choice(14, 3, replace=False))
        rest = np.setdiff1d(np.arange(14), support)
        inverse = np.linalg.pinv(A[:, support])
        coefficients = inverse @ A[:, rest]
        worst = np.abs(coefficients).sum(axis=0).argmax()
        if exact_recovery_coefficient(A, support) > 1.0 + 1e-9:
            y = inverse.T @ np.sign(coefficients[:, worst])
            first = recovery.solve(A, y, 1, solver="omp").support
            assert first[0] not in support
            misled += 1
    assert misled >= 10


@pytest.mark.parametrize(("n", "size", "k"), [(10, 8, 1), (10, 8, 3), (6, 7, 4), (5, 9, 2)])
def test_the_worst_coefficient_is_that_of_a_plain_loop(n, size, k):
    A = np.random.default_rng(k).standard_normal((n, size))
    every = {chosen: direct(unit(A), list(chosen)) for chosen in combinations(range(size), k)}
    found = worst_exact_recovery_coefficient(A, k)
    assert found.lower == found.upper == pytest.approx(max(every.values()), rel=1e-8)
    assert every[tuple(found.witness.tolist())] == pytest.approx(found.lower, rel=1e-8)
    assert not found.lower_certified
    assert not found.upper_certified


def test_beyond_the_limit_the_bounds_hold():
    finite = 0
    for seed in range(20):
        A = np.random.default_rng(seed).standard_normal((200, 12))
        for k in (1, 2, 3):
            exact = worst_exact_recovery_coefficient(A, k)
            bounds = worst_exact_recovery_coefficient(A, k, limit=10)
            assert bounds.lower <= exact.lower * (1 + 1e-12)
            assert exact.upper <= bounds.upper * (1 + 1e-12)
            assert exact_recovery_coefficient(A, bounds.witness) == pytest.approx(bounds.lower, rel=1e-12)
            finite += bounds.upper < math.inf
            if k > 1 and bounds.upper < math.inf:
                assert bounds.upper == pytest.approx(babel_function(A, k) / (1 - babel_function(A, k - 1)))
                assert bounds.upper <= k * mutual_coherence(A) / (1 - (k - 1) * mutual_coherence(A)) + 1e-12
    assert finite >= 55
    wide = np.random.default_rng(1).standard_normal((4, 30))
    assert worst_exact_recovery_coefficient(wide, 4, limit=0).upper == math.inf


def test_dependent_columns_make_the_worst_infinite():
    A = np.random.default_rng(3).standard_normal((9, 6))[:, [0, 1, 2, 1, 4, 5]]
    found = worst_exact_recovery_coefficient(A, 2)
    assert found.lower == math.inf
    assert found.witness.tolist() == [1, 3]
    assert worst_exact_recovery_coefficient(A, 1).lower == pytest.approx(1.0)
    everything = worst_exact_recovery_coefficient(A, 6)
    assert everything.lower == math.inf


@pytest.mark.parametrize(
    ("support", "words"),
    [([0, 0], "twice"), ([3], "between 0 and 2"), ([-1], "between 0"), ([0.5], "integer"), ([[0]], "vector")],
)
def test_bad_supports_are_refused(support, words):
    with pytest.raises((TypeError, ValueError), match=words):
        exact_recovery_coefficient(np.eye(3), support)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_rank_of_tiny_and_huge_columns_is_seen(scale):
    A = np.random.default_rng(1).standard_normal((12, 6))
    found = exact_recovery_coefficient(scale * A, [0, 3], normalise=False)
    assert found == pytest.approx(exact_recovery_coefficient(A, [0, 3], normalise=False), rel=1e-13)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="zero column"):
        exact_recovery_coefficient(np.zeros((2, 2)), [0])
    assert exact_recovery_coefficient(np.zeros((2, 2)), [0], normalise=False) == math.inf
    for k in (0, 4, 1.5):
        with pytest.raises((TypeError, ValueError), match="sparsity="):
            worst_exact_recovery_coefficient(np.eye(3), k)


def test_dependent_columns_recover_nothing_also_where_they_are_all_there_are():
    A = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert exact_recovery_coefficient(A, [0, 1, 2]) == math.inf
    assert irrepresentability(A, [0, 1, 2], [1, 1, 1]) == math.inf
    assert worst_exact_recovery_coefficient(A, 3).lower == math.inf
    assert exact_recovery_coefficient(A[:, 1:], [0, 1]) == irrepresentability(A[:, 1:], [0, 1], [1, 1]) == 0.0
    assert exact_recovery_coefficient(A, []) == 0.0
