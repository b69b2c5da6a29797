"""Pursuits that enlarge the support, fit on the union, prune, and refit: CoSaMP and subspace pursuit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from planted.base.checks import check_number
from recovery.operators.arithmetic import power
from recovery.operators.base import Operator
from recovery.operators.dense import normalise
from recovery.operators.thresholding import select_top
from recovery.solvers.base import Problem, RecoveryResult, Run, SeenSupports, Solver, Status, entered
from recovery.solvers.least_squares import ridge_fit

__all__ = ["CoSaMP", "SubspacePursuit"]

PATIENCE = 10
"""A run has stalled when its best objective has not fallen in this many steps; near n columns it may wander for
long."""


@dataclass(frozen=True)
class _Pursuit(Solver):
    """Common base of the two pursuits, which differ only in `factor`: a step adds factor * s columns."""

    normalise: bool = True
    ridge: float = 0.0

    factor: ClassVar[int]
    max_iter: ClassVar[int] = 300
    syncs_per_iteration: ClassVar[int] = 12

    def check(self, problem: Problem) -> None:
        """Raise an error for a negative ridge."""
        check_number(self.ridge, "ridge", minimum=0.0)

    def in_units(self, a: int, b: int) -> _Pursuit:
        """Convert the ridge, which scales with |A|^2 unless the columns have unit norm."""
        return self if self.normalise else replace(self, ridge=power(self.ridge, -2 * a))

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        return _pursue(problem, self)


@dataclass(frozen=True)
class CoSaMP(_Pursuit):
    """CoSaMP (Needell and Tropp 2009), with a final fit on the pruned support in every step.

    Parameters
    ----------
    normalise : bool, default True
        Work on columns of unit norm.
    ridge : float, default 0.0
        Fit with ridge |z|^2 / 2 added to |A x - y|^2 / 2, z the entries in units of unit columns (of x on raw
        columns: ridge then has the unit of |A|^2). Shrinks the entries, which helps with noise if s columns with few
        rows are selected from many.

    Notes
    -----
    T = S + the top 2s of A'(y - A x); b = least squares on T; S = top s of b; x = least squares on S. The original
    keeps b on S instead of refitting; the second fit (as in subspace pursuit) makes x exact as soon as S is right. A
    repeated support ends the run: the map from one support to the next is deterministic, so the run would cycle. Ten
    steps without a smaller residual end it too.

    A union of more than n columns fits any y, so that b carries no information. If 3 s > n and A has more than n
    columns, a step adds s columns, as subspace pursuit does, and if also 2 s > n, half of the columns that would fill
    the union up to n; the message says so.

    References
    ----------
    Needell and Tropp, "CoSaMP: iterative signal recovery from incomplete and inaccurate samples",
    Appl. Comput. Harmon. Anal. 2009 (from memory of the literature, verified numerically by
    tests/recovery/test_greedy_solvers.py).
    """

    name: ClassVar[str] = "cosamp"
    summary: ClassVar[str] = "CoSaMP: adds 2s columns, fits on 3s, prunes to s and refits"
    factor: ClassVar[int] = 2


@dataclass(frozen=True)
class SubspacePursuit(_Pursuit):
    """Subspace pursuit (Dai and Milenkovic 2009): CoSaMP with s new columns per step.

    Parameters
    ----------
    normalise : bool, default True
        Work on columns of unit norm.
    ridge : float, default 0.0
        Fit with ridge |z|^2 / 2 added to |A x - y|^2 / 2, z the entries in units of unit columns (of x on raw
        columns: ridge then has the unit of |A|^2). Shrinks the entries, which helps with noise if s columns with few
        rows are selected from many.

    Notes
    -----
    T = S + the top s of A'(y - A x); b = least squares on T; S = top s of b; x = least squares on S. The original ends
    as soon as the residual grows; here the run continues until a support repeats, or ten steps bring no smaller
    residual, and the best iterate is returned. If 2 s > n and A has more than n columns, a step adds half of the
    columns that would fill the union up to n; the message says so.

    References
    ----------
    Dai and Milenkovic, "Subspace pursuit for compressive sensing signal reconstruction", IEEE Trans. Inf. Theory 2009
    (from memory of the literature, verified numerically by tests/recovery/test_greedy_solvers.py).
    """

    name: ClassVar[str] = "subspace-pursuit"
    summary: ClassVar[str] = "subspace pursuit: adds s columns, fits on 2s, prunes to s and refits"
    factor: ClassVar[int] = 1


def _fresh(s: int, factor: int, rows: int, size: int) -> tuple[int, str]:
    """Return how many columns a step adds to s columns, and a note if they are fewer than `factor` s."""
    if min(s + factor * s, size) <= rows:
        return min(factor * s, size), ""
    fresh = s if 2 * s <= rows else max(1, (rows - s) // 2)
    if fresh == factor * s:
        return min(fresh, size), ""
    note = f"each step added {fresh} columns, not {factor * s}, as {s + factor * s} columns fit any y of {rows} entries"
    return min(fresh, size), note


def _pursue(problem: Problem, solver: _Pursuit) -> RecoveryResult:
    """Solve the problem with ``solver.factor`` s new columns in each step."""
    operator: Operator = problem.operator
    scale = None
    support, values = problem.support, problem.values
    ridge = solver.ridge
    if solver.normalise:
        operator, scale = normalise(operator)
        values = scale[support] * values
    run, seen, xp, y, s = Run(problem, PATIENCE), SeenSupports(), operator.xp, problem.y, problem.s
    rows, size = operator.shape
    fresh, note = _fresh(s, solver.factor, rows, size)
    residual = y - operator.matvec_support(support, values) if support.shape[0] else y
    status: Status | None = None
    while status is None:
        gradient = operator.rmatvec(residual)
        if ridge and support.shape[0]:
            gradient[support] = gradient[support] - ridge * values
        # a smaller support, as that of a start, is first filled up to s columns
        added = fresh if support.shape[0] >= s else max(s, fresh)
        union = xp.union1d(support, select_top(gradient, min(size, added)))
        fitted, _, _ = ridge_fit(operator, union, y, ridge)
        old, support = support, union[select_top(fitted, s)]
        values, residual, objective = ridge_fit(operator, support, y, ridge)
        status = run.record(objective, support, values, step=1.0, change=entered(xp, support, old))
        period = seen.period(objective, support, run.n_iter)
        if status is None and period:
            status = Status.SUPPORT_STABLE if period == 1 else Status.CYCLE
    answer: tuple[Any, Any] = (support, values) if status.success else run.best[1:]
    return run.finish(status, *answer, note=note, scale=scale)
