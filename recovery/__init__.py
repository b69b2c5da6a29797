"""Sparse recovery: operators, solvers, fits of sparse networks, conditions, guarantees and proofs.

The public names are those that ``dir(recovery)`` lists, and those that its modules list in turn: `certificates`,
`conditions`, `diagnosis`, `guarantees`, `networks`, `operators`, `pruning`, `solvers`, `symbolic` and `testing`. Other
modules may change at any time.
"""

from typing import TYPE_CHECKING

from planted.base.doors import door

if TYPE_CHECKING:
    from recovery import (
        certificates,
        conditions,
        diagnosis,
        guarantees,
        networks,
        operators,
        pruning,
        solvers,
        symbolic,
        testing,
    )
    from recovery.diagnosis.assess import diagnose
    from recovery.diagnosis.report import Diagnosis
    from recovery.estimators.linear import SparseRegressor, SparseRegressorCV
    from recovery.estimators.networks import SparseReLUClassifier, SparseReLURegressor
    from recovery.estimators.paths import SparsePath
    from recovery.guarantees.engine.instance import Instance, NoiseLaw
    from recovery.mlp.losses import psnr
    from recovery.mlp.record import FitState, NetworkFit
    from recovery.networks.fitting import fit_network
    from recovery.networks.many import fit_many
    from recovery.networks.scalar.unfuse import unfuse
    from recovery.operators.base import Operator
    from recovery.operators.dense import DenseOperator, as_operator, dottest, normalise
    from recovery.operators.gated import GatedOperator
    from recovery.pruning.magnitude import imp, imp_many
    from recovery.solvers.base import RecoveryResult, Status
    from recovery.solvers.solve import list_solvers, solve

    __version__: str

__all__ = [
    "DenseOperator",
    "Diagnosis",
    "FitState",
    "GatedOperator",
    "Instance",
    "NetworkFit",
    "NoiseLaw",
    "Operator",
    "RecoveryResult",
    "SparsePath",
    "SparseReLUClassifier",
    "SparseReLURegressor",
    "SparseRegressor",
    "SparseRegressorCV",
    "Status",
    "as_operator",
    "certificates",
    "conditions",
    "diagnose",
    "diagnosis",
    "dottest",
    "fit_many",
    "fit_network",
    "guarantees",
    "imp",
    "imp_many",
    "list_solvers",
    "networks",
    "normalise",
    "operators",
    "pruning",
    "psnr",
    "solve",
    "solvers",
    "symbolic",
    "testing",
    "unfuse",
]

_PLACES = {
    "recovery.diagnosis.assess": "diagnose",
    "recovery.diagnosis.report": "Diagnosis",
    "recovery.estimators.linear": "SparseRegressor SparseRegressorCV",
    "recovery.estimators.networks": "SparseReLUClassifier SparseReLURegressor",
    "recovery.estimators.paths": "SparsePath",
    "recovery.guarantees.engine.instance": "Instance NoiseLaw",
    "recovery.mlp.losses": "psnr",
    "recovery.mlp.record": "FitState NetworkFit",
    "recovery.networks.fitting": "fit_network",
    "recovery.networks.many": "fit_many",
    "recovery.networks.scalar.unfuse": "unfuse",
    "recovery.operators.base": "Operator",
    "recovery.operators.dense": "DenseOperator as_operator dottest normalise",
    "recovery.operators.gated": "GatedOperator",
    "recovery.pruning.magnitude": "imp imp_many",
    "recovery.solvers.base": "RecoveryResult Status",
    "recovery.solvers.solve": "list_solvers solve",
}
"""The module that defines each name above; it is imported on first use."""
_MODULES = "certificates conditions diagnosis guarantees networks operators pruning solvers symbolic testing"
if not TYPE_CHECKING:  # type checkers must still report a misspelt name
    __getattr__, __dir__ = door(__name__, _PLACES, modules=_MODULES)
