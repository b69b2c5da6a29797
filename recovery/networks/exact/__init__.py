"""Exact recovery of two-layer ReLU networks: search, tests on all rows, final fit, and conversion to a network."""

from planted.base.doors import listing
from recovery.networks.exact.fitting import ExactFit, fit_exact

__all__ = ["ExactFit", "fit_exact"]
__dir__ = listing(__all__)
