"""Linear operators A: dense matrices, ReLU networks behind fixed gates, and what the solvers need of them."""

from planted.base.doors import listing
from recovery.operators.base import Operator
from recovery.operators.dense import DenseOperator, ScaledOperator, as_operator, dottest, normalise
from recovery.operators.gated import GatedOperator

__all__ = ["DenseOperator", "GatedOperator", "Operator", "ScaledOperator", "as_operator", "dottest", "normalise"]
__dir__ = listing(__all__)
