"""Pruning of ReLU networks: iterative magnitude pruning, its recipes and its rounds."""

from planted.base.doors import listing
from recovery.pruning.magnitude import imp, imp_many
from recovery.pruning.recipes import FAIR, PAPER, Recipe

__all__ = ["FAIR", "PAPER", "Recipe", "imp", "imp_many"]
__dir__ = listing(__all__)
