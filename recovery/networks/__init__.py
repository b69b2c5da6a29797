"""Fits of sparse ReLU networks: the paper's method, a robust method, exact recovery, and convex programs."""

from planted.base.doors import listing
from recovery.mlp.losses import psnr
from recovery.mlp.masks import Masks
from recovery.mlp.record import FitMethod, FitSettings, FitState, Loss, NetworkFit
from recovery.networks.convex import ConeFit, GroupFit, cone_program, group_program
from recovery.networks.exact.fitting import ExactFit, fit_exact
from recovery.networks.fitting import fit_network
from recovery.networks.many import fit_many
from recovery.networks.methods import ExactMethod, Method
from recovery.pruning.magnitude import imp, imp_many

__all__ = [
    "ConeFit",
    "ExactFit",
    "ExactMethod",
    "FitMethod",
    "FitSettings",
    "FitState",
    "GroupFit",
    "Loss",
    "Masks",
    "Method",
    "NetworkFit",
    "cone_program",
    "fit_exact",
    "fit_many",
    "fit_network",
    "group_program",
    "imp",
    "imp_many",
    "psnr",
]
__dir__ = listing(__all__)
