"""``recovery.solve``: the common entry point of all solvers."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_number
from planted.base.frames import names_of
from planted.base.progress import Progress, bar, check_progress
from recovery.operators.arithmetic import exponent_of, power, shifted
from recovery.operators.base import Operator, RescaledOperator
from recovery.operators.dense import as_operator, is_operator
from recovery.operators.sparse import is_sparse, sparse_frame
from recovery.operators.thresholding import top_s
from recovery.solvers.base import Problem, RecoveryResult, Solver, State, Status, to_host

__all__ = ["SolverInfo", "SolverName", "Units", "list_solvers", "solve", "solver_class"]

SolverName = Literal["auto", "htp", "subspace-pursuit", "cosamp", "iht", "niht", "aiht", "omp", "l1", "group_l1"]
"""Names of the solvers, in the order in which they should be tried."""


_SOLVERS = {
    "auto": ("auto", "Auto"),
    "htp": ("htp", "HTP"),
    "subspace-pursuit": ("cosamp", "SubspacePursuit"),
    "cosamp": ("cosamp", "CoSaMP"),
    "iht": ("iht", "IHT"),
    "niht": ("iht", "NIHT"),
    "aiht": ("aiht", "AIHT"),
    "omp": ("omp", "OMP"),
    "l1": ("l1", "L1"),
    "group_l1": ("l1", "GroupL1"),
}


@dataclass(frozen=True)
class SolverInfo:
    """Description of one solver in :func:`list_solvers`.

    Parameters
    ----------
    name : str
        The string for ``solve(..., solver=name)``.
    requires : tuple of str
        Methods the operator must have.
    options : dict
        Options and their defaults.
    summary : str
        One-line description.
    """

    name: str
    requires: tuple[str, ...]
    options: dict[str, Any]
    summary: str

    def __str__(self) -> str:
        return f"{self.name}: {self.summary}; requires {', '.join(self.requires)}"


def solver_class(name: str) -> type[Solver]:
    """Return the class of a solver by its name.

    Parameters
    ----------
    name : str
        One of the names in :func:`list_solvers`.

    Returns
    -------
    type
        A subclass of :class:`recovery.solvers.base.Solver`.

    Raises
    ------
    ValueError
        If there is no such solver.
    """
    if name not in _SOLVERS:
        raise ValueError(f"solver={name!r} is not known; expected one of {', '.join(sorted(_SOLVERS))}")
    module, attribute = _SOLVERS[name]
    found: type[Solver] = getattr(importlib.import_module(f"recovery.solvers.{module}"), attribute)
    return found


def list_solvers() -> dict[str, SolverInfo]:
    """Return the solvers, what each requires of the operator, and its options.

    Returns
    -------
    dict of str to SolverInfo
        The solvers by name, in the order in which they should be tried.
    """
    found = {}
    for name in _SOLVERS:
        cls = solver_class(name)
        options = {item.name: item.default for item in fields(cls)}
        found[name] = SolverInfo(name, cls.requires, options, cls.summary)
    return found


@dataclass(frozen=True)
class Units:
    """A = 2^a A', y = 2^b y' with the primed ones near 1, so that x = 2^(b - a) x'.

    Parameters
    ----------
    a, b : int
        The exponents.
    solver : Solver
        On columns of unit norm step sizes have no unit, and the values passed to a callback have the unit of y.
    """

    a: int
    b: int
    solver: Solver

    @property
    def x(self) -> int:
        """Exponent of the unit of x."""
        return self.b - self.a

    @property
    def step(self) -> int:
        """Exponent of the unit of a step size."""
        return -2 * self.a if self.solver.makes_steps and not self.solver.unit_columns else 0

    def translated(self, callback: Callable[[State], Any] | None) -> Callable[[State], Any] | None:
        """Wrap the caller's callback, which expects states in the caller's units, for states in the solver's units."""
        if callback is None:
            return None
        unit = self.b if self.solver.unit_columns else self.x

        def inside(state: State) -> Any:
            return callback(
                replace(
                    state,
                    objective=power(state.objective, 2 * self.b),
                    values=None if state.values is None else shifted(state.values, unit),
                    step=power(state.step, self.step),
                )
            )

        return inside

    def result(self, found: RecoveryResult, problem: Problem) -> RecoveryResult:
        """Return a solver's result in the caller's units.

        Entries of x that the dtype cannot hold become infinite or 0, or lose digits; if that changes A x by more than
        the rounding of y, the status says so. The objective is that of the returned x.
        """
        history = {
            key: [power(value, {"objective": 2 * self.b, "step": self.step}.get(key, 0)) for value in column]
            for key, column in found.history.items()
        }
        values = shifted(found.values, self.x)
        if self.x == 0:
            objective = power(found.objective, 2 * self.b)
            return replace(found, objective=objective, history=history)
        xp, operator = problem.operator.xp, problem.operator
        support, status, message, objective = found.support, found.status, found.message, found.objective
        relative = found.relative_residual
        back = shifted(values, -self.x)
        if bool((back != found.values).any()):
            finite = xp.where(xp.isfinite(back), back, 0.0).astype(back.dtype)
            lost = operator.matvec_support(support, finite - found.values)
            if bool(xp.isfinite(values).all()):
                residual = problem.y - operator.matvec_support(support, back)
                objective = 0.5 * float((residual * residual).sum())
            else:
                objective = float("inf")
            relative = math.sqrt(2.0 * objective / float((problem.y * problem.y).sum()))
            slack = 4 * float(np.finfo(operator.dtype).eps)
            if float(xp.sqrt((lost * lost).sum())) > slack * float(xp.sqrt((problem.y * problem.y).sum())):
                status = Status.OUT_OF_RANGE
                message = f"{status.value}; before that: {found.message}"
            keep = values != 0
            support, values = support[keep], values[keep]
        x = None
        if found.x is not None:
            x = xp.zeros(operator.shape[1], dtype=operator.dtype)
            x[support] = values
        return replace(
            found,
            x=x,
            support=support,
            values=values,
            objective=power(objective, 2 * self.b),
            status=status,
            message=message,
            history=history,
            relative_residual=relative,
        )


