"""Enclosures, and positive definiteness proved in floats, against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest

from recovery.certificates import (
    cholesky,
    is_positive_semidefinite,
    largest_eigenvalue_bound,
    proves_positive_definite,
    smallest_eigenvalue_bound,
)
from recovery.certificates.cholesky import enclose_gram, exact_gram, short_gram
from recovery.exact.intervals import UNIT, column_scaled, gamma, outward, sum_above


def rational(M):
    return [[Fraction(float(value)) for value in row] for row in M]


def plain_gram(A):
    columns = [list(column) for column in zip(*rational(A), strict=True)]
    return [[sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0)) for y in columns] for x in columns]


def matrices(rng):
    """Float matrices of many kinds: random, integer, ill-scaled, duplicated, subnormal, cancelling, zero."""
    yield rng.standard_normal((7, 5))
    yield rng.integers(-3, 4, (6, 6)).astype(float)
    yield rng.standard_normal((5, 6)) * 10.0 ** rng.uniform(-150, 150, 6)
    yield rng.standard_normal((6, 4)) * 10.0 ** rng.uniform(-150, 150, (6, 4))
    yield np.repeat(rng.standard_normal((4, 2)), 2, axis=1)
    yield rng.integers(-9, 10, (4, 3)) * 5e-324
    yield np.column_stack([[1e16, 1.0, -1e16], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    yield np.array([[rng.standard_normal()]])


def test_directed_roundings_are_on_their_side():
    rng = np.random.default_rng(0)
    values = [Fraction(1, 3), Fraction(-1, 3), Fraction(0), Fraction(1, 2), Fraction(10) ** 400, -(Fraction(10) ** 400)]
    values += [Fraction(int(p), int(q)) for p, q in rng.integers(1, 10**15, (50, 2))]
    values += [Fraction(1, 10**400), Fraction(-1, 10**400)]
    for value in values:
        low, high = outward(value, -math.inf), outward(value, math.inf)
        assert low <= high
        assert low == -math.inf or Fraction(low) <= value
        assert high == math.inf or Fraction(high) >= value
        if low == high:
            assert Fraction(low) == value
        else:
            assert math.nextafter(low, math.inf) == high
    for count in (1, 7, 1000, 2**40):
        exact = Fraction(count) * Fraction(UNIT) / (1 - count * Fraction(UNIT))
        assert exact <= Fraction(gamma(count)) <= exact * Fraction(102, 100)
    with pytest.raises(ValueError, match="expected between 0"):
        gamma(2**41)
    for _ in range(20):
        x = rng.uniform(0, 1, 1000) * 10.0 ** rng.uniform(-20, 0, 1000)
        assert Fraction(float(sum_above(x))) >= sum(map(Fraction, x.tolist()))


def test_the_gram_matrix_is_enclosed_and_its_exact_form_is_a_plain_loop():
    rng, moved = np.random.default_rng(1), 0
    for A in (A for _ in range(12) for A in matrices(rng)):
        B, exponents = column_scaled(A)
        assert np.all((np.abs(B).max(axis=0) < 1) & ((np.abs(B).max(axis=0) >= 0.5) | ~A.any(axis=0)))
        G, exact, gram = plain_gram(A), exact_gram(A), enclose_gram(A)
        size = A.shape[1]
        assert exact.block(range(size)) == G
        for i in range(size):
            for j in range(size):
                power = Fraction(2) ** int(exponents[i] + exponents[j])
                off = abs(G[i][j] - power * Fraction(float(gram.middle[i, j])))
                assert off <= power * Fraction(float(gram.radius[i, j]))
                moved += off > 0
    assert moved > 500  # there are rounding errors to enclose
    assert short_gram(np.array([[1.0, 0.5], [3.0, -2.0]])).entry(0, 1) == Fraction(-11, 2)
    assert short_gram(np.array([[0.1, 1.0]])) is None
    assert short_gram(np.array([[2.0**80, 1.0]])) is None


@pytest.mark.parametrize("side", ["largest", "smallest"])
def test_a_shifted_gram_matrix_is_enclosed(side):
    rng, formed = np.random.default_rng(2), 0
    sign = -1 if side == "largest" else 1
    for A in (A for _ in range(6) for A in matrices(rng)):
        G = plain_gram(A)
        size = len(G)
        top = float(max(outward(G[i][i], math.inf) for i in range(size)))
        U = rng.standard_normal((size, size)) * top * 0.1
        U = U + U.T
        tau = (10.0 if side == "largest" else -10.0) * top
        found = enclose_gram(A).shifted(side, U, tau)
        if found is None:
            continue
        formed += 1
        middle, radius = found
        assert np.all((middle.diagonal() >= 1 - 1e-9) & (middle.diagonal() < 4 + 1e-9))
        # the scaling is read off the diagonal: powers of two, the same for the exact matrix
        exact = [
            [sign * (G[i][j] + Fraction(float(U[i, j])) - (Fraction(tau) if i == j else 0)) for j in range(size)]
            for i in range(size)
        ]
        f = [
            round(math.log2(middle[i, i] / float(exact[i][i] / Fraction(top))) - math.log2(top)) // 2
            for i in range(size)
        ]
        for i in range(size):
            for j in range(size):
                scaled = exact[i][j] * Fraction(2) ** (f[i] + f[j])
                assert abs(scaled - Fraction(float(middle[i, j]))) <= Fraction(float(radius[i, j]))
    assert formed >= 30


def nearly_singular(rng):
    """A float matrix whose smallest eigenvalue is rounding, of either sign."""
    size = int(rng.integers(2, 7))
    V = rng.standard_normal((size - 1, size))
    return V.T @ V


def plain_cholesky(M):
    try:
        np.linalg.cholesky(M)
    except np.linalg.LinAlgError:
        return False
    return True


def test_what_plain_floats_take_for_definite_is_not_proved(monkeypatch):
    rng = np.random.default_rng(3)
    fooled = [M for M in (nearly_singular(rng) for _ in range(400)) if plain_cholesky(M)]
    fooled = [M for M in fooled if not is_positive_semidefinite(M)]
    assert len(fooled) >= 10
    assert not any(proves_positive_definite(M) for M in fooled)
    assert not any(proves_positive_definite(M * 2.0**-700) or proves_positive_definite(M * 2.0**700) for M in fooled)
    # without the error of the factorisation there would be false proofs: this test can fail
    monkeypatch.setattr(cholesky, "gamma", lambda count: 0.0)
    assert any(proves_positive_definite(M) for M in fooled)


def test_positive_definite_matrices_are_proved_unless_nearly_singular():
    rng = np.random.default_rng(4)
    for size in (1, 2, 5, 30):
        V = rng.standard_normal((2 * size, size))
        M = V.T @ V
        assert proves_positive_definite(M)
        d = 10.0 ** rng.uniform(-120, 120, size)
        assert proves_positive_definite(M * np.outer(d, d))  # scaling does not matter
        low = np.linalg.eigvalsh(M)[0]
        assert proves_positive_definite(M - (1 - 1e-9) * low * np.eye(size))
        assert not proves_positive_definite(M - (1 + 1e-9) * low * np.eye(size))
        # a radius as large as the smallest eigenvalue allows a singular matrix; what is proved is a little cruder
        assert proves_positive_definite(M, 0.05 * low / size)
        assert not proves_positive_definite(M, np.full((size, size), 1.01 * low))
        assert not proves_positive_definite(M, np.eye(size) * low)
    assert proves_positive_definite([[5e-324]])
    assert proves_positive_definite([[1e308]])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_prove_nothing(bad):
    for at in ((0, 0), (1, 1), (0, 1)):
        M = 2.0 * np.eye(3)
        M[at] = M[at[::-1]] = bad
        assert not proves_positive_definite(M)
    assert not proves_positive_definite(np.zeros((2, 2)))
    assert not proves_positive_definite(np.array([[1.0, 1e300], [1e300, 1.0]]))
    assert not proves_positive_definite(np.eye(2), math.inf)


@pytest.mark.parametrize(
    ("M", "radius", "match"),
    [
        (np.ones((2, 3)), 0.0, "expected a square matrix"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), 0.0, "not symmetric"),
        (np.eye(2), -1.0, "negative or NaN"),
        (np.eye(2), math.nan, "negative or NaN"),
    ],
)
def test_bad_matrices_are_refused(M, radius, match):
    with pytest.raises(ValueError, match=match):
        proves_positive_definite(M, radius)


def test_blocks_are_proved_as_one_by_one():
    rng = np.random.default_rng(5)
    A = rng.standard_normal((9, 8))
    gram = enclose_gram(A)
    chosen = np.array([[i, j, k] for i in range(8) for j in range(i + 1, 8) for k in range(j + 1, 8)])
    values = np.linalg.eigvalsh(gram.approximate[chosen[:, :, None], chosen[:, None, :]])[:, -1]
    bound = max(float(np.median(values)), 1.001 * gram.approximate.diagonal().max())
    middle, radius = gram.shifted("largest", None, bound)
    found = cholesky.blocks_proved(middle, radius, chosen)
    np.testing.assert_array_equal(found, values < bound)
    assert 0 < found.sum() < len(found)
    singly = [proves_positive_definite(middle[np.ix_(S, S)], radius[np.ix_(S, S)]) for S in chosen]
    np.testing.assert_array_equal(found, singly)
    # a radius counts in full: rows of `radius` may all err in one direction
    for wide in (0.02, 0.1, 0.5):
        proved = cholesky.blocks_proved(middle, radius + wide, chosen)
        singular = np.array([np.linalg.eigvalsh(middle[np.ix_(S, S)] - wide)[0] <= 0 for S in chosen])
        assert not (proved & singular).any()
        assert singular.any()
    assert not cholesky._succeeds(np.array([[math.inf]]))


def test_eigenvalue_bounds_are_true_and_near():
    rng = np.random.default_rng(6)
    cases = [rng.standard_normal((n, n)) for n in (1, 3, 8)] + [np.zeros((2, 2)), np.ones((3, 3)), 1e200 * np.eye(2)]
    cases += [rng.standard_normal((4, 4)) * 5e-324, -np.eye(2), nearly_singular(rng)]
    for M in cases:
        M = M + M.T
        size = len(M)
        high, low = largest_eigenvalue_bound(M), smallest_eigenvalue_bound(M)
        exact = rational(M)
        for t, sign in ((high, 1), (low, -1)):
            inside = [[sign * ((Fraction(t) if i == j else 0) - exact[i][j]) for j in range(size)] for i in range(size)]
            assert is_positive_semidefinite(inside)
        spectrum = np.linalg.eigvalsh(M)
        slack = 1e-13 * np.abs(M).max() + 1e-320
        assert high <= spectrum[-1] + slack
        assert low >= spectrum[0] - slack
    M = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert 3.02 <= largest_eigenvalue_bound(M, 0.01) <= 3.021
