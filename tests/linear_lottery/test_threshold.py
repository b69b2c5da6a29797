"""Threshold pruning: against a plain loop, its stop rule, its guarantee in two rounds, and bad input."""

import math

import numpy as np
import pytest

from linear_lottery import gradient_flow, imp, threshold_prune


def problem(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape), rng.standard_normal(shape[0]), rng.standard_normal(shape[1])


def plain_loop(X, y, tau, w0, t):
    mask, masks, order = np.ones(X.shape[1], dtype=bool), [], []
    while True:
        masks.append(mask)
        w = gradient_flow(X, y, w0, t, mask)
        small = sorted(np.flatnonzero(mask & (np.abs(w) <= tau)), key=lambda j: abs(w[j]))
        if not small:
            return masks, order
        order += [int(j) for j in small]
        mask = mask & (np.abs(w) > tau)


@pytest.mark.parametrize("shape", [(40, 12), (12, 12), (9, 25)])
@pytest.mark.parametrize("t", [math.inf, 1.3])
def test_it_is_the_plain_loop(shape, t):
    several = 0
    for seed in range(5):
        X, y, w0 = problem(shape, seed)
        for tau in (0.05, 0.3, 1.0, 50.0):
            path = threshold_prune(X, y, tau, w0=w0, flow_time=t)
            masks, order = plain_loop(X, y, tau, w0, t)
            assert np.array_equal(path.masks, masks)
            assert path.order.tolist() == order
            several += path.n_rounds > 1
            for mask, weights in zip(path.masks, path.weights, strict=True):
                assert np.abs(weights - gradient_flow(X, y, w0, t, mask)).max() <= 1e-11 * max(1, np.abs(w0).max())
            assert np.all(np.abs(path.w[path.support]) > tau)
            assert np.all(path.weights[~path.masks] == 0.0)
    assert several >= 1


def test_a_threshold_above_everything_leaves_nothing():
    X, y, _ = problem((40, 12))
    path = threshold_prune(X, y, 1e3)
    assert path.sizes == (12, 0)
    assert path.support.shape == (0,)
    assert np.array_equal(path.w, np.zeros(12))


def test_a_threshold_of_zero_drops_only_exact_zeros():
    X, y, _ = problem((40, 12))
    assert threshold_prune(X, y, 0).sizes == (12,)
    assert threshold_prune(X, np.zeros(40), 0).sizes == (12, 0)
    assert threshold_prune(np.eye(3), np.array([0.0, 1.0, 0.0]), 0.0).order.tolist() == [2, 0]


def test_equals_within_a_round_go_with_the_larger_index_first():
    path = threshold_prune(np.eye(5), np.array([1.0, -1.0, 9.0, 0.5, 1.0]), 2.0)
    assert path.order.tolist() == [3, 4, 1, 0]


def test_at_the_threshold_is_below_it():
    assert threshold_prune(np.eye(2), np.array([1.0, 2.0]), 1.0).support.tolist() == [1]


def test_max_rounds_ends_a_run():
    X, y, _ = problem((40, 12), 3)
    full = threshold_prune(X, y, 0.12)
    assert full.n_rounds >= 2
    for limit in range(full.n_rounds + 2):
        path = threshold_prune(X, y, 0.12, max_rounds=limit)
        assert path.sizes == full.sizes[: limit + 1]
        assert np.array_equal(path.masks, full.masks[: limit + 1])


def test_small_errors_mean_exact_recovery_within_two_rounds():
    """If all errors are within tau and all planted weights above 2 tau, one round drops the rest, the next nothing."""
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X, w = rng.standard_normal((60, 20)), np.zeros(20)
        w[:4] = 1.0
        xi = 0.5 * rng.standard_normal(60)
        tau = 0.999 * np.abs(w[:4]).min() / 2
        errors = [np.linalg.lstsq(X[:, :m], xi, rcond=None)[0] for m in (20, 4)]
        if max(np.abs(error).max() for error in errors) <= tau:
            held += 1
            path = threshold_prune(X, X @ w + xi, tau)
            assert path.support.tolist() == [0, 1, 2, 3]
            assert path.n_rounds <= 2
    assert 30 <= held


@pytest.mark.parametrize("c", [1e-150, 1e150])
def test_the_threshold_has_the_unit_of_the_weights(c):
    X, y, _ = problem((40, 12), 3)
    plain = threshold_prune(X, y, 0.12)
    assert np.array_equal(threshold_prune(X, c * y, 0.12 * c).masks, plain.masks)
    assert np.array_equal(threshold_prune(c * X, y, 0.12 / c).masks, plain.masks)


def test_a_threshold_beyond_all_numbers_on_the_scale_of_the_data():
    X, y, _ = problem((40, 12), 3)
    assert threshold_prune(1e150 * X, 1e-150 * y, 1e200).sizes == (12, 0)
    assert threshold_prune(X.astype(np.float32), y.astype(np.float32), 1e300).sizes == (12, 0)


@pytest.mark.parametrize("shape", [(40, 12), (9, 25)])
def test_every_backend_computes_the_same(backend, shape):
    X, y, w0 = problem(shape, 3)
    plain = threshold_prune(X, y, 0.2, w0=w0)
    path = threshold_prune(backend.put(X), backend.put(y), 0.2, w0=backend.put(w0))
    assert np.array_equal(backend.get(path.masks), plain.masks)
    assert np.array_equal(backend.get(path.order), plain.order)
    assert np.abs(backend.get(path.weights) - plain.weights).max() <= 1e-12


def test_float32_is_kept():
    X, y, w0 = (value.astype(np.float32) for value in problem((40, 12), 3))
    assert threshold_prune(X, y, 0.2, w0=w0).weights.dtype == np.float32


def test_the_first_round_is_the_first_of_pruning_by_number():
    X, y, w0 = problem((9, 25))
    assert np.array_equal(threshold_prune(X, y, 0.3, w0=w0).weights[0], imp(X, y, 3, w0=w0).weights[0])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.ones((0, 12))}, ValueError, "X is empty"),
        ({"y": np.ones(4)}, ValueError, "y has 4"),
        ({"w0": np.ones((12, 1))}, ValueError, "w0 has shape"),
        ({"tau": -0.1}, ValueError, "tau=-0.1"),
        ({"tau": math.inf}, ValueError, "tau=inf"),
        ({"tau": "small"}, TypeError, "tau='small'"),
        ({"flow_time": -1.0}, ValueError, "flow_time=-1"),
        ({"max_rounds": -1}, ValueError, "max_rounds=-1"),
        ({"max_rounds": 1.5}, TypeError, "max_rounds=1.5"),
    ],
)
def test_refusals_name_the_argument(change, error, words):
    X, y, _ = problem((40, 12))
    with pytest.raises(error, match=words):
        threshold_prune(**{"X": X, "y": y, "tau": 0.1, **change})


def test_a_run_that_its_cap_ended_says_so():
    X, y = np.eye(4), np.array([0.1, 3.0, 0.4, 2.0])
    done = threshold_prune(X, y, 0.5)
    assert done.success
    assert "max_rounds" not in done.message
    assert threshold_prune(X, y, 0.5, max_rounds=1).success  # one round is all that it takes
    stopped = threshold_prune(X, y, 0.5, max_rounds=0)
    assert not stopped.success
    assert stopped.message.endswith("max_rounds was reached while some weights were still small enough to prune")
    assert stopped.sizes == (4,)
