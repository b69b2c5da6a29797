"""Decide whether l1 minimisation recovers all vectors with a given support and signs, by a dual or a null vector."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.values import by_value
from recovery.operators.columns import all_columns, check_signs, check_support, orthogonalise

__all__ = ["DualVector", "dual_certificate"]

MARGIN = 1e-9
"""Margin below 1 that the dual vector should have off the support before it is made exact."""


@by_value
@dataclass(frozen=True, eq=False)
class DualVector:
    """Whether every x with a given support and signs is the unique minimiser of |x|_1 given A x.

    Parameters
    ----------
    unique : bool or None
        True and False are proved in exact arithmetic; None if the coefficient is too close to 1 to decide.
    coefficient : float
        Minimum over q with A_S'q = signs of the maximum of |a_j'q| over j off S, computed in floating point. If the
        columns of S are independent, it is below 1 if and only if the minimiser is unique; ``inf`` if no q satisfies
        the equations.
    minimum_norm : float
        The same for the q of minimal norm, A_S (A_S'A_S)^-1 signs, which the neural isometry and irrepresentability
        conditions use; ``inf`` if the columns of S are dependent up to rounding.
    q : numpy.ndarray of float64, shape (n,), or None
        The dual vector, rounded, if uniqueness is proved.
    null_vector : numpy.ndarray of float64, shape (N,), or None
        z != 0 with A z = 0 and signs'z_S >= |z_off|_1, rounded, if uniqueness is refuted.
    certificate : recovery.certificates.Certificate or None
        Of kind ``"l1-dual"``, if unique.
    """

    unique: bool | None
    coefficient: float
    minimum_norm: float
    q: np.ndarray | None = field(default=None, repr=False)
    null_vector: np.ndarray | None = field(default=None, repr=False)
    certificate: Any = field(default=None, repr=False)


def dual_certificate(A: Any, support: Any, signs: Any) -> DualVector:
    """Decide whether l1 minimisation recovers every x with a given support and signs from A x.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, used unscaled. The computation runs on the CPU.
    support : array of int, shape (k,)
        S, in any order; it may be empty.
    signs : array, shape (k,)
        1 or -1, in the order of `support`.

    Returns
    -------
    DualVector
        ``.unique`` is proved either way, or None; ``.certificate`` can be saved and rechecked.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, or support and signs are invalid.

    Notes
    -----
    x with sgn x_S = e is the unique minimiser of |x|_1 over A x = y if and only if A_S has independent columns and some
    q satisfies A_S'q = e and |a_j'q| < 1 off S. The q that minimises max |a_j'q| solves a linear program; the q of
    minimal norm is tried first. The minimiser is not unique if and only if some z != 0 has A z = 0 and e'z_S >=
    |z_off|_1. Floating-point solutions of either problem are made exact and then compared exactly.

    References
    ----------
    Fuchs 2004 and Tropp 2005 (from memory of the literature; proved in docs/theory, "When minimal l1 norm
    recovers one sign pattern", and verified numerically by tests/recovery/test_dual_certificate.py).

    Examples
    --------
    >>> import numpy as np
    >>> found = dual_certificate(np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.25]]), [0], [1])
    >>> found.unique, found.certificate.check().valid
    (True, True)
    """
    from recovery.certificates.dual import dual_vector_certificate

    original = all_columns(A)
    chosen = check_support(support, original.shape[1])
    wanted = arrays.to_numpy(check_signs(signs, support, original))
    columns = np.ascontiguousarray(arrays.to_numpy(original))
    exponent = int(np.frexp(np.abs(columns).max())[1])
    level = np.ldexp(columns, -exponent)  # so that no square overflows
    factors = orthogonalise(level[:, chosen]) if chosen.size else None
    least = np.zeros(columns.shape[0])
    if factors is not None:
        Q, R = factors
        least = _through(Q, R, wanted)
    outside = np.setdiff1d(np.arange(columns.shape[1]), chosen)
    dependent = bool(chosen.size) and factors is None
    minimum_norm = math.inf if dependent else _largest(level[:, outside], least)
    with np.errstate(over="ignore"):
        least = np.ldexp(least, -exponent)
    coefficient, q, z = _program(columns, chosen, outside, wanted)
    # the linear program's solution has the larger margin, but in a tie the minimum-norm one is closer to short numbers
    proposals = [least, q] if minimum_norm <= coefficient + MARGIN else [q, least]
    integers = [int(one) for one in wanted]
    for proposal in proposals:
        if proposal is None or not _largest(columns[:, outside], proposal) < 1.0:
            continue
        found = dual_vector_certificate(columns, chosen, integers, proposal)
        if found is not None:
            return DualVector(True, coefficient, minimum_norm, proposal, None, found)
    against = _refutation(columns, chosen, outside, integers, z)
    if against is None and dependent:
        against = _dependence(columns, chosen, wanted)
    return DualVector(None if against is None else False, coefficient, minimum_norm, None, against)


def _through(Q: np.ndarray, R: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return Q R'^-1 wanted; not finite on overflow, as may happen for columns of very different sizes."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(Q @ np.linalg.solve(R.T, wanted))
    except np.linalg.LinAlgError:  # the columns are independent, but a pivot underflows
        return np.full(len(Q), math.nan)


def _largest(columns: np.ndarray, q: np.ndarray) -> float:
    """Return max |a_j'q|; infinite if q or a product is not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(np.abs(columns.T @ q).max(initial=0.0))
    return found if np.isfinite(q).all() and not math.isnan(found) else math.inf


