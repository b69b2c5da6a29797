"""Dual bounds, complete enumeration and witnesses against exact truth and the independent checker."""

import dataclasses
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from recovery.certificates import (
    Certificate,
    dual,
    dual_bound,
    enumeration_bound,
    is_positive_semidefinite,
    isometry_certificate,
    null_space,
    witness_bound,
)
from recovery.certificates.cholesky import exact_gram
from recovery.conditions import mutual_coherence, restricted_eigenvalues

SIDES = ("largest", "smallest")


def bounds_all_blocks(A, s, side, t):
    """The truth: t I - A_S'A_S (or its negative) is semidefinite for every support of s columns, exactly."""
    gram = exact_gram(A)
    return all(
        is_positive_semidefinite(gram.shifted(side, None, Fraction(t), S)) for S in combinations(range(A.shape[1]), s)
    )


def relu(seed, n=60, d=4, p=3):
    rng = np.random.default_rng(seed)
    X, H = rng.standard_normal((n, d)), rng.standard_normal((d, p))
    A = np.concatenate([X * (X @ H[:, [j]] >= 0) for j in range(p)], axis=1)
    return A / np.linalg.norm(A, axis=0)


def awkward(rng):
    """Small matrices on which bounds are tight, degenerate or badly scaled."""
    yield rng.standard_normal((6, 6))
    yield rng.standard_normal((3, 6))
    yield rng.integers(-2, 3, (5, 6)).astype(float)
    yield np.repeat(rng.integers(-2, 3, (4, 3)), 2, axis=1).astype(float)
    yield np.repeat(rng.standard_normal((4, 3)), 2, axis=1)
    yield rng.standard_normal((6, 5)) * 10.0 ** rng.uniform(-140, 140, 5)
    nearly = np.repeat(rng.standard_normal((6, 3)), 2, axis=1)
    nearly[0, 0] = np.nextafter(nearly[0, 0], 9.0)
    yield nearly
    yield rng.choice([-1.0, 1.0], (8, 6))
    yield np.eye(5)[:, rng.permutation(5)] * 3.0
    yield np.ones((2, 4))
    yield np.zeros((2, 3))
    yield np.array([[rng.standard_normal()]])
    yield rng.integers(-3, 4, (3, 4)) * 5e-324


@pytest.mark.parametrize("side", SIDES)
def test_no_bound_crosses_the_exact_value(side):
    rng, sign = np.random.default_rng(0), 1 if side == "largest" else -1
    for A in awkward(rng):
        size = A.shape[1]
        for s in {1, min(3, size), size}:
            U = rng.standard_normal((size, size)) * np.abs(A).max() ** 2
            shown = witness_bound(A, s, side)
            reached = Fraction(shown.claim["bound"])
            certificates = [
                dual_bound(A, s, side, max_iter=60),
                dual_bound(A, s, side, solver=None),
                dual_bound(A, s, side, U + U.T),
                enumeration_bound(A, s, side),
            ]
            for certificate in certificates:
                t = Fraction(certificate.claim["bound"])
                assert bounds_all_blocks(A, s, side, t)
                assert sign * (t - reached) >= 0
                report = certificate.check()
                assert report.valid, report.reason
            assert shown.check().valid
            # a hair beyond what a vector reaches is refused: the truth is between
            beyond = reached - sign * Fraction(1, 10**9) * (abs(reached) or 1)
            assert not bounds_all_blocks(A, s, side, beyond)


def test_the_spread_is_added_in_full_and_rounded_outward():
    rng = np.random.default_rng(3)
    for _ in range(50):
        tau, top, s = float(rng.standard_normal()), float(rng.standard_normal()), int(rng.integers(1, 9))
        U = np.array([[top, 0.0], [0.0, top / 2]])
        exact = s * abs(Fraction(top))
        assert 0 <= dual._with_spread(tau, U, s, "largest") - (Fraction(tau) + exact) < 1e-14
        assert 0 <= Fraction(tau) - exact - dual._with_spread(tau, U, s, "smallest") < 1e-14


def test_integer_matrices_are_bounded_by_the_exact_value_itself():
    ones, corners = np.ones((2, 4)), np.array([[1.0, 1, 0, 0], [1, -1, 0, 0], [0, 0, 1, 1], [0, 0, 1, -1]])
    simplex = np.eye(4) + np.ones((4, 4))  # equal inner products
    for A, s, low, high in [
        (np.eye(3), 2, 1, 1),
        (ones, 1, 2, 2),
        (ones, 3, 0, 6),
        (corners, 3, 2, 2),
        (simplex, 2, 1, 13),
        (np.array([[3.0]]), 1, 9, 9),
        (np.diag([1.0, 2.0, 4.0]) / 8, 2, Fraction(1, 64), Fraction(1, 4)),
        (np.zeros((2, 3)), 2, 0, 0),
    ]:
        for prove in (dual_bound, enumeration_bound, witness_bound):
            assert Fraction(prove(A, s, "largest").claim["bound"]) == high
            assert Fraction(prove(A, s, "smallest").claim["bound"]) == low


def test_the_relaxation_is_exact_for_pairs_of_unit_columns_and_near_at_three():
    for seed in range(3):
        A = relu(seed)
        for s, slack in ((1, 1e-7), (2, 1e-6), (3, 0.1)):
            exact = restricted_eigenvalues(A, s)
            high, low = dual_bound(A, s), dual_bound(A, s, "smallest")
            assert exact.largest.lower <= high.bound <= exact.largest.upper * (1 + slack)
            assert low.bound <= exact.smallest.upper
            if s < 3:
                assert low.bound >= exact.smallest.lower - slack
            for certificate in (high, low):
                primal, dual = sorted(certificate.made_by["relaxation"])
                assert dual - primal <= 1e-6
                assert primal - 1e-9 <= certificate.bound <= dual + 1e-9


