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
"""Magnitudes count as equal up to this multiple of :func:`Problem.rounding`; errors of 1.45 occurred without noise."""

PANEL = 48
"""This many deflations are collected and then subtracted in one matrix product."""

GRAM = 10.0
"""Up to this condition number R is computed from X'X, in half the time of a QR and losing at most one digit."""

SHRINK = 0.6
"""The survivors are refactored when they are at most this fraction of those at the last factorisation."""

GUARD = 0.1
"""... or when the largest row of W has shrunk to this fraction of its length, so that at most one digit is lost."""

BLOCK = 0.1
"""A round that prunes more than this fraction of the survivors refactors instead of deflating one by one."""


class Deflation:
    """Least-squares weights of the survivors, updated when weights are pruned.

    Notes
    -----
    From X_M = Q R take z = Q'y and W = R^-1, so that w_M = W z, and the rows W_i are those of the pseudo-inverse in the
    basis Q. Pruning j removes the direction u = W_j / |W_j| from all rows,

        w <- w - (W u) w_j / |W_j|,      W <- W - (W u) u',

    after which row j is 0. Up to PANEL directions are deferred: row j is corrected for them when it is needed, and W u
    needs no correction, since the directions are orthonormal. The errors are about eps |W_i| of the last factorisation.
    When the largest |W_i| has shrunk, or enough weights have been pruned, the remaining columns of R are refactored (R
    has d rows, not n), which reduces the errors to those of a refit and the arrays to the current size.

    The first R is the Cholesky factor of X'X if that loses at most one digit, else it comes from a Householder QR of X;
    later ones always come from a QR. docs/theory, "Pruning by magnitude", has the reasons.
    """

    name = "deflation"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.kept = np.arange(problem.d)  # one per row of W; `alive` says which are left
        self._factor(problem.X, problem.y, by_gram=True)
        self.first_condition = self.loss = self.condition
        if not self.loss <= GRAM:
            self._factor(*problem.reduced)
            self.first_condition, self.loss = self.condition, 1.0

    @classmethod
    def of(cls, problem: Problem) -> Deflation | None:
        """Return the route, or None unless X certainly has full column rank."""
        if problem.n < problem.d:
            return None
        with np.errstate(all="ignore"):  # any problem caused by a singular X shows in the condition
            route = cls(problem)
        return route if route.first_condition <= 1 / (8 * rank_tolerance(problem.d, problem.dtype)) else None

    @property
    def condition(self) -> float:
        """An estimate of the condition number of the columns with norm 1, at most slightly too small."""
        xp = self.problem.xp
        if not self.sound:
            return float("inf")
        unit, norms = unit_columns(xp, self.R)
        return _norm(xp, unit) * _norm(xp, self.W * norms[:, None])

    def _factor(self, A: Any, z: Any, by_gram: bool = False) -> None:
        """Start from the columns of A, one per entry of `kept`."""
        xp, m = self.problem.xp, A.shape[1]
        self.sound = False
        # the last column of the triangular factor is Q'z, so Q is never formed
        if by_gram:
            T = gram(xp, A, z)
            T[m, m] = 2 * T[m, m] + T[0, 0]  # affects only the last pivot, which is 0 if A fits z
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
        """Return |w| on the CPU, infinite where pruned, and the tolerance for ties; one synchronisation."""
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
            direction = direction - (U @ direction) @ U  # twice is enough for orthogonality up to rounding
        length = xp.sqrt(direction @ direction)
        direction = direction / length
        change = (self.W @ direction) * self.living  # rows of pruned weights stay exactly 0
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
    """Return |A|_2, or slightly less, by a few power iterations from the row of largest norm."""
    v = A[xp.argmax((A * A).sum(axis=1))]
    for _ in range(4):
        v = v / xp.sqrt(v @ v)
        v = A.T @ (A @ v)
    return float(xp.sqrt(xp.sqrt(v @ v)))
