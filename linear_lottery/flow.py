"""Gradient flow of linear least squares under a mask, in closed form, without steps or a step size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_mask, check_number, check_same_rows
from recovery.operators.ranks import nearest_solution, rank, triangle

__all__ = ["gradient_flow"]

_SATURATED = 30.0
"""exp(-30^2) is far below one unit in the last place of 1: larger values of sqrt(lambda t) make no difference."""

_LINEAR = 1e-9
"""For smaller x, 1 - exp(-x^2) equals x^2 to the last bit."""


def gradient_flow(X: Any, y: Any, w0: Any, flow_time: float = math.inf, mask: Any = None) -> Any:
    """Train linear weights by gradient flow for `flow_time`, from `w0`, under a mask.

    Parameters
    ----------
    X : array, shape (n, d), float64 or float32
        Features, one sample per row.
    y : array, shape (n,)
        Targets.
    w0 : array, shape (d,)
        Weights at time 0. Those outside the mask count as 0.
    flow_time : float, default inf
        Training time, at least 0; ``inf`` trains to convergence.
    mask : array, shape (d,), bool or of zeros and ones, optional
        Weights to train; the others are kept at 0. All by default.

    Returns
    -------
    array, shape (d,)
        The weights at time `flow_time`, on the device of `X`; exactly 0 outside the mask. float32 if all arrays are;
        everything is computed in float64, so float32 only adds the rounding of inputs and outputs.

    Raises
    ------
    TypeError
        If an argument is not an array of real numbers or `flow_time` not a number, or if devices are mixed.
    ValueError
        If shapes do not match, an element is NaN or infinite, `flow_time` is negative or NaN, or `mask` contains values
        other than 0 and 1.

    Notes
    -----
    The loss is L(w) = |X w - y|^2 / (2 n), and with M the mask only w_M changes: dw_M/dt = -X_M' (X_M w_M - y) / n.
    With the singular value decomposition X_M = U S V', lambda_i = s_i^2 / n, and c_i = v_i . w0_M,

        w_M(t) = w0_M + sum_i (1 - exp(-lambda_i t)) (u_i . y / s_i - c_i) v_i,

    summed over s_i > 0. For t = `flow_time` to infinity this is w0_M + X_M^+ (y - X_M w0_M), the least-squares solution
    nearest to `w0`: the part of w0_M in the null space of X_M does not change, so this is the minimum-norm solution
    only if that part is 0. 1 - exp is computed by ``expm1``, so it is accurate for short times.

    The number of modes treated as exact zeros, which never change, is the rank deficiency of X_M with columns (rows, if
    there are fewer) of norm 1: singular values up to sqrt(m) (eps + 16 eps(float64)) count as 0, with eps that of the
    data's dtype (:func:`recovery.operators.ranks.rank_tolerance`). Neither n nor the unit of a feature affects this. As
    t tends to infinity the solution is also computed from columns of norm 1; at a finite time t the error in a mode is
    about eps(float64) s_1 / s_i relative to the weights. Cost: one triangular factor of X_M, O(n m min(n, m)) for m
    weights in M, and a few decompositions of it; on a GPU a few synchronisations besides those of the checks.

    References
    ----------
    Derived here: docs/theory, "Gradient flow in a linear model"; checked against an integrator, against
    matrix exponentials with 60 digits and against gradient descent in tests/linear_lottery/test_flow.py.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), np.array([3.0, 4.0])
    >>> gradient_flow(X, y, np.ones(3))
    array([3., 2., 1.])
    >>> gradient_flow(X, y, np.ones(3), mask=[True, False, True])
    array([3., 0., 1.])
    """
    X = check_array(X, "X", ndim=2)
    y = check_array(y, "y", ndim=1)
    check_same_rows(X, "X", y, "y")
    w0 = check_array(w0, "w0", ndim=1, shape=(X.shape[1],))
    flow_time = check_number(flow_time, "flow_time", minimum=0, finite=False)
    xp = arrays.namespace(X, y, w0)
    active = None if mask is None else _active(X, mask)
    dtype = np.result_type(X.dtype, y.dtype, w0.dtype)
    n = int(X.shape[0])
    if active is not None:
        X, start = X[:, active], w0[active]
    else:
        start = w0
    weights = xp.zeros(w0.shape, dtype=dtype)
    if start.shape[0]:
        X, y = reduced(xp, X, y)
        found = trained(X, y, start.astype(np.float64), flow_time, n, dtype)[0].astype(dtype)
        if active is None:
            return found
        weights[active] = found
    return weights


def reduced(xp: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Return X and y in float64, or, for n > d, a triangular factor R and Q'y that give the same training."""
    n, d = X.shape
    if n <= d:
        return X.astype(np.float64), y.astype(np.float64)
    T = triangle(xp, X, y)
    return T[:d, :d], T[:d, d]


def _active(X: Any, mask: Any) -> Any:
    """Return the positions of the weights in the mask, shape (m,)."""
    mask = check_mask(mask, "mask", int(X.shape[1]))
    return arrays.namespace(X, mask).nonzero(mask)[0]


def trained(X: Any, y: Any, w0: Any, t: float, n: int, dtype: Any) -> tuple[Any, Any]:
    """Return the weights at time `t` when all of them are trained, without checks, in float64.

    X and y are the data of n samples, given in `dtype`, or a triangular factor with the same Gram matrix and X'y. The
    second result, shape (m,), is the sensitivity of each weight to y: the row norms of the matrix that maps y to the
    weights. For t to infinity it is the pseudo-inverse of X.
    """
    xp = arrays.namespace(X, y, w0)
    if math.isinf(t):
        return nearest_solution(xp, X, y, w0, dtype)
    if X.shape[0] > X.shape[1]:
        T, m = triangle(xp, X, y), X.shape[1]
        X, y = T[:m, :m], T[:m, m]
    U, s, Vt = xp.linalg.svd(X, full_matrices=False)
    moving = xp.arange(s.shape[0]) < rank(X, dtype)
    divisor = xp.where(moving, s, xp.ones_like(s))
    # root^2 = lambda t; squared only here, so that no tiny or huge X under- or overflows
    root_t = math.sqrt(t) / math.sqrt(n)
    root = root_t * xp.minimum(s, _SATURATED / root_t if root_t else math.inf)
    moved = xp.where(moving, -xp.expm1(-root * root), 0.0)
    if bool(xp.where(moving, root, _SATURATED).min() >= _SATURATED):  # all moving modes have converged
        return nearest_solution(xp, X, y, w0, dtype)
    # root^2 / s is root_t root, even if root^2 underflows
    gain = xp.where(moving & (root < _LINEAR), root_t * root, moved / divisor)
    moved = xp.where(moving, moved, 0.0)
    rows = Vt.T * gain
    return w0 + ((U.T @ y) * gain - (Vt @ w0) * moved) @ Vt, xp.sqrt((rows * rows).sum(axis=1))
