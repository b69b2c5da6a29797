"""Ticket transfer in linear models: the limit of training on the target, and its error.

A mask m and a start theta come from a source task (arXiv:1905.07785); the weights m * theta are trained on n samples
of the target y = X w + noise, with the other weights held at 0. All results are for squared loss and training to
convergence.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from planted.base import arrays
from planted.base.checks import check_array, check_integer, check_mask, check_number
from recovery.operators.ranks import nearest_solution

__all__ = ["ErrorSplit", "error_split", "expected_error", "mean_is_finite", "ticket_wins", "training_limit"]


class ErrorSplit(NamedTuple):
    """Squared distance between trained weights and the truth, split into three parts.

    Parameters
    ----------
    outside : float
        |w|^2 over the weights outside the mask.
    start : float
        |P m (theta - w)|^2, P the projection onto the null space of the mask's columns: the part that no sample
        corrects.
    fitted : float
        |X_m^+ e|^2 with e = X (w - m w) + noise: the part caused by fitting the weights outside the mask and the noise.
    """

    outside: float
    start: float
    fitted: float

    @property
    def total(self) -> float:
        """The sum, |found - w|^2."""
        return self.outside + self.start + self.fitted


def training_limit(X: Any, y: Any, start: Any, mask: Any = None) -> Any:
    """Return the limit of gradient descent or gradient flow from masked weights: m theta + X_m^+ (y - X m theta).

    Parameters
    ----------
    X : array, shape (n, p)
        Inputs of the target task.
    y : array, shape (n,)
        Its targets.
    start : array, shape (p,)
        theta; entries outside the mask are ignored.
    mask : array of bool, shape (p,), optional
        m; all weights by default.

    Returns
    -------
    array, shape (p,)
        The least-squares solution on the mask that is nearest to the start, 0 outside.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match.

    Notes
    -----
    Gradients lie in the row space of X_m, so the part of the start in its null space does not change. The numerical
    rank is determined as everywhere in the project.

    References
    ----------
    Derived here: docs/theory, "Limit of training a transferred ticket".
    """
    X, start, mask, xp = _problem(X, start, mask)
    y = check_array(y, "y", ndim=1, shape=(int(X.shape[0]),))
    return _nearest(xp, X, y, start, mask)


def error_split(X: Any, start: Any, truth: Any, mask: Any = None, noise: Any = None) -> ErrorSplit:
    """Return the error of the trained weights of one instance, in three parts.

    Parameters
    ----------
    X : array, shape (n, p)
        Inputs of the target task.
    start, truth : array, shape (p,)
        theta and w.
    mask : array of bool, shape (p,), optional
        m; all weights by default.
    noise : array, shape (n,), optional
        None means no noise.

    Returns
    -------
    ErrorSplit
        |m theta_end - w|^2, where theta_end = :func:`training_limit` for y = X w + noise.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match.

    Notes
    -----
    The trained weights differ from m w by P m (theta - w) + X_m^+ e. The two are orthogonal, since one is in the null
    space of X_m and the other in its row space. The start affects only the first: with independent columns it is 0, and
    all starts have the same limit.

    References
    ----------
    Derived here: docs/theory, "Limit of training a transferred ticket".
    """
    X, start, mask, xp = _problem(X, start, mask)
    truth = check_array(truth, "truth", ndim=1, shape=start.shape)
    left_out = xp.where(mask, 0.0, truth)
    extra = X @ left_out
    if noise is not None:
        extra = extra + check_array(noise, "noise", ndim=1, shape=(int(X.shape[0]),))
    away = xp.where(mask, start - truth, 0.0)
    fitted = _nearest(xp, X, extra, xp.zeros_like(away), mask)
    kept = _nearest(xp, X, xp.zeros_like(extra), away, mask)
    parts = xp.stack([xp.sum(part * part) for part in (left_out, kept, fitted)])
    return ErrorSplit(*(float(part) for part in arrays.to_numpy(parts)))


def expected_error(n: int, size: int, outside: float, distance: float = 0.0, noise_variance: float = 0.0) -> float:
    """Return the expected squared error of a transferred ticket over Gaussian inputs.

    Parameters
    ----------
    n : int
        Samples of the target task, at least 0.
    size : int
        |m|, the weights that the mask keeps.
    outside : float
        |w|^2 over the weights that it leaves out.
    distance : float, default 0
        |m (theta - w)|^2. Ignored for n >= |m|, where the start does not matter.
    noise_variance : float, default 0
        sigma^2 of the target's noise.

    Returns
    -------
    float
        E|found - w|^2 over inputs with independent standard normal entries, which is the squared error of the
        prediction of x'w. For the error on new noisy targets add sigma^2. Infinite if 1 <= n and | n - |m| | <= 1,
        unless `outside` and `noise_variance` are both 0.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    Notes
    -----
    With o = outside + sigma^2, since weights outside the mask act like noise on those inside:

        n > |m| + 1:  outside + o |m| / (n - |m| - 1);
        n < |m| - 1:  outside + (1 - n / |m|) distance + o n / (|m| - n - 1).

    Without noise the first is outside (n - 1) / (n - |m| - 1); with it, the error on new noisy targets is o (n - 1) /
    (n - |m| - 1). The variance of the error is finite only for | n - |m| | >= 4, so near |m| means over instances
    converge slowly, and medians lie below the formula.

    References
    ----------
    Derived here: docs/theory, "The error of a transferred ticket over Gaussian inputs".
    """
    n, size = check_integer(n, "n", minimum=0), check_integer(size, "size", minimum=0)
    outside = check_number(outside, "outside", minimum=0.0)
    distance = check_number(distance, "distance", minimum=0.0)
    extra = outside + check_number(noise_variance, "noise_variance", minimum=0.0)
    kept = (1.0 - n / size) * distance if n < size else 0.0
    if n == 0 or size == 0 or extra == 0.0:
        return outside + kept
    if not mean_is_finite(n, size):
        return math.inf
    return outside + kept + extra * min(n, size) / (abs(n - size) - 1)


def mean_is_finite(n: int, size: int) -> bool:
    """Return whether a ticket's error has a finite mean over Gaussian inputs: | n - |m| | >= 2.

    Parameters
    ----------
    n : int
        Samples of the target task.
    size : int
        |m|.

    Returns
    -------
    bool
        Also True without samples or without weights.
    """
    n, size = check_integer(n, "n", minimum=0), check_integer(size, "size", minimum=0)
    return n == 0 or size == 0 or abs(n - size) >= 2


def ticket_wins(truth: Any, source: Any, start: Any, mask: Any) -> bool:
    """Return whether trained source weights are expected to be the better start: |m (w - theta_S)| < |m (w - theta_0)|.

    Parameters
    ----------
    truth, source, start : array, shape (p,)
        w of the target, theta_S (trained on the source) and theta_0 (before that).
    mask : array of bool, shape (p,)
        m.

    Returns
    -------
    bool
        For n < |m| samples with Gaussian inputs. With n >= |m| neither start wins.

    References
    ----------
    Derived here: docs/theory, "The error of a transferred ticket over Gaussian inputs".
    """
    truth = check_array(truth, "truth", ndim=1)
    size = int(truth.shape[0])
    source = check_array(source, "source", ndim=1, shape=(size,))
    start = check_array(start, "start", ndim=1, shape=(size,))
    mask = check_mask(mask, "mask", size)
    xp = arrays.namespace(truth, source, start, mask)
    near, far = (xp.sum(xp.where(mask, truth - one, 0.0) ** 2) for one in (source, start))
    return bool(near < far)


def _problem(X: Any, start: Any, mask: Any) -> tuple[Any, Any, Any, Any]:
    X = check_array(X, "X", ndim=2)
    p = int(X.shape[1])
    start = check_array(start, "start", ndim=1, shape=(p,))
    xp = arrays.namespace(X, start)
    mask = xp.ones(p, dtype=bool) if mask is None else check_mask(mask, "mask", p)
    return X, start, mask, arrays.namespace(X, start, mask)


def _nearest(xp: Any, X: Any, y: Any, start: Any, mask: Any) -> Any:
    """Return the least-squares solution on the mask that is nearest to the start, 0 outside."""
    kept = xp.flatnonzero(mask)
    found = xp.zeros(start.shape, dtype=X.dtype)
    if not int(kept.shape[0]):
        return found
    if not int(X.shape[0]):
        return xp.where(mask, start, 0.0)
    part, target, begin = (value.astype(float) for value in (X[:, kept], y, start[kept]))
    found[kept] = nearest_solution(xp, part, target, begin, X.dtype)[0].astype(X.dtype)
    return found
