"""Closed forms on one design: against plain refits, enumeration, the flow itself, and their own laws."""

import itertools
import math

import numpy as np
import pytest

from linear_lottery import closed_forms as forms
from linear_lottery import gradient_flow


def draw(seed, n=20, d=7):
    """A Gaussian design with a common part in all columns, targets and a start."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + rng.uniform(0, 1) * rng.standard_normal((n, 1))
    return rng, X, rng.standard_normal(n), rng.standard_normal(d)


def refit(X, y, mask):
    w = np.zeros(X.shape[1])
    w[mask] = np.linalg.lstsq(X[:, mask], y, rcond=None)[0]
    return w


def rss(X, y, w):
    return float(np.sum((y - X @ w) ** 2))


def equicorrelated_design(d, rho, signs=None, n=None):
    """X with X'X = (1 - rho) I + rho 11', up to the signs of columns."""
    root = np.linalg.cholesky((1 - rho) * np.eye(d) + rho).T
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((n or d + 3, d)))[0]
    return rotation @ root * (1 if signs is None else signs)


@pytest.mark.parametrize("seed", range(20))
def test_pruning_never_worsens_the_condition_number(seed):
    rng, X, _, _ = draw(seed)
    order = rng.permutation(7)
    masks = np.array([~np.isin(np.arange(7), order[:r]) for r in range(8)])
    smallest, largest = forms.gram_extremes(X, masks)
    assert np.all(np.diff(smallest) >= -1e-14)
    assert np.all(np.diff(largest) <= 1e-14)
    found = forms.condition_numbers(X, masks)
    assert np.all(np.diff(found) <= 1e-12 * found[:-1])
    assert found[-1] == 1.0
    assert found[3] == pytest.approx(np.linalg.cond(X[:, masks[3]].T @ X[:, masks[3]]), rel=1e-9)


def test_condition_numbers_without_full_rank_are_infinite():
    X = np.random.default_rng(0).standard_normal((4, 6))
    masks = np.arange(6) < np.array([6, 5, 4])[:, None]
    assert np.isinf(forms.condition_numbers(X, masks)).tolist() == [True, True, False]
    twins = np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 0.0]])
    assert np.isinf(forms.condition_numbers(twins, [[1, 1]])).all()


def test_nothing_settles_where_nothing_moves():
    assert forms.settling_time(np.zeros((3, 2)), np.ones(3), [1.0, 2.0]) == 0.0
    assert forms.settling_time(np.zeros((3, 2)), np.ones(3), [1.0, 1.0]) == 0.0  # equal, and equal at all times


def test_bounds_on_dependent_columns():
    """Pruning one of two twins costs nothing, so that the lower bound must be 0 and not what rounding leaves of it."""
    X = np.random.default_rng(0).standard_normal((9, 4))
    X = np.column_stack([X, X[:, 0]])
    low, plain, high = forms.rss_bounds(X, np.ones(5), [4])
    assert low == 0.0 < plain < high
    assert forms.rss_bounds(X, np.ones(5), []) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_what_has_no_unit_does_not_depend_on_the_scale(scale):
    X = np.random.default_rng(1).standard_normal((20, 6))
    Q = np.linalg.qr(X)[0]
    assert [forms.prunes_like_obs(scale * X), forms.prunes_like_obs(scale * Q)] == [False, True]
    assert forms.condition_numbers(scale * X, np.ones((1, 6))) == pytest.approx(np.linalg.cond(X) ** 2, rel=1e-12)
    assert forms.null_amplification(scale * X, [0, 1]) == pytest.approx(forms.null_amplification(X, [0, 1]), rel=1e-12)


def test_there_is_no_barrier_between_two_solutions():
    for seed in range(20):
        rng, X, y, w0 = draw(seed)
        mask = rng.permutation(7) < 4
        a, b = gradient_flow(X, y, w0), gradient_flow(X, y, w0, 2.0, mask)
        s = np.linspace(0, 1, 41)
        losses = np.array([rss(X, y, (1 - one) * a + one * b) for one in s]) / (2 * len(y))
        measured = losses - (1 - s) * losses[0] - s * losses[-1]
        assert np.abs(measured - forms.segment_excess(X, a, b, s)).max() <= 1e-12 * losses.max()
        assert measured.min() < -1e-4
        assert forms.barrier(X, a, b) == 0.0 == forms.segment_excess(X, a, b, 1.0)


def test_two_weights_are_ranked_from_the_stated_time_on_and_not_before():
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((9, 2)))[0] * 3 * math.sqrt(2.0)  # X'X / n = 2 I
    tight = 0
    for _ in range(200):
        y, w0 = 3 * rng.standard_normal(9), rng.standard_normal(2)
        c = X.T @ y / 18
        time = forms.ranking_time(*c, *w0, eigenvalue=2.0)
        assert time == forms.ranking_time(*c[::-1], *w0[::-1], eigenvalue=2.0)
        larger = int(np.argmax(np.abs(c)))
        for factor in (1 + 1e-6, 1.5, 4.0):
            w = np.abs(gradient_flow(X, y, w0, time * factor))
            assert w[larger] > w[1 - larger]
        worst = np.sign(c) * np.abs(w0) * np.where(np.arange(2) == larger, -1, 1)
        w = np.abs(gradient_flow(X, y, worst, time * (1 - 1e-6)))
        tight += w[larger] < w[1 - larger]
    assert tight == 200
    assert forms.ranking_time(1.0, -1.0, 0.3, 0.0) == math.inf
    assert forms.ranking_time(1.0, 0.5, 0.0, 0.0) == 0.0
    assert forms.ranking_time([1.0, 2.0], 0.5, 1.0, 0.0).shape == (2,)


@pytest.mark.parametrize(("n", "d"), [(20, 6), (6, 9)])
def test_after_the_settling_time_the_same_weight_is_pruned(n, d):
    settled_late = 0
    for seed in range(100):
        rng, X, y, w0 = draw(seed, n, d)
        mask = rng.permutation(d) < d - 1
        time = forms.settling_time(X, y, w0, mask)
        kept = np.nonzero(mask)[0]
        last = np.argmin(np.abs(gradient_flow(X, y, w0, mask=mask)[kept]))
        for factor in (1 + 1e-9, 2.0, 10.0):
            assert np.argmin(np.abs(gradient_flow(X, y, w0, time * factor, mask)[kept])) == last
        settled_late += np.argmin(np.abs(w0[kept])) != last
    assert settled_late > 50  # the start points elsewhere, so the time does matter
    only = np.arange(d) == 2
    assert forms.settling_time(X, y, w0, only) == 0.0
    # equal limits never part: X has two equal columns and both weights start from 0
    assert forms.settling_time(np.eye(3)[:, [0, 1]], np.array([2.0, 2.0, 0.0]), np.zeros(2)) == math.inf


def test_infinite_data_and_equal_correlations():
    rng = np.random.default_rng(0)
    c, mask = rng.standard_normal(6), np.array([1, 1, 0, 1, 1, 0])
    for rho in (-0.15, 0.0, 0.4, 0.95):
        sigma = (1 - rho) * np.eye(6) + rho
        found = forms.population_weights(sigma, c, mask)
        assert np.abs(found - forms.equicorrelated_weights(rho, c, mask)).max() <= 1e-12
        assert np.all(found[mask == 0] == 0)
        X = equicorrelated_design(6, rho)
        fit = gradient_flow(X, X @ np.linalg.solve(X.T @ X, c), np.zeros(6), mask=mask)
        assert np.abs(found - fit).max() <= 1e-12
    # the counter-example: feature 0 has no projection onto the data and yet the largest weight
    assert np.argmax(np.abs(forms.equicorrelated_weights(0.8, [0.0, 1.0, 1.0, 1.0]))) == 0


def test_kappa_of_the_notes():
    lags = np.abs(np.subtract.outer(np.arange(10), np.arange(10)))
    for rho, wanted in ((0.2, 0.496), (0.5, 1.699), (0.8, 3.337)):
        X = np.linalg.cholesky(rho**lags).T
        assert round(forms.null_amplification(X, [0, 1, 2]), 3) == wanted


@pytest.mark.parametrize("seed", range(12))
def test_kappa_against_regressions_of_pruned_columns(seed):
    rng, X, y, _ = draw(seed, 25, 11)
    support = rng.choice(11, int(rng.integers(0, 4)), replace=False)
    nulls, worst = np.setdiff1d(np.arange(11), support), 0.0
    for size in range(1, nulls.size + 1):
        for gone in itertools.combinations(nulls, size):
            kept = np.setdiff1d(np.arange(11), gone)
            if kept.size:
                worst = max(worst, np.abs(np.linalg.pinv(X[:, kept]) @ X[:, list(gone)]).sum(axis=1).max())
    found = forms.null_amplification(X, support)
    assert found == pytest.approx(worst, rel=1e-10)
    assert found <= forms.null_amplification_bound(X, support) * (1 + 1e-12)
    # what it is for: least-squares noise after pruning, with y as the noise
    eta = refit(X, y, np.ones(11, dtype=bool))
    for _ in range(20):
        mask = np.isin(np.arange(11), support) | (rng.random(11) < 0.5)
        assert np.abs(refit(X, y, mask)).max() <= (1 + found) * np.abs(eta).max() * (1 + 1e-12)


@pytest.mark.parametrize("rho", [-0.12, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("k", [0, 1, 3, 8])
def test_kappa_of_equal_correlations(rho, k):
    X = equicorrelated_design(8, rho)
    found = forms.null_amplification(X, range(k))
    assert found == pytest.approx(forms.equicorrelated_amplification(8, k, rho), rel=1e-10, abs=1e-14)
    assert found <= forms.null_amplification_bound(X, range(k)) * (1 + 1e-9) + 1e-14


def test_kappa_of_one_null_attains_the_bound():
    c, x = 50.0, 1 / math.sqrt(50.0)
    turn = np.array([[1.0, x], [-x, 1.0]]) / math.hypot(1, x)
    sg = turn.T @ np.diag([c, 1.0]) @ turn
    X = np.linalg.cholesky(np.linalg.inv(sg)).T
    values = [forms.null_amplification(X, [j]) for j in (0, 1)]
    assert max(values) == pytest.approx(forms.null_amplification_bound(X, [0]), rel=1e-10)


def test_kappa_is_unknown_beyond_the_limit():
    _, X, _, _ = draw(0, 30, 20)
    assert forms.null_amplification(X, [0, 1, 2]) is None
    assert forms.null_amplification(X, range(10), limit=9) is None
    assert forms.null_amplification(X, range(10), limit=10) is not None
    assert 0 < forms.null_amplification_bound(X, [0, 1, 2]) < math.inf


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize(("n", "d"), [(20, 7), (5, 9)])
def test_what_pruning_costs(seed, n, d):
    rng, X, y, w0 = draw(seed, n, d)
    if seed % 3 == 0:
        X[:, 3] = X[:, 1]  # any least-squares solution will do, also of dependent columns
    mask = rng.permutation(d) < d - 1
    gone = rng.choice(np.nonzero(mask)[0], int(rng.integers(1, 4)), replace=False)
    w, rest = gradient_flow(X, y, w0, mask=mask), mask & ~np.isin(np.arange(d), gone)
    measured = rss(X, y, refit(X, y, rest)) - rss(X, y, w)
    assert forms.rss_increase(X, w, gone, mask) == pytest.approx(measured, rel=1e-9, abs=1e-11)
    lower, without, upper = forms.rss_bounds(X, w, gone, mask)
    assert lower <= measured + 1e-11
    assert measured <= without + 1e-11
    assert without <= upper * (1 + 1e-12)
    clipped = np.where(np.isin(np.arange(d), gone), 0.0, w)
    assert without == pytest.approx(rss(X, y, clipped) - rss(X, y, w), rel=1e-9)


def test_saliency_is_the_cost_of_each_single_weight():
    rng, X, y, _ = draw(5)
    mask = rng.permutation(7) < 5
    w = refit(X, y, mask)
    found = forms.obs_saliency(X, w, mask)
    for j in range(7):
        wanted = forms.rss_increase(X, w, [j], mask) if mask[j] else math.inf
        assert found[j] == pytest.approx(wanted, rel=1e-10)


def test_a_whole_threshold_run_costs_at_most_its_bound():
    for seed in range(50):
        rng, X, y, _ = draw(seed, 30, 10)
        tau, mask = rng.uniform(0.05, 0.4), np.ones(10, dtype=bool)
        first = rss(X, y, refit(X, y, mask)) / 30
        while (np.abs(refit(X, y, mask)[mask]) <= tau).any():
            mask &= np.abs(refit(X, y, mask)) > tau
        bound = forms.threshold_loss_increase(X, tau, int((~mask).sum()))
        assert rss(X, y, refit(X, y, mask)) / 30 <= first + bound * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_errors_of_predictions(seed):
    rng, X, noise, _ = draw(seed, 30, 8)
    support, w = np.array([0, 3, 6]), np.zeros(8)
    w[support] = rng.uniform(0.2, 2.0, 3)
    mask = rng.random(8) < 0.5
    error = np.sum((X @ refit(X, X @ w + noise, mask) - X @ w) ** 2) / 30 if mask.any() else np.sum((X @ w) ** 2) / 30
    assert sum(forms.prediction_split(X, w, noise, mask)) == pytest.approx(error, rel=1e-10)
    # the least threshold that the noise allows, up to rounding, and one round of it
    tau = float(np.abs(refit(X, noise, np.ones(8, dtype=bool))).max()) * (1 + 1e-9)
    kept = np.abs(refit(X, X @ w + noise, np.ones(8, dtype=bool))) > tau
    survivors = np.nonzero(kept)[0]
    assert set(survivors) <= set(support)
    error = np.sum((X @ refit(X, X @ w + noise, kept) - X @ w) ** 2) / 30
    assert error <= forms.prediction_bound(X, support, survivors, tau, noise) * (1 + 1e-12)


def test_the_oracle_within_three_standard_errors_and_its_bound():
    rng, X, _, _ = draw(1, 12, 5)
    support, sigma, delta, trials = [1, 2, 4], 0.7, 0.1, 20_000
    noise = sigma * rng.standard_normal((12, trials))
    errors = np.sum((np.linalg.pinv(X[:, support]) @ noise) ** 2, axis=0)
    risk = forms.oracle_risk(X, support, sigma)
    assert abs(errors.mean() - risk) <= 3 * errors.std() / math.sqrt(trials)
    beyond = np.mean(np.sqrt(errors) > forms.oracle_error_bound(X, support, sigma, delta))
    assert beyond <= delta
    assert np.mean(np.sqrt(errors) > 0.4 * forms.oracle_error_bound(X, support, sigma, delta)) > delta
    assert forms.oracle_risk(X, [], sigma) == 0.0 == forms.oracle_error_bound(X, [], sigma, delta)
    assert forms.oracle_risk(X[:, [1, 1]], [0, 1], sigma) == math.inf
    assert forms.prediction_risk_bound(X[:3], [0], sigma, delta) == math.inf


def constant_diagonals(X):
    """E7's condition itself, over all sets of at least two columns."""
    for size in range(2, X.shape[1] + 1):
        for M in itertools.combinations(range(X.shape[1]), size):
            diagonal = np.diag(np.linalg.inv(X[:, M].T @ X[:, M]))
            if np.ptp(diagonal) > 1e-9 * diagonal.max():
                return False
    return True


