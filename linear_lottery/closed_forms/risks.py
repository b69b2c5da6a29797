"""Risk of pruning on an orthonormal design, by a threshold (E3) or by keeping the m largest weights (E4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import betainc, gammaln, ndtr, ndtri, xlogy

from linear_lottery.closed_forms.arguments import numbers, panels, scalar_or_array
from planted.base.checks import check_integer, check_number

__all__ = ["threshold_risk", "top_m_risk", "top_m_risk_asymptotic"]

Binomial = tuple[int, np.ndarray, np.ndarray]
"""Number of trials, and the probabilities of success and of failure, both at full relative accuracy."""

REACH = 9.5
"""Standard deviations beyond which a Gaussian's second moment is below 1e-18."""


def threshold_risk(d: int, sparsity: int, amplitude: Any, tau: Any, s: Any = 1.0) -> Any:
    """Return E |w - w*|^2 after threshold pruning on an orthonormal design (E3).

    Parameters
    ----------
    d, sparsity : int
        Number of weights, d, and of non-zero weights, k: 0 <= k <= d.
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
    The first term is the loss when the weight is pruned, the second the remaining noise when it is not. As a function
    of tau the risk decreases while nulls are removed and increases when signals are removed: this is exactly how
    pruning regularises.

    References
    ----------
    Derived here: docs/theory, "Threshold pruning on an orthonormal design".
    """
    d = check_integer(d, "d", minimum=1)
    k = check_integer(sparsity, "sparsity", minimum=0, maximum=d)
    s = numbers(s, "s", above=0.0)
    A = np.abs(numbers(amplitude, "amplitude")) / s
    T = numbers(tau, "tau", minimum=0.0, finite=False) / s
    return scalar_or_array(s**2 * (k * _unit_risk(A, T) + (d - k) * _unit_risk(np.zeros_like(A), T)))


def top_m_risk(d: int, sparsity: int, m: int, amplitude: float = math.inf, s: float = 1.0) -> float:
    """Return E |w - w*|^2 when the m largest weights of an orthonormal design are kept, exactly (E4).

    Parameters
    ----------
    d, sparsity : int
        Number of weights, d, and of non-zero weights, k: 0 <= k <= d.
    m : int
        Number of weights kept, 0 <= m <= d.
    amplitude : float, default inf
        a, the magnitude of the non-zero weights. If infinite, every signal is kept (m >= k).
    s : float, default 1
        Standard deviation of the least-squares weights, more than 0.

    Returns
    -------
    float
        The risk, for any d. Infinite for infinite amplitude and m < k.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    A weight of magnitude x is kept if at most m - 1 of the others are larger. Their number is a sum of two independent
    binomials, of nulls with p(x) = P(|N(0,1)| > x) and of signals with Q(x) = P(|N(A,1)| > x), A = a / s. So the
    risk is a one-dimensional integral over x, computed to about 1e-12 relative by Gauss-Legendre panels around 0 for
    the nulls and around A for the signals.

    References
    ----------
    Derived here: docs/theory, "Keeping the largest weights".
    """
    d, k, m, s = _sizes(d, sparsity, m, s)
    A, nulls = check_number(amplitude, "amplitude", minimum=0.0, finite=False) / s, d - k
    if math.isinf(A) and m < k:
        return math.inf
    # the transition from kept to pruned has a width of about 1 / sqrt(d) around a quantile
    width = min(0.25, 2 / math.sqrt(d))
    risk = 0.0
    if nulls:
        x, weights = panels(np.linspace(0.0, REACH, 1 + math.ceil(REACH / width)))
        kept = _two_binomials_cdf(m - 1, (nulls - 1, *_tails(x, 0.0)), (k, *_tails(x, A)))
        risk += nulls * float((x**2 * 2 * _phi(x) * kept) @ weights)
    if math.isinf(A):
        return s**2 * (risk + k)
    if k:
        # a signal of magnitude A + z has noise z or -(2 A + z), and the latter never happens for large A
        low = -min(A, REACH)
        z, weights = panels(np.linspace(low, REACH, 1 + math.ceil((REACH - low) / width)))
        far = np.minimum(2 * A + z, 40.0)
        (p, not_p), (q, not_q) = _tails(A + z, 0.0), (ndtr(-z) + ndtr(-far), ndtr(z) - ndtr(-far))
        # pruned if m of the others are larger, so only a few are smaller, whose probability is fully accurate
        pruned = _two_binomials_cdf(d - 1 - m, (nulls, not_p, p), (k - 1, not_q, q))
        lost = (A * np.sqrt(pruned)) ** 2
        cost = (z**2 * (1 - pruned) + lost) * _phi(z) + (far**2 * (1 - pruned) + lost) * _phi(far)
        risk += k * float(cost @ weights)
    return s**2 * risk


