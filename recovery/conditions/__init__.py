"""Quantities of an operator that recovery guarantees depend on, such as coherence or restricted eigenvalues."""

from planted.base.doors import listing
from recovery.conditions.coherence import (
    babel_function,
    exact_recovery_coefficient,
    mutual_coherence,
    worst_exact_recovery_coefficient,
)
from recovery.conditions.cone import restricted_eigenvalue
from recovery.conditions.coverage import (
    GateSpread,
    energy_coverage,
    expected_separation,
    gate_coverage,
    gate_separation,
    gate_spread,
    probable_spread,
)
from recovery.conditions.l1_dual import DualVector, dual_certificate
from recovery.conditions.lasso import PrimalDualWitness, irrepresentability, primal_dual_witness
from recovery.conditions.neural import NeuralIsometry, neural_isometry
from recovery.conditions.null_space import null_space_constant, null_space_multipliers
from recovery.conditions.patterns import (
    GatePair,
    Patterns,
    RankReport,
    ReducedGates,
    complementary_pairs,
    cover_count,
    dependent_gates,
    enumerate_patterns,
    equal_gates,
    gated_rank,
    one_per_pair,
    pattern_bound,
)
from recovery.conditions.relaxation import Theorem1Report, theorem1_report
from recovery.conditions.restricted import RestrictedEigenvalues, restricted_eigenvalues
from recovery.conditions.spark import spark_bounds
from recovery.exact.intervals import Interval

__all__ = [
    "DualVector",
    "GatePair",
    "GateSpread",
    "Interval",
    "NeuralIsometry",
    "Patterns",
    "PrimalDualWitness",
    "RankReport",
    "ReducedGates",
    "RestrictedEigenvalues",
    "Theorem1Report",
    "babel_function",
    "complementary_pairs",
    "cover_count",
    "dependent_gates",
    "dual_certificate",
    "energy_coverage",
    "enumerate_patterns",
    "equal_gates",
    "exact_recovery_coefficient",
    "expected_separation",
    "gate_coverage",
    "gate_separation",
    "gate_spread",
    "gated_rank",
    "irrepresentability",
    "mutual_coherence",
    "neural_isometry",
    "null_space_constant",
    "null_space_multipliers",
    "one_per_pair",
    "pattern_bound",
    "primal_dual_witness",
    "probable_spread",
    "restricted_eigenvalue",
    "restricted_eigenvalues",
    "spark_bounds",
    "theorem1_report",
    "worst_exact_recovery_coefficient",
]
__dir__ = listing(__all__)
