"""A smoke test of an environment with NumPy and SciPy alone; run by tests/test_doors.py and tests/test_wheel.py."""

import numpy as np

import figures
import linear_lottery
import paper_repro
import planted
import recovery
from recovery import testing


def says(extra, call):
    """Check that a call fails with the sentence that names the extra."""
    try:
        call()
    except ModuleNotFoundError as error:
        sentence = str(error)
    else:
        sentence = "nothing was missing"
    assert f"which is not installed: pip install 'sparse-recovery-lab[{extra}]'" in sentence, sentence


X, y, w = planted.linear_model(60, 20, 3, rng=0)
for name in recovery.list_solvers():
    if name == "group_l1":
        says("certificates", lambda name=name: recovery.solve(X, y, 3, name, groups=np.arange(20)))
    else:
        assert set(recovery.solve(X, y, 3, name).support) == set(w.nonzero()[0]), name
says("certificates", lambda: recovery.solve(X, y, 3, "l1", backend="CLARABEL"))
truth = planted.sparse_network(6, 2, 5, rng=0)
inputs = planted.gaussian_inputs(200, 6, rng=1)
fit = recovery.fit_network(inputs, truth(inputs), n_neurons=2, sparsity=5, rng=0)
assert planted.match_networks(fit.network, truth).weight_error < 10.0
assert recovery.imp(inputs, truth(inputs), n_neurons=2, sparsity=5, max_iter=50, rng=0).network.hidden.shape == (6, 2)
assert linear_lottery.imp(X, y, 3).support.tolist() == np.flatnonzero(w).tolist()
assert 0.0 < recovery.conditions.mutual_coherence(X) < 1.0
small = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.5]])
assert recovery.certificates.enumeration_bound(small, 1, "largest").check().valid
assert recovery.conditions.restricted_eigenvalues(small, 1).largest.upper > 0.0
assert recovery.guarantees.catalogue()
assert linear_lottery.guarantees.catalogue()
assert 0.0 < linear_lottery.closed_forms.recovery_probability(20, 3, 2.0) < 1.0

gates = recovery.GatedOperator.from_generators(inputs, np.eye(6)[:, :3]).gates()
says("certificates", lambda: recovery.networks.group_program(inputs, gates, truth(inputs)))
says("certificates", lambda: recovery.certificates.is_positive_semidefinite([[1]], backend="flint"))
says("symbolic", recovery.symbolic.gate_block)
says("figures", lambda: figures.draw("fig1", None))
says("data", planted.datasets.digits)
says("data", lambda: recovery.SparseRegressor())
says("data", lambda: recovery.SparseReLUClassifier())
says("data", lambda: linear_lottery.IMPRegressor())
says("data", lambda: planted.inr_image("photo-grey"))
says("data", paper_repro.Results([], {}, {}).to_pandas)
says("testing", testing.operators)
print("all is well")
