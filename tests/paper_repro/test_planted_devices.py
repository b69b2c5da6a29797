"""Cells of Figures 1 and 2 on another device, alone and in batches, on the strict stand-in for CuPy arrays."""

import numpy as np
import pytest
import standin

from paper_repro.experiments import planted_networks
from paper_repro.experiments.grids import METHODS
from planted.base import arrays

SCALAR = {"m": 3, "seed": 0, "n": 300, "d": 8, "n_outputs": 1, "n_iter": 6}
VECTOR = {"m": 3, "seed": 0, "n": 300, "d": 8, "n_outputs": 4, "n_iter": 12}


@pytest.fixture
def other_device(monkeypatch):
    monkeypatch.setattr(arrays, "namespace_of_device", lambda device: standin.namespace)  # computes like the GPU's


def cell(kind, method, depth, s):
    sizes = SCALAR if kind is planted_networks.Fig1Cell else VECTOR
    return kind(**sizes, s=s, method=method, depth=depth, imp_updates=5 if method == "imp-fair" else None)


@pytest.mark.parametrize(
    ("kind", "method", "depth"),
    [
        pytest.param(kind, method, depth, marks=[pytest.mark.slow] if method == "imp-fair" else [])  # it fine-tunes
        for kind in (planted_networks.Fig1Cell, planted_networks.Fig2Cell)
        for method in METHODS
        for depth in (1, 2)
    ],
)
def test_a_cell_computes_there_what_it_computes_here(other_device, kind, method, depth):
    one = cell(kind, method, depth, 24)
    (there, moved), (here, kept) = planted_networks.compute(one, "gpu"), planted_networks.compute(one, "cpu")
    assert all(isinstance(array, np.ndarray) for array in moved.values())
    assert set(there) == set(here)
    for name, value in here.items():
        assert there[name] == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value), name
    np.testing.assert_allclose(moved["output"], kept["output"], rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "method", "depth"),
    [
        (planted_networks.Fig1Cell, "paper", 1),
        (planted_networks.Fig1Cell, "imp-paper", 2),
        (planted_networks.Fig2Cell, "imp-paper", 1),
        pytest.param(planted_networks.Fig1Cell, "imp-fair", 1, marks=pytest.mark.slow),
    ],
)
def test_a_batch_has_the_outcomes_of_its_cells_alone(other_device, kind, method, depth):
    cells = [cell(kind, method, depth, s) for s in (24, 1, 12)]
    assert len({planted_networks.batch_key(one) for one in cells}) == 1
    found = planted_networks.compute_many(cells, "gpu")
    for one, (metrics, stored) in zip(cells, found, strict=True):
        expected, alone = planted_networks.compute(one, "gpu")
        assert set(metrics) == set(expected)
        assert metrics["status"] == expected["status"]
        if expected["psnr_db"] is None:
            assert metrics == expected
            continue
        assert metrics["psnr_db"] == pytest.approx(expected["psnr_db"], abs=0.01)
        assert metrics["nonzeros"] == expected["nonzeros"]
        np.testing.assert_array_equal(stored["hidden_position"], alone["hidden_position"])
    silent = [metrics["status"] == "ZERO_DATA" for metrics, _ in found]  # one weight for two layers is none for each
    assert silent == [False, (kind, depth) != (planted_networks.Fig1Cell, 1), False]


def test_on_a_cpu_a_batch_is_its_cells_one_after_the_other():
    cells = [cell(planted_networks.Fig1Cell, "imp-paper", 2, s) for s in (24, 12)]
    found = planted_networks.compute_many(cells, "cpu")
    for one, (metrics, stored) in zip(cells, found, strict=True):
        expected, alone = planted_networks.compute(one, "cpu")
        assert metrics == expected
        assert all(np.array_equal(stored[name], alone[name]) for name in alone)


def test_methods_that_fit_one_at_a_time_are_alone_in_their_batch():
    keys = {
        (method, kind, depth): {planted_networks.batch_key(cell(kind, method, depth, s)) for s in (12, 24)}
        for method in METHODS
        for kind in (planted_networks.Fig1Cell, planted_networks.Fig2Cell)
        for depth in (1, 2)
    }
    alone = {key for key, found in keys.items() if len(found) == 2}
    assert all(key[0] in ("paper", "robust") for key in alone)
    assert ("paper", planted_networks.Fig1Cell, 1) not in alone
    assert len(alone) == 7
