"""Finite training times: the times are those of the closed forms, one is attained, and shorter ones fail."""

import math

import numpy as np
import pytest

from linear_lottery.closed_forms import ranking_time, settling_time
from linear_lottery.guarantees import finite_time
from linear_lottery.guarantees.finite_time import FINITE_TIME
from recovery import Instance
from recovery.guarantees import draw

ORTHONORMAL, GENERAL = FINITE_TIME


def test_the_time_of_a_pair_is_attained():
    """The larger limit's weight starts on the other side of 0, the smaller one's beyond its limit."""
    c, w0, n = np.array([1.0, 0.8]), np.array([-0.7, 0.9]), 5
    X = math.sqrt(n) * np.eye(n)[:, :2]
    time = ranking_time(*c, *w0)
    assert time == pytest.approx(math.log(1 + 1.6 / 0.2))
    for factor, status in ((1 + 1e-7, "holds"), (1 - 1e-7, "fails")):
        instance = Instance(X, X @ c, 1, x0=w0, options={"flow_time": time * factor})
        assert ORTHONORMAL.check(instance).status == ORTHONORMAL.conclusion(instance).status == status
        assert ORTHONORMAL.check(instance).margin == pytest.approx(factor - 1, abs=1e-12)


def test_the_units_of_time():
    c, w0 = np.array([1.0, 0.5, -2.0]), np.array([0.3, 0.0, 1.0])
    needed = max(ranking_time(c[i], c[j], w0[i], w0[j], 16.0 / 3.0) for i in range(3) for j in range(i))
    instance = Instance(4.0 * np.eye(3), 4.0 * c, 1, x0=w0, options={"flow_time": 1.3 * needed})
    assert ORTHONORMAL.check(instance).margin == pytest.approx(0.3)
    assert ORTHONORMAL.check(instance.with_options(flow_time=0.5 * needed)).status == "fails"


def test_the_general_time_is_that_of_the_closed_form():
    for seed in range(40):
        instance = draw(GENERAL, seed)
        time = settling_time(instance.matrix, instance.y, instance.x0)
        if not 0 < time < 1e6:
            continue
        assert GENERAL.check(instance.with_options(flow_time=1.001 * time)).status == "holds"
        assert GENERAL.check(instance.with_options(flow_time=0.999 * time)).status == "fails"


def test_the_constant_sqrt_2_is_attained_in_the_general_bound():
    """X'X / n = I, and the distance left is spread over the two smallest weights, both in the wrong direction."""
    n, gap = 3, 0.1
    X = math.sqrt(n) * np.eye(3)
    limit = np.array([1.0, 1.0 + gap, 5.0])
    w0 = limit + np.array([0.6, -0.6, 0.0])
    time = settling_time(X, X @ limit, w0)
    for factor, status in ((1.0001, "holds"), (0.9999, "fails")):
        instance = Instance(X, X @ limit, 1, x0=w0, options={"flow_time": factor * time})
        assert GENERAL.check(instance).status == GENERAL.conclusion(instance).status == status


def test_early_stopping_changes_the_order():
    failed = 0
    for seed in range(60):
        instance = draw(GENERAL, seed)
        failed += (
            GENERAL.conclusion(instance.with_options(flow_time=0.01 * instance.options["flow_time"])).status == "fails"
        )
    assert failed >= 10


def test_what_fails_and_what_is_unknown():
    instance = draw(ORTHONORMAL, 1)
    assert ORTHONORMAL.check(instance.replace(A=instance.matrix + 0.01)).status == "fails"
    tied = Instance(np.eye(2), np.array([1.0, -1.0]), 1, x0=np.zeros(2), options={"flow_time": 5.0})
    assert ORTHONORMAL.check(tied).status == "unknown"
    assert GENERAL.check(tied).status == "fails"  # no gap, and a distance left
    alone = Instance(np.ones((2, 1)), np.ones(2), 1, x0=np.ones(1), options={"flow_time": 5.0})
    assert GENERAL.check(alone).status == "fails"


def test_a_wrong_limit_in_the_hypothesis_is_noticed(monkeypatch):
    """The outcome takes the limit from the algorithm, so that an error in the predicate's own cannot hide."""
    limit = finite_time._limit
    [first] = [one for one in FINITE_TIME if one.name == "order-finite-time"]
    instances = [draw(first, seed) for seed in range(40)]
    before = [first.conclusion(one).status for one in instances]
    monkeypatch.setattr(finite_time, "_limit", lambda known, w0: limit(known, w0)[::-1])
    assert [first.conclusion(one).status for one in instances] == before
