"""Top-s selection: exactly s, ties to the smaller index, the same set however it is computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standin import count_syncs

from recovery.operators.thresholding import StreamingTopS, select_top, top_s
from tests.oracles.operators import reference_top_s
from tests.oracles.training import WarmTopS, hard_threshold

vectors = st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 1e-300, -1e300, np.inf]), max_size=40)


@given(vectors, st.data())
def test_every_way_selects_the_reference_set(values, data):
    values = np.array(values)
    s = data.draw(st.integers(0, len(values)))
    expected = reference_top_s(values, s)
    picked = top_s(values, s)
    assert picked.shape == (s,)
    np.testing.assert_array_equal(picked, expected)
    hint = data.draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 1e308]))
    np.testing.assert_array_equal(select_top(values, s, hint), expected)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=5)))
    bounds = list(zip([0, *cuts], [*cuts, len(values)], strict=True))
    stream = StreamingTopS(s)
    for a, b in data.draw(st.permutations(bounds)):
        stream.feed(a, values[a:b])
    indices, kept = stream.result()
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(kept, values[expected])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["normal", "constant", "few large", "integers", "sorted", "strided"])
def test_long_vectors_take_the_sampled_way_and_agree(kind, dtype):
    rng, size = np.random.default_rng(1), 150_000
    values = {
        "normal": rng.standard_normal(size),
        "constant": np.ones(size),
        "few large": np.where(np.arange(size) % 50_001 == 7, 5.0, 0.0),
        "integers": rng.integers(-3, 4, size).astype(float),
        "sorted": np.arange(size, dtype=float),
        "strided": np.where(np.arange(size) % (size // 8192) == 0, 9.0, rng.standard_normal(size)),  # fools the sample
    }[kind].astype(dtype)
    for s in (1, 17, 1000, 10_000, 140_000):
        expected = np.sort(np.argsort(-np.abs(values), kind="stable")[:s])
        np.testing.assert_array_equal(top_s(values, s), expected)
        stream = StreamingTopS(s)
        for start in range(0, size, 40_000):
            stream.feed(start, values[start : start + 40_000])
        np.testing.assert_array_equal(stream.result()[0], expected)


def test_warm_selection_equals_cold_along_a_changing_sequence():
    rng = np.random.default_rng(2)
    values, warm = rng.standard_normal(5000), WarmTopS(50)
    for scale in (1.0, 1.01, 0.99, 1e-3, 1e3, 0.0, 1.0):
        values = (values + 0.01 * rng.standard_normal(5000)) * scale
        np.testing.assert_array_equal(warm(values), top_s(values, 50))
        assert warm.threshold == np.sort(np.abs(values))[-50]


def test_hard_threshold_keeps_signs_and_leaves_its_argument(backend):
    values = backend.put([3.0, -4.0, 0.5, 4.0])
    np.testing.assert_array_equal(backend.get(hard_threshold(values, 2)), [0.0, -4.0, 0.0, 4.0])
    np.testing.assert_array_equal(backend.get(values), [3.0, -4.0, 0.5, 4.0])


@pytest.mark.parametrize("size", [9, 200_000])
@pytest.mark.parametrize("s", [0, 1, 3, 9])
def test_nan_is_refused_everywhere(size, s):
    values = np.random.default_rng(3).standard_normal(size)
    values[4] = np.nan
    with pytest.raises(ValueError, match="values holds NaN"):
        top_s(values, s)
    if s:
        warm = WarmTopS(s)
        warm(np.where(np.isnan(values), 0.0, values))
        with pytest.raises(ValueError, match="values holds NaN"):
            warm(values)
        with pytest.raises(ValueError, match="values holds NaN"):  # noqa: PT012
            stream = StreamingTopS(s)
            stream.feed(0, values[:3])
            stream.feed(3, values[3:])
            stream.result()


def test_refusals_name_the_argument():
    with pytest.raises(ValueError, match=r"sparsity=4 is out of range; expected a value between 0 and 3"):
        top_s(np.ones(3), 4)
    with pytest.raises(ValueError, match="s=-1"):
        StreamingTopS(-1)
    with pytest.raises(TypeError, match=r"sparsity=1\.0 is of type float"):
        top_s(np.ones(3), 1.0)
    with pytest.raises(ValueError, match="expected 1 dimension"):
        top_s(np.ones((3, 3)), 1)
    stream = StreamingTopS(5)
    stream.feed(0, np.ones(3))
    with pytest.raises(ValueError, match="s=5 is more than the 3 entries"):
        stream.result()


def test_selection_on_the_device_and_its_synchronisations(backend):
    rng = np.random.default_rng(4)
    host = rng.standard_normal(1000)
    values = backend.put(host)
    with count_syncs() as syncs:
        picked = select_top(values, 20)
    if backend.name == "standin":
        assert 0 < sum(syncs.values()) <= 2
    np.testing.assert_array_equal(backend.get(picked), reference_top_s(host, 20))
    stream = StreamingTopS(20)
    for start in range(0, 1000, 300):
        stream.feed(start, values[start : start + 300])
    np.testing.assert_array_equal(backend.get(stream.result()[0]), reference_top_s(host, 20))


def test_streaming_holds_at_most_twice_s():
    rng, stream = np.random.default_rng(5), StreamingTopS(10)
    for start in range(0, 5000, 50):
        stream.feed(start, (1 + start) * rng.standard_normal(50))  # growing, so that every block enters
        assert sum(part[0].shape[0] for part in stream._held) <= 20
