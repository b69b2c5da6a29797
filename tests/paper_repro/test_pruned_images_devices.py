"""Cells of the figures on pruning with images on another device: the strict stand-in for CuPy arrays."""

import dataclasses

import numpy as np
import pytest
import standin

from paper_repro.experiments import pr_accuracy, pr_floor, pr_neq
from planted.base import arrays

ACCURACY = pr_accuracy.AccuracyCell("pooled-digits", "", 0, (0.6, 0.4), 100, (6, 5), 2, 25, 3e-3, "float64")
FLOOR = pr_floor.FloorCell("pooled-digits", "", 0, 150, (12, 8), 6, 25, 1e-2, 0.2, "float64")


@pytest.fixture
def other_device(monkeypatch):
    monkeypatch.setattr(arrays, "namespace_of_device", lambda device: standin.namespace)  # computes like the GPU's


def same(there, here):
    (metrics, moved), (wanted, kept) = there, here
    assert metrics == wanted
    assert set(moved) == set(kept)
    for name, values in kept.items():
        assert isinstance(moved[name], np.ndarray)
        np.testing.assert_allclose(moved[name], values, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    "method", [pr_accuracy.DENSE, "snip", "distance", "movement", "bingo-corrected", "imp", "rigl"]
)
def test_accuracy(other_device, method):
    keep = (1.0,) if method == pr_accuracy.DENSE else ACCURACY.keep
    cell = dataclasses.replace(ACCURACY, method=method, keep=keep)
    same(pr_accuracy.compute(cell, "gpu"), pr_accuracy.compute(cell, "cpu"))


@pytest.mark.parametrize("method", ["bingo-running-mean-layer", "magnitude", "imp"])
def test_floor(other_device, method):
    cell = dataclasses.replace(FLOOR, method=method)
    same(pr_floor.compute(cell, "gpu"), pr_floor.compute(cell, "cpu"))


@pytest.mark.parametrize("rule", [pr_neq.DENSE, "1e-3"])
@pytest.mark.parametrize("data", ["planted", "pooled-digits"])
def test_neq(other_device, data, rule):
    cell = pr_neq.NeqCell(data, rule, 0, 100, (8,), 4, 25, 0.05, 0.0, "float64")
    (metrics, moved), (wanted, kept) = pr_neq.compute(cell, "gpu"), pr_neq.compute(cell, "cpu")
    assert set(metrics) == set(wanted)
    for rival, values in wanted.items():
        for name, value in values.items():
            assert metrics[rival][name] == pytest.approx(value, rel=1e-6)
    for name, values in kept.items():
        np.testing.assert_allclose(moved[name], values, rtol=1e-6, atol=1e-12)