def test_it_is_never_worse_than_what_costs_nothing():
    rng = np.random.default_rng(1)
    for _ in range(5):
        A = rng.standard_normal((8, 7))
        spectrum = np.linalg.eigvalsh(A.T @ A)
        unit = A / np.linalg.norm(A, axis=0)
        mu = mutual_coherence(unit)
        for options in ({"max_iter": 0}, {"max_iter": 3}, {"solver": None}):
            assert dual_bound(A, 3, **options).bound <= spectrum[-1] * (1 + 1e-10)
            assert dual_bound(A, 3, "smallest", **options).bound >= max(0.0, spectrum[0] - 1e-10)
            assert dual_bound(unit, 3, **options).bound <= 1 + 2 * mu + 1e-10
            assert dual_bound(unit, 3, "smallest", **options).bound >= 1 - 2 * mu - 1e-10


@pytest.mark.parametrize("solver", ["CLARABEL", "SCS"])
def test_solvers_of_cvxpy_propose_too(solver):
    A = relu(1, n=30, d=3, p=2)
    for side in SIDES:
        ours, theirs = dual_bound(A, 3, side, solver="first-order"), dual_bound(A, 3, side, solver=solver)
        assert theirs.made_by["solver"] == solver
        assert theirs.bound == pytest.approx(ours.bound, abs=2e-4 if solver == "SCS" else 1e-6)
        assert theirs.check().valid


def test_the_first_order_method_says_when_it_stops():
    A = relu(2)
    G = A.T @ A
    start = null_space.clipped(G, 3)
    few = null_space.first_order(G, 3, start=start, max_iter=2)
    assert few.dual <= start.dual
    assert "was not closed" in few.message
    done = null_space.first_order(G, 3, start=start)
    assert done.message == "gap closed"
    Z = done.Z
    assert np.linalg.eigvalsh(Z)[0] >= -1e-12
    assert np.trace(Z) == pytest.approx(1, abs=1e-10)
    assert np.abs(Z).sum() <= 3 + 1e-9
    assert (G * Z).sum() == pytest.approx(done.primal)
    np.testing.assert_array_equal(done.W, done.W.T)


def test_bounds_past_the_truth_are_refused_by_the_checker():
    A = relu(3, n=20, d=3, p=2)
    for side, sign in (("largest", 1), ("smallest", -1)):
        reached = Fraction(witness_bound(A, 2, side).claim["bound"])
        beyond = str(reached - sign * Fraction(1, 10**6))
        for prove in (dual_bound, enumeration_bound):
            good = prove(A, 2, side)
            assert good.check().valid
            assert not dataclasses.replace(good, claim={"s": 2, "bound": beyond}).check().valid
            assert not dataclasses.replace(good, claim={"s": 3, "bound": good.claim["bound"]}).check().valid


def test_certificates_survive_a_file(tmp_path):
    certificate = dual_bound(np.arange(12.0).reshape(4, 3) % 5, 2)
    certificate.save(tmp_path / "one.json")
    again = Certificate.load(tmp_path / "one.json")
    assert again == certificate
    assert again.bound == certificate.bound >= float(Fraction(certificate.claim["bound"]))
    low = dual_bound(relu(0), 2, "smallest")
    assert Fraction(low.bound) <= Fraction(low.claim["bound"])


def test_arguments_on_any_device(backend):
    A = relu(4, n=20, d=3, p=2)
    for prove in (dual_bound, enumeration_bound, witness_bound):
        assert prove(backend.put(A), 2).claim == prove(A, 2).claim
    assert dual_bound(backend.put(A), 2, U=backend.put(-A.T @ A)).claim == dual_bound(A, 2, U=-A.T @ A).claim
    assert isometry_certificate(backend.put(A), 2, "kappa", "<", 100).check().valid
    found = restricted_eigenvalues(backend.put(A), 2, "dual")
    assert found.largest.upper == dual_bound(A, 2).bound


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        ((3.5, 1), {}, "A has shape"),
        ((np.eye(3), 0), {}, "sparsity=0"),
        ((np.eye(3), 4), {}, "sparsity=4"),
        ((np.eye(3), 1, "both"), {}, "side='both'"),
        ((np.eye(3), 1), {"solver": "MOSEK"}, "solver='MOSEK'"),
        ((np.eye(2), 1), {"U": [[0.0, 1.0], [0.5, 0.0]]}, r"U is not symmetric: 1.0 at \(0, 1\)"),
        ((np.eye(2), 1), {"U": [[np.nan, 0.0], [0.0, 0.0]]}, "U has 1 element"),
        ((np.eye(2), 1), {"U": np.eye(3)}, r"U has shape \(3, 3\)"),
        ((np.eye(2), 1), {"U": 1e300 * np.eye(2)}, "expected them below"),
        ((1e200 * np.eye(2), 1), {}, "overflow"),
        ((np.eye(2), 1), {"max_iter": -1}, "max_iter=-1"),
    ],
)
def test_bad_input_to_the_dual_bound_is_refused(arguments, options, match):
    with pytest.raises((TypeError, ValueError), match=match):
        dual_bound(*arguments, **options)
