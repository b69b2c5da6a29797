"""Cells of the experiments on conditions and recovery: another kind of array gives the same outcomes."""

import numpy as np
import pytest
import standin

from paper_repro.experiments import centred, conditions, phase, rsc
from planted.base import arrays

CELLS = [
    (rsc, rsc.RscCell(3, 8, 0, n=200, d=6)),
    (centred, centred.CentredCell(60, 1, "mixed", 0, 2, d=4)),
    (phase, phase.PhaseCell("relu", 20, 2, 0, 3, 1, d=4, p=3)),
    (phase, phase.PhaseCell("gaussian", 20, 2, 0, 3, 1, d=4, p=3)),
    (conditions, conditions.ConditionsCell("relu", 9, 0, 1, s_max=2, d=4, p=3)),
]


@pytest.mark.parametrize(("module", "cell"), CELLS, ids=lambda value: type(value).__name__)
def test_a_cell_on_another_kind_of_array_gives_the_same_outcomes(monkeypatch, module, cell):
    metrics, here = module.compute(cell, "cpu")
    monkeypatch.setattr(arrays, "namespace_of_device", lambda device: standin.namespace)  # computes like the GPU's
    other, there = module.compute(cell, "gpu")
    assert list(other) == list(metrics)
    assert set(there) == set(here)
    for name, values in here.items():
        assert type(there[name]) is np.ndarray
        if name.startswith("solver") or module is phase:  # errors at the level of rounding
            np.testing.assert_allclose(there[name], values, rtol=1e-6, atol=1e-7)
        else:
            np.testing.assert_allclose(there[name], values, rtol=1e-9)
