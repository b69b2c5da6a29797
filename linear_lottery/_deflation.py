"""Least squares on shrinking sets of columns by deflation: a whole pruning path in O(n d^2 + d^3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from linear_lottery._pruning import Problem
from planted.base import arrays
from planted.base.arrays import EPS
from recovery.operators.ranks import column_norms, gram, rank_tolerance, triangle, triangular_inverse, unit_columns

__all__ = ["Deflation"]

TIE = 4.0
"""Magnitudes are equal up to so many times :func:`Problem.rounding`; noise-free targets showed errors of 1.45."""

PANEL = 48
"""So many deflations are kept apart and then subtracted in one matrix product."""

GRAM = 10.0
"""Up to this condition number R comes from X'X, at half the time of a QR and the loss of at most a digit."""

SHRINK = 0.6
"""The survivors are factored anew when they are so few of those at the last factorisation."""

GUARD = 0.1
"""... or when the largest row of W has shrunk to so much of its length, so that no more than a digit is lost."""

BLOCK = 0.1
"""A round that prunes more than this share of the survivors factors anew, instead of deflating one by one."""


class Deflation:
    """Least-squares weights of the survivors, updated when some are pruned.

    Notes
    -----
    From X_M = Q R take z = Q'y and W = R^-1, so that w_M = W z, and the rows W_i are those of the pseudo-inverse in the
    basis Q. Pruning j takes the direction u = W_j / |W_j| out of all rows,

        w <- w - (W u) w_j / |W_j|,      W <- W - (W u) u',

    after which row j is 0. Up to PANEL directions wait: row j is corrected for them when it is needed, and W u needs no
    correction, since the directions are orthonormal. The errors are about eps |W_i| of the last factorisation. When
    the largest |W_i| has shrunk, or enough weights have gone, the columns of R that are left are factored anew (R has d
    rows, not n), which brings the errors back to those of a refit and the arrays to their present size.

    The first R is the Cholesky factor of X'X where that costs at most a digit, else it comes from Householder's QR of
    X; later ones always come from a QR. docs/theory, "Pruning by magnitude", has the reasons.
    """

    name = "deflation"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.kept = np.arange(problem.d)  # one a row of W; some of them are gone, as `alive` says
        self._factor(problem.X, problem.y, by_gram=True)
        self.first_condition = self.loss = self.condition
        if not self.loss <= GRAM:
            self._factor(*problem.reduced)
            self.first_condition, self.loss = self.condition, 1.0

    @classmethod
    def of(cls, problem: Problem) -> Deflation | None:
        """Return the route, or None unless X has full column rank for certain."""
        if problem.n < problem.d:
            return None
        with np.errstate(all="ignore"):  # whatever goes wrong in a singular X, the condition tells
            route = cls(problem)
        return route if route.first_condition <= 1 / (8 * rank_tolerance(problem.d, problem.dtype)) else None

    @property
    def condition(self) -> float:
        """An estimate of the condition number of the columns with norm 1, at most a little too small."""
        xp = self.problem.xp
        if not self.sound:
            return float("inf")
        unit, norms = unit_columns(xp, self.R)
        return _norm(xp, unit) * _norm(xp, self.W * norms[:, None])

    def _factor(self, A: Any, z: Any, by_gram: bool = False) -> None:
        """Start from the columns of A, one for each of `kept`."""
        xp, m = self.problem.xp, A.shape[1]
        self.sound = False
        # the last column of the triangle is Q'z: no Q is formed
        if by_gram:
            T = gram(xp, A, z)
            T[m, m] = 2 * T[m, m] + T[0, 0]  # only the last pivot sees it, which is 0 if A fits z
            try:
                T = xp.linalg.cholesky(T).T
            except np.linalg.LinAlgError:
                return
        else:
            T = triangle(xp, A, z)
        self.R, self.z = T[:m, :m], T[:m, m]
        norms = column_norms(xp, self.R)
        self.sound = bool((xp.abs(xp.diagonal(self.R)) > EPS * norms).all())
        if not self.sound:
            return
        self.W = triangular_inverse(xp, self.R)
        self.index, self.columns = xp.asarray(self.kept), np.arange(m)
        self.alive, self.living = np.ones(m, dtype=bool), xp.ones(m, dtype=self.W.dtype)  # on the CPU, and as factors
        self.weights = self.W @ self.z
        self.squares = (self.W * self.W).sum(axis=1)
        longest = self.squares.max()
        if m == self.problem.d:
            self.norms = norms
        rounding = self.problem.rounding(xp.sqrt(longest), self.weights, norms)
        self.tolerance, self.longest = xp.stack([TIE * rounding, longest]).tolist()
        self.U = xp.zeros((PANEL, m), dtype=self.W.dtype)
        self.C = xp.zeros((PANEL, m), dtype=self.W.dtype)
        self.waiting, self.left = 0, m

    def _factor_again(self) -> None:
        """Factor the survivors' columns of R, whose condition is no larger than before (interlacing)."""
        left = self.columns[self.alive]
        self.kept = self.kept[self.alive]
        self._factor(self.R[:, self.problem.xp.asarray(left)], self.z)

    def write(self, row: Any) -> None:
        """Write the weights into a row of zeros, shape (d,)."""
        row[self.index] = self.weights

    def magnitudes(self) -> tuple[np.ndarray, float]:
        """Return |w| on the CPU, infinite where pruned, and what counts as a tie; one synchronisation."""
        host = self._fetch()
        if host[-1] < GUARD * GUARD * self.longest:
            self._factor_again()
            host = self._fetch()
        magnitude = host[:-1]
        magnitude[~self.alive] = np.inf
        return magnitude, self.tolerance * self.loss

    def _fetch(self) -> np.ndarray:
        xp = self.problem.xp
        return arrays.to_numpy(xp.concatenate([xp.abs(self.weights), self.squares.max().reshape(1)]))

    def remove(self, positions: np.ndarray) -> None:
        """Prune rows by their positions."""
        before, left = self.left, self.left - len(positions)
        self.alive[positions], self.left = False, left
        if not left:
            return
        if left <= SHRINK * self.W.shape[1] or len(positions) > BLOCK * before:
            self._factor_again()
            return
        for position in positions.tolist():
            self._deflate(position)
        if len(self.alive) - left >= PANEL:
            self._drop_dead_rows()

    def _deflate(self, j: int) -> None:
        xp = self.problem.xp
        if self.waiting == PANEL:
            self.W -= self.C.T @ self.U
            self.waiting = 0
        k = self.waiting
        U, C = self.U[:k], self.C[:k]
        direction = self.W[j]
        if k:
            direction = direction - C[:, j] @ U
            direction = direction - (U @ direction) @ U  # twice is enough: orthogonal to the others up to rounding
        length = xp.sqrt(direction @ direction)
        direction = direction / length
        change = (self.W @ direction) * self.living  # rows of the pruned stay 0 to the last bit
        self.weights -= change * (self.weights[j] / length)
        self.squares -= change * change
        self.weights[j] = 0.0
        self.squares[j] = 0.0
        self.living[j] = 0.0
        self.U[k], self.C[k] = direction, change
        self.waiting = k + 1

    def _drop_dead_rows(self) -> None:
        left = self.problem.xp.asarray(np.flatnonzero(self.alive))
        self.W, self.C = self.W[left], self.C[:, left]
        self.weights, self.squares = self.weights[left], self.squares[left]
        self.index, self.living = self.index[left], self.living[left]
        self.kept, self.columns = self.kept[self.alive], self.columns[self.alive]
        self.alive = self.alive[self.alive]


def _norm(xp: Any, A: Any) -> float:
    """Return |A|_2, or a little less: a few power iterations from the row of largest norm."""
    v = A[xp.argmax((A * A).sum(axis=1))]
    for _ in range(4):
        v = v / xp.sqrt(v @ v)
        v = A.T @ (A @ v)
    return float(xp.sqrt(xp.sqrt(v @ v)))
