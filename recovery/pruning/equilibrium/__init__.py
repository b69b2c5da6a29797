"""Neurons at equilibrium (NEq): units whose outputs no longer change are frozen and skipped in the backward pass."""

from planted.base.doors import listing
from recovery.pruning.equilibrium.costs import (
    EpochCost,
    backward_operations,
    booked_operations,
    counted_operations,
    forward_operations,
)
from recovery.pruning.equilibrium.neq import NEq
from recovery.pruning.equilibrium.record import EpochState, EquilibriumRun, thaws
from recovery.pruning.equilibrium.rules import EarlyStopping, Equilibrium, Freezing, RandomFreezing, Seen
from recovery.pruning.equilibrium.similarity import cosines, similarities
from recovery.pruning.equilibrium.velocity import Calibrated, calibrated_eps, eps_for_rate, next_velocity, velocities

__all__ = [
    "Calibrated",
    "EarlyStopping",
    "EpochCost",
    "EpochState",
    "Equilibrium",
    "EquilibriumRun",
    "Freezing",
    "NEq",
    "RandomFreezing",
    "Seen",
    "backward_operations",
    "booked_operations",
    "calibrated_eps",
    "cosines",
    "counted_operations",
    "eps_for_rate",
    "forward_operations",
    "next_velocity",
    "similarities",
    "thaws",
    "velocities",
]
__dir__ = listing(__all__)
