"""Errors of weights and predictions on a given design: exact decompositions, expectations, and bounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from linear_lottery.closed_forms.arguments import mask_of, matrix, places, project, smallest_singular_value, vector
from planted.base.checks import check_number

__all__ = ["oracle_error_bound", "oracle_risk", "prediction_bound", "prediction_risk_bound", "prediction_split"]


def prediction_split(X: Any, w: Any, noise: Any, mask: Any = None) -> tuple[float, float]:
    """Return the in-sample error of least squares on a mask, split into bias and variance, exactly (D14).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    w : array, shape (d,)
        The true weights w*, so that y = X w* + noise.
    noise : array, shape (n,)
        The noise in y.
    mask : array, shape (d,), optional
        M, the fitted weights; any set, with or without full rank. All by default.

    Returns
    -------
    bias, variance : float
        |(I - P_M) X w*|^2 / n and |P_M noise|^2 / n; their sum is |X_M w_M - X w*|^2 / n. The expectation of the
        second is sigma^2 rank(X_M) / n for independent noise of variance sigma^2.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match.

    References
    ----------
    Derived here: docs/theory, "Errors of predictions".
    """
    X = matrix(X)
    signal, noise = X @ vector(w, "w", X.shape[1]), vector(noise, "noise", X.shape[0])
    part = X[:, mask_of(mask, "mask", X.shape[1])]
    missed, fitted = signal - project(part, signal), project(part, noise)
    return float(missed @ missed) / X.shape[0], float(fitted @ fitted) / X.shape[0]


def prediction_bound(X: Any, support: Any, survivors: Any, tau: float, noise: Any) -> float:
    """Return a bound on the in-sample error after one round of threshold pruning, for a given noise vector (D13).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    support : array of int
        S, the support of the true weights.
    survivors : array of int
        The weights that passed the threshold; within S.
    tau : float
        The threshold. It must bound the error of every least-squares weight of X: |eta|_inf <= tau.
    noise : array, shape (n,)
        The noise in y.

    Returns
    -------
    float
        4 tau^2 lam_max(G_S) |S without survivors| + |P_S noise|^2 / n, G_S = X_S'X_S / n: at least
        |X w - X w*|^2 / n for the weights w retrained on the survivors.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match or `survivors` is not within `support`.

    References
    ----------
    Derived here: docs/theory, "Errors of predictions".
    """
    X = matrix(X)
    S, kept = places(support, "support", X.shape[1]), places(survivors, "survivors", X.shape[1])
    if np.setdiff1d(kept, S).size:
        raise ValueError(f"survivors={kept.tolist()} are not within support={S.tolist()}; expected no false positive")
    tau, fitted = check_number(tau, "tau", minimum=0.0), project(X[:, S], vector(noise, "noise", X.shape[0]))
    largest = float(np.linalg.norm(X[:, S], 2)) ** 2 / X.shape[0] if S.size else 0.0
    return 4 * tau**2 * largest * (S.size - kept.size) + float(fitted @ fitted) / X.shape[0]


def prediction_risk_bound(X: Any, support: Any, sigma: float, delta: float) -> float:
    """Return the bound of :func:`prediction_bound` that holds with probability 1 - 2 delta (D13).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    support : array of int
        S, the support of the true weights.
    sigma : float
        Standard deviation of independent Gaussian noise. The second term requires Gaussian noise.
    delta : float
        Between 0 and 1; each of two events fails with probability at most delta.

    Returns
    -------
    float
        8 (lam_max(G_S) / lam) k sigma^2 log(2 d / delta) / n + sigma^2 (sqrt(k) + sqrt(2 log(1 / delta)))^2 / n, with
        lam = lam_min(X'X / n): for the threshold tau = sigma sqrt(2 log(2 d / delta) / (n lam)). Infinite without full
        column rank.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or shapes do not match.

    References
    ----------
    Derived here: docs/theory, "Errors of predictions".
    """
    X = matrix(X)
    n, d = X.shape
    S, sigma, delta = places(support, "support", d), _deviation(sigma), _probability(delta)
    smallest = smallest_singular_value(X)
    if smallest == 0:
        return math.inf
    ratio = (float(np.linalg.norm(X[:, S], 2)) / smallest) ** 2 if S.size else 0.0
    spread = (math.sqrt(S.size) + math.sqrt(2 * math.log(1 / delta))) ** 2
    return sigma**2 / n * (8 * ratio * S.size * math.log(2 * d / delta) + spread)


def oracle_risk(X: Any, support: Any, sigma: float) -> float:
    """Return E |w - w*|^2 of least squares on the true support, the risk of IMP when it finds the support (D9).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    support : array of int
        S, the support of the true weights.
    sigma : float
        Standard deviation of uncorrelated noise.

    Returns
    -------
    float
        sigma^2 tr (X_S'X_S)^-1; infinite if the columns of S are dependent.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or shapes do not match.

    References
    ----------
    Derived here: docs/theory, "Errors of predictions".
    """
    X = matrix(X)
    part, sigma = X[:, places(support, "support", X.shape[1])], _deviation(sigma)
    if smallest_singular_value(part) == 0:
        return math.inf
    return sigma**2 * float(np.sum(np.linalg.svd(part, compute_uv=False) ** -2.0)) if part.shape[1] else 0.0


def oracle_error_bound(X: Any, support: Any, sigma: float, delta: float) -> float:
    """Return a bound on |w - w*| of least squares on the true support, with probability 1 - delta (D9).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    support : array of int
        S, the support of the true weights.
    sigma : float
        Standard deviation of independent Gaussian noise.
    delta : float
        Between 0 and 1.

    Returns
    -------
    float
        sigma (sqrt(k) + sqrt(2 log(1 / delta))) / sigma_min(X_S); infinite if the columns of S are dependent.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or shapes do not match.

    References
    ----------
    Derived here: docs/theory, "Errors of predictions".
    """
    X = matrix(X)
    S, sigma, delta = places(support, "support", X.shape[1]), _deviation(sigma), _probability(delta)
    if not S.size:
        return 0.0
    smallest = smallest_singular_value(X[:, S])
    if smallest == 0:
        return math.inf
    return sigma * (math.sqrt(S.size) + math.sqrt(2 * math.log(1 / delta))) / smallest


def _deviation(sigma: float) -> float:
    return check_number(sigma, "sigma", minimum=0.0)


def _probability(delta: float) -> float:
    delta = check_number(delta, "delta", minimum=0.0, maximum=1.0)
    if delta in (0.0, 1.0):
        raise ValueError(f"delta={delta} is not a probability of failure; expected strictly between 0 and 1")
    return delta
