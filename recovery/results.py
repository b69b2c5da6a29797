"""What a solver returns, and the sentence that says how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from planted.values import by_value

__all__ = ["RecoveryResult", "Status"]


class Status(Enum):
    """How a run ended; the value is the sentence for people."""

    CONVERGED = "converged: the residual is below tol times the norm of y"
    FIXED_POINT = "converged: the iterate moves by less than tol times its norm"
    SUPPORT_STABLE = "support stable: the support repeated itself, and x is the least-squares solution on it"
    SUPPORT_COMPLETE = "complete: the requested number of columns was selected"
    PRUNED = "pruned: the requested number of weights is left"
    OPTIMAL = "optimal: the convex program was solved to the solver's own tolerance"
    STALLED = "stalled: the objective no longer falls"
    CYCLE = "cycle: the supports repeat in a cycle that could not be broken; the best iterate is returned"
    NO_GAIN = "no further gain: a further search led to nothing better, and the residual looks like noise"
    STEP_LIMIT = "step limit: all steps that were allowed were made before a stop rule held"
    TIME_LIMIT = "time limit: time_limit seconds passed before a stop rule held"
    DIVERGED = "diverged: the objective grew without bound; a finite iterate from before is returned"
    STOPPED = "stopped: the callback asked for it"
    ZERO_SPARSITY = "nothing to find: sparsity is 0, so x is 0"
    ZERO_DATA = "nothing to find: y is 0, so x is 0"
    OUT_OF_RANGE = "out of range: the answer has numbers that its dtype cannot hold; try other units, or float64"
    FAILED = "failed: the solver behind gave no answer"

    @property
    def success(self) -> bool:
        """Whether a stop rule held, as opposed to a limit or a failure.

        A success says that the run ended as it should, not that the planted support was found.
        """
        return self in _SUCCESS


_SUCCESS = frozenset(
    {
        Status.CONVERGED,
        Status.FIXED_POINT,
        Status.NO_GAIN,
        Status.SUPPORT_STABLE,
        Status.SUPPORT_COMPLETE,
        Status.PRUNED,
        Status.OPTIMAL,
        Status.ZERO_SPARSITY,
        Status.ZERO_DATA,
    }
)


@by_value
@dataclass(frozen=True, eq=False)
class RecoveryResult:
    """The answer of :func:`recovery.solve`.

    Parameters
    ----------
    x : array, shape (N,), or None
        The solution, on the device of y. None when a streaming run was asked for a sparse answer only.
    support : array of int64, shape (k,)
        Where x is not 0, ascending; k <= sparsity.
    objective : float
        1/2 |A x - y|^2 of this very x.
    n_iter : int
        Steps that were made.
    status : Status
        How the run ended.
    message : str
        The status' sentence, with what else is worth knowing (cycles broken, best iterate returned).
    history : dict of list
        One entry a step: ``objective``, ``step`` (step size) and ``support_change`` (indices that
        entered), and what a solver adds.
    values : array, shape (k,)
        x on its support.
    """

    x: Any
    support: Any
    objective: float
    n_iter: int
    status: Status
    message: str
    history: dict[str, list[float]] = field(repr=False, default_factory=dict)
    values: Any = field(repr=False, default=None)
