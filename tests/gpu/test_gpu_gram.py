"""The population Gram matrix and the cells of its figure: a GPU computes the same numbers."""

import numpy as np
import pytest

from paper_repro.experiments import gram
from planted.base import arrays
from recovery.conditions.population import arc_cosine_kernel, population_gram, population_operator

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("design", ["relu", "gaussian"])
def test_a_cell(gpu, design):
    cell = gram.GramCell("operator", design, theta=0.0, n=200, seed=1, gates=0, d=4, p=3, s=4, k=2, trials=2)
    (metrics, there), (wanted, here) = gram.compute(cell, "gpu"), gram.compute(cell, "cpu")
    assert metrics == wanted
    for name, values in here.items():
        np.testing.assert_allclose(there[name], values, rtol=1e-9)


def test_matrices(gpu):
    H = np.random.default_rng(0).standard_normal((5, 4))
    H[:, 3] = 0.0
    there = gpu.put(H)
    np.testing.assert_allclose(gpu.get(population_gram(there, unit=True)), population_gram(H, unit=True), atol=1e-15)
    np.testing.assert_allclose(gpu.get(arc_cosine_kernel(there[:, :3])), arc_cosine_kernel(H[:, :3]), rtol=1e-13)
    square = population_operator(there, np.array([0, 7, 11]))
    found = arrays.to_numpy(square.gram(square.xp.arange(3)))
    np.testing.assert_allclose(found, population_gram(H, np.array([0, 7, 11])), atol=1e-14)
