"""Hard thresholding pursuit, which detects and breaks cycles of supports."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from planted.base.checks import check_integer, check_number
from recovery.operators.arithmetic import power
from recovery.operators.base import Operator
from recovery.operators.dense import normalise
from recovery.operators.thresholding import select_top
from recovery.solvers.base import (
    Clock,
    Problem,
    RecoveryResult,
    Run,
    SeenSupports,
    Solver,
    Status,
    counted_from,
    entered,
)
from recovery.solvers.gradient import step_in_units
from recovery.solvers.least_squares import ridge_fit

__all__ = ["HTP"]

SIZES = 7
"""Number of sizes in a continuation."""

ON_THE_WAY = 3
"""Largest number of escapes at each size of a continuation except the last: more would cost more than they gain."""


@dataclass(frozen=True)
class HTP(Solver):
    """Hard thresholding pursuit (Foucart 2011): top s of x + step A'(y - A x), then least squares there.

    Parameters
    ----------
    step : float, default 1.0
        Step size, on normalised columns if `normalise`.
    normalise : bool, default True
        Work on columns of unit norm, so that the scale of A and of its columns does not matter.
    escapes : int, default 5
        How often a support that repeats although the data are not fitted is enlarged, fitted and pruned to look for a
        smaller residual.
    ridge : float, default 0.0
        Fit with ridge |z|^2 / 2 added to |A x - y|^2 / 2, z the entries in units of unit columns (of x on raw
        columns: ridge then has the unit of |A|^2). Shrinks the entries, which helps with noise if s columns with few
        rows are selected from many.
    path : bool, default False
        Continuation: solve for s / 7 first, then for 2 s / 7, and so on, each from the previous solution. It takes
        about five times as long, and recovers more if s is near the limit and the entries of x differ in size.

    Notes
    -----
    The map from one support to the next is deterministic, so the run ends in a fixed point or in a cycle, which is
    detected when an objective repeats together with its support. A cycle is broken by halving the step: for a step
    below 1/L, L the largest eigenvalue of A_T'A_T over 2s columns, a step that changes the support lowers the
    objective, which rules cycles out (derived here: f(x+) <= f(x) - (1/step - L)/2 |x+ - x|^2 as x+ before its least
    squares is the best s-sparse point of the quadratic model). To escape from a fixed point that does not fit the data,
    the run adds the top s, 2 s, ... entries of the gradient outside the best support, fits on all of them, keeps the s
    largest, and continues from there with the first step size; the best support seen is returned.

    References
    ----------
    Foucart, "Hard thresholding pursuit: an algorithm for compressive sensing", SIAM J. Numer. Anal.
    2011 (from memory of the literature, verified numerically by tests/recovery/test_htp.py).
    """

    step: float = 1.0
    normalise: bool = True
    escapes: int = 5
    ridge: float = 0.0
    path: bool = False

    name: ClassVar[str] = "htp"
    summary: ClassVar[str] = "hard thresholding pursuit: least squares on the top s of a gradient step; the fastest"
    max_iter: ClassVar[int] = 300
    makes_steps: ClassVar[bool] = True
    syncs_per_iteration: ClassVar[int] = 6

    def check(self, problem: Problem) -> None:
        """Raise an error for a step that is not positive, a negative number of escapes or a negative ridge."""
        check_number(self.step, "step", minimum=1e-300)
        check_integer(self.escapes, "escapes", minimum=0)
        check_number(self.ridge, "ridge", minimum=0.0)

    def in_units(self, a: int, b: int) -> HTP:
        """Convert the step, which scales with 1 / |A|^2, and the ridge (|A|^2), unless the columns have unit norm."""
        if self.normalise:
            return self
        return replace(self, step=step_in_units(self.step, a), ridge=power(self.ridge, -2 * a))

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        if self.path:
            return self._along_sizes(problem)
        operator: Operator = problem.operator
        scale = None
        support, values = problem.support, problem.values
        if self.normalise:
            operator, scale = normalise(operator)
            values = scale[support] * values
        xp, y, s = operator.xp, problem.y, problem.s
        run, seen = Run(problem), SeenSupports()
        residual = y - operator.matvec_support(support, values) if support.shape[0] else y
        step, cycles, escapes, longest = self.step, 0, 0, 0
        proposal: Any = None
        status: Status | None = None
        while status is None:
            if proposal is None:
                point = step * operator.rmatvec(residual)
                point[support] = point[support] + (values - step * self.ridge * values if self.ridge else values)
                proposal = select_top(point, s)
            change = entered(xp, proposal, support)
            support, proposal = proposal, None
            values, residual, objective = ridge_fit(operator, support, y, self.ridge)
            status = run.record(objective, support, values, step=step, change=change)
            if status is not None:
                break
            period = seen.period(objective, support, run.n_iter)
            if period > 1 and step > self.step / 1024:
                cycles, longest = cycles + 1, max(longest, period)
                step, seen = step / 2, SeenSupports()
            elif period:
                status = Status.SUPPORT_STABLE if period == 1 else Status.CYCLE
                if escapes < self.escapes and s < min(operator.shape):
                    escapes, status = escapes + 1, None
                    step, seen = self.step, SeenSupports()
                    proposal = self._enlarge_and_prune(run, operator, escapes)
        if status is Status.CONVERGED:
            best = (support, values)
        else:
            best = (run.best[1], run.best[2])
        note = []
        if cycles:
            note.append(
                f"{cycles} cycle(s) of supports, the longest of length {longest}, were broken by halving the step"
            )
        if escapes:
            note.append(f"{escapes} attempt(s) to escape from a repeated support with a non-zero residual")
        return run.finish(status, *best, note="; ".join(note), scale=scale)

    def _along_sizes(self, problem: Problem) -> RecoveryResult:
        """Solve for increasing sizes, each starting from the previous solution."""
        sizes = sorted({math.ceil(problem.s * i / SIZES) for i in range(1, SIZES + 1)})
        clock = Clock(problem.time_limit)
        support, values, found = problem.support, problem.values, None
        history: dict[str, list[float]] = {}
        left = problem.max_iter
        for size in sizes:
            if problem.support.shape[0] > size:
                continue  # keep a given start
            part = replace(problem, s=size, support=support, values=values, max_iter=left, time_limit=clock.left)
            part = replace(part, callback=counted_from(problem.max_iter - left, problem.callback))
            escapes = self.escapes if size == problem.s else min(self.escapes, ON_THE_WAY)
            found = replace(self, path=False, escapes=escapes).run(part)
            support, values = found.support, found.values
            for key, column in found.history.items():
                history.setdefault(key, []).extend(column)
            left = problem.max_iter - len(history["objective"])
            ended = found.status in (Status.CONVERGED, Status.STOPPED, Status.TIME_LIMIT, Status.DIVERGED)
            if ended or left <= 0:
                break
        assert found is not None
        message = f"{found.message}; continuation over {sizes.index(size) + 1} of {len(sizes)} sizes"
        return replace(found, n_iter=len(history["objective"]), history=history, message=message)

    def _enlarge_and_prune(self, run: Run, operator: Operator, factor: int) -> Any:
        """Return the s best columns of the best support enlarged by the top `factor` s gradient entries outside it."""
        xp, (n, size) = operator.xp, operator.shape
        (_, support, values), y, s = run.best, run.problem.y, run.problem.s
        gradient = operator.rmatvec(y - operator.matvec_support(support, values))
        gradient[support] = 0.0
        room = max(1, min(factor * s, n // 2, size - s))
        union = xp.union1d(support, select_top(gradient, room))
        fitted, _, _ = ridge_fit(operator, union, y, self.ridge)
        return union[select_top(fitted, s)]
