"""Base of all solvers: the problem, the record of a run, and the class that declares requirements and options."""

from __future__ import annotations

import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np

from planted.base import arrays
from planted.base.files import storable
from planted.base.frames import Names
from planted.base.values import by_value
from recovery.operators.base import Operator
from recovery.solvers.shown import ShownResult

__all__ = [
    "Clock",
    "Problem",
    "Recorder",
    "RecoveryResult",
    "Run",
    "SeenSupports",
    "Solver",
    "State",
    "Status",
    "counted_from",
    "entered",
    "to_host",
]


@storable
class Status(Enum):
    """How a run ended; the value is a readable message."""

    CONVERGED = "converged: the residual is below tol times the norm of y"
    EXACT = "exact to rounding: the residual is at the level of rounding, and the data determine the fit"
    FIXED_POINT = "converged: the iterate moves by less than tol times its norm, and fits the data"
    SUPPORT_STABLE = "support stable: the support repeated itself, and x is the least-squares solution on it"
    SUPPORT_COMPLETE = "complete: the requested number of columns was selected"
    PRUNED = "pruned: the requested number of weights is left"
    OPTIMAL = "optimal: the convex program was solved to the solver's own tolerance"
    REFITTED = "refitted: x is the least-squares solution on the largest entries of the convex program's solution"
    AT_REST = "came to rest: the fit no longer changes, and it is not exact"
    STALLED = "stalled: the objective no longer falls"
    CYCLE = "cycle: the supports repeat in a cycle that could not be broken; the best iterate is returned"
    NO_GAIN = "no further gain: more search found nothing better, and the residual looks like noise"
    STEP_LIMIT = "step limit: all steps that were allowed were made before a stop rule held"
    TIME_LIMIT = "time limit: time_limit seconds passed before a stop rule held"
    DIVERGED = "diverged: the objective grew without bound; a finite iterate from before is returned"
    STOPPED = "stopped: the callback asked for it"
    ZERO_SPARSITY = "nothing to find: sparsity is 0, so x is 0"
    ZERO_DATA = "nothing to find: y is 0, so x is 0"
    OUT_OF_RANGE = "out of range: the solution has values that its dtype cannot hold; try other units, or float64"
    FAILED = "failed: the backend solver returned no solution"

    @property
    def success(self) -> bool:
        """Whether a stop rule held, as opposed to a limit or a failure.

        Success means that the run ended as it should, not that the planted support was found or that the data are
        fitted: with noise, a stable support is the best possible outcome. A gradient step that no longer moves the
        iterate counts as success only if the data are fitted (``FIXED_POINT``); otherwise the iterate came to rest
        (``AT_REST``).
        """
        return self in _SUCCESS


FITS = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-8}
"""A relative residual of at most this is attributed to rounding and the stop rule, not to noise."""


_SUCCESS = frozenset(
    {
        Status.CONVERGED,
        Status.EXACT,
        Status.FIXED_POINT,
        Status.NO_GAIN,
        Status.SUPPORT_STABLE,
        Status.SUPPORT_COMPLETE,
        Status.PRUNED,
        Status.OPTIMAL,
        Status.REFITTED,
        Status.ZERO_SPARSITY,
        Status.ZERO_DATA,
    }
)

