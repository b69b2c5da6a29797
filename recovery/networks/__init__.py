"""Fitting sparse two-layer ReLU networks by sequential convex gates."""

from recovery.networks.fitting import fit_network
from recovery.networks.metrics import psnr
from recovery.networks.record import FitState, NetworkFit

__all__ = ["FitState", "NetworkFit", "fit_network", "psnr"]
