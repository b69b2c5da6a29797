"""The Lasso path with the whole program solved at each knot, and new factors for each set of columns.

This is the plain version of recovery.solvers.homotopy: every column that joins or leaves is decided by the program,
nothing is updated in place, and columns that leave are removed from a QR decomposition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.linalg import qr_delete
from scipy.linalg.lapack import dtrtri

from planted.base.arrays import EPS
from recovery.operators.ranks import rank_tolerance, triangle

__all__ = ["stretches"]

MOST = 10**5
"""Stretches and exchanges after which a path ends; paths have about as many as min(n, d)."""


class _Data:
    """X and y, reduced to a triangle where n > d and X is dense, with the norms that errors are measured by."""

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        n, d = X.shape
        if n > d:
            T = triangle(np, X, y)
            X, y = T[:d, :d], T[:d, d]
        self.rows, self.norms = np.ascontiguousarray(X.T), np.linalg.norm(X, axis=0)
        self.y, self.d = y, d
        self.size = float(np.linalg.norm(y))
        self.unit = 8.0 * (10.0 + min(X.shape)) * EPS


class _Active:
    """Columns with their signs: least squares on them, and how solutions and correlations move with the penalty.

    On the support P with signs s the optimality condition X_P'(y - X_P w) = lam s gives w = fit - lam pull with
    fit = X_P^+ y and pull = (X_P'X_P)^-1 s, and X'(y - X w) = rest + lam slope. With X_P = Q R and W = R^-1 they are
    fit = W Q'y, pull = W W's, rest = X'(y - Q Q'y) and slope = X'Q W's. Q is kept transposed.
    """

    def __init__(
        self,
        data: _Data,
        columns: list[int],
        signs: np.ndarray,
        factors: tuple[np.ndarray, np.ndarray],
        before: _Active | None = None,
    ) -> None:
        self.data, self.columns, self.signs = data, columns, signs[columns]
        self.Q, self.W = Q, W = factors
        if before is None or not np.array_equal(before.signs, self.signs[:-1]):
            along, turned = Q @ data.y, W.T @ self.signs
            self.fit, self.pull, self.squares = W @ along, W @ turned, np.einsum("ij,ij->i", W, W)
            moves = data.rows @ np.stack([data.y - along @ Q, turned @ Q], axis=1)
            self.rest, self.slope = np.ascontiguousarray(moves[:, 0]), np.ascontiguousarray(moves[:, 1])
        else:  # W is upper triangular, so that one row of Q more adds one term to each sum over its rows
            q, w = Q[-1], np.ascontiguousarray(W[:, -1])
            along, turned, more = float(q @ data.y), float(w @ self.signs), data.rows @ q
            self.fit, self.pull, self.squares = along * w, turned * w, w * w
            self.fit[:-1] += before.fit
            self.pull[:-1] += before.pull
            self.squares[:-1] += before.squares
            self.rest, self.slope = before.rest - along * more, before.slope + turned * more
        self.rest[columns], self.slope[columns] = 0.0, self.signs  # which they are but for rounding
        self.row_norms = np.sqrt(self.squares)
        norms = data.norms[columns]
        self._fit_reach, self.reach_of_pull = float(norms @ np.abs(self.fit)), float(norms @ np.abs(self.pull))

    @classmethod
    def of(cls, data: _Data, columns: list[int], signs: np.ndarray) -> _Active:
        """Return it for any columns, from scratch."""
        Q, R = np.linalg.qr(data.rows[columns].T)
        W = np.asarray(dtrtri(R)[0]) if columns else R
        return cls(data, columns, signs, (np.ascontiguousarray(Q.T), W))

    def with_one(self, enters: int, signs: np.ndarray, along: np.ndarray, rest: np.ndarray) -> _Active:
        """Return it for a column more, of which `along` = Q x and `rest` = x - Q'Q x, orthogonalised here once more."""
        k = len(self.columns)
        again = self.Q @ rest
        rest, along = rest - again @ self.Q, along + again
        length = float(np.sqrt(rest @ rest))
        W = np.zeros((k + 1, k + 1))
        W[:k, :k], W[:k, k], W[k, k] = self.W, -(self.W @ along) / length, 1.0 / length
        Q = np.concatenate([self.Q, rest[None] / length])
        return _Active(self.data, [*self.columns, enters], signs, (Q, W), self)

    def without(self, places: list[int], signs: np.ndarray) -> _Active:
        """Return it for the columns that are not at these positions."""
        if not places:
            return _Active(self.data, self.columns, signs, (self.Q, self.W))
        out = set(places)
        left = [j for i, j in enumerate(self.columns) if i not in out]
        if not left:
            return _Active.of(self.data, left, signs)
        Q, R = self.Q.T, np.triu(self.Q @ self.data.rows[self.columns].T)
        for place in sorted(places, reverse=True):
            Q, R = qr_delete(Q, R, place, which="col", check_finite=False)
        k = len(left)  # a square Q keeps its size
        Q, R = np.ascontiguousarray(Q.T[:k]), R[:k]
        return _Active(self.data, left, signs, (Q, np.asarray(dtrtri(R)[0])))

    def solution(self, lam: float) -> np.ndarray:
        """Return the solution at a penalty, shape (d,), refined once, since fit - lam pull may cancel."""
        w, found = self.fit - lam * self.pull, np.zeros(self.data.d)
        part = self.data.rows[self.columns]
        missed = part @ (self.data.y - w @ part) - lam * self.signs
        found[self.columns] = w + self.W @ (self.W.T @ missed)
        return found

    def reach(self, lam: float) -> float:
        """Return the size of what cancels in residuals at a penalty."""
        return self.data.size + self._fit_reach + lam * self.reach_of_pull

    def weight_errors(self, lam: float) -> np.ndarray:
        """Return what rounding can make of the weights, one each."""
        return self.data.unit * self.row_norms * self.reach(lam)

    def correlation_errors(self, lam: float) -> np.ndarray:
        """Return what rounding can make of the correlations, one a column of X."""
        return self.data.unit * self.data.norms * self.reach(lam)

    def slope_errors(self) -> np.ndarray:
        """Return what rounding can make of the slopes, one a column of X."""
        return self.data.unit * (1.0 + self.data.norms * self.reach_of_pull)