_SCALED = frozenset({"matvec", "rmatvec", "rmatvec_blocks", "matvec_support", "columns", "column_norms", "gram"})
"""The products that :class:`recovery.operators.base.RescaledOperator` supports."""

_NEAR = {np.dtype("float32"): 4, np.dtype("float64"): 16}
"""A is not rescaled if its size is within 2^+-this, which saves the products with powers of two and changes no bit."""


def solve(
    A: Any,
    y: Any,
    sparsity: int,
    solver: SolverName | Solver = "auto",
    *,
    x0: Any = None,
    tol: float | None = None,
    max_iter: int | None = None,
    callback: Callable[[State], Any] | None = None,
    time_limit: float | None = None,
    progress: Progress = False,
    **options: Any,
) -> RecoveryResult:
    """Find x with at most `sparsity` non-zeros and A x close to y, without an intercept.

    For a table whose target has an offset, use :class:`recovery.SparseRegressor`, which fits an intercept and scales
    the features; or subtract the means from y and from the columns of A.

    Parameters
    ----------
    A : Operator, array, sparse matrix or array, data frame, or object with products, shape (n, N)
        The sensing matrix, dense, sparse or never formed, see :func:`recovery.as_operator`; float32 stays float32
        (tolerances are then no smaller than 8 machine epsilons, 1e-6), other types become float64. A frame must hold
        numbers only. If an object has only ``matvec`` and ``rmatvec``, such as a ``LinearOperator`` of SciPy or PyLops,
        its columns are computed as products with unit vectors: a solver on columns of unit norm computes N of them
        once, unless the object has a method ``column_norms``.
    y : array, shape (n,)
        Data, on the device of A; converted to the dtype of A.
    sparsity : int
        s, from 0 to N.
    solver : str or Solver, default "auto"
        A name from :func:`list_solvers`, or a solver with its options, such as ``HTP(step=0.5)``: an instance of any
        subclass of :class:`recovery.solvers.base.Solver`, in this package or not.
    x0 : array, shape (N,), optional
        Warm start; its s entries of largest magnitude are used. Zero by default.
    tol : float, optional
        Relative tolerance: a residual of at most tol |y| ends the run, and so does, for the
        gradient solvers, a move of at most tol |x|. 1e-12 by default (1e-8 for the cvxpy solvers).
    max_iter : int, optional
        Largest number of steps; each solver has its default.
    callback : callable, optional
        Called after each step with a state (``n_iter``, ``objective``, ``support``, ``values``,
        ``step``); returning True stops the run. The cvxpy solvers never call it.
    time_limit : float, optional
        Time limit in seconds, checked after each step.
    progress : bool or callable, default False
        True shows a progress bar (needs tqdm); a function is called as ``progress(done, total)`` after each step,
        `total` being the `max_iter` that was passed, or None. The last call has ``done == total``.
    **options
        Options of a solver that is chosen by name; a solver object has its own.

    Returns
    -------
    RecoveryResult
        ``x, support, objective, relative_residual, fits, n_iter, status, success, message, history``, and ``names`` and
        ``support_names``, the names of the columns if A is a data frame with names. ``success`` says that the run ended
        by a stop rule, ``fits`` that the data are explained up to rounding.

    Raises
    ------
    TypeError
        If an argument has the wrong type, devices are mixed, the operator lacks a method that the solver requires, or
        an option is unknown.
    ValueError
        If a value is out of range, NaN or infinite, a shape does not fit, or the solver is unknown.

    Notes
    -----
    Minimises 1/2 |A x - y|^2 over |x|_0 <= s, which is NP-hard in general: the status says how a
    run ended, not that x is the minimiser.

    A column of ones in A gives an intercept, but a poor one: columns with large means are then nearly parallel to it
    and to each other, and the search may confuse them. If the fit is poor, the mean of y is larger than its standard
    deviation and the columns found cannot express a constant, the message says that an intercept may be missing.

    HTP, subspace pursuit, CoSaMP, NIHT, OMP and l1 work on columns of unit norm unless ``normalise=False``, AIHT unless
    it streams, IHT and group_l1 only with ``normalise=True``. The x returned belongs to the columns of A as passed.

    Units do not matter: (A, y) -> (a A, b y) gives x b / a, for powers of two bit for bit over the whole range of the
    dtype, for other factors up to rounding. Only IHT with a given step, and HTP on raw columns with a given step,
    depend on the units of A. Internally, A and y are divided by powers of two; A is not copied. Objectives outside the
    range of float64 are returned as infinite or 0. If entries of x are outside the range of its dtype, the status is
    ``OUT_OF_RANGE``. Nothing is guaranteed on solvers without ``normalise`` if the norms of the columns of A differ by
    more than a factor of about 1e9 (float32: 1e5).

    Examples
    --------
    >>> import numpy as np, recovery
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> result = recovery.solve(A, A[:, 7] - 2 * A[:, 30], 2)
    >>> result.support.tolist(), result.status.name
    ([7, 30], 'CONVERGED')
    """
    chosen = _chosen(solver, options)
    cls = type(chosen)
    _check_flags(chosen)
    check_progress(progress)
    expected = max_iter
    operator = _as_operator(A, cls)
    n, size = operator.shape
    y = check_array(y, "y", ndim=1)
    if y.shape[0] != n:
        raise ValueError(f"y has {y.shape[0]} entries and A has {n} rows; expected equally many")
    if arrays.namespace(y) is not operator.xp:
        raise TypeError("A and y are on different devices; move them to one device first")
    sparsity = check_integer(sparsity, "sparsity", minimum=0, maximum=size)
    tol = cls.tol if tol is None else check_number(tol, "tol", minimum=0.0)
    tol = max(tol, 8 * float(np.finfo(operator.dtype).eps)) if operator.dtype.itemsize < 8 else tol
    max_iter = cls.max_iter if max_iter is None else check_integer(max_iter, "max_iter", minimum=1)
    time_limit = None if time_limit is None else check_number(time_limit, "time_limit", minimum=0.0)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback={callback!r} cannot be called; expected a function of one state")
    if x0 is not None:
        x0 = check_array(x0, "x0", ndim=1, shape=(size,))
        if arrays.namespace(x0) is not operator.xp:
            raise TypeError("A and x0 are on different devices; move them to one device first")
    nothing = operator.xp.zeros(0, dtype=operator.dtype)
    bare = Problem(operator, y, sparsity, nothing.astype(operator.xp.int64), nothing, tol, max_iter)
    chosen.check(bare)
    b = exponent_of(y)
    small = shifted(y, -b).astype(operator.dtype)
    square = float((small * small).sum())
    if sparsity == 0 or square == 0.0:
        status = Status.ZERO_SPARSITY if sparsity == 0 else Status.ZERO_DATA
        return _named(_zero(operator, power(0.5 * square, 2 * b), status, 1.0 if square else 0.0), A)
    a = _size_of(operator, small, cls)
    a = 0 if abs(a) <= _NEAR.get(np.dtype(operator.dtype), 0) else a
    units = Units(a, b, chosen)
    support, values = _start(operator, x0, sparsity, units)
    scaled = RescaledOperator(operator, a) if a else operator
    with bar(progress, expected, user="solve") as shown:
        watched = shown.watching(units.translated(callback))
        problem = Problem(scaled, small, sparsity, support, values, tol, max_iter, watched, time_limit)
        found = units.result(chosen.in_units(a, b).run(problem), problem)
    if operator is not A and not found.fits:
        note = _offset_note(operator, small, b, found)
        found = replace(found, message=found.message + note) if note else found
    return _named(found, A)


