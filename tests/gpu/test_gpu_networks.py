"""Network fits on the GPU: the same support as on the CPU, values to 1e-10 in float64."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery
from recovery.networks.scalar.robust import fit_support, sign_counts

pytestmark = pytest.mark.gpu


def problem(seed, signs, n=2000, d=20, m=4, s=16):
    X = planted.gaussian_inputs(n, d, rng=1000 + seed)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=seed)
    return X, truth(X), truth


def agree(gpu, there, here):
    found = gpu.get(there.network.hidden)
    np.testing.assert_array_equal(found != 0, here.network.hidden != 0)
    np.testing.assert_allclose(found, here.network.hidden, atol=1e-10)
    np.testing.assert_array_equal(gpu.get(there.network.output), here.network.output)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("signs", ["mixed", "positive"])
def test_planted_networks_are_found_on_both(gpu, seed, signs):
    X, y, truth = problem(seed, signs)
    options = {"n_neurons": 4, "sparsity": 16, "max_iter": 300, "rng": seed}
    here = recovery.fit_network(X, y, **options, method="robust")
    there = recovery.fit_network(gpu.put(X), gpu.put(y), **options, method="robust")
    assert planted.match_networks(there.network.to("cpu"), truth, atol=1e-10).exact
    agree(gpu, there, here)


@pytest.mark.parametrize(
    "mode",
    [
        {"method": "paper"},
        {"method": "paper", "batch_size": 500},
        {"batch_size": 500},
        {"gate_update": None},
        {"solver": "htp"},
    ],
)
def test_a_few_steps_agree(gpu, mode):
    X, y, _ = problem(0, "positive")
    options = {"n_neurons": 4, "sparsity": 16, "max_iter": 4, "rng": 0, **mode}
    here = recovery.fit_network(X, y, **options, method="robust")
    there = recovery.fit_network(gpu.put(X), gpu.put(y), **options, method="robust")
    agree(gpu, there, here)
    np.testing.assert_allclose(there.history["objective"], here.history["objective"], rtol=1e-8)


def test_parts_agree(gpu):
    X, y, _ = problem(1, "mixed")
    H = np.random.default_rng(0).standard_normal((20, 6))
    idx = np.arange(0, 120, 5)
    here = fit_support(recovery.GatedOperator.from_generators(X, H), idx, y, np.zeros(24))
    operator = recovery.GatedOperator.from_generators(gpu.put(X), gpu.put(H))
    there = fit_support(operator, gpu.put(idx), gpu.put(y), gpu.put(np.zeros(24)))
    np.testing.assert_allclose(gpu.get(there), here, atol=1e-10)
    counts = (sign_counts(a, b, np.random.default_rng(0)) for a, b in ((X, y), (gpu.put(X), gpu.put(y))))
    assert next(counts) == next(counts)


def test_same_bits_twice_on_the_device(gpu):
    X, y, _ = problem(2, "mixed")
    fits = [
        recovery.fit_network(gpu.put(X), gpu.put(y), n_neurons=4, sparsity=16, max_iter=30, rng=0, method="robust")
        for _ in range(2)
    ]
    assert gpu.get(fits[0].network.hidden).tobytes() == gpu.get(fits[1].network.hidden).tobytes()
