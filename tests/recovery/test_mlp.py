"""Forward and backward passes of several networks at once, against finite differences and plain versions."""

from __future__ import annotations

import numpy as np
import pytest
import standin

import planted
from recovery.mlp.losses import loss_and_gradient
from recovery.mlp.masks import Compact, live_neurons
from recovery.mlp.passes import Passes, Shapes
from recovery.mlp.training import Adam

CASES = [
    ("squared", (4,), 1),
    ("squared", (4, 3), 1),
    ("squared", (4,), 3),
    ("squared", (5, 4, 3), 2),
    ("cross_entropy", (4,), 3),
    ("cross_entropy", (4, 3), 2),
]


def problem(loss, widths, k, count=2, n=23, d=5, seed=0):
    rng = np.random.default_rng(seed)
    shapes = Shapes.of_widths(d, widths, k)
    targets = rng.standard_normal((count, n, k))
    if loss == "cross_entropy":
        targets = (targets == targets.max(axis=2, keepdims=True)).astype(float)
    return shapes, rng.standard_normal((count, shapes.size)), rng.standard_normal((n, d)), targets


def plain_outputs(shapes, flat, X):
    """One network, layer by layer, as loops over layers of the whole data."""
    *hidden, last = shapes.split(flat)
    for layer in hidden:
        X = np.where(X @ layer > 0, X @ layer, 0.0)
    return X @ last


def plain_loss(loss, shapes, flat, X, targets):
    f = plain_outputs(shapes, flat, X)
    if loss == "squared":
        return 0.5 * ((f - targets) ** 2).sum() / len(X)
    return (np.log(np.exp(f).sum(axis=1)) - (targets * f).sum(axis=1)).mean()


def test_shapes_split_a_vector_into_views_of_the_layers():
    shapes = Shapes.of_widths(3, (4, 2), 1)
    assert shapes.layers == ((3, 4), (4, 2), (2, 1))
    assert shapes.size == 22
    flat = np.arange(44.0).reshape(2, 22)
    parts = shapes.split(flat)
    assert [part.shape for part in parts] == [(2, 3, 4), (2, 4, 2), (2, 2, 1)]
    parts[1][0, 0, 0] = -1.0
    assert flat[0, 12] == -1.0
    np.testing.assert_array_equal(np.concatenate([part.reshape(2, -1) for part in parts], axis=1), flat)


@pytest.mark.parametrize(("loss", "widths", "k"), CASES)
@pytest.mark.parametrize("own_inputs", [False, True])
def test_gradients_are_those_of_central_differences(loss, widths, k, own_inputs):
    shapes, weights, X, targets = problem(loss, widths, k)
    inputs = np.stack([X, X[::-1]]) if own_inputs else X
    value, gradient = Passes(shapes, weights, loss).gradient(weights, inputs, targets)
    step = 1e-6
    for b in range(2):
        x = inputs[b] if own_inputs else X
        assert value[b] == pytest.approx(plain_loss(loss, shapes, weights[b], x, targets[b]), rel=1e-13)
        expected = np.empty(shapes.size)
        for i in range(shapes.size):
            move = np.zeros(shapes.size)
            move[i] = step
            up, down = (plain_loss(loss, shapes, weights[b] + sign * move, x, targets[b]) for sign in (1, -1))
            expected[i] = (up - down) / (2 * step)
        # step^2 for the truncation, eps / step for the rounding of the losses
        np.testing.assert_allclose(gradient[b], expected, atol=2e-8)


@pytest.mark.parametrize(("loss", "widths", "k"), CASES)
def test_networks_at_once_are_the_networks_one_at_a_time(backend, loss, widths, k):
    shapes, weights, X, targets = problem(loss, widths, k, count=3)
    put = backend.put
    value, gradient = Passes(shapes, put(weights), loss).gradient(put(weights), put(X), put(targets))
    outputs = Passes(shapes, put(weights), loss).outputs(put(weights), put(X))
    for b in range(3):
        one = weights[b : b + 1]
        alone_value, alone = Passes(shapes, put(one), loss).gradient(put(one), put(X), put(targets[b : b + 1]))
        np.testing.assert_allclose(backend.get(value)[b], backend.get(alone_value)[0], rtol=1e-13)
        np.testing.assert_allclose(backend.get(gradient)[b], backend.get(alone)[0], atol=1e-14)
        np.testing.assert_allclose(backend.get(outputs)[b], plain_outputs(shapes, weights[b], X), atol=1e-13)


