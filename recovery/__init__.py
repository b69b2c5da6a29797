"""Finding it again: operators, solvers, network fitting."""

from recovery._solve import list_solvers, solve
from recovery.operators import DenseOperator, GatedOperator, Operator, as_operator, dottest, normalise
from recovery.results import RecoveryResult, Status

__all__ = [
    "DenseOperator",
    "GatedOperator",
    "Operator",
    "RecoveryResult",
    "Status",
    "as_operator",
    "dottest",
    "list_solvers",
    "normalise",
    "solve",
]
