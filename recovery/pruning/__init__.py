"""Pruning of ReLU networks and linear models: a space of methods, each a value, and iterative magnitude pruning."""

from planted.base.doors import listing
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data
from recovery.pruning.magnitude import imp, imp_many
from recovery.pruning.method import Method
from recovery.pruning.model import Model
from recovery.pruning.pruning import prune, score
from recovery.pruning.recipes import FAIR, PAPER, Recipe
from recovery.pruning.result import PruningResult, PruningRound, PruningState
from recovery.pruning.schedules import Exponential, OneShot, Rounds
from recovery.pruning.training import Step, Task, Trained, Training, Trains
from recovery.pruning.transfer import FrozenFeatures, Ticket, TransferResult, find_ticket, ticket_transfer
from recovery.pruning.view import View

__all__ = [
    "FAIR",
    "PAPER",
    "Cost",
    "Data",
    "Exponential",
    "FrozenFeatures",
    "Method",
    "Model",
    "OneShot",
    "PruningResult",
    "PruningRound",
    "PruningState",
    "Recipe",
    "Rounds",
    "Step",
    "Task",
    "Ticket",
    "Trained",
    "Training",
    "Trains",
    "TransferResult",
    "View",
    "find_ticket",
    "imp",
    "imp_many",
    "prune",
    "score",
    "ticket_transfer",
]
__dir__ = listing(__all__)
