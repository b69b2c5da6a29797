"""On the GPU: gradient flow gives the weights of the CPU to 1e-10 in float64, and pruning gives the same masks."""

import math

import numpy as np
import pytest

from linear_lottery import gradient_flow, imp, threshold_prune

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("shape", [(300, 40), (40, 300)])
@pytest.mark.parametrize("t", [0.0, 1.5, math.inf])
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_flow_agrees_with_the_cpu(gpu, shape, t, masked):
    rng = np.random.default_rng(0)
    X, y, w0 = rng.standard_normal(shape), rng.standard_normal(shape[0]), rng.standard_normal(shape[1])
    mask = rng.random(shape[1]) < 0.6 if masked else None
    here = gradient_flow(X, y, w0, t, mask)
    there = gradient_flow(gpu.put(X), gpu.put(y), gpu.put(w0), t, None if mask is None else gpu.put(mask))
    np.testing.assert_allclose(gpu.get(there), here, rtol=0, atol=1e-10)
    if masked:
        assert np.all(gpu.get(there)[~mask] == 0.0)


def test_arrays_of_two_devices_are_refused(gpu):
    with pytest.raises(TypeError, match="different devices"):
        gradient_flow(gpu.put(np.eye(3)), np.ones(3), np.ones(3))


@pytest.mark.parametrize("shape", [(300, 120), (120, 120), (40, 90)])
@pytest.mark.parametrize("schedule", ["one-by-one", 0.2, 7, "one-shot"])
@pytest.mark.parametrize("t", [1.5, math.inf])
def test_pruning_gives_the_masks_of_the_cpu(gpu, shape, schedule, t):
    rng = np.random.default_rng(1)
    X, y, w0 = rng.standard_normal(shape), rng.standard_normal(shape[0]), rng.standard_normal(shape[1])
    here = imp(X, y, 5, w0=w0, schedule=schedule, flow_time=t)
    there = imp(gpu.put(X), gpu.put(y), 5, w0=gpu.put(w0), schedule=schedule, flow_time=t)
    assert (there.route, there.sizes) == (here.route, here.sizes)
    for name in ("masks", "order", "support", "w0"):
        assert np.array_equal(gpu.get(getattr(there, name)), getattr(here, name)), name
    scale = np.abs(here.weights).max()
    np.testing.assert_allclose(gpu.get(there.weights), here.weights, rtol=0, atol=1e-9 * scale)
    assert np.all(gpu.get(there.weights)[~here.masks] == 0.0)


def test_ties_are_decided_as_on_the_cpu(gpu):
    rng = np.random.default_rng(2)
    base, w = rng.standard_normal((60, 20)), np.where(np.arange(20) % 5 == 0, 1.0, 0.0)
    duplicated = base[:, [*range(20), 3, 3, 7, 0]]
    for X, y in ((duplicated, rng.standard_normal(60)), (base, base @ w), (np.ones((60, 9)), rng.standard_normal(60))):
        there = imp(gpu.put(X), gpu.put(y), 2)
        assert np.array_equal(gpu.get(there.order), imp(X, y, 2).order)


@pytest.mark.parametrize("exponent", [2, 4, 8])
def test_ill_conditioned_paths_are_those_of_the_cpu(gpu, exponent):
    rng = np.random.default_rng(exponent)
    left, right = np.linalg.qr(rng.standard_normal((300, 80)))[0], np.linalg.qr(rng.standard_normal((80, 80)))[0]
    X = left * np.logspace(0, -exponent, 80) @ right
    y = X @ rng.standard_normal(80) + rng.standard_normal(300)
    assert np.array_equal(gpu.get(imp(gpu.put(X), gpu.put(y), 0).order), imp(X, y, 0).order)


@pytest.mark.parametrize("tau", [0.05, 0.2, 10.0])
def test_threshold_pruning_gives_the_masks_of_the_cpu(gpu, tau):
    rng = np.random.default_rng(3)
    for shape in ((200, 40), (40, 90)):
        X, y, w0 = rng.standard_normal(shape), rng.standard_normal(shape[0]), rng.standard_normal(shape[1])
        here = threshold_prune(X, y, tau, w0=w0)
        there = threshold_prune(gpu.put(X), gpu.put(y), tau, w0=gpu.put(w0))
        assert np.array_equal(gpu.get(there.masks), here.masks)
        assert np.array_equal(gpu.get(there.order), here.order)
        losses = gpu.get(there.losses(gpu.put(X), gpu.put(y)))
        np.testing.assert_allclose(losses, here.losses(X, y), rtol=0, atol=1e-10)
