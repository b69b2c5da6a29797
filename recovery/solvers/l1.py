"""Basis pursuit, by homotopy or cvxpy, cut to s entries and refitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from planted.base import arrays
from planted.base.checks import check_number
from planted.base.extras import need
from planted.base.quiet import quiet
from recovery.operators.arithmetic import power
from recovery.operators.base import Operator
from recovery.operators.columns import refuse_large
from recovery.operators.dense import normalise
from recovery.operators.thresholding import select_top
from recovery.solvers.base import Problem, RecoveryResult, Run, Solver, Status
from recovery.solvers.homotopy import solution_at
from recovery.solvers.least_squares import ridge_fit

__all__ = ["L1", "GroupL1", "cut_and_fit", "solve_program"]


@dataclass(frozen=True)
class L1(Solver):
    """Basis pursuit: min |z|_1 subject to A z = y, or |A z - y| <= noise; then the top s, and least squares there.

    Parameters
    ----------
    noise : float, default 0.0
        Bound on |A z - y|_2; 0 requires equality.
    normalise : bool, default True
        Penalise the entries in units of normalised columns.
    backend : str, default "homotopy"
        ``"homotopy"`` follows the Lasso path to its end, or to the bound: exact up to rounding, even with ties or equal
        columns. Any other string is the name of a cvxpy solver, such as ``"CLARABEL"``.
    ridge : float, default 0.0
        Fit on the chosen columns with ridge |z|^2 / 2 added to |A x - y|^2 / 2, z the entries in units of unit columns
        (of x on raw columns: ridge then has the unit of |A|^2).
    crowd : float, default 1.0
        Abandon the path once the number of columns in use exceeds this fraction of the number of rows: an s-sparse x
        that basis pursuit recovers rarely needs more than 0.9. For the homotopy only.

    Notes
    -----
    The program has no sparsity parameter: its solution is cut to the s entries of largest magnitude
    (in normalised units) and refitted on them, so that the result is s-sparse. If the program's solution is s-sparse,
    this only removes its numerical error; if it has fewer than s entries, so has the result. A is formed on the CPU,
    and the data are scaled to unit norm before the call, so tolerances are relative. A warm start is not used. If the
    homotopy recovers a sparse x, its path has about as many segments as the solution has entries, and otherwise at most
    a few times n; each costs two products with A. It ends early only by `crowd` and by ``time_limit``: ``max_iter`` and
    ``tol`` are those of the cvxpy solver. If the equality has no solution, it returns the least-squares
    solution at the end of the path. The status is ``OPTIMAL`` if the result fits the data, and otherwise ``REFITTED``.

    References
    ----------
    Chen, Donoho and Saunders, "Atomic decomposition by basis pursuit", SIAM Rev. 2001. The homotopy:
    :func:`recovery.solvers.homotopy.stretches`.
    """

    noise: float = 0.0
    normalise: bool = True
    backend: str = "homotopy"
    ridge: float = 0.0
    crowd: float = 1.0

    name: ClassVar[str] = "l1"
    requires: ClassVar[tuple[str, ...]] = ("columns",)
    summary: ClassVar[str] = "basis pursuit by homotopy (or cvxpy), cut to s entries and refitted; needs A as a matrix"
    max_iter: ClassVar[int] = 200
    tol: ClassVar[float] = 1e-8
    syncs_per_iteration: ClassVar[int] = 1

    def check(self, problem: Problem) -> None:
        """Raise an error for negative bounds, and for an A given only by its products that is too large to form."""
        refuse_large(problem.operator)
        check_number(self.noise, "noise", minimum=0.0)
        check_number(self.crowd, "crowd", minimum=0.0)
        check_number(self.ridge, "ridge", minimum=0.0)
        _check_backend(self.backend, ("homotopy",))

    def in_units(self, a: int, b: int) -> L1:
        """Convert the bound on |A z - y|, which has the unit of y, and the ridge of raw columns."""
        ridge = self.ridge if self.normalise else power(self.ridge, -2 * a)
        return replace(self, noise=power(self.noise, -b), ridge=ridge)

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        if self.backend == "homotopy":
            return cut_and_fit(self, problem, None)
        cp = need("cvxpy")

        return cut_and_fit(self, problem, lambda z: cp.norm1(z))


def _check_backend(backend: Any, own: tuple[str, ...] = ()) -> None:
    """Raise an error unless `backend` is one of `own` or the name of a solver that cvxpy has."""
    if not isinstance(backend, str):
        raise TypeError(f"backend={backend!r} is of type {type(backend).__name__}; expected the name of a solver")
    if backend not in own:
        names = [*own, *need("cvxpy").installed_solvers()]
        if backend not in names and backend.upper() not in names:
            raise ValueError(f"backend={backend!r} is not known; expected one of {', '.join(names)}")


def cut_and_fit(solver: Any, problem: Problem, penalty: Any) -> RecoveryResult:
    """Solve the program with the given penalty (None: l1, by homotopy), keep its s largest entries and refit them.

    A is formed on the CPU, and is sparse if it was given as a sparse matrix.
    """
    operator: Operator = problem.operator
    scale = None
    if solver.normalise:
        operator, scale = normalise(operator)
    run, xp = Run(problem), operator.xp
    formed = operator.stored(xp.arange(operator.shape[1]))
    matrix = (formed if hasattr(formed, "indptr") else arrays.to_numpy(formed)).astype(np.float64)
    y = arrays.to_numpy(problem.y).astype(np.float64)
    z: np.ndarray | None
    late = False
    if penalty is None:
        watch = _Watch(solver, len(y), run)
        z, steps = solution_at(matrix, y, misfit=solver.noise, watch=watch)
        sentence, late = f"homotopy: {steps} piece(s) of the path" + watch.note, watch.late
    else:
        z, steps, sentence = solve_program(matrix, y, penalty, solver, problem.max_iter, problem.tol)
    if z is None:
        empty = xp.zeros(0, dtype=xp.int64)
        return run.finish(Status.FAILED, empty, xp.zeros(0, dtype=operator.dtype), note=sentence)
    z = xp.asarray(z, dtype=operator.dtype)
    support = select_top(z, problem.s)
    support = support[z[support] != 0]  # a solution with fewer entries chooses no others
    if not support.shape[0]:
        return run.finish(Status.TIME_LIMIT if late else Status.OPTIMAL, support, z[support], note=sentence)
    values, _, objective = ridge_fit(operator, support, problem.y, getattr(solver, "ridge", 0.0))
    run.record(objective, support, values, step=1.0, change=float(problem.s), program_steps=steps)
    status = Status.TIME_LIMIT if late else Status.STOPPED if run.stop is Status.STOPPED else Status.OPTIMAL
    if status is Status.OPTIMAL and penalty is None and watch.note:  # the path was given up
        status = Status.REFITTED
    return run.finish(status, support, values, note=sentence, scale=scale)


class _Watch:
    """Ends a path at the time limit, or when more columns are in use than the solver's option `crowd` allows."""

    def __init__(self, solver: L1, rows: int, run: Run) -> None:
        self.most, self.run, self.late, self.note = solver.crowd * rows, run, False, ""

    def __call__(self, size: int) -> bool:
        self.late = self.run.clock.over
        if self.late:
            self.note = ", and then the time was up"
        elif size > self.most:
            self.note = f", given up with {size} columns in use"
        return bool(self.note)


