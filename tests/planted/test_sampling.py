"""sparse_network: sizes, signs and laws of what it draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import planted


@given(st.data())
def test_sparsity_is_what_was_asked_for(data):
    d, m = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 6))
    depth, outputs = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    most = d * m + (depth - 1) * m * m
    s = data.draw(st.integers(0, most))
    net = planted.sparse_network(d, m, s, depth=depth, n_outputs=outputs, rng=data.draw(st.integers(0, 99)))
    assert net.sparsity == (s if outputs == 1 else s + m * outputs)
    assert (net.n_inputs, net.n_neurons, net.depth, net.n_outputs) == (d, m, depth, outputs)
    assert net.output.shape == ((m,) if outputs == 1 else (m, outputs))
    counts = [np.count_nonzero(layer) for layer in net.layers[:-1]]
    assert sum(counts) == s
    sizes = [layer.size for layer in net.layers[:-1]]
    # even shares, except where a layer is full: then the others take at least as much
    free = [count for count, size in zip(counts, sizes, strict=True) if count < size]
    full = [count for count, size in zip(counts, sizes, strict=True) if count == size]
    if free:
        assert max(free) - min(free) <= 1
        assert max(full, default=0) <= max(free) + 1


@given(st.integers(2, 6), st.integers(0, 24), st.integers(1, 3), st.integers(0, 10**6))
def test_mixed_signs_has_both_on_neurons_that_carry_weight(m, s, outputs, seed):
    net = planted.sparse_network(4, m, min(s, 4 * m), n_outputs=outputs, signs="mixed", rng=seed)
    live = np.any(net.hidden != 0, axis=0)
    output = net.output.reshape(m, -1)
    chosen = output[live] if live.sum() >= 2 else output
    assert np.all(chosen.min(axis=0) < 0)
    assert np.all(chosen.max(axis=0) > 0)


def test_outputs():
    assert np.all(planted.sparse_network(9, 50, 60, rng=0).output == 1)
    mixed = planted.sparse_network(9, 50, 60, signs="mixed", rng=0).output
    assert set(mixed) == {-1.0, 1.0}
    vector = planted.sparse_network(9, 50, 60, n_outputs=40, rng=0).output
    assert np.all(vector > 0)
    assert len(np.unique(vector)) == 2000
    assert abs(np.mean(vector**2) - 1) < 0.15  # 2,000 values of variance 2: four standard errors are .13
    binary = planted.sparse_network(9, 50, 60, n_outputs=3, values="binary", signs="mixed", rng=0)
    assert set(binary.output.ravel()) == {-1.0, 1.0}
    assert set(binary.hidden.ravel()) == {0.0, 1.0}


def test_hidden_values_are_standard_normal_and_uniformly_placed():
    net = planted.sparse_network(100, 100, 4000, rng=1)
    values = net.hidden[net.hidden != 0]
    assert abs(values.mean()) < 5 / np.sqrt(4000)
    assert abs(values.var() - 1) < 5 * np.sqrt(2 / 4000)
    for axis in (0, 1):
        counts = np.count_nonzero(net.hidden, axis=axis)
        # hypergeometric, mean 40 and variance about 24: a chi-square of 99 degrees of freedom
        assert 40 < ((counts - 40) ** 2).sum() / 24 < 180


def test_per_neuron_support():
    net = planted.sparse_network(30, 20, 60, support="per-neuron", rng=2)
    assert np.all(np.count_nonzero(net.hidden, axis=0) == 3)
    assert np.count_nonzero(net.hidden.any(axis=1)) > 20  # not the same rows in each neuron
    deep = planted.sparse_network(30, 5, 30, support="per-neuron", depth=2, rng=2)
    assert all(np.all(np.count_nonzero(layer, axis=0) == 3) for layer in deep.layers[:2])


def test_same_seed_same_bits():
    draw = [planted.sparse_network(8, 5, 11, signs="mixed", rng=rng) for rng in (3, 3, np.random.default_rng(3), 4)]
    for layer in (0, 1):
        np.testing.assert_array_equal(draw[0].layers[layer], draw[1].layers[layer])
        np.testing.assert_array_equal(draw[0].layers[layer], draw[2].layers[layer])
    assert not np.array_equal(draw[0].hidden, draw[3].hidden)


@pytest.mark.parametrize(
    ("args", "options", "error", "words"),
    [
        ((3, 2, 7), {}, ValueError, "sparsity=7"),
        ((3, 2, -1), {}, ValueError, "sparsity=-1"),
        ((0, 2, 1), {}, ValueError, "d=0"),
        ((3, 2.0, 1), {}, TypeError, "m=2.0"),
        ((3, 1, 1), {"signs": "mixed"}, ValueError, "one neuron of each sign"),
        ((3, 2, 1), {"signs": "negative"}, ValueError, "signs='negative'"),
        ((3, 2, 1), {"values": "uniform"}, ValueError, "values='uniform'"),
        ((3, 2, 1), {"support": "rows"}, ValueError, "support='rows'"),
        ((3, 2, 3), {"support": "per-neuron"}, ValueError, "multiple of 2"),
        ((3, 2, 1), {"depth": 0}, ValueError, "depth=0"),
        ((3, 2, 1), {"n_outputs": 0}, ValueError, "n_outputs=0"),
        ((3, 2, 1), {"rng": -1}, ValueError, "rng=-1"),
    ],
)
def test_bad_arguments_get_a_sentence(args, options, error, words):
    with pytest.raises(error, match=words):
        planted.sparse_network(*args, **options)
