"""The order of weights: the time after which it is settled, and its limit for infinitely many samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from linear_lottery.closed_forms.arguments import mask_of, matrix, numbers, scalar_or_array, vector
from linear_lottery.flow import gradient_flow
from planted.base.checks import check_number
from recovery.operators.ranks import rank

__all__ = ["equicorrelated_weights", "population_weights", "ranking_time", "settling_time"]


def ranking_time(c_i: Any, c_j: Any, w0_i: Any, w0_j: Any, eigenvalue: Any = 1.0) -> Any:
    """Return the time after which two weights of an orthogonal design are ranked like their limits (D2).

    Parameters
    ----------
    c_i, c_j : float or array
        The limits, c_j = <x_j, y> / |x_j|^2.
    w0_i, w0_j : float or array
        The initial weights.
    eigenvalue : float or array, default 1
        lambda, the common eigenvalue of X'X / n: |x_j|^2 / n.

    Returns
    -------
    float or numpy.ndarray
        Time, in the units of ``flow_time`` in ``gradient_flow``. For every larger t the magnitudes of the two weights
        are ordered like their limits. Infinite if |c_i| = |c_j|.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a number or `eigenvalue` is not positive.

    Notes
    -----
    log(1 + (|w0_i| + |w0_j|) / ||c_i| - |c_j||) / lambda. It is attained for the worst signs (the weight with the
    larger limit starts on the other side of 0), so it is the smallest time that depends only on magnitudes.

    References
    ----------
    Derived here: docs/theory, "Training time until two weights are ranked".
    """
    c_i, c_j = numbers(c_i, "c_i"), numbers(c_j, "c_j")
    start = np.abs(numbers(w0_i, "w0_i")) + np.abs(numbers(w0_j, "w0_j"))
    rate = numbers(eigenvalue, "eigenvalue", above=0.0)
    start, gap, rate = np.broadcast_arrays(start, np.abs(np.abs(c_i) - np.abs(c_j)), rate)
    ratio = np.full(gap.shape, math.inf)
    np.divide(start, gap, out=ratio, where=gap > 0)
    return scalar_or_array(np.log1p(ratio) / rate)


def settling_time(X: Any, y: Any, w0: Any, mask: Any = None) -> float:
    """Return a time after which the weight to be pruned is the one pruned after training to convergence (D2).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    y : array, shape (n,)
        Targets.
    w0 : array, shape (d,)
        Start.
    mask : array, shape (d,), optional
        Weights to train; all by default.

    Returns
    -------
    float
        Time: argmin |w_j(t)| = argmin |w_j(inf)| over the mask for all larger t. 0 if a single weight is left,
        infinite if the two smallest limits are equal. This time is sufficient, not necessary.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match, or the mask is empty.

    Notes
    -----
    log(sqrt(2) |w0_M - w_M(inf)| / gap) / lam, at least 0, with lam the smallest non-zero eigenvalue of X_M'X_M / n
    and gap the difference of the two smallest |w_j(inf)|. The error |w(t) - w(inf)| decreases at least like exp(-lam
    t), and the magnitudes of two coordinates of a vector sum to at most sqrt(2) times its length.

    References
    ----------
    Derived here: docs/theory, "Training time until two weights are ranked".
    """
    X = matrix(X)
    y, w0, M = vector(y, "y", X.shape[0]), vector(w0, "w0", X.shape[1]), mask_of(mask, "mask", X.shape[1])
    if not M.any():
        raise ValueError("mask is empty; expected at least one weight to train")
    limit = gradient_flow(X, y, w0, mask=M)[M]
    if limit.size == 1:
        return 0.0
    smallest = np.sort(np.abs(limit))[:2]
    gap, distance = float(smallest[1] - smallest[0]), float(np.linalg.norm(w0[M] - limit))
    if distance == 0:
        return 0.0
    if gap == 0:
        return math.inf
    slowest = float(np.linalg.svd(X[:, M], compute_uv=False)[rank(X[:, M]) - 1])
    return max(0.0, math.log(math.sqrt(2) * distance / gap) / (slowest**2 / X.shape[0]))


def population_weights(covariance: Any, c: Any, mask: Any = None) -> np.ndarray:
    """Return the limit of training on infinitely many samples (D4).

    Parameters
    ----------
    covariance : array, shape (d, d)
        Sigma = E[x x'], symmetric and positive definite on the mask; copied to the CPU.
    c : array, shape (d,)
        E[x y].
    mask : array, shape (d,), optional
        Weights to train; all by default.

    Returns
    -------
    numpy.ndarray, shape (d,), float64
        Sigma_MM^-1 c_M on the mask, exactly 0 outside.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match, or Sigma is not symmetric, or not positive definite on the mask.

    References
    ----------
    Derived here: docs/theory, "The limit of infinite data".
    """
    sigma = matrix(covariance, "covariance")
    c, d = vector(c, "c", sigma.shape[0]), sigma.shape[0]
    if sigma.shape != (d, d) or not np.allclose(sigma, sigma.T, rtol=1e-12, atol=0):
        raise ValueError(f"covariance of shape {sigma.shape} is not symmetric; expected E[x x']")
    M, found = mask_of(mask, "mask", d), np.zeros(d)
    if M.any():
        try:
            np.linalg.cholesky(sigma[np.ix_(M, M)])
        except np.linalg.LinAlgError as error:
            raise ValueError(
                "covariance is not positive definite on the mask; expected a positive definite matrix"
            ) from error
        found[M] = np.linalg.solve(sigma[np.ix_(M, M)], c[M])
    return found


def equicorrelated_weights(rho: float, c: Any, mask: Any = None) -> np.ndarray:
    """Return :func:`population_weights` for unit variances and equal correlations, in closed form (D4).

    Parameters
    ----------
    rho : float
        Correlation of any two features, above -1 / (m - 1) for m trained weights and below 1.
    c : array, shape (d,)
        E[x y], copied to the CPU.
    mask : array, shape (d,), optional
        Weights to train; all by default.

    Returns
    -------
    numpy.ndarray, shape (d,), float64
        (c_j - rho C_M / (1 - rho + rho m)) / (1 - rho) on the mask, C_M the sum of c over it; exactly 0 outside.

    Raises
    ------
    TypeError, ValueError
        If `rho` is out of range or shapes do not match.

    Notes
    -----
    IMP prunes in the order of |c_j - constant|, not of |c_j|: with correlated features, the feature with the smallest
    projection onto the data need not be pruned first.

    References
    ----------
    Derived here: docs/theory, "The limit of infinite data".
    """
    rho = check_number(rho, "rho")
    c = numbers(c, "c")
    c = vector(c, "c", c.size)
    M = mask_of(mask, "mask", c.size)
    m, found = int(M.sum()), np.zeros(c.size)
    if not (rho < 1 and 1 - rho + rho * m > 0):
        raise ValueError(
            f"rho={rho} gives no valid covariance of {m} features; expected above -1 / (m - 1) and below 1"
        )
    found[M] = (c[M] - rho * c[M].sum() / (1 - rho + rho * m)) / (1 - rho)
    return found
