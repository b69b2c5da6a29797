"""Pruning of ReLU networks and linear models: a space of methods, each a value, and iterative magnitude pruning."""

from planted.base.doors import listing
from recovery.pruning.catalogue import as_method, catalogue
from recovery.pruning.cost import Cost
from recovery.pruning.criteria import Accumulated, Grasp, Snip, Taylor
from recovery.pruning.data import Data
from recovery.pruning.magnitude import imp, imp_many
from recovery.pruning.method import Method
from recovery.pruning.model import Model
from recovery.pruning.pruning import prune, score
from recovery.pruning.recipes import FAIR, PAPER, Recipe
from recovery.pruning.result import PruningResult, PruningRound, PruningState
from recovery.pruning.schedules import Exponential, OneShot, Rounds
from recovery.pruning.second_order import Obs
from recovery.pruning.space import Space, describe
from recovery.pruning.training import Step, Task, Trained, Training, Trains
from recovery.pruning.transfer import FrozenFeatures, Ticket, TransferResult, find_ticket, ticket_transfer
from recovery.pruning.view import View
from recovery.pruning.weight_maps import Compensation, identity, reinitialise, sign_constant

__all__ = [
    "FAIR",
    "PAPER",
    "Accumulated",
    "Compensation",
    "Cost",
    "Data",
    "Exponential",
    "FrozenFeatures",
    "Grasp",
    "Method",
    "Model",
    "Obs",
    "OneShot",
    "PruningResult",
    "PruningRound",
    "PruningState",
    "Recipe",
    "Rounds",
    "Snip",
    "Space",
    "Step",
    "Task",
    "Taylor",
    "Ticket",
    "Trained",
    "Training",
    "Trains",
    "TransferResult",
    "View",
    "as_method",
    "catalogue",
    "describe",
    "find_ticket",
    "identity",
    "imp",
    "imp_many",
    "prune",
    "reinitialise",
    "score",
    "sign_constant",
    "ticket_transfer",
]
__dir__ = listing(__all__)
