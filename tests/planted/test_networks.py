"""ReLUNetwork: values on every array type, and rejection of layers that do not fit."""

import numpy as np
import pytest

import planted
from planted import networks

RNG = np.random.default_rng(0)
SHAPES = {
    "scalar": [(5, 4), (4,)],
    "vector": [(5, 4), (4, 3)],
    "deep": [(5, 4), (4, 6), (6, 2), (2,)],
    "empty": [(5, 0), (0,)],
    "empty vector": [(5, 0), (0, 2)],
}


def plain(layers, X):
    """The definition, one sample and one neuron at a time."""
    out = []
    for x in X:
        for layer in layers[:-1]:
            x = np.array([max(0.0, sum(x * column)) for column in layer.T])
        out.append(x @ layers[-1])
    return np.array(out)


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
def test_call_is_the_definition(backend, shapes):
    layers = [RNG.standard_normal(shape) for shape in shapes]
    X = RNG.standard_normal((7, 5))
    net = planted.ReLUNetwork([backend.put(layer) for layer in layers])
    found = backend.get(net(backend.put(X)))
    assert found.shape == (7, *shapes[-1][1:])
    np.testing.assert_allclose(found, plain(layers, X), rtol=1e-13, atol=1e-13)


def test_rows_go_through_in_blocks(backend, monkeypatch):
    layers = [RNG.standard_normal((5, 4)), RNG.standard_normal(4)]
    X = RNG.standard_normal((11, 5))
    net = planted.ReLUNetwork([backend.put(layer) for layer in layers])
    widths = []
    forward = planted.ReLUNetwork._forward
    monkeypatch.setattr(networks, "BLOCK_BYTES", 3 * 8 * 4)
    monkeypatch.setattr(
        planted.ReLUNetwork, "_forward", lambda self, rows: widths.append(rows.shape[0]) or forward(self, rows)
    )
    np.testing.assert_allclose(backend.get(net(backend.put(X))), plain(layers, X), rtol=1e-13, atol=1e-13)
    assert widths == [3, 3, 3, 2]


def test_properties(backend):
    hidden = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    net = planted.ReLUNetwork([backend.put(hidden), backend.put(np.eye(2)), backend.put(np.ones((2, 4)))])
    assert (net.n_inputs, net.n_neurons, net.n_outputs, net.depth) == (3, 2, 4, 2)
    assert net.sparsity == 13  # three in the first layer, two in the second, eight in the output layer
    np.testing.assert_array_equal(backend.get(net.support), [0, 3, 4, 6, 9, *range(10, 18)])
    single = planted.ReLUNetwork([net.hidden, net.layers[1], net.output[:, 0]])
    assert single.sparsity == 5  # a scalar output's weights do not count
    np.testing.assert_array_equal(backend.get(single.support), [0, 3, 4, 6, 9])
    assert repr(single) == "ReLUNetwork(3 -> 2 -> 2 -> 1, 5 non-zero hidden weights, float64, cpu)"
    assert net.namespace is planted.base.arrays.namespace(backend.put(hidden))
    assert repr(net) == "ReLUNetwork(3 -> 2 -> 2 -> 4, 13 non-zero weights, float64, cpu)"
    np.testing.assert_array_equal(backend.get(net.hidden), hidden)
    np.testing.assert_array_equal(backend.get(net.output), np.ones((2, 4)))


def test_weights_are_copied_and_frozen():
    hidden, output = np.ones((3, 2)), np.ones(2)
    net = planted.ReLUNetwork([hidden, output])
    hidden[:] = 7.0
    assert net(np.ones((1, 3)))[0] == 6.0
    with pytest.raises(ValueError, match="read-only"):
        net.hidden[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        net.output[0] = 1.0


def test_dtype_is_kept_or_widened():
    single = planted.ReLUNetwork([np.ones((3, 2), np.float32), np.ones(2, np.float32)])
    assert single.dtype == np.float32
    assert single(np.ones((4, 3), np.float32)).dtype == np.float32
    assert planted.ReLUNetwork([np.ones((3, 2), np.float32), np.ones(2)]).dtype == np.float64
    assert planted.ReLUNetwork([np.ones((3, 2), int), [1, 1]]).dtype == np.float64
    moved = single.to("cpu", "float64")
    assert moved.dtype == np.float64
    np.testing.assert_array_equal(moved.hidden, single.hidden)


@pytest.mark.parametrize(
    ("layers", "error", "words"),
    [
        (np.ones((2, 3, 3)), TypeError, "expected a list"),
        ("no", TypeError, "expected a list"),
        ([np.ones((3, 2))], ValueError, "at least two"),
        ([np.ones((3, 2)), np.ones(3)], ValueError, r"layers\[1\] has shape \(3,\); expected 2 row"),
        ([np.ones(3), np.ones(3)], ValueError, r"layers\[0\] has shape"),
        ([np.ones((3, 2)), np.ones((2, 1, 1))], ValueError, r"layers\[1\] has shape"),
        ([np.array([[np.nan]]), np.ones(1)], ValueError, "NaN"),
        ([np.array([["a"]]), np.ones(1)], TypeError, "real numbers"),
        ([np.ones((0, 2)), np.ones(2)], ValueError, "at least one input"),
    ],
)
def test_bad_layers_get_a_sentence(layers, error, words):
    with pytest.raises(error, match=words):
        planted.ReLUNetwork(layers)


def test_bad_inputs_get_a_sentence():
    net = planted.ReLUNetwork([np.ones((3, 2)), np.ones(2)])
    with pytest.raises(ValueError, match=r"X has shape \(4, 2\); expected \(any, 3\)"):
        net(np.ones((4, 2)))
    with pytest.raises(ValueError, match="NaN or infinite"):
        net(np.full((1, 3), np.inf))
    with pytest.raises(ValueError, match="device='tpu'"):
        net.to("tpu")


def test_devices_are_not_mixed():
    import standin

    net = planted.ReLUNetwork([standin.device(np.ones((3, 2))), standin.device(np.ones(2))])
    with pytest.raises(TypeError, match="different devices"):
        net(np.ones((1, 3)))
    with pytest.raises(TypeError, match="different devices"):
        planted.ReLUNetwork([standin.device(np.ones((3, 2))), np.ones(2)])
