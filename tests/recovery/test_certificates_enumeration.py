"""Proofs by enumeration and by witnesses, and what is made of them: isometry numbers, intervals with proved ends."""

from fractions import Fraction

import numpy as np
import pytest

from recovery.certificates import enumeration_bound, isometry_certificate, witness_bound
from recovery.certificates.cholesky import enclose_gram, short_gram
from recovery.certificates.eigenvalues import proved_over_supports
from recovery.conditions import Interval, restricted_eigenvalues
from recovery.exact.enumeration import extreme_support

SIDES = ("largest", "smallest")


def relu(seed, n=60, d=4, p=3):
    rng = np.random.default_rng(seed)
    X, H = rng.standard_normal((n, d)), rng.standard_normal((d, p))
    A = np.concatenate([X * (X @ H[:, [j]] >= 0) for j in range(p)], axis=1)
    return A / np.linalg.norm(A, axis=0)


def test_enumeration_in_exact_arithmetic_is_exact():
    A = np.repeat(np.eye(4), 2, axis=1) + np.eye(4, 8)
    gram, short = enclose_gram(A), short_gram(A)
    for side in SIDES:
        bound = Fraction(enumeration_bound(A, 2, side).claim["bound"])
        hair = Fraction(1, 10**12) * (1 if side == "largest" else -1)
        for t, truth in ((bound, True), (bound + hair, True)):
            assert proved_over_supports(A, gram, 2, side, t, short) == truth
        reached = Fraction(witness_bound(A, 2, side).claim["bound"])
        assert not proved_over_supports(A, gram, 2, side, reached - 2 * hair, short)
        assert not proved_over_supports(A, gram, 2, side, reached - 2 * hair, None)


def test_enumeration_and_witness_refuse_too():
    with pytest.raises(ValueError, match=r"C\(9, 4\) = 126 supports exceed limit=100"):
        enumeration_bound(np.eye(9), 4, limit=100)
    with pytest.raises(ValueError, match="expected between 1 and sparsity=2"):
        witness_bound(np.eye(4), 2, support=[0, 1, 2])
    assert witness_bound(np.diag([1.0, 2.0, 3.0]), 2, support=[1]).bound == 4.0


def test_the_local_search_finds_the_best_support_of_small_operators():
    hits = 0
    for seed in range(10):
        A = relu(seed, n=30, d=4, p=3)
        exact = restricted_eigenvalues(A, 3)
        G = A.T @ A
        for side, truth in (("largest", exact.largest), ("smallest", exact.smallest)):
            S = extreme_support(G, 3, side)
            assert len(set(S.tolist())) == 3
            hits += np.linalg.eigvalsh(G[np.ix_(S, S)])[-1 if side == "largest" else 0] in truth
    assert hits >= 17


def test_isometry_numbers_against_rational_thresholds():
    rng = np.random.default_rng(5)
    A = rng.standard_normal((40, 6)) / 40**0.5
    exact = restricted_eigenvalues(A, 2)
    for quantity, value in (
        ("kappa", exact.kappa.upper),
        ("delta_scaled", exact.scaled_restricted_isometry.upper),
        ("delta_raw", exact.restricted_isometry.upper),
    ):
        for power in (1, 2):
            above, below = (value * 1.001) ** power, (value * 0.999) ** power
            for relation, method in (("<", "enumeration"), ("<=", "enumeration")):
                proved = isometry_certificate(A, 2, quantity, relation, above, power=power, method=method)
                assert proved.check().valid
                assert isometry_certificate(A, 2, quantity, relation, below, power=power, method=method) is None
            for relation in (">", ">="):
                assert isometry_certificate(A, 2, quantity, relation, below, power=power).check().valid
                assert isometry_certificate(A, 2, quantity, relation, above, power=power) is None
    by_dual = isometry_certificate(A, 2, "kappa", "<", 2 * exact.kappa.upper, method="dual")
    assert by_dual.check().valid
    # exactly on the threshold: L = 4, m = 1
    B = np.diag([1.0, 2.0])
    assert isometry_certificate(B, 2, "kappa", "<", 4) is None
    assert isometry_certificate(B, 2, "kappa", "<=", 4).check().valid
    assert isometry_certificate(B, 2, "delta_scaled", "<=", "9/25", power=2).check().valid
    assert isometry_certificate(B, 2, "delta_scaled", "<", "9/25", power=2) is None
    assert isometry_certificate(np.ones((2, 2)), 2, "kappa", "<", 10**9) is None
    assert isometry_certificate(np.ones((2, 2)), 2, "kappa", ">", 10**9).check().valid
    with pytest.raises(ValueError, match="threshold='x' is not a rational"):
        isometry_certificate(B, 2, "kappa", "<", "x")


def test_restricted_eigenvalues_whose_ends_are_proved():
    for seed in range(3):
        A = relu(seed, n=30, d=4, p=3)
        plain = restricted_eigenvalues(A, 3)
        for options in ({"method": "dual"}, {"certify": True}, {"certify": True, "limit": 10}):
            found = restricted_eigenvalues(A, 3, **options)
            for one, other in ((found.smallest, plain.smallest), (found.largest, plain.largest)):
                assert one.lower_certified
                assert one.upper_certified
                assert one.lower <= other.upper
                assert one.upper >= other.lower
            both = found & plain
            assert both.largest.width <= plain.largest.width
            assert found.kappa.upper_certified
        assert "exceed limit=10; proved dual" in found.message
        tight = restricted_eigenvalues(A, 3, certify=True)
        assert tight.largest.width <= 1e-11
        assert tight.smallest.width <= 1e-11
    flat = restricted_eigenvalues(np.random.default_rng(0).standard_normal((2, 5)), 3, "dual")
    assert (flat.smallest.lower, flat.smallest.upper) == (0.0, 0.0)
    identity = restricted_eigenvalues(np.eye(6), 3, "dual")
    assert identity.scaled_restricted_isometry.upper <= 1e-15
    with pytest.raises(ValueError, match="certify=True with method='coherence'"):
        restricted_eigenvalues(np.eye(3), 2, "coherence", certify=True)
    assert isinstance(identity.largest, Interval)
