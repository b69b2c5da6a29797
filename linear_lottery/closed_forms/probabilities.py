"""Closed forms of the probability that magnitude pruning finds the true support (E1, E2)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import gammaln, log_ndtr

from linear_lottery.closed_forms.arguments import PANEL, log_erf, numbers, panels, scalar_or_array
from planted.base.checks import check_integer, check_number

__all__ = [
    "asymptotic_transition",
    "gaussian_recovery_probability",
    "recovery_probability",
    "threshold_recovery_probability",
    "transition_amplitude",
]


def recovery_probability(d: int, sparsity: int, amplitude: Any, s: Any = 1.0) -> Any:
    """Return the probability that IMP finds the support of an orthonormal design, k known (E1).

    Parameters
    ----------
    d, sparsity : int
        Number of weights, d, and of non-zero weights, k: 0 <= k <= d.
    amplitude : float or array
        a, the magnitude of the non-zero weights.
    s : float or array, default 1
        Standard deviation of the least-squares weights: sigma / sqrt(n) for X'X = n I. More than 0.

    Returns
    -------
    float or numpy.ndarray
        Probability, for any schedule and any start. 1 if k = 0 or k = d.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    The weights are independent N(w*_j, s^2), and the support is found if every signal exceeds the largest null:

        P = int_0^inf f(t) Q(t)^k dt,  f(t) = (d-k) (2 Phi(t/s) - 1)^(d-k-1) (2/s) phi(t/s),
        Q(t) = 1 - Phi((t-a)/s) + Phi((-t-a)/s),

    computed by Gauss-Legendre panels to about 1e-13, with logarithms of erfc and Phi where 1 - x would cancel.

    References
    ----------
    Derived here: docs/theory, "Probability of recovery on an orthonormal design".
    """
    d = check_integer(d, "d", minimum=1)
    k = check_integer(sparsity, "sparsity", minimum=0, maximum=d)
    ratio = np.abs(numbers(amplitude, "amplitude")) / numbers(s, "s", above=0.0)
    if k in (0, d):
        return scalar_or_array(np.ones(ratio.shape))
    t, weights = panels(np.union1d(np.arange(0.0, _reach(d - k) + PANEL, PANEL), _near_zero(k)))
    signal = np.logaddexp(log_ndtr(ratio[..., None] - t), log_ndtr(-ratio[..., None] - t))
    return scalar_or_array(np.minimum(np.exp(_log_largest_density(t, d - k) + k * signal) @ weights, 1.0))


def gaussian_recovery_probability(means: Any, deviations: Any, n_null: int, null_deviation: float) -> float:
    """Return the probability that independent Gaussian signals all exceed independent Gaussian nulls in magnitude.

    Parameters
    ----------
    means, deviations : array, shape (k,)
        Means and standard deviations of the signals; deviations are positive. A single deviation is used for all.
    n_null : int
        Number of nulls, N(0, null_deviation^2).
    null_deviation : float
        More than 0.

    Returns
    -------
    float
        E1's integral with a separate factor Q_i for every signal.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or shapes do not match.

    References
    ----------
    Derived here: docs/theory, "Probability of recovery on an orthonormal design".
    """
    unit = check_number(null_deviation, "null_deviation")
    if unit <= 0:
        raise ValueError(f"null_deviation={unit} is out of range; expected more than 0")
    means, deviations = np.abs(numbers(means, "means")) / unit, numbers(deviations, "deviations", above=0.0) / unit
    if means.ndim != 1 or deviations.shape not in ((), (1,), means.shape):
        raise ValueError(
            f"means has shape {means.shape} and deviations {deviations.shape}; expected one of each per signal"
        )
    n_null = check_integer(n_null, "n_null", minimum=0)
    if n_null == 0:
        return 1.0
    pairs, counts = np.unique(np.stack([means, np.broadcast_to(deviations, means.shape)]), axis=1, return_counts=True)
    t, weights = panels(_edges(pairs, means.size, _reach(n_null)))
    logs = _log_largest_density(t, n_null)
    for (mean, deviation), count in zip(pairs.T, counts, strict=True):
        logs = logs + count * np.logaddexp(log_ndtr((mean - t) / deviation), log_ndtr((-mean - t) / deviation))
    return min(float(np.exp(logs) @ weights), 1.0)


def asymptotic_transition(d: int, sparsity: int) -> float:
    """Return the amplitude at which the recovery probability jumps from 0 to 1 as d and k grow, in units of s (E1).

    Parameters
    ----------
    d, sparsity : int
        Number of weights, d, and of non-zero weights, k: 1 <= k < d.

    Returns
    -------
    float
        sqrt(2 log(d - k)) + sqrt(2 log k). Asymptotic: at d = 100, k = 10 it is 5.15, while the probability already
        reaches 1/2 at 4.21; see :func:`transition_amplitude`.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    References
    ----------
    Extremes of independent Gaussians: docs/theory, "Probability of recovery on an orthonormal design".
    """
    d = check_integer(d, "d", minimum=2)
    k = check_integer(sparsity, "sparsity", minimum=1, maximum=d - 1)
    return math.sqrt(2 * math.log(d - k)) + math.sqrt(2 * math.log(k))


def transition_amplitude(d: int, sparsity: int, s: float = 1.0, probability: float = 0.5) -> float:
    """Return the amplitude at which IMP finds the support with a given probability, by solving E1.

    Parameters
    ----------
    d, sparsity : int
        Number of weights, d, and of non-zero weights, k: 1 <= k < d.
    s : float, default 1
        Standard deviation of the least-squares weights.
    probability : float, default 0.5
        Above 1 / binom(d, k), the probability at amplitude 0, and below 1.

    Returns
    -------
    float
        The amplitude, in units of `s`, to a relative accuracy of about 1e-10.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    References
    ----------
    Derived here: docs/theory, "Probability of recovery on an orthonormal design".
    """
    from scipy.optimize import brentq

    high, s = asymptotic_transition(d, sparsity) + 1.0, float(numbers(check_number(s, "s"), "s", above=0.0))
    probability = check_number(probability, "probability", minimum=0.0, maximum=1.0)
    k = sparsity
    by_chance = math.exp(gammaln(k + 1) + gammaln(d - k + 1) - gammaln(d + 1))
    if not by_chance < probability < 1:
        raise ValueError(f"probability={probability}; expected more than {by_chance:.3g} (amplitude 0) and less than 1")
    while recovery_probability(d, k, high) < probability:
        high *= 2
        if high > 1e3:
            raise ValueError(f"probability={probability} rounds to 1; expected less")
    return s * float(brentq(lambda a: recovery_probability(d, k, a) - probability, 0.0, high, xtol=1e-12, rtol=1e-12))


def threshold_recovery_probability(d: int, sparsity: int, amplitude: Any, tau: Any, s: Any = 1.0) -> Any:
    """Return the probability that threshold pruning finds the support of an orthonormal design, k unknown (E2).

    Parameters
    ----------
    d, sparsity : int
        Number of weights, d, and of non-zero weights, k: 0 <= k <= d.
    amplitude : float or array
        a, the magnitude of the non-zero weights.
    tau : float or array
        The threshold, at least 0; weights up to it are pruned.
    s : float or array, default 1
        Standard deviation of the least-squares weights, more than 0.

    Returns
    -------
    float or numpy.ndarray
        (2 Phi(tau/s) - 1)^(d-k) Q(tau)^k, Q of :func:`recovery_probability`. Retraining changes no weight on an
        orthonormal design, so one round is enough.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    References
    ----------
    Derived here: docs/theory, "Threshold pruning on an orthonormal design".
    """
    d = check_integer(d, "d", minimum=1)
    k = check_integer(sparsity, "sparsity", minimum=0, maximum=d)
    s = numbers(s, "s", above=0.0)
    a, t = np.abs(numbers(amplitude, "amplitude")) / s, numbers(tau, "tau", minimum=0.0) / s
    nulls = np.zeros(t.shape) if d == k else (d - k) * log_erf(t / math.sqrt(2))
    return scalar_or_array(np.exp(np.minimum(nulls + k * np.logaddexp(log_ndtr(a - t), log_ndtr(-a - t)), 0.0)))


def _reach(n_null: int) -> float:
    """Return the value that the largest of n_null magnitudes exceeds with probability below 1e-18."""
    return math.sqrt(2 * math.log(n_null) + 84.0)


def _near_zero(k: float) -> np.ndarray:
    """Return edges between 0 and the first panel's end: k signals near 0 all exceed t only if t is about 1 / k."""
    return PANEL * 2.0 ** -np.arange(1.0, 2.0 + math.ceil(math.log2(k)))


def _edges(pairs: np.ndarray, k: int, reach: float) -> np.ndarray:
    """Return edges of panels that resolve the nulls, and signals that are narrower than the nulls."""
    edges = [np.arange(0.0, reach + PANEL, PANEL), _near_zero(k / np.clip(pairs[1].min(), 1e-30, 1.0))]
    for mean, deviation in pairs.T:
        if deviation < 1:
            edges.append(mean + deviation * np.arange(-40.0, 40.0 + PANEL, 2 * PANEL))
    found = np.unique(np.concatenate(edges))
    return found[(found >= 0) & (found <= reach + PANEL)]


def _log_largest_density(t: np.ndarray, n_null: int) -> np.ndarray:
    """Return the logarithm of the density of the largest of n_null standard normal magnitudes, t > 0."""
    density = math.log(n_null) + 0.5 * math.log(2 / math.pi) - t**2 / 2
    return density + (n_null - 1) * log_erf(t / math.sqrt(2)) if n_null > 1 else density
