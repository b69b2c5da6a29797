"""release_instance against a plain rendering of the documented draws with NumPy's global legacy generator."""

import numpy as np
import pytest

import planted


@pytest.fixture
def legacy():
    """NumPy's global legacy state, put back afterwards."""
    state = np.random.get_state()  # noqa: NPY002
    yield np.random
    np.random.set_state(state)  # noqa: NPY002


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({}, [(100, 4)]),
        ({"depth": 2}, [(100, 4), (4, 4)]),
        ({"n_outputs": 10}, [(100, 4), (4, 10)]),
        ({"n_outputs": 3, "depth": 2, "d": 7}, [(7, 4), (4, 4), (4, 3)]),
    ],
)
@pytest.mark.parametrize("seed", [0, 2])
def test_draws_are_the_documented_ones(legacy, options, shapes, seed):
    n, s = 30, 41
    X, y, net = planted.release_instance(4, s, seed, n=n, **options)
    legacy.seed(seed + 1)
    weights = []
    for shape in shapes:
        count = min(shape[0] * shape[1], s // len(shapes))
        where = legacy.choice(shape[0] * shape[1], count, replace=False)
        what = np.float32(legacy.normal(size=count))
        matrix = np.zeros(shape)
        for place, value in zip(where, what, strict=True):
            matrix[place // shape[1], place % shape[1]] = value
        weights.append(matrix)
    for planted_layer, expected in zip(net.layers, weights, strict=False):
        np.testing.assert_array_equal(planted_layer, expected)
    legacy.seed(seed + 2)
    np.testing.assert_array_equal(X, legacy.normal(size=X.shape).astype(np.float32))
    # labels: ReLU after each hidden layer; a sum for a scalar output, a linear layer for several
    value = X
    for matrix in weights[: net.depth]:
        value = np.maximum(value @ matrix, 0)
    value = value @ weights[-1] if len(weights) > net.depth else value.sum(axis=1)
    np.testing.assert_allclose(y, value, rtol=2**-23, atol=1e-12)
    if net.n_outputs == 1:
        np.testing.assert_array_equal(net.output, np.ones(4))


def test_sizes_of_the_paper_by_default():
    X, y, net = planted.release_instance(3, 20, 0)
    assert X.shape == (50_000, 100)
    assert y.shape == (50_000,)
    assert net.sparsity == 20
    assert (X.dtype, y.dtype, net.dtype) == (np.float64,) * 3


def test_label_rounding_is_the_floor():
    exact = planted.release_instance(5, 30, 1, n=2000, labels="float64")
    rounded = planted.release_instance(5, 30, 1, n=2000)
    np.testing.assert_array_equal(exact[0], rounded[0])
    np.testing.assert_array_equal(exact[1], exact[2](exact[0]))
    np.testing.assert_array_equal(rounded[1], exact[1].astype(np.float32))
    error = np.mean((rounded[1] - exact[1]) ** 2)
    floor = 20 * np.log10(np.abs(exact[1]).max()) - 10 * np.log10(error)
    assert 155 < floor < 170


def test_storage_type_does_not_change_values():
    double = planted.release_instance(5, 30, 1, n=50)
    single = planted.release_instance(5, 30, 1, n=50, dtype="float32")
    assert single[0].dtype == single[1].dtype == np.float32
    np.testing.assert_array_equal(double[0], single[0])
    np.testing.assert_array_equal(double[1], single[1])


def test_shares_and_capacity():
    assert planted.release_instance(2, 5, 0, n=5, depth=2)[2].sparsity == 4  # 5 // 2 a layer
    net = planted.release_instance(2, 20, 0, n=5, depth=2)[2]  # the second layer holds only 4
    assert [np.count_nonzero(layer) for layer in net.layers] == [10, 4, 2]
    assert planted.release_instance(2, 0, 0, n=5)[2].sparsity == 0


def test_global_state_is_left_alone(legacy):
    before = legacy.get_state()[1].copy()
    planted.release_instance(2, 5, 0, n=5)
    planted.release_frequencies(5, (2.0, 2.0), 0)
    np.testing.assert_array_equal(legacy.get_state()[1], before)


def test_frequencies(legacy):
    grey = planted.release_frequencies(750, (2.0, 2.0), 1)
    legacy.seed(1)
    np.testing.assert_array_equal(grey, 2.0 * legacy.normal(size=(750, 2)))
    colour = planted.release_frequencies(750, (5.0, 5.0, 0.05), 1)
    legacy.seed(1)
    np.testing.assert_array_equal(colour[:, :2], np.float32(5.0 * legacy.normal(size=(750, 2))))
    np.testing.assert_array_equal(colour[:, 2], np.float32(0.05 * legacy.normal(size=750)))
    assert planted.fourier_features((28, 28), frequencies=grey).shape == (784, 1500)


@pytest.mark.parametrize(
    ("args", "options", "error", "words"),
    [
        ((0, 5, 0), {}, ValueError, "m=0"),
        ((2, -1, 0), {}, ValueError, "sparsity=-1"),
        ((2, 5, -1), {}, ValueError, "seed=-1"),
        ((2, 5, 0.0), {}, TypeError, "seed=0.0"),
        ((2, 5, 0), {"labels": "half"}, ValueError, "labels='half'"),
        ((2, 5, 0), {"dtype": "int64"}, ValueError, "dtype='int64'"),
        ((2, 5, 0), {"depth": 0}, ValueError, "depth=0"),
    ],
)
def test_bad_arguments_get_a_sentence(args, options, error, words):
    with pytest.raises(error, match=words):
        planted.release_instance(*args, **options)


def test_bad_frequencies_get_a_sentence():
    with pytest.raises(ValueError, match="at least two"):
        planted.release_frequencies(5, (1.0,), 0)
    with pytest.raises(ValueError, match="n_frequencies=0"):
        planted.release_frequencies(0, (1.0, 1.0), 0)
