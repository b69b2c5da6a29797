"""The Lasso as a comparator: its whole path, the first support of size k, and the best penalty for a known support."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linear_lottery.closed_forms.arguments import places
from linear_lottery.selection import Selection, checked, refitted
from planted.base import arrays
from planted.base.values import by_value
from recovery.solvers.homotopy import stretches

__all__ = ["LassoPath", "lasso", "lasso_best", "lasso_path"]


@by_value
@dataclass(frozen=True, eq=False)
class LassoPath:
    """All solutions of min |y - X w|^2 / (2 n) + lam |w|_1, lam > 0.

    Parameters
    ----------
    knots : numpy.ndarray, shape (R + 1,)
        Penalties at which the support changes, in descending order. Above the first one, w is 0.
    weights : numpy.ndarray, shape (R + 1, d)
        Solutions at the knots; linear in between.
    masks : numpy.ndarray of bool, shape (R, d)
        masks[r] is the support for all penalties strictly between knots r and r + 1.
    """

    knots: NDArray[np.float64]
    weights: NDArray[np.float64]
    masks: NDArray[np.bool_]

    def __repr__(self) -> str:
        """Return sizes, without the arrays."""
        most = self.sizes.max(initial=0)
        return f"LassoPath(d={self.weights.shape[1]}, {len(self.masks)} supports of up to {most} weights)"

    @property
    def sizes(self) -> np.ndarray:
        """Number of weights between the knots, shape (R,)."""
        return self.masks.sum(axis=1)

    def visits(self, support: Any) -> bool:
        """Return whether some positive penalty gives exactly this support.

        Parameters
        ----------
        support : array of int
            Indices, in any order; an empty support is the solution 0.

        Returns
        -------
        bool
            True if it is the support on an interval of penalties.
        """
        wanted = np.zeros(self.weights.shape[1], dtype=bool)
        wanted[places(support, "support", wanted.shape[0])] = True
        return not wanted.any() or bool((self.masks == wanted).all(axis=1).any())


def lasso_path(X: Any, y: Any) -> LassoPath:
    """Return the path of Lasso solutions over all positive penalties.

    Parameters
    ----------
    X : array, shape (n, d)
        Features, used without centring or scaling.
    y : array, shape (n,)
        Targets.

    Returns
    -------
    LassoPath
        On the CPU, in float64, wherever the data live.

    Raises
    ------
    TypeError, ValueError
        If shapes or devices do not match, or an element is NaN or infinite.

    Notes
    -----
    :func:`recovery.solvers.homotopy.stretches`: any number of columns may enter or leave at one penalty, and columns
    may be equal or dependent; among several solutions the one that uses columns with smaller indices is chosen.
    Supports are those of the open intervals between knots, so the limit of penalty 0 is excluded: there the solution is
    least squares, which without noise trivially has the planted support (n >= d). Columns whose correlations with the
    residual differ from the penalty by less than rounding error are ties.

    References
    ----------
    Osborne, Presnell and Turlach, IMA J. Numer. Anal. 2000; Efron, Hastie, Johnstone and Tibshirani, Ann. Statist.
    2004. Verified against cvxpy, all sign patterns and the primal-dual witness by
    tests/linear_lottery/test_comparators_lasso.py and test_homotopy.py.
    """
    X, y, _ = checked(X, y)
    X = np.asarray(arrays.to_numpy(X), dtype=np.float64)
    y = np.asarray(arrays.to_numpy(y), dtype=np.float64)
    n, d = X.shape
    X, x_exponent = _scaled(X, float(np.abs(X).max()))
    y, y_exponent = _scaled(y, float(np.abs(y).max()))
    found = list(stretches(X, y))
    last = [found[-1].low] if found else [0.0]
    knots = np.array([one.high for one in found] + last)
    weights = np.array([one.first for one in found] + [found[-1].last if found else np.zeros(d)])
    masks = np.zeros((len(found), d), dtype=bool)
    for row, one in zip(masks, found, strict=True):
        row[one.support] = True
    # weights that enter or leave at a knot are 0 at the knot itself
    both = np.concatenate([masks[:1] & False, masks[:-1] & masks[1:], masks[-1:]]) if found else weights != 0
    weights = np.where(both, weights, 0.0)
    return LassoPath(np.ldexp(knots / n, x_exponent + y_exponent), np.ldexp(weights, y_exponent - x_exponent), masks)


def lasso(X: Any, y: Any, sparsity: int) -> Selection:
    """Select k weights by the Lasso: the first support of size k as the penalty decreases.

    Parameters
    ----------
    X : array, shape (n, d)
        Features, used unscaled; computed on the CPU.
    y : array, shape (n,)
        Targets.
    sparsity : int
        Number of weights, k, from 0 to d.

    Returns
    -------
    Selection
        If no penalty gives k weights, the first support of the next smaller size that the path visits.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    See :func:`lasso_path`.

    References
    ----------
    As :func:`lasso_path`.
    """
    X, y, k = checked(X, y, sparsity)
    path = lasso_path(X, y)
    return _selected("lasso", X, y, _first_of_size(path, k), k)


def lasso_best(X: Any, y: Any, support: Any) -> Selection:
    """Return the given support if some positive penalty selects exactly it: the best that the Lasso can do.

    Parameters
    ----------
    X : array, shape (n, d)
        Features, used unscaled; computed on the CPU.
    y : array, shape (n,)
        Targets.
    support : array of int
        The planted support, which no method could know.

    Returns
    -------
    Selection
        The given support if the path visits it, otherwise that of :func:`lasso` of the same size, which then differs
        from it.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    This is an oracle: no rule that chooses the penalty from the data finds the support more often.

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


def _selected(method: str, X: Any, y: Any, support: np.ndarray, sparsity: int | None = None) -> Selection:
    return refitted(method, X, y, arrays.from_numpy_like(support, X), sparsity)