def stretches(X: np.ndarray, y: np.ndarray) -> Iterator[tuple]:
    """Yield (high, low, support, solution at high, solution at low) of each stretch."""
    for active, high, low in _path(_Data(X, y)):
        yield high, low, sorted(active.columns), active.solution(high), active.solution(low)


def _path(data: _Data) -> Iterator[tuple[_Active, float, float]]:
    """Yield the state of each stretch, with the penalties at its ends."""
    c = data.rows @ data.y
    errors = data.unit * data.norms * data.size
    lam = float(np.abs(c).max())
    if lam <= errors[np.argmax(np.abs(c))]:
        return
    free: list[int] = []
    active: _Active | None = None
    for _ in range(MOST):
        tied = np.flatnonzero(np.abs(c) >= lam - errors)
        signs = np.sign(c)
        active = _direction(data, tied, free, signs, active)
        if active is None or not active.columns:
            return
        low, dropped = _next(data, active, lam, tied, signs)
        if lam - low > 4.0 * data.unit * lam:
            yield active, lam, low
        if low <= 0.0:
            return
        lam = low
        c, errors = active.rest + lam * active.slope, active.correlation_errors(lam)
        w = active.fit - lam * active.pull
        gone = (np.abs(w) <= active.weight_errors(lam)) | (np.arange(len(w)) == dropped)
        free = [j for j, out in zip(active.columns, gone, strict=True) if not out]


