"""Counter-examples become small, stay counter-examples, and can be pasted."""

import dataclasses
import itertools
import math
import time

import numpy as np
import pytest
import toy_guarantees as toy

from recovery import Instance, NoiseLaw
from recovery.guarantees import as_code, attack, contradicts, draw, shrink


def pasted(code):
    there = {}
    exec(code, there)
    return there["instance"]


def large_counter_example():
    """Six rows, five columns and three non-zeros, of which two columns are to blame."""
    rng = np.random.default_rng(0)
    A = np.eye(6, 5) + 0.01 * rng.standard_normal((6, 5))
    x = 1234.5678 * np.array([1.0, 0.0, 3.0, 0.0, 4.0])
    noise = 1234.5678 * (np.array([-0.52, 0.55, 0.0, 0.0, 0.0, 0.0]) + 0.001 * rng.standard_normal(6))
    return Instance.planted(A, x, noise, x0=rng.standard_normal(5), options={"design": "eye", "seed": 3})


def test_a_large_counter_example_becomes_a_small_one():
    guarantee = toy.projection_bound(1.2)
    start = large_counter_example()
    small = shrink(guarantee, start)
    assert contradicts(guarantee, small)
    assert small.shape == (2, 2)
    assert small.sparsity == np.count_nonzero(small.x) == 1
    assert small.x0 is None
    assert not small.options
    numbers = np.concatenate([small.matrix.ravel(), small.x, small.noise])
    assert max(len(repr(float(value))) for value in numbers) <= 6
    assert start.shape == (6, 5)


def test_the_code_makes_the_same_instance():
    guarantee = toy.projection_bound(1.2)
    back = pasted(as_code(shrink(guarantee, large_counter_example())))
    assert guarantee.judge(back).violated


def test_code_is_exact_for_every_part():
    law = NoiseLaw("student", 0.1)
    rng = np.random.default_rng(1)
    x = np.array([0.0, 1 / 3])
    options = {"tau": 0.1, "schedule": "one-shot"}
    full = Instance.planted(rng.random((3, 2)), x, law.draw(3, 1), law=law, x0=rng.random(2), options=options)
    bare = Instance(rng.random((2, 2)), rng.random(2), 1)
    for one in (full, bare):
        back = pasted(as_code(one))
        for name in ("matrix", "y", "x", "noise", "x0"):
            np.testing.assert_array_equal(getattr(back, name), getattr(one, name))
        assert (back.sparsity, back.law, dict(back.options)) == (one.sparsity, one.law, dict(one.options))


@pytest.mark.parametrize("guarantee", [toy.coherence_bound(0.5), toy.sign_rule(3)], ids=lambda one: one.name)
def test_what_the_attack_finds_can_be_shrunk(guarantee):
    found = attack(guarantee, rng=0).instance
    small = shrink(guarantee, found)
    assert contradicts(guarantee, small)
    assert small.matrix.size <= found.matrix.size
    assert len(as_code(small)) < len(as_code(found))


def test_a_probability_stays_one_and_shows_a_noise_that_fails():
    guarantee = toy.tail_bound(0.1, 0.5)
    start = next(one for one in (draw(guarantee, seed) for seed in range(99)) if contradicts(guarantee, one, 0))
    small = shrink(guarantee, start)
    assert contradicts(guarantee, small, 0)
    assert guarantee.judge(small).violated
    assert small.shape[0] <= start.shape[0]
    assert small.law.name == "gaussian"


@pytest.mark.parametrize("options", [{"evaluations": 0}, {"seconds": 0.0}])
def test_no_budget_leaves_the_instance_and_no_contradiction_is_refused(options):
    start = large_counter_example()
    same = shrink(toy.projection_bound(1.2), start, **options)
    np.testing.assert_array_equal(same.matrix, start.matrix)
    with pytest.raises(ValueError, match=r"instance does not contradict 'projection-bound-1\.41'"):
        shrink(toy.projection_bound(math.sqrt(2.0)), start)


def test_the_budget_counts_candidates_and_no_clock_decides(monkeypatch):
    guarantee, start = toy.projection_bound(1.2), large_counter_example()
    free = shrink(guarantee, start)
    now = itertools.count(0.0, 1e6)
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    assert as_code(shrink(guarantee, start)) == as_code(free)
    judged = []
    counted = dataclasses.replace(guarantee, outcome=lambda one: judged.append(one) or guarantee.outcome(one))
    some = shrink(counted, start, evaluations=10)
    assert len(judged) == 11  # and the one that was handed in
    assert free.matrix.size < some.matrix.size < start.matrix.size
    with pytest.raises(ValueError, match="evaluations=-1"):
        shrink(guarantee, start, evaluations=-1)
    with pytest.raises(TypeError, match="expected a Guarantee"):
        shrink("bound", start)
