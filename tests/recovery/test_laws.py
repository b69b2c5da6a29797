"""Laws of noise: variance, tails, and that a sub-Gaussian constant is one."""

import math

import numpy as np
import pytest
from scipy import stats

from recovery import NoiseLaw
from recovery.guarantees.engine.instance import LAWS

REFERENCE = {
    "gaussian": stats.norm(scale=2.0),
    "uniform": stats.uniform(loc=-2.0 * math.sqrt(3.0), scale=4.0 * math.sqrt(3.0)),
    "laplace": stats.laplace(scale=math.sqrt(2.0)),
    "student": stats.t(df=3.0, scale=2.0 / math.sqrt(3.0)),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_draws_follow_the_law_of_standard_deviation_sigma(name):
    assert math.isclose(REFERENCE[name].std(), 2.0)
    assert abs(REFERENCE[name].mean()) < 1e-12
    drawn = NoiseLaw(name, 2.0).draw(20_000, 3)
    assert stats.kstest(drawn, REFERENCE[name].cdf).pvalue > 1e-3


def test_random_signs_are_plus_and_minus_sigma_equally_often():
    drawn = NoiseLaw("rademacher", 0.5).draw(10_000, 1)
    assert set(np.unique(drawn)) == {-0.5, 0.5}
    assert abs(np.mean(drawn > 0) - 0.5) < 0.025


@pytest.mark.parametrize("name", LAWS)
def test_the_sub_gaussian_constant_bounds_the_moment_generating_function(name):
    law = NoiseLaw(name, 1.0)
    if law.sub_gaussian is None:
        assert name in ("laplace", "student")
        return
    t = np.linspace(0.01, 30.0, 500)
    a = math.sqrt(3.0) * t
    log_moment = {  # closed forms of log E exp(t xi), without overflow
        "gaussian": t * t / 2.0,
        "rademacher": np.logaddexp(t, -t) - math.log(2.0),
        "uniform": a + np.log1p(-np.exp(-2.0 * a)) - np.log(2.0 * a),
    }[name]
    assert np.all(log_moment <= law.sub_gaussian**2 * t * t / 2.0 + 1e-12)
    # and the constant is the standard deviation, the smallest that can be
    assert math.isclose(2.0 * log_moment[0] / t[0] ** 2, law.sub_gaussian, rel_tol=1e-3)


def test_only_gaussian_noise_is_gaussian():
    assert [name for name in LAWS if NoiseLaw(name, 1.0).is_gaussian] == ["gaussian"]


@pytest.mark.parametrize("name", LAWS)
def test_draws_are_reproducible_and_proportional_to_sigma(name):
    one, two = NoiseLaw(name, 1.0), NoiseLaw(name, 3.0)
    np.testing.assert_array_equal(one.draw(7, 5), one.draw(7, np.random.default_rng(5)))
    np.testing.assert_allclose(3.0 * one.draw(7, 5), two.draw(7, 5), rtol=1e-15)
    assert not np.any(NoiseLaw(name, 0.0).draw(4, 0))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("cauchy", 1.0), "name='cauchy' is not known; expected one of 'gaussian'"),
        (("gaussian", -1.0), "sigma=-1.0 is out of range"),
        (("gaussian", math.nan), "sigma=nan"),
    ],
)
def test_wrong_laws_are_sentences(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        NoiseLaw(*arguments)
    with pytest.raises(ValueError, match="n=0 is out of range"):
        NoiseLaw("gaussian", 1.0).draw(0)
