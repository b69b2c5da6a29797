"""``solver="auto"``: several solvers, each the best on some problems, tried in order of cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from planted.base.checks import check_integer, check_number
from recovery.solvers.aiht import AIHT
from recovery.solvers.base import Clock, Problem, RecoveryResult, Run, Solver, Status, counted_from, to_host
from recovery.solvers.cosamp import CoSaMP, SubspacePursuit
from recovery.solvers.htp import HTP
from recovery.solvers.l1 import L1
from recovery.solvers.least_squares import QR_COLUMNS
from recovery.solvers.omp import OMP

__all__ = ["Auto"]

TWINS = 0.99
"""Columns whose correlation exceeds this in absolute value are nearly equal: thresholding takes both or neither."""
CROWD = 0.9
"""The homotopy is abandoned once the number of columns in use exceeds this fraction of the number of rows."""


@dataclass(frozen=True)
class Auto(Solver):
    """Try several solvers in order of cost, and stop at the first solution that fits the data.

    Parameters
    ----------
    max_tries : int, default 6
        Largest number of solvers to try; 1 means htp alone.
    largest_matrix : int, default 5_000_000
        Basis pursuit, which forms A on the CPU, is skipped if A has more entries than this.
    ridge : float, default 0.0
        Fit with ridge |z|^2 / 2 added to |A x - y|^2 / 2, z the entries in units of unit columns. The solutions are
        then compared by this sum, and none counts as a fit.
    stream : bool, default False
        Form no vector of length N: only `aiht` is tried, the only one of the solvers that supports it; ``x`` is None.

    Notes
    -----
    The order: hard thresholding pursuit; subspace pursuit; hard thresholding pursuit by continuation over sizes; basis
    pursuit by homotopy, cut to s entries and refitted; CoSaMP if 3 s <= n. All work on columns of unit norm. A solution
    fits if its residual is at most tol |y|. If none does, the data are noisy or the problem is too hard for all of the
    solvers, and the solution with the smallest residual is returned.

    With noise no solution fits, and further tries would be wasted, so the run also ends when two of the solvers find
    the same support. On a noiseless problem beyond the limits of both, two solvers rarely make the same mistake, with
    one exception: of columns that are nearly equal (a correlation above .99) thresholding takes both or neither. So
    supports with such columns do not count as agreement, and orthogonal matching pursuit, which takes one column at a
    time, is tried next. The message says which solver found the solution and which were tried.

    ``max_iter`` and ``time_limit`` bound the total steps and seconds of all solvers (each solver also keeps its own
    default limit); ``history`` has one row, and the callback one call, per step of any of them, and ``n_iter`` counts
    these steps. Continuation starts at x = 0 even if x0 is given, since the other solvers have already started from x0.

    Examples
    --------
    >>> import numpy as np, recovery
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> result = recovery.solve(A, A[:, 7] - 2 * A[:, 30], 2)
    >>> result.support.tolist(), result.message.split(";")[-1].strip()
    ([7, 30], 'found by htp')
    """

    max_tries: int = 6
    largest_matrix: int = 5_000_000
    ridge: float = 0.0
    stream: bool = False

    name: ClassVar[str] = "auto"
    summary: ClassVar[str] = "htp, then other solvers until one fits the data or two find the same support; the default"
    max_iter: ClassVar[int] = 10_000
    syncs_per_iteration: ClassVar[int] = 12
    makes_steps: ClassVar[bool] = True

    @property
    def unit_columns(self) -> bool:
        """Whether the solver works on columns of unit norm."""
        return not self.stream

    def check(self, problem: Problem) -> None:
        """Raise an error for options that are out of range."""
        check_integer(self.max_tries, "max_tries", minimum=1)
        check_integer(self.largest_matrix, "largest_matrix", minimum=0)
        check_number(self.ridge, "ridge", minimum=0.0)
        if self.stream and self.ridge:
            raise ValueError(f"stream=True and ridge={self.ridge}: aiht has no ridge; expected one of the two")

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        trail = _Trail(problem, self.ridge)
        for name, solver in self._solvers(problem, trail):
            found = solver.run(trail.part(name, solver))
            if trail.add(name, found):
                break
        return trail.result()

    def _solvers(self, problem: Problem, trail: _Trail) -> Iterator[tuple[str, Solver]]:
        """Yield the solvers to try; what the ones before found decides about orthogonal matching pursuit."""
        if self.stream:
            yield "aiht", AIHT(stream=True)
            return
        found: list[tuple[str, Solver]] = [("htp", HTP(ridge=self.ridge))]
        found.append(("subspace-pursuit", SubspacePursuit(ridge=self.ridge)))
        found.append((CONTINUATION, HTP(ridge=self.ridge, path=True)))
        rows, size = problem.operator.shape
        if rows * size <= self.largest_matrix:
            found.append(("l1", L1(ridge=self.ridge, crowd=CROWD)))
        if 3 * problem.s <= rows:
            found.append(("cosamp", CoSaMP(ridge=self.ridge)))
        left, one_by_one = self.max_tries, True
        while left and (found or (one_by_one and trail.twins)):
            if one_by_one and trail.twins:
                one_by_one = False
                yield "omp", OMP(ridge=self.ridge)
            else:
                yield found.pop(0)
            left -= 1


CONTINUATION = "htp with continuation"


@dataclass
class _Trail:
    """The solvers tried so far, and the remaining steps and seconds."""

    problem: Problem
    ridge: float
    tried: list[tuple[str, RecoveryResult]] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=lambda: {key: [] for key in Run.KEYS})
    twins: bool = False
    """Whether a support was found that has columns that are nearly equal."""

    def __post_init__(self) -> None:
        problem = self.problem
        self.clock = Clock(problem.time_limit)
        (square,) = to_host(problem.operator.xp, (problem.y * problem.y).sum())
        self.target = 0.5 * max(problem.tol, 64 * float(np.finfo(problem.operator.dtype).eps)) ** 2 * square

    @property
    def n_iter(self) -> int:
        """Steps made so far."""
        return len(self.history["objective"])

    def part(self, name: str, solver: Solver) -> Problem:
        """Return the problem for the next solver."""
        problem, before = self.problem, self.n_iter
        callback = counted_from(before, problem.callback)
        start: dict[str, Any] = {}
        if name == CONTINUATION:
            start = {"support": problem.support[:0], "values": problem.values[:0]}
        left = min(solver.max_iter, problem.max_iter - before)
        return replace(problem, max_iter=left, time_limit=self.clock.left, callback=callback, **start)

    def add(self, name: str, found: RecoveryResult) -> bool:
        """Record a solution, and return whether it is the last."""
        agrees = any(_same(found.support, other.support) for _, other in self.tried)
        self.tried.append((name, found))
        for key, column in self.history.items():
            column.extend(found.history[key])
        ends = found.status in (Status.CONVERGED, Status.STOPPED, Status.TIME_LIMIT)
        if ends or found.objective <= self.target or self.n_iter >= self.problem.max_iter:
            return True
        twins = self._has_twins(found.support)
        self.twins |= twins
        return agrees and not twins

    def _has_twins(self, support: Any) -> bool:
        """Return whether two columns of a support are nearly equal, up to sign and norm."""
        count = int(support.shape[0])
        if not 1 < count <= QR_COLUMNS:
            return False
        operator = self.problem.operator
        xp, gram = operator.xp, operator.gram(support)
        norms = xp.sqrt(xp.diag(gram))
        cosines = xp.abs(gram) - TWINS * norms[:, None] * norms
        return int((cosines > 0.0).sum()) > int((norms > 0.0).sum())  # the diagonal has one of them for each column

    def score(self, found: RecoveryResult) -> float:
        """Return the score that solutions are compared by: with a ridge, the minimised sum, taken from the history."""
        return min(found.history["objective"]) if self.ridge and found.n_iter else found.objective

    def result(self) -> RecoveryResult:
        """Return the solution with the smallest residual; its message says which solvers were tried."""
        name, best = min(self.tried, key=lambda one: self.score(one[1]))
        last, status = self.tried[-1][1].status, best.status
        if best.objective <= self.target:
            status = Status.CONVERGED
        elif last in (Status.STOPPED, Status.TIME_LIMIT):
            status = last
        elif self.n_iter >= self.problem.max_iter:
            status = Status.STEP_LIMIT
        message = best.message if status is best.status else f"{status.value}; of {name}: {best.message}"
        note = f"found by {name}"
        if len(self.tried) > 1:
            note += "; tried " + ", ".join(other for other, _ in self.tried)
        return replace(best, status=status, message=f"{message}; {note}", history=self.history, n_iter=self.n_iter)


def _same(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and (one == other).all())
