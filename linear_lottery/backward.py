"""Backward elimination: repeatedly drop the least costly weight, using the deflation of magnitude pruning."""

from __future__ import annotations

from typing import Any

import numpy as np

from linear_lottery._deflation import GUARD, Deflation
from linear_lottery._imp import prune_to
from linear_lottery._pruning import Problem
from linear_lottery.selection import Selection, checked
from planted.base import arrays
from planted.base.arrays import EPS

__all__ = ["backward_elimination"]

TIE = 8.0
"""Square roots of saliencies count as equal up to this multiple of eps (|y| + |(|x_j| w_j)_j|)."""


def backward_elimination(X: Any, y: Any, sparsity: int) -> Selection:
    """Drop one weight after another, always the one whose removal raises the squared error least, until k are left.

    Parameters
    ----------
    X : array, shape (n, d)
        Features with full column rank, n >= d.
    y : array, shape (n,)
        Targets.
    sparsity : int
        Number of weights that survive, k, from 0 to d.

    Returns
    -------
    Selection
        ``order`` lists the d - k dropped weights in order of removal.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or X lacks full column rank (as in :func:`linear_lottery.imp`).

    Notes
    -----
    Removing weight j and refitting the others raises |y - X w|^2 by w_j^2 / [(X_M'X_M)^-1]_jj, the saliency of Optimal
    Brain Surgeon, which :func:`linear_lottery.imp` replaces by w_j^2. With W = R^-1 from X_M = Q R it is (w_j /
    |W_j|)^2, and the whole path is the deflation of ``imp``, O(n d^2 + d^3). Saliencies whose square roots differ by at
    most 8 eps (|y| + |(|x_j| w_j)_j|) are ties, and the smaller index survives; others closer than about eps cond(X_M)
    |y| may be removed in either order. On a GPU there is one synchronisation per weight, and a few per refactorisation.

    References
    ----------
    Couvreur and Bresler, SIAM J. Matrix Anal. Appl. 2000; the saliency: docs/theory,
    "Increase of the residual by pruning", and :func:`linear_lottery.closed_forms.obs_saliency`. Checked against refits
    by tests/linear_lottery/test_comparators_backward.py.
    """
    X, y, k = checked(X, y, sparsity)
    route = _BySaliency.of(Problem(X, y, None, np.inf))
    if route is None:
        raise ValueError(f"X of shape {tuple(X.shape)} lacks full column rank; expected independent columns, n >= d")
    path = prune_to(route, k, "one-by-one")
    return Selection("backward", path.support, path.w, path.order, k)


class _BySaliency(Deflation):
    """The deflation of magnitude pruning, ordered by the square roots of saliencies, |w_j| / |W_j|."""

    def _factor(self, A: Any, z: Any, by_gram: bool = False) -> None:
        super()._factor(A, z, by_gram)
        if self.sound:
            self.first_squares = self.problem.xp.zeros(self.problem.d, dtype=self.squares.dtype)
            self.first_squares[self.index] = self.squares

    def magnitudes(self) -> tuple[np.ndarray, float]:
        """Return square roots of saliencies on the CPU, infinite where dropped, and the tolerance for ties."""
        weights, squares, first, tolerance = self._saliencies()
        # |W_j|^2 has an error of eps times its value at the last factorisation, and must stay well above that
        if np.any(squares < GUARD**2 * first) or squares.max() < GUARD**2 * self.longest:
            self._factor_again()
            weights, squares, first, tolerance = self._saliencies()
        roots = np.full(len(self.alive), np.inf)
        roots[self.alive] = weights / np.sqrt(squares)
        return roots, tolerance

    def _saliencies(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        xp, problem = self.problem.xp, self.problem
        reach = self.norms[self.index] * self.weights
        tolerance = TIE * self.loss * EPS * (problem.y_norm + xp.sqrt((reach * reach).sum()))
        parts = (xp.abs(self.weights), self.squares, self.first_squares[self.index], tolerance.reshape(1))
        host = arrays.to_numpy(xp.concatenate(parts))
        weights, squares, first = host[:-1].reshape(3, -1)[:, self.alive]
        return weights, squares, first, float(host[-1])
