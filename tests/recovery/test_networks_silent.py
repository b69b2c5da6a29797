"""Fits on batches in which all neurons become inactive end with a network, not with an error."""

import numpy as np
import pytest

import recovery


@pytest.mark.parametrize("method", ["paper", "robust"])
@pytest.mark.parametrize("target", [1.0, -1.0])
def test_one_neuron_on_inputs_of_one_sign(backend, method, target):
    """A generator with h x < 0 in all rows shuts the gate of the only neuron (or of both that the search has)."""
    draw = np.random.default_rng(0)
    X, y = backend.put(1.0 + draw.random((40, 1))), backend.put(target * (1.0 + draw.random(40)))
    silent = 0
    for seed in range(8):
        fit = recovery.fit_network(
            X, y, n_neurons=1, sparsity=1, method=method, max_iter=12, batch_size=8, restarts=0, rng=seed
        )
        silent += fit.network.sparsity == 0
        assert np.isfinite(fit.psnr_db)
    assert silent > 0 or method == "robust"


def test_a_search_that_ends_without_weights_returns_the_zero_network(backend):
    draw = np.random.default_rng(0)
    X = draw.random((40, 3))
    y = (X[:, 0] > 0.5).astype(float)
    X[:, 1] *= y == 0
    options = {"n_neurons": 1, "sparsity": 1, "max_iter": 20, "batch_size": 8, "restarts": 0}
    sizes = [
        recovery.fit_network(backend.put(X), backend.put(y), rng=seed, **options, method="robust").network.sparsity
        for seed in (3, 4)
    ]
    assert sizes == [0, 1]
