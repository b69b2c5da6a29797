"""The Count Sketch: a slow version of it, its bias and variance, and the entries it finds."""

from __future__ import annotations

import numpy as np
import pytest
import standin

from recovery.networks.joint.paper import HASHES, CountSketch, sketch_width


def slow_estimates(sketch, size, vectors):
    """The same sketch with dictionaries, from the hashes of `sketch`."""
    place = np.asarray(sketch.place).reshape(HASHES, size)
    rows = [{} for _ in range(HASHES)]
    for vector in vectors:
        for h in range(HASHES):
            for i, value in enumerate(vector):
                bucket, sign = read(place[h, i], h, sketch.width)
                rows[h][bucket] = rows[h].get(bucket, 0.0) + sign * value
    found = np.zeros(size)
    for i in range(size):
        pairs = [(h, *read(place[h, i], h, sketch.width)) for h in range(HASHES)]
        found[i] = np.median([sign * rows[h].get(bucket, 0.0) for h, bucket, sign in pairs])
    return found


def read(place, h, width):
    inside = int(place) - 2 * width * h
    assert 0 <= inside < 2 * width
    return (inside, 1.0) if inside < width else (inside - width, -1.0)


def test_it_is_the_slow_sketch():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3, 40))
    sketch = CountSketch(40, 7, np.random.default_rng(1), np)
    for vector in vectors:
        sketch.add(vector)
    np.testing.assert_allclose(sketch.estimates(), slow_estimates(sketch, 40, vectors), atol=1e-13)


def test_estimates_have_no_bias_and_the_stated_spread():
    vector = np.random.default_rng(2).standard_normal(60)
    errors = []
    for seed in range(400):
        sketch = CountSketch(60, 10, np.random.default_rng(seed), np)
        sketch.add(vector)
        errors.append(sketch.estimates() - vector)
    errors = np.array(errors)
    spread = np.linalg.norm(vector) / np.sqrt(10)
    assert np.abs(errors.mean()) < 4 * spread / np.sqrt(400)
    assert np.sqrt((errors**2).mean()) < spread  # a median of four spreads less than one row
    assert np.sqrt((errors**2).mean()) > 0.2 * spread


def test_large_entries_are_found_and_a_lone_one_is_exact():
    rng = np.random.default_rng(3)
    vector = 0.01 * rng.standard_normal(2000)
    large = rng.choice(2000, 20, replace=False)
    vector[large] = np.where(rng.random(20) < 0.5, -1.0, 1.0)
    for width, least, most in ((1000, 20, 20), (sketch_width(2000, 20), 10, 19)):  # the released width misses some
        sketch = CountSketch(2000, width, rng, np)
        sketch.add(vector)
        top = np.argsort(-np.abs(sketch.estimates()))[:20]
        assert least <= len(set(top) & set(large)) <= most
    lone = CountSketch(2000, 5, rng, np)
    lone.add(np.where(np.arange(2000) == 7, 3.5, 0.0))
    assert lone.estimates()[7] == 3.5


@pytest.mark.parametrize(
    ("size", "s", "width"), [(100, 0, 1), (100, 100, 100), (100, 90, 90), (1000, 10, 47), (10, 1, 3)]
)
def test_the_width_is_s_log_of_n_over_s(size, s, width):
    assert sketch_width(size, s) == width


def test_every_array_type_gives_the_same_estimates(backend):
    vector = np.random.default_rng(4).standard_normal(50)
    here, there = (CountSketch(50, 9, np.random.default_rng(5), xp) for xp in (np, namespace(backend)))
    here.add(vector)
    there.add(backend.put(vector))
    np.testing.assert_array_equal(backend.get(there.estimates()), here.estimates())


def namespace(backend):
    return np if backend.name == "numpy" else standin.namespace
