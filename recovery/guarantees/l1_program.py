"""Basis pursuit as a conclusion: the program is solved and compared with the planted vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recovery.guarantees.base import Verdict
from recovery.guarantees.bounded import norm
from recovery.instances import Instance

__all__ = ["Comparison", "compare", "descent", "recovers"]

EPS = float(np.finfo(np.float64).eps)
TOLERANCE = 1e-9
"""Relative: entries that agree to it are equal, and l1 norms that differ by less are not told apart."""
DOUBT = 1e-7
"""Margins smaller than this are within what the linear programs' own tolerances decide."""
_SHORTEST = 1e-8
"""Columns are at least this share of the longest, or 0: beside others the programs' tolerances are larger than they."""
_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Comparison:
    """What basis pursuit returned, beside the planted vector.

    Parameters
    ----------
    z : numpy.ndarray, shape (N,), or None
        A minimiser of |D z|_1 subject to A z = A x, D = diag(weights); None where the program was not solved.
    distance : float
        max |z - x| / max |x|, in the units of the weights.
    gain : float
        1 - |D z|_1 / |D x|_1: positive where z is better than the planted vector.
    reason : str
        What the solver said.
    """

    z: np.ndarray | None
    distance: float
    gain: float
    reason: str


def _null_basis(A: np.ndarray) -> np.ndarray | None:
    """Return an orthonormal basis of the null space, shape (N, N - rank); None where the rank is not clear.

    Columns of very different norms are not: what is small beside the largest singular value may be a short column.
    """
    lengths = norm(A, 0).value
    if np.any(lengths[lengths > 0.0] < _SHORTEST * lengths.max(initial=0.0)):
        return None
    # all of V, but never all of U, which has n^2 entries
    _, spectrum, Vt = np.linalg.svd(np.linalg.qr(A, mode="r") if A.shape[0] > A.shape[1] else A)
    top = float(spectrum[0]) if spectrum.size else 0.0
    floor = 64.0 * max(A.shape) * EPS * top
    if np.any((spectrum > floor) & (spectrum < 1e4 * floor)):
        return None
    return np.asarray(Vt[int(np.count_nonzero(spectrum > floor)) :].T)


def compare(A: np.ndarray, x: np.ndarray, weights: np.ndarray | None = None) -> Comparison:
    """Minimise |D z|_1 subject to A z = A x and compare the solution with x.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The columns, on the CPU.
    x : numpy.ndarray, shape (N,)
        Planted vector, not 0.
    weights : numpy.ndarray, shape (N,), optional
        Diagonal of D, positive; ones by default. The norms of the columns give basis pursuit on unit columns.

    Returns
    -------
    Comparison
        The program is solved over z = x + Z c, with Z a basis of the null space, so that A z = A x up to rounding
        whatever the condition number of A.
    """
    scale = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    Z = _null_basis(A / scale)
    if Z is None:
        return Comparison(
            None, math.nan, math.nan, "the rank of A is not clear, or its columns differ too much in norm"
        )
    target = scale * x / float(np.abs(scale * x).max())
    size, free = Z.shape
    if free == 0:
        return Comparison(x.copy(), 0.0, 0.0, "the columns are independent")
    # min 1't subject to -t <= target + Z c <= t
    cost = np.concatenate([np.zeros(free), np.ones(size)])
    eye = np.eye(size)
    rows, right = np.block([[Z, -eye], [-Z, -eye]]), np.concatenate([-target, target])
    found = _minimum(cost, rows, right, free)
    if found.status != 0:
        return Comparison(None, math.nan, math.nan, f"the program was not solved: {found.message}")
    z = _vertex(Z, target + Z @ found.x[:free], target)
    distance = float(np.abs(z - target).max())
    gain = 1.0 - float(np.abs(z).sum()) / float(np.abs(target).sum())
    return Comparison(z / scale * float(np.abs(scale * x).max()), distance, gain, "solved")


