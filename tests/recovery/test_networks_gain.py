"""The stop for "no further gain": noise is recognised, and structure is not taken for noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

import planted
import recovery
from planted import ReLUNetwork
from recovery import Status
from recovery.networks.gain import SPREADS, _gates_that_tell, looks_like_noise


def noisy(seed, n=1000, d=20, m=4, s=16, share=0.1):
    X = planted.gaussian_inputs(n, d, rng=1000 + seed)
    truth = planted.sparse_network(d, m, s, signs="mixed", rng=seed)
    y = truth(X)
    return X, y + share * y.std() * np.random.default_rng(seed).standard_normal(n), truth


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_of_noisy_data_says_that_nothing_is_left_to_gain(seed):
    X, y, _ = noisy(seed)
    fit = recovery.fit_network(X, y, n_neurons=4, sparsity=16, rng=seed, method="robust")
    assert fit.status is Status.NO_GAIN
    assert fit.status.success
    assert fit.message.startswith("no further gain: more search found nothing better, and the residual looks like")
    residual = y - fit.network(X)
    # no more is left than the noise, of 0.1 standard deviations of the noise-free y
    assert residual.std() <= 0.1 * y.std() * 1.05


@pytest.mark.parametrize("seed", range(3))
def test_several_outputs(seed):
    X = planted.gaussian_inputs(1500, 10, rng=seed)
    truth = planted.sparse_network(10, 3, 20, n_outputs=2, signs="mixed", rng=seed)
    y = truth(X)
    y = y + 0.1 * y.std() * np.random.default_rng(seed).standard_normal(y.shape)
    fit = recovery.fit_network(X, y, n_neurons=3, sparsity=20, max_iter=400, rng=seed, method="robust")
    exact = recovery.fit_network(X, truth(X), n_neurons=1, sparsity=4, max_iter=400, rng=seed, method="robust")
    assert fit.status in (Status.NO_GAIN, Status.STALLED, Status.STEP_LIMIT)
    assert exact.status is not Status.NO_GAIN


@pytest.mark.parametrize("seed", range(4))
def test_a_fit_that_misses_structure_does_not_say_so(seed):
    """Two neurons and five weights where four neurons and twenty weights made the data, without noise."""
    X, y, _ = noisy(seed, 400, 8, 4, 20, share=0.0)
    fit = recovery.fit_network(X, y, n_neurons=2, sparsity=5, max_iter=120, rng=seed, method="robust")
    assert fit.status in (Status.STALLED, Status.STEP_LIMIT)
    assert not fit.status.success


@pytest.mark.parametrize("method", ["robust", "paper"])
def test_the_step_limit_names_the_argument_that_is_there(method):
    X, y, _ = noisy(0)
    fit = recovery.fit_network(X, y, n_neurons=4, sparsity=16, max_iter=3, method=method, rng=0)
    assert fit.status is Status.STEP_LIMIT
    assert "(max_iter=3)" in fit.message
    assert "n_iter" not in fit.message
    pair = recovery.fit_network(
        X, np.stack([y, -y], axis=1), n_neurons=4, sparsity=20, max_iter=3, method=method, rng=0
    )
    assert "(max_iter=3)" in pair.message
    found = recovery.solve(X, y, 3, "niht", max_iter=1, tol=0.0)
    assert "(max_iter=1)" in found.message


def test_the_released_method_makes_all_its_steps_whatever_the_data():
    X, y, _ = noisy(0)
    fit = recovery.fit_network(X, y, n_neurons=4, sparsity=16, max_iter=40, method="paper", rng=0)
    assert fit.n_iter == 40


def test_random_signs_leave_the_expected_sum_that_the_rule_uses(backend):
    """E T(e * r) by enumerating all signs of a few rows; and T = E T is the border of the rule."""
    rng = np.random.default_rng(0)
    X, r = rng.standard_normal((8, 2)), rng.standard_normal(8)
    columns = X / np.linalg.norm(X, axis=0)
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * 8)).reshape(8, -1)
    mean = ((columns.T @ (signs * r[:, None])) ** 2).sum(axis=0).mean()
    assert mean == pytest.approx(float((r**2 * (columns**2).sum(axis=1)).sum()), rel=1e-12)
    # the same rule through the door: no neuron, so the columns are those of X
    X, y = rng.standard_normal((300, 2)), rng.standard_normal(300)
    columns = X / np.linalg.norm(X, axis=0)
    nothing = ReLUNetwork([backend.put(np.zeros((2, 0))), backend.put(np.zeros(0))])
    for angle in np.linspace(0.0, 0.3, 13):
        target = y + angle * X[:, 0]
        explained, chance = ((columns.T @ target) ** 2).sum(), (target**2 * (columns**2).sum(axis=1)).sum()
        assert looks_like_noise(backend.put(X), backend.put(target), nothing) == (explained <= chance)


def test_the_excess_of_structure_and_the_spread_of_noise_are_as_stated():
    rng = np.random.default_rng(1)
    n, size = 600, 200
    ratios, noises = [], []
    for _ in range(60):
        A = rng.standard_normal((n, size))
        A /= np.linalg.norm(A, axis=0)
        for r, where in ((A @ rng.standard_normal(size), ratios), (rng.standard_normal(n), noises)):
            where.append(((A.T @ r) ** 2).sum() / (r**2 * (A**2).sum(axis=1)).sum())
    # means over 60 draws whose spread is about 0.1 and 0.15
    assert np.mean(ratios) == pytest.approx(1 + n / size, abs=0.1)
    assert np.mean(noises) == pytest.approx(1.0, abs=0.06)
    assert np.std(noises) == pytest.approx(math.sqrt(2 * (1 + n / size) / n), rel=0.35)


def test_too_few_rows_give_no_verdict():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 10)), rng.standard_normal(12)
    assert not looks_like_noise(X, y, ReLUNetwork([np.zeros((10, 0)), np.zeros(0)]))
    assert _gates_that_tell(12, 10, 3) == -1
    few, many = _gates_that_tell(200, 20, 50), _gates_that_tell(5000, 20, 50)
    assert 0 < few < many <= 50
    rows = 200 / (20 * (few + 2))
    assert 0.5 * rows < SPREADS * math.sqrt(2 * (1 + rows) / 200)
