"""Common parts of guarantees of iterative methods: the run with its errors, and the check against bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast

import numpy as np

from recovery.conditions.restricted import RestrictedEigenvalues, restricted_eigenvalues
from recovery.exact.bounded import Bounded, constant, exponents
from recovery.exact.enumeration import extreme_blocks
from recovery.exact.intervals import Interval
from recovery.guarantees.engine.base import ROUNDING, Verdict, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import frames
from recovery.operators.gated import GatedOperator
from recovery.solvers.base import RecoveryResult
from recovery.solvers.solve import SolverName, solve

__all__ = [
    "LIMIT",
    "STEPS",
    "Trace",
    "conditioned",
    "ends_low",
    "errors_fall",
    "extremes",
    "gated",
    "held_to",
    "instance_with",
    "isometric_columns",
    "isometry",
    "kappa_of_delta",
    "least_entry",
    "matrix_of",
    "nothing_to_run",
    "outside",
    "smaller",
    "start",
    "trace",
]


LIMIT = 200_000
"""Largest number of supports to enumerate; beyond it, bounds that need no enumeration may still decide."""
_COMFORT = 64
"""No rescaling is done up to this exponent of the largest entry."""


def isometry(A: np.ndarray, s: int) -> RestrictedEigenvalues:
    """Return the extreme eigenvalues of A_T'A_T over at most s (and at most all) columns.

    The ends are rounded outward. Columns with entries far from 1 are rescaled first.
    """
    s = min(max(s, 1), A.shape[1])
    shift = int(exponents(A, None))
    if abs(shift) <= _COMFORT:
        return restricted_eigenvalues(A, s, limit=LIMIT)
    found = restricted_eigenvalues(np.ldexp(A, -shift), s, limit=LIMIT)
    smallest, largest = (
        Interval(
            math.nextafter(_times(one.lower, 2 * shift), 0.0), math.nextafter(_times(one.upper, 2 * shift), math.inf)
        )
        for one in (found.smallest, found.largest)
    )
    return RestrictedEigenvalues(s, smallest, largest, found.message)


def _times(value: float, power: int) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(value, power))


def smaller(value: Interval, limit: float, reason: str) -> Verdict:
    """Return whether a number given by bounds is below a limit; ``unknown`` if the bounds do not decide.

    Parameters
    ----------
    value : Interval
        Bounds on the number.
    limit : float
        The limit, not negative.
    reason : str
        Description of the two numbers.

    Returns
    -------
    Verdict
        Margin limit / value - 1.
    """
    bound = constant(limit)
    sure = exceeds(bound, _end(value.upper, value.upper_certified), reason)
    if sure.status == "holds":
        return sure
    never = exceeds(bound, _end(value.lower, value.lower_certified), reason)
    if never.status == "fails":
        return never
    doubt = f"not decided, the limit is {limit:.6g} and the number between {value.lower:.6g} and {value.upper:.6g}"
    return Verdict.unknown(f"{reason}: {doubt}", sure.margin)


def _end(value: float, certified: bool) -> Bounded:
    """Return an end of an interval: an end that is not proved has a relative error of 1e-12."""
    return Bounded(value, 0.0 if certified or math.isinf(value) else ROUNDING * abs(value))


def isometric_columns(rng: np.random.Generator, size: int, s: int, delta: float) -> tuple[str, np.ndarray] | None:
    """Draw columns with a given isometry constant.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        N.
    s : int
        Size of the supports, at most N.
    delta : float
        delta_s of the columns as given.

    Returns
    -------
    name : str
        The pattern of the Gram matrix.
    A : numpy.ndarray, shape (n, N)
        One in four has fewer rows than columns: the corners of a simplex, scaled. None if there are no such columns in
        the direction drawn.

    Notes
    -----
    The isometry constant of the Gram matrix I + t E is t times the largest eigenvalue, in size, of a block of E.
    """
    if rng.random() < 0.25 and s < size:
        signs = rng.choice([-1.0, 1.0], size)
        gram = (np.eye(size) - np.full((size, size), 1.0 / size)) * size / (size - 1.0) * signs[:, None] * signs
        # blocks of s have the eigenvalues 1 + 1 / (N - 1) and 1 - (s - 1) / (N - 1)
        high, low = size / (size - 1.0), (size - s) / (size - 1.0)
        scales = [(1.0 + delta) / high, (1.0 - delta) / low]
        fitting = [c for c in scales if max(c * high - 1.0, 1.0 - c * low) <= delta * (1.0 + 1e-9)]
        if not fitting:
            return None
        A = frames.columns(rng, fitting[int(rng.integers(len(fitting)))] * gram, extra=0)
        return None if A is None else ("simplex_corners", A)
    name, E = frames.pattern(rng, size, unit=bool(rng.random() < 0.5))
    low, _, high, _ = extreme_blocks(E, s)
    A = frames.columns(rng, np.eye(size) + delta / max(-low, high, math.ulp(1.0)) * E)
    return None if A is None else (name, A)


STEPS = 40
"""Number of steps of a run."""
FLOOR = 1e-9
"""Errors below this fraction of |x| count as 0."""
TOO_CLOSE = 1e-9
"""Relative error of bounds, which are computed from singular values, and of errors of iterates above the floor."""
_ENUMERATED = 20_000


@dataclass(frozen=True)
class Trace:
    """A run, with quantities that require knowledge of x.

    Parameters
    ----------
    errors : list of float
        |x_t - x| for t = 0, 1, ... until the run ended.
    objectives : list of float
        1/2 |A x_t - y|^2.
    supports : list of numpy.ndarray
        Supports of x_t, ascending.
    steps : list of float
        Step sizes, from the first step on.
    floor : float
        Errors up to this count as 0.
    result : RecoveryResult
        The solver's result.
    """

    errors: list[float]
    objectives: list[float]
    supports: list[np.ndarray]
    steps: list[float]
    floor: float
    result: RecoveryResult


def outside(instance: Instance, most: int | None = None) -> Verdict | None:
    """Return why a statement about data without noise does not apply to an instance, or None if it does.

    Parameters
    ----------
    instance : Instance
        With x and noise.
    most : int, optional
        Largest number of non-zeros of x0; the sparsity by default, which is always that of x.
    """
    s = instance.sparsity
    most = s if most is None else most
    if not instance.noise_free:
        return Verdict.of(False, "there is noise; the statement is about data without noise")
    if len(instance.support) > s:
        return Verdict.of(False, f"x has {len(instance.support)} non-zeros, more than s = {s}")
    if instance.x0 is not None and np.count_nonzero(instance.x0) > most:
        return Verdict.of(False, f"x0 has {np.count_nonzero(instance.x0)} non-zeros, more than {most}")
    if s == 0:
        return Verdict.of(True, "s = 0: every iterate is 0")
    return None


def nothing_to_run(instance: Instance) -> Verdict | None:
    """Return the verdict on a run without steps (s = 0, or y = 0, where no solver starts), or None."""
    if instance.sparsity == 0:
        return Verdict.of(not np.any(instance.x), "s = 0: every iterate is 0")
    if not np.any(instance.y):
        return Verdict.unknown("y = 0, so the run has no steps")
    return None


def trace(instance: Instance, solver: str, *, sparsity: int | None = None, steps: int = STEPS, **options: Any) -> Trace:
    """Run a solver from the instance's x0 for at most `steps` steps and record its iterates.

    Parameters
    ----------
    instance : Instance
        An instance with x; y must not be 0, since solvers do not start then.
    solver : str
        Name for :func:`recovery.solve`.
    sparsity : int, optional
        Sparsity for the solver; the instance's by default.
    steps : int, default 40
        Number of steps; fewer if the solver stops earlier.
    **options
        Options of the solver, which must not normalise columns.

    Returns
    -------
    Trace
        The run; its errors are computed from the iterates, not taken from the solver.
    """
    A, y, x = instance.matrix, instance.y, instance.x
    start = np.zeros(len(x)) if instance.x0 is None else instance.x0
    first = A @ start - y
    errors, objectives = [float(np.linalg.norm(start - x))], [0.5 * float(first @ first)]
    supports, sizes = [np.flatnonzero(start)], []

    def watch(state: Any) -> None:
        error = -np.array(x)
        error[state.support] += state.values
        image = A @ error
        if instance.noise is not None:
            image = image - instance.noise
        errors.append(float(np.linalg.norm(error)))
        objectives.append(0.5 * float(image @ image))
        supports.append(np.array(state.support))
        sizes.append(float(state.step))

    s, name = instance.sparsity if sparsity is None else sparsity, cast(SolverName, solver)
    result = solve(A, y, s, name, x0=instance.x0, max_iter=steps, normalise=False, callback=watch, **options)
    floor = FLOOR * max(float(np.linalg.norm(x)), errors[0] * 1e-3)
    return Trace(errors, objectives, supports, sizes, floor, result)


def extremes(A: np.ndarray, order: int) -> tuple[float, float]:
    """Return the smallest and largest squared singular value over all sets of at most `order` columns.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The columns.
    order : int
        At least 1; at most N columns are used.

    Returns
    -------
    smallest, largest : float
        Computed from singular values of the triangular factor, so that an outcome is independent of the hypotheses,
        which use the Gram matrix; beyond 20,000 sets the bounds of :func:`recovery.conditions.restricted_eigenvalues`.
    """
    rows, size = A.shape
    order = min(order, size)
    if math.comb(size, order) > _ENUMERATED:
        found = isometry(A, order)
        return found.smallest.lower, found.largest.upper
    factor = np.asarray(np.linalg.qr(A, mode="r")) if rows > size else A
    chosen = np.array(list(combinations(range(size), order)))
    values = np.linalg.svd(factor.T[chosen], compute_uv=False)
    return 0.0 if order > rows else float(values[:, -1].min()) ** 2, float(values[:, 0].max()) ** 2


def least_entry(x: np.ndarray) -> float:
    """Return the smallest size of a non-zero entry, infinite if there is none."""
    return float(np.min(np.abs(x[x != 0.0]), initial=math.inf))


def ends_low(run: Trace, value: float, floor: float, what: str) -> Verdict:
    """Return whether a run without a rate ended at 0; ``unknown`` if it had not ended after its 40 steps."""
    reason = f"after {run.result.n_iter} steps {what} is {value:.3g}"
    if value <= floor:
        return Verdict("holds", 1.0, f"{reason}, which is 0 within rounding error")
    return (
        Verdict("fails", -1.0, f"{reason}, and not 0")
        if run.result.n_iter < STEPS
        else Verdict.unknown(reason + ", and the run has not ended")
    )


def held_to(
    values: Sequence[float], bounds: Sequence[float], floor: float, what: str, done: float | None = None
) -> Verdict:
    """Return whether the values of a run stay below bounds.

    Parameters
    ----------
    values : sequence of float
        One for the start and one for each step; after a run has ended the last value applies.
    bounds : sequence of float
        One for the start and one for each of the steps to check.
    floor : float
        Bounds at or below this, and later ones, are within rounding and are not checked.
    what : str
        Description of the values.
    done : float, optional
        From the first step t >= 1 on whose bound is below this number the value must be 0 (below the floor).

    Returns
    -------
    Verdict
        Its margin is the smallest bound / value - 1.
    """
    worst, at, status, numbers = math.inf, 0, "holds", ""
    for t, bound in enumerate(bounds[1:], 1):
        if bound <= floor:
            break
        value = values[min(t, len(values) - 1)]
        if value <= floor:
            continue
        # the rounding error of an iterate is far below the floor
        sides = Bounded(bound, TOO_CLOSE * bound), Bounded(value, TOO_CLOSE * value + 1e-3 * floor)
        found = exceeds(*sides, what)
        if found.margin < worst:
            worst, at, status, numbers = found.margin, t, found.status, f"{value:.6g} and {bound:.6g}"
    after = f"after {at} step" + ("" if at == 1 else "s")
    if status == "unknown":
        return Verdict.unknown(f"{what} and its bound differ by no more than rounding error {after}: {numbers}", worst)
    if status == "fails":
        return Verdict("fails", worst, f"{what} exceeds its bound {after}: they are {numbers}")
    nearest = f"; they are nearest {after}: {numbers}" if at else ", as far as it exceeds rounding error"
    reason = f"{what} stays below its bound{nearest}"
    if done is not None and done > 10.0 * floor:
        needed = next((t for t, bound in enumerate(bounds) if t > 0 and bound < done), None)
        if needed is not None and values[min(needed, len(values) - 1)] > floor:
            return Verdict("fails", -1.0, f"{what} is not 0 after {needed} steps, as it should be")
    return Verdict("holds", worst, reason)


Rng = np.random.Generator


def errors_fall(
    solver: str, *, order: int, scale: float, later: Callable[[float], float], first: Callable[[float], float]
) -> Callable[[Instance], Verdict]:
    """Return the outcome "the errors of a pursuit fall at the proved rates".

    Parameters
    ----------
    solver : str
        Name of the pursuit.
    order : int
        The rates are functions of delta_{order s}, A in its best scale.
    scale : float
        Factor on delta; 1 for the rates as proved.
    later, first : callable
        delta -> rate of a step from zero or from a least squares solution, and of a first step from any other start.

    Returns
    -------
    callable
        Instance -> Verdict.
    """

    def outcome(instance: Instance) -> Verdict:
        aside = nothing_to_run(instance)
        if aside is not None:
            return aside
        low, high = extremes(instance.matrix, order * instance.sparsity)
        delta = (high - low) / (high + low) * scale
        run = trace(instance, solver)
        again = later(delta)
        if not again < 1.0:
            return ends_low(run, run.errors[-1], run.floor, "the error")
        begun = instance.x0 is not None and bool(np.any(instance.x0))
        start_factor = first(delta) if begun else again
        bounds = [run.errors[0], *(run.errors[0] * start_factor * again**t for t in range(STEPS))]
        return held_to(run.errors, bounds, run.floor, f"the error (rate {again:.6g})", least_entry(instance.x))

    return outcome


def kappa_of_delta(delta: float) -> float:
    """Return the condition number (1 + delta) / (1 - delta) of an optimally scaled isometry constant delta."""
    return (1.0 + delta) / (1.0 - delta) if delta < 1.0 else math.inf


def instance_with(
    rng: Rng,
    order: Callable[[int], int],
    kappa: Callable[[int, float], float],
    *,
    most: int = 3,
    others: int = 6,
    options: dict[str, Any] | None = None,
) -> Instance:
    """Draw a problem without noise in which kappa of some order is near the boundary of a condition.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    order : callable
        s -> number of columns of the condition number.
    kappa : callable
        (s, margin) -> the condition number with that margin.
    most : int, default 3
        Largest s.
    others : int, default 6
        Largest number of columns beyond s.
    options : dict, optional
        Of the instance; ``"design"`` is added.

    Returns
    -------
    Instance
        x, half of the time with the most misleading signs, on a scale from 1e-2 to 1e2, A on a scale from 1e-1 to 1e1;
        x0 zero, normal, or least squares on a wrong support. One in four is a gated operator.
    """
    while True:
        s, size = frames.sizes(rng, most, others)
        goal = kappa(s, frames.aim(rng))
        if not 1.0 < goal < math.inf:
            continue
        drawn: tuple[str, Any] | None
        if rng.random() < 0.25:
            p = int(rng.integers(2, 5))
            drawn = gated(rng, p, max(1, -(-size // p)), order(s), goal)
        else:
            drawn = conditioned(rng, size, order(s), goal)
        if drawn is not None:
            break
    name, A = drawn
    matrix = matrix_of(A)
    x = frames.plant(rng, matrix.T @ matrix, s) * 10.0 ** rng.uniform(-2.0, 2.0)
    return Instance.planted(A, x, x0=start(rng, matrix, x, s), options={"design": name, **(options or {})})


def matrix_of(A: np.ndarray | GatedOperator) -> np.ndarray:
    """Return the columns as an array."""
    return np.asarray(A.columns(np.arange(A.shape[1]))) if isinstance(A, GatedOperator) else A


def start(rng: Rng, A: np.ndarray, x: np.ndarray, most: int) -> np.ndarray | None:
    """Draw the start of a run: None (zero), normal entries, or least squares on a support with wrong columns.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    A : numpy.ndarray, shape (n, N)
        The columns.
    x : numpy.ndarray, shape (N,)
        The planted vector.
    most : int
        Largest number of non-zeros of the start.

    Notes
    -----
    Wrong fixed points of hard thresholding are least squares solutions on their support.
    """
    kind = rng.random()
    if kind < 0.3:
        return None
    chosen = rng.permutation(len(x))[:most]
    if kind < 0.6:  # with one column outside the support of x, and without one of its columns
        wrong, there = np.flatnonzero(x == 0.0), np.flatnonzero(x)
        if wrong.size and there.size:
            swapped = np.setdiff1d(there, rng.choice(there, int(rng.integers(1, there.size + 1)), replace=False))
            chosen = np.append(swapped, rng.permutation(wrong))[:most]
    x0 = np.zeros(len(x))
    if kind < 0.7:
        x0[chosen] = np.linalg.lstsq(A[:, chosen], A @ x)[0]
    else:
        x0[chosen] = float(np.linalg.norm(x)) * 10.0 ** rng.uniform(-1.0, 1.0) * rng.standard_normal(len(chosen))
    return x0


def conditioned(rng: Rng, size: int, order: int, kappa: float) -> tuple[str, np.ndarray] | None:
    """Draw columns with a given condition number over all supports of a size.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        N, at least 2.
    order : int
        Size of the supports; at most N columns count.
    kappa : float
        More than 1.

    Returns
    -------
    name : str
        The pattern of the Gram matrix.
    A : numpy.ndarray, shape (n, N)
        None if there are no such columns in the direction drawn.

    Notes
    -----
    Blocks of I + t E have the extreme eigenvalues 1 + t low and 1 + t high, and t = (kappa - 1) / (high - kappa low).
    """
    order = min(order, size)
    if rng.random() < 0.1 and order < size and size < kappa * (size - order):
        # corners of a simplex: blocks have the eigenvalues N and N - order, and there are fewer rows than columns
        A = frames.columns(rng, size * np.eye(size) - 1.0, extra=0)
        return None if A is None else ("simplex_corners", A)
    name, E = frames.pattern(rng, size, unit=bool(rng.random() < 0.5))
    t = _stretch(E, order, kappa)
    A = None if t is None else frames.columns(rng, np.eye(size) + t * E)
    return None if A is None else (name, 10.0 ** rng.uniform(-1.0, 1.0) * A)


def gated(rng: Rng, p: int, d: int, order: int, kappa: float) -> tuple[str, GatedOperator] | None:
    """Draw a gated operator with a given condition number over all supports of a size.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    p, d : int
        Gates, and features of X.
    order : int
        Size of the supports; at most p d columns count.
    kappa : float
        More than 1.

    Returns
    -------
    name : str
        ``"gated"``.
    A : GatedOperator
        Each gate has its own rows, with orthonormal features; rows shared by several gates couple the blocks, and are
        scaled to give `kappa`. None if no scale does.
    """
    own = [np.linalg.qr(rng.standard_normal((d + int(rng.integers(0, 3)), d)))[0] for _ in range(p)]
    shared = rng.standard_normal((int(rng.integers(1, 4)), d))
    gates = np.zeros((sum(map(len, own)) + len(shared), p), dtype=bool)
    first = 0
    for j, block in enumerate(own):
        gates[first : first + len(block), j] = True
        first += len(block)
    gates[first:] = rng.random((len(shared), p)) < 0.6
    coupling = (gates[first:, :, None] * shared[:, None, :]).reshape(len(shared), p * d)
    t = _stretch(coupling.T @ coupling, min(order, p * d), kappa)
    if t is None:
        return None
    X = 10.0 ** rng.uniform(-1.0, 1.0) * np.concatenate([*own, math.sqrt(t) * shared])
    turned = rng.permutation(len(X))
    return "gated", GatedOperator(X[turned], gates[turned])


def _stretch(E: np.ndarray, order: int, kappa: float) -> float | None:
    """Return the t > 0 at which the blocks of I + t E have the condition number kappa, None if there is none."""
    low, _, high, _ = extreme_blocks(E, order)
    spread = high - kappa * low
    return (kappa - 1.0) / spread if spread > 1e-9 * max(abs(high), abs(low)) else None
