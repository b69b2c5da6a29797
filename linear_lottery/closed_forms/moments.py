"""Mean and variance of trained weights for Gaussian rows, with more or fewer samples than weights (E5, E6)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from linear_lottery.closed_forms.arguments import numbers, scalar_or_array
from linear_lottery.closed_forms.probabilities import gaussian_recovery_probability
from planted.base.checks import check_integer, check_number

__all__ = ["fixed_mask_risk", "one_shot_recovery_approximation", "weight_moments"]


def fixed_mask_risk(
    n: int, m: Any, sigma: float, *, signal: float = 0.0, alpha: float = 0.0, missing: float = 0.0
) -> Any:
    """Return the expected excess test error on a fixed mask of m weights, for rows N(0, I) (E5).

    Parameters
    ----------
    n : int
        Samples.
    m : int or array of int
        Number of weights in the mask, at least 0; the mask is independent of the data.
    sigma : float
        Standard deviation of the noise.
    signal : float, default 0
        |w*_M|^2, the squared norm of the true weights on the mask. Matters only for m > n.
    alpha : float, default 0
        Standard deviation of the start, w0 ~ N(0, alpha^2 I). Matters only for m > n.
    missing : float, default 0
        b = |w*_B|^2 for the part B of the support outside the mask.

    Returns
    -------
    float or numpy.ndarray
        E |w - w*|^2 after training to convergence, with v = sigma^2 + b:

        - m <= n - 2, or m = 0: b + v m / (n - m - 1), so b for m = 0;
        - m >= n + 2: b + (1 - n/m) (|w*_M|^2 + m alpha^2) + v n / (m - n - 1);
        - otherwise infinite, unless v = 0 and the last term is absent.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    On such rows the excess test error E (x'w - x'w*)^2 is |w - w*|^2. The part outside the mask acts as noise of
    variance b, independent of X_M. A mask chosen from the data, such as IMP's, does worse than this.

    References
    ----------
    Derived here: docs/theory, "Risk on a fixed mask".
    """
    n = check_integer(n, "n", minimum=1)
    m = numbers(m, "m", minimum=0.0)
    if (m != np.floor(m)).any():
        raise ValueError(
            f"m={m[m != np.floor(m)].flat[0] if m.ndim else float(m):g} is not an integer; expected counts"
        )
    b = check_number(missing, "missing", minimum=0.0)
    power = check_number(signal, "signal", minimum=0.0)
    noise = check_number(sigma, "sigma", minimum=0.0) ** 2 + b
    alpha = check_number(alpha, "alpha", minimum=0.0)
    spread = noise * _inverse_trace(n, m) if noise > 0 else np.zeros(m.shape)
    return scalar_or_array(b + np.where(m > n, (1 - n / np.maximum(m, 1)) * (power + m * alpha**2), 0.0) + spread)


def weight_moments(n: int, w: Any, sigma: float, alpha: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of each trained weight, for rows N(0, I) (E6; E5 for more samples than weights).

    Parameters
    ----------
    n : int
        Samples.
    w : array, shape (m,)
        The true weights w*; all m weights are trained.
    sigma : float
        Standard deviation of the noise.
    alpha : float, default 0
        Standard deviation of the start, w0 ~ N(0, alpha^2 I).

    Returns
    -------
    mean, variance : numpy.ndarray, shape (m,), float64
        Over X, noise and start, after training to convergence. For m >= n + 2 the mean is (n/m) w*_i and the variance

            w*_i^2 2 n (m-n) / (m^2 (m+2)) + (|w*|^2 - w*_i^2) n (m-n) / (m (m-1) (m+2))
            + sigma^2 n / (m (m-n-1)) + alpha^2 (1 - n/m);

        for m <= n - 2 they are w*_i and sigma^2 / (n-m-1). Otherwise, with noise, the variance is infinite.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range or `w` is not a vector.

    References
    ----------
    Derived here: docs/theory, "Weights of the over-parameterised model".
    """
    n, w = check_integer(n, "n", minimum=1), numbers(w, "w")
    if w.ndim != 1:
        raise ValueError(f"w has shape {w.shape}; expected 1 dimension")
    m, power = w.size, w**2
    sigma, alpha = check_number(sigma, "sigma", minimum=0.0), check_number(alpha, "alpha", minimum=0.0)
    noise = sigma**2 * float(_inverse_trace(n, np.asarray(float(m)))) / m if sigma > 0 else 0.0
    if m <= n:
        return w.copy(), np.full(m, noise)
    own = 2 * n * (m - n) / (m**2 * (m + 2))
    others = n * (m - n) / (m * (m - 1) * (m + 2))
    rest = np.maximum(power.sum() - power, 0.0)
    return n / m * w, power * own + rest * others + noise + alpha**2 * (1 - n / m)


def one_shot_recovery_approximation(n: int, w: Any, sigma: float, alpha: float = 0.0) -> float:
    """Approximate the probability that one-shot pruning finds the support, for Gaussian rows and any n / d (E6 in E1).

    Parameters
    ----------
    n : int
        Samples; must differ from d by more than 1, since the weights otherwise have no variance.
    w : array, shape (d,)
        The true weights.
    sigma : float
        Standard deviation of the noise.
    alpha : float, default 0
        Standard deviation of the start, w0 ~ N(0, alpha^2 I).

    Returns
    -------
    float
        :func:`gaussian_recovery_probability` with the exact means and variances of :func:`weight_moments`.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range, or the weights have no variance.

    Notes
    -----
    This is an approximation, not a bound: the weights are neither Gaussian nor independent. The error is up to 0.05 at
    n = 100, d = 200, k = 5, sigma = 0.5 (``python -m benchmarks.linear_numbers``).

    References
    ----------
    Derived here: docs/theory, "Weights of the over-parameterised model".
    """
    w = numbers(w, "w")
    mean, variance = weight_moments(n, w, sigma, alpha)
    if not np.isfinite(variance).all():
        raise ValueError(f"n={n} is within 1 of d={w.size}: the weights have no variance; expected another n")
    signal, spread = w != 0, np.sqrt(variance)
    if signal.all() or not signal.any():
        return 1.0
    null_spread = float(spread[~signal][0])
    if null_spread == 0:
        return 1.0
    return gaussian_recovery_probability(mean[signal], spread[signal], int((~signal).sum()), null_spread)


def _inverse_trace(n: int, m: np.ndarray) -> np.ndarray:
    """Return E tr of the inverse of X'X, or of XX' for m > n: min(m, n) / (|n - m| - 1)."""
    gap = np.abs(n - m) - 1
    found = np.full(m.shape, math.inf)
    np.divide(np.minimum(m, n), gap, out=found, where=gap > 0)
    found[m == 0] = 0.0
    return found