_RESTS = frozenset(
    {
        Status.AT_REST,
        Status.STALLED,
        Status.SUPPORT_STABLE,
        Status.CYCLE,
        Status.SUPPORT_COMPLETE,
        Status.OPTIMAL,
        Status.REFITTED,
    }
)
"""Statuses that do not describe the residual; the message adds it."""


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class RecoveryResult(ShownResult):
    """The result of :func:`recovery.solve`.

    Parameters
    ----------
    x : array, shape (N,), or None
        The solution, on the device of y. None if a streamed run returns only the sparse solution.
    support : array of int64, shape (k,)
        Indices of the non-zero entries of x, ascending; k <= sparsity.
    objective : float
        1/2 |A x - y|^2 of exactly this x.
    n_iter : int
        Number of steps taken.
    status : Status
        How the run ended; ``success`` says whether a stop rule held.
    message : str
        The message of the status, with further details (cycles broken, best iterate returned).
    history : dict of list
        One entry per step: ``objective``, 1/2 |A x - y|^2 of the iterate after the step, ``step`` (step size) and
        ``support_change`` (indices that entered), and entries that a solver adds.
    values : array, shape (k,)
        x on its support.
    relative_residual : float
        |A x - y| / |y|; 0 if y is 0.
    names : tuple of str or None
        Names of the columns of A, if it was passed as a data frame.

    Attributes
    ----------
    fits : bool
        Whether x explains the data up to rounding: a relative residual of at most 1e-8, for float32 1e-5.
    """

    x: Any
    support: Any
    objective: float
    n_iter: int
    status: Status
    message: str
    history: dict[str, list[float]] = field(repr=False, default_factory=dict)
    values: Any = field(repr=False, default=None)
    relative_residual: float = math.nan
    names: Names = field(repr=False, default=None)

    @property
    def success(self) -> bool:
        """Whether a stop rule held, as opposed to a limit or a failure; not that the planted support was found."""
        return self.status.success

    @property
    def fits(self) -> bool:
        """Whether x explains the data up to rounding: a relative residual of at most 1e-8, for float32 1e-5."""
        return self.relative_residual <= FITS.get(np.dtype(getattr(self.values, "dtype", np.float64)), 1e-8)

    def __repr__(self) -> str:
        size = "" if self.x is None else f" of {int(self.x.shape[0])}"
        return (
            f"{type(self).__name__}({int(self.support.shape[0])}{size} entries, objective={self.objective:.6g}, "
            f"n_iter={self.n_iter}, status={self.status.name})"
        )


DIVERGENCE = 1e12
"""A run has diverged when its objective exceeds both its initial value and that of x = 0 by this factor."""

PATIENCE = 100
"""A run has stalled when its best objective has not fallen in this many steps, unless a solver sets another number."""


@dataclass(frozen=True)
class State:
    """The state passed to a callback after each step.

    Parameters
    ----------
    n_iter : int
        Number of steps taken so far.
    objective : float
        1/2 |A x - y|^2.
    support : array of int64, shape (s,)
        The selected indices, ascending.
    values : array, shape (s,)
        The entries of x there (in units of normalised columns if the solver normalises).
    step : float
        Step size of this step.

    Notes
    -----
    The arrays are copies: a callback may keep and modify them.
    """

    n_iter: int
    objective: float
    support: Any
    values: Any
    step: float


@dataclass(frozen=True)
class Problem:
    """A validated recovery problem: find x with at most s non-zeros and A x close to y.

    Parameters
    ----------
    operator : Operator
        A.
    y : array, shape (n,)
        Data, of the operator's dtype.
    s : int
        Sparsity, 1 <= s <= N.
    support, values : array
        The start: at most s indices (ascending) and the entries there; empty for x = 0.
    tol : float
        Relative tolerance of the stop rules.
    max_iter : int
        Largest number of steps.
    callback : callable or None
        Called with a :class:`State` after each step; True stops the run.
    time_limit : float or None
        Seconds.
    """

    operator: Operator
    y: Any
    s: int
    support: Any
    values: Any
    tol: float
    max_iter: int
    callback: Callable[[State], Any] | None = None
    time_limit: float | None = None


class Clock:
    """Checks a time limit.

    Parameters
    ----------
    time_limit : float or None
        Seconds from now.
    """

    def __init__(self, time_limit: float | None) -> None:
        self._end = None if time_limit is None else time.perf_counter() + time_limit

    @property
    def over(self) -> bool:
        """Whether the time limit has passed."""
        return self._end is not None and time.perf_counter() > self._end

    @property
    def left(self) -> float | None:
        """Remaining seconds, at least 0; None without a limit."""
        return None if self._end is None else max(0.0, self._end - time.perf_counter())