def _program(
    A: np.ndarray, chosen: np.ndarray, outside: np.ndarray, wanted: np.ndarray
) -> tuple[float, np.ndarray | None, np.ndarray]:
    """Return the minimum of max |a_j'q| off S with A_S'q = signs, a minimising q, and z with the largest e'z_S.

    Solved as max e'z_S over A z = 0, |z_off|_1 <= 1, whose multipliers are q; it is unbounded if no q satisfies the
    equations.
    """
    from scipy.optimize import linprog

    size = A.shape[1]
    scale = np.abs(A).max(axis=1)
    scale[scale == 0.0] = 1.0
    rows = A / scale[:, None]
    cost = np.zeros(2 * size)
    cost[chosen], cost[size + chosen] = -wanted, wanted
    off = np.zeros(2 * size)
    off[outside] = off[size + outside] = 1.0
    found = linprog(
        cost, A_ub=off[None, :], b_ub=[1.0], A_eq=np.hstack([rows, -rows]), b_eq=np.zeros(len(rows)), method="highs"
    )
    if found.x is not None:
        with np.errstate(over="ignore"):
            q = -found.eqlin.marginals / scale
        return max(0.0, -float(found.fun or 0.0)), q, found.x[:size] - found.x[size:]
    return math.inf, None, np.zeros(size)  # then the columns of S are dependent


def _refutation(
    A: np.ndarray, chosen: np.ndarray, outside: np.ndarray, signs: list[int], near: np.ndarray
) -> np.ndarray | None:
    """Return z != 0, rounded, for which A z = 0 and e'z_S >= |z_off|_1 were verified exactly, or None."""
    from recovery.exact.rational import null_vector

    if not np.any(near):
        return None
    exact = null_vector(A, near)
    if exact is None:
        return None
    gain = sum(sign * exact[i] for sign, i in zip(signs, chosen, strict=True))
    if abs(gain) < sum(abs(exact[j]) for j in outside):  # -z is a null vector too
        return None
    largest = max(map(abs, exact))
    return np.array([(1.0 if gain >= 0 else -1.0) * (one / largest) for one in exact])


def _dependence(A: np.ndarray, chosen: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
    """Return z != 0, rounded, on S with A z = 0 exactly and e'z >= 0, or None."""
    from recovery.exact.rational import null_vector

    exact = null_vector(A[:, chosen], np.ones(chosen.size))
    if exact is None:
        return None
    largest = max(map(abs, exact))
    z = np.zeros(A.shape[1])
    z[chosen] = [one / largest for one in exact]
    return z if sum(int(sign) * one for sign, one in zip(wanted, exact, strict=True)) >= 0 else -z
