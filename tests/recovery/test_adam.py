"""Adam: the plain formulas, and masks that hold against left-over momentum."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recovery.mlp.training import Adam


def plain(weights, gradients, rate, betas=(0.9, 0.999), eps=1e-8):
    """Adam of one weight vector, one number at a time."""
    found = list(weights)
    for i in range(len(found)):
        m = v = 0.0
        for t, gradient in enumerate(gradients, start=1):
            m = betas[0] * m + (1 - betas[0]) * gradient[i]
            v = betas[1] * v + (1 - betas[1]) * gradient[i] ** 2
            found[i] -= rate * (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)) ** 0.5 + eps)
    return np.array(found)


def test_the_plain_formulas(backend):
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(6), rng.standard_normal((30, 6))
    weights = backend.put(start) * 1.0  # a copy that may be written to
    adam = Adam(weights)
    for gradient in gradients:
        adam.step(weights, backend.put(gradient), 0.01)
    np.testing.assert_allclose(backend.get(weights), plain(start, gradients, 0.01), rtol=1e-12)


def test_the_first_step_is_the_rate_times_the_sign():
    weights = np.zeros(3)
    Adam(weights).step(weights, np.array([5.0, -1e-3, 0.0]), 0.1)
    np.testing.assert_allclose(weights, [-0.1, 0.1, 0.0], rtol=1e-4)


@given(seed=st.integers(0, 10**6), rate=st.floats(1e-4, 10.0), before=st.integers(0, 6), after=st.integers(1, 6))
def test_masked_weights_are_zero_after_every_step_whatever_momentum_is_left(seed, rate, before, after):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((2, 9))
    adam = Adam(weights)
    for _ in range(before):
        adam.step(weights, rng.standard_normal((2, 9)), rate)
    adam.mask = (rng.random((2, 9)) < 0.5).astype(float)
    weights *= adam.mask
    kept = weights.copy()
    for _ in range(after):
        adam.step(weights, rng.standard_normal((2, 9)), rate)
        assert (weights[adam.mask == 0] == 0).all()
    assert (weights[adam.mask == 1] != kept[adam.mask == 1]).all()


def test_other_weights_do_not_feel_the_mask():
    rng = np.random.default_rng(1)
    start, gradients = rng.standard_normal(5), rng.standard_normal((4, 5))
    mask = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    free, masked = start.copy(), start * mask
    one, other = Adam(free), Adam(masked, mask)
    for gradient in gradients:
        one.step(free, gradient, 0.1)
        other.step(masked, gradient, 0.1)
    np.testing.assert_array_equal(masked, free * mask)
    assert one.n_steps == 4


def test_float32_stays_float32():
    weights = np.zeros(3, dtype=np.float32)
    adam = Adam(weights)
    adam.step(weights, np.ones(3, dtype=np.float32), 0.1)
    assert weights.dtype == adam.mean.dtype == np.float32
