"""Exact recovery on the GPU: exact where it is exact on the CPU, and the same network."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery
from recovery.networks import fit_exact
from recovery.solvers.base import Status

pytestmark = pytest.mark.gpu


def problem(signs, n=5000, d=20, m=8, s=40):
    X = planted.gaussian_inputs(n, d, rng=0)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=1)
    return X, truth(X), truth


@pytest.mark.parametrize("signs", ["mixed", "positive"])
@pytest.mark.parametrize("labels", ["f8", "f4"])
def test_planted_networks_are_exact(gpu, signs, labels):
    X, y, truth = problem(signs)
    y = y.astype(labels).astype("f8")
    fit = fit_exact(gpu.put(X), gpu.put(y), n_neurons=8, sparsity=40, rng=0)
    assert fit.status is Status.EXACT
    assert type(fit.network.hidden) is type(gpu.put(X))
    atol = 1e-11 if labels == "f8" else 1e-6
    assert planted.match_networks(fit.network.to("cpu"), truth, atol=atol).exact


def test_several_outputs_are_exact(gpu):
    X, _, scalar = problem("mixed")
    truth = planted.ReLUNetwork([scalar.hidden, np.random.default_rng(2).standard_normal((8, 3))])
    fit = recovery.fit_network(gpu.put(X), gpu.put(truth(X)), n_neurons=8, sparsity=64, rng=0)
    assert fit.status is Status.EXACT
    assert planted.match_networks(fit.network.to("cpu"), truth, atol=1e-11).exact


def test_noise_ends_as_on_the_cpu(gpu):
    X, y, truth = problem("mixed")
    noisy = y + 0.1 * y.std() * np.random.default_rng(3).standard_normal(len(y))
    errors = []
    for put in (np.asarray, gpu.put):
        fit = recovery.fit_network(put(X), put(noisy), n_neurons=8, sparsity=40, method="exact", rng=0)
        assert fit.status is Status.NO_GAIN
        assert fit.network.n_neurons <= 8
        assert fit.network.sparsity <= 40
        network = fit.network.to("cpu")
        errors.append(float(np.sqrt(((network(X) - truth(X)) ** 2).mean()) / y.std()))
    # the error that least squares on the planted support has is near .1 sqrt(40 / 5000)
    assert max(errors) < 3 * 0.1 * np.sqrt(40 / 5000)


def test_a_certificate_of_data_on_the_gpu(gpu):
    X, y, _ = problem("mixed", n=500, m=3, s=9)
    fit = recovery.fit_network(gpu.put(X), gpu.put(y), n_neurons=3, sparsity=9, certify=True, rng=0)
    assert fit.certificate.check().valid