def _minimum(cost: np.ndarray, rows: np.ndarray, right: np.ndarray, free: int) -> Any:
    """Minimise cost'v subject to rows v <= right, all entries but the first `free` not negative."""
    from scipy.optimize import linprog

    bounds = [(None, None)] * free + [(0.0, None)] * (len(cost) - free)
    solver: Any = linprog
    return solver(cost, rows, right, bounds=bounds, options=_OPTIONS)


def _vertex(Z: np.ndarray, z: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the solution with its zeros made exact: c solves target + Z c = 0 on them."""
    zeros = np.abs(z) <= 1e-7
    if not zeros.any():
        return z
    c = np.linalg.lstsq(Z[zeros], -target[zeros], rcond=None)[0]
    better = target + Z @ c
    good = np.abs(better - z).max() <= 1e-6 and np.abs(better).sum() <= np.abs(z).sum() + 1e-9
    return better if good else z


def descent(A: np.ndarray, support: np.ndarray, signs: np.ndarray) -> float:
    """Return how much a null vector can lower the l1 norm on S for each unit that it adds outside.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The columns as they are, on the CPU.
    support : numpy.ndarray of int, shape (k,)
        S.
    signs : numpy.ndarray, shape (k,)
        Signs of the planted vector on S.

    Returns
    -------
    float
        rho = max -sgn'z_S subject to A z = 0, |z_{S^c}|_1 <= 1; ``inf`` where a null vector of S lowers it for nothing,
        NaN where the program was not solved.

    Notes
    -----
    Every x with this support and these signs is the unique minimiser of |z|_1 subject to A z = A x if and only if rho <
    1 and the columns of S are independent: near x the norm of x + e z is |x|_1 + e (sgn'z_S + |z_{S^c}|_1), and it is
    convex. This is the primal side of the dual certificate, which is found from A'q instead.
    """
    Z = _null_basis(A)
    if Z is None:
        return math.nan
    free = Z.shape[1]
    rest = np.setdiff1d(np.arange(A.shape[1]), support)
    if free == 0:
        return 0.0
    cost = np.concatenate([signs @ Z[support], np.zeros(len(rest))])
    eye = np.eye(len(rest))
    rows = np.block([[Z[rest], -eye], [-Z[rest], -eye], [np.zeros((1, free)), np.ones((1, len(rest)))]])
    right = np.concatenate([np.zeros(2 * len(rest)), [1.0]])
    found = _minimum(cost, rows, right, free)
    if found.status in (3, 4):
        return math.inf
    return -float(found.fun) if found.status == 0 else math.nan


def recovers(*, normalise: bool = True) -> Callable[[Instance], Verdict]:
    """Return the outcome "x is the only minimiser of |z|_1 subject to A z = y", columns of unit norm if asked for.

    Parameters
    ----------
    normalise : bool, default True
        Count entries in units of normalised columns, as ``recovery.solve(..., solver="l1")`` does by default.

    Returns
    -------
    callable
        Instance -> Verdict. It fails where the program found a z with a smaller norm, and holds where it returned x to
        1e-9 and no null vector lowers the norm. The margin is 1 / rho - 1 where x was returned (see
        :func:`descent`), else minus the share of the norm that is saved.
    """

    def outcome(instance: Instance) -> Verdict:
        S, A = instance.support, instance.matrix
        if not len(S):
            return Verdict.of(True, "x = 0: 0 is the only minimiser")
        weights: Any = None
        if normalise:
            weights = norm(A, 0).value
            if not np.all(weights > 0.0):
                return Verdict.unknown("a column is 0")
        found = compare(A, instance.x, weights)
        if found.z is None:
            return Verdict.unknown(found.reason)
        if found.gain > TOLERANCE:
            return Verdict("fails", -found.gain, f"the minimiser is {found.gain:.3g} shorter than x, relative")
        unit = A if weights is None else A / weights
        rho = descent(unit, S, np.sign(instance.x[S]))
        margin = 1.0 / rho - 1.0 if rho > 0.0 else math.inf
        reason = f"the minimiser is x up to {found.distance:.3g}; a null vector lowers its norm by {rho:.6g} a unit"
        if found.distance > TOLERANCE or math.isnan(margin) or margin < DOUBT:
            return Verdict.unknown(reason, margin)
        return Verdict("holds", margin, reason)

    return outcome
