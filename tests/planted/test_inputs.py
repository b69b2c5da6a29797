"""Inputs: laws, orders, and Fourier features by their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import planted


def test_gaussian_inputs():
    X = planted.gaussian_inputs(4000, 5, rng=0)
    assert X.dtype == np.float64
    np.testing.assert_allclose(X.T @ X / 4000, np.eye(5), rtol=0, atol=5 * np.sqrt(2 / 4000))
    np.testing.assert_array_equal(X.astype(np.float32), planted.gaussian_inputs(4000, 5, rng=0, dtype="float32"))
    with pytest.raises(ValueError, match="n=0"):
        planted.gaussian_inputs(0, 5)
    with pytest.raises(ValueError, match="dtype='int8'"):
        planted.gaussian_inputs(2, 5, dtype="int8")
    with pytest.raises(ValueError, match="device='tpu'"):
        planted.gaussian_inputs(2, 5, device="tpu")


def test_pixel_coordinates_follow_ravel():
    image = np.random.default_rng(0).standard_normal((2, 3, 4))
    points = planted.pixel_coordinates(image.shape).astype(int)
    np.testing.assert_array_equal(image[tuple(points.T)], image.ravel())
    with pytest.raises(TypeError, match="shape=5"):
        planted.pixel_coordinates(5)
    with pytest.raises(ValueError, match=r"shape\[1\]=0"):
        planted.pixel_coordinates((3, 0))


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 4))
def test_features_by_definition(seed, axes, half):
    rng = np.random.default_rng(seed)
    points, B = rng.standard_normal((6, axes)), rng.standard_normal((half, axes))
    found = planted.fourier_features(points, frequencies=B)
    expected = [[np.sin(2 * np.pi * (b @ x)) for b in B] + [np.cos(2 * np.pi * (b @ x)) for b in B] for x in points]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_features_on_every_array_type(backend):
    points = planted.pixel_coordinates((3, 4))
    expected = planted.fourier_features(points, 10, (2.0, 0.5), rng=1)
    found = planted.fourier_features(backend.put(points), 10, (2.0, 0.5), rng=1)
    np.testing.assert_allclose(backend.get(found), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(planted.fourier_features((3, 4), 10, (2.0, 0.5), rng=1), expected, rtol=0, atol=1e-12)
    single = planted.fourier_features(backend.put(points.astype(np.float32)), 10, 2.0, rng=1)
    assert single.dtype == np.float32


def test_law_of_frequencies():
    # at the point e_1 / 4 the phase is pi b_1 / 2 with b_1 normal: E cos = exp(-(pi sigma / 2)^2 / 2)
    found = planted.fourier_features(np.array([[0.25, 0.0], [0.0, 0.25]]), 40_000, (0.5, 1.0), rng=0)
    means = found[:, 20_000:].mean(axis=1)
    np.testing.assert_allclose(means, np.exp(-((np.pi * np.array([0.5, 1.0]) / 2) ** 2) / 2), atol=5 / np.sqrt(20_000))


def test_integer_points_see_frequencies_modulo_one():
    B = np.random.default_rng(0).standard_normal((7, 2))
    one = planted.fourier_features((5, 5), frequencies=B)
    two = planted.fourier_features((5, 5), frequencies=B - np.floor(B))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("args", "options", "error", "words"),
    [
        (((3, 4), 7), {}, ValueError, "n_features=7 is odd"),
        (((3, 4), 0), {}, ValueError, "n_features=0"),
        (((3, 4), 8, (1.0, 1.0, 1.0)), {}, ValueError, "sigma has 3 entries"),
        (((3, 4), 8, -1.0), {}, ValueError, "sigma=-1"),
        (((3, 4),), {"frequencies": np.ones((4, 3))}, ValueError, "frequencies has shape"),
        ((np.ones(3),), {}, ValueError, "coordinates has shape"),
        ((np.array([[np.nan]]),), {}, ValueError, "NaN"),
    ],
)
def test_bad_arguments_get_a_sentence(args, options, error, words):
    with pytest.raises(error, match=words):
        planted.fourier_features(*args, **options)
