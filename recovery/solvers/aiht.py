"""Accelerated iterative hard thresholding: a thresholded gradient step, then a few steps on its support."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planted.base.checks import check_integer
from recovery.operators.base import Operator, Support
from recovery.operators.dense import normalise
from recovery.solvers.base import Problem, RecoveryResult, Run, Solver, Status, to_host
from recovery.solvers.gradient import descend, gradient_step_size, relative_move, thresholded_step, top_of_gradient

__all__ = ["AIHT", "descend_on_support"]


@dataclass(frozen=True)
class AIHT(Solver):
    """Accelerated iterative hard thresholding (Blumensath 2012): NIHT's step, then gradient steps on the support.

    Parameters
    ----------
    inner : int, default 10
        Number of gradient steps on the support after each thresholded step.
    normalise : bool, optional
        Work on columns of unit norm. None normalises unless the run streams, since a streamed run does not store all
        column norms.
    stream : bool, default False
        Select block by block and apply A_S in tiles of columns and rows: the extra memory is O(n b + s), with b the
        operator's block width; no vector of length N and no (n, s) matrix is formed. During a step the gates of the
        support are stored as bits if they fit in such a block, and recomputed for every product otherwise. The result
        has ``x = None``; ``support`` and ``values`` hold the solution. Combine it with
        :meth:`recovery.GatedOperator.from_seed`, which stores no generators.

    Notes
    -----
    With g = A'(y - A x): mu = |g_S|^2 / |A_S g_S|^2 on the current support S (its top s where that is
    0/0), x+ = H_s(x + mu g), then `inner` gradient steps on the support of x+ that start at mu and are
    halved until F falls by at least 0.9 step |g|^2, F = |r|^2; the step never grows again, and after
    more than 10 halvings the thresholded point is kept. F is quadratic, so the test reads
    step |A_S g|^2 <= 1.1 |g|^2 and the number of halvings is a logarithm: the inner steps never wait for the device.
    Steps are not checked for descent, so the objective may rise; the best iterate is kept.

    References
    ----------
    Blumensath, "Accelerated iterative hard thresholding", Signal Processing 2012 (from memory of the
    literature, verified numerically by tests/recovery/test_gradient_solvers.py).
    """

    inner: int = 10
    normalise: bool | None = None
    stream: bool = False

    name: ClassVar[str] = "aiht"
    summary: ClassVar[str] = "accelerated iterative hard thresholding: extra gradient steps on each support; can stream"
    max_iter: ClassVar[int] = 2000
    makes_steps: ClassVar[bool] = True
    syncs_per_iteration: ClassVar[int] = 6
    """When streaming, two more per block."""

    @property
    def unit_columns(self) -> bool:
        """Whether the solver works on columns of unit norm."""
        return not self.stream if self.normalise is None else self.normalise

    def check(self, problem: Problem) -> None:
        """Raise an error for a negative number of inner steps, and for normalised columns while streaming."""
        check_integer(self.inner, "inner", minimum=0)
        if self.stream and self.normalise:
            raise ValueError("stream=True and normalise=True: the column norms are N numbers; expected one of the two")

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        operator, scale = problem.operator, None
        support, values = problem.support, problem.values
        if self.unit_columns:
            operator, scale = normalise(operator)
            values = scale[support] * values
        run, xp, y, s = Run(problem), operator.xp, problem.y, problem.s
        columns: Support | None = None
        residual = y
        if support.shape[0]:
            columns = operator.support(support, stream=self.stream)
            residual = y - columns.forward(values)
        status: Status | None = None
        while status is None:
            step = _step(operator, columns, residual, s, self.stream)
            if step == 0.0:
                status = Status.FIXED_POINT
                break
            old, old_values = support, values
            support, values = thresholded_step(operator, old, old_values, residual, step, s, stream=self.stream)
            columns = operator.support(support, stream=self.stream)
            values, residual = descend_on_support(columns, values, y, step, self.inner)
            moved, change = relative_move(xp, support, values, old, old_values)
            square, moved, change = to_host(xp, (residual * residual).sum(), moved, change)
            status = run.record(0.5 * square, support, values, step=step, change=change)
            if status in (None, Status.STEP_LIMIT) and moved <= problem.tol:
                status = Status.FIXED_POINT
        answer = (support, values) if status.success or not run.n_iter else run.best[1:]
        return run.finish(status, *answer, scale=scale, sparse=self.stream)


def descend_on_support(columns: Support, values: Any, y: Any, step: float, inner: int) -> tuple[Any, Any]:
    """Take gradient steps on |y - A_S v|^2 with Armijo's rule in closed form.

    Parameters
    ----------
    columns : Support
        A_S.
    values : array, shape (k,)
        The start.
    y : array, shape (n,)
        Data.
    step : float
        First step size.
    inner : int
        Number of steps.

    Returns
    -------
    values : array, shape (k,)
        The end point, or the start if a step had to be halved more than ten times.
    residual : array, shape (n,)
        y - A_S values.
    """
    residual = y - columns.forward(values)
    if inner:
        step = columns.operator.xp.asarray(step, dtype=values.dtype)
        values = descend(columns, values, columns.adjoint(residual), step, inner, resume=False, scaled=True)
        residual = y - columns.forward(values)
    return values, residual


def _step(operator: Operator, columns: Support | None, residual: Any, s: int, stream: bool) -> float:
    xp = operator.xp
    if columns is not None:
        top, bottom = to_host(xp, *gradient_step_size(columns, residual))
        if bottom > 0.0:
            return top / bottom
    chosen, _ = top_of_gradient(operator, residual, s, stream=stream)
    top, bottom = to_host(xp, *gradient_step_size(operator.support(chosen, stream=stream), residual))
    return top / bottom if bottom > 0.0 else 0.0
