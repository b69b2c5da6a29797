"""gated_model: the labels are A w, and no two gates are equal or complementary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import planted


def written_out(X, H):
    """A = [D_1 X, ..., D_p X], formed."""
    return np.hstack([np.diag((X @ h >= 0).astype(float)) @ X for h in H.T])


@given(st.integers(0, 10**6), st.sampled_from(["normal", "signs"]))
def test_labels_and_gates(seed, values):
    n, d, p, k = 12, 3, 9, 5
    X, y, H, w = planted.gated_model(n, d, p, k, values=values, rng=seed)
    assert (X.shape, H.shape, w.shape, y.shape) == ((n, d), (d, p), (d * p,), (n,))
    assert np.count_nonzero(w) == k
    if values == "signs":
        assert set(np.abs(w)) == {0.0, 1.0}
    np.testing.assert_allclose(y, written_out(X, H) @ w, rtol=1e-12, atol=1e-12)
    patterns = [tuple(column) for column in (X @ H >= 0).T]
    complements = [tuple(not bit for bit in pattern) for pattern in patterns]
    assert len(set(patterns)) == p
    assert not set(patterns) & set(complements)


def test_gates_fill_a_small_arrangement():
    # 6 points of the plane have 12 patterns, 6 of them without complements: drawing must find them all
    X, _, H, _ = planted.gated_model(6, 2, 6, 3, rng=0)
    signs = {tuple(column if column[0] else ~column) for column in (X @ H >= 0).T}
    assert len(signs) == 6
    with pytest.raises(ValueError, match="p=7 gates"):
        planted.gated_model(6, 2, 7, 3, rng=0)


def test_why_complements_are_refused():
    rng = np.random.default_rng(0)
    X, h, g = rng.standard_normal((20, 3)), rng.standard_normal(3), rng.standard_normal(3)
    A = written_out(X, np.stack([h, -h, g, -g], axis=1))
    columns = A[:, [0, 3, 6, 9]]  # input 0 under the four gates
    np.testing.assert_array_equal(columns @ [1.0, 1.0, -1.0, -1.0], np.zeros(20))
    assert np.linalg.matrix_rank(columns) == 3


def test_order_of_columns_is_that_of_the_operator():
    from recovery import GatedOperator

    X, y, H, w = planted.gated_model(40, 4, 6, 7, rng=3)
    np.testing.assert_allclose(GatedOperator.from_generators(X, H).matvec(w), y, rtol=1e-12, atol=1e-12)


def test_support_is_uniform():
    counts = sum((planted.gated_model(20, 2, 2, 1, rng=seed).w != 0).astype(int) for seed in range(400))
    assert counts.sum() == 400
    assert np.all(np.abs(counts - 100) < 4.5 * np.sqrt(400 * 0.25 * 0.75))


def test_same_seed_same_bits_and_dtype():
    one, two = planted.gated_model(20, 4, 5, 3, rng=9), planted.gated_model(20, 4, 5, 3, rng=9)
    single = planted.gated_model(20, 4, 5, 3, rng=9, dtype="float32")
    for a, b, c in zip(one, two, single, strict=True):
        np.testing.assert_array_equal(a, b)
        assert c.dtype == np.float32
        np.testing.assert_array_equal(a.astype(np.float32), c)
    assert not np.any(planted.gated_model(20, 4, 5, 0, rng=9).y)


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        ((0, 2, 2, 1), {}, "n=0"),
        ((5, 0, 2, 1), {}, "d=0"),
        ((5, 2, 0, 1), {}, "p=0"),
        ((5, 2, 2, 5), {}, "sparsity=5"),
        ((5, 2, 2, 1), {"values": "binary"}, "values='binary'"),
        ((5, 2, 2, 1), {"dtype": "int32"}, "dtype='int32'"),
        ((5, 2, 2, 1), {"device": "tpu"}, "device='tpu'"),
        ((5, 1, 2, 1), {}, "p=2 gates"),
    ],
)
def test_bad_arguments_get_a_sentence(args, options, words):
    with pytest.raises(ValueError, match=words):
        planted.gated_model(*args, **options)
