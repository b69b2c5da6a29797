"""Fitting sparse two-layer ReLU networks by sequential convex gates."""

from recovery.networks.convex import ConeFit, GroupFit, cone_program, group_program
from recovery.networks.fitting import fit_network
from recovery.networks.many import fit_many
from recovery.networks.masks import Masks
from recovery.networks.metrics import psnr
from recovery.networks.pruning import imp, imp_many
from recovery.networks.record import FitState, NetworkFit

__all__ = [
    "ConeFit",
    "FitState",
    "GroupFit",
    "Masks",
    "NetworkFit",
    "cone_program",
    "fit_many",
    "fit_network",
    "group_program",
    "imp",
    "imp_many",
    "psnr",
]
