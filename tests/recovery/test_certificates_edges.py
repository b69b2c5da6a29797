"""Proofs with numbers at the limits of floats, and with numbers that floats cannot represent."""

import math
from fractions import Fraction

import numpy as np
import pytest

from recovery.certificates import (
    cholesky,
    dual_bound,
    dual_vector_certificate,
    enumeration_bound,
    isometry_certificate,
    null_space_certificate,
    proves_positive_definite,
    witness_bound,
)
from recovery.conditions import (
    Interval,
    RestrictedEigenvalues,
    dual_certificate,
    null_space_constant,
    restricted_eigenvalues,
    spark_bounds,
)

PROVED = ({"method": "dual"}, {"certify": True})


@pytest.mark.parametrize("options", PROVED)
def test_a_finite_condition_number_beyond_the_largest_float_is_not_called_infinite(options):
    found = restricted_eigenvalues(np.diag([1e150, 1e-150]), 2, **options)
    assert found.kappa.lower == np.finfo(np.float64).max  # it is 1e600
    assert found.kappa.upper == math.inf
    dependent = restricted_eigenvalues(np.array([[1.0, 1.0]]), 2, **options)
    assert dependent.kappa.lower == math.inf


def test_isometry_constants_of_huge_eigenvalues():
    huge = float(np.finfo(np.float64).max)
    found = RestrictedEigenvalues(3, Interval(huge / 4, huge / 4, True, True), Interval(huge, huge, True, True))
    assert found.scaled_restricted_isometry.lower <= 0.6 <= found.scaled_restricted_isometry.upper
    assert found.scaled_restricted_isometry.width <= 1e-15
    assert found.kappa.lower == found.kappa.upper == 4.0


def test_numbers_derived_from_the_ends_are_rounded_outward():
    rng = np.random.default_rng(0)
    for _ in range(200):
        low, high = sorted(rng.uniform(0.1, 3.0, 2) * 10.0 ** rng.uniform(-300, 300))
        found = RestrictedEigenvalues(2, Interval(low, low, True, True), Interval(high, high, True, True))
        kappa = Fraction(high) / Fraction(low)
        for interval, exact in ((found.kappa, kappa), (found.scaled_restricted_isometry, (kappa - 1) / (kappa + 1))):
            assert Fraction(interval.lower) <= exact <= Fraction(interval.upper)
            assert interval.width <= 2 * math.ulp(float(exact))


def test_columns_whose_eigenvalues_could_overflow_are_refused():
    gram = 0.5 * np.eye(3) + 0.5
    A = np.linalg.cholesky(gram).T * 9.4e153
    assert np.isfinite(A.T @ A).all()
    for options in (*PROVED, {}, {"method": "coherence"}):
        with pytest.raises(ValueError, match="inner products overflow"):
            restricted_eigenvalues(A, 3, **options)
    for options in PROVED:
        found = restricted_eigenvalues(A / 4, 3, **options)
        assert 0.6 in found.scaled_restricted_isometry
        assert 4.0 in found.kappa


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1])
def test_integers_that_float64_would_round_are_refused(value, backend):
    A = backend.put(np.array([[value, 1], [0, 1]]))
    for prove in (dual_bound, enumeration_bound, witness_bound):
        with pytest.raises(ValueError, match="int64 that float64 would round"):
            prove(A, 1)
    for options in PROVED:
        with pytest.raises(ValueError, match="float64 would round"):
            restricted_eigenvalues(A, 1, **options)
    with pytest.raises(ValueError, match="float64 would round"):
        null_space_certificate(A, 1, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="float64 would round"):
        dual_vector_certificate([[value]], [0], [1], [1.0])
    for decide in (lambda A: null_space_constant(A, 1), spark_bounds, lambda A: dual_certificate(A, [0], [1])):
        with pytest.raises(ValueError, match="float64 would round"):
            decide(A)
    exact = dual_bound(backend.put(np.array([[2**53]])), 1)
    assert 2**106 <= Fraction(exact.claim["bound"]) <= 2**106 * Fraction(1 + 1e-13)


def test_long_doubles_that_float64_would_round_are_refused():
    A = np.ones((2, 2), dtype=np.longdouble)
    assert dual_bound(A, 1).bound == 2.0
    A[0, 0] += np.finfo(np.longdouble).eps
    if A.astype(np.float64)[0, 0] != A[0, 0]:  # some platforms have no long double
        with pytest.raises(ValueError, match="float64 would round"):
            dual_bound(A, 1)


def test_no_isometry_certificate_is_made_that_the_checker_refuses():
    for A in (np.ones((2, 2)), np.zeros((2, 2)), np.diag([0.0, 1.0])):
        for quantity in ("kappa", "delta_scaled", "delta_raw"):
            for relation in ("<", "<=", ">", ">="):
                for threshold in (0, 1, 2, 10):
                    made = isometry_certificate(A, 2, quantity, relation, threshold)
                    assert made is None or made.check().valid


def test_singular_matrices_are_never_proved_and_a_twentieth_of_the_constant_would_not_do(monkeypatch):
    rng, whole, share = np.random.default_rng(1), cholesky._lowered, 1.0

    def lowered(M, norm):
        return M + share * (whole(M, norm) - M)

    monkeypatch.setattr(cholesky, "_lowered", lowered)
    singular = []
    for _ in range(1000):
        n = int(rng.integers(2, 8))
        B = rng.integers(-(10**6), 10**6, (n, n - 1)).astype(float)
        singular.append(B @ B.T)  # exact: integers below 2**53
    assert not any(proves_positive_definite(M) for M in singular)
    share = 0.05
    assert sum(proves_positive_definite(M) for M in singular) > 5
