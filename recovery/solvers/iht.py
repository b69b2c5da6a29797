"""Iterative hard thresholding with a fixed step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from planted.checks import check_number
from recovery.operators import normalise
from recovery.results import RecoveryResult, Status
from recovery.solvers.base import Problem, Run, Solver, to_host
from recovery.solvers.gradient import power_iteration, relative_move, step_in_units, thresholded_step

__all__ = ["IHT"]


@dataclass(frozen=True)
class IHT(Solver):
    """Iterative hard thresholding (Blumensath and Davies): x <- H_s(x + step A'(y - A x)).

    Parameters
    ----------
    step : float, optional
        Step size. None takes 1 / L with L the largest eigenvalue of A'A, from a power iteration;
        a given step is the only thing that is not equivariant under a scaling of A.
    normalise : bool, default False
        Work on columns of unit norm; the step then refers to them.
    stream : bool, default False
        Select block by block with O(n b + s) extra memory, b the operator's block width, and return
        no full vector (``result.x`` is None; ``support`` and ``values`` hold the answer). Needs a
        given step, or a power iteration that forms vectors of length N.

    Notes
    -----
    With step <= 1/L the objective never rises (derived here, as in :class:`recovery.solvers.htp.HTP`).
    1/L is a cautious step: L belongs to all columns, and the top s of a short step tend to be the
    first ones found. :class:`recovery.solvers.niht.NIHT` takes the step that suits the support.

    References
    ----------
    Blumensath and Davies, "Iterative hard thresholding for compressed sensing", Appl. Comput.
    Harmon. Anal. 2009 (from memory of the literature, verified numerically by tests/recovery/test_gradient_solvers.py).
    """

    step: float | None = None
    normalise: bool = False
    stream: bool = False

    name: ClassVar[str] = "iht"
    requires: ClassVar[tuple[str, ...]] = ("rmatvec", "columns", "matvec")
    summary: ClassVar[str] = "iterative hard thresholding with a fixed step, given or from a power iteration"
    max_iter: ClassVar[int] = 5000
    makes_steps: ClassVar[bool] = True
    syncs_per_iteration: ClassVar[int] = 5

    def check(self, problem: Problem) -> None:
        """Refuse a step that is not positive, and a streamed run that would need vectors of length N."""
        if self.step is not None:
            check_number(self.step, "step", minimum=1e-300)
        if self.stream and self.normalise:
            raise ValueError("stream=True and normalise=True: the column norms are N numbers; expected one of the two")

    def in_units(self, a: int, b: int) -> IHT:
        """Convert a given step, a multiple of 1 / |A|^2 unless the columns have unit norm."""
        return self if self.step is None or self.normalise else replace(self, step=step_in_units(self.step, a))

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        operator, scale = problem.operator, None
        support, values = problem.support, problem.values
        if self.normalise:
            operator, scale = normalise(operator)
            values = scale[support] * values
        run, xp, y = Run(problem), operator.xp, problem.y
        step = self.step
        if step is None:
            largest = power_iteration(operator, y)
            step = 1.0 / largest if largest > 0.0 else 0.0
        residual = y - operator.matvec_support(support, values) if support.shape[0] else y
        status: Status | None = None
        while status is None:
            old, old_values = support, values
            support, values = thresholded_step(operator, old, old_values, residual, step, problem.s, stream=self.stream)
            residual = y - operator.matvec_support(support, values)
            moved, change = relative_move(xp, support, values, old, old_values)
            square, moved, change = to_host(xp, (residual * residual).sum(), moved, change)
            status = run.record(0.5 * square, support, values, step=step, change=change)
            if status in (None, Status.STEP_LIMIT) and moved <= problem.tol:
                status = Status.FIXED_POINT
        answer: tuple[Any, Any] = (support, values) if status.success else run.best[1:]
        return run.finish(status, *answer, scale=scale, sparse=self.stream)
