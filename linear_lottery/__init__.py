"""Iterative magnitude pruning in linear models: gradient flow in closed form, pruning by magnitude and by threshold."""

from linear_lottery._imp import imp
from linear_lottery._threshold import threshold_prune
from linear_lottery.flow import gradient_flow
from linear_lottery.path import PruningPath

__all__ = ["PruningPath", "gradient_flow", "imp", "threshold_prune"]
