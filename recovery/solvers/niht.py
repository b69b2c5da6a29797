"""Normalised iterative hard thresholding: the step suits the support, and is checked when the support changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planted.checks import check_number
from recovery.operators import Operator, normalise
from recovery.results import RecoveryResult, Status
from recovery.solvers.base import Problem, Run, Solver, to_host
from recovery.solvers.gradient import relative_move, squared_move
from recovery.thresholding import select_top

__all__ = ["NIHT"]

MAX_SHRINKS = 100


@dataclass(frozen=True)
class NIHT(Solver):
    """Normalised iterative hard thresholding (Blumensath and Davies 2010).

    Parameters
    ----------
    c : float, default 0.01
        Margin of the acceptance check, in (0, 1).
    kappa : float, default 2.0
        A refused step is divided by kappa (1 - c), which must exceed 1.
    normalise : bool, default False
        Work on columns of unit norm.

    Notes
    -----
    With g = A'(y - A x) and S the support, mu = |g_S|^2 / |A_S g_S|^2 and x+ = H_s(x + mu g). If the
    support changes, the step is accepted only if mu <= (1 - c) |x+ - x|^2 / |A (x+ - x)|^2, else mu
    is divided by kappa (1 - c) and x+ formed anew. Every accepted step lowers the objective; a step
    that does not, which only rounding can cause, is taken back and ends the run. Where g_S = 0 and
    mu would be 0/0, as at x = 0 and at stationary points of a support, S is the top s of g.
    No constant is added to the denominator: it would break scale equivariance.

    References
    ----------
    Blumensath and Davies, "Normalized iterative hard thresholding: guaranteed stability and
    performance", IEEE J. Sel. Top. Signal Process. 2010 (from memory of the literature, verified
    numerically by tests/recovery/test_gradient_solvers.py).
    """

    c: float = 0.01
    kappa: float = 2.0
    normalise: bool = False

    name: ClassVar[str] = "niht"
    summary: ClassVar[str] = "iterative hard thresholding with Blumensath and Davies' adaptive, checked step"
    max_iter: ClassVar[int] = 5000
    makes_steps: ClassVar[bool] = True
    syncs_per_iteration: ClassVar[int] = 6
    """With one to five more for each step that is refused (``history["refused"]``)."""

    def check(self, problem: Problem) -> None:
        """Refuse constants for which the shrinking of the step would not end."""
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
                # only rounding brings this about: keep what is better
                status = Status.FIXED_POINT if relative <= 1e-8 else Status.STALLED
                if 0.5 * square <= run.target:  # a start that fits already
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
    # the ratio is the same, and no square under- or overflows
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
