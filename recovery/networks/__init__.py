"""Fitting sparse two-layer ReLU networks by sequential convex gates."""

from planted.base.doors import listing
from recovery.mlp.losses import psnr
from recovery.mlp.masks import Masks
from recovery.mlp.record import FitMethod, FitSettings, FitState, Loss, NetworkFit
from recovery.networks.convex import ConeFit, GroupFit, cone_program, group_program
from recovery.networks.fitting import Method, fit_network
from recovery.networks.many import fit_many
from recovery.pruning.magnitude import imp, imp_many

__all__ = [
    "ConeFit",
    "FitMethod",
    "FitSettings",
    "FitState",
    "GroupFit",
    "Loss",
    "Masks",
    "Method",
    "NetworkFit",
    "cone_program",
    "fit_many",
    "fit_network",
    "group_program",
    "imp",
    "imp_many",
    "psnr",
]
__dir__ = listing(__all__)