def _direction(
    data: _Data, tied: np.ndarray, free: list[int], signs: np.ndarray, before: _Active | None
) -> _Active | None:
    """Return the columns that move below a knot, `free` ones with any sign, the others of `tied` along `signs`."""
    inside, bound = list(free), set(tied.tolist()) - set(free)
    v, in_use = np.zeros(data.d), np.zeros(data.d, dtype=bool)
    active = _start(data, inside, signs, before)
    v[inside] = active.pull
    for _ in range(4 * len(tied) + 20):
        gain = np.where(signs[tied] == 0, 0.0, 1.0 - signs[tied] * active.slope[tied])
        in_use[:] = False
        in_use[inside] = True
        gain[in_use[tied]] = 0.0
        gain[gain <= 16.0 * active.slope_errors()[tied]] = 0.0
        if not gain.any():
            return active
        # in units of the column, so that none is preferred for its size
        enters = int(tied[np.argmax(gain / data.norms[tied])])
        x = data.rows[enters]
        inner = active.Q @ x
        outside = x - inner @ active.Q
        apart = math.sqrt(float(outside @ outside))
        held = [i for i, j in enumerate(inside) if j in bound]
        if apart <= rank_tolerance(len(inside) + 1, np.float64) * data.norms[enters]:
            # a direction that changes no prediction: follow it until a bounded weight is back at 0, and exchange
            along = active.W @ inner
            back = [i for i in held if signs[inside[i]] * signs[enters] * along[i] > data.unit]
            if not back:
                return None
            i = min(back, key=lambda i: abs(v[inside[i]] / along[i]))
            v[inside[i]] = 0.0
            inside = [*inside[:i], *inside[i + 1 :], enters]
            active = _Active.of(data, inside, signs)
        else:
            inside = [*inside, enters]
            active = active.with_one(enters, signs, inner, outside)
        while True:
            wanted = active.pull
            late = [
                i
                for i, j in enumerate(inside)
                if j in bound and signs[j] * wanted[i] <= 16.0 * data.unit * active.row_norms[i] * active.reach_of_pull
            ]
            if not late:
                break
            # the last step that keeps all bounded weights at 0 or above, then without the one that is back at 0
            old = v[inside]
            ratios = [_share(old[i] * signs[inside[i]], wanted[i] * signs[inside[i]]) for i in late]
            step, out = min(ratios), late[int(np.argmin(ratios))]
            v[inside] = old + step * (wanted - old)
            v[inside[out]] = 0.0
            inside = inside[:out] + inside[out + 1 :]
            active = active.without([out], signs)
        v[:] = 0.0
        v[inside] = active.pull
    return None


def _start(data: _Data, inside: list[int], signs: np.ndarray, before: _Active | None) -> _Active:
    """Return the state for the columns that stay active at a knot, using the previous state if it has them."""
    if before is None:
        return _Active.of(data, inside, signs)
    kept = set(inside)
    places = [i for i, j in enumerate(before.columns) if j not in kept]
    if [j for j in before.columns if j in kept] != inside:
        return _Active.of(data, inside, signs)
    if not places and np.array_equal(before.signs, signs[inside]):
        return before
    return before.without(places, signs)


def _share(old: float, new: float) -> float:
    """Return how far from `old` >= 0 towards `new` the value 0 lies."""
    return old / (old - new) if old > 0.0 > new else 1.0 if old > 0.0 else 0.0


def _next(data: _Data, active: _Active, lam: float, tied: np.ndarray, signs: np.ndarray) -> tuple[float, int]:
    """Return the penalty at which the stretch below `lam` ends, and the position of the weight that ends it, or -1."""
    low, dropped = 0.0, -1
    # a weight that is back at 0, on its way to the other sign
    fit = np.where(np.abs(active.fit) <= active.weight_errors(0.0), 0.0, active.fit)
    s = np.sign(active.fit - lam * active.pull)
    s = np.where(np.abs(active.fit - lam * active.pull) <= active.weight_errors(lam), np.sign(active.pull), s)
    falls = (s * active.pull < 0.0) & (s * fit < 0.0)
    roots = np.zeros(len(fit))
    np.divide(fit, active.pull, out=roots, where=falls)
    if len(roots) and roots.max() > 0.0:
        low, dropped = float(min(roots.max(), lam)), int(np.argmax(roots))
    # a correlation that reaches +-lam: only on the side of what is left of it at penalty 0
    size, side = np.abs(active.rest), np.sign(active.rest)
    room = 1.0 - side * active.slope
    asked = (size > active.correlation_errors(0.0)) & (room > active.slope_errors())
    asked[active.columns] = False
    asked[tied[signs[tied] == side[tied]]] = False
    ends = np.zeros(data.d)
    np.divide(size, room, out=ends, where=asked)
    most = float(min(ends.max(initial=0.0), lam))
    if most > low:
        low, dropped = most, -1
    return low, dropped
