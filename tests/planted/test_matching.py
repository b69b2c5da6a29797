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
    lost = planted.match_networks(zero, net)
    assert 1.0 <= lost.weight_error < 1.0 + 25 * np.finfo(float).eps  # 1 and the rounding of the comparison
    assert lost == planted.NetworkMatch(lost.weight_error, 1.0, 0.0, False, False)


def test_forms_and_devices(backend):
    net = planted.sparse_network(6, 4, 10, signs="mixed", rng=7)
    moved = planted.ReLUNetwork([backend.put(layer) for layer in net.layers])
    assert planted.match_networks(moved, net, atol=0.0).exact
    assert planted.match_networks(moved.kink_form(), net.kink_form(), atol=0.0).exact
    column = planted.ReLUNetwork([net.hidden, net.output[:, None]])
    assert planted.match_networks(column, net).exact  # one output, kept as a column


def network(u, v):
    return planted.ReLUNetwork([np.array(u, dtype=float), np.array(v, dtype=float)])


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("outputs", [1, 3])
def test_neurons_that_cancel_do_not_hide_others(swap, outputs):
    # relu(x2) beside +-1e12 relu(x1), against the linear function x2 / 2
    ones = np.ones((1, outputs))
    found = network([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], np.array([[1e12], [-1e12], [1.0]]) * ones)
    truth = network([[0.0, 0.0], [0.5, -0.5]], np.array([[1.0], [-1.0]]) * ones)
    match = planted.match_networks(*((truth, found) if swap else (found, truth)))
    # the line of strength 1 against |b| = 1/2, or against the root of 1 + 1/4
    assert match.weight_error == pytest.approx(np.sqrt(0.8) if swap else 2.0, rel=1e-12)
    assert not match.same_function
    assert not match.exact
    assert found.kink_form().n_lines == 1
    line = network([[0.0], [1.0]], ones)
    assert planted.match_networks(found, line, atol=0.0).exact


