"""Iterative hard thresholding with a fixed step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from planted.base.checks import check_number
from recovery.operators.base import Operator
from recovery.operators.dense import normalise
from recovery.operators.thresholding import select_top
from recovery.solvers.base import Problem, RecoveryResult, Run, Solver, Status, to_host
from recovery.solvers.gradient import power_iteration, relative_move, squared_move, step_in_units, thresholded_step

__all__ = ["IHT", "NIHT"]


@dataclass(frozen=True)
class IHT(Solver):
    """Iterative hard thresholding (Blumensath and Davies): x <- H_s(x + step A'(y - A x)).

    Parameters
    ----------
    step : float, optional
        Step size. None takes 1 / L with L the largest eigenvalue of A'A, from a power iteration;
        with a given step the solver is not equivariant under a scaling of A.
    normalise : bool, default False
        Work on columns of unit norm; the step then refers to them.
    stream : bool, default False
        Select block by block with O(n b + s) extra memory, b the operator's block width, and return
        no full vector (``result.x`` is None; ``support`` and ``values`` hold the solution). Needs a given step, or a
        power iteration that forms vectors of length N.

    Notes
    -----
    With step <= 1/L the objective never rises (derived here, as in :class:`recovery.solvers.htp.HTP`).
    1/L is a cautious step: L belongs to all columns, and the top s of a short step tend to be the
    first ones found. :class:`recovery.solvers.iht.NIHT` adapts the step to the support.

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
    summary: ClassVar[str] = "iterative hard thresholding with a fixed step size, given or from a power iteration"
    max_iter: ClassVar[int] = 5000
    makes_steps: ClassVar[bool] = True
    syncs_per_iteration: ClassVar[int] = 5

    def check(self, problem: Problem) -> None:
        """Raise an error for a step that is not positive, or a streamed run that would need vectors of length N."""
        if self.step is not None:
            check_number(self.step, "step", minimum=1e-300)
        if self.stream and self.normalise:
            raise ValueError("stream=True and normalise=True: the column norms are N numbers; expected one of the two")

    def in_units(self, a: int, b: int) -> IHT:
        """Convert a given step, which scales with 1 / |A|^2 unless the columns have unit norm."""
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


MAX_SHRINKS = 100


@dataclass(frozen=True)
class NIHT(Solver):
    """Normalised iterative hard thresholding (Blumensath and Davies 2010).

    Parameters
    ----------
    c : float, default 0.01
        Margin of the acceptance check, in (0, 1).
    kappa : float, default 2.0
        A rejected step is divided by kappa (1 - c), which must exceed 1.
    normalise : bool, default True
        Work on columns of unit norm. On raw columns of different norms a step that suits the long ones hardly moves the
        short ones, and the run comes to rest far from the data.

    Notes
    -----
    With g = A'(y - A x) and S the support, mu = |g_S|^2 / |A_S g_S|^2 and x+ = H_s(x + mu g). If the
    support changes, the step is accepted only if mu <= (1 - c) |x+ - x|^2 / |A (x+ - x)|^2, otherwise mu is divided by
    kappa (1 - c) and x+ recomputed. Every accepted step lowers the objective; if rounding makes a step raise it, that
    step is undone and the run ends. If g_S = 0 and mu would be 0/0, as at x = 0 and at stationary points of a support,
    S is the top s of g. No constant is added to the denominator: it would break scale equivariance.

    References
    ----------
    Blumensath and Davies, "Normalized iterative hard thresholding: guaranteed stability and
    performance", IEEE J. Sel. Top. Signal Process. 2010 (from memory of the literature, verified
    numerically by tests/recovery/test_gradient_solvers.py).
    """

    c: float = 0.01
    kappa: float = 2.0
    normalise: bool = True

    name: ClassVar[str] = "niht"
    summary: ClassVar[str] = "iterative hard thresholding with the adaptive step size of Blumensath and Davies"
    max_iter: ClassVar[int] = 5000
    makes_steps: ClassVar[bool] = True
    syncs_per_iteration: ClassVar[int] = 6
    """Plus one to five for each rejected step (``history["refused"]``)."""

    def check(self, problem: Problem) -> None:
        """Raise an error for constants with which the step would never shrink enough."""
        check_number(self.c, "c", minimum=1e-6, maximum=1 - 1e-6)
        check_number(self.kappa, "kappa")
        if not self.kappa * (1 - self.c) > 1:
            raise ValueError(f"kappa={self.kappa} and c={self.c} give kappa (1 - c) <= 1; expected more than 1")

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        operator, scale = problem.operator, None
        support, values = problem.support, problem.values
        if self.normalise:
            operator, scale = normalise(operator)
            values = scale[support] * values
        run, xp, y, s = Run(problem), operator.xp, problem.y, problem.s
        residual = y - operator.matvec_support(support, values) if support.shape[0] else y
        (square,) = to_host(xp, (residual * residual).sum())
        status: Status | None = None
        while status is None:
            gradient = operator.rmatvec(residual)
            base, step = _step(operator, gradient, support, s)
            if step == 0.0:
                status = Status.FIXED_POINT
                break
            refused = 0
            while True:
                point = step * gradient
                if support.shape[0]:
                    point[support] = point[support] + values
                new = select_top(point, s)
                new_values = point[new]
                new_residual = y - operator.matvec_support(new, new_values)
                moved, change = squared_move(xp, new, new_values, support, values)
                relative, _ = relative_move(xp, new, new_values, support, values)
                image = residual - new_residual
                new_square, moved, image_square, change, relative = to_host(
                    xp, (new_residual * new_residual).sum(), moved, (image * image).sum(), change, relative
                )
                if (base and change == 0) or step * image_square <= (1 - self.c) * moved or refused == MAX_SHRINKS:
                    break
                step, refused = step / (self.kappa * (1 - self.c)), refused + 1
            if new_square > square:
                # only rounding can cause this: keep the better iterate
                status = Status.FIXED_POINT if relative <= 1e-8 else Status.STALLED
                if 0.5 * square <= run.target:  # the start already fits
                    status = Status.CONVERGED
                break
            support, values, residual, square = new, new_values, new_residual, new_square
            status = run.record(0.5 * square, support, values, step=step, change=change, refused=refused)
            if status in (None, Status.STEP_LIMIT) and relative <= problem.tol:
                status = Status.FIXED_POINT
        return run.finish(status, support, values, scale=scale)


def _step(operator: Operator, gradient: Any, support: Any, s: int) -> tuple[bool, float]:
    """Return whether the step belongs to the current support, and |g_S|^2 / |A_S g_S|^2."""
    xp = operator.xp
    peak = xp.abs(gradient).max()
    # same ratio, and no square under- or overflows
    gradient = gradient / xp.where(peak > 0.0, peak, 1.0).astype(gradient.dtype)
    if support.shape[0]:
        part = gradient[support]
        image = operator.matvec_support(support, part)
        top, bottom, whole = to_host(xp, (part * part).sum(), (image * image).sum(), (gradient * gradient).sum())
        if bottom > 0.0 and top > (4 * float(np.finfo(operator.dtype).eps)) ** 2 * whole:
            return int(support.shape[0]) == s, top / bottom
    chosen = select_top(gradient, s)
    part = gradient[chosen]
    image = operator.matvec_support(chosen, part)
    top, bottom = to_host(xp, (part * part).sum(), (image * image).sum())
    return False, top / bottom if bottom > 0.0 else 0.0
