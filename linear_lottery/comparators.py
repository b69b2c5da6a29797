"""Methods to compare with magnitude pruning: each takes X, y and k, and returns a `Selection` of k of d weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from linear_lottery.backward import backward_elimination
from linear_lottery.closed_forms.arguments import places
from linear_lottery.lasso_paths import LassoPath, lasso, lasso_best, lasso_path
from linear_lottery.selection import Selection, checked, refitted
from planted.base import arrays
from recovery import solve
from recovery.operators.ranks import rank
from recovery.operators.thresholding import select_top

__all__ = [
    "COMPARATORS",
    "ORACLES",
    "LassoPath",
    "Selection",
    "backward_elimination",
    "holp",
    "htp",
    "lasso",
    "lasso_best",
    "lasso_path",
    "least_squares_oracle",
    "marginal_screening",
    "omp",
]


def omp(X: Any, y: Any, sparsity: int) -> Selection:
    """Select k weights by orthogonal matching pursuit: always the one most correlated with the residual.

    Parameters
    ----------
    X : array, shape (n, d)
        Features; their norms do not matter.
    y : array, shape (n,)
        Targets.
    sparsity : int
        Number of weights, k, from 0 to d.

    Returns
    -------
    Selection
        Fewer than k weights if the residual vanishes earlier, or k > n.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    ``recovery.solve`` with solver ``"omp"``.

    References
    ----------
    As :class:`recovery.solvers.omp.OMP`.
    """
    X, y, k = checked(X, y, sparsity)
    return refitted("omp", X, y, solve(X, y, k, solver="omp").support, k)


def htp(X: Any, y: Any, sparsity: int) -> Selection:
    """Select k weights by hard thresholding pursuit.

    Parameters
    ----------
    X : array, shape (n, d)
        Features; their norms do not matter.
    y : array, shape (n,)
        Targets.
    sparsity : int
        Number of weights, k, from 0 to d.

    Returns
    -------
    Selection
        The best support found in the run.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    ``recovery.solve`` with solver ``"htp"``: unlike pruning, it can select dropped weights again.

    References
    ----------
    As :class:`recovery.solvers.htp.HTP`.
    """
    X, y, k = checked(X, y, sparsity)
    return refitted("htp", X, y, solve(X, y, k, solver="htp").support, k)


def marginal_screening(X: Any, y: Any, sparsity: int, *, normalise: bool = False) -> Selection:
    """Select the k features with the largest |x_j'y|.

    Parameters
    ----------
    X : array, shape (n, d)
        Features.
    y : array, shape (n,)
        Targets.
    sparsity : int
        Number of weights, k, from 0 to d.
    normalise : bool, default False
        Divide by |x_j|, so the norms of the features do not matter; zero features rank last.

    Returns
    -------
    Selection
        Ties are broken in favour of the smaller index.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Equivalent to magnitude pruning if the features are orthogonal and of equal norm.

    References
    ----------
    Genovese, Jin, Wasserman and Yao, JMLR 2012 (by its abstract).
    """
    X, y, k = checked(X, y, sparsity)
    xp = arrays.namespace(X, y)
    values = X.T @ y
    if normalise:
        norms = xp.sqrt((X * X).sum(axis=0))
        values = values / xp.where(norms > 0, norms, 1.0).astype(X.dtype)
    return refitted("marginal", X, y, select_top(values, k), k)


def holp(X: Any, y: Any, sparsity: int) -> Selection:
    """Select the k largest weights of the minimum-norm interpolation, |X'(X X')^-1 y|.

    Parameters
    ----------
    X : array, shape (n, d)
        Features with independent rows, n <= d.
    y : array, shape (n,)
        Targets.
    sparsity : int
        Number of weights, k, from 0 to d.

    Returns
    -------
    Selection
        Ties are broken in favour of the smaller index.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or the rows of X are dependent up to rounding.

    Notes
    -----
    With X' = Q R the vector is Q R'^-1 y. These are the weights after the first round of magnitude pruning from w0 = 0,
    so one-shot pruning keeps the same weights.

    References
    ----------
    Wang and Leng, "High dimensional ordinary least squares projection", JRSS B 2016 (abstract, arXiv:1506.01782).
    """
    X, y, k = checked(X, y, sparsity)
    xp = arrays.namespace(X, y)
    n, d = X.shape
    if n > d:
        raise ValueError(f"X has shape {(n, d)}; expected n <= d, since X X' must be invertible")
    Q, R = xp.linalg.qr(X.astype(np.float64).T)
    if rank(R, X.dtype) < n:
        raise ValueError(f"X of shape {(n, d)} has dependent rows up to rounding error; expected independent rows")
    return refitted("holp", X, y, select_top(Q @ xp.linalg.solve(R.T, y.astype(np.float64)), k), k)


def least_squares_oracle(X: Any, y: Any, support: Any) -> Selection:
    """Return least squares on the planted support: on average no method that has to find the support does better.

    Parameters
    ----------
    X : array, shape (n, d)
        Features.
    y : array, shape (n,)
        Targets.
    support : array of int
        The planted support, in any order.

    Returns
    -------
    Selection
        The support as given, ascending.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Notes
    -----
    Its risk is sigma^2 tr (X_S'X_S)^-1.

    References
    ----------
    Derived here: docs/theory, "Errors of predictions"; :func:`linear_lottery.closed_forms.oracle_risk`.
    """
    X, y, _ = checked(X, y)
    chosen = places(support, "support", X.shape[1])
    return refitted("ols", X, y, arrays.from_numpy_like(chosen, X))


COMPARATORS: dict[str, Callable[[Any, Any, int], Selection]] = {
    "backward": backward_elimination,
    "omp": omp,
    "htp": htp,
    "lasso": lasso,
    "marginal": marginal_screening,
    "holp": holp,
}
"""Methods that are given X, y and k. ``backward`` needs n >= d, ``holp`` n <= d."""

ORACLES: dict[str, Callable[[Any, Any, Any], Selection]] = {"lasso-best": lasso_best, "ols": least_squares_oracle}
"""Methods that are given X, y and the planted support, as bounds on what the others can achieve."""
