"""Pruning of ReLU networks and linear models: methods as values in one framework, and iterative magnitude pruning."""

from planted.base.doors import listing
from recovery.pruning.bingo import Bingo, bingo
from recovery.pruning.catalogue import as_method, catalogue
from recovery.pruning.cost import Cost
from recovery.pruning.criteria import Accumulated, Grasp, Snip, Taylor
from recovery.pruning.data import Data
from recovery.pruning.edge_popup import EdgePopup, edge_popup
from recovery.pruning.floor import FloorResult, prune_to_floor
from recovery.pruning.magnitude import imp, imp_many
from recovery.pruning.method import Method
from recovery.pruning.model import Model
from recovery.pruning.moving import SET, Gradual, RigL, Thresholding, gradual_magnitude, iht, rigl, sparse_evolution
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
    "SET",
    "Accumulated",
    "Bingo",
    "Compensation",
    "Cost",
    "Data",
    "EdgePopup",
    "Exponential",
    "FloorResult",
    "FrozenFeatures",
    "Gradual",
    "Grasp",
    "Method",
    "Model",
    "Obs",
    "OneShot",
    "PruningResult",
    "PruningRound",
    "PruningState",
    "Recipe",
    "RigL",
    "Rounds",
    "Snip",
    "Space",
    "Step",
    "Task",
    "Taylor",
    "Thresholding",
    "Ticket",
    "Trained",
    "Training",
    "Trains",
    "TransferResult",
    "View",
    "as_method",
    "bingo",
    "catalogue",
    "describe",
    "edge_popup",
    "find_ticket",
    "gradual_magnitude",
    "identity",
    "iht",
    "imp",
    "imp_many",
    "prune",
    "prune_to_floor",
    "reinitialise",
    "rigl",
    "score",
    "sign_constant",
    "sparse_evolution",
    "ticket_transfer",
]
__dir__ = listing(__all__)
