"""The cost of pruning: exact increases of the residual, bounds on them, and when IMP equals Optimal Brain Surgeon."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from linear_lottery.closed_forms.arguments import (
    independent,
    mask_of,
    matrix,
    of_unit_size,
    places,
    project,
    smallest_singular_value,
    vector,
)
from planted.base.checks import check_integer, check_number

__all__ = ["obs_saliency", "prunes_like_obs", "rss_bounds", "rss_increase", "threshold_loss_increase"]


def rss_increase(X: Any, w: Any, removed: Any, mask: Any = None) -> float:
    """Return the increase of the residual sum of squares when weights are pruned and the rest is retrained (D12).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    w : array, shape (d,)
        A least-squares solution on the mask; only the removed weights are used.
    removed : array of int
        R, the weights to remove; all within the mask.
    mask : array, shape (d,), optional
        M, the weights of the solution; all by default.

    Returns
    -------
    float
        RSS of M without R minus RSS of M, RSS = |y - X w|^2.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match or `removed` is not within the mask.

    Notes
    -----
    |(I - P) X_R w_R|^2 with P the projection onto the remaining columns. With full column rank this is w_R' [Sg_RR]^-1
    w_R, Sg = (X_M'X_M)^-1, and for a single weight OBS' saliency w_j^2 / Sg_jj; the formula with the projection also
    holds without full rank, for every least-squares solution.

    References
    ----------
    Derived here: docs/theory, "Increase of the residual by pruning".
    """
    X, moved, stay, _ = _removal(X, w, removed, mask)
    rest = moved - project(X[:, stay], moved)
    return float(rest @ rest)


def rss_bounds(X: Any, w: Any, removed: Any, mask: Any = None) -> tuple[float, float, float]:
    """Return three increasingly cheap bounds on :func:`rss_increase` (D12).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    w : array, shape (d,)
        A least-squares solution on the mask.
    removed : array of int
        R, the weights to remove.
    mask : array, shape (d,), optional
        M, the weights of the solution; all by default.

    Returns
    -------
    lower, without_retraining, upper : float
        sigma_min(X_M)^2 |w_R|^2 <= increase <= |X_R w_R|^2 <= sigma_max(X_M)^2 |w_R|^2. The second is the increase
        without retraining. sigma_min counts as 0 without full column rank.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match or `removed` is not within the mask.

    References
    ----------
    Derived here: docs/theory, "Increase of the residual by pruning".
    """
    X, moved, stay, gone = _removal(X, w, removed, mask)
    length = float(vector(w, "w", X.shape[1])[gone] @ vector(w, "w", X.shape[1])[gone])
    if not gone.any():
        return 0.0, 0.0, 0.0
    part = X[:, stay | gone]
    low, high = smallest_singular_value(part), float(np.linalg.norm(part, 2))
    return low**2 * length, float(moved @ moved), high**2 * length


def obs_saliency(X: Any, w: Any, mask: Any = None) -> np.ndarray:
    """Return the increase of the residual sum of squares caused by pruning each single weight (D12).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU; the columns of the mask must be independent.
    w : array, shape (d,)
        The least-squares solution on the mask.
    mask : array, shape (d,), optional
        M; all by default.

    Returns
    -------
    numpy.ndarray, shape (d,), float64
        w_j^2 / Sg_jj on the mask, Sg = (X_M'X_M)^-1; infinite outside the mask.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match or X_M lacks full column rank.

    References
    ----------
    Hassibi and Stork 1993 (from memory of the literature), derived here:
    docs/theory, "Increase of the residual by pruning".
    """
    X = matrix(X)
    w, M = vector(w, "w", X.shape[1]), mask_of(mask, "mask", X.shape[1])
    found = np.full(X.shape[1], math.inf)
    if M.any():
        inverse = np.linalg.solve(np.linalg.qr(independent(X[:, M], "X on the mask"), mode="r"), np.eye(int(M.sum())))
        found[M] = w[M] ** 2 / np.sum(inverse**2, axis=1)
    return found


def threshold_loss_increase(X: Any, tau: float, n_pruned: int) -> float:
    """Return a bound on the increase of the training error over a whole run of threshold pruning (D12).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    tau : float
        The threshold, at least 0.
    n_pruned : int
        d - m, the total number of pruned weights.

    Returns
    -------
    float
        lam_max(X'X / n) tau^2 (d - m), in units of the mean squared error |y - X w|^2 / n.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    References
    ----------
    Derived here: docs/theory, "Increase of the residual by pruning".
    """
    X = matrix(X)
    tau, gone = (
        check_number(tau, "tau", minimum=0.0),
        check_integer(n_pruned, "n_pruned", minimum=0, maximum=X.shape[1]),
    )
    return float(np.linalg.norm(X, 2)) ** 2 / X.shape[0] * tau**2 * gone


def prunes_like_obs(X: Any, *, rtol: float = 1e-10) -> bool:
    """Return whether one-by-one IMP prunes like Optimal Brain Surgeon (backward elimination) for every y (E7).

    Parameters
    ----------
    X : array, shape (n, d)
        Features of full column rank, copied to the CPU.
    rtol : float, default 1e-10
        Tolerance for equality, relative to the largest squared norm.

    Returns
    -------
    bool
        True if all columns have the same norm and all pairs the same scalar product, up to the signs of columns.

    Raises
    ------
    TypeError, ValueError
        If X lacks full column rank or `rtol` is negative.

    Notes
    -----
    The two agree for every y if and only if diag((X_M'X_M)^-1) is constant for every set M of at least two columns,
    which holds if and only if all norms are equal and there are signs e_i such that e_i e_j <x_i, x_j> is the same for
    all pairs. So one Gram matrix is enough, instead of 2^d inverses.

    References
    ----------
    Derived here: docs/theory, "When IMP equals Optimal Brain Surgeon".
    """
    X = of_unit_size(independent(matrix(X), "X"))
    gram, d = X.T @ X, X.shape[1]
    allowed = check_number(rtol, "rtol", minimum=0.0) * float(gram.diagonal().max())
    off = gram - np.diag(gram.diagonal())
    common = float(np.abs(off).max())
    if np.ptp(gram.diagonal()) > allowed:
        return False
    if common <= allowed:
        return True
    # flip columns so that scalar products with the first one are positive; then all others must have the same sign
    signs = np.where(off[0] < 0, -1.0, 1.0)
    flipped = signs[:, None] * off * signs
    target = float(flipped[1, 2]) if d > 2 else common
    if d > 2 and target < 0:
        flipped[0], flipped[:, 0] = -flipped[0], -flipped[:, 0]
    outside = ~np.eye(d, dtype=bool)
    return bool(np.all(np.abs(flipped[outside] - math.copysign(common, target)) <= allowed))


def _removal(X: Any, w: Any, removed: Any, mask: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return X, X_R w_R, and the masks of the remaining and the removed columns."""
    X = matrix(X)
    d = X.shape[1]
    w, M, gone = vector(w, "w", d), mask_of(mask, "mask", d), np.zeros(d, dtype=bool)
    gone[places(removed, "removed", d)] = True
    if (gone & ~M).any():
        raise ValueError(f"removed holds {np.nonzero(gone & ~M)[0].tolist()}, outside the mask; expected weights in it")
    return X, X[:, gone] @ w[gone], M & ~gone, gone
