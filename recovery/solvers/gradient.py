"""Gradient steps: hard-thresholded, in memory or streamed, and on a support with Armijo's rule."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.operators.arithmetic import normalised_power, power
from recovery.operators.base import Operator, Support
from recovery.operators.thresholding import StreamingTopS, select_top

__all__ = [
    "descend",
    "gradient_step_size",
    "power_iteration",
    "relative_move",
    "squared_move",
    "step_in_units",
    "thresholded_step",
    "top_of_gradient",
]


def thresholded_step(
    operator: Operator, support: Any, values: Any, residual: Any, step: Any, s: int, *, stream: bool = False
) -> tuple[Any, Any]:
    """Return H_s(x + step A' residual) as its indices and entries.

    Parameters
    ----------
    operator : Operator
        A.
    support, values : array, shape (k,)
        x.
    residual : array, shape (n,)
        y - A x.
    step : float or array of shape ()
        Step size.
    s : int
        Sparsity.
    stream : bool, default False
        Work block by block with O(n b + s) extra memory, without any vector of length N.

    Returns
    -------
    support : array of int64, shape (s,)
        Ascending.
    values : array, shape (s,)
        The entries there.
    """
    if not stream:
        point = step * operator.rmatvec(residual)
        if support.shape[0]:
            point[support] = point[support] + values
        chosen = select_top(point, s)
        return chosen, point[chosen]
    top = StreamingTopS(s)
    known = arrays.to_numpy(support)
    for start, block in operator.rmatvec_blocks(residual):
        low, high = np.searchsorted(known, (start, start + int(block.shape[0])))
        piece = step * block
        if high > low:
            here = support[int(low) : int(high)] - start
            piece[here] = piece[here] + values[int(low) : int(high)]
        top.feed(start, piece)
    return top.result()


def top_of_gradient(operator: Operator, residual: Any, s: int, *, stream: bool = False) -> tuple[Any, Any]:
    """Return the indices and entries of the s largest entries of A' residual."""
    empty = operator.xp.zeros(0, dtype=operator.xp.int64)
    return thresholded_step(operator, empty, empty, residual, 1.0, s, stream=stream)


def squared_move(xp: Any, new: Any, new_values: Any, old: Any, old_values: Any) -> tuple[Any, Any]:
    """Return |x_new - x_old|^2 and the number of indices that entered, without leaving the device.

    Both supports are ascending. No large sums are subtracted, so small moves are exact.
    """
    if not old.shape[0]:
        return (new_values * new_values).sum(), xp.asarray(float(new.shape[0]), dtype=new_values.dtype)
    place = xp.minimum(xp.searchsorted(old, new), int(old.shape[0]) - 1)
    stayed = old[place] == new
    inside = new_values - xp.where(stayed, old_values[place], 0.0)
    back = xp.minimum(xp.searchsorted(new, old), int(new.shape[0]) - 1)
    left = xp.where(new[back] == old, 0.0, old_values)
    square = (inside * inside).sum() + (left * left).sum()
    return square.astype(new_values.dtype), (~stayed).sum().astype(new_values.dtype)


def relative_move(xp: Any, new: Any, new_values: Any, old: Any, old_values: Any) -> tuple[Any, Any]:
    """Return |x_new - x_old| / |x_new|, and the number of indices that entered, without leaving the device.

    No square under- or overflows, so that a move of tiny numbers is not 0 and one of huge numbers not infinity over
    infinity. Infinite if x_new = 0 and x_old is not; 0 if both are 0.
    """
    _, unit = normalised_power(xp.concatenate([new_values, old_values]))
    new_values, old_values = new_values / unit, old_values / unit
    moved, change = squared_move(xp, new, new_values, old, old_values)
    size = (new_values * new_values).sum()
    some = size > 0.0
    ratio = xp.sqrt(moved / xp.where(some, size, 1.0))
    return xp.where(some | (moved == 0.0), ratio, xp.inf).astype(new_values.dtype), change


def step_in_units(step: float, a: int) -> float:
    """Return a step size for A / 2^a, which is 2^(2 a) times that for A, as a number greater than 0."""
    return min(max(power(step, 2 * a), sys.float_info.min), sys.float_info.max)


def gradient_step_size(columns: Support, residual: Any) -> tuple[Any, Any]:
    """Return |g_S|^2 and |A_S g_S|^2 for g_S = A_S' residual, over one power of two; the exact step is their ratio."""
    gradient, _ = normalised_power(columns.adjoint(residual))
    image = columns.forward(gradient)
    return (gradient * gradient).sum(), (image * image).sum()


ARMIJO = 0.9
"""A step t is accepted if F(new) <= F - ARMIJO t |g|^2, F = |r|^2."""
MAX_HALVINGS = 10
"""A step that needs more halvings than this fails."""


def descend(
    columns: Any, start: Any, descent: Any, step: Any, n_steps: int, *, resume: bool = True, scaled: bool = False
) -> Any:
    """Take gradient steps on |y - A_S v|^2 with Armijo's rule in closed form, without synchronisation.

    Parameters
    ----------
    columns : Support, or an object with its `square`, `curvature` and `normal`
        A_S. Several problems, one per row, give one number per row.
    start, descent : array, shape (..., k)
        Values to start from, and A_S'(y - A_S start).
    step : array, shape (...)
        Largest step; it is never enlarged.
    n_steps : int
        Number of steps.
    resume : bool, default True
        After a failed step, go back to its start and continue from there with the shortened step. Otherwise return the
        start if any step fails.
    scaled : bool, default False
        Divide each gradient by a power of two first, so that no square under- or overflows whatever the units.

    Returns
    -------
    array, shape (..., k)
        Values.

    Notes
    -----
    |r - t A g|^2 = |r|^2 - 2 t |g|^2 + t^2 |A g|^2, so that Armijo's condition F(new) <= F - ARMIJO t |g|^2 is
    t |A g|^2 <= (2 - ARMIJO) |g|^2, which stays meaningful near the rounding floor and gives the number of halvings
    needed. The gradient is updated: g - t A'A g.
    """
    xp = arrays.namespace(start)
    tiny = float(np.finfo(start.dtype).tiny)
    values, gradient = start, descent
    failed: Any = None
    for number in range(n_steps):
        small, unit = normalised_power(gradient) if scaled else (gradient, None)
        if number == n_steps - 1:  # the gradient is not needed again
            product, curvature = small, columns.curvature(small)
        else:
            product, curvature = columns.normal(small)
        ratio = step * curvature / xp.maximum((2.0 - ARMIJO) * columns.square(small), tiny)
        halvings = xp.minimum(xp.ceil(xp.log2(xp.maximum(ratio, 1.0))), MAX_HALVINGS + 1.0)
        over = (halvings > MAX_HALVINGS)[..., None]
        step = step * 2.0**-halvings
        length = (step if unit is None else step * unit)[..., None]
        values, gradient = values + length * small, gradient - length * product
        if resume:
            values, gradient = xp.where(over, start, values), xp.where(over, descent, gradient)
        else:
            failed = over if failed is None else failed | over
    return values if failed is None else xp.where(failed, start, values)


def power_iteration(operator: Operator, y: Any, *, max_iter: int = 100, tol: float = 1e-3) -> float:
    """Estimate the largest eigenvalue of A'A from below.

    Parameters
    ----------
    operator : Operator
        A, with ``matvec``.
    y : array, shape (n,)
        The start is y, in the space of the rows, so the estimate is deterministic and does not depend on the order of
        the columns.
    max_iter : int, default 100
        Largest number of products with A A'.
    tol : float, default 1e-3
        Relative change of the estimate at which the iteration ends.

    Returns
    -------
    float
        |A A' u| / |u| of the last u: at most |A|^2. 0 if A'y = 0.
    """
    xp = operator.xp
    u = y / xp.sqrt((y * y).sum())
    estimate = 0.0
    for _ in range(max_iter):
        u = operator.matvec(operator.rmatvec(u))
        peak = xp.abs(u).max()
        u = u / xp.where(peak > 0.0, peak, 1.0).astype(u.dtype)  # so that no square under- or overflows
        norm = xp.sqrt((u * u).sum())
        now = float(peak * norm)
        if now == 0.0:
            return 0.0
        u = u / norm
        if abs(now - estimate) <= tol * now:
            return max(now, estimate)
        estimate = now
    return estimate
