"""Bounds on the spark: against a search over all sets in exact arithmetic."""

import itertools
import math

import numpy as np
import pytest

import recovery
from recovery.conditions import spark_bounds
from recovery.exact.rational import _eliminate, integer_matrix


def exactly(A):
    """The least number of dependent columns by the exact rank of every set."""
    for k in range(1, A.shape[1] + 1):
        for S in itertools.combinations(range(A.shape[1]), k):
            if len(_eliminate(integer_matrix(A[:, S])[0])[2]) < k:
                return float(k)
    return math.inf


CASES = {
    "gaussian": lambda rng: rng.standard_normal((4, 7)),
    "small integers": lambda rng: rng.integers(-1, 2, (4, 7)).astype(float),
    "low rank": lambda rng: (rng.integers(-2, 3, (5, 2)) @ rng.integers(-2, 3, (2, 6))).astype(float),
    "tall": lambda rng: rng.standard_normal((6, 5)),
    "ill-scaled": lambda rng: rng.integers(-2, 3, (4, 6)) * 10.0 ** rng.integers(-150, 150, 6),
    "nearly dependent": lambda rng: (
        np.hstack([rng.integers(-3, 4, (5, 4)), np.ones((5, 2))])
        + np.outer(np.arange(5) == 2, np.arange(6) == 5) * 2.0**-45
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_enumeration_finds_the_spark(case):
    for seed in range(3):
        A = CASES[case](np.random.default_rng(seed))
        truth = exactly(A)
        found = spark_bounds(A)
        assert found.lower == found.upper == truth
        assert found.lower_certified
        assert found.upper_certified
        if found.witness is None:
            assert truth == math.inf
        else:
            assert found.witness.size == truth
            assert exactly(A[:, found.witness]) == truth
        rough = spark_bounds(A, limit=0)
        assert rough.lower <= truth <= rough.upper
        if rough.witness is not None:
            assert exactly(A[:, rough.witness]) < math.inf


def test_coherence_bounds_from_below_without_enumeration():
    # unit vectors and the columns of a Hadamard matrix: mu = 1/2, so spark >= 3, and 1/mu_1 says the same
    H = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    A = np.hstack([np.eye(4), H])
    assert spark_bounds(A, limit=0).lower == 3.0
    # e1 + e2 = (h1 + h3): the four of them are dependent, and no three columns are
    found = spark_bounds(A)
    assert found.lower == found.upper == 4.0
    # 1 + 1 / mu, in general
    for seed in range(3):
        A = np.random.default_rng(seed).standard_normal((24, 26))
        mu = recovery.conditions.mutual_coherence(A)
        assert spark_bounds(A, limit=0).lower >= math.ceil(1 + 1 / mu) > 2


def test_two_complementary_pairs_of_gates_make_four_columns_dependent(backend):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    gates = X @ rng.standard_normal((3, 2)) >= 0
    A = recovery.GatedOperator(backend.put(X), backend.put(np.hstack([gates, ~gates])))
    found = spark_bounds(A)
    assert found.lower == found.upper == 4.0
    assert len({int(one) % 3 for one in found.witness}) == 1  # one input under all four gates


def test_simple_matrices():
    assert spark_bounds(np.eye(3)).lower == math.inf
    assert spark_bounds(np.array([[1.0, 0.0]])).upper == 1.0
    assert spark_bounds(np.zeros((2, 2))).witness.tolist() == [0]
    assert spark_bounds(np.array([[1.0, 3.0, 0.0], [2.0, 6.0, 1.0]])).witness.tolist() == [0, 1]
    assert spark_bounds(np.array([[2.0]])).lower == math.inf


def test_wrong_arguments_are_sentences():
    with pytest.raises(ValueError, match="limit=-1"):
        spark_bounds(np.eye(2), limit=-1)
    with pytest.raises(ValueError, match="dimension"):
        spark_bounds(np.ones(3))
