"""Cells of the experiments on conditions and recovery: a GPU finds the same."""

import numpy as np
import pytest

from paper_repro.experiments import centred, conditions, phase, rsc

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(
    ("module", "cell"),
    [
        (rsc, rsc.RscCell(5, 40, 0, n=3000, d=20)),
        (centred, centred.CentredCell(250, 1, "positive", 0, 3)),
        (phase, phase.PhaseCell("relu", 60, 3, 0, 4, 2)),
        (phase, phase.PhaseCell("gaussian", 60, 3, 0, 4, 2)),
        (conditions, conditions.ConditionsCell("gaussian", 100, 0, 2)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "seed") else "",
)
def test_a_cell(gpu, module, cell):
    (metrics, there), (wanted, here) = module.compute(cell, "gpu"), module.compute(cell, "cpu")
    assert set(metrics) == set(wanted)
    assert set(there) == set(here)
    for name, values in here.items():
        assert isinstance(there[name], np.ndarray)
        # the errors of answers that are right are rounding errors
        np.testing.assert_allclose(there[name], values, rtol=1e-6, atol=1e-7)
