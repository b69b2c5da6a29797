"""The dual certificate of l1: proved either way, against linear programs and against the definition."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

import planted
import recovery
from recovery.certificates import dual_vector_certificate
from recovery.conditions import dual_certificate, exact_recovery_coefficient, null_space_constant


def is_only_minimiser(A, x):
    """Minimise each |z_j - x_j| away from 0 over the minimisers: the l1 programs with a small tilt agree on x."""
    size = A.shape[1]
    for tilt in np.random.default_rng(0).standard_normal((3, 2 * size)):
        found = linprog(1.0 + 1e-6 * tilt, A_eq=np.hstack([A, -A]), b_eq=A @ x, method="highs")
        if np.abs(found.x[:size] - found.x[size:] - x).max() > 1e-7:
            return False
    return True


def draw(seed, n=8, size=14, k=3):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, size)), rng.permutation(size)[:k], rng.choice([-1.0, 1.0], k), rng


def test_it_is_unique_where_l1_recovers_and_not_elsewhere():
    answers = []
    for seed in range(16):
        A, support, signs, rng = draw(seed)
        found = dual_certificate(A, support, signs)
        x = np.zeros(14)
        x[support] = signs * np.exp(rng.standard_normal(3))
        assert found.unique == is_only_minimiser(A, x) == (found.coefficient < 1.0)
        assert found.coefficient <= found.minimum_norm + 1e-9
        answers.append((found.unique, found.minimum_norm < 1.0))
        if found.unique:
            assert found.certificate.check().valid
            assert sorted(support) == found.certificate.claim["support"]
            np.testing.assert_allclose((A.T @ found.q)[support], signs, atol=1e-9)
        else:
            z, off = found.null_vector, np.delete(found.null_vector, support)
            np.testing.assert_allclose(A @ z, 0.0, atol=1e-12)
            assert signs @ z[support] >= np.abs(off).sum() - 1e-12
            step = 1e-3 * z
            assert np.abs(x - step).sum() <= np.abs(x).sum() + 1e-12
            np.testing.assert_allclose(A @ (x - step), A @ x, atol=1e-12)
    # the vector of least norm is sufficient, and far from necessary
    assert {(True, True), (True, False), (False, False)} == set(answers)


def test_all_patterns_are_unique_if_and_only_if_the_null_space_constant_is_below_one_half():
    for null, below in (((1.0, 1.1, -0.9, 1.0, 1.2), True), ((1.0, 0.2, -0.9, 0.45, 0.1), False)):
        A = np.linalg.svd([null])[2][1:]  # its null vectors are multiples of that one
        patterns = [
            dual_certificate(A, support, signs).unique
            for support in itertools.combinations(range(5), 2)
            for signs in ((1, 1), (1, -1))
        ]
        assert None not in patterns
        assert all(patterns) == null_space_constant(A, 2, "exact").below(0.5) == below


def test_signs_follow_the_order_of_the_support(backend):
    A, support, signs, _ = draw(1)
    plain = dual_certificate(A, support, signs)
    order = np.argsort(support)
    given = dual_certificate(backend.put(A), backend.put(support[order]), backend.put(signs[order]))
    assert given.certificate.claim == plain.certificate.claim
    assert given.certificate.claim["signs"] == signs[order].astype(int).tolist()


def test_a_gated_operator_is_certified():
    X, _, H, w = planted.gated_model(40, 4, 5, 2, rng=2)
    A = recovery.GatedOperator.from_generators(X, H)
    support = np.flatnonzero(w)
    found = dual_certificate(A, support, np.sign(w[support]))
    assert found.unique
    assert found.certificate.check().valid


def test_the_coefficient_of_least_norm_is_that_of_irrepresentability_and_below_the_recovery_coefficient():
    for seed in range(5):
        A, support, signs, _ = draw(seed)
        S, rest = np.sort(support), np.setdiff1d(np.arange(14), support)
        e = signs[np.argsort(support)]
        direct = np.abs(A[:, rest].T @ A[:, S] @ np.linalg.solve(A[:, S].T @ A[:, S], e)).max()
        found = dual_certificate(A, support, signs)
        assert found.minimum_norm == pytest.approx(direct, rel=1e-10)
        assert found.minimum_norm <= exact_recovery_coefficient(A, support, normalise=False) + 1e-12


def test_ties_are_decided_exactly():
    tie = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = dual_certificate(tie, [0], [1])
    assert found.unique is False
    assert found.coefficient == pytest.approx(1.0)
    # a hair within and a hair beyond
    tie[0, 1] = 1.0 - 2.0**-40
    assert dual_certificate(tie, [0], [1]).certificate.check().valid
    tie[0, 1] = 1.0 + 2.0**-40
    assert dual_certificate(tie, [0], [1]).unique is False


def test_dependent_columns_are_refuted_for_any_signs():
    A = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    same, opposite = dual_certificate(A, [0, 1], [1, 1]), dual_certificate(A, [0, 1], [1, -1])
    assert same.unique is opposite.unique is False
    assert same.minimum_norm == opposite.minimum_norm == opposite.coefficient == math.inf
    np.testing.assert_allclose(A @ same.null_vector, 0.0)
    assert np.any(same.null_vector)


def test_empty_and_full_supports():
    A = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    assert dual_certificate(A, [], []).unique
    assert dual_certificate(A, [], []).certificate.check().valid
    assert dual_certificate(A, [0, 1, 2], [1, 1, 1]).unique is False
    assert dual_certificate(np.eye(2), [0, 1], [1, -1]).certificate.check().valid


@pytest.mark.parametrize("scale", [1e-120, 1.0, 1e120])
def test_scales_do_not_matter(scale):
    A, support, signs, _ = draw(2)
    plain, found = dual_certificate(A, support, signs), dual_certificate(A * scale, support, signs)
    assert found.unique == plain.unique
    assert found.coefficient == pytest.approx(plain.coefficient, rel=1e-8)
    assert found.certificate.check().valid


def test_a_vector_that_does_not_serve_makes_no_certificate():
    A, support, signs, rng = draw(2)
    support, signs = np.sort(support), signs[np.argsort(support)].astype(int).tolist()
    refused = [dual_vector_certificate(A, support, signs, 5 * rng.standard_normal(8)) for _ in range(10)]
    assert None in refused
    for made in refused:
        assert made is None or made.check().valid
    good = dual_certificate(A, support, signs)
    made = dual_vector_certificate(A, support, signs, good.q, bits=20)
    assert made.check().valid
    q = [Fraction(one) for one in made.proof["q"]]
    for i, sign in zip(support, signs, strict=True):
        assert sum(Fraction(a) * one for a, one in zip(A[:, i], q, strict=True)) == sign


def test_wrong_arguments_are_sentences():
    A = np.eye(3)
    with pytest.raises(ValueError, match="signs holds 2"):
        dual_certificate(A, [0], [2])
    with pytest.raises(ValueError, match="twice"):
        dual_certificate(A, [0, 0], [1, 1])
    with pytest.raises(ValueError, match="signs has shape"):
        dual_certificate(A, [0, 1], [1])
    with pytest.raises(ValueError, match="signs="):
        dual_vector_certificate(A, [0, 1], [1], np.ones(3))


def test_numbers_at_the_edges_of_floats_are_answered_or_left_open():
    answers = []
    for seed in range(12):
        A, support, signs, rng = draw(seed, n=5, size=7, k=2)
        for exponents in (np.full((5, 1), -310.0), np.full((5, 1), 300.0), rng.integers(-300, 300, (5, 1)) * 1.0):
            found = dual_certificate(A * 10.0**exponents, support, signs)
            assert (found.certificate is not None) == (found.unique is True)
            assert found.unique is not True or found.certificate.check().valid
            answers.append(found.unique)
    assert {True, False} <= set(answers)


def test_a_dual_vector_that_is_1_off_the_support_proves_nothing():
    A = np.array([[1.0, 1.0, 0.5]])
    assert dual_vector_certificate(A[:, [0, 2]], [0], [1], [1.0]) is not None
    assert dual_vector_certificate(A, [0], [1], [1.0]) is None


@pytest.mark.parametrize(
    ("A", "support", "signs"),
    [
        # products beyond floats: a warning of an invalid value in matmul
        (
            [
                [2.17053858e-316, 3.73908997e038, -3.23312152e-104],
                [8.65310295e163, 1.47137847e199, 2.40247909e-115],
                [-2.83169339e-028, -2.87207165e210, -1.59499831e-251],
            ],
            [0, 2],
            [1, -1],
        ),
        # independent columns, one of which is 0 beside the other: a matrix that LAPACK calls singular
        ([[5.4e-147, 8.3e176], [3.9e-147, 7.4e176], [2.2e-147, -9.1e175], [-1.2e-147, -1.2e176]], [0, 1], [-1, -1]),
    ],
)
def test_columns_of_very_different_sizes_are_judged_without_a_warning(A, support, signs):
    found = dual_certificate(np.array(A), support, signs)
    assert found.minimum_norm == np.inf
    assert found.unique in (True, None)  # the columns are independent, and no other x is shown
