"""Linear operators A: dense matrices, gated operators (ReLU networks with fixed gates), and the solvers' interface."""

from planted.base.doors import listing
from recovery.operators.base import Operator
from recovery.operators.dense import DenseOperator, ScaledOperator, as_operator, dottest, normalise
from recovery.operators.gated import GatedOperator

__all__ = ["DenseOperator", "GatedOperator", "Operator", "ScaledOperator", "as_operator", "dottest", "normalise"]
__dir__ = listing(__all__)
