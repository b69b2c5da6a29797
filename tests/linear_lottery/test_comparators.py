"""The comparators: results of the same form, each checked against its definition."""

import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp

import linear_lottery
import planted
import recovery
from linear_lottery import comparators
from linear_lottery.comparators import COMPARATORS, ORACLES
from planted.base import arrays

ALL = [*COMPARATORS, *ORACLES]


def call(name, X, y, support):
    if name in ORACLES:
        return ORACLES[name](X, y, support)
    return COMPARATORS[name](X, y, len(support))


def square(seed=0, noise=0.0, k=3):
    """As many rows as columns, so that every comparator accepts it."""
    X, y, w = planted.linear_model(12, 12, k, noise=noise, rng=seed)
    return X, y, np.flatnonzero(w)


@pytest.mark.parametrize("name", ALL)
def test_the_answers_have_one_shape(backend, name):
    X, y, S = square(noise=0.3)
    found = call(name, backend.put(X), backend.put(y), S)
    support, weights = backend.get(found.support), backend.get(found.weights)
    assert found.method == name
    assert support.dtype == np.int64
    assert 1 <= len(support) <= 3
    assert np.all(np.diff(support) > 0)
    assert weights.shape == (12,)
    np.testing.assert_allclose(weights[support], np.linalg.lstsq(X[:, support], y, rcond=None)[0], atol=1e-9)
    assert np.all(np.delete(weights, support) == 0)
    assert repr(found).startswith(f"Selection({name!r}, ")


@pytest.mark.parametrize("name", ALL)
def test_no_weights_and_no_data(backend, name):
    X, y, _ = square()
    none = call(name, backend.put(X), backend.put(y), [])
    assert backend.get(none.support).shape == (0,)
    assert not backend.get(none.weights).any()
    zero = call(name, backend.put(X), backend.put(np.zeros(12)), [0, 4])
    assert not backend.get(zero.weights).any()


@pytest.mark.parametrize("name", ALL)
def test_bad_input_is_refused(name):
    X, y, S = square()
    bad = X.copy()
    bad[0, 0] = np.nan
    for arguments, words in (
        ((bad, y, S), "X has 1 element"),
        ((X, y[:5], S), "X has 12 rows and y has 5"),
        ((np.zeros((4, 0)), np.zeros(4), []), "X is empty"),
        ((X, y[:, None], S), "y has shape"),
    ):
        with pytest.raises(ValueError, match=words):
            call(name, *arguments)
    if name in COMPARATORS:
        for k in (-1, 13, 1.5):
            with pytest.raises((TypeError, ValueError), match="sparsity="):
                COMPARATORS[name](X, y, k)


@pytest.mark.parametrize("name", ALL)
def test_single_precision_stays(name):
    X, y, S = square(noise=0.3)
    assert call(name, X.astype("float32"), y.astype("float32"), S).weights.dtype == np.float32
    assert call(name, X.astype("float32"), y, S).weights.dtype == np.float64


@pytest.mark.parametrize("name", ["omp", "htp", "lasso", "marginal", "backward", "lasso-best"])
def test_a_strong_signal_in_orthogonal_features_is_found(name):
    X, y, w = planted.linear_model(50, 20, 4, design="orthogonal", noise=0.1, signs="random", rng=1)
    assert call(name, X, y, np.flatnonzero(w)).support.tolist() == np.flatnonzero(w).tolist()


def test_omp_is_that_of_scikit_learn():
    for seed in range(10):
        X, y, _ = planted.linear_model(40, 60, 5, noise=0.5, rng=seed)
        norms = np.linalg.norm(X, axis=0)
        wanted = orthogonal_mp(X / norms, y, n_nonzero_coefs=5) / norms
        np.testing.assert_allclose(comparators.omp(X, y, 5).weights, wanted, atol=1e-10)
    # a vanishing residual ends it
    X, y, w = planted.linear_model(40, 20, 2, rng=0)
    assert comparators.omp(X, y, 6).support.tolist() == np.flatnonzero(w).tolist()


def test_htp_is_that_of_recovery(backend):
    X, y, _ = planted.linear_model(40, 60, 4, noise=0.1, rng=2)
    found = comparators.htp(backend.put(X), backend.put(y), 4)
    np.testing.assert_allclose(backend.get(found.weights), recovery.solve(X, y, 4, "htp").x, atol=1e-12)


