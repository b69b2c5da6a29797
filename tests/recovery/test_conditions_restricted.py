"""Restricted eigenvalues against plain loops, and what follows from them."""

import math
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recovery
from recovery.conditions import Interval, RestrictedEigenvalues, mutual_coherence, restricted_eigenvalues
from recovery.exact.enumeration import supports
from recovery.testing import operators


def plain(A, s):
    """The extreme squared singular values over all supports of at most s columns, from A itself."""
    values = [
        (
            np.linalg.svd(A[:, chosen], compute_uv=False)[-1] ** 2 if t <= A.shape[0] else 0.0,
            np.linalg.norm(A[:, chosen], 2) ** 2,
        )
        for t in range(1, s + 1)
        for chosen in map(list, combinations(range(A.shape[1]), t))
    ]
    return min(low for low, _ in values), max(high for _, high in values)


def columns_of(operator):
    return np.asarray(operator.columns(np.arange(operator.shape[1])), dtype=float)


@pytest.mark.parametrize(("n", "size"), [(12, 7), (4, 8)])
def test_enumeration_is_a_plain_loop(backend, n, size):
    A = np.random.default_rng(n).standard_normal((n, size))
    for s in range(1, size + 1):
        low, high = plain(A, s)
        found = restricted_eigenvalues(backend.put(A), s)
        assert low in found.smallest
        assert high in found.largest
        rounding = (n + 8 * s) * 2.3e-16 * np.sort((A**2).sum(axis=0))[-s:].sum()
        assert max(found.smallest.width, found.largest.width) <= 2 * rounding
        at = found.largest.witness
        assert np.linalg.norm(A[:, at], 2) ** 2 == pytest.approx(high, rel=1e-12)
        if s <= n:
            at = found.smallest.witness
            assert at.shape == (s,)
            assert np.linalg.svd(A[:, at], compute_uv=False)[-1] ** 2 == pytest.approx(low, abs=1e-12)


@given(operators(rows=(1, 8)), st.integers(1, 3))
def test_every_method_encloses_the_truth(operator, s):
    A = columns_of(operator)
    if A.shape[1] > 12:
        A = A[:, :12]
    s = min(s, A.shape[1])
    low, high = plain(A, s)
    tiny = 1e-13 * (1.0 + high)  # rounding of the plain loop
    both = None
    for options in ({"method": "enumerate"}, {"method": "coherence"}, {"method": "enumerate", "limit": 0}):
        found = restricted_eigenvalues(A, s, **options)
        assert found.smallest.lower - tiny <= low <= found.smallest.upper + tiny
        assert found.largest.lower - tiny <= high <= found.largest.upper + tiny
        both = found if both is None else both & found
    assert both.smallest.width <= restricted_eigenvalues(A, s).smallest.width


def test_unit_columns_at_two_are_the_coherence():
    A = np.random.default_rng(0).standard_normal((30, 40))
    A /= np.linalg.norm(A, axis=0)
    mu = mutual_coherence(A)
    for method in ("enumerate", "coherence"):
        found = restricted_eigenvalues(A, 2, method)
        assert found.restricted_isometry.lower == pytest.approx(mu, abs=1e-12)
        assert found.restricted_isometry.upper == pytest.approx(mu, abs=1e-12)
        assert mu in found.scaled_restricted_isometry
        np.testing.assert_array_equal(found.smallest.witness, found.largest.witness)
    assert restricted_eigenvalues(A, 4, "coherence").largest.upper <= 1 + 3 * mu


def test_a_matrix_that_is_known():
    found = restricted_eigenvalues(np.diag([1.0, 2.0, 3.0]), 2)
    for interval, value in (
        (found.smallest, 1.0),
        (found.largest, 9.0),
        (found.kappa, 9.0),
        (found.restricted_isometry, 8.0),
    ):
        assert value in interval
        assert interval.width < 1e-11
    assert 0.8 in found.scaled_restricted_isometry
    assert found.message == "3 supports were enumerated"
    # scaling moves delta_raw alone
    scaled = restricted_eigenvalues(np.diag([1.0, 2.0, 3.0]) / 5**0.5, 2)
    assert 0.8 in scaled.restricted_isometry
    assert 0.8 in scaled.scaled_restricted_isometry


