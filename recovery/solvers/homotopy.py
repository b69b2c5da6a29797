"""The Lasso's path by an exact homotopy: any number of columns may join or leave at a knot, dependent ones too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import qr_delete
from scipy.linalg.lapack import dtrtri

from planted.base.arrays import EPS
from recovery.operators.ranks import rank_tolerance, triangle

__all__ = ["Stretch", "solution_at", "stretches", "violation"]

MOST = 10**5
"""Stretches and exchanges after which a path ends; paths have about as many as min(n, d)."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Solutions for the penalties between two knots, between which they are linear in the penalty.

    Parameters
    ----------
    high, low : float
        The penalties at its ends.
    support : numpy.ndarray of int64
        Where the solutions are not 0, ascending.
    first, last : numpy.ndarray, shape (d,)
        The solutions at `high` and at `low`.
    """

    high: float
    low: float
    support: np.ndarray
    first: np.ndarray
    last: np.ndarray


class _Data:
    """X and y, reduced to a triangle where n > d and X is dense, with the norms that errors are measured by."""

    def __init__(self, X: Any, y: np.ndarray) -> None:
        n, d = X.shape
        self.rows: Any  # a column of X is a row here, so that picking some is cheap
        if hasattr(X, "indptr"):
            self.rows = X.T.tocsr()
            self.norms = np.sqrt(np.asarray(self.rows.multiply(self.rows).sum(axis=1)).ravel())
        else:
            if n > d:
                T = triangle(np, X, y)
                X, y = T[:d, :d], T[:d, d]
            self.rows, self.norms = np.ascontiguousarray(X.T), np.linalg.norm(X, axis=0)
        self.y, self.d = y, d
        self.size = float(np.linalg.norm(y))
        self.unit = 8.0 * (10.0 + min(X.shape)) * EPS

    def pick(self, columns: Any) -> np.ndarray:
        """Return columns of X as rows."""
        found = self.rows[columns]
        return found if isinstance(found, np.ndarray) else found.toarray()


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
        Q, R = np.linalg.qr(data.pick(columns).T)
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
        Q, R = self.Q.T, np.triu(self.Q @ self.data.pick(self.columns).T)
        for place in sorted(places, reverse=True):
            Q, R = qr_delete(Q, R, place, which="col", check_finite=False)
        k = len(left)  # a square Q keeps its size
        Q, R = np.ascontiguousarray(Q.T[:k]), R[:k]
        return _Active(self.data, left, signs, (Q, np.asarray(dtrtri(R)[0])))

    def solution(self, lam: float) -> np.ndarray:
        """Return the solution at a penalty, shape (d,), refined once, since fit - lam pull may cancel."""
        w, found = self.fit - lam * self.pull, np.zeros(self.data.d)
        part = self.data.pick(self.columns)
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


def stretches(X: np.ndarray, y: np.ndarray) -> Iterator[Stretch]:
    """Yield the stretches of the path of min |y - X w|^2 / 2 + lam |w|_1, from the largest penalty down to 0.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d), float64
        Columns, of a size whose squares stay in range.
    y : numpy.ndarray, shape (n,), float64
        Data.

    Yields
    ------
    Stretch
        Adjacent, with falling penalties. The last one ends at penalty 0, unless rounding hides how the path goes on.

    Notes
    -----
    At a knot, E holds the columns whose correlation with the residual is +-lam, up to its rounding error, F those of
    them with a weight. As the penalty falls by h the weights move by h v, where v minimises |X_E v|^2 / 2 - s_E'v
    subject to s_j v_j >= 0 for j in E without F, and v = 0 outside E: those conditions say that a correlation stays at
    lam for as long as its weight moves, and falls below otherwise. The program is solved by active sets (Lawson and
    Hanson's method, with free variables, and with an exchange where a column depends on those in use). So any number
    of columns may join or leave at once, and of equal columns the first one is used.

    References
    ----------
    Osborne, Presnell and Turlach, IMA J. Numer. Anal. 2000; Efron, Hastie, Johnstone and Tibshirani, Ann. Statist.
    2004 (homotopy without ties; from memory of the literature). The rule at ties is derived here: docs/theory,
    "The Lasso's path where correlations tie"; tests/recovery/test_homotopy.py compares with cvxpy.
    """
    for active, high, low in _path(_Data(X, y)):
        support = np.sort(np.array(active.columns, dtype=np.int64))
        yield Stretch(high, low, support, active.solution(high), active.solution(low))


def solution_at(
    X: np.ndarray,
    y: np.ndarray,
    *,
    misfit: float = 0.0,
    penalty: float = 0.0,
    watch: Callable[[int], bool] | None = None,
) -> tuple[np.ndarray, int]:
    """Return the solution where its residual or its penalty has fallen to a bound, and the number of stretches before.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d), float64
        Columns, of a size whose squares stay in range.
    y : numpy.ndarray, shape (n,), float64
        Data.
    misfit : float, default 0
        Bound on |y - X w|: the solution of min |w|_1 subject to it.
    penalty : float, default 0
        The penalty lam of |y - X w|^2 / 2 + lam |w|_1 that ends the path, if it is reached first.
    watch : callable, optional
        Called after each piece of the path with the number of columns in use; returning True ends the path there.

    Returns
    -------
    w : numpy.ndarray, shape (d,)
        The solution. Where no solution has so small a residual, that at the end of the path, which has the smallest.
    n_stretches : int
        How many pieces of the path were followed.
    """
    data = _Data(X, y)
    n, w = 0, np.zeros(data.d)
    # what the reduction to a triangle left out of the residual, for n > d
    outside = max(0.0, float(y @ y) - float(data.y @ data.y))
    active: _Active | None = None
    at = math.inf
    if misfit > 0.0 and float(y @ y) <= misfit**2:
        return w, 0
    for piece, high, low in _path(data):
        if high <= penalty:  # beyond the first knot, where w = 0
            break
        active, n, at = piece, n + 1, max(low, penalty)
        if misfit > 0.0:
            # |y - X w|^2 = c + lam^2 d, as X_P'(y - X_P fit) = 0 (y - X_P fit is orthogonal to X_P pull)
            rest, move = data.y - (active.Q @ data.y) @ active.Q, (active.W.T @ active.signs) @ active.Q
            room, curve = misfit**2 - outside - float(rest @ rest), float(move @ move)
            if room >= curve * at * at:
                at = min(high, max(at, math.sqrt(room / curve)))
                break
        if low <= penalty or (watch is not None and watch(len(active.columns))):
            break
    return (w if active is None else active.solution(at)), n


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
        x = data.pick(enters)
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
    """Return the state for the columns that stay active at a knot, from the one before where that has them."""
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


def violation(X: np.ndarray, y: np.ndarray, w: np.ndarray, lam: float) -> float:
    """Return by how much w misses the optimality conditions of |y - X w|^2 / 2 + lam |w|_1, over what rounding makes.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Columns.
    y : numpy.ndarray, shape (n,)
        Data.
    w : numpy.ndarray, shape (d,)
        Weights.
    lam : float
        Penalty, at least 0.

    Returns
    -------
    float
        At most about 1 for a solution: max over j of the distance of x_j'(y - X w) from lam sign(w_j), or from the
        interval [-lam, lam] where w_j = 0, over 8 (10 + min(n, d)) eps |x_j| (|y| + sum |x_i| |w_i|).
    """
    norms = np.linalg.norm(X, axis=0)
    c = X.T @ (y - X @ w)
    miss = np.where(w != 0, np.abs(c - lam * np.sign(w)), np.maximum(np.abs(c) - lam, 0.0))
    error = 8.0 * (10.0 + min(X.shape)) * EPS * norms * (float(np.linalg.norm(y)) + float(norms @ np.abs(w)))
    return float(np.max(np.divide(miss, error, out=np.where(miss > 0, np.inf, 0.0), where=error > 0), initial=0.0))