class Recorder:
    """Record of an iterative run: its history, the callback, the limits, and why it stopped.

    Subclasses list the entries of a row of the history in `KEYS`.

    Parameters
    ----------
    limit : int or None
        Largest number of rows to record; None sets no limit.
    time_limit : float, Clock or None
        Seconds allowed from now on, or a clock shared by several records.
    callback : callable or None
        Called by :meth:`ask` with a state after each step; True stops the run.

    Attributes
    ----------
    history : dict of list of float
        One entry per row.
    stop : Status or None
        Why the run has to end; the first reason is kept.
    """

    KEYS: ClassVar[tuple[str, ...]] = ("objective",)

    def __init__(
        self,
        limit: int | None = None,
        time_limit: float | Clock | None = None,
        callback: Callable[[Any], Any] | None = None,
    ) -> None:
        self.limit, self.callback = limit, callback
        self.clock = time_limit if isinstance(time_limit, Clock) else Clock(time_limit)
        self.history: dict[str, list[float]] = {key: [] for key in self.KEYS}
        self.stop: Status | None = None

    @property
    def n_iter(self) -> int:
        """Number of rows on record."""
        return len(self.history[self.KEYS[0]])

    @property
    def left(self) -> int:
        """Number of rows that may still be recorded; 0 after a stop, and at or beyond the limit."""
        if self.stop is not None:
            return 0
        return sys.maxsize if self.limit is None else max(0, self.limit - self.n_iter)

    def append(self, **row: float) -> None:
        """Record a row. Names that are not in `KEYS` start new lists."""
        for key, value in row.items():
            self.history.setdefault(key, []).append(float(value))

    def ask(self, state: Callable[[], Any]) -> Status | None:
        """Pass the state to the callback, check the clock, and return why the run has to end, or None.

        `state` creates the state; it is called only if there is a callback. After a stop the callback is not called.
        """
        if self.callback is not None and self.stop is None and self.callback(state()) is True:
            self.stop = Status.STOPPED
        if self.stop is None and self.clock.over:
            self.stop = Status.TIME_LIMIT
        return self.stop


class Run(Recorder):
    """Record of one run of a solver, with its stop rules and the best iterate; it creates the result."""

    KEYS: ClassVar[tuple[str, ...]] = ("objective", "step", "support_change")

    def __init__(self, problem: Problem, patience: int = PATIENCE) -> None:
        super().__init__(problem.max_iter, problem.time_limit, problem.callback)
        self.problem, self.patience = problem, patience
        y = problem.y
        (self.y_square,) = to_host(arrays.namespace(y), (y * y).sum())
        self.target = 0.5 * problem.tol**2 * self.y_square
        start = 0.5 * self.y_square if not problem.support.shape[0] else math.inf
        self.best: tuple[float, Any, Any] = (start, problem.support, problem.values)
        self._best_at = 0

    def record(
        self, objective: float, support: Any, values: Any, *, step: float, change: float, **extra: float
    ) -> Status | None:
        """Record a step, and return the status that ends the run, or None to continue."""
        self.append(objective=objective, step=step, support_change=change, **extra)
        if objective < self.best[0]:
            self.best, self._best_at = (objective, support, values), self.n_iter
        first = self.history["objective"][0]
        if not (math.isfinite(objective) and objective <= DIVERGENCE * max(self.y_square, first)):
            return Status.DIVERGED
        # copies, so that a callback that writes into them does not change the run
        stop = self.ask(lambda: State(self.n_iter, objective, support.copy(), values.copy(), float(step)))
        if objective <= self.target:
            return Status.CONVERGED
        if stop is not None:
            return stop
        if self.n_iter - self._best_at >= self.patience:
            return Status.STALLED
        return None if self.left else Status.STEP_LIMIT

    def finish(
        self, status: Status, support: Any, values: Any, *, note: str = "", scale: Any = None, sparse: bool = False
    ) -> RecoveryResult:
        """Return the result for the iterate with the given support and values.

        `scale` holds the column norms if the run used normalised columns; `sparse` omits the full vector.
        """
        problem = self.problem
        operator, xp = problem.operator, problem.operator.xp
        if scale is not None:
            values = values / scale[support]
        keep = values != 0
        support, values = support[keep], values[keep]
        residual = problem.y - operator.matvec_support(support, values)
        (square,) = to_host(xp, (residual * residual).sum())
        x = None
        if not sparse:
            x = xp.zeros(operator.shape[1], dtype=operator.dtype)
            x[support] = values
        relative = math.sqrt(square / self.y_square) if self.y_square else 0.0
        found = RecoveryResult(x, support, 0.5 * square, self.n_iter, status, "", self.history, values, relative)
        if status is Status.FIXED_POINT and not found.fits:
            status = Status.AT_REST
        if status is Status.OPTIMAL and support.shape[0] and not found.fits:  # the program's solution, not this x
            status = Status.REFITTED
        limit = f" (max_iter={problem.max_iter})" if status is Status.STEP_LIMIT else ""
        left = f"|A x - y| is {relative:.1e} |y|" if status in _RESTS and not found.fits else ""
        message = status.value + limit + "".join(f"; {part}" for part in (left, note) if part)
        return replace(found, status=status, message=message)


