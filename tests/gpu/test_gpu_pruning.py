"""Pruning of networks on the GPU: the same masks as on the CPU, one problem at a time and several at once."""

from __future__ import annotations

import numpy as np
import pytest

import planted
import recovery
from recovery.mlp.passes import Passes, Shapes
from recovery.networks import imp_many

pytestmark = pytest.mark.gpu


def problem(seed, k=1, n=1500, d=20, m=6, s=24):
    X = planted.gaussian_inputs(n, d, rng=1000)
    return X, planted.sparse_network(d, m, s, n_outputs=k, rng=seed)(X)


def agree(gpu, there, here):
    assert there.history["nonzeros"] == here.history["nonzeros"]
    for found, expected in zip(there.network.layers, here.network.layers, strict=True):
        np.testing.assert_array_equal(gpu.get(found) != 0, expected != 0)
        np.testing.assert_allclose(gpu.get(found), expected, atol=1e-8)


@pytest.mark.parametrize("widths", [6, [6, 5]])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("options", [{"recipe": "paper"}, {"max_iter": 60, "fine_tune": 60}])
def test_the_masks_are_those_of_the_cpu(gpu, widths, k, options):
    X, y = problem(0, k)
    arguments = {"n_neurons": widths, "sparsity": [10, 24, 60], "rng": 0, **options}
    here = recovery.imp(X, y, **arguments)
    there = recovery.imp(gpu.put(X), gpu.put(y), **arguments)
    for one, other in zip(there, here, strict=True):
        agree(gpu, one, other)


@pytest.mark.parametrize("options", [{"recipe": "paper"}, {"max_iter": 60, "fine_tune": 60}])
def test_several_problems_at_once_are_those_of_the_cpu(gpu, options):
    X, _ = problem(0)
    targets = [problem(seed)[1] for seed in range(4)]
    arguments = {"n_neurons": 6, "sparsity": [[10, 24]] * 4, "rngs": [0, 1, 2, 3], **options}
    here = imp_many(X, targets, **arguments)
    there = imp_many(gpu.put(X), [gpu.put(y) for y in targets], **arguments)
    for row, other_row in zip(there, here, strict=True):
        for one, other in zip(row, other_row, strict=True):
            agree(gpu, one, other)


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_gradients_are_those_of_the_cpu(gpu, loss):
    rng = np.random.default_rng(0)
    shapes = Shapes.of_widths(7, (9, 5), 3)
    weights, X = rng.standard_normal((4, shapes.size)), rng.standard_normal((500, 7))
    targets = rng.standard_normal((4, 500, 3))
    targets = (targets == targets.max(axis=2, keepdims=True)).astype(float)
    here = Passes(shapes, weights, loss).gradient(weights, X, targets)
    there = Passes(shapes, gpu.put(weights), loss).gradient(gpu.put(weights), gpu.put(X), gpu.put(targets))
    for found, expected in zip(there, here, strict=True):
        np.testing.assert_allclose(gpu.get(found), expected, rtol=1e-10, atol=1e-13)
