"""match_networks: the formula, the symmetries, and exactness far below 1e-8."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

import planted


def reference_error(found, truth):
    """The formula of the docstring with matrices written out, and a square assignment with dummies."""
    one, two = found.kink_form(), truth.kink_form()

    def tensors(form):
        c = form.strengths.reshape(form.n_lines, -1)
        return [np.multiply.outer(np.outer(u, u), c[i]) for i, u in enumerate(form.directions.T)]

    left, right = tensors(one), tensors(two)
    a, b = len(left), len(right)
    cost = np.zeros((a + b, a + b))
    for i in range(a):
        cost[i, b:] = (left[i] ** 2).sum()
        for j in range(b):
            cost[i, j] = ((left[i] - right[j]) ** 2).sum()
    for j in range(b):
        cost[a:, j] = (right[j] ** 2).sum()
    rows, cols = linear_sum_assignment(cost)
    numerator = cost[rows, cols].sum() + ((one.linear - two.linear) ** 2).sum()
    return np.sqrt(numerator / (sum((t**2).sum() for t in right) + (two.linear**2).sum()))


@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.integers(1, 5), st.integers(1, 5))
def test_error_is_the_formula(seed, outputs, m_found, m_truth):
    rng = np.random.default_rng(seed)
    options = {"n_outputs": outputs, "rng": rng}
    truth = planted.sparse_network(4, m_truth, 2 * m_truth, signs="mixed" if m_truth > 1 else "positive", **options)
    found = planted.sparse_network(4, m_found, 3 * m_found, signs="mixed" if m_found > 1 else "positive", **options)
    match = planted.match_networks(found, truth)
    assert match.weight_error == pytest.approx(reference_error(found, truth), rel=1e-10, abs=1e-12)
    assert not match.exact or match.weight_error <= 1e-6


@given(st.integers(0, 10**6), st.sampled_from([1, 2]))
def test_symmetries_of_a_neuron_list_do_not_count(seed, outputs):
    rng = np.random.default_rng(seed)
    net = planted.sparse_network(6, 5, 12, signs="mixed", n_outputs=outputs, rng=rng)
    order, scale = rng.permutation(5), rng.uniform(0.1, 10.0, 5)
    other = planted.ReLUNetwork([(net.hidden * scale)[:, order], (net.output.T / scale).T[order]])
    match = planted.match_networks(other, net, atol=1e-14)
    assert match.exact
    assert (match.support_precision, match.support_recall) == (1.0, 1.0)


def test_two_lists_of_neurons_with_one_function_match_exactly():
    # relu(z) = z + relu(-z): reverse a neuron, and let one-entry neurons carry the linear part
    u = np.array([0.3, -1.2, 0.0, 2.1])
    truth = planted.ReLUNetwork([np.stack([u, [0.0, 1.0, 1.0, 0.0]], axis=1), np.array([1.0, -1.0])])
    active = np.eye(4)[:, u != 0] * u[u != 0]
    hidden = np.hstack([[[0.0], [2.0], [2.0], [0.0]], -u[:, None], active, -active])
    other = planted.ReLUNetwork([hidden, np.concatenate([[-0.5], [1.0], np.ones(3), -np.ones(3)])])
    assert other.n_neurons == 8
    assert truth.n_neurons == 2
    X = np.random.default_rng(0).standard_normal((50, 4))
    np.testing.assert_allclose(other(X), truth(X), rtol=1e-13, atol=1e-13)
    assert planted.match_networks(other, truth, atol=1e-15).exact
    assert planted.match_networks(truth, other, atol=1e-15).exact


def test_two_lists_of_one_size_and_sparsity_match_exactly():
    # one-entry neurons that are there anyway take the linear part: all outputs are +1 on both sides
    axes = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    one = planted.ReLUNetwork([np.hstack([[[0.5], [-1.0]], axes * [2.0, 3.0, 2.0, 3.0]]), np.ones(5)])
    two = planted.ReLUNetwork([np.hstack([[[-0.5], [1.0]], axes * [2.5, 2.5, 1.0, 4.0]]), np.ones(5)])
    assert one.sparsity == two.sparsity == 6
    assert planted.match_networks(one, two, atol=1e-15).exact


def test_a_reversed_neuron_alone_is_another_function():
    u = np.array([0.3, -1.2, 0.0, 2.1])
    reversed_only = planted.ReLUNetwork([-u[:, None], np.ones(1)])
    match = planted.match_networks(reversed_only, planted.ReLUNetwork([u[:, None], np.ones(1)]))
    assert not match.exact
    assert (match.support_precision, match.support_recall) == (1.0, 1.0)
    # |b - b*|^2 = |u|^2 against |u|^2 + |u|^2 / 4
    assert match.weight_error == pytest.approx(np.sqrt(1 / 1.25), rel=1e-14)


@pytest.mark.parametrize("angle", [1e-5, 1e-8, 1e-11, 1e-14])
def test_small_errors_keep_their_digits(angle):
    # one neuron u of length 1 turned by t: sin^2 of the lines' distance, and |b - b*| = chord / 2
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((40, 2)))
    turned = np.cos(angle) * q[:, 0] + np.sin(angle) * q[:, 1]
    truth = planted.ReLUNetwork([q[:, :1], np.ones(1)])
    found = planted.ReLUNetwork([turned[:, None], np.ones(1)])
    expected = np.sqrt((2 * np.sin(angle) ** 2 + np.sin(angle / 2) ** 2) / 1.25)
    error = planted.match_networks(found, truth).weight_error
    assert error == pytest.approx(expected, rel=1e-2 if angle < 1e-13 else 1e-4)


@pytest.mark.parametrize("relative", [1e-7, 1e-10, 1e-13])
def test_strength_errors_keep_their_digits(relative):
    net = planted.sparse_network(20, 6, 40, rng=0)
    louder = planted.ReLUNetwork([net.hidden, net.output * (1 + relative)])
    assert planted.match_networks(louder, net).weight_error == pytest.approx(relative, rel=1e-2)
    assert planted.match_networks(louder, net, atol=1.1 * relative).exact
    assert not planted.match_networks(louder, net, atol=0.9 * relative).exact


@pytest.mark.parametrize("power", [-150, 0, 150])
def test_error_is_scale_free(power):
    truth = planted.sparse_network(6, 3, 9, rng=0)
    found = planted.sparse_network(6, 3, 9, rng=1)
    scaled = [planted.ReLUNetwork([net.hidden * 10.0**power, net.output]) for net in (found, truth)]
    plain = planted.match_networks(found, truth).weight_error
    assert planted.match_networks(*scaled).weight_error == pytest.approx(plain, rel=1e-12)


def test_supports_are_counted_on_matched_lines():
    truth = planted.ReLUNetwork([np.array([[3.0, 0.0], [3.0, 0.0], [0.0, 1.0]]), np.ones(2)])
    found = planted.ReLUNetwork([np.array([[0.0, 3.0, 0.0], [0.0, 3.0, 0.1], [1.0, 0.5, 0.0]]), np.ones(3)])
    match = planted.match_networks(found, truth)
    # found 1 + 3 + 1 entries, of which 1 + 2 are right; the last neuron is alone
    assert match.support_precision == pytest.approx(3 / 5)
    assert match.support_recall == 1.0
    assert not match.exact


def test_a_tiny_extra_entry_or_line_is_not_exact():
    truth = planted.ReLUNetwork([np.array([[1.0], [1.0], [0.0]]), np.ones(1)])
    entry = planted.ReLUNetwork([np.array([[1.0], [1.0], [1e-9]]), np.ones(1)])
    line = planted.ReLUNetwork([np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1e-9]]), np.ones(2)])
    for found in (entry, line):
        match = planted.match_networks(found, truth)
        assert match.weight_error < 1e-8
        assert match.same_function
        assert not match.exact
        assert match.support_precision < 1.0
        assert match.support_recall == 1.0


def test_opposite_strengths_are_left_apart():
    truth = planted.ReLUNetwork([np.array([[1.0], [0.0]]), np.ones(1)])
    found = planted.ReLUNetwork([np.array([[1.0], [0.0]]), -np.ones(1)])
    match = planted.match_networks(found, truth)
    # apart: 1 + 1 for the lines, 1 for the linear parts
    assert match.weight_error == pytest.approx(np.sqrt(3 / 1.25), rel=1e-14)
    assert (match.support_precision, match.support_recall) == (0.0, 0.0)


def test_zero_functions():
    zero = planted.ReLUNetwork([np.zeros((2, 0)), np.zeros(0)])
    also_zero = planted.ReLUNetwork([np.zeros((2, 5)), np.ones(5)])
    net = planted.ReLUNetwork([np.eye(2), np.ones(2)])
    assert planted.match_networks(zero, also_zero) == planted.NetworkMatch(0.0, 1.0, 1.0, True, True)
    assert planted.match_networks(net, zero) == planted.NetworkMatch(np.inf, 0.0, 1.0, False, False)
    assert planted.match_networks(zero, net) == planted.NetworkMatch(1.0, 1.0, 0.0, False, False)


def test_forms_and_devices(backend):
    net = planted.sparse_network(6, 4, 10, signs="mixed", rng=7)
    moved = planted.ReLUNetwork([backend.put(layer) for layer in net.layers])
    assert planted.match_networks(moved, net, atol=0.0).exact
    assert planted.match_networks(moved.kink_form(), net.kink_form(), atol=0.0).exact
    column = planted.ReLUNetwork([net.hidden, net.output[:, None]])
    assert planted.match_networks(column, net).exact  # one output, kept as a column


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"truth": planted.ReLUNetwork([np.eye(3), np.ones(3)])}, ValueError, "2 inputs and truth has 3"),
        ({"truth": planted.ReLUNetwork([np.eye(2), np.ones((2, 3))])}, ValueError, "1 outputs and truth has 3"),
        ({"truth": planted.ReLUNetwork([np.eye(2), np.eye(2), np.ones(2)])}, ValueError, "hidden layers"),
        ({"found": np.eye(2)}, TypeError, "found is of type ndarray"),
        ({"atol": -1.0}, ValueError, "atol=-1"),
        ({"atol": "small"}, TypeError, "atol='small'"),
    ],
)
def test_refusals(change, error, words):
    net = planted.ReLUNetwork([np.eye(2), np.ones(2)])
    with pytest.raises(error, match=words):
        planted.match_networks(**{"found": net, "truth": net, **change})


def test_match_supports(backend):
    match = planted.match_supports(backend.put([3, 1, 7, 9]), [1, 3, 4])
    assert match == planted.SupportMatch(precision=0.5, recall=2 / 3, exact=False)
    assert planted.match_supports([2, 1], backend.put([1, 2])).exact
    assert planted.match_supports([], []) == planted.SupportMatch(1.0, 1.0, True)
    assert planted.match_supports([], [1]) == planted.SupportMatch(1.0, 0.0, False)
    with pytest.raises(TypeError, match="found has dtype float64"):
        planted.match_supports(np.array([0.5]), [1])
