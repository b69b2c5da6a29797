"""The oracle of the campaign against certificates, itself against plain fractions and known answers."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from exact_oracle import Blocks, integer_columns, minimal_null_vectors, null_space_constant, recovers


def plain_elementary(M):
    """Elementary symmetric functions of the eigenvalues: sums of principal minors, by cofactors."""

    def determinant(rows):
        if not rows:
            return Fraction(1)
        return sum(
            (-1) ** j * value * determinant([row[:j] + row[j + 1 :] for row in rows[1:]])
            for j, value in enumerate(rows[0])
        )

    size = len(M)
    return [
        sum(determinant([[M[i][j] for j in chosen] for i in chosen]) for chosen in combinations(range(size), k))
        for k in range(1, size + 1)
    ]


def shifted(A, side, t, support):
    columns = [[Fraction(value) for value in A[:, i].tolist()] for i in support]
    sign = 1 if side == "largest" else -1
    return [
        [sign * ((t if a == b else 0) - sum(p * q for p, q in zip(x, y, strict=True))) for b, y in enumerate(columns)]
        for a, x in enumerate(columns)
    ]


@pytest.mark.parametrize("scale", [1.0, 2.0**40, 2.0**-40, 5e-324, 1e120])
def test_elementary_symmetric_functions_are_sums_of_minors(scale):
    rng = np.random.default_rng(0)
    for _ in range(4):
        A = np.rint(rng.integers(-9, 10, (3, 5))) * scale * np.array([1.0, 1.0, 4.0, 1.0, 8.0])
        blocks = Blocks(A, 3)
        for t in (Fraction(3, 7) * Fraction(scale) ** 2, Fraction(0), Fraction(40) * Fraction(scale) ** 2):
            for side in ("largest", "smallest"):
                exact = plain_elementary(shifted(A, side, t, (0, 2, 4)))
                found = blocks.elementary(side, t, [0, 2, 4])
                # a common positive factor f multiplies the k-th by f**k
                ratios = {a / b for a, b in zip(found[:1], exact[:1], strict=True) if b} or {Fraction(1)}
                factor = ratios.pop()
                assert factor > 0
                if exact[0]:
                    assert found == [value * factor ** (k + 1) for k, value in enumerate(exact)]


def test_integer_columns_are_the_columns():
    A = np.array([[1.5, 5e-324, 0.0], [-3.0, 1.0, 0.0], [0.1, 2.0**70, -0.0]])
    for (whole, power), column in zip(integer_columns(A), A.T.tolist(), strict=True):
        assert [Fraction(value) * Fraction(2) ** power for value in whole] == [Fraction(value) for value in column]


def test_bounds_are_crossed_by_a_hair_and_not_at_equality():
    A = np.repeat(np.eye(4), 2, axis=1)  # L_2 = 2 and m_2 = 0; of three columns, the same
    hair = Fraction(1, 10**40)
    for s in (2, 3):
        blocks = Blocks(A, s)
        assert blocks.crossed("largest", 2) is None
        support = blocks.crossed("largest", 2 - hair)
        assert np.linalg.eigvalsh(A[:, support].T @ A[:, support])[-1] == pytest.approx(2)
        assert blocks.crossed("smallest", 0) is None
        assert blocks.crossed("smallest", hair) is not None
        assert blocks.exact_checks > 0
    simplex = Blocks(np.eye(4) + 1.0, 2)  # inner products 7 and 6
    assert simplex.crossed("smallest", 1) is None
    assert simplex.crossed("smallest", 1 + hair) is not None
    assert simplex.reached("largest", 13, (0, 1))
    assert not simplex.reached("largest", 13 + hair, (0, 1))
    assert simplex.reached("smallest", 1, (0, 1))
    assert not simplex.reached("smallest", 1 - hair, (0, 1))


def test_floats_decide_as_exact_arithmetic_does():
    rng, undecided = np.random.default_rng(1), 0
    for number in range(60):
        A = rng.standard_normal((4, 6)) * 10.0 ** rng.uniform(-100, 100, 6)
        A[:, 5] = A[:, 0] * (1 + 1e-15 * (number % 3))
        blocks = Blocks(A, 3)
        low, high, scale = blocks.values()
        for side, value in (("largest", high), ("smallest", low)):
            t = Fraction(value) * scale * Fraction(float(1 + 10.0 ** rng.uniform(-17, -1) * rng.choice([-1, 1])))
            truth = any(min(blocks.elementary(side, t, list(S))) < 0 for S in combinations(range(6), 3))
            before = blocks.exact_checks
            assert (blocks.crossed(side, t) is not None) == (truth and (side == "largest" or t > 0))
            undecided += blocks.exact_checks - before
    assert undecided > 20


def null_space_constants(A, orders):
    circuits = minimal_null_vectors(A)
    return [null_space_constant(circuits, s) for s in orders]


def test_uniqueness_in_l1_of_known_matrices():
    circuits = minimal_null_vectors(np.array([[1.0, 0.0, 0.75], [0.0, 1.0, 0.5]]))  # z = (3/4, 1/2, -1)
    assert len(circuits) == 1
    assert recovers(circuits, [0], [1])  # 1/2 + 1 > 3/4
    assert recovers(circuits, [2], [1])  # 3/4 + 1/2 > 1
    assert not recovers(circuits, [0, 1], [1, 1])  # 1 < 3/4 + 1/2
    assert recovers(circuits, [0, 1], [1, -1])  # 1 > 3/4 - 1/2
    assert not recovers(circuits, [0, 1, 2], [1, 1, 1])  # dependent columns
    assert recovers(circuits, [], [])
    tie = minimal_null_vectors(np.array([[1.0, 1.0]]))
    assert not recovers(tie, [0], [1])


def test_null_space_constants_of_known_matrices():
    assert null_space_constants(np.array([[1.0, 1.0]]), (1, 2)) == [Fraction(1, 2), 1]
    assert null_space_constants(np.array([[1.0, 2.0, 0.0]]), (1,)) == [1]  # a column of zeros
    assert null_space_constants(np.eye(3), (1, 2)) == [0, 0]
    assert null_space_constants(np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]), (1, 2)) == [
        Fraction(1, 2),
        Fraction(3, 4),
    ]
    rng = np.random.default_rng(2)
    for _ in range(5):
        A = rng.integers(-3, 4, (3, 6)).astype(float)
        alpha = null_space_constants(A, (1, 2))
        null = np.linalg.svd(A)[2][np.linalg.matrix_rank(A) :]
        z = np.sort(np.abs(rng.standard_normal((2000, len(null))) @ null), axis=1)
        for s, exact in zip((1, 2), alpha, strict=True):
            assert (z[:, -s:].sum(axis=1) / z.sum(axis=1)).max() <= float(exact) + 1e-12
