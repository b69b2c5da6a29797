"""Continuation over sparsity levels: the last size takes at most the steps that are proved, and the answer is x."""

import math

import numpy as np
import pytest

from recovery import Instance, solve
from recovery.guarantees import draw
from recovery.guarantees.linear.continuation import LIMIT, continuation_rule, guarantees, most_steps, reaches
from recovery.guarantees.linear.iterative import extremes

(KNOWN,) = guarantees()


def test_drawn_instances_keep_it_from_any_answer_of_smaller_sizes():
    held = several = 0
    rng = np.random.default_rng(0)
    for seed in range(24):
        instance = draw(KNOWN, seed)
        assert instance.x0 is None
        if KNOWN.check(instance).status != "holds":
            continue
        verdict = KNOWN.conclusion(instance)
        assert verdict.status == "holds", verdict.reason
        held += 1
        # the proof's step: least squares on any s columns is a start from which so many steps are enough
        A, x, s = instance.matrix, instance.x, instance.sparsity
        low, high = extremes(A, 3 * s)
        delta = (high - low) / (high + low)
        chosen = rng.permutation(len(x))[:s]
        start = np.zeros(len(x))
        start[chosen] = np.linalg.lstsq(A[:, chosen], instance.y)[0]
        size = np.linalg.norm(x)
        assert np.linalg.norm(start - x) <= size / math.sqrt(1.0 - delta * delta) * (1 + 1e-9)
        found = solve(A, instance.y, s, "htp", x0=start, step=2.0 / (low + high), normalise=False, escapes=0)
        assert np.linalg.norm(found.x - x) <= 1e-9 * size
        assert found.n_iter <= most_steps(delta, x)
        several += found.n_iter > 1
    assert held > 12
    assert several >= 1


def test_the_number_of_steps_is_the_least_that_is_enough():
    x = np.array([3.0, 0.0, -1.0])
    for delta in (0.05, 0.3, 0.5, 0.57):
        r = math.sqrt(2.0 * delta**2 / (1.0 - delta**2))
        first = np.linalg.norm(x) / math.sqrt(1.0 - delta**2)
        plain = next(t for t in range(1, 1000) if r**t * first < 1.0)
        assert most_steps(delta, x) == plain
    assert most_steps(0.0, x) == 1.0
    assert most_steps(LIMIT + 1e-9, x) == math.inf


def test_what_the_statement_does_not_cover():
    x = np.array([1.0, 0.0, 0.0, 0.0, 2.0])
    instance = Instance.planted(np.eye(6)[:, :5], x)
    assert KNOWN.check(instance).status == "holds"
    assert KNOWN.conclusion(instance).status == "holds"
    assert KNOWN.check(instance.replace(x0=np.eye(5)[1])).status == "fails"
    assert KNOWN.check(instance.replace(x0=np.zeros(5))).status == "holds"
    assert KNOWN.check(instance.replace(noise=np.full(6, 1e-9))).status == "fails"
    assert KNOWN.check(Instance(instance.A, instance.y, 2)).status == "unknown"
    assert KNOWN.conclusion(Instance.planted(np.eye(3), np.zeros(3))).status == "holds"


def test_two_columns_of_unequal_norm_have_a_wrong_fixed_point_which_escapes_leave():
    A = np.linalg.cholesky(np.array([[1.0, 1.05], [1.05, 2.0]])).T
    instance = Instance.planted(A, np.array([1.0, 0.0]))
    assert KNOWN.check(instance).status == "fails"
    assert continuation_rule(0.8)(instance).status == "holds"
    assert reaches(escapes=0)(instance).status == "fails"
    assert reaches()(instance).status == "fails" or KNOWN.conclusion(instance).status == "holds"


@pytest.mark.parametrize("factor", [2.0**300, 2.0**-300])
def test_units_do_not_matter(factor):
    instance = draw(KNOWN, 1)
    there = Instance.planted(instance.matrix * factor, instance.x, options=instance.options)
    assert KNOWN.judge(there).check.status == KNOWN.judge(instance).check.status
    assert KNOWN.conclusion(there).status == KNOWN.conclusion(instance).status
