"""``solver="auto"``: the solvers that are known to win somewhere, in the order of their cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from planted.base.checks import check_integer
from recovery.solvers.base import Clock, Problem, RecoveryResult, Solver, Status
from recovery.solvers.cosamp import CoSaMP, SubspacePursuit
from recovery.solvers.htp import HTP
from recovery.solvers.l1 import L1

__all__ = ["Auto"]


@dataclass(frozen=True)
class Auto(Solver):
    """Try several solvers in the order of their cost, and stop at the first answer that fits the data.

    Parameters
    ----------
    normalise : bool, default True
        Work on columns of unit norm.
    max_tries : int, default 5
        How many solvers at most.
    largest_matrix : int, default 5_000_000
        Basis pursuit, which forms A on the CPU, is left out where A has more entries.

    Notes
    -----
    The order: hard thresholding pursuit; subspace pursuit; hard thresholding pursuit with continuation over sizes;
    CoSaMP; basis pursuit, cut to s entries and fitted again. An answer fits if its residual is at most tol |y|. Where
    nothing does, the data have noise, or the problem is too hard for all of them: the answer with the smallest
    residual is returned.

    With noise nothing fits, and more tries would be waste: so the run also ends when two of the solvers find the
    same support. On a problem without noise that is past the limits of both, two solvers rarely make the same
    mistake. The message says which solver found the answer and what was tried.

    Examples
    --------
    >>> import numpy as np, recovery
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> result = recovery.solve(A, A[:, 7] - 2 * A[:, 30], 2, "auto")
    >>> result.support.tolist(), result.message.split(";")[-1].strip()
    ([7, 30], 'found by htp')
    """

    normalise: bool = True
    max_tries: int = 5
    largest_matrix: int = 5_000_000

    name: ClassVar[str] = "auto"
    summary: ClassVar[str] = "htp, then other solvers until one fits the data or two agree; the default"
    max_iter: ClassVar[int] = 300
    syncs_per_iteration: ClassVar[int] = 12
    makes_steps: ClassVar[bool] = True

    def check(self, problem: Problem) -> None:
        """Refuse numbers that are out of range."""
        check_integer(self.max_tries, "max_tries", minimum=1)
        check_integer(self.largest_matrix, "largest_matrix", minimum=0)

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        clock, tried = Clock(problem.time_limit), list[tuple[str, RecoveryResult]]()
        for name, solver in self._solvers(problem):
            part = replace(problem, time_limit=clock.left)
            if isinstance(solver, L1):
                part = replace(part, tol=max(problem.tol, L1.tol), max_iter=L1.max_iter)
            found = solver.run(part)
            fits = found.status is Status.CONVERGED or 2.0 * found.objective <= problem.tol**2 * _square(problem.y)
            agrees = any(_same(found.support, other.support) for _, other in tried)
            tried.append((name, found))
            if fits or agrees or found.status in (Status.STOPPED, Status.TIME_LIMIT) or clock.over:
                break
        name, best = min(tried, key=lambda one: one[1].objective)
        fits = 2.0 * best.objective <= problem.tol**2 * _square(problem.y)
        note = f"found by {name}"
        if len(tried) > 1:
            note += "; tried " + ", ".join(other for other, _ in tried)
        last = tried[-1][1].status
        status = Status.CONVERGED if fits else last if last in (Status.STOPPED, Status.TIME_LIMIT) else best.status
        message = best.message if status is best.status else f"{status.value}; before that: {best.message}"
        return replace(best, status=status, message=f"{message}; {note}")

    def _solvers(self, problem: Problem) -> list[tuple[str, Solver]]:
        """Return what is tried."""
        found: list[tuple[str, Solver]] = [
            ("htp", HTP(normalise=self.normalise)),
            ("subspace-pursuit", SubspacePursuit(self.normalise)),
            ("htp with continuation", HTP(normalise=self.normalise, path=True)),
        ]
        rows, size = problem.operator.shape
        if 3 * problem.s <= rows:
            found.append(("cosamp", CoSaMP(self.normalise)))
        if rows * size <= self.largest_matrix:
            found.append(("l1", L1(normalise=self.normalise)))
        return found[: self.max_tries]


def _square(y: Any) -> float:
    return float((y * y).sum())


def _same(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and (one == other).all())
