"""Probabilities and risks of pruning: numbers of other code, 30 digits, sampling, exact small cases, and their laws."""

import math

import mpmath
import numpy as np
import pytest
from scipy.special import comb

from linear_lottery import closed_forms as forms
from linear_lottery import gradient_flow


def within(samples, wanted, errors=3.0):
    """Is the mean of samples (along the first axis) within so many standard errors, everywhere?"""
    samples = np.asarray(samples, dtype=float)
    return bool(np.all(np.abs(samples.mean(axis=0) - wanted) <= errors * samples.std(axis=0) / math.sqrt(len(samples))))


def sampled_weights(d, k, amplitude, s, trials, seed=0):
    """Least-squares weights of an orthonormal design, signals first; and the truth."""
    truth = amplitude * (np.arange(d) < k)
    return truth + s * np.random.default_rng(seed).standard_normal((trials, d)), truth


def test_the_numbers_of_the_notes():
    found = forms.recovery_probability(100, 10, np.array([2.5, 3.5, 4.5, 5.5]))
    assert np.round(found, 5).tolist() == [0.00236, 0.14142, 0.65728, 0.95114]
    assert round(forms.asymptotic_transition(100, 10), 2) == 5.15
    assert round(forms.transition_amplitude(100, 10), 2) == 4.21
    w = (np.arange(200) < 5).astype(float)
    predicted = [forms.one_shot_recovery_approximation(100, w, 0.5, alpha) for alpha in (0, 0.05, 0.1, 0.15, 0.2)]
    assert np.round(predicted, 3).tolist() == [0.965, 0.917, 0.661, 0.267, 0.064]


@pytest.mark.parametrize(
    ("d", "k", "a"), [(100, 10, 2.5), (100, 10, 4.5), (7, 3, 0.4), (2000, 1999, 6.0), (50_000, 3, 5.0)]
)
def test_recovery_probability_against_30_digits(d, k, a):
    with mpmath.workdps(30):

        def integrand(t):
            null = mpmath.erf(t / mpmath.sqrt(2)) ** (d - k - 1) * 2 * mpmath.npdf(t)
            return (d - k) * null * (mpmath.ncdf(a - t) + mpmath.ncdf(-a - t)) ** k

        wanted = mpmath.quad(integrand, [0, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 10, 14])
    assert forms.recovery_probability(d, k, a) == pytest.approx(float(wanted), rel=1e-12)


def test_recovery_probability_in_cases_with_an_answer():
    for d, k in ((5, 2), (30, 4), (12, 11), (1002, 1000), (100_001, 100_000)):
        assert forms.recovery_probability(d, k, 0.0) == pytest.approx(1 / comb(d, k), rel=1e-11)
        assert forms.gaussian_recovery_probability(np.zeros(k), 1.0, d - k, 1.0) == pytest.approx(
            1 / comb(d, k), rel=1e-11
        )
    for d, k in ((5, 2), (30, 4), (12, 11)):
        assert forms.recovery_probability(d, k, 60.0) == pytest.approx(1.0, abs=1e-13)
    assert forms.recovery_probability(5, 0, 1.0) == 1.0 == forms.recovery_probability(5, 5, 0.0)
    # scale, sign, and more than one at a time
    grid = np.linspace(-4, 4, 6).reshape(2, 3)
    found = forms.recovery_probability(20, 3, grid, 0.5)
    assert found.shape == (2, 3)
    assert found[0, 1] == pytest.approx(forms.recovery_probability(20, 3, 2 * abs(grid[0, 1])), rel=1e-14)
    assert np.all(np.diff(forms.recovery_probability(20, 3, np.linspace(0, 8, 60))) > 0)
    assert forms.recovery_probability(10**6, 10**3, 9.0) < forms.recovery_probability(10**6, 10**2, 9.0) < 1


def test_recovery_probability_by_sampling():
    w, _ = sampled_weights(30, 4, 3.0, 1.0, 40_000)
    exact = np.abs(w[:, :4]).min(axis=1) > np.abs(w[:, 4:]).max(axis=1)
    assert within(exact, forms.recovery_probability(30, 4, 3.0))


