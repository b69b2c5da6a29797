"""The Lasso as a comparator: its whole path, the first support of size k, and the best penalty for a known support."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linear_lottery._arguments import places
from linear_lottery.selection import Selection, checked, refitted
from planted import arrays
from planted.quiet import quiet
from planted.values import by_value

__all__ = ["LassoPath", "lasso", "lasso_best", "lasso_path"]

ENOUGH = 10**6
"""Knots after which a path would be cut; paths have about as many as min(n, d)."""


@by_value
@dataclass(frozen=True, eq=False)
class LassoPath:
    """All solutions of min |y - X w|^2 / (2 n) + lam |w|_1, lam > 0.

    Parameters
    ----------
    knots : numpy.ndarray, shape (R + 1,)
        Penalties at which the support changes, descending. Above the first one w is 0.
    weights : numpy.ndarray, shape (R + 1, d)
        Solutions at the knots; linear in between.
    masks : numpy.ndarray of bool, shape (R, d)
        masks[r] is the support for all penalties strictly between knots r and r + 1.
    """

    knots: np.ndarray = field(repr=False)
    weights: np.ndarray = field(repr=False)
    masks: np.ndarray = field(repr=False)

    @property
    def sizes(self) -> np.ndarray:
        """Number of weights between the knots, shape (R,)."""
        return self.masks.sum(axis=1)

    def visits(self, support: Any) -> bool:
        """Say whether a positive penalty gives exactly this support.

        Parameters
        ----------
        support : array of int
            Indices, in any order; none at all is the solution 0.

        Returns
        -------
        bool
            True if a stretch of penalties has it.
        """
        wanted = np.zeros(self.weights.shape[1], dtype=bool)
        wanted[places(support, "support", wanted.shape[0])] = True
        return not wanted.any() or bool((self.masks == wanted).all(axis=1).any())


def lasso_path(X: Any, y: Any) -> LassoPath:
    """Return the path of Lasso solutions over all positive penalties.

    Parameters
    ----------
    X : array, shape (n, d)
        Features as they are: no centring, no scaling.
    y : array, shape (n,)
        Targets.

    Returns
    -------
    LassoPath
        On the CPU, in float64, wherever the data are.

    Raises
    ------
    TypeError, ValueError
        If shapes or devices do not fit, or an element is NaN or infinite.

    Notes
    -----
    scikit-learn's ``lars_path``, method ``"lasso"``. Supports are those of the open stretches between knots, so the
    limit of penalty 0 is left out: there the solution is least squares, and without noise it has the planted support
    for trivial reasons (n >= d). Where the path breaks down before 0, as rounding makes it do without noise or with
    dependent columns, the stretches up to there are returned. Data are scaled first, by powers of two, since
    scikit-learn ends a path at a penalty of 1.2e-7, whatever the units: here that is 2.4e-7 of the largest one at most.

    References
    ----------
    Efron, Hastie, Johnstone and Tibshirani, Ann. Statist. 2004 (scikit-learn's implementation; the supports are
    verified against the primal-dual witness by tests/linear_lottery/test_comparators_lasso.py).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import lars_path

    X, y, _ = checked(X, y)
    X = np.asarray(arrays.to_numpy(X), dtype=np.float64)
    y = np.asarray(arrays.to_numpy(y), dtype=np.float64)
    X, x_exponent = _scaled(X, float(np.abs(X).max()))
    y, y_exponent = _scaled(y, float(np.abs(y).max()))
    y, penalty_exponent = _scaled(y, float(np.abs(X.T @ y).max()) / len(y))  # now the first knot is 1/2 to 1
    y_exponent += penalty_exponent
    with quiet(ConvergenceWarning):
        knots, _, weights = lars_path(X, y, method="lasso", max_iter=ENOUGH)
    knots, weights = np.ldexp(knots, x_exponent + y_exponent), np.ldexp(weights.T, y_exponent - x_exponent)
    left = np.zeros(weights.shape, dtype=bool)
    # a weight that has just come down to 0 is left at rounding, and is exactly 0 at the next knot
    left[1:-1] = (weights[2:] == 0) & (np.abs(weights[1:-1]) <= 1e-12 * np.abs(weights[:-2]))
    weights = np.where(left, 0.0, weights)
    real = knots[:-1] > knots[1:]
    masks = ((weights[:-1] != 0) | (weights[1:] != 0))[real]
    kept = np.append(np.flatnonzero(real), len(knots) - 1)
    return LassoPath(knots[kept], weights[kept], masks)


def lasso(X: Any, y: Any, k: int) -> Selection:
    """Select k weights by the Lasso: the first support of size k as the penalty falls.

    Parameters
    ----------
    X : array, shape (n, d)
        Features as they are; computed on the CPU.
    y : array, shape (n,)
        Targets.
    k : int
        How many weights, from 0 to d.

    Returns
    -------
    Selection
        If no penalty gives k weights, the first support of the largest smaller size that the path visits.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Notes
    -----
    See :func:`lasso_path`.

    References
    ----------
    As :func:`lasso_path`.
    """
    X, y, k = checked(X, y, k)
    path = lasso_path(X, y)
    return _selected("lasso", X, y, _first_of_size(path, k))


def lasso_best(X: Any, y: Any, support: Any) -> Selection:
    """Return the given support if any positive penalty has exactly it: the best that the Lasso can do.

    Parameters
    ----------
    X : array, shape (n, d)
        Features as they are; computed on the CPU.
    y : array, shape (n,)
        Targets.
    support : array of int
        The planted support, which no method could know.

    Returns
    -------
    Selection
        The given support where the path visits it, otherwise that of :func:`lasso` of the same size, which then
        differs from it.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Notes
    -----
    An oracle: no rule that chooses the penalty from the data is right more often.

    References
    ----------
    As :func:`lasso_path`.
    """
    X, y, _ = checked(X, y)
    wanted = places(support, "support", X.shape[1])
    path = lasso_path(X, y)
    chosen = wanted if path.visits(wanted) else _first_of_size(path, len(wanted))
    return _selected("lasso-best", X, y, chosen)


def _scaled(values: np.ndarray, size: float) -> tuple[np.ndarray, int]:
    """Return values * 2^-e and e, such that size * 2^-e is between 1/2 and 1, or e = 0 for size 0."""
    exponent = math.frexp(size)[1] if size else 0
    return np.ldexp(values, -exponent), exponent


def _first_of_size(path: LassoPath, k: int) -> np.ndarray:
    sizes = path.sizes
    fitting = sizes[sizes <= k]
    if k == 0 or not fitting.size:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(path.masks[np.argmax(sizes == fitting.max())]).astype(np.int64)


def _selected(method: str, X: Any, y: Any, support: np.ndarray) -> Selection:
    return refitted(method, X, y, arrays.from_numpy_like(support, X))
