"""Levenberg-Marquardt on a fixed support, and the covariance for the significance tests of entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from planted.base import arrays
from planted.base.arrays import EPS
from recovery.networks.exact.model import Inputs, Lines, columns, predict

__all__ = ["Spread", "gram", "levenberg", "regular", "size", "spread", "square"]

TRIES = 7
"""Damping values tried for one step."""
LEAST = {np.dtype("float32"): 1e-8, np.dtype("float64"): 1e-13}
"""Smallest damping, by dtype."""


def square(r: Any) -> float:
    """Return |r|^2."""
    return float((r * r).sum())


def size(r: Any) -> float:
    """Return the root mean square of r."""
    return float(np.sqrt(square(r) / int(r.shape[0])))


def gram(inputs: Inputs, model: Lines, r: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return F F' and F r on the host, in float64, for the columns F of the model."""
    xp, total, right = inputs.xp, None, None
    for rows, _, F in columns(inputs, model):
        part, side = (F @ F.T).astype(np.float64), (F @ r[rows]).astype(np.float64)
        total, right = (part, side) if total is None else (total + part, right + side)
    return arrays.to_numpy(xp.asarray(total)), arrays.to_numpy(xp.asarray(right))


def regular(H: np.ndarray) -> bool:
    """Return whether columns with Gram matrix H are independent: no pivot is zero up to rounding."""
    diagonal = np.diag(H)
    if not (diagonal > 0).all():
        return False
    scale = np.sqrt(diagonal)
    try:
        factor = scipy.linalg.cholesky(H / np.outer(scale, scale), check_finite=False)
    except np.linalg.LinAlgError:
        return False
    return bool((np.diag(factor) ** 2 > 16 * EPS).all())


def levenberg(
    inputs: Inputs, y: Any, model: Lines, steps: int, damping: float, *, stop: float = 0.01, enough: float = 0.0
) -> tuple[Lines, Any, float]:
    """Make damped Gauss-Newton steps on the support.

    Parameters
    ----------
    inputs : Inputs
        The data.
    y : array, shape (n,)
        Targets, in the dtype of the inputs.
    model : Lines
        The start.
    steps : int
        Largest number of steps.
    damping : float
        A multiple of the diagonal of F F' is added: /6 after a step that lowers |r|^2, * 8 after one that does not. 0
        makes plain Gauss-Newton steps.
    stop : float
        Stop once |r|^2 falls by less than this fraction.
    enough : float
        Stop once |r|^2 is at most this.

    Returns
    -------
    model, r, damping
        The best iterate, its residual, and the damping for the next call.
    """
    r = y - predict(inputs, model)
    best = square(r)
    for _ in range(steps):
        if best <= enough:
            break
        H, g = gram(inputs, model, r)
        diagonal = np.diag(H) + 1e-9 * np.diag(H).max(initial=0.0)
        for _ in range(TRIES):
            try:
                factor = scipy.linalg.cho_factor(H + np.diag(damping * diagonal), check_finite=False)
            except np.linalg.LinAlgError:
                damping = max(10 * damping, 1e-8)
                continue
            trial = model.moved(inputs, scipy.linalg.cho_solve(factor, g, check_finite=False))
            left = y - predict(inputs, trial)
            reached = square(left)
            if reached < best:
                break
            damping = max(8 * damping, 1e-7)
        else:
            break
        fall = 1.0 - reached / best
        model, r, best = trial, left, reached
        damping = max(damping / 6, LEAST[inputs.dtype]) if damping else 0.0
        if fall < stop:
            break
    return model, r, damping


@dataclass(frozen=True, eq=False)
class Spread:
    """Covariance of the parameters at one point.

    Attributes
    ----------
    factor : tuple
        Cholesky factor of F F', for ``scipy.linalg.cho_solve``.
    inverse : numpy.ndarray, shape (p, p)
        (F F')^-1: times the variance of the noise, the covariance of the parameters.
    """

    factor: Any
    inverse: np.ndarray

    def of_lines(self, inputs: Inputs, model: Lines) -> np.ndarray:
        """Return the diagonal of the inverse for the entries of lines, shape (L, d); infinite off the support."""
        found = np.full(model.support.shape, np.inf)
        found[model.places()] = np.maximum(np.diag(self.inverse)[len(inputs.straight) + len(inputs.bent) :], 0.0)
        return found


def spread(inputs: Inputs, H: np.ndarray) -> Spread:
    """Invert F F' after adding the smallest multiple of its diagonal for which the Cholesky factorisation succeeds."""
    jitter = 3e-7 if inputs.dtype == np.float32 else 1e-14
    while True:
        try:
            factor = scipy.linalg.cho_factor(H + np.diag(jitter * np.diag(H)), check_finite=False)
            break
        except np.linalg.LinAlgError:
            jitter *= 30
            if jitter > 1:
                raise
    return Spread(factor, scipy.linalg.cho_solve(factor, np.eye(len(H)), check_finite=False))