@dataclass(frozen=True)
class Solver(ABC):
    """Base class of the solvers: the fields of a subclass are its options, with their defaults.

    :func:`recovery.solve` divides A and y by powers of two before `run`, so that the largest entry of y, and the size
    of A, are near 1. It converts the results back: x, the objective, and the step sizes of solvers that have them
    (dimensionless on columns of unit norm, otherwise multiples of 1 / |A|^2). Options with a unit are converted by
    `in_units`.

    Attributes
    ----------
    name : str
        The string that selects the solver in :func:`recovery.solve`; empty if it can only be passed as an object.
    requires : tuple of str
        Methods the operator must have.
    summary : str
        One line for :func:`recovery.list_solvers`.
    max_iter, tol : int, float
        Default values of these arguments of :func:`recovery.solve`.
    makes_steps : bool
        Whether ``history["step"]`` is the size of a step along the gradient, rather than a placeholder 1.
    syncs_per_iteration : int
        Largest number of times that a step waits for the device (to read a scalar or the length of a selection).

    Examples
    --------
    A new solver needs no registration:

    >>> import numpy as np, recovery
    >>> from recovery.solvers.base import Run
    >>> class Largest(Solver):
    ...     def run(self, problem):
    ...         A, run = problem.operator, Run(problem)
    ...         support = np.sort(np.argsort(-abs(A.rmatvec(problem.y)))[: problem.s])
    ...         values = np.linalg.lstsq(A.columns(support), problem.y, rcond=None)[0]
    ...         return run.finish(Status.SUPPORT_COMPLETE, support, values)
    >>> recovery.solve(np.eye(3), [0.0, 2.0, 1.0], 1, Largest()).x.tolist()
    [0.0, 2.0, 0.0]
    """

    name: ClassVar[str] = ""
    requires: ClassVar[tuple[str, ...]] = ("rmatvec", "columns")
    summary: ClassVar[str] = ""
    max_iter: ClassVar[int] = 1000
    tol: ClassVar[float] = 1e-12
    makes_steps: ClassVar[bool] = False
    syncs_per_iteration: ClassVar[int] = 0

    def in_units(self, a: int, b: int) -> Solver:
        """Return this solver for A / 2^a and y / 2^b, with the options that have a unit converted.

        Parameters
        ----------
        a, b : int
            Exponents of the powers of two that :func:`recovery.solve` divides A and y by.

        Returns
        -------
        Solver
            The solver itself if none of its options has a unit.
        """
        return self

    @property
    def unit_columns(self) -> bool:
        """Whether the solver works on columns of unit norm, so that step sizes have no unit (option ``normalise``)."""
        return bool(getattr(self, "normalise", False))

    def check(self, problem: Problem) -> None:  # noqa: B027  (a solver without options has nothing to check)
        """Raise an error for option values that do not suit the problem, before any work is done."""

    @abstractmethod
    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""


def counted_from(before: int, callback: Callable[[State], Any] | None) -> Callable[[State], Any] | None:
    """Return the callback for a part of a run that begins after `before` steps."""
    if callback is None or not before:
        return callback
    return lambda state: callback(replace(state, n_iter=before + state.n_iter))


def to_host(xp: Any, *scalars: Any) -> tuple[float, ...]:
    """Copy scalars from the device together, with one synchronisation."""
    if xp is np:  # already on the host: stacking them would cost more than the step itself
        return tuple(map(float, scalars))
    return tuple(float(value) for value in arrays.to_numpy(xp.stack(scalars)))


def entered(xp: Any, new: Any, old: Any) -> int:
    """Count the indices of the sorted set `new` that are not in the sorted set `old` (one synchronisation)."""
    if not old.shape[0]:
        return int(new.shape[0])
    place = xp.minimum(xp.searchsorted(old, new), int(old.shape[0]) - 1)
    return int((old[place] != new).sum())


@dataclass
class SeenSupports:
    """Stores supports by their objective, to detect repeated supports without extra synchronisation.

    Equal supports give bitwise equal objectives because every computation here is deterministic;
    the converse is checked on the supports themselves.
    """

    _seen: dict[float, tuple[int, Any]] = field(default_factory=dict)

    def period(self, objective: float, support: Any, step: int) -> int:
        """Return the number of steps since `support` was last seen, or 0 if it is new, and store it."""
        found = self._seen.get(objective)
        self._seen[objective] = (step, support)
        if found is None or found[1].shape != support.shape or not bool((found[1] == support).all()):
            return 0
        return step - found[0]
