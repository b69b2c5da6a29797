"""Finding it again: operators, solvers, network fitting."""

from recovery import conditions
from recovery._solve import list_solvers, solve
from recovery.instances import Instance
from recovery.laws import NoiseLaw
from recovery.networks import FitState, NetworkFit, fit_network, psnr
from recovery.operators import DenseOperator, GatedOperator, Operator, as_operator, dottest, normalise
from recovery.results import RecoveryResult, Status

__all__ = [
    "DenseOperator",
    "FitState",
    "GatedOperator",
    "Instance",
    "NetworkFit",
    "NoiseLaw",
    "Operator",
    "RecoveryResult",
    "Status",
    "as_operator",
    "conditions",
    "dottest",
    "fit_network",
    "list_solvers",
    "normalise",
    "psnr",
    "solve",
]
