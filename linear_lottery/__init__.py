"""Iterative magnitude pruning in linear models: gradient flow in closed form, pruning by magnitude and by threshold.

The public names are those that ``dir(linear_lottery)`` lists, and those that its modules `closed_forms`, `comparators`,
`guarantees`, `symbolic` and `symbolic_risks` list in turn. Other modules may change at any time.
"""

from typing import TYPE_CHECKING

from planted.base.doors import door

if TYPE_CHECKING:
    from linear_lottery import closed_forms, comparators, guarantees, symbolic, symbolic_risks
    from linear_lottery._imp import imp, threshold_prune
    from linear_lottery.estimator import IMPRegressor
    from linear_lottery.flow import gradient_flow
    from linear_lottery.flow_training import Flow, imp_method
    from linear_lottery.path import PruningPath

    __version__: str

__all__ = [
    "Flow",
    "IMPRegressor",
    "PruningPath",
    "closed_forms",
    "comparators",
    "gradient_flow",
    "guarantees",
    "imp",
    "imp_method",
    "symbolic",
    "symbolic_risks",
    "threshold_prune",
]

_PLACES = {
    "linear_lottery._imp": "imp threshold_prune",
    "linear_lottery.estimator": "IMPRegressor",
    "linear_lottery.flow": "gradient_flow",
    "linear_lottery.flow_training": "Flow imp_method",
    "linear_lottery.path": "PruningPath",
}
"""The module that defines each name above; it is imported on first use."""
_MODULES = "closed_forms comparators guarantees symbolic symbolic_risks"
if not TYPE_CHECKING:  # type checkers must still report a misspelt name
    __getattr__, __dir__ = door(__name__, _PLACES, modules=_MODULES)
