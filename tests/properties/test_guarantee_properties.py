"""Guarantees as users test them: on the strategy of instances, with the assertion."""

import math

import numpy as np
import pytest
import toy_guarantees as toy
from hypothesis import find, given, settings
from hypothesis import strategies as st

from recovery import Instance
from recovery.guarantees import shrink, steer
from recovery.testing import assert_guarantee, instances

TRUE = toy.projection_bound(math.sqrt(2.0))
FALSE = toy.projection_bound(1.0)


@given(instances(sparsity=(1, 3)), st.floats(1e-6, 0.3))
def test_a_true_guarantee_is_never_contradicted(instance, margin):
    judgement = assert_guarantee(TRUE, steer(TRUE, instance, margin))
    assert not judgement.violated


def test_a_false_one_is_and_the_example_is_small():
    found = find(
        instances(rows=(1, 4), columns=(2, 3), sparsity=(1, 2), seeded=False).map(lambda one: steer(FALSE, one, 0.001)),
        lambda one: FALSE.judge(one).violated,
        settings=settings(max_examples=300, database=None, deadline=None, derandomize=True),
    )
    assert np.count_nonzero(found.matrix) <= 4
    assert found.sparsity == 1
    with pytest.raises(AssertionError, match=r"projection-bound-1 \(implication\) is contradicted") as caught:
        assert_guarantee(FALSE, found)
    assert "instance = Instance.planted(" in str(caught.value)
    assert shrink(FALSE, found).shape == (2, 2)


@given(instances(rows=(1, 3), columns=(2, 5), sparsity=(0, 2), tall=False, start=True))
def test_the_strategy_keeps_its_ranges(instance):
    n, d = instance.shape
    assert 1 <= n <= 3
    assert 2 <= d <= 5
    assert instance.sparsity <= 2
    assert instance.x0 is not None
    np.testing.assert_allclose(instance.y, instance.matrix @ instance.x + instance.noise, rtol=1e-12)


@given(instances())
def test_tall_is_tall(instance):
    assert instance.shape[0] >= instance.shape[1]


def test_one_draw_does_not_contradict_a_probability():
    guarantee = toy.tail_bound(0.1, 1.0)
    drawn = guarantee.sampler(np.random.default_rng(0))
    assert assert_guarantee(guarantee, drawn.replace(noise=np.full(drawn.shape[0], 9.0))).violated


def test_what_is_unknown_passes():
    assert assert_guarantee(TRUE, Instance(np.eye(2), np.ones(2), 1)).check.status == "unknown"
