"""BINGO's significance scores: the printed and corrected recursions, their averaging, and their expected values.

A probe of BINGO (arXiv:2505.09864) takes a random subset T of the weights, resets them to their initial values (or to
0), measures how far the accuracy (or the loss) moves, and credits that to every weight of T. The functions below give
the score of a weight, its effective number of probes and, for a quadratic loss, its expectation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_number

__all__ = [
    "STARTS",
    "coalition_share",
    "corrected_score",
    "effective_sample_size",
    "expected_change",
    "never_probed",
    "printed_score",
    "probe_weights",
    "released_score",
    "running_mean",
    "running_mean_variance",
    "score_variance",
    "single_change",
]

STARTS = {"printed": 0.5, "corrected": 0.5, "release": 0.0, "running-mean": 0.0}
"""Score of a weight before its first probe: 1/2 in the paper, 0 in the released code."""


def printed_score(score: Any, before: float, after: float) -> Any:
    """Return the score after one probe, as the paper prints it: (S + 1 - |A - A'| / A) / 2.

    Parameters
    ----------
    score : float or array
        S of the weights in the probed subset.
    before, after : float
        Accuracy A (or loss) with the current weights, and A' with the subset reset. A is positive.

    Returns
    -------
    float or array
        Like `score`. The score of a weight whose reset changes nothing tends to 1, that of a weight whose reset hurts
        tends to 0. Pruning in order of increasing scores therefore removes the important weights first: see
        :func:`corrected_score`.

    Raises
    ------
    ValueError
        If `before` is not positive, since the relative change is then undefined.

    References
    ----------
    Panangat, arXiv:2505.09864.
    """
    return (score + 1.0 - _relative(before, after)) / 2.0


def corrected_score(score: Any, before: float, after: float) -> Any:
    """Return the score after one probe with the sign corrected: (S + |A - A'| / A) / 2.

    Parameters
    ----------
    score : float or array
        S of the weights in the probed subset.
    before, after : float
        Accuracy A (or loss) with the current weights, and A' with the subset reset. A is positive.

    Returns
    -------
    float or array
        Like `score`.

    Raises
    ------
    ValueError
        If `before` is not positive.

    Notes
    -----
    From any start, printed + corrected = 1 + (P_0 + C_0 - 1) / 2^N after N probes of a weight. Both start at 1/2, so
    the two add up to exactly 1 and rank the weights in opposite orders.

    References
    ----------
    Derived here: docs/theory, "The scores of BINGO".
    """
    return (score + _relative(before, after)) / 2.0


def released_score(score: Any, before: float, after: float) -> Any:
    """Return the score after one probe, as the released code computes it: (S + |A - A'|) / 2.

    Parameters
    ----------
    score : float or array
        S of the weights in the probed subset.
    before, after : float
        Accuracy (or loss) with the current weights, and with the subset set to 0.

    Returns
    -------
    float or array
        Like `score`. The change is not divided by the accuracy; the initial score is 0.

    References
    ----------
    The code released with arXiv:2505.09864.
    """
    return (score + abs(check_number(before, "before") - check_number(after, "after"))) / 2.0


def running_mean(score: Any, before: float, after: float, n_probes: Any) -> Any:
    """Return the mean of |A - A'| / A over all probes of a weight.

    Parameters
    ----------
    score : float or array
        The mean so far, for the weights in the probed subset.
    before, after : float
        Accuracy A (or loss) with the current weights, and A' with the subset reset. A is positive.
    n_probes : int or array
        Number of probes averaged in `score`, not counting this one.

    Returns
    -------
    float or array
        Like `score`. Its variance decreases as 1 / N, unlike that of the published average: :func:`score_variance`.

    Raises
    ------
    ValueError
        If `before` is not positive.

    References
    ----------
    Derived here: docs/theory, "The scores of BINGO".
    """
    return score + (_relative(before, after) - score) / (n_probes + 1.0)


def probe_weights(n_probes: int) -> np.ndarray:
    """Return the weights of the probes in BINGO's average, S <- (S + change) / 2.

    Parameters
    ----------
    n_probes : int
        N, at least 0.

    Returns
    -------
    numpy.ndarray, shape (n_probes,)
        1/2^N, ..., 1/4, 1/2, oldest first. The initial score has the remaining weight, 1/2^N.

    References
    ----------
    Derived here: docs/theory, "The scores of BINGO".
    """
    n_probes = check_integer(n_probes, "n_probes", minimum=0)
    return np.asarray(np.ldexp(1.0, -np.arange(n_probes, 0, -1)))


def effective_sample_size(n_probes: int | None = None) -> float:
    """Return the effective sample size of BINGO's average: (sum of the weights)^2 / (sum of their squares).

    Parameters
    ----------
    n_probes : int, optional
        N, at least 1. None is the limit.

    Returns
    -------
    float
        3 (1 - 2^-N) / (1 + 2^-N): 1, 1.8, 2.33, ..., 3.

    References
    ----------
    Derived here: docs/theory, "The scores of BINGO".
    """
    if n_probes is None:
        return 3.0
    left = 2.0 ** -check_integer(n_probes, "n_probes", minimum=1)
    return 3.0 * (1.0 - left) / (1.0 + left)


def score_variance(variance: float, n_probes: int | None = None) -> float:
    """Return the variance of BINGO's average of independent probes.

    Parameters
    ----------
    variance : float
        sigma^2 of the change measured by one probe.
    n_probes : int, optional
        N, at least 0. None is the limit.

    Returns
    -------
    float
        sigma^2 (1 - 4^-N) / 3: it increases to sigma^2 / 3, however long the training.

    References
    ----------
    Derived here: docs/theory, "The scores of BINGO".
    """
    variance = check_number(variance, "variance", minimum=0.0)
    left = 0.0 if n_probes is None else 4.0 ** -check_integer(n_probes, "n_probes", minimum=0)
    return variance * (1.0 - left) / 3.0


def running_mean_variance(variance: float, n_probes: int) -> float:
    """Return the variance of the running mean of independent probes, sigma^2 / N.

    Parameters
    ----------
    variance : float
        sigma^2 of the change measured by one probe.
    n_probes : int
        N, at least 1.

    Returns
    -------
    float
        sigma^2 / N.
    """
    return check_number(variance, "variance", minimum=0.0) / check_integer(n_probes, "n_probes", minimum=1)


def never_probed(share: float, n_probes: int) -> float:
    """Return the fraction of weights that were never probed.

    Parameters
    ----------
    share : float
        f, the fraction of the weights reset by one probe, from 0 to 1.
    n_probes : int
        N, the total number of probes, with independent uniform subsets.

    Returns
    -------
    float
        (1 - f)^N. Such weights keep their initial score.
    """
    share = check_number(share, "share", minimum=0.0, maximum=1.0)
    return float((1.0 - share) ** check_integer(n_probes, "n_probes", minimum=0))


def coalition_share(size: int, n_weights: int) -> tuple[float, float]:
    """Return the probabilities that one and two other weights are in a uniform subset containing a given weight.

    Parameters
    ----------
    size : int
        m, weights in a subset, from 1 to `n_weights`.
    n_weights : int
        p.

    Returns
    -------
    one, two : float
        (m - 1) / (p - 1) and (m - 1)(m - 2) / ((p - 1)(p - 2)), 0 if there is no other weight, or only one.
    """
    p = check_integer(n_weights, "n_weights", minimum=1)
    m = check_integer(size, "size", minimum=1, maximum=p)
    one = (m - 1) / (p - 1) if p > 1 else 0.0
    two = (m - 1) * (m - 2) / ((p - 1) * (p - 2)) if p > 2 else 0.0
    return one, two


def single_change(gradient: Any, curvature: Any, shift: Any) -> Any:
    """Return the increase of a quadratic loss when a single weight is changed: g_j d_j + H_jj d_j^2 / 2.

    Parameters
    ----------
    gradient, curvature, shift : array, shape (p,)
        g, the diagonal of H, and d: initial weight minus weight for a reset, minus the weight for zeroing.

    Returns
    -------
    array, shape (p,)
        If the gradient vanishes, a reset costs H_jj (w_j - w_j(0))^2 / 2, related to the movement of the weight, and
        zeroing costs H_jj w_j^2 / 2, the saliency of Optimal Brain Damage.

    References
    ----------
    Derived here: docs/theory, "Expected change of the loss in a probe of BINGO".
    """
    gradient, curvature, shift = (
        check_array(value, name, ndim=1)
        for value, name in ((gradient, "gradient"), (curvature, "curvature"), (shift, "shift"))
    )
    arrays.namespace(gradient, curvature, shift)
    if not gradient.shape == curvature.shape == shift.shape:
        shapes = f"{gradient.shape}, {curvature.shape} and {shift.shape}"
        raise ValueError(f"gradient, curvature and shift have the shapes {shapes}; expected one entry per weight")
    return gradient * shift + 0.5 * curvature * shift * shift


def expected_change(gradient: Any, hessian: Any, shift: Any, size: int) -> Any:
    """Return the expected change of a quadratic loss when a random subset containing a given weight is changed.

    Parameters
    ----------
    gradient : array, shape (p,)
        g, of the loss at the weights w.
    hessian : array, shape (p, p)
        H, symmetric; it may be indefinite.
    shift : array, shape (p,)
        d, by which a weight changes if it is in the subset: w(0) - w for a reset, -w for zeroing.
    size : int
        m, weights in a subset, from 1 to p.

    Returns
    -------
    array, shape (p,)
        E[L(w + d_T) - L(w) | j in T] for each j, over uniform subsets T of m weights.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match or `size` is out of range.

    Notes
    -----
    With a_j = g_j d_j + H_jj d_j^2 / 2, b_j = d_j (H d)_j - H_jj d_j^2, q = (m - 1) / (p - 1) and q2 = (m - 1)(m - 2) /
    ((p - 1)(p - 2)) it is

        q sum(a) + (q2 / 2) sum(b) + (1 - q) a_j + (q - q2) b_j.

    The first two terms are the same for all weights. If no probe lowers the loss, as at a minimum, the running mean of
    |change of the loss| converges to this.

    References
    ----------
    Derived here: docs/theory, "Expected change of the loss in a probe of BINGO".
    """
    gradient, hessian, shift = (
        check_array(gradient, "gradient", ndim=1),
        check_array(hessian, "hessian", ndim=2),
        check_array(shift, "shift", ndim=1),
    )
    xp = arrays.namespace(gradient, hessian, shift)
    p = int(gradient.shape[0])
    if hessian.shape != (p, p) or shift.shape != (p,):
        expected = f"expected ({p}, {p}) and ({p},), as gradient has {p} entries"
        raise ValueError(f"hessian and shift have the shapes {hessian.shape} and {shift.shape}; {expected}")
    one, two = coalition_share(size, p)
    curvature = xp.diagonal(hessian)
    alone = single_change(gradient, curvature, shift)
    together = shift * (hessian @ shift) - curvature * shift * shift
    shared = one * xp.sum(alone) + 0.5 * two * xp.sum(together)
    return shared + (1.0 - one) * alone + (one - two) * together


def _relative(before: float, after: float) -> float:
    """Return |A - A'| / A."""
    before, after = check_number(before, "before"), check_number(after, "after")
    if before <= 0.0:
        raise ValueError(f"before={before:g}; expected a positive number, since changes are relative to it")
    return abs(before - after) / before