def designs_for_obs():
    rng = np.random.default_rng(0)
    for d in (2, 3, 4, 5, 6):
        for rho in (-0.15, 0.0, 0.3, 0.8):
            yield equicorrelated_design(d, rho, rng.choice([-1.0, 1.0], d)) * 2.5
            yield equicorrelated_design(d, rho) * np.linspace(1, 1.1, d)
        yield rng.standard_normal((d + 2, d))
        # right absolute values, and any signs
        signs = np.triu(rng.choice([-1.0, 1.0], (d, d)), 1)
        yield np.linalg.cholesky(np.eye(d) + 0.15 * (signs + signs.T)).T


def test_when_imp_is_optimal_brain_surgery():
    found = [(forms.prunes_like_obs(X), constant_diagonals(X)) for X in designs_for_obs()]
    assert all(mine == enumerated for mine, enumerated in found)
    assert 20 <= sum(mine for mine, _ in found) <= len(found) - 20
    # all squared correlations equal, four columns, but one triangle of signs is odd
    signs = np.array([[0, 1, 1, 1], [1, 0, 1, -1], [1, 1, 0, 1], [1, -1, 1, 0]])
    assert not forms.prunes_like_obs(np.linalg.cholesky(np.eye(4) + 0.2 * signs).T)
    assert forms.prunes_like_obs(np.ones((3, 1)))