@pytest.mark.parametrize(("loss", "widths", "k"), CASES)
def test_blocks_of_rows_change_nothing(loss, widths, k):
    shapes, weights, X, targets = problem(loss, widths, k, n=101)
    whole, parts = Passes(shapes, weights, loss), Passes(shapes, weights, loss, block_rows=9)
    for _ in range(2):  # the second time on used work space
        value, gradient = whole.gradient(weights, X, targets)
        other_value, other = parts.gradient(weights, X, targets)
        np.testing.assert_allclose(other_value, value, rtol=1e-13)
        np.testing.assert_allclose(other, gradient, atol=1e-13)
        np.testing.assert_allclose(parts.outputs(weights, X), whole.outputs(weights, X), atol=1e-13)


def test_where_memory_runs_out_smaller_blocks_are_used_and_said_so(monkeypatch):
    shapes, weights, X, targets = problem("squared", (4,), 2, n=300)
    expected = Passes(shapes, weights).gradient(weights, X, targets)[1].copy()
    outputs, forward = Passes(shapes, weights).outputs(weights, X), Passes._forward

    def scarce(self, layers, rows):
        if rows.shape[-2] > limit:
            raise MemoryError("no room")
        return forward(self, layers, rows)

    monkeypatch.setattr(Passes, "_forward", scarce)
    limit, passes = 150, Passes(shapes, weights)
    with pytest.warns(RuntimeWarning, match="300 rows of 2 network.* did not fit .* blocks of 150 rows"):
        _, gradient = passes.gradient(weights, X, targets)
    np.testing.assert_allclose(gradient, expected, atol=1e-13)
    assert passes.block_rows == 150
    passes = Passes(shapes, weights)
    with pytest.warns(RuntimeWarning, match="did not fit"):
        found = passes.outputs(weights, X)
    np.testing.assert_allclose(found, outputs, atol=1e-13)
    limit = 10
    with pytest.warns(RuntimeWarning, match="did not fit"), pytest.raises(MemoryError, match="64 rows of 2 network"):
        passes.gradient(weights, X, targets)


def test_outputs_are_those_of_a_relu_network():
    shapes, weights, X, _ = problem("squared", (4, 3), 2)
    network = planted.ReLUNetwork(shapes.split(weights[1]))
    np.testing.assert_allclose(Passes(shapes, weights).outputs(weights, X)[1], network(X), atol=1e-13)


def test_the_derivative_of_relu_at_zero_is_zero():
    shapes = Shapes.of_widths(1, (1,), 1)
    weights = np.array([[0.0, 1.0]])
    _, gradient = Passes(shapes, weights).gradient(weights, np.ones((1, 1)), np.ones((1, 1, 1)))
    np.testing.assert_array_equal(gradient, [[0.0, 0.0]])


def test_factor_scales_the_gradient_only():
    shapes, weights, X, targets = problem("squared", (4,), 3)
    value, gradient = Passes(shapes, weights).gradient(weights, X, targets)
    same, double = Passes(shapes, weights, factor=2.0).gradient(weights, X, targets)
    np.testing.assert_array_equal(same, value)
    np.testing.assert_allclose(double, 2 * gradient, rtol=1e-14)


def test_float32_stays_float32():
    shapes, weights, X, targets = problem("cross_entropy", (4, 3), 2)
    small = [item.astype(np.float32) for item in (weights, X, targets)]
    value, gradient = Passes(shapes, small[0], "cross_entropy").gradient(*small)
    assert value.dtype == gradient.dtype == np.float32
    np.testing.assert_allclose(
        gradient, Passes(shapes, weights, "cross_entropy").gradient(weights, X, targets)[1], atol=1e-5
    )


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_an_update_does_not_synchronise(loss):
    shapes, weights, X, targets = problem(loss, (4, 3), 2)
    weights, X, targets = (standin.device(item) for item in (weights, X, targets))
    passes, adam = Passes(shapes, weights, loss), Adam(weights)
    with standin.count_syncs() as counted:
        for _ in range(3):
            _, gradient = passes.gradient(weights, X, targets)
            adam.step(weights, gradient, 1e-3)
    assert not counted


