"""Exact semidefiniteness against characteristic polynomials and the other backend."""

from fractions import Fraction

import numpy as np
import pytest

from recovery.certificates import is_positive_semidefinite

BACKENDS = ["python", "flint"]


def by_polynomial(M):
    """All roots are >= 0 (and > 0) iff the coefficients alternate in sign; these by Faddeev and Leverrier."""
    M = [[Fraction(value) for value in row] for row in M]
    size = len(M)
    power, signed = [[Fraction(0)] * size for _ in M], [Fraction(1)]
    for k in range(1, size + 1):
        for i in range(size):
            power[i][i] += signed[-1] * (-1) ** (k - 1)
        power = [[sum(a * power[m][j] for m, a in enumerate(row)) for j in range(size)] for row in M]
        coefficient = -sum(power[i][i] for i in range(size)) / k
        signed.append((-1) ** k * coefficient)
    return all(c >= 0 for c in signed), all(c > 0 for c in signed)


def symmetric_cases():
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 4):
        for rank in range(size + 1):
            for _ in range(3):
                V = rng.integers(-3, 4, (rank, size))
                M = V.T @ V
                yield M
                bumped = M.copy()
                at = rng.integers(size)
                bumped[at, at] += rng.choice([-1, 1])
                yield bumped
        M = rng.integers(-2, 3, (size, size))
        yield M + M.T
    yield np.zeros((3, 3), dtype=int)
    yield np.array([[0, 1], [1, 5]])
    yield np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    yield np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1]])


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_is_the_truth(backend):
    if backend == "flint":
        pytest.importorskip("flint", reason="python-flint is not installed")
    seen = set()
    for M in symmetric_cases():
        truth = by_polynomial(M.tolist())
        found = tuple(is_positive_semidefinite(M, strict=strict, backend=backend) for strict in (False, True))
        assert found == truth
        # congruence by any diagonal, also one with denominators, changes nothing
        d = [Fraction(k + 1, 3) ** (-1) ** k * Fraction(2) ** (90 * k) for k in range(len(M))]
        scaled = [[d[i] * d[j] * int(value) for j, value in enumerate(row)] for i, row in enumerate(M)]
        assert is_positive_semidefinite(scaled, backend=backend) == truth[0]
        seen.add(truth)
    assert seen == {(True, True), (True, False), (False, False)}


def test_floats_are_the_numbers_they_stand_for():
    third = 1.0 / 3.0  # below 1/3: 3 * third < 1
    assert is_positive_semidefinite([[1, 1], [1, 1]])
    assert not is_positive_semidefinite([[Fraction(1, 3), 1], [1, 9 * Fraction(third)]])
    assert is_positive_semidefinite([[Fraction(1, 3), 1], [1, 3]])
    assert not is_positive_semidefinite([[Fraction(1, 3), 1], [1, 3]], strict=True)
    assert is_positive_semidefinite(np.array([[1e-300, 0.0], [0.0, 1e300]]), strict=True)


def test_the_backends_agree_on_long_numbers():
    pytest.importorskip("flint", reason="python-flint is not installed")
    rng = np.random.default_rng(1)
    for _ in range(3):
        V = rng.standard_normal((6, 7))
        M = V.T @ V  # singular but for rounding
        for shift in (0.0, 1e-15, -1e-15, 1e-3):
            shifted = M + shift * np.eye(7)
            a, b = (is_positive_semidefinite(shifted, backend=name) for name in ("flint", "python"))
            assert a == b
            assert a == by_polynomial(shifted.tolist())[0]
        assert is_positive_semidefinite(M + 1e-3 * np.eye(7), strict=True)


@pytest.mark.parametrize(
    ("M", "match"),
    [
        ([[1, 2], [3, 1]], "not symmetric at"),
        ([[1, 2]], "expected a square matrix"),
        ([[float("nan")]], "not a rational number"),
        ([[float("inf")]], "not a rational number"),
        (3, "is not a matrix"),
        ([], "is not a matrix"),
    ],
)
def test_what_is_no_matrix_is_refused(M, match):
    with pytest.raises((TypeError, ValueError), match=match):
        is_positive_semidefinite(M)
