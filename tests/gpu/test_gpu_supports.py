"""On the GPU: products with a support, and gates that follow the weights, agree with the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery
from recovery.operators.gated import GatedSupport

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("keep", [0, 2**20])
@pytest.mark.parametrize("step", [3, 40])  # several entries a gate, and about one
def test_products_with_a_support(gpu, keep, step):
    rng = np.random.default_rng(0)
    X, idx = rng.standard_normal((300, 40)), np.arange(0, 40 * 700, step)
    here = GatedSupport(recovery.GatedOperator.from_seed(X, 700, 0), idx)
    there = GatedSupport(recovery.GatedOperator.from_seed(gpu.put(X), 700, 0), gpu.put(idx), keep_bytes=keep)
    values, r = rng.standard_normal(idx.size), rng.standard_normal(300)
    for _ in range(2):
        np.testing.assert_allclose(gpu.get(there.forward(gpu.put(values))), here.forward(values), atol=1e-10)
        np.testing.assert_allclose(gpu.get(there.adjoint(gpu.put(r))), here.adjoint(r), atol=1e-10)


def test_streamed_aiht(gpu):
    X, y, H, _ = planted.gated_model(300, 10, 30, 4, rng=1)
    here, there = (
        recovery.solve(recovery.GatedOperator.from_generators(*pair, store=False), data, 4, solver="aiht", stream=True)
        for *pair, data in ((X, H, y), (gpu.put(X), gpu.put(H), gpu.put(y)))
    )
    np.testing.assert_array_equal(gpu.get(there.support), here.support)
    np.testing.assert_allclose(gpu.get(there.values), here.values, atol=1e-10)


def test_gates_that_follow_the_weights(gpu):
    rng = np.random.default_rng(2)
    X, H = rng.standard_normal((200, 12)), rng.standard_normal((12, 9))
    base = recovery.GatedOperator(X, np.ones((200, 1)))
    same, product = recovery.GatedOperator(gpu.put(X), gpu.put(np.ones((200, 1)))).follow(gpu.put(H), strict=True)
    np.testing.assert_allclose(gpu.get(product), base.follow(H, strict=True)[1], atol=1e-10)
    np.testing.assert_array_equal(gpu.get(same.gates()), X @ H > 0)