def test_against_the_autograd_and_the_adam_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for loss, widths, k in CASES:
        shapes, weights, X, targets = problem(loss, widths, k, count=1)
        theirs = [torch.tensor(layer[0].copy(), requires_grad=True) for layer in shapes.split(weights)]
        optimiser = torch.optim.Adam(theirs, lr=1e-2)
        passes, adam = Passes(shapes, weights, loss, factor=2.0 / k if loss == "squared" else 1.0), Adam(weights)
        for _ in range(20):
            hidden = torch.tensor(X)
            for layer in theirs[:-1]:
                hidden = torch.relu(hidden @ layer)
            outputs, wanted = hidden @ theirs[-1], torch.tensor(targets[0])
            criterion = torch.nn.MSELoss() if loss == "squared" else torch.nn.CrossEntropyLoss()
            value = criterion(outputs, wanted)
            optimiser.zero_grad()
            value.backward()
            _, gradient = passes.gradient(weights, X, targets)
            flat = np.concatenate([layer.grad.numpy().ravel() for layer in theirs])
            np.testing.assert_allclose(gradient[0], flat, atol=1e-12)
            optimiser.step()
            adam.step(weights, gradient, 1e-2)
        flat = np.concatenate([layer.detach().numpy().ravel() for layer in theirs])
        np.testing.assert_allclose(weights[0], flat, atol=1e-10)


def test_live_neurons_lie_on_a_path_of_kept_weights():
    first = np.array([[1, 1, 0, 0], [1, 0, 0, 1]], dtype=bool)  # neuron 2 hears nothing
    second = np.array([[1, 0], [0, 0], [1, 1], [0, 1]], dtype=bool)  # neuron 1 is not heard
    third = np.array([[1], [0]], dtype=bool)  # the second neuron of layer 2 is not heard, so neuron 3 is not
    inputs, one, two, outputs = live_neurons([first, second, third])
    assert one.tolist() == [True, False, False, False]
    assert two.tolist() == [True, False]
    assert inputs.tolist() == [True, True]
    assert outputs.tolist() == [True]
    assert not live_neurons([first, second, np.zeros((2, 1), dtype=bool)])[0].any()


@pytest.mark.parametrize("widths", [(6,), (6, 5), (4, 5, 3)])
@pytest.mark.parametrize("density", [0.1, 0.3, 0.9])
def test_a_compact_network_has_the_outputs_and_gradients_of_the_whole_one(backend, widths, density):
    shapes, weights, X, targets = problem("squared", widths, 2, count=4, d=7)
    keep = np.random.default_rng(1).random(weights.shape) < density
    keep[2] = False  # a network of zeros among the others
    weights = weights * keep
    small = Compact(shapes, backend.put(keep))
    assert small.shapes.size <= shapes.size
    part = small.gather(backend.put(weights))
    inputs = small.inputs_of(backend.put(X))
    _, full = Passes(shapes, weights).gradient(weights, X, targets)
    _, found = Passes(small.shapes, part).gradient(part, inputs, backend.put(targets))
    # masked gradients are what counts; what was left out has none
    spread = backend.get(small.scatter(found * small.mask, backend.put(np.zeros_like(weights))))
    np.testing.assert_allclose(spread, full * keep, atol=1e-12)
    expected = Passes(shapes, weights).outputs(weights, X)
    np.testing.assert_allclose(backend.get(Passes(small.shapes, part).outputs(part, inputs)), expected, atol=1e-12)
    np.testing.assert_array_equal(backend.get(small.scatter(part, backend.put(weights))), weights)
    assert small.live.tolist() == [bool(live_neurons(shapes.split(row))[-1].any()) for row in keep]


def test_losses_have_the_leading_axis_of_the_networks():
    _, _, _, targets = problem("squared", (4,), 2)
    assert loss_and_gradient(targets * 0, targets, "squared").value.shape == (2,)
