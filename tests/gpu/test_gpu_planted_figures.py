"""Cells of Figures 1 and 2 on a GPU: all methods and depths work there and score as on the CPU."""

import numpy as np
import pytest

from paper_repro.experiments import planted_networks
from paper_repro.experiments.grids import METHODS

pytestmark = pytest.mark.gpu

SCALAR = {"m": 3, "s": 12, "seed": 0, "n": 600, "d": 8, "n_outputs": 1, "n_iter": 10}
VECTOR = {"m": 3, "s": 18, "seed": 0, "n": 600, "d": 8, "n_outputs": 4, "n_iter": 40}


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [planted_networks.Fig1Cell, planted_networks.Fig2Cell])
def test_a_cell(gpu, kind, method, depth):
    sizes = SCALAR if kind is planted_networks.Fig1Cell else VECTOR
    cell = kind(**sizes, method=method, depth=depth, imp_updates=30 if method == "imp-fair" else None)
    there, arrays = planted_networks.compute(cell, "gpu")
    here, _ = planted_networks.compute(cell, "cpu")
    assert all(isinstance(value, np.ndarray) for value in arrays.values())
    assert there["planted_nonzeros"] == here["planted_nonzeros"]
    # training multiplies the rounding of products, so long fits agree in their score, not in their bits
    assert there["psnr_db"] == pytest.approx(here["psnr_db"], abs=1.0)
    assert there["test_psnr_db"] == pytest.approx(here["test_psnr_db"], abs=1.0)
    assert abs(there["nonzeros"] - here["nonzeros"]) <= 2


@pytest.mark.parametrize(("method", "depth"), [("paper", 1), ("imp-paper", 1), ("imp-paper", 2), ("imp-fair", 1)])
def test_a_batch_scores_as_its_cells_alone(gpu, method, depth):
    updates = 30 if method == "imp-fair" else None
    cells = [
        planted_networks.Fig1Cell(**{**SCALAR, "s": s}, method=method, depth=depth, imp_updates=updates)
        for s in (24, 6, 12)
    ]
    found = planted_networks.compute_many(cells, "gpu")
    for cell, (metrics, _) in zip(cells, found, strict=True):
        alone, _ = planted_networks.compute(cell, "gpu")
        assert metrics["status"] == alone["status"]
        assert metrics["psnr_db"] == pytest.approx(alone["psnr_db"], abs=1.0)
        assert abs(metrics["nonzeros"] - alone["nonzeros"]) <= 2
