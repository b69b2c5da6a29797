"""Risk of pruning on an orthonormal design: by a threshold (E3) and keeping the m largest (E4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import betainc, gammaln, ndtr, ndtri, xlog1py, xlogy

from linear_lottery._arguments import numbers, scalar_or_array
from linear_lottery._quadrature import panels
from planted.checks import check_integer, check_number

__all__ = ["threshold_risk", "top_m_risk", "top_m_risk_asymptotic"]

REACH = 9.5
"""Standard deviations beyond which a Gaussian's second moment is below 1e-18."""


def threshold_risk(d: int, k: int, amplitude: Any, tau: Any, s: Any = 1.0) -> Any:
    """Return E |w - w*|^2 after threshold pruning on an orthonormal design (E3).

    Parameters
    ----------
    d, k : int
        Weights, and non-zero weights among them, 0 <= k <= d.
    amplitude : float or array
        a, the magnitude of the non-zero weights.
    tau : float or array
        The threshold, at least 0; infinity prunes everything.
    s : float or array, default 1
        Standard deviation of the least-squares weights: sigma / sqrt(n) for X'X = n I. More than 0.

    Returns
    -------
    float or numpy.ndarray
        k r(a) + (d - k) r(0), with T = tau / s, A = a / s and

            r(a) = a^2 [Phi(T-A) - Phi(-T-A)]
                   + s^2 [Phi(A-T) + Phi(-T-A) + (T-A) phi(T-A) + (T+A) phi(T+A)].

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    First what is lost when the weight is pruned, then the noise that stays when it is not. As a function of tau it
    falls while it removes nulls and rises when it removes signals: how pruning regularises, exactly.

    References
    ----------
    Derived here: docs/derivations.md, "Threshold pruning on an orthonormal design".
    """
    d = check_integer(d, "d", minimum=1)
    k = check_integer(k, "k", minimum=0, maximum=d)
    s = numbers(s, "s", above=0.0)
    A = np.abs(numbers(amplitude, "amplitude")) / s
    T = numbers(tau, "tau", minimum=0.0, finite=False) / s
    return scalar_or_array(s**2 * (k * _unit_risk(A, T) + (d - k) * _unit_risk(np.zeros_like(A), T)))


def top_m_risk(d: int, k: int, m: int, amplitude: float = math.inf, s: float = 1.0) -> float:
    """Return E |w - w*|^2 when the m largest weights of an orthonormal design are kept, exactly (E4).

    Parameters
    ----------
    d, k : int
        Weights, and non-zero weights among them, 0 <= k <= d.
    m : int
        Weights that are kept, 0 <= m <= d.
    amplitude : float, default inf
        a, the magnitude of the non-zero weights. Infinity: every signal is kept (m >= k).
    s : float, default 1
        Standard deviation of the least-squares weights, more than 0.

    Returns
    -------
    float
        Risk at any d. Infinity for endless amplitude and m < k.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    A weight of magnitude x is kept if at most m - 1 of the others are larger. Their number is a sum of two independent
    binomials, of nulls with p(x) = P(|N(0,1)| > x) and of signals with Q(x) = P(|N(A,1)| > x), A = a / s. So the
    risk is a one-dimensional integral over x, computed to about 1e-12 relative by Gauss-Legendre panels.

    References
    ----------
    Derived here: docs/derivations.md, "Keeping the largest weights".
    """
    d, k, m, s = _sizes(d, k, m, s)
    A, nulls = check_number(amplitude, "amplitude", minimum=0.0, finite=False) / s, d - k
    if math.isinf(A) and m < k:
        return math.inf
    strong = math.isinf(A)
    reach = REACH if strong else REACH + A
    # the kept ones turn into pruned ones over a width of about 1 / sqrt(d) around a quantile
    x, weights = panels(np.linspace(0.0, reach, 1 + math.ceil(reach / min(0.25, 2 / math.sqrt(d)))))
    p = 2 * ndtr(-x)
    if strong:
        kept = _binomial_cdf(m - k - 1, nulls - 1, p)
        signal = float(k)
    else:
        q = ndtr(A - x) + ndtr(-A - x)
        kept = _two_binomials_cdf(m - 1, nulls - 1, p, k, q) if nulls else np.zeros_like(x)
        stay = _two_binomials_cdf(m - 1, nulls, p, k - 1, q) if k else np.zeros_like(x)
        lost = A**2 * (1 - stay)
        signal = k * float(
            (((x - A) ** 2 * stay + lost) * _phi(x - A) + ((x + A) ** 2 * stay + lost) * _phi(x + A)) @ weights
        )
    return s**2 * (signal + nulls * float((x**2 * 2 * _phi(x) * kept) @ weights))