def top_m_risk_asymptotic(d: int, sparsity: int, m: Any, s: Any = 1.0) -> Any:
    """Return the limit of :func:`top_m_risk` for strong signals and large d (E4).

    Parameters
    ----------
    d, sparsity : int
        Number of weights, d, and of non-zero weights, k: 0 <= k < d.
    m : int or array of int
        Number of weights kept, k <= m <= d.
    s : float or array, default 1
        Standard deviation of the least-squares weights, more than 0.

    Returns
    -------
    float or numpy.ndarray
        s^2 [k + (d - k) 2 (q phi(q) + Phi(-q))], q the upper (m - k) / (2 (d - k)) quantile of N(0, 1). The relative
        error is largest when few nulls are kept, and decreases like 1 / d for a fixed fraction.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    Pruning keeps the noisiest nulls, so the risk is flat at first and decreases only near m = k.

    References
    ----------
    Derived here: docs/theory, "Keeping the largest weights".
    """
    d = check_integer(d, "d", minimum=1)
    k = check_integer(sparsity, "sparsity", minimum=0, maximum=d - 1)
    share = (numbers(m, "m", minimum=float(k), maximum=float(d)) - k) / (d - k)
    q = -ndtri(share / 2)
    bell = np.where(np.isinf(q), 0.0, np.where(np.isinf(q), 0.0, q) * _phi(q))
    return scalar_or_array(numbers(s, "s", above=0.0) ** 2 * (k + (d - k) * (2 * bell + share)))


def _phi(x: Any) -> Any:
    """Return the standard normal density."""
    return np.exp(-np.square(x) / 2) / math.sqrt(2 * math.pi)


def _unit_risk(A: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Return r(a) / s^2, for a finite or infinite T; A^2 is not computed if the signal is never pruned."""
    near, far = np.clip(T - A, -40.0, 40.0), np.minimum(T + A, 40.0)
    kept = ndtr(-near) + ndtr(-far) + near * _phi(near) + far * _phi(far)
    return (A * np.sqrt(ndtr(near) - ndtr(-far))) ** 2 + kept


def _sizes(d: int, sparsity: int, m: int, s: float) -> tuple[int, int, int, float]:
    d = check_integer(d, "d", minimum=1)
    k, m = check_integer(sparsity, "sparsity", minimum=0, maximum=d), check_integer(m, "m", minimum=0, maximum=d)
    return d, k, m, float(numbers(check_number(s, "s"), "s", above=0.0))


def _tails(x: np.ndarray, A: float) -> tuple[np.ndarray, np.ndarray]:
    """Return P(|N(A, 1)| > x) and P(|N(A, 1)| <= x) for x >= 0."""
    return ndtr(A - x) + ndtr(-A - x), np.maximum(ndtr(x - A) - ndtr(-A - x), 0.0)


def _binomial_cdf(r: int, size: int, p: np.ndarray, not_p: np.ndarray) -> np.ndarray:
    """Return the probability of at most r successes in `size` trials, for any sign of r and of `size` - r."""
    if r < 0:
        return np.zeros_like(p)
    return np.ones_like(p) if r >= size else betainc(size - r, r + 1, not_p)


def _two_binomials_cdf(r: int, one: Binomial, two: Binomial) -> np.ndarray:
    """Return the probability that two independent binomials sum to at most r."""
    (size, p, not_p), (other, q, not_q) = one, two
    found = np.zeros_like(p)
    for j in range(min(other, r) + 1):
        log_mass = gammaln(other + 1) - gammaln(j + 1) - gammaln(other - j + 1) + xlogy(j, q) + xlogy(other - j, not_q)
        found += np.exp(log_mass) * _binomial_cdf(r - j, size, p, not_p)
    return found