def test_more_columns_than_rows_are_dependent_and_that_is_proved():
    A = np.random.default_rng(1).standard_normal((3, 6))
    found = restricted_eigenvalues(A, 4)
    assert (found.smallest.lower, found.smallest.upper) == (0.0, 0.0)
    assert found.smallest.lower_certified
    assert found.smallest.upper_certified
    assert found.kappa.lower == found.kappa.upper == math.inf
    assert 1.0 in found.scaled_restricted_isometry
    assert not found.largest.upper_certified
    regular = restricted_eigenvalues(A, 2)
    assert not (regular.smallest.lower_certified)
    assert not (regular.smallest.upper_certified)
    assert not (regular.kappa.upper_certified)


def test_beyond_the_limit_it_says_so_and_still_bounds():
    A = np.random.default_rng(2).standard_normal((300, 200))
    found = restricted_eigenvalues(A, 6)
    assert "82408626300 supports exceed limit=2000000" in found.message
    spectrum = np.linalg.eigvalsh(A.T @ A)
    discs = restricted_eigenvalues(A, 6, "coherence")
    assert found.smallest.lower == discs.smallest.lower > spectrum[0]
    assert found.largest.upper == discs.largest.upper < spectrum[-1]
    assert found.smallest.width > 1.0
    half = restricted_eigenvalues(A, 100)
    assert half.smallest.lower == pytest.approx(spectrum[0], rel=1e-8)
    assert half.largest.upper == pytest.approx(spectrum[-1], rel=1e-8)
    assert found.scaled_restricted_isometry.below(0.01) is False
    assert found.scaled_restricted_isometry.below(0.5) is None


def test_intersections():
    A = np.random.default_rng(3).standard_normal((40, 8)) / 40**0.5
    enumerated, bounded = restricted_eigenvalues(A, 3), restricted_eigenvalues(A, 3, "coherence")
    both = enumerated & bounded
    assert (both.smallest.lower, both.largest.upper) == (enumerated.smallest.lower, enumerated.largest.upper)
    assert both.message == "56 supports were enumerated; bounds from Gershgorin discs and from pairs of columns"
    with pytest.raises(ValueError, match="s=3 and s=2"):
        enumerated & restricted_eigenvalues(A, 2)
    proved = RestrictedEigenvalues(3, Interval(0.1, 0.5, True, True), Interval(1.5, 2.0, True, True))
    assert proved.kappa.upper_certified
    assert proved.kappa.upper == pytest.approx(20.0)
    assert proved.kappa.lower == pytest.approx(3.0)
    assert proved.scaled_restricted_isometry.lower == pytest.approx(0.5)
    assert proved.scaled_restricted_isometry.upper == pytest.approx(1.9 / 2.1)
    assert proved.restricted_isometry.lower == pytest.approx(0.5)
    assert proved.restricted_isometry.upper == pytest.approx(1.0)


def test_operators_and_zero_columns():
    rng = np.random.default_rng(4)
    gated = recovery.GatedOperator.from_generators(rng.standard_normal((30, 2)), rng.standard_normal((2, 4)))
    low, high = plain(columns_of(gated), 3)
    found = restricted_eigenvalues(gated, 3)
    assert low in found.smallest
    assert high in found.largest
    zero = restricted_eigenvalues(np.zeros((3, 4)), 2)
    assert (zero.largest.upper, zero.smallest.upper) == (0.0, 0.0)
    assert zero.kappa.upper == math.inf
    assert 1.0 in zero.restricted_isometry


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0,), "sparsity=0"),
        ((4,), "sparsity=4"),
        ((1.0,), "integer"),
        ((2, "guess"), "method='guess' is not known; expected one of 'enumerate', 'coherence'"),
    ],
)
def test_bad_input_is_refused(arguments, words):
    with pytest.raises((TypeError, ValueError), match=words):
        restricted_eigenvalues(np.eye(3), *arguments)


def test_overflow_and_underflow_are_refused():
    with pytest.raises(ValueError, match="overflow"):
        restricted_eigenvalues(np.eye(3) * 1e200, 2)
    with pytest.raises(ValueError, match="underflow"):  # not a condition number of infinity
        restricted_eigenvalues(np.eye(3) * 1e-170, 2)
    assert restricted_eigenvalues(np.zeros((3, 3)), 2).largest.lower == 0.0


def test_supports_come_in_order_and_in_blocks():
    blocks = list(supports(7, 3, 10))
    assert [len(block) for block in blocks] == [10, 10, 10, 5]
    np.testing.assert_array_equal(np.concatenate(blocks), list(combinations(range(7), 3)))
    tracemalloc.start()
    total = sum(block.shape[0] for block in supports(60, 4, 1000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == math.comb(60, 4)
    assert peak < 2**20