def solve_program(
    matrix: np.ndarray, y: np.ndarray, penalty: Any, solver: Any, max_iter: int, tol: float
) -> tuple[np.ndarray | None, int, str]:
    """Minimise penalty(z) subject to the data; return z or None, the solver's steps, and a message.

    Parameters
    ----------
    matrix : numpy.ndarray or sparse matrix, shape (n, N)
        A.
    y : numpy.ndarray, shape (n,)
        Data.
    penalty : callable
        Takes a cvxpy variable of shape (N,) and returns a convex expression.
    solver : L1 or GroupL1
        ``noise`` and ``backend``.
    max_iter : int
        Iteration limit of the backend solver.
    tol : float
        Its feasibility and gap tolerance (Clarabel).

    Returns
    -------
    z : numpy.ndarray, shape (N,), or None
        The solution.
    steps : int
        Iterations of the backend solver.
    sentence : str
        The status reported by cvxpy.
    """
    cp = need("cvxpy")

    size, length = float(abs(matrix).max()) or 1.0, float(np.linalg.norm(y))
    if length <= solver.noise:
        return np.zeros(matrix.shape[1]), 0, "|y| is within the bound, so the solution is 0"
    z = cp.Variable(matrix.shape[1])
    misfit = (matrix / size) @ z - y / length
    constraint = misfit == 0 if solver.noise == 0 else cp.norm2(misfit) <= solver.noise / length
    program = cp.Problem(cp.Minimize(penalty(z)), [constraint])
    options: dict[str, Any] = {}
    if solver.backend == "CLARABEL":
        options = {"max_iter": max_iter, "tol_feas": tol, "tol_gap_abs": tol, "tol_gap_rel": tol}
    try:
        with quiet():  # the status already reports "may be inaccurate"
            program.solve(solver=solver.backend, **options)
    except cp.SolverError as error:
        return None, 0, f"{solver.backend}: {error}"
    steps = int(getattr(program.solver_stats, "num_iters", 0) or 0)
    sentence = f"{solver.backend} through cvxpy: {program.status}"
    if z.value is None or program.status not in ("optimal", "optimal_inaccurate"):
        return None, steps, sentence
    return np.asarray(z.value) * (length / size), steps, sentence


