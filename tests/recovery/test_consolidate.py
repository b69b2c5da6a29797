"""Consolidated networks are the same function with no more neurons than the network that was disguised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import planted
from recovery.networks.scalar.bank import consolidate

ANGLE = 1e-9


def plain(seed, d=12, m=5, entries=4):
    """A network of m neurons in general position, each with `entries` inputs, signs +-1."""
    rng = np.random.default_rng(seed)
    hidden = np.zeros((d, m))
    for j in range(m):
        hidden[rng.choice(d, entries, replace=False), j] = rng.standard_normal(entries) + 0.3
    return hidden, np.where(rng.random(m) < 0.5, -1.0, 1.0)


def linear_neurons(slope):
    """Neurons of the linear function slope . x: a x = |a| sign(a) (relu(x) - relu(-x))."""
    columns, signs = [], []
    for i in np.flatnonzero(slope):
        for way in (1.0, -1.0):
            column = np.zeros(slope.size)
            column[i] = way * abs(slope[i])
            columns.append(column)
            signs.append(np.sign(slope[i]) * way)
    return np.array(columns).T.reshape(slope.size, -1), np.array(signs)


def together(*parts):
    return np.concatenate([h for h, _ in parts], axis=1), np.concatenate([o for _, o in parts])


def same_function(first, second, atol=1e-12):
    return planted.match_networks(planted.ReLUNetwork(list(first)), planted.ReLUNetwork(list(second)), atol=atol).exact


@pytest.mark.parametrize("seed", range(5))
def test_a_plain_network_is_left_alone(seed):
    network = plain(seed)
    found = consolidate(*network, ANGLE)
    assert found[1].size == 5
    assert same_function(found, network)
    assert np.count_nonzero(found[0]) == np.count_nonzero(network[0])


@pytest.mark.parametrize("seed", range(5))
def test_split_neurons_become_one(seed):
    hidden, output = plain(seed)
    split = together((0.3 * hidden, output), (0.7 * hidden[:, ::-1], output[::-1]))
    found = consolidate(*split, ANGLE)
    assert found[1].size == 5
    assert same_function(found, (hidden, output))


@pytest.mark.parametrize("seed", range(5))
def test_a_split_neuron_of_both_signs_becomes_one(seed):
    hidden, output = plain(seed)
    found = consolidate(*together((1.5 * hidden, output), (0.5 * hidden, -output)), ANGLE)
    assert found[1].size == 5
    assert same_function(found, (hidden, output))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 2])
def test_reversed_neurons_turn_back_when_the_linear_part_says_so(seed, count):
    hidden, output = plain(seed)
    # relu(z) = relu(-z) + z: the linear part moves to neurons along single inputs
    turned, slope = hidden.copy(), (hidden[:, :count] * output[:count]).sum(axis=1)
    turned[:, :count] *= -1
    disguised = together((turned, output), linear_neurons(slope))
    assert same_function(disguised, (hidden, output), atol=1e-10)
    found = consolidate(*disguised, ANGLE)
    assert found[1].size == 5
    assert same_function(found, (hidden, output))


def test_single_inputs_keep_both_orientations():
    # 2 relu(x0) + 3 relu(-x0) has strength 5 and slope -1/2: it takes two neurons
    hidden, output = np.array([[2.0, -3.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]), np.ones(3)
    found = consolidate(hidden, output, ANGLE)
    assert found[1].size == 3
    assert same_function(found, (hidden, output))
    # split over four neurons it is still two
    split = together((0.25 * hidden[:, :2], output[:2]), (0.75 * hidden, output), (0.25 * hidden[:, 2:], output[2:]))
    found = consolidate(*split, ANGLE)
    assert found[1].size == 3
    assert same_function(found, (hidden, output))


def test_a_single_input_with_slope_as_strength_is_one_neuron():
    # relu(x) with -relu(-x) reversed into it: 2 relu(x) - x written with three neurons is |x|
    hidden, output = np.array([[2.0, -1.0, 1.0]]), np.array([1.0, 1.0, -1.0])
    found = consolidate(hidden, output, ANGLE)
    assert same_function(found, (np.array([[1.0, -1.0]]), np.ones(2)))
    assert found[1].size == 2


@pytest.mark.parametrize("seed", range(5))
def test_pairs_that_cancel_go_away(seed):
    hidden, output = plain(seed)
    pair, one = np.full((12, 1), 0.7), np.ones(1)
    found = consolidate(*together((hidden, output), (pair, one), (pair, -one)), ANGLE)
    assert found[1].size == 5
    assert same_function(found, (hidden, output))


def test_a_pair_of_opposite_orientation_leaves_its_linear_part():
    hidden = np.array([[1.0, -1.0], [2.0, -2.0]])
    network = hidden, np.array([1.0, -1.0])  # relu(z) - relu(-z) = z
    found = consolidate(*network, ANGLE)
    X = np.random.default_rng(0).standard_normal((20, 2))
    np.testing.assert_allclose(planted.ReLUNetwork(list(found))(X), X @ [1.0, 2.0], atol=1e-14)
    assert found[1].size == 4  # two a single input


@given(seed=st.integers(0, 2**32 - 1), d=st.integers(1, 5), m=st.integers(1, 6))
def test_the_function_stays_whatever_the_neurons_are(seed, d, m):
    rng = np.random.default_rng(seed)
    hidden = rng.integers(-2, 3, (d, m)).astype(float)  # parallel, opposite, zero and single-input neurons
    output = rng.choice([-1.0, 1.0], m)
    found = planted.ReLUNetwork(list(consolidate(hidden, output, ANGLE)))
    X = rng.standard_normal((30, d))
    expected = planted.ReLUNetwork([hidden, output])(X)
    np.testing.assert_allclose(found(X), expected, atol=1e-12)
    assert np.isin(found.output, [-1.0, 1.0]).all()


def test_angles_decide_what_is_parallel():
    hidden = np.array([[1.0, np.cos(0.01)], [0.0, np.sin(0.01)]])
    output = np.ones(2)
    assert consolidate(hidden, output, 0.009)[1].size == 2
    merged = consolidate(hidden, output, 0.011)
    kinks = planted.ReLUNetwork(list(merged)).kink_form()
    assert kinks.n_lines == 1
    np.testing.assert_allclose(kinks.strengths, 2.0, atol=1e-4)


def test_nothing_gives_nothing():
    for hidden, output in ((np.zeros((3, 0)), np.zeros(0)), (np.zeros((3, 2)), np.ones(2))):
        found = consolidate(hidden, output, ANGLE)
        assert found[0].shape == (3, 0)
        assert found[1].shape == (0,)
