"""Cells of the experiments on controls, margin and order: a GPU prunes the same weights in the same order."""

import numpy as np
import pytest

from paper_repro.experiments import imp_controls, imp_margin, imp_order

pytestmark = pytest.mark.gpu

MARGIN = {"n": 30, "d": 10, "k": 3, "trials": 6}


@pytest.mark.parametrize(
    ("module", "cell"),
    [
        (imp_controls, imp_controls.ControlsCell("toeplitz", 0, 12, 3, 3)),
        (imp_controls, imp_controls.ControlsCell("wide", 0, 12, 3, 3)),
        (imp_margin, imp_margin.MarginCell("gaussian", "gaussian", 0, **MARGIN)),
        (imp_margin, imp_margin.MarginCell("twins", "last-round", 0, **MARGIN)),
        (imp_order, imp_order.OrderCell("order", "equicorrelated", 0, 200, 10, 4)),
        (imp_order, imp_order.OrderCell("best-subset", "unequal-norm", 0, 40, 8, 4, 5.0)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "trials") else "",
)
def test_a_cell(gpu, module, cell):
    (metrics, there), (wanted, here) = module.compute(cell, "gpu"), module.compute(cell, "cpu")
    assert set(there) == set(here)
    assert set(metrics) == set(wanted)
    for name, values in here.items():
        assert isinstance(there[name], np.ndarray)
        # losses are in units of the loss of zero weights; their differences are what cancels
        np.testing.assert_allclose(there[name], values, rtol=1e-7, atol=1e-10)
