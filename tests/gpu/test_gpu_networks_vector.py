"""Fits with several outputs or hidden layers on the GPU: the first steps agree with the CPU, fits are as good."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery

pytestmark = pytest.mark.gpu


def problem(k=3, depth=1):
    X, y, _ = planted.release_instance(4, 24, 0, n=1000, d=12, n_outputs=k, depth=depth, labels="float64")
    return X, y


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("batch_size", [None, 250])
@pytest.mark.parametrize("method", ["robust", "paper"])
def test_a_few_steps_agree(gpu, method, batch_size, loss):
    X, y = problem()
    y = y if loss == "squared" else y.argmax(axis=1)
    options = {"n_neurons": 4, "sparsity": 24, "max_iter": 6, "rng": 0, "method": method, "loss": loss}
    here = recovery.fit_network(X, y, batch_size=batch_size, **options, method="robust")
    there = recovery.fit_network(gpu.put(X), gpu.put(y), batch_size=batch_size, **options, method="robust")
    for mine, theirs in zip(here.network.layers, there.network.layers, strict=True):
        np.testing.assert_array_equal(gpu.get(theirs) != 0, mine != 0)
        np.testing.assert_allclose(gpu.get(theirs), mine, atol=1e-8)
    np.testing.assert_allclose(there.history["objective"], here.history["objective"], rtol=1e-7)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("method", ["robust", "paper"])
def test_two_hidden_layers_agree(gpu, method, k):
    X, y = problem(k, depth=2)
    options = {"n_neurons": (4, 4), "sparsity": 24, "max_iter": 4, "rng": 0, "method": method}
    here = recovery.fit_network(X, y, **options, method="robust")
    there = recovery.fit_network(gpu.put(X), gpu.put(y), **options, method="robust")
    assert gpu.get(there.network.hidden).shape == here.network.hidden.shape
    assert there.psnr_db == pytest.approx(here.psnr_db, abs=1e-3)


def test_planted_networks_are_found_on_the_device(gpu):
    X, y = problem()
    fit = recovery.fit_network(
        gpu.put(X), gpu.put(y), n_neurons=4, sparsity=24, max_iter=300, batch_size=250, rng=0, method="robust"
    )
    here = recovery.fit_network(X, y, n_neurons=4, sparsity=24, max_iter=300, batch_size=250, rng=0, method="robust")
    assert fit.psnr_db > min(60, here.psnr_db - 6)
