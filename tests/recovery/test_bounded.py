"""Error bounds on computed numbers, against fractions: the true number is always within the bound."""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

from recovery.exact import bounded as b
from recovery.guarantees import Bounded, constant, exceeds, vanishes

EPS = np.finfo(np.float64).eps


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def fractions(A):
    return [[Fraction(float(a)) for a in row] for row in np.atleast_2d(A)]


def exact_product(A, B):
    A, B = fractions(A), fractions(B)
    return [[sum((x * B[i][j] for i, x in enumerate(row)), Fraction(0)) for j in range(len(B[0]))] for row in A]


def within(found, exact):
    """Whether each true number is within its error, and the errors are of the size of rounding."""
    for value, error, true in zip(np.ravel(found.value), np.ravel(found.error), exact, strict=True):
        if math.isfinite(error):
            assert abs(Fraction(float(value)) - true) <= Fraction(float(error)), (value, error, float(true))


def draw(rng, n, k, spread):
    return rng.standard_normal((n, k)) * 10.0 ** rng.uniform(-spread, spread, (n, k))


def exact_least_squares(A, y):
    """Solve the normal equations in fractions."""
    A, y = fractions(A), [Fraction(float(v)) for v in y]
    k = len(A[0])
    rows = [
        [sum(r[i] * r[j] for r in A) for j in range(k)] + [sum(r[i] * v for r, v in zip(A, y, strict=True))]
        for i in range(k)
    ]
    for i in range(k):
        pivot = next((r for r in range(i, k) if rows[r][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for r in range(k):
            if r != i:
                rows[r] = [u - rows[r][i] * v for u, v in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("spread", [0, 3, 80, 150])
def test_products_and_sums_are_as_near_as_their_errors_say(rng, spread):
    for _ in range(20):
        n, k, m = rng.integers(1, 9, 3)
        A, B = draw(rng, n, k, spread), draw(rng, k, m, spread)
        product = b.matmul(A, B)
        within(product, [v for row in exact_product(A, B) for v in row])
        within(b.total(A, axis=0), [sum(row[j] for row in fractions(A)) for j in range(k)])
        again = b.matmul(product, np.ones((m, 1)))
        within(again, [sum(row) for row in exact_product(A, B)])


def test_arithmetic_is_as_near_as_its_errors_say(rng):
    for _ in range(300):
        x, y = (Fraction(float(v)) / Fraction(float(w)) for v, w in draw(rng, 2, 2, 5))
        a, c = (Bounded(float(v), abs(Fraction(float(v)) - v)) for v in (x, y))
        for found, true in (
            (a + c, x + y),
            (a - c, x - y),
            (a * c, x * y),
            (a / c, x / y),
            (2 * a, 2 * x),
            (0.1 * a, x / 10),
            (1 - a, 1 - x),
            (3 / a, 3 / x),
            (-abs(a), -abs(x)),
        ):
            within(found, [true])
            assert found.error <= 100 * EPS * (abs(found.value) + abs(a.value) + abs(c.value))
        root = abs(a).sqrt()
        assert Fraction(root.lower) ** 2 <= abs(x) <= Fraction(root.upper) ** 2


def test_cancellation_shows_in_the_error():
    third = constant(1.0) / 3
    zero = 1 - third * 3
    assert zero.value == 0.0 < zero.error < 1e-14
    assert exceeds(zero, 0, "").status == exceeds(0, zero, "").status == "unknown"


def test_integers_stay_exact():
    A = np.array([[3.0, 4.0], [1.0, 2.0]])
    assert not b.matmul(A, A).error.any()
    large = np.array([[2.0**40, 1.0]])
    assert b.matmul(large, large.T).error.all()


@pytest.mark.parametrize("scale", [1.0, 1e150, 1e-150, 1e-200])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_least_squares_are_as_near_as_their_errors_say(rng, scale, noise):
    for case in range(25):
        n, k = int(rng.integers(3, 9)), int(rng.integers(1, 4))
        A = draw(rng, n, k, 2 * (case % 3))
        if case % 5 == 0 and k > 1:
            A[:, 1] = A[:, 0] + 10.0 ** -rng.uniform(3, 13) * rng.standard_normal(n)
        y = A @ rng.standard_normal(k) + noise * rng.standard_normal(n)
        A, y = scale * A, y * 2.0 ** int(rng.integers(-30, 30))
        if not np.all(np.isfinite(y)):
            continue
        found = b.least_squares(A, y)
        true = exact_least_squares(A, y)
        if true is None:
            assert not found.independent
            continue
        within(found.weights, true)
        rest = [
            Fraction(float(v)) - sum(x * w for x, w in zip(row, true, strict=True))
            for v, row in zip(y, fractions(A), strict=True)
        ]
        within(found.residual, rest)
        if found.independent:
            square = sum(r * r for r in rest)
            assert Fraction(float(max(found.residual_norm.lower, 0.0))) ** 2 <= square
            assert square <= Fraction(float(found.residual_norm.upper)) ** 2


def test_errors_of_least_squares_are_of_the_size_of_rounding(rng):
    A = rng.standard_normal((40, 5))
    found = b.least_squares(A, A @ np.arange(1.0, 6.0))
    assert np.all(found.weights.error < 1e-13)
    assert found.residual_norm.upper < 1e-12
    twin = b.least_squares(A[:, [0, 1, 1]], A[:, 0])
    assert not twin.independent
    assert np.all(np.isinf(twin.weights.error))
    empty = b.least_squares(A[:, :0], A[:, 0])
    assert empty.independent
    assert not empty.residual.error.any()


@pytest.mark.parametrize("scale", [1.0, 1e160, 1e-160])
def test_norms_keep_in_range(rng, scale):
    A = draw(rng, 7, 4, 2) * scale
    for axis, parts in ((0, A.T), (1, A), (None, [A.ravel()])):
        found = b.norm(A, axis)
        for value, error, part in zip(np.ravel(found.value), np.ravel(found.error), parts, strict=True):
            square = sum(Fraction(float(v)) ** 2 for v in part)
            low, high = Fraction(float(value)) - Fraction(float(error)), Fraction(float(value)) + Fraction(float(error))
            assert low**2 <= square <= high**2
            assert error <= 1e-14 * value


@pytest.mark.parametrize("scale", [1.0, 2.0**500, 2.0**-500])
def test_spectra_of_matrices_that_are_known(rng, scale):
    hadamard = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) * scale
    sizes = np.array([8.0, 4.0, 2.0, 1.0])
    found = b.singular_values(hadamard * sizes)
    assert np.all(np.abs(found.value - 2.0 * sizes * scale) <= found.error)
    assert np.all(found.error <= 2e-12 * scale)
    unit = hadamard / (2.0 * scale)
    gram = unit @ np.diag([1.0, 2.0, 3.0, 4.0]) @ unit.T
    found = b.eigenvalues(gram)
    assert np.all(np.abs(found.value - [1.0, 2.0, 3.0, 4.0]) <= found.error)
    cosines = b.cosines(hadamard * sizes)
    assert not np.any(cosines.value > cosines.error)


def test_what_leaves_the_range_is_unknown():
    big = Bounded(1e200, 0.0)
    for found in (big * big, big * big - big * big, big / Bounded(1e-200, 0.0), 1 / Bounded(1.0, 2.0)):
        assert math.isinf(found.error)
        assert exceeds(found, 1, "").status == exceeds(1, found, "").status == "unknown"
    small = Bounded(1e-200, 0.0)
    assert (small * small).value == 0.0 < (small * small).error
    assert exceeds(small * small, 0, "").status == "unknown"
    assert exceeds(math.inf, 1.0, "", left_error=0.0, right_error=0.0).margin == math.inf


def test_smallest_and_largest_know_their_errors():
    found = Bounded(np.array([1.0, 2.0, 1.5]), np.array([0.1, 3.0, 0.0]))
    assert found.max().value == 2.0
    assert found.max().upper >= 5.0
    assert found.max().lower <= 1.5
    assert found.min().lower <= -1.0
    assert Bounded(np.array([1.0, 2.0]), np.array([0.1, 3.0])).min().lower <= -1.0
    assert found[[0, 2]].min().upper <= 1.1000001
    nothing = Bounded(np.zeros(0), 0.0)
    assert nothing.min().value == math.inf
    assert nothing.max(0.0).value == nothing.max(0.0).error == 0.0
    assert b.maximum(1, Bounded(2.0, 0.5)).upper >= 2.5
    assert b.minimum(1, Bounded(2.0, 0.5)).value == 1.0


def test_numbers_are_not_compared_behind_its_back():
    one, two = Bounded(1.0, 0.0), Bounded(2.0, 0.0)
    for wrong in (lambda: one < two, lambda: one >= 2.0, lambda: one == 1.0, lambda: bool(one), lambda: max(one, two)):
        with pytest.raises(TypeError, match="exceeds"):
            wrong()
    with pytest.raises(TypeError):
        float(one)


def test_the_comparison_knows_both_errors():
    assert exceeds(Bounded(2.0, 0.4), Bounded(1.0, 0.5), "").status == "holds"
    assert exceeds(Bounded(2.0, 0.6), Bounded(1.0, 0.5), "").status == "unknown"
    assert exceeds(Bounded(1.0, 0.5), Bounded(2.0, 0.4), "").status == "fails"
    assert exceeds(Bounded(7.95e-17, 1e-16), 0, "").status == "unknown"
    assert exceeds(7.95e-17, 0.0, "").status == "unknown"
    assert exceeds(7.95e-17, 0.0, "", left_error=1e-16, right_error=0.0).status == "unknown"
    assert exceeds(1.0, 0.0, "", left_error=1e-16, right_error=0.0).margin == math.inf
    assert math.isfinite(exceeds(1.0, 0.0, "", left_error=1e-16, right_error=1e-16).margin)
    assert exceeds(Fraction(1, 3), Fraction(1, 4), "").status == "holds"
    assert exceeds(3, 3, "").status == exceeds(0, 0, "").status == "fails"
    assert exceeds(constant(1 / 3), Fraction(1, 3), "").status == "unknown"
    assert exceeds(10**300, 10**300 - 1, "").status == "holds"
    assert exceeds(10**400, constant(1.0), "").status == "unknown"
    with pytest.raises(TypeError, match="the error of the left side is not stated"):
        exceeds(1.0, Bounded(0.5, 0.0), "")
    with pytest.raises(TypeError, match="right_error=None"):
        exceeds(1, Bounded(0.5, 0.0), "", right_error=0.1)
    with pytest.raises(ValueError, match="left_error"):
        exceeds(1.0, 2.0, "", left_error=-1.0)


def test_zero_is_only_what_is_exactly_zero():
    assert vanishes(0, "").status == "holds"
    assert vanishes(Bounded(np.zeros(3), 0.0), "").status == "holds"
    assert vanishes(Bounded(1e-20, 1e-16), "").status == "unknown"
    assert vanishes(Bounded(np.array([0.0, 1e-3]), 1e-16), "").status == "fails"


def test_numbers_can_be_copied_and_pickled():
    for one in (Bounded(1.0, 0.5), Bounded(np.ones(2), np.zeros(2))):
        for other in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
            assert np.array_equal(other.value, one.value)
            assert np.array_equal(other.error, one.error)
