"""Guarantees over a law of the noise: levels by hand, failure rates, laws that do not qualify, lowered constants."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from linear_lottery.closed_forms import null_amplification
from linear_lottery.guarantees.facts import facts
from linear_lottery.guarantees.probable import DELTA, PROBABLE, level
from recovery import Instance, NoiseLaw
from recovery.guarantees import contradicts, draw, failure_rate_bound, steer

ONE_SHOT, GAUSSIAN, ALL_MASKS, AMPLIFICATION, SUCCESS = PROBABLE
BY_SIGNAL = PROBABLE[:4]
IDS = [one.name for one in BY_SIGNAL]


def planted(X, x, law, rng=0):
    return Instance.planted(X, x, law.draw(X.shape[0], rng), law=law)


def test_the_levels_by_hand():
    """sigma_min = 2, d = 4, k = 2, sigma = .5: n lam_min(X'X / n) = 4."""
    instance = planted(2.0 * np.eye(6)[:, :4], np.array([3.0, 0, 0, -4.0]), NoiseLaw("gaussian", 0.5))
    tau0 = 0.5 * math.sqrt(2 * math.log(8 / DELTA) / 4)
    wanted = {
        ONE_SHOT: 2 * tau0,
        GAUSSIAN: math.sqrt(2) * 0.5 * (2 + math.sqrt(2 * math.log(1 / DELTA))) / 2,
        ALL_MASKS: 2 * 0.5 * math.sqrt(2 * (2 * math.log(2) + math.log(8 / DELTA)) / 4),
        AMPLIFICATION: 2 * tau0,  # orthogonal columns: kappa = 0
    }
    for guarantee, right in wanted.items():
        assert guarantee.check(instance).margin == pytest.approx(3 / right - 1, rel=1e-9), guarantee.name
        assert guarantee.check(instance).status == "holds"
        assert guarantee.conclusion(instance).status == "holds"
        assert guarantee.check(instance.scaled(noise=20.0)).status == "fails"


def test_kappa_counts():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 5)) + 1.5 * rng.standard_normal((9, 1))
    instance = planted(X, np.array([0, 3.0, 0, 0, -4.0]), NoiseLaw("uniform", 1e-3))
    kappa = null_amplification(X, np.array([1, 4]))
    assert kappa > 0.3
    tau0 = level(facts(instance), 1e-3, DELTA, 5)
    assert AMPLIFICATION.check(instance).margin == pytest.approx(3 / (2 * (1 + kappa) * tau0) - 1, rel=1e-6)


def test_beyond_the_size_only_the_cheap_bound_of_kappa_is_used():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20))
    x = np.zeros(20)
    x[3] = 1.0
    strong = planted(X, x, NoiseLaw("gaussian", 1e-4))
    assert AMPLIFICATION.check(strong).status == "holds"
    assert "bound of kappa" in AMPLIFICATION.check(strong).reason
    weak = planted(X, x, NoiseLaw("gaussian", 0.1))
    assert ONE_SHOT.check(weak).status == "holds"
    assert AMPLIFICATION.check(weak).status == "unknown"


def test_the_noise_on_a_smaller_mask():
    """eta^M = eta_M - Sg_MR Sg_RR^-1 eta_R: what kappa bounds."""
    rng = np.random.default_rng(3)
    X, noise = rng.standard_normal((9, 6)) + rng.standard_normal((9, 1)), rng.standard_normal(9)
    R, M = np.array([1, 4]), np.array([0, 2, 3, 5])
    Sg, eta = np.linalg.inv(X.T @ X), np.linalg.pinv(X) @ noise
    there = np.linalg.pinv(X[:, M]) @ noise
    assert np.allclose(there, eta[M] - Sg[np.ix_(M, R)] @ np.linalg.solve(Sg[np.ix_(R, R)], eta[R]), atol=1e-12)
    kappa = null_amplification(X, np.array([0]))
    assert np.abs(there).max() <= (1 + kappa) * np.abs(eta).max()


@pytest.mark.parametrize("guarantee", BY_SIGNAL, ids=IDS)
def test_the_failure_rate_at_the_boundary(guarantee):
    """Fresh noise on instances just inside: far fewer failures than delta, since every bound adds something up."""
    rng = np.random.default_rng(1)
    failed = count = 0
    for seed in range(30):
        instance = steer(guarantee, draw(guarantee, seed, steered=False), 1e-3)
        if guarantee.check(instance).status != "holds":
            continue
        for _ in range(5):
            failed += guarantee.conclusion(instance.redrawn(rng)).status == "fails"
            count += 1
    assert count >= 100
    assert failed <= 0.5 * DELTA * count


def test_a_level_that_is_too_low_is_noticed():
    """One standard deviation instead of tau0: half of the draws fail."""

    def hypotheses(instance):
        return ONE_SHOT.check(instance.replace(law=NoiseLaw(instance.law.name, 0.25 * instance.law.sigma)))

    false = dataclasses.replace(ONE_SHOT, name="false", hypotheses=hypotheses)
    instance = planted(np.eye(8), 2.0 * np.eye(8)[0] + 2.0 * np.eye(8)[1], NoiseLaw("gaussian", 0.5), 0)
    instance = steer(false, instance, 0.01)
    assert false.check(instance).status == "holds"
    assert contradicts(false, instance, 0)
    assert not contradicts(ONE_SHOT, steer(ONE_SHOT, instance, 0.01), 0)


@pytest.mark.parametrize("guarantee", PROBABLE, ids=[one.name for one in PROBABLE])
@pytest.mark.parametrize("name", ["gaussian", "rademacher", "uniform", "laplace", "student"])
def test_laws(guarantee, name):
    instance = planted(np.eye(4), np.array([9.0, 0, 0, 0]), NoiseLaw(name, 0.01))
    needs_gaussian = guarantee in (GAUSSIAN, SUCCESS)
    allowed = name == "gaussian" or (not needs_gaussian and name in ("rademacher", "uniform"))
    assert guarantee.check(instance).status == ("holds" if allowed else "fails")
    if not allowed:
        assert name in guarantee.check(instance).reason


def test_the_error_after_success():
    """Its failure rate is that of a chi-square variable where the columns are orthonormal: below delta, above 0."""
    k, n = 3, 200
    bound = math.sqrt(k) + math.sqrt(2 * math.log(1 / DELTA))
    rate = stats.chi2.sf(bound**2, k)
    assert 0 < rate < DELTA
    rng = np.random.default_rng(0)
    instance = planted(np.eye(6)[:, :5], np.array([9.0, 9.0, 9.0, 0, 0]), NoiseLaw("gaussian", 0.1))
    failed = sum(SUCCESS.conclusion(instance.redrawn(rng)).status == "fails" for _ in range(n))
    assert failure_rate_bound(failed, n, 0.999) <= rate
    assert stats.binom.cdf(failed, n, rate) > 1e-3
    # where the support is missed nothing is claimed
    hidden = planted(np.eye(6)[:, :5], np.array([1e-6, 0, 0, 0, 0]), NoiseLaw("gaussian", 1.0), 1)
    assert "not found" in SUCCESS.conclusion(hidden).reason