def test_marginal_screening(backend):
    X, y, _ = planted.linear_model(40, 15, 4, design="unequal_norms", noise=0.3, rng=0)
    scores = np.abs(X.T @ y)
    for normalise in (False, True):
        scores = np.abs(X.T @ y) / (np.linalg.norm(X, axis=0) if normalise else 1.0)
        wanted = np.sort(np.argsort(-scores)[:4])
        found = comparators.marginal_screening(backend.put(X), backend.put(y), 4, normalise=normalise)
        assert backend.get(found.support).tolist() == wanted.tolist()
    ties = comparators.marginal_screening(backend.put(np.eye(5)), backend.put(np.ones(5)), 3, normalise=True)
    assert backend.get(ties.support).tolist() == [0, 1, 2]
    zero = np.concatenate([np.zeros((5, 1)), np.eye(5)], axis=1)
    assert 0 not in comparators.marginal_screening(zero, np.ones(5), 5, normalise=True).support


def test_pruning_orthogonal_features_is_marginal_screening():
    for seed in range(20):
        X, y, _ = planted.linear_model(30, 10, 3, design="orthogonal", noise=2.0, rng=seed)
        wanted = comparators.marginal_screening(X, y, 3).support.tolist()
        for schedule in ("one-by-one", 0.2, "one-shot"):
            assert linear_lottery.imp(X, y, 3, schedule=schedule).support.tolist() == wanted
        assert comparators.backward_elimination(X, y, 3).support.tolist() == wanted


def test_holp_is_the_first_round_of_pruning():
    for seed in range(20):
        X, y, _ = planted.linear_model(15, 40, 4, noise=0.2, rng=seed)
        found = comparators.holp(X, y, 4)
        first = linear_lottery.imp(X, y, 4, schedule="one-shot")
        assert found.support.tolist() == first.support.tolist()
        scores = np.abs(X.T @ np.linalg.solve(X @ X.T, y))
        np.testing.assert_allclose(scores, np.abs(first.weights[0]), atol=1e-10)
        assert found.support.tolist() == np.sort(np.argsort(-scores)[:4]).tolist()


def test_holp_refuses_what_it_cannot_invert(backend):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n <= d"):
        comparators.holp(backend.put(rng.standard_normal((6, 5))), backend.put(np.ones(6)), 2)
    X = rng.standard_normal((4, 8))
    with pytest.raises(ValueError, match="dependent rows"):
        comparators.holp(backend.put(X[[0, 1, 2, 1]]), backend.put(np.ones(4)), 2)


def test_the_oracle_takes_the_support_in_any_order(backend):
    X, y, S = square(noise=0.5)
    found = comparators.least_squares_oracle(backend.put(X), backend.put(y), backend.put(S[::-1].copy()))
    assert backend.get(found.support).tolist() == S.tolist()
    for support in ([0, 0], [12], [0.5]):
        with pytest.raises((TypeError, ValueError), match="support"):
            comparators.least_squares_oracle(X, y, support)


def test_mixed_devices_are_refused():
    import standin

    X, y, S = square()
    for name in ALL:
        with pytest.raises(TypeError, match="different devices"):
            call(name, standin.device(X), y, S)


def test_the_decoy_design_misleads_the_greedy_and_not_the_pruner():
    """Panel B: what magnitude pruning finds and OMP cannot."""
    pruned = greedy = 0
    for seed in range(20):
        X, y, w = planted.linear_model(60, 20, 3, design="decoy", noise=0.3, rng=seed)
        S = np.flatnonzero(w).tolist()
        pruned += linear_lottery.imp(X, y, 3).support.tolist() == S
        greedy += arrays.to_numpy(comparators.omp(X, y, 3).support).tolist() == S
    assert pruned == 20
    assert greedy == 0


def test_results_are_printed_in_a_line_and_say_whether_they_found_enough():
    X, y = np.eye(6), np.array([3.0, 0.0, 2.0, 0.0, 0.0, 0.0])
    found = comparators.omp(X, y, 2)
    assert repr(found) == "Selection('omp', 2 of 6 weights)"
    assert found.success
    assert found.message == "omp selected 2 of 6 weights"
    short = comparators.omp(X, y, 3)  # the residual vanishes before
    assert not short.success
    assert short.message == "omp selected 2 of 6 weights, fewer than the 3 requested"
    assert comparators.least_squares_oracle(X, y, [0]).success
    assert repr(comparators.lasso_path(X, y)) == "LassoPath(d=6, 2 supports of up to 2 weights)"
