"""Conditions for the Lasso solution to have a given support and signs: irrepresentability, primal-dual witness."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_array, check_number, check_same_rows
from planted.base.values import by_value
from recovery.operators.columns import Columns, check_signs, check_support, orthogonalise

__all__ = ["PrimalDualWitness", "irrepresentability", "primal_dual_witness"]


def irrepresentability(A: Any, support: Any, signs: Any) -> float:
    """Return the irrepresentable value |A_{S^c}' A_S (A_S'A_S)^-1 sgn|_inf.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, used unscaled.
    support : array of int, shape (k,)
        S, in any order.
    signs : array, shape (k,)
        1 or -1 for each entry of `support`, in the same order.

    Returns
    -------
    float
        0 if S is empty; ``inf`` if the columns of S are dependent up to rounding; else 0 if S contains all columns. The
        relative error is about n eps cond(A_S).

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, the support is invalid, or a sign is not 1 or -1.

    Notes
    -----
    If it is below 1, the Lasso recovers S and the signs from noiseless data for every small enough penalty; if it is
    above 1, for no penalty. The largest value over all signs is the exact recovery coefficient of the unscaled columns.
    Computed in float64 on the device of A.

    References
    ----------
    Zhao and Yu, "On model selection consistency of Lasso", JMLR 2006 (the definition is from memory of the
    literature; both directions are derived in docs/theory, "When the Lasso has a given support", and verified
    numerically by tests/recovery/test_conditions_lasso.py).
    """
    columns = Columns(A)
    xp, size = columns.xp, columns.shape[1]
    chosen = check_support(support, size)
    part = columns.pick(xp.asarray(chosen))
    signs = check_signs(signs, support, part)
    rest = np.setdiff1d(np.arange(size), chosen)
    if not chosen.size:
        return 0.0
    factors = orthogonalise(part)
    if factors is None:
        return math.inf
    if not rest.size:
        return 0.0
    Q, R = factors
    direction = (Q @ xp.linalg.solve(R.T, signs))[:, None]
    return max(float(xp.abs(part).max()) for part in columns.correlations(xp.asarray(rest), direction))


@by_value
@dataclass(frozen=True, eq=False)
class PrimalDualWitness:
    """Whether the Lasso solution has a given support and signs, with both margins.

    Parameters
    ----------
    primal_margin : float
        min over S of sgn_j w_j for the weights w_S implied by the signs; positive if they have these signs.
    dual_margin : float
        1 - max over j outside S of |z_j| for the dual vector z implied by them.
    primal_rounding, dual_rounding : float
        Estimated (not proved) rounding errors of the two margins.
    weights : array, shape (k,)
        w_S, in ascending order of the support.
    dual : array, shape (N,)
        z; equal to the signs on S.
    """

    primal_margin: float
    dual_margin: float
    primal_rounding: float
    dual_rounding: float
    weights: Any = field(repr=False, default=None)
    dual: Any = field(repr=False, default=None)

    @property
    def holds(self) -> bool | None:
        """Whether the Lasso solution has this support and these signs; None if a margin is 0 up to rounding."""
        if self.primal_margin < -self.primal_rounding or self.dual_margin < -self.dual_rounding:
            return False
        if self.primal_margin > self.primal_rounding and self.dual_margin > self.dual_rounding:
            return True
        return None


def primal_dual_witness(A: Any, y: Any, lam: float, support: Any, signs: Any) -> PrimalDualWitness:
    """Decide whether the Lasso solution with penalty `lam` has exactly the given support and signs.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, used unscaled, of any norm.
    y : array, shape (n,)
        Data, on the device of A; A x + noise if the truth is known.
    lam : float
        Penalty, positive.
    support : array of int, shape (k,)
        S, in any order.
    signs : array, shape (k,)
        1 or -1 for each entry of `support`, in the same order.

    Returns
    -------
    PrimalDualWitness
        Both margins, the weights and the dual vector. If the columns of S are dependent, both margins are ``-inf``,
        since no unique solution has this support. For an empty support the primal margin is ``inf``.

    Raises
    ------
    TypeError, ValueError
        If A or y is not finite, shapes or devices do not match, `lam` is not positive, or a sign is not 1 or -1.

    Notes
    -----
    The Lasso is min |y - A w|^2 / (2 n) + lam |w|_1. With G = A_S'A_S / n,

        w_S = G^-1 (A_S'y / n - lam sgn),      z = A'(A_S G^-1 sgn / n + (I - P_S) y / (n lam)).

    If both margins are positive, w is the unique solution. If one is negative, no solution has this support and these
    signs, since the optimality conditions determine w_S and z. For y = A_S w*_S + noise, w_S is w*_S + G^-1 (A_S'noise
    / n - lam sgn), and y may be replaced by the noise in z. Computed in float64 on the device of A, from A_S = Q R.

    References
    ----------
    Derived here: docs/theory, "When the Lasso has a given support"; verified against scikit-learn's solver by
    tests/recovery/test_conditions_lasso.py. The construction is that of Wainwright, IEEE Trans. Inf. Theory 2009 (from
    memory of the literature).
    """
    columns = Columns(A)
    y = check_array(y, "y", ndim=1, dtype=np.float64)
    check_same_rows(columns, "A", y, "y")
    xp = arrays.namespace(columns.pick(columns.xp.zeros(0, dtype="int64")), y)
    lam = check_number(lam, "lam")
    if lam <= 0.0:
        raise ValueError(f"lam={lam}; expected a positive penalty")
    n, size = columns.shape
    chosen = check_support(support, size)
    index = xp.asarray(chosen)
    part = columns.pick(index)
    signs = check_signs(signs, support, part)
    rest = xp.asarray(np.setdiff1d(np.arange(size), chosen))
    residual, push = y, xp.zeros(n)
    weights, growth = xp.zeros(0), 1.0
    if chosen.size:
        factors = orthogonalise(part)
        if factors is None:
            return PrimalDualWitness(-math.inf, -math.inf, 0.0, 0.0)
        Q, R = factors
        spread = xp.linalg.solve(R.T, signs)
        along = Q.T @ y
        weights = xp.linalg.solve(R, along - n * lam * spread)
        residual = y - Q @ along
        residual = residual - Q @ (Q.T @ residual)  # the second projection removes the rounding error of the first
        push = Q @ spread
        spectrum = xp.linalg.svd(R, compute_uv=False)
        growth = float(spectrum[0] / spectrum[-1])
        primal_size = float(xp.sqrt((along * along).sum()) + n * lam * xp.sqrt((spread * spread).sum()))
        primal_size /= float(spectrum[-1])
    dual = xp.zeros(size)
    dual[index] = signs
    primal, outside, dual_size = math.inf, 0.0, 0.0
    if chosen.size:
        primal = float((signs * weights).min())
    if rest.shape[0]:
        direction = (push + residual / (n * lam))[:, None]
        dual[rest] = xp.concatenate([inner[:, 0] for inner in columns.correlations(rest, direction)])
        outside = float(xp.abs(dual[rest]).max())
        norms = columns.lengths(rest)
        length = xp.sqrt((push * push).sum()) + xp.sqrt((y * y).sum()) / (n * lam)
        dual_size = float(norms.max() * length)
    unit = EPS * math.sqrt(n) * growth
    return PrimalDualWitness(
        primal, 1.0 - outside, 8 * unit * primal_size if chosen.size else 0.0, 8 * unit * dual_size, weights, dual
    )