def top_m_risk_asymptotic(d: int, k: int, m: Any, s: Any = 1.0) -> Any:
    """Return what :func:`top_m_risk` tends to for strong signals and large d (E4).

    Parameters
    ----------
    d, k : int
        Weights, and non-zero weights among them, 0 <= k < d.
    m : int or array of int
        Weights that are kept, k <= m <= d.
    s : float or array, default 1
        Standard deviation of the least-squares weights, more than 0.

    Returns
    -------
    float or numpy.ndarray
        s^2 [k + (d - k) 2 (q phi(q) + Phi(-q))], q the upper (m - k) / (2 (d - k)) quantile of N(0, 1). The relative
        error is largest when few nulls stay, and falls like 1 / d at a fixed share.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    Pruning keeps the noisiest nulls: the risk is flat at first and falls only near m = k.

    References
    ----------
    Derived here: docs/derivations.md, "Keeping the largest weights".
    """
    d = check_integer(d, "d", minimum=1)
    k = check_integer(k, "k", minimum=0, maximum=d - 1)
    share = (numbers(m, "m", minimum=float(k), maximum=float(d)) - k) / (d - k)
    q = -ndtri(share / 2)
    bell = np.where(np.isinf(q), 0.0, np.where(np.isinf(q), 0.0, q) * _phi(q))
    return scalar_or_array(numbers(s, "s", above=0.0) ** 2 * (k + (d - k) * (2 * bell + share)))


def _phi(x: Any) -> Any:
    """Return the standard normal density."""
    return np.exp(-np.square(x) / 2) / math.sqrt(2 * math.pi)


def _unit_risk(A: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Return r(a) / s^2."""
    finite = np.where(np.isinf(T), 0.0, T)
    bells = (finite - A) * _phi(finite - A) + (finite + A) * _phi(finite + A)
    kept = ndtr(A - T) + ndtr(-T - A) + np.where(np.isinf(T), 0.0, bells)
    return A**2 * (ndtr(T - A) - ndtr(-T - A)) + kept


def _sizes(d: int, k: int, m: int, s: float) -> tuple[int, int, int, float]:
    d = check_integer(d, "d", minimum=1)
    k, m = check_integer(k, "k", minimum=0, maximum=d), check_integer(m, "m", minimum=0, maximum=d)
    return d, k, m, float(numbers(check_number(s, "s"), "s", above=0.0))


def _binomial_cdf(r: int, size: int, p: np.ndarray) -> np.ndarray:
    """Return the probability of at most r successes in `size` trials, whatever the sign of r and of `size` - r."""
    if r < 0:
        return np.zeros_like(p)
    return np.ones_like(p) if r >= size else betainc(size - r, r + 1, 1 - p)


def _two_binomials_cdf(r: int, size: int, p: np.ndarray, other: int, q: np.ndarray) -> np.ndarray:
    """Return the probability that two independent binomials, (size, p) and (other, q), sum to at most r."""
    found = np.zeros_like(p)
    for j in range(min(other, r) + 1):
        log_mass = gammaln(other + 1) - gammaln(j + 1) - gammaln(other - j + 1) + xlogy(j, q) + xlog1py(other - j, -q)
        found += np.exp(log_mass) * _binomial_cdf(r - j, size, p)
    return found
