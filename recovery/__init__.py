"""Finding it again: operators, solvers, network fitting."""

from typing import Any

from recovery import conditions
from recovery.guarantees.engine.instance import Instance, NoiseLaw
from recovery.networks import FitState, NetworkFit, fit_many, fit_network, imp, imp_many, psnr
from recovery.networks.scalar.unfuse import unfuse
from recovery.operators.dense import DenseOperator, GatedOperator, Operator, as_operator, dottest, normalise
from recovery.solvers.base import RecoveryResult, Status
from recovery.solvers.solve import list_solvers, solve

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
    "Status",
    "as_operator",
    "certificates",
    "conditions",
    "diagnose",
    "dottest",
    "fit_many",
    "fit_network",
    "guarantees",
    "imp",
    "imp_many",
    "list_solvers",
    "normalise",
    "population",
    "psnr",
    "solve",
    "symbolic",
    "testing",
    "unfuse",
]


def __getattr__(name: str) -> Any:
    """Import these modules when asked for: finding a vector or a network does not need them."""
    if name in ("certificates", "guarantees", "population", "symbolic", "testing"):
        import importlib

        return importlib.import_module(f"recovery.{name}")
    if name in ("Diagnosis", "diagnose"):
        from recovery.diagnosis import assess

        return getattr(assess, name)
    raise AttributeError(f"module 'recovery' has no attribute {name!r}")