POOR = 0.1
"""A fit is poor if its residual is above this fraction of |y - mean(y)|, so above a hundredth of the variance."""


def _offset_note(operator: Operator, y: Any, b: int, found: RecoveryResult) -> str:
    """Return a note for the message if a poor fit may be due to the missing intercept, or an empty string.

    That is the case if the mean of y, given over 2^b, is larger than its standard deviation, and the columns of the
    support cannot express a constant.
    """
    xp, support = operator.xp, found.support
    mean, square = to_host(xp, y.mean(), (y * y).sum())
    n, count = int(y.shape[0]), int(support.shape[0])
    spread = math.sqrt(max(square - n * mean * mean, 0.0) / n)
    if abs(mean) <= spread or found.relative_residual * math.sqrt(square / n) <= POOR * spread or count >= n:
        return ""
    if count:
        columns = operator.columns(support)
        one = xp.ones(n, dtype=columns.dtype)
        left = one - columns @ xp.linalg.lstsq(columns, one, rcond=None)[0]
        if bool((left * left).sum() <= 1e-6 * n):  # the support has a constant column, or makes one
            return ""
    return (
        f"; y has mean {power(mean, b):.3g} and standard deviation {power(spread, b):.3g}, and solve fits no "
        "intercept: subtract the means from y and from the columns of A, or use recovery.SparseRegressor"
    )


