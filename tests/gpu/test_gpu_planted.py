"""What `planted` computes on a GPU agrees with the CPU: same support, values to 1e-10."""

import numpy as np
import pytest

import planted

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("depth", [1, 2])
def test_networks(gpu, outputs, depth):
    net = planted.sparse_network(40, 30, 90, n_outputs=outputs, depth=depth, signs="mixed", rng=0)
    X = planted.gaussian_inputs(500, 40, rng=1)
    there = net.to("gpu")
    assert there.device == "gpu"
    assert there.sparsity == net.sparsity
    assert repr(there) == repr(net).replace("cpu", "gpu")
    np.testing.assert_allclose(gpu.get(there(gpu.put(X))), net(X), rtol=1e-10, atol=1e-10)
    back = there.to("cpu")
    for one, two in zip(back.layers, net.layers, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("outputs", [1, 3])
def test_kink_form_and_match(gpu, outputs):
    net = planted.sparse_network(40, 30, 90, n_outputs=outputs, signs="mixed", rng=0)
    form, there = net.kink_form(), net.to("gpu").kink_form()
    assert there.supports == form.supports
    X = planted.gaussian_inputs(500, 40, rng=1)
    np.testing.assert_allclose(gpu.get(there(gpu.put(X))), form(X), rtol=1e-10, atol=1e-10)
    assert planted.match_networks(net.to("gpu"), net, atol=0.0).exact


def test_empty_network(gpu):
    net = planted.ReLUNetwork([gpu.put(np.zeros((4, 0))), gpu.put(np.zeros(0))])
    X = gpu.put(np.ones((3, 4)))
    np.testing.assert_array_equal(gpu.get(net(X)), np.zeros(3))
    np.testing.assert_array_equal(gpu.get(net.kink_form()(X)), np.zeros(3))


def test_models_and_inputs_are_the_same_draws(gpu):
    pairs = [
        (planted.gaussian_inputs(20, 5, rng=0), planted.gaussian_inputs(20, 5, rng=0, device="gpu")),
        *zip(
            planted.gated_model(20, 5, 6, 4, rng=0), planted.gated_model(20, 5, 6, 4, rng=0, device="gpu"), strict=True
        ),
        *zip(planted.linear_model(20, 5, 2, rng=0), planted.linear_model(20, 5, 2, rng=0, device="gpu"), strict=True),
    ]
    assert len(pairs) == 8
    for here, there in pairs:
        np.testing.assert_array_equal(here, gpu.get(there))


def test_fourier_features(gpu):
    points = planted.pixel_coordinates((12, 12))
    here = planted.fourier_features(points, 100, 2.0, rng=0)
    there = planted.fourier_features(gpu.put(points), 100, 2.0, rng=0)
    np.testing.assert_allclose(gpu.get(there), here, rtol=0, atol=1e-10)


def test_match_supports(gpu):
    assert planted.match_supports(gpu.put(np.array([2, 1])), [1, 2]).exact
