"""Cells of Figure 3 computed on a GPU agree with the CPU."""

import numpy as np
import pytest

from paper_repro.experiments import mnist

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("method", ["least-squares", "least-squares-signs", "logistic"])
def test_a_linear_model(gpu, method):
    cell = mnist.BinaryCell(0, 1, (64,), 0, method, "digits", 140, 37, 28, 2, "unit")
    (metrics, there), (wanted, here) = mnist.compute(cell, "gpu"), mnist.compute(cell, "cpu")
    assert metrics == wanted
    np.testing.assert_allclose(there["weights"], here["weights"], atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "method", "depth"),
    [
        (mnist.BinaryCell, "paper", 1),
        (mnist.BinaryCell, "robust", 2),
        (mnist.BinaryCell, "imp-paper", 1),
        (mnist.DigitsCell, "paper", 2),
        (mnist.DigitsCell, "robust", 1),
        (mnist.DigitsCell, "imp-fair", 1),
    ],
)
def test_networks(gpu, kind, method, depth):
    updates = {"imp_updates": 10, "fine_tune": 20} if method == "imp-fair" else {}
    cell = kind(5, depth, (30, 60), 0, method, "digits", 100, 34, 50, 2, kind.scaling, **updates)
    (metrics, there), (wanted, here) = mnist.compute(cell, "gpu"), mnist.compute(cell, "cpu")
    assert all(isinstance(value, np.ndarray) for value in there.values())
    assert set(there) == set(here)
    for found, expected in zip(metrics["fits"], wanted["fits"], strict=True):
        assert found["hidden_nonzeros"] == expected["hidden_nonzeros"]
        # sums in another order: one image in a hundred may fall on the other side
        assert abs(found["accuracy"] - expected["accuracy"]) <= 0.01
