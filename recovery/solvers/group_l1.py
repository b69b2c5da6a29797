"""Group basis pursuit by cvxpy: the convex program of gated networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from planted.checks import check_number
from recovery._powers import power
from recovery.results import RecoveryResult
from recovery.solvers.base import Problem, Solver
from recovery.solvers.l1 import cut_and_fit

__all__ = ["GroupL1"]


@dataclass(frozen=True)
class GroupL1(Solver):
    """Group basis pursuit: min sum_j |z_j|_2 subject to A z = y; then the top s, and least squares there.

    Parameters
    ----------
    groups : sequence of int, optional
        The group of each column, length N. None groups the columns of a
        :class:`recovery.GatedOperator` by gate: the program that trains gated networks,
        min sum_j |w_j| subject to sum_j D_j X w_j = y.
    noise : float, default 0.0
        Bound on |A z - y|_2; 0 asks for equality.
    normalise : bool, default False
        Penalise the entries in units of normalised columns.
    backend : str, default "CLARABEL"
        Name of the cvxpy solver.

    See Also
    --------
    recovery.networks.group_program : the program's own solution of gated data, before any cut, and its dual vector.
    recovery.networks.cone_program : the same with the cones in which gates are those of a ReLU network.

    Notes
    -----
    The same cut to s entries and the same fit as :class:`recovery.solvers.l1.L1`.

    References
    ----------
    Pilanci and Ergen, "Neural networks are convex regularizers", ICML 2020 (from memory of the literature).
    """

    groups: Any = None
    noise: float = 0.0
    normalise: bool = False
    backend: str = "CLARABEL"

    name: ClassVar[str] = "group_l1"
    requires: ClassVar[tuple[str, ...]] = ("columns",)
    summary: ClassVar[str] = "group basis pursuit (cvxpy), groups = gates; cut to s entries and fitted again; forms A"
    max_iter: ClassVar[int] = 200
    tol: ClassVar[float] = 1e-8
    syncs_per_iteration: ClassVar[int] = 1

    def check(self, problem: Problem) -> None:
        """Refuse groups that do not name one group for each column."""
        check_number(self.noise, "noise", minimum=0.0)
        self._labels(problem)

    def in_units(self, a: int, b: int) -> GroupL1:
        """Convert the bound on |A z - y|, which has the unit of y."""
        return replace(self, noise=power(self.noise, -b)) if self.noise else self

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        import cvxpy as cp

        labels = self._labels(problem)
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        return cut_and_fit(self, problem, lambda z: cp.sum([cp.norm2(z[index]) for index in members]))

    def _labels(self, problem: Problem) -> np.ndarray:
        size = problem.operator.shape[1]
        if self.groups is None:
            width = getattr(problem.operator, "n_features", None)
            if width is None:
                raise ValueError(
                    f"groups=None, but A ({type(problem.operator).__name__}) has no gates; "
                    "expected a GatedOperator, or groups with one label a column"
                )
            return np.arange(size) // int(width)
        labels = np.asarray(self.groups)
        if labels.shape != (size,):
            raise ValueError(f"groups has shape {labels.shape}; expected one label for each of the {size} columns")
        return labels
