"""The kink form determines the function, and the function determines the kink form."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standin import count_syncs

import planted
from planted import kinks


def tangled(rng, d=5, m=4, outputs=None):
    """Neurons of which many share a line, in either orientation, some of them zero."""
    u = rng.standard_normal((d, m)) * (rng.random((d, m)) < 0.7)
    scale = rng.choice([-3.0, -1.0, 0.5, 2.0], size=m)
    u = np.hstack([u, u * scale, u[:, :1], np.zeros((d, 1))])
    v = rng.choice([-1.0, 1.0], size=(u.shape[1], outputs or 1)) * rng.uniform(0.5, 2.0, (u.shape[1], outputs or 1))
    v[m // 2] = 0.0
    order = rng.permutation(u.shape[1])
    return u[:, order], (v[order] if outputs else v[order, 0])


@given(st.integers(0, 10**6), st.sampled_from([None, 1, 3]))
def test_form_is_the_function(seed, outputs):
    rng = np.random.default_rng(seed)
    u, v = tangled(rng, outputs=outputs)
    net = planted.ReLUNetwork([u, v])
    form = net.kink_form()
    X = rng.standard_normal((20, 5))
    np.testing.assert_allclose(form(X), net(X), rtol=1e-12, atol=1e-12)
    assert form.strengths.shape == (form.n_lines, *v.shape[1:])
    assert form.linear.shape == (5, *v.shape[1:])
    assert form.n_lines <= 4
    np.testing.assert_allclose(np.linalg.norm(form.directions, axis=0), 1.0, rtol=1e-14)
    for one, two in itertools.combinations(form.directions.T, 2):
        assert min(np.linalg.norm(one - two), np.linalg.norm(one + two)) > 1e-9


@given(st.integers(0, 10**6))
def test_form_does_not_see_order_or_scale_of_neurons(seed):
    rng = np.random.default_rng(seed)
    u, v = tangled(rng)
    order, scale = rng.permutation(v.size), rng.uniform(0.1, 10.0, v.size)
    one = planted.ReLUNetwork([u, v]).kink_form()
    two = planted.ReLUNetwork([(u * scale)[:, order], (v / scale)[order]]).kink_form()
    assert one.n_lines == two.n_lines
    assert sorted(one.supports) == sorted(two.supports)
    np.testing.assert_allclose(one.linear, two.linear, rtol=1e-12, atol=1e-12)
    overlap = one.directions.T @ two.directions  # canonical signs: +1 for equal lines
    partner = overlap.argmax(axis=1)
    assert sorted(partner) == list(range(one.n_lines))
    np.testing.assert_allclose(one.directions, two.directions[:, partner], rtol=0, atol=1e-14)
    np.testing.assert_allclose(one.strengths, two.strengths[partner], rtol=1e-11, atol=1e-11)


def test_two_neurons_by_hand():
    # 2 relu(3x + 4y) - relu(-3x - 4y) + relu(x): strengths 2*5 - 5 = 5 and 1
    net = planted.ReLUNetwork([np.array([[3.0, -3.0, 1.0], [4.0, -4.0, 0.0]]), np.array([2.0, -1.0, 1.0])])
    form = net.kink_form()
    assert form.n_lines == 2
    np.testing.assert_allclose(form.directions[:, 0], [0.6, 0.8], rtol=1e-15)
    np.testing.assert_allclose(form.strengths, [5.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(form.linear, 0.5 * (2 * np.array([3, 4]) + np.array([3, 4]) + np.array([1, 0])))
    assert form.supports == ((0, 1), (0,))
    assert repr(form) == "KinkForm(2 lines in 2 inputs, 1 output(s))"


@given(st.integers(0, 10**6))
def test_form_is_read_off_function_values(seed):
    """Another way to the form: second differences across each line, and the odd part of f."""
    rng = np.random.default_rng(seed)
    u, v = tangled(rng)
    net = planted.ReLUNetwork([u, v])
    form = net.kink_form()
    for line, direction in enumerate(form.directions.T):
        point = rng.standard_normal(5)
        point -= direction * (direction @ point)  # on this line, and away from all the others
        distance = np.abs(np.delete(form.directions, line, axis=1).T @ point).min(initial=1.0)
        if distance < 1e-3:
            continue
        step = 0.5 * distance
        values = net(np.stack([point + step * direction, point, point - step * direction]))
        jump = (values[0] - 2 * values[1] + values[2]) / step
        assert jump == pytest.approx(form.strengths[line], rel=1e-9, abs=1e-9)
    odd = 0.5 * (net(np.eye(5)) - net(-np.eye(5)))
    np.testing.assert_allclose(odd, form.linear, rtol=1e-12, atol=1e-12)


def test_opposite_neurons_cancel_into_a_linear_function():
    u = np.array([[0.3, -0.3], [0.7, -0.7]])
    form = planted.ReLUNetwork([u, np.array([1.0, -1.0])]).kink_form()
    assert form.n_lines == 0
    np.testing.assert_array_equal(form.linear, [0.3, 0.7])


@pytest.mark.parametrize(("angle", "lines"), [(0.0, 1), (1e-11, 1), (9e-10, 1), (1.1e-9, 2), (1e-8, 2), (1e-7, 2)])
@pytest.mark.parametrize("orientation", [1.0, -1.0])
def test_lines_are_told_apart_at_the_tolerance(angle, lines, orientation):
    # 1 - cos(1e-9) is 5e-19: only differences of unit vectors can tell
    rng = np.random.default_rng(5)
    q, _ = np.linalg.qr(rng.standard_normal((30, 2)))
    near = orientation * (np.cos(angle) * q[:, 0] + np.sin(angle) * q[:, 1])
    net = planted.ReLUNetwork([np.stack([2.0 * q[:, 0], near], axis=1), np.ones(2)])
    form = net.kink_form()
    assert form.n_lines == lines
    assert net.kink_form(angle_tol=10 * angle).n_lines == 1
    if lines == 1:  # the heavier neuron gives the direction
        assert abs(form.directions[:, 0] @ q[:, 0]) == pytest.approx(1.0, abs=1e-15)


def test_drop_tol_is_relative_to_the_heaviest_neuron():
    u = np.array([[1e6, 0.0], [0.0, 1e-5]])
    net = planted.ReLUNetwork([u, np.ones(2)])
    assert net.kink_form(drop_tol=1e-12).n_lines == 2
    assert net.kink_form(drop_tol=1e-10).n_lines == 1


def test_canonical_sign():
    u = np.array([[1.0, -1.0, 2.0, 0.0], [-3.0, 1.0, -2.0, -5.0]])
    form = planted.ReLUNetwork([u, np.ones(4)]).kink_form(angle_tol=0.0)
    expected = np.array([[-1.0, 1.0, 0.0], [3.0, -1.0, 1.0]]) / np.sqrt([10.0, 2.0, 1.0])
    np.testing.assert_allclose(form.directions, expected, rtol=1e-15)


def test_extreme_scales_do_not_overflow():
    u = np.array([[3e200, 3e-200], [4e200, -4e-200]])
    form = planted.ReLUNetwork([u, np.array([1e-200, 1e200])]).kink_form()
    np.testing.assert_allclose(form.strengths, [5.0, 5.0], rtol=1e-14)


@pytest.mark.parametrize(("u", "v", "power"), [(1.1e154, 1.1e154, 1024), (1e-200, 1e-200, -1328), (5e-324, 1.0, -1073)])
def test_a_form_outside_the_range_is_refused(u, v, power):
    net = planted.ReLUNetwork([np.array([[u]]), np.array([v])])
    with pytest.raises(ValueError, match=rf"about 2\^{power}; the kink form needs a power between -900 and 1000"):
        net.kink_form()
    cancelled = planted.ReLUNetwork([np.array([[u, u, 1.0]]), np.array([v, -v, 1.0])])
    assert cancelled.kink_form().n_lines == 1


def test_what_merging_and_dropping_changed_is_the_slack():
    u = np.array([[1.0, 1.0, 0.0], [0.0, 3e-10, 1e-14]])
    form = planted.ReLUNetwork([u, np.array([1.0, 2.0, 1.0])]).kink_form()
    # mean direction 2e-10: 1 at distance 2e-10 and 2 at distance 1e-10, and the line of strength 1e-14 is dropped
    np.testing.assert_allclose(form.directions, [[1.0], [2e-10]], rtol=1e-14)
    assert form.slack == pytest.approx(np.sqrt(2) * 4e-10 + 1e-14, rel=1e-4)
    clean = planted.ReLUNetwork([u, np.array([1.0, 2.0, 1.0])]).kink_form(angle_tol=0.0, drop_tol=0.0)
    assert (clean.n_lines, clean.slack) == (3, 0.0)
    opposed = planted.ReLUNetwork([u[:, :2], np.array([1e10, -1e10])]).kink_form()
    assert opposed.slack > 3.0  # 1e10 3e-10: the line is kept, though its strength is 0 to rounding
    assert opposed.n_lines == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"directions": np.ones(3)}, "directions has shape"),
        ({"strengths": np.ones(3)}, "strengths has shape"),
        ({"linear": np.ones(2)}, "linear has shape"),
        ({"linear": np.ones((3, 1))}, "linear has shape"),
        ({"strengths": np.array([1.0, np.nan])}, "strengths has 1 element"),
        ({"slack": -1.0}, "slack=-1"),
    ],
)
def test_forms_that_do_not_fit_are_refused(change, words):
    parts = {"directions": np.eye(3)[:, :2], "strengths": np.ones(2), "linear": np.ones(3), **change}
    with pytest.raises(ValueError, match=words):
        planted.KinkForm(**parts)


def test_form_lives_where_the_network_does(backend, monkeypatch):
    u, v = tangled(np.random.default_rng(1), outputs=2)
    form = planted.ReLUNetwork([backend.put(u), backend.put(v)]).kink_form()
    X = np.random.default_rng(2).standard_normal((9, 5))
    expected = planted.ReLUNetwork([u, v])(X)
    monkeypatch.setattr(kinks, "BLOCK_BYTES", 8 * 4 * form.n_lines)  # four rows a block
    with count_syncs() as syncs:
        found = form(backend.put(X))
    np.testing.assert_allclose(backend.get(found), expected, rtol=1e-12, atol=1e-12)
    assert sum(syncs.values()) <= 1  # the check that X is finite
    assert backend.get(form.directions).dtype == np.float64
    assert backend.get(form.strengths).shape == (form.n_lines, 2)
    assert len(form.supports) == form.n_lines
    assert form.n_outputs == 2


def test_empty_network():
    form = planted.ReLUNetwork([np.zeros((4, 0)), np.zeros(0)]).kink_form()
    assert (form.n_lines, form.supports) == (0, ())
    np.testing.assert_array_equal(form(np.ones((3, 4))), np.zeros(3))
    all_zero = planted.ReLUNetwork([np.zeros((4, 3)), np.zeros((3, 2))]).kink_form()
    np.testing.assert_array_equal(all_zero(np.ones((3, 4))), np.zeros((3, 2)))


def test_refusals():
    with pytest.raises(ValueError, match="2 hidden layers"):
        planted.sparse_network(4, 3, 6, depth=2, rng=0).kink_form()
    net = planted.sparse_network(4, 3, 6, rng=0)
    with pytest.raises(ValueError, match="angle_tol=-1"):
        net.kink_form(angle_tol=-1.0)
    with pytest.raises(ValueError, match="drop_tol=-1"):
        net.kink_form(drop_tol=-1.0)
    with pytest.raises(ValueError, match="X has shape"):
        net.kink_form()(np.ones((2, 3)))
