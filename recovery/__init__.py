"""Finding it again: operators, solvers, network fitting."""

from typing import Any

from recovery import conditions
from recovery._solve import list_solvers, solve
from recovery.instances import Instance
from recovery.laws import NoiseLaw
from recovery.networks import FitState, NetworkFit, fit_network, imp, psnr
from recovery.operators import DenseOperator, GatedOperator, Operator, as_operator, dottest, normalise
from recovery.results import RecoveryResult, Status
from recovery.unfusing import unfuse

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
    "fit_network",
    "guarantees",
    "imp",
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
        from recovery import diagnosis

        return getattr(diagnosis, name)
    raise AttributeError(f"module 'recovery' has no attribute {name!r}")