def test_unequal_signals():
    equal = forms.gaussian_recovery_probability(np.full(3, 2.2), 1.0, 17, 1.0)
    assert equal == pytest.approx(forms.recovery_probability(20, 3, 2.2), rel=1e-13)
    rng = np.random.default_rng(1)
    means, spread = np.array([2.0, -2.5, 3.0]), np.array([0.5, 1e-3, 2.0])
    w = means + spread * rng.standard_normal((40_000, 3))
    exact = np.abs(w).min(axis=1) > np.abs(0.8 * rng.standard_normal((40_000, 9))).max(axis=1)
    found = forms.gaussian_recovery_probability(means, spread, 9, 0.8)
    assert within(exact, found)
    # a signal without spread is a bound of the integral, and one of spread 1e-7 nearly that
    with_step = forms.gaussian_recovery_probability([1.5], 1e-7, 6, 1.0)
    assert with_step == pytest.approx(math.erf(1.5 / math.sqrt(2)) ** 6, abs=1e-6)
    assert forms.gaussian_recovery_probability([1.0], 1.0, 0, 1.0) == 1.0


def test_the_transition_is_a_root_and_tends_slowly_to_its_asymptote():
    for probability in (0.01, 0.5, 0.999):
        root = forms.transition_amplitude(100, 10, 0.3, probability)
        assert forms.recovery_probability(100, 10, root, 0.3) == pytest.approx(probability, rel=1e-9)
    ratios = [
        forms.transition_amplitude(d, d // 10) / forms.asymptotic_transition(d, d // 10) for d in (10**2, 10**4, 10**6)
    ]
    assert ratios == sorted(ratios)
    assert ratios[0] < 0.82
    assert 0.9 < ratios[2] < 1


@pytest.mark.parametrize("tau", [0.0, 0.6, 1.4, 3.0])
def test_threshold_pruning_by_sampling(tau):
    d, k, a, s = 12, 3, 1.5, 0.7
    w, truth = sampled_weights(d, k, a, s, 60_000)
    kept = np.abs(w) > tau
    exact = (kept == (truth != 0)).all(axis=1)
    assert within(exact, forms.threshold_recovery_probability(d, k, a, tau, s))
    assert within(np.sum((w * kept - truth) ** 2, axis=1), forms.threshold_risk(d, k, a, tau, s))


def test_the_threshold_risk_at_its_ends():
    tau = np.array([0.0, math.inf])
    assert forms.threshold_risk(9, 2, 1.3, tau, 0.5) == pytest.approx([9 * 0.25, 2 * 1.69], rel=1e-14)
    curve = forms.threshold_risk(100, 5, 4.0, np.linspace(0, 8, 81))
    best = int(np.argmin(curve))
    assert 20 < best < 40  # between 2 and 4 standard deviations, and far below no pruning at all
    assert curve[best] < 0.3 * curve[0]
    assert forms.threshold_recovery_probability(9, 9, 1.0, 0.0) == 1.0
    assert forms.threshold_recovery_probability(9, 2, 1.0, 0.0) == 0.0


@pytest.mark.parametrize("m", [0, 1, 3, 4, 6, 9, 10])
@pytest.mark.parametrize("a", [0.0, 1.2, 4.0])
def test_keeping_the_largest_by_sampling(m, a):
    w, truth = sampled_weights(10, 4, a, 0.6, 20_000, seed=m)
    kept = np.argsort(np.argsort(-np.abs(w), axis=1), axis=1) < m
    risk = forms.top_m_risk(10, 4, m, a, 0.6)
    if m == 0:
        assert risk == pytest.approx(4 * a**2, rel=1e-12)
    else:
        assert within(np.sum((w * kept - truth) ** 2, axis=1), risk, errors=3.5)  # 21 cases


def test_keeping_the_largest_in_cases_with_an_answer():
    assert forms.top_m_risk(2, 0, 1) == pytest.approx(1 + 2 / math.pi, rel=1e-13)
    for d, k in ((10, 3), (300, 30), (5000, 1)):
        assert forms.top_m_risk(d, k, d, 1.7, 0.5) == pytest.approx(d * 0.25, rel=1e-11)
        assert forms.top_m_risk(d, k, k) == k
        assert forms.top_m_risk(d, k, k + 1, 25.0) == pytest.approx(forms.top_m_risk(d, k, k + 1), rel=1e-11)
        assert forms.top_m_risk(d, k, k - 1) == math.inf
    assert forms.top_m_risk(6, 6, 2, 3.0) > forms.top_m_risk(6, 6, 5, 3.0) > 0
    # A^2 times the probability of a loss: with all digits also where that is nearly 0, and in little memory
    for A in (1e2, 1e4, 1e9, 1e30):
        assert forms.top_m_risk(100, 10, 20, A) == pytest.approx(forms.top_m_risk(100, 10, 20), rel=1e-13)
        assert forms.top_m_risk(100, 10, 4, A) == pytest.approx(6 * A**2 + 4, rel=1e-3)
    assert forms.threshold_risk(10, 2, 1e160, 1.0) == forms.threshold_risk(10, 2, 1e3, 1.0)
    # all nulls: the squares of the order statistics add up
    parts = [forms.top_m_risk(400, 0, m) for m in range(0, 401, 20)]
    assert np.all(np.diff(parts) > 0)
    assert np.all(np.diff(parts, 2) < 0)


def test_the_asymptotic_risk_and_how_far_it_is_off():
    m = np.array([11, 12, 15, 20, 50, 90])
    exact = np.array([forms.top_m_risk(100, 10, int(one)) for one in m])
    error = forms.top_m_risk_asymptotic(100, 10, m) / exact - 1
    assert np.round(error, 3).tolist() == [0.042, 0.034, 0.021, 0.013, 0.003, 0.0]
    wide = forms.top_m_risk_asymptotic(10_000, 1000, 2000) / forms.top_m_risk(10_000, 1000, 2000) - 1
    assert 0 < wide < 2e-4
    assert forms.top_m_risk_asymptotic(100, 10, np.array([10, 100]), 2.0) == pytest.approx([40.0, 400.0], rel=1e-13)


def trained(n, w, sigma, alpha, trials, mask, seed=0):
    """Weights after endless training on Gaussian rows, from w0 of spread alpha."""
    rng = np.random.default_rng(seed)
    for _ in range(trials):
        X = rng.standard_normal((n, w.size))
        y = X @ w + sigma * rng.standard_normal(n)
        yield gradient_flow(X, y, alpha * rng.standard_normal(w.size), mask=mask)


@pytest.mark.parametrize(("n", "m"), [(14, 5), (14, 0), (6, 13), (5, 15)])
@pytest.mark.parametrize("missing", [False, True])
def test_the_risk_on_a_fixed_mask_by_sampling(n, m, missing):
    d = m + 2
    w = np.r_[np.linspace(0.2, 1.0, m), np.array([0.8, -0.5]) * missing]
    found = np.array(list(trained(n, w, 0.6, 0.3, 1500, np.arange(d) < m)))
    signal, lost = float(w[:m] @ w[:m]), float(w[m:] @ w[m:])
    wanted = forms.fixed_mask_risk(n, m, 0.6, signal=signal, alpha=0.3, missing=lost)
    assert within(np.sum((found - w) ** 2, axis=1), wanted) if m else wanted == pytest.approx(lost)


def test_the_risk_near_interpolation_is_infinite():
    found = forms.fixed_mask_risk(10, np.arange(7, 14), 0.5, signal=1.0)
    assert np.isinf(found).tolist() == [False, False, True, True, True, False, False]
    assert forms.fixed_mask_risk(10, 10, 0.0) == 0.0
    assert forms.fixed_mask_risk(10, 11, 0.0, signal=2.2) == pytest.approx(0.2)
    assert forms.fixed_mask_risk(10, 10, 0.0, missing=0.1) == math.inf


def test_the_numbers_of_the_notes_on_fixed_masks():
    tall = forms.fixed_mask_risk(200, np.array([100, 75, 50, 30, 20, 15, 10]), 1.0)
    assert np.round(tall, 3).tolist() == [1.010, 0.605, 0.336, 0.178, 0.112, 0.082, 0.053]
    wide = forms.fixed_mask_risk(100, np.array([200, 120]), 1.0, signal=10.0)
    assert np.round(wide, 2).tolist() == [6.01, 6.93]
    narrow = forms.fixed_mask_risk(100, np.array([90, 75, 50, 20, 10]), 1.0)
    assert np.round(narrow, 3).tolist() == [10.0, 3.125, 1.02, 0.253, 0.112]
    # two signals left out, and five
    found = [forms.fixed_mask_risk(200, 8, 1.0, missing=2.0), forms.fixed_mask_risk(200, 5, 1.0, missing=5.0)]
    assert np.round(found, 2).tolist() == [2.13, 5.15]


@pytest.mark.parametrize(("n", "m"), [(8, 14), (16, 7)])
def test_moments_of_the_weights_by_sampling(n, m):
    w = np.zeros(m)
    w[:3] = 1.0, -0.4, 2.0
    found = np.array(list(trained(n, w, 0.5, 0.3, 4000, None)))
    mean, variance = forms.weight_moments(n, w, 0.5, 0.3)
    assert within(found, mean, errors=3.5)  # 14 and 7 weights at once
    assert within((found - mean) ** 2, variance, errors=3.5)
    # the risk is the sum of squared biases and variances
    signal = float(w @ w)
    total = np.sum((mean - w) ** 2 + variance)
    assert total == pytest.approx(forms.fixed_mask_risk(n, m, 0.5, signal=signal, alpha=0.3), rel=1e-12)


def test_recovery_with_more_samples_than_weights_and_without_noise():
    w = (np.arange(20) < 3) * 0.8
    wanted = forms.recovery_probability(20, 3, 0.8, 0.5 / math.sqrt(40 - 20 - 1))
    assert forms.one_shot_recovery_approximation(40, w, 0.5) == pytest.approx(wanted, rel=1e-12)
    assert forms.one_shot_recovery_approximation(40, w, 0.0) == 1.0
    assert forms.one_shot_recovery_approximation(40, np.ones(5), 1.0) == 1.0
    assert 0 < forms.one_shot_recovery_approximation(10, w, 0.0) < 1  # short of samples, also without noise


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: forms.recovery_probability(5, 6, 1.0), ValueError, "sparsity=6"),
        (lambda: forms.recovery_probability(5.0, 2, 1.0), TypeError, "d=5.0"),
        (lambda: forms.recovery_probability(5, 2, np.nan), ValueError, "amplitude"),
        (lambda: forms.recovery_probability(5, 2, 1.0, [1.0, 0.0]), ValueError, "s=0 is out of range"),
        (
            lambda: forms.gaussian_recovery_probability([1.0, 2.0], [1.0, 1.0, 1.0], 3, 1.0),
            ValueError,
            "means has shape",
        ),
        (lambda: forms.gaussian_recovery_probability([1.0], 0.0, 3, 1.0), ValueError, "deviations=0"),
        (lambda: forms.gaussian_recovery_probability([1.0], 1.0, 3, 0.0), ValueError, "null_deviation=0"),
        (lambda: forms.asymptotic_transition(5, 5), ValueError, "sparsity=5"),
        (lambda: forms.transition_amplitude(10, 3, 1.0, 0.0083), ValueError, "probability=0.0083"),
        (lambda: forms.transition_amplitude(10, 3, 1.0, 1.0), ValueError, "probability=1"),
        (lambda: forms.threshold_recovery_probability(9, 2, 1.0, -0.1), ValueError, "tau=-0.1"),
        (lambda: forms.threshold_risk(9, 2, 1.0, np.nan), ValueError, "tau=nan"),
        (lambda: forms.top_m_risk(9, 2, 10), ValueError, "m=10"),
        (lambda: forms.top_m_risk_asymptotic(9, 2, [2, 1]), ValueError, "m=1 is out of range"),
        (lambda: forms.fixed_mask_risk(9, 2.5, 1.0), ValueError, "m=2.5"),
        (lambda: forms.fixed_mask_risk(9, 2, -1.0), ValueError, "sigma=-1"),
        (lambda: forms.weight_moments(9, np.ones((2, 2)), 1.0), ValueError, "w has shape"),
        (lambda: forms.one_shot_recovery_approximation(9, np.arange(10.0), 1.0), ValueError, "n=9 is within 1"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()
