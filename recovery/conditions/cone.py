"""The restricted eigenvalue of Bickel, Ritov and Tsybakov: the smallest curvature over a cone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_integer, check_number
from recovery.exact.intervals import Interval
from recovery.operators.columns import all_columns, check_support

__all__ = ["restricted_eigenvalue"]


def restricted_eigenvalue(
    A: Any, support: Any, *, cone: float = 3.0, starts: int = 20, max_iter: int = 200, rng: Any = 0
) -> Interval:
    """Return bounds on min |A v|^2 / (n |v|^2) over v != 0 with |v_{S^c}|_1 <= cone |v_S|_1.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, used unscaled; the search runs on the CPU.
    support : array of int, shape (k,)
        S, at least one index.
    cone : float, default 3.0
        Largest ratio of the l1 norm outside S to that inside S; at least 0.
    starts : int, default 20
        Random starts of the search, besides the eigenvectors of A'A and of A_S'A_S.
    max_iter : int, default 200
        Largest number of steps per start.
    rng : int, numpy.random.Generator or None, default 0
        Source of the random starts.

    Returns
    -------
    Interval
        Lower bound: the smallest eigenvalue of A'A / n, or 0 if there are more columns than rows (0 is certified, since
        no value is negative); for cone = 0 that of A_S'A_S / n. Upper bound: the value at the best vector of a local
        search, which is the witness, shape (N,), of unit norm. Both bounds include an estimate of rounding, (n + 8 N)
        eps |A|^2 / n.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, the support is empty or invalid, or another argument is out of range.

    Notes
    -----
    The minimum is a non-convex program, hard in general: for a hypothesis "at least kappa" only the lower bound is
    relevant. Each search step computes v - A'A v / |A|^2 and, if A'A is invertible, (A'A)^-1 v, projects both onto the
    part of the cone with the signs of v on S, and accepts the better one if it is an improvement. The witness lies in
    the cone up to rounding of its l1 norm.

    References
    ----------
    Bickel, Ritov and Tsybakov, Ann. Statist. 2009 (from memory of the literature; here with |v|^2 in the
    denominator instead of |v_S|^2, which gives the smaller number). Verified against a grid of directions by
    tests/recovery/test_conditions_cone.py.
    """
    columns = arrays.to_numpy(all_columns(A, proves=False))
    n, size = columns.shape
    chosen = check_support(support, size)
    if not chosen.size:
        raise ValueError("support is empty; expected at least one index: the cone of an empty support is {0}")
    cone = check_number(cone, "cone", minimum=0.0)
    starts, max_iter = check_integer(starts, "starts", minimum=0), check_integer(max_iter, "max_iter", minimum=0)
    # scaled so that squares and inverses neither under- nor overflow
    exponent = math.frexp(float(np.abs(columns).max()))[1]
    columns = np.ldexp(columns, -exponent)
    gram = columns.T @ columns / n
    spectrum, basis = np.linalg.eigh(gram)
    part = np.linalg.eigh(gram[np.ix_(chosen, chosen)])
    inside = np.zeros((size, chosen.size))
    inside[chosen] = part[1]
    slack = (n + 8 * size) * EPS * float(np.trace(gram))
    floor = float(part[0][0]) if cone == 0.0 else float(spectrum[0])
    lower = max(0.0, floor - slack)
    if (chosen.size if cone == 0.0 else size) > n:
        lower = 0.0
    drawn = arrays.generator(rng).standard_normal((size, starts))
    vectors = _into_cone(np.concatenate([inside, basis, drawn], axis=1), chosen, cone)
    values = _curvature(gram, vectors)
    inverse = (basis / spectrum) @ basis.T if spectrum[0] > slack else None
    for _ in range(max_iter):
        better = False
        proposals = [vectors - gram @ vectors / spectrum[-1]] if spectrum[-1] > 0 else []
        proposals += [inverse @ vectors] if inverse is not None else []
        for proposal in proposals:
            proposal = _into_cone(proposal, chosen, cone)
            found = _curvature(gram, proposal)
            improved = found < values * (1.0 - 1e-9)
            vectors, values = np.where(improved, proposal, vectors), np.where(improved, found, values)
            better = better or bool(improved.any())
        if not better:
            break
    best = int(np.argmin(values))
    upper = max(float(values[best]) + slack, lower)
    positive = upper > 0.0
    with np.errstate(over="ignore"):
        lower, upper = (float(np.ldexp(bound, 2 * exponent)) for bound in (lower, upper))
    if math.isinf(upper):
        raise ValueError("A has columns whose inner products overflow; expected columns of norm below 1e150")
    upper = max(upper, math.ulp(0.0)) if positive else upper  # a positive value that underflows is not 0
    return Interval(lower, upper, lower == 0.0, False, vectors[:, best])


def _curvature(gram: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return v'G v / |v|^2 of each column; infinity for zero columns."""
    squares = (vectors * vectors).sum(axis=0)
    return np.where(squares > 0, (vectors * (gram @ vectors)).sum(axis=0) / np.where(squares > 0, squares, 1.0), np.inf)


def _into_cone(vectors: np.ndarray, chosen: np.ndarray, cone: float) -> np.ndarray:
    """Project the columns onto the cone, keeping the signs on S, and scale them to unit norm.

    For fixed signs the cone is convex, |v_{S^c}|_1 <= cone sgn'v_S, and the projection moves v_{S^c} towards 0 by a
    threshold and v_S away from 0 by cone times the threshold, chosen such that equality holds.
    """
    outside = np.ones(vectors.shape[0], dtype=bool)
    outside[chosen] = False
    result = vectors.copy()
    rest, part = vectors[outside], vectors[chosen]
    radius = cone * np.abs(part).sum(axis=0)
    magnitude = np.abs(rest)
    if (magnitude.sum(axis=0) > radius).any():
        ranked = -np.sort(-magnitude, axis=0)
        weights = np.arange(1, rest.shape[0] + 1)[:, None] + cone * cone * chosen.size
        thresholds = np.maximum((np.cumsum(ranked, axis=0) - radius) / weights, 0.0)
        last = np.maximum((ranked > thresholds).sum(axis=0) - 1, 0)
        threshold = np.take_along_axis(thresholds, last[None], axis=0)[0]
        # a column inside the cone has threshold 0 and does not change
        threshold = np.where(magnitude.sum(axis=0) > radius, threshold, 0.0)
        result[outside] = np.sign(rest) * np.maximum(magnitude - threshold, 0.0)
        result[chosen] = part + np.where(part < 0, -cone, cone) * threshold
    lengths = np.sqrt((result * result).sum(axis=0))
    return result / np.where(lengths > 0, lengths, 1.0)
