"""task_pair and class_tasks: the two tasks share the requested inputs."""

import numpy as np
import pytest

import planted
from planted import datasets
from planted.base import arrays


def pair(overlap=0.5, **options):
    return planted.task_pair(30, 8, overlap, **{"n_source": 40, "n_target": 12, "n_test": 6, "rng": 3, **options})


@pytest.mark.parametrize("n_neurons", [None, 5])
@pytest.mark.parametrize(("overlap", "shared"), [(0.0, 0), (0.125, 1), (0.5, 4), (0.6, 5), (0.75, 6), (1.0, 8)])
def test_overlap_is_exact(overlap, shared, n_neurons):
    one = pair(overlap, n_neurons=n_neurons)
    assert one.n_shared == shared
    for truth, inputs in ((one.source, one.source_inputs), (one.target, one.target_inputs)):
        weights = truth if n_neurons is None else truth.hidden
        used = np.flatnonzero(weights.reshape(30, -1).any(axis=1))
        np.testing.assert_array_equal(used, inputs)
        assert len(inputs) == 8
    common = np.intersect1d(one.source_inputs, one.target_inputs)
    source, target = (t if n_neurons is None else t.hidden for t in (one.source, one.target))
    np.testing.assert_array_equal(source[common], target[common])
    if n_neurons is not None:
        np.testing.assert_array_equal(one.source.output, one.target.output)
        assert (one.source == one.target) == (overlap == 1.0)


@pytest.mark.parametrize("n_neurons", [None, 5])
def test_data_come_from_the_truths(n_neurons):
    one = pair(n_neurons=n_neurons)
    assert (one.X_source.shape, one.X_target.shape, one.X_test.shape) == ((40, 30), (12, 30), (6, 30))
    for X, y, truth in (
        (one.X_source, one.y_source, one.source),
        (one.X_target, one.y_target, one.target),
        (one.X_test, one.y_test, one.target),
    ):
        expected = X @ truth if n_neurons is None else np.maximum(X @ truth.hidden, 0) @ truth.output
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)


def test_shared_inputs_with_new_weights():
    # 8 signs drawn anew agree with the old ones with probability 2^-8; this seed is not such a case
    one, other = pair(1.0), pair(1.0, shared="inputs")
    np.testing.assert_array_equal(other.source_inputs, other.target_inputs)
    np.testing.assert_array_equal(one.source, other.source)
    assert np.any(other.source != other.target)
    np.testing.assert_array_equal(np.abs(other.source), np.abs(other.target))
    one = pair(1.0, n_neurons=4, shared="inputs")
    common = one.source_inputs
    assert np.all(one.source.hidden[common] != one.target.hidden[common])


def test_draws_are_shared_and_reproducible():
    one = pair(0.5, noise=0.1)
    assert one == pair(0.5, noise=0.1)
    assert one == pair(0.5, noise=0.1, rng=np.random.default_rng(3))
    other = pair(0.0)
    np.testing.assert_array_equal(one.X_target, other.X_target)
    np.testing.assert_array_equal(one.source, other.source)
    louder, silent = pair(0.5, noise=0.2), pair(0.5)
    np.testing.assert_allclose(louder.y_source - silent.y_source, 2 * (one.y_source - silent.y_source), atol=1e-12)
    np.testing.assert_array_equal(one.y_test, silent.y_test)
    assert np.all(one.y_target != silent.y_target)


def test_types_and_no_test_samples():
    one = pair(dtype="float32", n_neurons=3, n_test=0)
    assert one.X_source.dtype == one.y_target.dtype == one.source.dtype == np.float32
    assert (one.X_test.shape, one.y_test.shape) == ((0, 30), (0,))
    assert "X_source=float32[40, 30]" in repr(one)
    assert arrays.device_of(one.X_source) == "cpu"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"overlap": 1.5}, "overlap"),
        ({"overlap": -0.1}, "overlap"),
        ({"d": 14, "overlap": 0.0}, "need 16 inputs"),
        ({"n_relevant": 31}, "n_relevant"),
        ({"n_source": 0}, "n_source"),
        ({"n_neurons": 0}, "n_neurons"),
        ({"shared": "signs"}, "shared"),
        ({"noise": -1.0}, "noise"),
        ({"dtype": "float16"}, "dtype"),
    ],
)
def test_bad_input(change, words):
    arguments = {"d": 30, "n_relevant": 8, "overlap": 0.5, "n_source": 4, "n_target": 4, **change}
    with pytest.raises(ValueError, match=words):
        planted.task_pair(**arguments)


def made(n=60, pixels=6, classes=10):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 17, (n, pixels)).astype(np.uint8)
    y = np.arange(n) % classes
    return datasets.Dataset("own", x[:40], y[:40], x[40:], y[40:], (2, 3), tuple(map(str, range(classes))), 16.0)


def test_class_tasks_split_and_label():
    data = made()
    source, target = datasets.class_tasks(data, (3, 1), (5, 6, 7))
    assert (source.classes, target.classes) == (("3", "1"), ("5", "6", "7"))
    np.testing.assert_array_equal(source.x_train, data.x_train[np.isin(data.y_train, (1, 3))] / 16.0)
    wanted = data.y_train[np.isin(data.y_train, (1, 3))]
    np.testing.assert_array_equal(source.y_train, np.where(wanted == 3, 0, 1))
    np.testing.assert_array_equal(target.y_test, data.y_test[np.isin(data.y_test, (5, 6, 7))] - 5)
    assert target.y_test.dtype == np.int64
    assert (source.pixel_max, source.name) == (1.0, "own, 3 1")


def test_class_tasks_permuted():
    data = made()
    _, plain = datasets.class_tasks(data)
    source, target = datasets.class_tasks(data, permute=True, rng=5, dtype="float32")
    assert source == datasets.class_tasks(data, dtype="float32")[0]
    order = np.random.default_rng(5).permutation(6)
    np.testing.assert_array_equal(target.x_train, plain.x_train[:, order].astype(np.float32))
    np.testing.assert_array_equal(target.x_test, plain.x_test[:, order].astype(np.float32))
    np.testing.assert_array_equal(target.y_train, plain.y_train)
    assert target.name.endswith("pixels permuted")


def test_class_tasks_refuse():
    data = made()
    for change, words in (
        ({"source": (1, 1)}, "source"),
        ({"target": (5,)}, "target"),
        ({"target": (5, 10)}, r"target\[1\]"),
        ({"dtype": "int8"}, "dtype"),
    ):
        with pytest.raises(ValueError, match=words):
            datasets.class_tasks(data, **change)
    with pytest.raises(TypeError, match="permute"):
        datasets.class_tasks(data, permute=1)
