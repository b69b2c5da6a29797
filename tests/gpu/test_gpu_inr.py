"""Cells of figures 4 and 5 on a GPU: the same networks as on the CPU, as long as rounding decides nothing."""

import dataclasses

import numpy as np
import pytest

from paper_repro.experiments import inr
from paper_repro.experiments.grids import METHODS

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def no_data(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path))


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("figure", [inr.FIG4, inr.FIG5], ids=["fig4", "fig5"])
def test_a_cell(gpu, figure, method, depth):
    own = [cell for cell in figure.cells("smoke", 0) if (cell.method, cell.depth) == (method, depth)]
    # few steps, in float64: many steps of a non-convex fit enlarge every rounding error
    updates = {"imp_updates": 5, "imp_fine_tune": 5} if method == "imp-fair" else {}
    cell = dataclasses.replace(own[-1], n_iter=3, dtype="float64", **updates)
    (metrics, there), (wanted, here) = (figure.compute(cell, device) for device in ("gpu", "cpu"))
    assert isinstance(there["outputs"], np.ndarray)
    np.testing.assert_allclose(there["outputs"], here["outputs"], rtol=1e-4, atol=1e-4)
    for found, row in zip(metrics["fits"], wanted["fits"], strict=True):
        assert found["nonzeros"] == row["nonzeros"]
        assert found["psnr_db"] == pytest.approx(row["psnr_db"], abs=0.01)
