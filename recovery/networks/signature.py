"""How many neurons of either sign a target asks for, guessed from one matrix of moments."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted import arrays
from recovery._sums import column_means

__all__ = ["positive_shares", "sign_counts"]


def sign_counts(X: Any, y: Any, rng: np.random.Generator) -> tuple[int, int]:
    """Guess how many lines of positive and of negative strength a scalar target has.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    y : array, shape (n,)
        Targets.
    rng : numpy.random.Generator
        Permutes the targets for the noise level.

    Returns
    -------
    positive, negative : int
        Numbers of eigenvalues above and below what permuted targets show; (0, 0) when the
        inputs have no spread or nothing stands out.

    Notes
    -----
    For x ~ N(0, I) and f(x) = sum_l c_l |u_l . x| / 2 + b . x,
    E[f(x) (x x' - I)] = sum_l c_l u_l u_l' / sqrt(2 pi), so its eigenvalues have the signs of the
    strengths c_l where the lines are not too dependent (derived here, "Signature of a network" in
    ``docs/derivations.md``). For other inputs, which are whitened first, it is a heuristic: it only chooses
    the signs of the neurons of a first start.
    """
    xp = arrays.namespace(X)
    n, d = int(X.shape[0]), int(X.shape[1])
    if n <= d:
        return 0, 0
    centred = X - column_means(X)
    spread, axes = xp.linalg.eigh(centred.T @ centred / n)
    keep = spread > 1e-10 * spread.max()
    scale = xp.where(keep, 1.0 / xp.sqrt(xp.where(keep, spread, 1.0)), 0.0)
    white = centred @ (axes * scale)
    target = y - y.mean()
    target = target - white @ (white.T @ target / n)

    def spectrum(values: Any) -> np.ndarray:
        return arrays.to_numpy(xp.linalg.eigvalsh((white.T * values) @ white / n))

    shuffled = target[xp.asarray(rng.permutation(n))]
    level = float(np.abs(spectrum(shuffled)).max())
    found = spectrum(target)
    return int((found > level).sum()), int((found < -level).sum())


def positive_shares(X: Any, y: Any, rng: np.random.Generator) -> list[float]:
    """Return shares of positive neurons in the bank to try, the likeliest first.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs.
    y : array, shape (n,)
        Targets.
    rng : numpy.random.Generator
        Permutes the targets for the noise level of :func:`sign_counts`.

    Returns
    -------
    list of float
        Shares between 0 and 1: first the guess from the signature, 1/2 where it shows nothing.
    """
    positive, negative = sign_counts(X, y, rng)
    guess = 0.5
    if positive + negative:
        # three tenths of the answer's neurons to spare on either side
        guess = (positive / (positive + negative) + 0.3) / 1.6
    return [guess, 0.5, 0.8, 0.2]