def test_arrays_of_every_backend_are_taken_to_the_cpu(backend):
    _, X, y, w0 = draw(2)
    put, mask, gone = backend.put, np.arange(7) != 3, np.array([1, 5])
    pairs = [
        (forms.condition_numbers, (X, np.array([mask]))),
        (forms.barrier, (X, w0, -w0)),
        (forms.settling_time, (X, y, w0, mask)),
        (forms.population_weights, (X.T @ X, w0, mask)),
        (forms.equicorrelated_weights, (0.3, w0, mask)),
        (forms.null_amplification, (X, gone)),
        (forms.null_amplification_bound, (X, gone)),
        (forms.rss_increase, (X, w0, gone, mask)),
        (forms.rss_bounds, (X, w0, gone, mask)),
        (forms.obs_saliency, (X, w0, mask)),
        (forms.prediction_split, (X, w0, y, mask)),
        (forms.prediction_bound, (X, gone, gone[:1], 0.2, y)),
        (forms.oracle_risk, (X, gone, 0.5)),
        (forms.prunes_like_obs, (X,)),
    ]
    for function, plain in pairs:
        moved = [put(one) if isinstance(one, np.ndarray) else one for one in plain]
        assert np.array_equal(np.asarray(function(*moved)), np.asarray(function(*plain))), function.__name__


