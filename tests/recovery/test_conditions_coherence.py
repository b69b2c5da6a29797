"""Coherence and the Babel function against plain loops, and the intervals that conditions return."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recovery
from recovery.conditions import Interval, babel_function, mutual_coherence

BAD = [
    (np.array([[1.0, np.nan], [0.0, 1.0]]), "NaN"),
    (np.zeros((0, 3)), "empty"),
    (np.ones(3), "dimension"),
    (np.array([[1.0, 0.0], [2.0, 0.0]]), "1 zero column"),
]


def plain_babel(A, s):
    """The definition, over all sets."""
    A = A / np.linalg.norm(A, axis=0)
    columns = range(A.shape[1])
    return max(
        sum(abs(A[:, i] @ A[:, j]) for i in chosen)
        for chosen in combinations(columns, s)
        for j in columns
        if j not in chosen
    )


@pytest.mark.parametrize("shape", [(5, 7), (9, 4)])
def test_babel_is_its_definition(backend, shape):
    A = np.random.default_rng(0).standard_normal(shape) * np.arange(1.0, shape[1] + 1)
    for s in range(shape[1]):
        assert babel_function(backend.put(A), s) == pytest.approx(plain_babel(A, s), abs=1e-14)
    assert mutual_coherence(backend.put(A)) == pytest.approx(plain_babel(A, 1), abs=1e-14)


def test_coherence_of_columns_that_are_known():
    assert mutual_coherence(np.eye(3)) == 0.0
    assert mutual_coherence(np.array([[1.0, 2.0], [1.0, 2.0]])) == pytest.approx(1.0, abs=1e-15)
    assert mutual_coherence(np.ones((4, 1))) == 0.0
    simplex = np.array([[1.0, -0.5, -0.5], [0.0, 0.75**0.5, -(0.75**0.5)]])
    assert mutual_coherence(simplex) == pytest.approx(0.5, abs=1e-15)
    assert babel_function(simplex, 2) == pytest.approx(1.0, abs=1e-15)


def test_operators_and_tiny_columns_will_do():
    rng = np.random.default_rng(1)
    A = recovery.GatedOperator.from_generators(rng.standard_normal((40, 3)), rng.standard_normal((3, 5)))
    columns = A.columns(np.arange(15))
    assert mutual_coherence(A) == mutual_coherence(columns)
    assert mutual_coherence(columns * 1e-200) == pytest.approx(mutual_coherence(columns), rel=1e-14)
    assert mutual_coherence(columns.astype("float32")) == pytest.approx(mutual_coherence(columns), rel=1e-6)


@pytest.mark.parametrize(("A", "words"), BAD)
def test_bad_matrices_are_refused(A, words):
    for function in (mutual_coherence, lambda A: babel_function(A, 1)):
        with pytest.raises((TypeError, ValueError), match=words):
            function(A)


def test_bad_sizes_are_refused():
    for s in (-1, 3, 1.0):
        with pytest.raises((TypeError, ValueError), match="sparsity="):
            babel_function(np.eye(3), s)


BOUNDS = st.floats(-10, 10)


@given(BOUNDS, BOUNDS, BOUNDS, BOUNDS, BOUNDS)
def test_intersection_holds_what_both_hold(a, b, c, d, value):
    first, second = Interval(min(a, b), max(a, b), True), Interval(min(c, d), max(c, d), upper_certified=True)
    if max(first.lower, second.lower) > min(first.upper, second.upper):
        with pytest.raises(ValueError, match="disjoint"):
            first & second
        return
    both = first & second
    assert (value in both) == (value in first and value in second)
    assert both.lower_certified == (first.lower == both.lower)
    assert both.upper_certified == (second.upper == both.upper)


def test_intervals():
    interval = Interval(1.0, 2.0, witness="here")
    assert interval.width == 1.0
    assert interval.below(2.5) is True
    assert interval.below(2.0) is None
    assert interval.below(1.0) is False
    assert (interval & Interval(0.0, math.inf)).witness == "here"
    assert (Interval(0.0, 3.0) & interval).witness == "here"
    assert Interval(math.inf, math.inf).width == 0.0
    for bounds in ((2.0, 1.0), (math.nan, 1.0), (0.0, math.nan)):
        with pytest.raises(ValueError, match=r"lower=|upper="):
            Interval(*bounds)
