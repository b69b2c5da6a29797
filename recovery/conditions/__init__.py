"""Numbers about an operator that recovery guarantees ask for."""

from recovery.conditions.coherence import babel, mutual_coherence
from recovery.conditions.cone import restricted_eigenvalue
from recovery.conditions.exact_recovery import exact_recovery_coefficient, worst_exact_recovery_coefficient
from recovery.conditions.intervals import Interval
from recovery.conditions.lasso import PrimalDualWitness, irrepresentable, primal_dual_witness
from recovery.conditions.neural import NeuralIsometry, neural_isometry
from recovery.conditions.restricted import RestrictedEigenvalues, restricted_eigenvalues

__all__ = [
    "Interval",
    "NeuralIsometry",
    "PrimalDualWitness",
    "RestrictedEigenvalues",
    "babel",
    "exact_recovery_coefficient",
    "irrepresentable",
    "mutual_coherence",
    "neural_isometry",
    "primal_dual_witness",
    "restricted_eigenvalue",
    "restricted_eigenvalues",
    "worst_exact_recovery_coefficient",
]