X5 = np.eye(5)[:, :3]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: forms.condition_numbers(X5, np.ones((2, 4))), ValueError, "masks has shape"),
        (lambda: forms.condition_numbers(X5, [[2, 0, 1]]), ValueError, "other than 0 and 1"),
        (lambda: forms.barrier(X5, np.ones(2), np.ones(3)), ValueError, "w_a has shape"),
        (lambda: forms.segment_excess(X5, np.ones(3), np.ones(3), 1.2), ValueError, "position=1.2"),
        (lambda: forms.ranking_time(1.0, 2.0, 0.0, 0.0, 0.0), ValueError, "eigenvalue=0"),
        (lambda: forms.ranking_time("a", 2.0, 0.0, 0.0), TypeError, "c_i"),
        (lambda: forms.settling_time(X5, np.ones(5), np.ones(3), np.zeros(3)), ValueError, "mask is empty"),
        (lambda: forms.population_weights([[1.0, 2.0], [0.0, 1.0]], [1.0, 1.0]), ValueError, "not symmetric"),
        (lambda: forms.population_weights(-np.eye(2), [1.0, 1.0]), ValueError, "not positive definite"),
        (lambda: forms.equicorrelated_weights(-0.6, np.ones(3)), ValueError, "rho=-0.6"),
        (lambda: forms.null_amplification(X5[:, [0, 0]], [0]), ValueError, "lacks full column rank"),
        (lambda: forms.null_amplification(X5, [0, 0]), ValueError, "not distinct indices"),
        (lambda: forms.null_amplification(X5, [3]), ValueError, "not distinct indices"),
        (lambda: forms.null_amplification(X5, [0.5]), TypeError, "support has dtype"),
        (lambda: forms.equicorrelated_amplification(4, 5, 0.1), ValueError, "sparsity=5"),
        (lambda: forms.equicorrelated_amplification(4, 2, 1.0), ValueError, "rho=1.0"),
        (lambda: forms.rss_increase(X5, np.ones(3), [0], [0, 1, 1]), ValueError, "outside the mask"),
        (lambda: forms.rss_increase(np.full((2, 2), np.nan), np.ones(2), [0]), ValueError, "X has 4 element"),
        (lambda: forms.obs_saliency(np.ones((3, 2)), np.ones(2)), ValueError, "lacks full column rank"),
        (lambda: forms.threshold_loss_increase(X5, -1.0, 2), ValueError, "tau=-1"),
        (lambda: forms.threshold_loss_increase(X5, 1.0, 4), ValueError, "n_pruned=4"),
        (lambda: forms.prediction_bound(X5, [0, 1], [2], 0.1, np.ones(5)), ValueError, "survivors=\\[2\\]"),
        (lambda: forms.prediction_risk_bound(X5, [0], 1.0, 0.0), ValueError, "delta=0"),
        (lambda: forms.oracle_risk(X5, [0], -1.0), ValueError, "sigma=-1"),
        (lambda: forms.prunes_like_obs(np.ones((4, 2))), ValueError, "X, of shape"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()
