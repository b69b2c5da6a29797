"""What guarantees of iterative methods share: the run with its errors, and bounds that it is held to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from recovery._solve import solve
from recovery.guarantees.base import Verdict, exceeds
from recovery.guarantees.bounded import Bounded
from recovery.guarantees.isometry import isometry
from recovery.instances import Instance
from recovery.results import RecoveryResult

__all__ = ["STEPS", "Trace", "ends_low", "extremes", "held_to", "least_entry", "nothing_to_run", "outside", "trace"]

STEPS = 40
"""Steps of a run."""
FLOOR = 1e-9
"""Errors below this share of |x| count as 0."""
TOO_CLOSE = 1e-9
"""Relative error of bounds, which come from singular values, and of errors of iterates above the floor."""
_ENUMERATED = 20_000


@dataclass(frozen=True)
class Trace:
    """A run, with what only somebody who knows x can say about it.

    Parameters
    ----------
    errors : list of float
        |x_t - x| for t = 0, 1, ... until the run ended.
    objectives : list of float
        1/2 |A x_t - y|^2.
    supports : list of numpy.ndarray
        Where x_t may differ from 0, ascending.
    steps : list of float
        Step sizes, from the first step on.
    floor : float
        Errors up to this count as 0.
    result : RecoveryResult
        What the solver returned.
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
    """Return the conclusion about a run that has no steps: s = 0, or y = 0, where no solver starts. None if it has."""
    if instance.sparsity == 0:
        return Verdict.of(not np.any(instance.x), "s = 0: every iterate is 0")
    if not np.any(instance.y):
        return Verdict.unknown("y = 0: the run has no steps")
    return None


def trace(instance: Instance, solver: str, *, sparsity: int | None = None, steps: int = STEPS, **options: Any) -> Trace:
    """Run a solver from the instance's x0 for at most so many steps and keep what it went through.

    Parameters
    ----------
    instance : Instance
        With x; y must not be 0, the solvers do not start there.
    solver : str
        Name for :func:`recovery.solve`.
    sparsity : int, optional
        What the solver keeps; the instance's by default.
    steps : int, default 40
        Steps, fewer if the solver ends by itself.
    **options
        Of the solver, which must not normalise columns.

    Returns
    -------
    Trace
        Errors are computed here from the iterates, not taken from the solver.
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

    result = solve(
        A, y, instance.sparsity if sparsity is None else sparsity, solver, x0=instance.x0, max_iter=steps,
        normalise=False, callback=watch, **options,
    )  # fmt: skip
    floor = FLOOR * max(float(np.linalg.norm(x)), errors[0] * 1e-3)
    return Trace(errors, objectives, supports, sizes, floor, result)


def extremes(A: np.ndarray, order: int) -> tuple[float, float]:
    """Return the smallest and largest squared singular value over all sets of at most `order` columns.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The columns.
    order : int
        At least 1; at most N columns are in play.

    Returns
    -------
    smallest, largest : float
        From singular values of the triangular factor, so that an outcome does not repeat the hypotheses' way over the
        Gram matrix; beyond 20,000 sets the bounds of :func:`recovery.conditions.restricted_eigenvalues`.
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
    """Return whether a run without a rate ended at 0; ``unknown`` where it had not ended after its 40 steps."""
    reason = f"after {run.result.n_iter} steps {what} is {value:.3g}"
    if value <= floor:
        return Verdict("holds", 1.0, reason)
    return (
        Verdict("fails", -1.0, reason)
        if run.result.n_iter < STEPS
        else Verdict.unknown(reason + ", and it has not ended")
    )


def held_to(
    values: Sequence[float], bounds: Sequence[float], floor: float, what: str, done: float | None = None
) -> Verdict:
    """Return whether what a run went through stays below bounds.

    Parameters
    ----------
    values : sequence of float
        One for the start and one for each step; a run that ended stays where it is.
    bounds : sequence of float
        One for the start and one for each of the steps that are looked at.
    floor : float
        Bounds at or below this, and what follows them, are within rounding and not looked at.
    what : str
        What the values are.
    done : float, optional
        From the first step t >= 1 on whose bound is below this number the value must be 0 (below the floor).

    Returns
    -------
    Verdict
        Its margin is the smallest bound / value - 1.
    """
    worst, at, status = math.inf, 0, "holds"
    for t, bound in enumerate(bounds[1:], 1):
        if bound <= floor:
            break
        value = values[min(t, len(values) - 1)]
        if value <= floor:
            continue
        # what rounding does to an iterate is far below the floor
        sides = Bounded(bound, TOO_CLOSE * bound), Bounded(value, TOO_CLOSE * value + 1e-3 * floor)
        found = exceeds(*sides, what)
        if found.margin < worst:
            worst, at, status = found.margin, t, found.status
    reason = f"{what} is nearest to its bound after {at} steps"
    if status == "unknown":
        return Verdict.unknown(reason + "; too close for rounding", worst)
    if status == "fails":
        return Verdict("fails", worst, reason)
    if done is not None and done > 10.0 * floor:
        needed = next((t for t, bound in enumerate(bounds) if t > 0 and bound < done), None)
        if needed is not None and values[min(needed, len(values) - 1)] > floor:
            return Verdict("fails", -1.0, f"{what} is not 0 after {needed} steps")
    return Verdict("holds", worst, reason)
