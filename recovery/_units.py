"""The caller's units of a recovery problem, and those in which the solvers work: A and y near 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recovery._powers import power, shifted
from recovery.results import RecoveryResult, Status
from recovery.solvers.base import Problem, Solver, State

__all__ = ["Units"]


@dataclass(frozen=True)
class Units:
    """A = 2^a A', y = 2^b y' with the primed ones near 1, so that x = 2^(b - a) x'.

    Parameters
    ----------
    a, b : int
        The exponents.
    solver : Solver
        On columns of unit norm step sizes have no unit, and the values that a callback sees have that of y.
    """

    a: int
    b: int
    solver: Solver

    @property
    def x(self) -> int:
        """Exponent of the unit of x."""
        return self.b - self.a

    @property
    def step(self) -> int:
        """Exponent of the unit of a step size."""
        return -2 * self.a if self.solver.makes_steps and not self.solver.unit_columns else 0

    def translated(self, callback: Callable[[State], Any] | None) -> Callable[[State], Any] | None:
        """Return the caller's function of a state in the caller's units as one of a state in those of the solver."""
        if callback is None:
            return None
        unit = self.b if self.solver.unit_columns else self.x

        def inside(state: State) -> Any:
            return callback(
                replace(
                    state,
                    objective=power(state.objective, 2 * self.b),
                    values=None if state.values is None else shifted(state.values, unit),
                    step=power(state.step, self.step),
                )
            )

        return inside

    def result(self, found: RecoveryResult, problem: Problem) -> RecoveryResult:
        """Return a solver's result in the caller's units.

        Entries of x that the dtype cannot hold become infinite or 0, or lose digits; where that changes A x by more
        than the rounding of y, the status says so. The objective is that of the x that is returned.
        """
        history = {
            key: [power(value, {"objective": 2 * self.b, "step": self.step}.get(key, 0)) for value in column]
            for key, column in found.history.items()
        }
        values = shifted(found.values, self.x)
        if self.x == 0:
            objective = power(found.objective, 2 * self.b)
            return replace(found, objective=objective, history=history)
        xp, operator = problem.operator.xp, problem.operator
        support, status, message, objective = found.support, found.status, found.message, found.objective
        back = shifted(values, -self.x)
        if bool((back != found.values).any()):
            finite = xp.where(xp.isfinite(back), back, 0.0).astype(back.dtype)
            lost = operator.matvec_support(support, finite - found.values)
            if bool(xp.isfinite(values).all()):
                residual = problem.y - operator.matvec_support(support, back)
                objective = 0.5 * float((residual * residual).sum())
            else:
                objective = float("inf")
            slack = 4 * float(np.finfo(operator.dtype).eps)
            if float(xp.sqrt((lost * lost).sum())) > slack * float(xp.sqrt((problem.y * problem.y).sum())):
                status = Status.OUT_OF_RANGE
                message = f"{status.value}; before that: {found.message}"
            keep = values != 0
            support, values = support[keep], values[keep]
        x = None
        if found.x is not None:
            x = xp.zeros(operator.shape[1], dtype=operator.dtype)
            x[support] = values
        return replace(
            found,
            x=x,
            support=support,
            values=values,
            objective=power(objective, 2 * self.b),
            status=status,
            message=message,
            history=history,
        )