def _named(found: RecoveryResult, A: Any) -> RecoveryResult:
    """Return the result with the names of the columns, if A is a data frame with names."""
    names = names_of(A)
    return found if names is None else replace(found, names=names)


def _chosen(solver: Any, options: dict[str, Any]) -> Solver:
    """Return the solver that was passed, or the named one with its options; raise a helpful error otherwise."""
    if isinstance(solver, Solver):
        if options:
            raise TypeError(
                f"{', '.join(options)} and a solver with options of its own were both given; expected "
                f"{type(solver).__name__}({', '.join(f'{name}=...' for name in options)}), or a name and options"
            )
        return solver
    if not isinstance(solver, str):
        hint = f", such as {solver.__name__}()" if isinstance(solver, type) and issubclass(solver, Solver) else ""
        raise TypeError(f"solver={solver!r} is of type {type(solver).__name__}; expected a name, or a Solver{hint}")
    cls = solver_class(solver)
    valid = [item.name for item in fields(cls)]
    unknown = sorted(set(options) - set(valid))
    if unknown:
        fitting = [name for name, one in list_solvers().items() if "ridge" in one.options]
        why = f"; a ridge needs a fit on the support, which {', '.join(fitting)} make" if "ridge" in unknown else ""
        raise TypeError(
            f"solver {solver!r} has no option {', '.join(map(repr, unknown))}; it has {', '.join(valid) or 'none'}{why}"
        )
    return cls(**options)


