"""Threshold pruning: thresholds by hand, the events, and instances where the bounds are attained or fail."""

import dataclasses
import math

import numpy as np
import pytest

import linear_lottery
from linear_lottery import _imp
from linear_lottery.guarantees.probable import DELTA
from linear_lottery.guarantees.threshold import THRESHOLD
from recovery import Instance, NoiseLaw
from recovery.guarantees import draw, failure_rate_bound, steer

EXACT, ESTIMATE, PREDICTION, PROBABLE = THRESHOLD


def test_the_threshold_by_hand():
    """sigma_min = 2, d = 4, k = 2: the union is over d + k = 6 weights."""
    law = NoiseLaw("gaussian", 0.5)
    tau = 0.5 * math.sqrt(2 * math.log(12 / DELTA)) / 2
    instance = Instance.planted(2.0 * np.eye(4), [2.1 * tau, 0, 0, -9.0], law.draw(4, 0), law=law)
    assert EXACT.check(instance).margin == pytest.approx(0.05)
    assert EXACT.conclusion(instance).status == "holds"
    # what the outcome looks at: a null weight just above and below the threshold
    for factor, status in ((1.001, "fails"), (0.999, "holds")):
        noisy = instance.replace(noise=np.array([0, 2 * tau * factor, 0, 0]))
        assert EXACT.conclusion(noisy).status == status
        assert EXACT.conclusion(noisy).margin == pytest.approx(1 / factor - 1)
    # and a true weight just below
    assert EXACT.conclusion(instance.replace(noise=np.array([-2.3 * tau, 0, 0, 0]))).status == "fails"


def test_exact_recovery_is_frequent_and_takes_two_rounds():
    rng = np.random.default_rng(0)
    failed = count = 0
    for seed in range(40):
        instance = steer(EXACT, draw(EXACT, seed, steered=False), 1e-3)
        if EXACT.check(instance).status != "holds":
            continue
        for _ in range(6):
            failed += EXACT.conclusion(instance.redrawn(rng)).status == "fails"
            count += 1
    assert count >= 200
    assert failure_rate_bound(failed, count, 0.999) <= DELTA


def test_a_third_round_is_a_failure(monkeypatch):
    prune = linear_lottery.threshold_prune

    def slow(X, y, tau, **options):
        path = prune(X, y, tau, **options)
        return dataclasses.replace(path, sizes=(*path.sizes, path.sizes[-1]))

    instance = next(one for one in (draw(EXACT, seed) for seed in range(20)) if EXACT.judge(one).conclusion.margin > 0)
    monkeypatch.setattr(_imp, "threshold_prune", slow)
    assert EXACT.conclusion(instance).status == "fails"
    assert "3 rounds" in EXACT.conclusion(instance).reason


def test_the_estimate_is_attained():
    """Every true weight is 2 tau, and the noise takes it down to tau, where it is pruned: each misses by 2 tau."""
    tau = 0.7
    for eps, status in ((1e-9, "holds"), (-1e-9, "fails")):
        # tau (1 + eps) exceeds the noise, or does not
        noise = np.array([-tau, -tau, tau, 0.0])
        instance = Instance.planted(np.eye(4), [2 * tau, 2 * tau, 0, 0], noise, options={"tau": tau * (1 + eps)})
        assert ESTIMATE.check(instance).status == ESTIMATE.conclusion(instance).status == status
    found = ESTIMATE.conclusion(instance.with_options(tau=tau * (1 + 1e-9)))
    assert found.margin == pytest.approx(0, abs=1e-8)


def test_the_prediction_bound_is_attained():
    """The same instance: all of S is pruned, and the bound is 4 tau^2 k / n plus what the noise adds."""
    tau, X = 0.7, 3.0 * np.eye(4)
    noise = np.array([-3 * tau * (1 - 1e-9), -3 * tau * (1 - 1e-9), 0.0, 0.0])
    instance = Instance.planted(X, [2 * tau, 2 * tau, 0, 0], noise, options={"tau": tau})
    assert linear_lottery.threshold_prune(X, instance.y, tau).support.size in (0, 2)
    pruned = instance.replace(noise=noise - np.array([1e-6, 1e-6, 0, 0])).with_options(tau=tau + 1e-6)
    assert linear_lottery.threshold_prune(X, pruned.y, tau + 1e-6).support.size == 0
    verdict = PREDICTION.conclusion(pruned)
    assert PREDICTION.check(pruned).status == verdict.status == "holds"
    # |X w*|^2 / n = 4 tau^2 9 k / n, and the bound has |P_S xi|^2 / n = tau^2 9 k / n more
    assert verdict.margin == pytest.approx(0.25, abs=1e-4)


def test_where_all_survive_the_prediction_bound_is_an_identity():
    instance = Instance.planted(np.eye(4), [5.0, -5.0, 0, 0], [0.1, 0.2, 0.1, 0.0], options={"tau": 1.0})
    verdict = PREDICTION.conclusion(instance)
    assert (verdict.status, verdict.margin) == ("holds", 0.0)


def test_false_bounds_are_noticed():
    """A threshold that the noise exceeds by a tenth breaks both statements somewhere."""

    def easier(instance):
        return ESTIMATE.check(instance.with_options(tau=1.1 * instance.options["tau"]))

    for guarantee in (ESTIMATE, PREDICTION):
        false = dataclasses.replace(guarantee, name="false", hypotheses=easier)
        assert sum(false.judge(draw(false, seed)).violated for seed in range(60)) >= 3


def test_the_probable_prediction():
    """sigma_min = 1, d = 8: tau = sigma sqrt(2 log(2 d / (delta / 2))), and a null beyond it is the usual failure."""
    law, rng = NoiseLaw("gaussian", 1.0), np.random.default_rng(0)
    instance = Instance.planted(np.eye(12)[:, :8], [9.0, 1.0, 2.0, 3.0, 0, 0, 0, 0], law.draw(12, rng), law=law)
    assert PROBABLE.check(instance).status == "holds"
    tau = math.sqrt(2 * math.log(32 / DELTA))
    for factor, status in ((1.001, "fails"), (0.999, "holds")):
        assert PROBABLE.conclusion(instance.replace(noise=factor * tau * np.eye(12)[6])).status == status
    # the other event: S survives, and the noise there is too long for the bound, which allows for pruned weights
    long = PROBABLE.conclusion(instance.replace(x=100.0 * instance.x, noise=40.0 * np.eye(12)[0]))
    assert long.status == "fails"
    assert "bound" in long.reason
    failed = sum(PROBABLE.conclusion(instance.redrawn(rng)).status == "fails" for _ in range(300))
    assert failed <= 0.5 * DELTA * 300
    other = instance.replace(law=NoiseLaw("uniform", 1.0))
    assert PROBABLE.check(other).status == "fails"
    assert EXACT.check(other.scaled(signal=100.0)).status == "holds"
