"""Orthogonal matching pursuit with an updated QR factorisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from planted.base.checks import check_number
from recovery.operators.arithmetic import power
from recovery.operators.base import Operator
from recovery.operators.dense import normalise
from recovery.solvers.base import Problem, RecoveryResult, Run, Solver, Status, to_host
from recovery.solvers.least_squares import ridge_fit

__all__ = ["OMP"]


@dataclass(frozen=True)
class OMP(Solver):
    """Orthogonal matching pursuit: one column per step, the one most correlated with the residual.

    Parameters
    ----------
    normalise : bool, default True
        Use correlations rather than inner products: each column counts with unit norm.
    ridge : float, default 0.0
        Fit on the chosen columns with ridge |z|^2 / 2 added to |A x - y|^2 / 2, z the entries in units of unit columns
        (of x on raw columns: ridge then has the unit of |A|^2). It shrinks the entries, but does not affect which
        columns are chosen.

    Notes
    -----
    Q of the selected columns grows by one column per step (Gram-Schmidt twice), so a step costs one adjoint and O(n k).
    The run ends after s columns, when the residual vanishes, or when all remaining columns are in the span of those
    selected. A warm start selects its support first.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad 1993; Tropp 2004 (from memory of the literature, verified against
    scikit-learn's ``orthogonal_mp`` by tests/recovery/test_greedy_solvers.py).
    """

    normalise: bool = True
    ridge: float = 0.0

    name: ClassVar[str] = "omp"
    summary: ClassVar[str] = "orthogonal matching pursuit: s steps, each adds the column of largest correlation"
    max_iter: ClassVar[int] = 10**9
    syncs_per_iteration: ClassVar[int] = 2

    def check(self, problem: Problem) -> None:
        """Raise an error for a negative ridge."""
        check_number(self.ridge, "ridge", minimum=0.0)

    def in_units(self, a: int, b: int) -> OMP:
        """Convert the ridge, which scales with |A|^2 unless the columns have unit norm."""
        return self if self.normalise else replace(self, ridge=power(self.ridge, -2 * a))

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        operator: Operator = problem.operator
        scale = None
        if self.normalise:
            operator, scale = normalise(operator)
        run, xp, y, s = Run(problem), operator.xp, problem.y, problem.s
        rows, size = operator.shape
        eps = float(np.finfo(operator.dtype).eps)
        room = min(s, rows)
        warm = problem.support[:room]
        chosen = xp.zeros(room, dtype=xp.int64)
        basis = xp.zeros((room, rows), dtype=operator.dtype)
        taken = xp.zeros(size, dtype=bool)
        residual, count, objective = y, 0, float("inf")
        status: Status | None = None
        while status is None and count < room:
            gradient = operator.rmatvec(residual)
            size_of = xp.where(taken, -1.0, xp.abs(gradient))
            pick = xp.argmax(size_of).reshape(1) if count >= warm.shape[0] else warm[count : count + 1]
            taken[pick] = True
            column = operator.columns(pick)[:, 0]
            known = basis[:count]
            rest = column - known.T @ (known @ column)
            rest = rest - known.T @ (known @ rest)
            length = xp.sqrt((rest * rest).sum())
            new = residual - rest * ((rest @ residual) / xp.maximum((rest * rest).sum(), np.finfo(operator.dtype).tiny))
            short, norm, square, best = to_host(
                xp, length, xp.sqrt((column * column).sum()), (new * new).sum(), size_of.max()
            )
            if best <= 8 * eps * norm * run.y_square**0.5 and count >= warm.shape[0]:
                status = Status.STALLED
                break
            if short <= 64 * eps * norm:
                # in the span of the others (or zero): it cannot lower the residual, so never take it;
                # a warm start loses it
                if count < warm.shape[0]:
                    warm = xp.concatenate([warm[:count], warm[count + 1 :]])
                continue
            basis[count], chosen[count] = rest / length, pick[0]
            count, residual, objective = count + 1, new, 0.5 * square
            support = chosen[:count].copy()
            values = None
            if problem.callback is not None:  # the coefficients are not needed before the end, except by a callback
                support = xp.sort(support)
                values, _, _ = ridge_fit(operator, support, y, self.ridge)
            status = run.record(objective, support, values, step=1.0, change=1)
        note = "no remaining column can lower the residual" if status is Status.STALLED else ""
        if status is None:
            status = Status.SUPPORT_COMPLETE
        support = xp.sort(chosen[:count])
        values = xp.zeros(0, dtype=operator.dtype)
        if count:
            values, _, _ = ridge_fit(operator, support, y, self.ridge)
        return run.finish(status, support, values, note=note, scale=scale)
