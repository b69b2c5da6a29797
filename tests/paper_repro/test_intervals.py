"""The intervals against closed forms, tables and coverage."""

import math

import numpy as np
import pytest
from scipy.stats import quantile_test, ttest_1samp

from paper_repro.experiments.intervals import crossing, mean_interval, median_interval, quartiles, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (5, 10), (10, 10), (131, 200), (1, 2_000)])
def test_wilsons_interval_solves_its_quadratic(successes, trials):
    z, rate = 1.959963984540054, successes / trials
    for end in wilson(successes, trials):  # the ends are where the rate lies z standard errors away
        assert trials * (rate - end) ** 2 == pytest.approx(z * z * end * (1 - end), rel=1e-9, abs=1e-12)
    low, high = wilson(successes, trials)
    assert 0 <= low <= rate <= high <= 1
    assert low < high


def test_wilsons_interval_of_nothing_is_none():
    assert wilson(0, 0) is None


def test_the_mean_interval_is_students():
    values = np.random.default_rng(0).standard_exponential(17)
    found = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((found.low, found.high), rel=1e-12)
    assert mean_interval(values[:1]) is None


@pytest.mark.parametrize("count", [6, 7, 10, 25, 60, 201])
def test_the_median_interval_is_that_of_order_statistics(count):
    values = np.random.default_rng(count).standard_cauchy(count)
    low, high = median_interval(values)
    found = quantile_test(values, p=0.5).confidence_interval(0.95)
    assert low == pytest.approx(found.low)  # SciPy's two-sided interval has the same ends
    assert high == pytest.approx(found.high)
    assert median_interval(values[:5]) is None


def test_the_median_interval_covers():
    rng = np.random.default_rng(3)
    middle = 0.4549364  # the median of chi squared with one degree of freedom
    inside = [low < middle < high for low, high in (median_interval(rng.chisquare(1, 21)) for _ in range(1_000))]
    assert np.mean(inside) > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 1_000)


def test_quartiles():
    assert quartiles(range(1, 6)) == (2.0, 3.0, 4.0)


def test_the_crossing_is_interpolated_in_the_logarithm_and_never_extrapolated():
    assert crossing([1, 2, 4, 8], [0.0, 0.25, 0.75, 1.0]) == pytest.approx(2 * math.sqrt(2))
    assert crossing([1, 2, 4], [0.0, None, 0.5]) == pytest.approx(4.0)
    assert crossing([1, 2, 4], [0.0, 0.1, 0.4]) is None
    assert crossing([1, 2, 4], [0.6, 0.7, 0.8]) is None  # it lies to the left of what was measured
    assert crossing([1, 10], [0.0, 0.4], level=0.1) == pytest.approx(10**0.25)