@pytest.mark.parametrize(
    ("first", "second"), [(1.1e154, 1.1e154), (1e-200, 1e-200), (5e-324, 5e-324), (1.7e308, 1.7e308)]
)
def test_products_of_weights_that_leave_the_range(first, second):
    u, v = np.full((4, 1), first), [second]
    net, mirror = network(u, v), network(-u, v)
    assert planted.match_networks(net, network(u, v), atol=0.0).exact
    match = planted.match_networks(mirror, net)
    assert match.weight_error == pytest.approx(np.sqrt(0.8), rel=1e-12)  # |b - b*|^2 = c^2 against c^2 + c^2 / 4
    assert not match.same_function
    off = planted.match_networks(network(u, [second * (1 - 0.25)]), net)
    assert off.weight_error == pytest.approx(0.0 if second == 5e-324 else 0.25, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("power", [-1000, -500, 500, 1000])
def test_layers_may_differ_in_scale(power):
    net = planted.sparse_network(6, 4, 12, signs="mixed", rng=3)
    moved = network(np.ldexp(net.hidden, power), np.ldexp(net.output, -power))
    assert planted.match_networks(moved, net, atol=0.0).exact
    louder = network(np.ldexp(net.hidden, power), np.ldexp(net.output, min(power, 0)))
    match = planted.match_networks(louder, net)
    assert match.weight_error == pytest.approx(2.0**power if power > 0 else 1.0)


def test_equal_functions_have_no_error_at_all():
    # u (7 v) is rounded nowhere: whole numbers, lists of different lengths
    net = network([[3.0, -6.0, 1.0], [9.0, 2.0, 0.0]], [5.0, 1.0, -2.0])
    other = network(
        [[1.0, -3.0, 3.0, -3.0, 1.0, 1e200, 1e200], [3.0, 1.0, 9.0, 1.0, 0.0, 1.0, 1.0]],
        [3.0, 1.0, 4.0, 1.0, -2.0, 1e100, -1e100],
    )
    assert planted.match_networks(other, net, atol=0.0) == planted.NetworkMatch(0.0, 1.0, 1.0, True, True)
    last_bit = network(other.hidden, [3.0, 1.0, 4.0, 1.0, -2.0, 1e100, np.nextafter(-1e100, 0)])
    assert not planted.match_networks(last_bit, net).same_function  # 1e84 are left


def test_strong_lines_that_nearly_cancel_enter_the_error():
    # 1e9 (|x1| - |x1 + 1e-10 x2|) / 2 is of size 0.05, and its lines count as one of strength 0
    u = [[1.0, 1.0, 0.0], [0.0, 1e-10, 1.0]]
    match = planted.match_networks(network(u, [1e9, -1e9, 1.0]), network([[0.0], [1.0]], [1.0]))
    assert match.weight_error > 0.05
    assert not match.same_function
    strong = network([[0.0], [1.0]], [1e7])
    match = planted.match_networks(network(u, [1e9, -1e9, 1e7]), strong)
    assert match.same_function  # 0.14 against 1e7
    assert not match.exact


def test_lines_that_may_cancel_are_not_exact():
    # strengths 1e7 of opposite signs in directions equal to 1e-17: whether 1e-9 or nothing is left, rounding decides
    u = np.array([[0.1], [0.2], [0.3]])
    found = network(np.hstack([u, 3 * u, [[1.0], [0.0], [0.0]]]), [3e7, -1e7, 10.0])
    match = planted.match_networks(found, network([[1.0], [0.0], [0.0]], [10.0]))
    assert match.same_function
    assert not match.exact


def test_merging_and_dropping_are_paid_for():
    net = network([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    halves = network([[1.0, 1.0, 0.0], [5e-10, 0.0, 1.0]], [0.5, 0.5, 1.0])
    match = planted.match_networks(halves, net)
    # the mean direction is off by 2.5e-10 (pair and slack), the linear part by as much
    assert 2.5e-10 < match.weight_error < 1e-9
    assert match.same_function
    assert not match.exact  # one of the two halves depends on both inputs
    assert not planted.match_networks(halves, net, atol=1e-10).same_function
    weak = network([[1.0, 0.0, 1e-13], [0.0, 1.0, 1e-13]], [1.0, 1.0, 1.0])
    match = planted.match_networks(weak, net)
    assert match.exact
    assert match.weight_error > 1e-13 * np.sqrt(2) / np.sqrt(2.5)
    assert not planted.match_networks(weak, net, drop_tol=0.0).exact
    assert weak.kink_form().slack == pytest.approx(1e-13 * np.sqrt(2), rel=1e-10)
    assert planted.match_networks(weak.kink_form(), net).weight_error == pytest.approx(match.weight_error, rel=0.02)


def test_weights_that_a_budget_allows_and_the_data_do_not_need():
    truth = planted.sparse_network(20, 4, 30, rng=5)
    spare = np.array(truth.hidden)
    spare[np.nonzero(spare == 0)[0][:5], np.nonzero(spare == 0)[1][:5]] = 2e-8
    match = planted.match_networks(network(spare, truth.output), truth)
    assert match.same_function
    assert not match.exact
    assert match.support_recall == 1.0


def test_weak_lines_are_paired_beside_strong_ones():
    strengths = np.logspace(0, -9, 6)
    u = np.linalg.qr(np.random.default_rng(2).standard_normal((6, 6)))[0] + 0.3
    net = network(u, strengths)
    order = np.random.default_rng(1).permutation(6)
    match = planted.match_networks(network((u * 3)[:, order], (strengths / 3)[order]), net, atol=1e-14)
    assert match.exact
    assert (match.support_precision, match.support_recall) == (1.0, 1.0)


@given(st.integers(0, 10**6))
def test_outputs_differ_by_no_more_than_the_error_says(seed):
    rng = np.random.default_rng(seed)
    truth = planted.sparse_network(4, 3, 8, signs="mixed", rng=rng)
    found = network(truth.hidden + 10.0 ** rng.uniform(-9, 0) * rng.standard_normal((4, 3)), truth.output)
    match, form = planted.match_networks(found, truth), truth.kink_form()
    X = np.vstack([np.eye(4), rng.standard_normal((50, 4)), found.hidden.T, truth.hidden.T])
    norm = np.sqrt((form.strengths**2).sum() + (form.linear**2).sum())
    bound = np.sqrt(7) * match.weight_error * norm * np.linalg.norm(X, axis=1)
    assert (np.abs(found(X) - truth(X)) <= bound + 1e-13).all()


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
