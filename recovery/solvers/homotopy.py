"""The Lasso's path by an exact homotopy: any number of columns may join or leave at a knot, dependent ones too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtri

from planted.base.arrays import EPS
from recovery.operators.ranks import rank_tolerance, triangle

__all__ = ["Stretch", "stretches", "violation"]

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
    """X and y, reduced to a triangle where n > d, with the norms that errors are measured by."""

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        n, d = X.shape
        if n > d:
            T = triangle(np, X, y)
            X, y = T[:d, :d], T[:d, d]
        self.X, self.y, self.d = X, y, d
        self.norms, self.size = np.linalg.norm(X, axis=0), float(np.linalg.norm(y))
        self.unit = 8.0 * (10.0 + min(X.shape)) * EPS


class _Active:
    """Columns with their signs: least squares on them, and how solutions and correlations move with the penalty.

    On the support P with signs s the optimality condition X_P'(y - X_P w) = lam s gives w = fit - lam pull with
    fit = X_P^+ y and pull = (X_P'X_P)^-1 s, and X'(y - X w) = rest + lam slope.
    """

    def __init__(self, data: _Data, columns: list[int], signs: np.ndarray, grown: _Active | None = None) -> None:
        self.data, self.columns, self.signs = data, columns, signs[columns]
        self.part = data.X[:, columns]
        if grown is None:
            self.Q, R = np.linalg.qr(self.part)
            self.W = np.asarray(dtrtri(R)[0]) if len(columns) else R
        else:
            # one column more: its part outside the others, orthogonalised twice
            x = self.part[:, -1]
            along = grown.Q.T @ x
            rest = x - grown.Q @ along
            again = grown.Q.T @ rest
            rest, along = rest - grown.Q @ again, along + again
            length = np.linalg.norm(rest)
            k = len(columns) - 1
            self.Q = np.column_stack([grown.Q, rest / length])
            self.W = np.zeros((k + 1, k + 1))
            self.W[:k, :k], self.W[:k, k], self.W[k, k] = grown.W, -(grown.W @ along) / length, 1.0 / length
        self.fit, self.pull = self.W @ (self.Q.T @ data.y), self.W @ (self.W.T @ self.signs)
        self.rest = data.X.T @ (data.y - self.part @ self.fit)
        self.slope = data.X.T @ (self.part @ self.pull)
        self.rest[columns], self.slope[columns] = 0.0, self.signs  # which they are but for rounding
        self.rows = np.linalg.norm(self.W, axis=1)

    def solution(self, lam: float) -> np.ndarray:
        """Return the solution at a penalty, shape (d,), refined once, since fit - lam pull may cancel."""
        w, found = self.fit - lam * self.pull, np.zeros(self.data.d)
        missed = self.part.T @ (self.data.y - self.part @ w) - lam * self.signs
        found[self.columns] = w + self.W @ (self.W.T @ missed)
        return found

    def reach(self, lam: float) -> float:
        """Return the size of what cancels in residuals at a penalty."""
        norms = self.data.norms[self.columns]
        return self.data.size + float(norms @ (np.abs(self.fit) + lam * np.abs(self.pull)))

    def weight_errors(self, lam: float) -> np.ndarray:
        """Return what rounding can make of the weights, one each."""
        return self.data.unit * self.rows * self.reach(lam)

    def correlation_errors(self, lam: float) -> np.ndarray:
        """Return what rounding can make of the correlations, one a column of X."""
        return self.data.unit * self.data.norms * self.reach(lam)

    def reach_of_pull(self) -> float:
        """Return the size of what cancels in the slopes."""
        return float(self.data.norms[self.columns] @ np.abs(self.pull))

    def slope_errors(self) -> np.ndarray:
        """Return what rounding can make of the slopes, one a column of X."""
        return self.data.unit * (1.0 + self.data.norms * self.reach_of_pull())


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
    2004 (homotopy without ties; from memory of the literature). The rule at ties is derived here: docs/derivations.md,
    "The Lasso's path where correlations tie"; tests/linear_lottery/test_homotopy.py compares with cvxpy.
    """
    data = _Data(X, y)
    c = data.X.T @ data.y
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
            support = np.sort(np.array(active.columns, dtype=np.int64))
            yield Stretch(lam, low, support, active.solution(lam), active.solution(low))
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
    v = np.zeros(data.d)
    same = before is not None and before.columns == inside and np.array_equal(before.signs, signs[inside])
    active = before if before is not None and same else _Active(data, inside, signs)
    v[inside] = active.pull
    for _ in range(4 * len(tied) + 20):
        gain = np.where(signs[tied] == 0, 0.0, 1.0 - signs[tied] * active.slope[tied])
        gain[np.isin(tied, inside)] = 0.0
        gain[gain <= 16.0 * active.slope_errors()[tied]] = 0.0
        if not gain.any():
            return active
        # in units of the column, so that none is preferred for its size
        enters = int(tied[np.argmax(gain / data.norms[tied])])
        x = data.X[:, enters]
        along = active.W @ (active.Q.T @ x)
        apart = float(np.linalg.norm(x - data.X[:, inside] @ along))
        held = [i for i, j in enumerate(inside) if j in bound]
        if apart <= rank_tolerance(len(inside) + 1, np.float64) * data.norms[enters]:
            # a direction that changes no prediction: follow it until a bounded weight is back at 0, and exchange
            back = [i for i in held if signs[inside[i]] * signs[enters] * along[i] > data.unit]
            if not back:
                return None
            i = min(back, key=lambda i: abs(v[inside[i]] / along[i]))
            v[inside[i]] = 0.0
            inside = [*inside[:i], *inside[i + 1 :], enters]
            active = _Active(data, inside, signs)
        else:
            inside = [*inside, enters]
            active = _Active(data, inside, signs, active)
        while True:
            wanted = active.pull
            late = [
                i
                for i, j in enumerate(inside)
                if j in bound and signs[j] * wanted[i] <= 16.0 * data.unit * active.rows[i] * active.reach_of_pull()
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
            active = _Active(data, inside, signs)
        v[:] = 0.0
        v[inside] = active.pull
    return None


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
    # a correlation that reaches +-lam
    rest = np.where(np.abs(active.rest) <= active.correlation_errors(0.0), 0.0, active.rest)
    for side in (1.0, -1.0):
        room = 1.0 - side * active.slope
        asked = (room > active.slope_errors()) & (side * rest > 0.0)
        asked[active.columns] = False
        asked[tied[signs[tied] == side]] = False
        ends = np.zeros(data.d)
        np.divide(side * rest, room, out=ends, where=asked)
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