@dataclass(frozen=True)
class GroupL1(Solver):
    """Group basis pursuit: min sum_j |z_j|_2 subject to A z = y; then the top s, and least squares there.

    Parameters
    ----------
    groups : sequence of int, optional
        The group of each column, length N. None groups the columns of a
        :class:`recovery.GatedOperator` by gate: the program that trains gated networks,
        min sum_j |w_j| subject to sum_j D_j X w_j = y.
    noise : float, default 0.0
        Bound on |A z - y|_2; 0 requires equality.
    normalise : bool, default False
        Penalise the entries in units of normalised columns.
    backend : str, default "CLARABEL"
        Name of the cvxpy solver.

    See Also
    --------
    recovery.networks.group_program : the program's own solution of gated data, before any cut, and its dual vector.
    recovery.networks.cone_program : the same with cone constraints, under which the gates are those of a ReLU network.

    Notes
    -----
    Cuts to s entries and refits as :class:`recovery.solvers.l1.L1` does.

    References
    ----------
    Pilanci and Ergen, "Neural networks are convex regularizers", ICML 2020 (from memory of the literature).
    """

    groups: Any = None
    noise: float = 0.0
    normalise: bool = False
    backend: str = "CLARABEL"

    name: ClassVar[str] = "group_l1"
    requires: ClassVar[tuple[str, ...]] = ("columns",)
    summary: ClassVar[str] = "group basis pursuit (cvxpy), one group per gate, cut and refitted; needs A as a matrix"
    max_iter: ClassVar[int] = 200
    tol: ClassVar[float] = 1e-8
    syncs_per_iteration: ClassVar[int] = 1

    def check(self, problem: Problem) -> None:
        """Raise an error unless there is one group per column; A is checked as by :class:`L1`."""
        refuse_large(problem.operator)
        check_number(self.noise, "noise", minimum=0.0)
        _check_backend(self.backend)
        self._labels(problem)

    def in_units(self, a: int, b: int) -> GroupL1:
        """Convert the bound on |A z - y|, which has the unit of y."""
        return replace(self, noise=power(self.noise, -b)) if self.noise else self

    def run(self, problem: Problem) -> RecoveryResult:
        """Solve the problem."""
        cp = need("cvxpy")

        labels = self._labels(problem)
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        return cut_and_fit(self, problem, lambda z: cp.sum([cp.norm2(z[index]) for index in members]))

    def _labels(self, problem: Problem) -> np.ndarray:
        size = problem.operator.shape[1]
        if self.groups is None:
            width = getattr(problem.operator, "n_features", None)
            if width is None:
                raise ValueError(
                    f"groups=None, but A ({type(problem.operator).__name__}) has no gates; "
                    "expected a GatedOperator, or groups with one label per column"
                )
            return np.arange(size) // int(width)
        labels = np.asarray(self.groups)
        if labels.shape != (size,):
            raise ValueError(f"groups has shape {labels.shape}; expected one label for each of the {size} columns")
        return labels
