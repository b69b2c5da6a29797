"""Cells of the experiments computed on a GPU agree with the CPU: same support, values to 1e-10."""

import numpy as np
import pytest

from paper_repro import experiment as experiments
from paper_repro import sweep
from paper_repro.experiments import imp_decoy, imp_init, imp_phase, imp_risk, planted_networks, table1
from paper_repro.store import Store

pytestmark = pytest.mark.gpu

CELLS = [
    planted_networks.Fig1Cell(m=2, s=6, seed=0, method="paper", depth=1, n=600, d=10, n_outputs=1, n_iter=15),
    planted_networks.Fig1Cell(m=2, s=6, seed=0, method="robust", depth=1, n=600, d=10, n_outputs=1, n_iter=15),
    table1.Table1Cell(1, 0, "float64", "robust", 40, m=2, s=6, n=500, d=6),
]


def experiment_of(cell):
    every = map(experiments.get, experiments.names())
    (found,) = [one for one in every if one.settings is type(cell) and one.cells_of is None]
    return found


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{type(cell).__name__}-{cell.method}")
def test_a_cell(gpu, cell):
    compute = experiment_of(cell).compute
    (metrics, there), (_, here) = compute(cell, "gpu"), compute(cell, "cpu")
    assert all(isinstance(value, np.ndarray) for value in there.values())
    if "weights" in here:
        np.testing.assert_allclose(there["weights"], here["weights"], atol=1e-10)
        return
    np.testing.assert_array_equal(there["hidden_position"], here["hidden_position"])
    np.testing.assert_allclose(there["hidden_value"], here["hidden_value"], atol=1e-10)
    assert metrics


@pytest.mark.parametrize(
    "cell",
    [
        imp_phase.PhaseCell(30, 0.9, 0, 5),
        imp_phase.PhaseCell(100, 0.5, 0, 5),
        imp_decoy.DecoyCell(0.6, 0.3, 0, 5),
        imp_init.InitCell(0.2, 0, 2),
        imp_risk.RiskCell(60, 30, 0.0, 0, 2, k=3),
        imp_risk.RiskCell(30, 60, 0.1, 0, 2, k=3),
    ],
    ids=lambda cell: f"{type(cell).__name__}-{cell.n}-{cell.d}",
)
def test_a_cell_of_pruning_in_linear_models(gpu, cell):
    compute = experiment_of(cell).compute
    (metrics, there), (_, here) = compute(cell, "gpu"), compute(cell, "cpu")
    assert metrics["trials"] == cell.trials
    for name, values in here.items():
        np.testing.assert_allclose(there[name], values, rtol=1e-7)


def test_a_sweep_on_the_gpu_uses_one_process_and_says_so(gpu, tmp_path):
    experiment = experiments.get("fig1")
    outcome = sweep.run(experiment, CELLS[:2], Store(tmp_path), device="gpu")
    assert (outcome.computed, outcome.failed) == (2, [])
    runs = [record.run for record in Store(tmp_path).records()]
    assert {run["device"] for run in runs} == {"gpu"}
    assert all(run["peak_bytes"] > 0 for run in runs)
