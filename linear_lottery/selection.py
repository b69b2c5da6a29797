"""The result of comparators, and their common argument checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_same_rows
from planted.base.values import by_value
from recovery.operators.dense import DenseOperator
from recovery.solvers.least_squares import least_squares

__all__ = ["Selection", "checked", "refitted"]


@by_value
@dataclass(frozen=True, eq=False)
class Selection:
    """The weights selected by a method.

    Parameters
    ----------
    method : str
        Name of the method.
    support : array of int64, shape (at most k,)
        Selected weights, ascending, on the device of the data. Fewer than k if the method finds no more.
    weights : array, shape (d,)
        Least squares on the support, whatever the method's own weights are, so that methods are comparable; exactly 0
        elsewhere.
    order : array of int64, optional
        The order in which the method selected or dropped weights, if it has one; its docstring says which.
    sparsity : int, optional
        The requested number of weights; None for the oracles, which are given the support.
    """

    method: str
    support: Any
    weights: Any
    order: Any = None
    sparsity: int | None = None

    def __repr__(self) -> str:
        """Return method and sizes, without the arrays."""
        return f"Selection({self.method!r}, {self.support.shape[0]} of {self.weights.shape[0]} weights)"

    @property
    def success(self) -> bool:
        """Whether the requested number of weights was selected."""
        return self.sparsity is None or int(self.support.shape[0]) == self.sparsity

    @property
    def message(self) -> str:
        """A message that says how many weights were selected."""
        asked = "" if self.success else f", fewer than the {self.sparsity} requested"
        return f"{self.method} selected {self.support.shape[0]} of {self.weights.shape[0]} weights{asked}"


def checked(X: Any, y: Any, sparsity: Any = 0) -> tuple[Any, Any, int]:
    """Return X, y (of one dtype, on one device) and the sparsity, or raise an error."""
    X = check_array(X, "X", ndim=2)
    y = check_array(y, "y", ndim=1)
    check_same_rows(X, "X", y, "y")
    arrays.namespace(X, y)  # raises an error for mixed devices
    sparsity = check_integer(sparsity, "sparsity", minimum=0, maximum=int(X.shape[1]))
    dtype = np.result_type(X.dtype, y.dtype)
    X, y = (value.astype(dtype) if value.dtype != dtype else value for value in (X, y))
    return X, y, sparsity


def refitted(method: str, X: Any, y: Any, support: Any, sparsity: int | None = None) -> Selection:
    """Return the selection of a support (ascending, on the device of X), with least squares on it."""
    xp = arrays.namespace(X, y, support)
    weights = xp.zeros(X.shape[1], dtype=X.dtype)
    if support.shape[0]:
        weights[support] = least_squares(DenseOperator(X), support, y)[0]
    return Selection(method, support, weights, sparsity=sparsity)