def _check_flags(chosen: Solver) -> None:
    """Raise an error for a flag that is neither True nor False, such as "no", which would count as True."""
    for item in fields(chosen):
        value = getattr(chosen, item.name)
        optional = str(item.type) == "bool | None"
        if isinstance(item.default, bool) or optional:
            if not isinstance(value, (bool, np.bool_)) and not (optional and value is None):
                kinds = "a bool or None" if optional else "a bool"
                raise TypeError(f"{item.name}={value!r} is of type {type(value).__name__}; expected {kinds}")


def _size_of(operator: Operator, y: Any, cls: type[Solver]) -> int:
    """Return e such that the size of A is near 2^e: known, or from A'y, at the cost of one adjoint.

    Solvers that require products unknown to this package, which it cannot rescale, get A unscaled.
    """
    if not set(cls.requires) <= _SCALED:
        return 0
    known = operator.size_exponent()
    if known is not None:
        return known
    if "rmatvec" not in cls.requires:
        # these solvers form A
        xp, (_, size), step = operator.xp, operator.shape, operator.block_width
        return max(exponent_of(operator.columns(xp.arange(c, min(c + step, size)))) for c in range(0, size, step))
    before = 0
    for _ in range(4):
        # if the sums may have overflowed, repeat with the vector scaled by the power found so far
        largest = max(float(operator.xp.abs(block).max()) for _, block in operator.rmatvec_blocks(shifted(y, -before)))
        info = np.finfo(operator.dtype)
        if largest == math.inf or largest != largest:
            before += info.maxexp // 2
        elif largest == 0.0:
            if before < 0:
                return 0
            before -= info.maxexp // 2
        else:
            found = math.frexp(largest)[1]
            if abs(found) <= info.maxexp // 4:
                return found + before
            before += found // 2
    return before


def _start(operator: Operator, x0: Any, s: int, units: Units) -> tuple[Any, Any]:
    """Return the support and the values that a run starts from, in units of the scaled problem."""
    xp = operator.xp
    if x0 is None:
        return xp.zeros(0, dtype=xp.int64), xp.zeros(0, dtype=operator.dtype)
    support = top_s(x0, s)
    with np.errstate(over="ignore", under="ignore"):
        values = shifted(x0[support], -units.x).astype(operator.dtype)
    if not bool(xp.isfinite(values).all()):
        raise ValueError(
            f"x0 has entries out of proportion: with A near 2^{units.a} and y near 2^{units.b}, {operator.dtype} "
            "cannot hold them; expected a start near the size of a solution, or x0=None"
        )
    kept = values != 0
    return support[kept], values[kept]


def _zero(operator: Operator, objective: float, status: Status, relative: float) -> RecoveryResult:
    xp = operator.xp
    history: dict[str, list[float]] = {"objective": [], "step": [], "support_change": []}
    values = xp.zeros(0, dtype=operator.dtype)
    x = xp.zeros(operator.shape[1], dtype=operator.dtype)
    return RecoveryResult(x, xp.zeros(0, dtype=xp.int64), objective, 0, status, status.value, history, values, relative)


def _as_operator(A: Any, cls: type[Solver]) -> Operator:
    """Return `A` as an operator with the methods that `cls` requires, or raise a helpful error."""
    if not is_operator(A) or is_sparse(A) or sparse_frame(A):
        return as_operator(A)
    missing = [name for name in cls.requires if not _offers(A, name)]
    if missing:
        solver = cls.name or cls.__name__
        raise TypeError(
            f"A ({type(A).__name__}) has no method {', '.join(map(repr, missing))}, which solver {solver!r} requires "
            f"({', '.join(cls.requires)}); pass a recovery operator or an array"
        )
    return as_operator(A)


def _offers(A: Any, name: str) -> bool:
    method = getattr(type(A), name, None) or getattr(A, name, None)
    abstract = (
        getattr(Operator, name, None) if name in ("columns", "matvec", "rmatvec_blocks", "column_norms") else None
    )
    if name == "rmatvec" and method is Operator.rmatvec:
        return _offers(A, "rmatvec_blocks")
    if name == "columns" and not isinstance(A, Operator) and callable(getattr(A, "matvec", None)):
        return True  # columns are products with unit vectors
    return callable(method) and method is not abstract
