"""The Lasso path by an exact homotopy: any number of columns may enter or leave at a knot, even dependent ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg.blas import dger
from scipy.linalg.lapack import dtrtri

from planted.base.arrays import EPS
from recovery.operators.ranks import rank_tolerance, triangle

__all__ = ["Stretch", "solution_at", "stretches", "violation"]

MOST = 10**5
"""Largest number of segments and exchanges of a path; paths have about min(n, d)."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Solutions between two knots of the path, where they are linear in the penalty.

    Parameters
    ----------
    high, low : float
        The penalties at its ends.
    support : numpy.ndarray of int64
        Indices of the non-zero entries of the solutions, ascending.
    first, last : numpy.ndarray, shape (d,)
        The solutions at `high` and at `low`.
    """

    high: float
    low: float
    support: np.ndarray
    first: np.ndarray
    last: np.ndarray


class _Data:
    """X and y, reduced to a triangular factor if n > d and X is dense, with the norms that errors are measured by."""

    def __init__(self, X: Any, y: np.ndarray) -> None:
        n, d = X.shape
        self.rows: Any  # columns of X are stored as rows, so that selecting some is cheap
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
        self.dependent = rank_tolerance(1, np.float64)  # grows with the square root of the number of columns

    def pick(self, columns: Any) -> np.ndarray:
        """Return columns of X as rows."""
        found = self.rows[columns]
        return found if isinstance(found, np.ndarray) else found.toarray()


REFRESH, RESET = 50, 250
"""After this many columns have entered or left, the running sums and the factors are recomputed."""

LOST = 1e-3
"""Factors are recomputed if a column leaves that had enlarged the squared norms of other rows of W by this factor."""


class _Active:
    """Active columns with their signs: least squares on them, and how solutions and correlations move with the penalty.

    On the support P with signs s the optimality condition X_P'(y - X_P w) = lam s gives w = fit - lam pull with
    fit = X_P^+ y and pull = (X_P'X_P)^-1 s, and X'(y - X w) = rest + lam slope. With X_P W = Q', where the rows of Q
    are orthonormal, they are fit = W Q y, pull = W W's, rest = X'(y - Q'Q y) and slope = X'Q' W's: sums over the rows
    of Q. So a column that enters adds a row to Q and one term to each sum. When a column leaves, Q and W are reflected
    so that the last row of Q belongs to this column alone, and its terms are subtracted. Either costs one product with
    X. Q, and W' (T below), grow and shrink in place.

    Attributes
    ----------
    index, signs : array, shape (k,)
        The columns and their signs.
    """

    def __init__(self, data: _Data, columns: list[int], signs: np.ndarray) -> None:
        self.data, self.k = data, 0
        self._room(max(16, len(columns)))
        self.rest, self.slope = np.empty(data.d), np.empty(data.d)
        self.reset(columns, signs)

    def _room(self, size: int) -> None:
        """Allocate space for this many columns."""
        old, k = self.__dict__.copy(), self.k
        self._Q, self._T = np.zeros((size, self.data.y.size)), np.zeros((size, size))
        self._index = np.zeros(size, dtype=np.int64)
        self._vectors = np.zeros((5, size))
        if k:
            self._Q[:k], self._T[:k, :k] = old["_Q"][:k], old["_T"][:k, :k]
            self._index[:k], self._vectors[:, :k] = old["_index"][:k], old["_vectors"][:, :k]

    def _cut(self) -> None:
        """Set the views of the arrays below to the columns in use."""
        k = self.k
        self.Q, self.T, self.index = self._Q[:k], self._T[:k, :k], self._index[:k]
        self.fit, self.pull, self.squares, self.signs, self.norms = self._vectors[:, :k]
        self.rest[self.index], self.slope[self.index] = 0.0, self.signs  # exact values, without rounding error
        self.row_norms = np.sqrt(self.squares)
        self._fit_reach = float(self.norms @ np.abs(self.fit))
        self.reach_of_pull = float(self.norms @ np.abs(self.pull))

    @property
    def columns(self) -> list[int]:
        """The columns in use."""
        found: list[int] = self.index.tolist()
        return found

    def reset(self, columns: Any, signs: np.ndarray) -> None:
        """Switch to other columns, or recompute the factors of the same ones; `signs` has one entry per column of X."""
        k = self.k = len(columns)
        if k > len(self._index):
            self.k = 0
            self._room(max(k, 2 * len(self._index)))
            self.k = k
        self._index[:k] = columns
        index = self._index[:k]
        self._vectors[3, :k], self._vectors[4, :k] = signs[index], self.data.norms[index]
        Q, R = np.linalg.qr(self.data.pick(index).T)
        self._Q[:k] = Q.T
        self._T[:k, :k] = dtrtri(R)[0].T if k else 0.0
        self._age = 0
        self._sum()

    def _sum(self) -> None:
        """Compute all sums from the factors."""
        k, data = self.k, self.data
        Q, T, s = self._Q[:k], self._T[:k, :k], self._vectors[3, :k]
        along, turned = Q @ data.y, T @ s
        self._vectors[0, :k], self._vectors[1, :k] = along @ T, turned @ T
        self._vectors[2, :k] = np.einsum("ij,ij->j", T, T)
        moves = data.rows @ np.stack([data.y - along @ Q, turned @ Q], axis=1)
        self.rest[:], self.slope[:] = moves[:, 0], moves[:, 1]
        self._cut()

    def join(self, enters: int, sign: float) -> bool:
        """Add a column and return True; or, if it depends on those in use, do nothing and return False."""
        k, data = self.k, self.data
        if k == len(self._index):
            self._room(2 * k)
            self._cut()
        x, Q = data.pick(enters), self._Q[:k]
        along = Q @ x
        rest = x - along @ Q
        length, whole = math.sqrt(rest @ rest), float(data.norms[enters])
        if length <= math.sqrt(k + 1) * data.dependent * whole:
            return False
        if length < 0.1 * whole:  # orthogonalise again if more than one digit was lost
            again = Q @ rest
            rest -= again @ Q
            along += again
            length = math.sqrt(rest @ rest)
        q, w = self._Q[k], self._T[k, : k + 1]
        np.divide(rest, length, out=q)
        np.matmul(along, self._T[:k, :k], out=w[:k])
        w[:k] /= -length
        w[k] = 1.0 / length
        self._T[:k, k] = 0.0
        self._index[k] = enters
        self._vectors[:, k] = 0.0, 0.0, 0.0, sign, data.norms[enters]
        self.k = k + 1
        self._age += 1
        if self._age % REFRESH == 0:
            self._again()
            return True
        self._add(float(q @ data.y), float(w @ self._vectors[3, : k + 1]), w, data.rows @ q)
        self._cut()
        return True

    def _add(self, along: float, turned: float, w: np.ndarray, more: np.ndarray) -> None:
        """Add one term to each sum."""
        fit, pull, squares = self._vectors[:3, : len(w)]
        fit += along * w
        pull += turned * w
        squares += w * w
        self.rest -= along * more
        self.slope += turned * more

    def drop(self, place: int) -> None:
        """Remove the column at this position."""
        k, data = self.k, self.data
        if k == 1:
            self.reset(self._index[:0], self.data.norms)
            return
        Q, T = self._Q[:k], self._T[:k, :k]
        v = T[:, place].copy()
        v[-1] += math.copysign(math.sqrt(v @ v), v[-1])
        for matrix in (Q, self._T[:k]):  # M -= 2 v v'M / v'v, in place (whole rows of T, which are contiguous)
            dger(-2.0 / (v @ v), v @ matrix, v, a=matrix.T, overwrite_x=0, overwrite_y=0, overwrite_a=1)
        before = self._vectors[2, :k].copy()
        q, w = Q[-1].copy(), T[-1].copy()
        along, turned = float(q @ data.y), float(w @ self._vectors[3, :k])
        fit, pull, squares = self._vectors[:3, :k]
        fit -= along * w
        pull -= turned * w
        squares -= w * w
        squares[place] = math.inf
        lost = bool((squares <= LOST * before).any())
        for row in (self._index, *self._vectors):
            row[place : k - 1] = row[place + 1 : k]
        self._T[: k - 1, place : k - 1] = self._T[: k - 1, place + 1 : k]
        self.k = k - 1
        self._age += 1
        if lost or self._age % REFRESH == 0:
            self._again(lost)
            return
        more = data.rows @ q
        self.rest += along * more
        self.slope -= turned * more
        self._cut()

    def _again(self, lost: bool = False) -> None:
        """Recompute the sums, and, if due or if digits were lost, the factors too."""
        if lost or self._age >= RESET:
            signs = np.zeros(self.data.d)
            signs[self._index[: self.k]] = self._vectors[3, : self.k]
            self.reset(self._index[: self.k].copy(), signs)
        else:
            self._sum()

    def keep(self, inside: list[int], signs: np.ndarray) -> None:
        """Remove all columns except these, and set their signs."""
        kept = set(inside)
        for place in range(self.k - 1, -1, -1):
            if int(self._index[place]) not in kept:
                self.drop(place)
        if not np.array_equal(self._index[: self.k], inside):
            self.reset(inside, signs)
        elif not np.array_equal(self.signs, signs[self.index]):
            self._vectors[3, : self.k] = signs[self.index]
            self._sum()

    def solution(self, lam: float) -> np.ndarray:
        """Return the solution at a penalty, shape (d,), refined once, since fit - lam pull may cancel."""
        w, found = self.fit - lam * self.pull, np.zeros(self.data.d)
        part = self.data.pick(self.index)
        missed = part @ (self.data.y - w @ part) - lam * self.signs
        found[self.index] = w + (self.T @ missed) @ self.T
        return found

    def reach(self, lam: float) -> float:
        """Return the size of the terms that cancel in residuals at a penalty."""
        return self.data.size + self._fit_reach + lam * self.reach_of_pull

    def weight_errors(self, lam: float) -> np.ndarray:
        """Return bounds on the rounding errors of the weights, one per weight."""
        return (self.data.unit * self.reach(lam)) * self.row_norms

    def correlation_errors(self, lam: float) -> np.ndarray:
        """Return bounds on the rounding errors of the correlations, one per column of X."""
        return (self.data.unit * self.reach(lam)) * self.data.norms

    def slope_errors(self, columns: Any = slice(None)) -> Any:
        """Return bounds on the rounding errors of the slopes, one per column of X."""
        return self.data.unit * (1.0 + self.data.norms[columns] * self.reach_of_pull)


def stretches(X: np.ndarray, y: np.ndarray) -> Iterator[Stretch]:
    """Yield the segments of the path of min |y - X w|^2 / 2 + lam |w|_1, from the largest penalty down to 0.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d), float64
        Columns, scaled so that their squares do not under- or overflow.
    y : numpy.ndarray, shape (n,), float64
        Data.

    Yields
    ------
    Stretch
        Adjacent segments, with decreasing penalties. The last one ends at penalty 0, unless rounding hides how the path
        continues.

    Notes
    -----
    At a knot, E holds the columns whose correlation with the residual is +-lam, up to rounding error, and F those of
    them with a non-zero weight. As the penalty decreases by h the weights move by h v, where v minimises |X_E v|^2 / 2
    - s_E'v subject to s_j v_j >= 0 for j in E without F, and v = 0 outside E: those conditions say that a correlation
    stays at lam for as long as its weight moves, and falls below otherwise. The program is solved by active sets
    (Lawson and Hanson's method, with free variables, and with an exchange where a column depends on those in use). So
    any number of columns may enter or leave at once, and of equal columns the first one is used.

    References
    ----------
    Osborne, Presnell and Turlach, IMA J. Numer. Anal. 2000; Efron, Hastie, Johnstone and Tibshirani, Ann. Statist.
    2004 (homotopy without ties; from memory of the literature). The rule at ties is derived here: docs/theory,
    "The Lasso's path where correlations tie"; tests/recovery/test_homotopy.py compares with cvxpy.
    """
    for active, high, low in _path(_Data(X, y)):
        yield Stretch(high, low, np.sort(active.index), active.solution(high), active.solution(low))


def solution_at(
    X: np.ndarray,
    y: np.ndarray,
    *,
    misfit: float = 0.0,
    penalty: float = 0.0,
    watch: Callable[[int], bool] | None = None,
) -> tuple[np.ndarray, int]:
    """Return the solution where the residual or the penalty reaches a bound, and the number of segments up to there.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d), float64
        Columns, scaled so that their squares do not under- or overflow.
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
        The solution. If no solution reaches the bound, the one at the end of the path, which has the smallest residual.
    n_stretches : int
        Number of segments of the path that were followed.
    """
    data = _Data(X, y)
    n, w = 0, np.zeros(data.d)
    # the part of the residual lost in the reduction to a triangular factor, for n > d
    outside = max(0.0, float(y @ y) - float(data.y @ data.y))
    active: _Active | None = None
    at = math.inf
    if misfit > 0.0 and float(y @ y) <= misfit**2:
        return w, 0
    for piece, high, low in _path(data):
        if high <= penalty:  # beyond the first knot, where w = 0
            break
        active, n, at = piece, n + 1, max(low, penalty)
        state = active.index.copy(), active.signs.copy()
        if misfit > 0.0:
            # |y - X w|^2 = c + lam^2 d, as X_P'(y - X_P fit) = 0 (y - X_P fit is orthogonal to X_P pull)
            rest, move = data.y - (active.Q @ data.y) @ active.Q, (active.T @ active.signs) @ active.Q
            room, curve = misfit**2 - outside - float(rest @ rest), float(move @ move)
            if room >= curve * at * at:
                at = min(high, max(at, math.sqrt(room / curve)))
                break
        if low <= penalty or (watch is not None and watch(active.k)):
            break
    if active is None:
        return w, n
    if not np.array_equal(active.index, state[0]):  # the path ended while trying to continue
        signs = np.zeros(data.d)
        signs[state[0]] = state[1]
        active.reset(state[0], signs)
    return active.solution(at), n


@dataclass(frozen=True)
class _Event:
    """The end of a segment, and the column that enters there, or the position of the weight that reaches 0; or -1."""

    lam: float
    joins: int
    drops: int


_NONE = np.zeros(0, dtype=np.int64)


def _path(data: _Data) -> Iterator[tuple[_Active, float, float]]:
    """Yield the state of each segment, with the penalties at its ends; the state is modified afterwards.

    If one column enters, or one weight reaches 0, and nothing ties with it, only that changes. All other cases are left
    to the program of :func:`_direction`.
    """
    c = data.rows @ data.y
    errors = data.unit * data.norms * data.size
    lam = float(np.abs(c).max())
    if lam <= errors[np.argmax(np.abs(c))]:
        return
    active, event = _Active(data, [], c), _Event(lam, -1, -1)
    tied, gone = np.abs(c) >= lam - errors, np.zeros(0, dtype=bool)
    for _ in range(MOST):
        free = active.index[~gone]
        held = _simple(active, event, c, tied, gone)
        if held is None:
            held = np.flatnonzero(tied)
            if not _direction(data, active, held, free.tolist(), np.sign(c)) or not active.k:
                return
        event = _next(data, active, lam, held, c)
        if lam - event.lam > 4.0 * data.unit * lam:
            yield active, lam, event.lam
        if event.lam <= 0.0:
            return
        lam = event.lam
        c = active.rest + lam * active.slope
        tied = np.abs(c) >= lam - active.correlation_errors(lam)
        gone = np.abs(active.fit - lam * active.pull) <= active.weight_errors(lam)
        if event.drops >= 0:
            gone[event.drops] = True


def _simple(active: _Active, event: _Event, c: np.ndarray, tied: np.ndarray, gone: np.ndarray) -> np.ndarray | None:
    """Add or remove one column, and return which columns are tied but not in use; None if more than that changes."""
    k = active.k
    if event.joins >= 0:
        j = event.joins
        if np.count_nonzero(tied) != k + 1 or not tied[j] or gone.any():
            return None
        side = math.copysign(1.0, c[j])
        if 1.0 - side * active.slope[j] <= 16.0 * active.slope_errors(j) or not active.join(j, side):
            return None
        least = 16.0 * active.data.unit * active.row_norms[-1] * active.reach_of_pull
        return _NONE if side * active.pull[-1] > least else None
    if event.drops >= 0 and k > 1:
        if np.count_nonzero(tied) != k or np.count_nonzero(gone) != 1:
            return None
        j, side = int(active.index[event.drops]), float(active.signs[event.drops])
        active.drop(event.drops)
        stays = 1.0 - side * active.slope[j] <= 16.0 * active.slope_errors(j)
        return np.array([j]) if stays else None
    return None


def _direction(data: _Data, active: _Active, tied: np.ndarray, free: list[int], signs: np.ndarray) -> bool:
    """Find the columns that move below a knot, `free` ones with any sign, the others of `tied` along `signs`."""
    inside, bound = list(free), set(tied.tolist()) - set(free)
    v, in_use = np.zeros(data.d), np.zeros(data.d, dtype=bool)
    active.keep(inside, signs)
    v[inside] = active.pull
    for _ in range(4 * len(tied) + 20):
        gain = np.where(signs[tied] == 0, 0.0, 1.0 - signs[tied] * active.slope[tied])
        in_use[:] = False
        in_use[inside] = True
        gain[in_use[tied]] = 0.0
        errors = 16.0 * active.slope_errors(tied)
        gain[gain <= errors] = 0.0
        if not gain.any():
            return True
        # relative to the column's norm, so that long columns are not preferred; of equal ones the first
        each = gain / data.norms[tied]
        enters = int(tied[np.argmax((gain > 0.0) & (each + errors / data.norms[tied] >= each.max()))])
        held = [i for i, j in enumerate(inside) if j in bound]
        if active.join(enters, float(signs[enters])):
            inside = [*inside, enters]
        else:
            # a direction that changes no prediction: follow it until a bounded weight reaches 0, and exchange
            along = (active.Q @ data.pick(enters)) @ active.T
            back = [i for i in held if signs[inside[i]] * signs[enters] * along[i] > data.unit]
            if not back:
                return False
            i = min(back, key=lambda i: abs(v[inside[i]] / along[i]))
            v[inside[i]] = 0.0
            inside = [*inside[:i], *inside[i + 1 :], enters]
            active.reset(inside, signs)
        while True:
            wanted = active.pull
            late = [
                i
                for i, j in enumerate(inside)
                if j in bound and signs[j] * wanted[i] <= 16.0 * data.unit * active.row_norms[i] * active.reach_of_pull
            ]
            if not late:
                break
            # the last step that keeps all bounded weights at 0 or above, then continue without the one that reached 0
            old = v[inside]
            ratios = [_share(old[i] * signs[inside[i]], wanted[i] * signs[inside[i]]) for i in late]
            step, out = min(ratios), late[int(np.argmin(ratios))]
            v[inside] = old + step * (wanted - old)
            v[inside[out]] = 0.0
            inside = inside[:out] + inside[out + 1 :]
            active.drop(out)
        v[:] = 0.0
        v[inside] = active.pull
    return False


def _share(old: float, new: float) -> float:
    """Return the fraction of the way from `old` >= 0 to `new` at which the value is 0."""
    return old / (old - new) if old > 0.0 > new else 1.0 if old > 0.0 else 0.0


def _next(data: _Data, active: _Active, lam: float, held: np.ndarray, c: np.ndarray) -> _Event:
    """Return how the segment below `lam` ends; `held` columns keep their value at `lam`, on the side of c."""
    low, joins, drops = 0.0, -1, -1
    # a weight that reaches 0 before changing sign
    fit, pull = active.fit, active.pull
    w = fit - lam * pull
    below = w < 0.0
    falls = np.flatnonzero((below != (pull < 0.0)) & (below != (fit < 0.0)))
    if falls.size:
        part, norms = fit[falls], data.unit * active.row_norms[falls]
        sure = (np.abs(w[falls]) > norms * active.reach(lam)) & (np.abs(part) > norms * active.reach(0.0))
        falls = falls[sure]
        if falls.size:
            roots = part[sure] / pull[falls]
            i = int(roots.argmax())
            if roots[i] > 0.0:
                low, drops = float(min(roots[i], lam)), int(falls[i])
    # a correlation that reaches +-lam: only on the side where it ends at penalty 0
    rest = active.rest
    size, room = np.abs(rest), 1.0 - np.sign(rest) * active.slope
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ends = size / room
    ends[active.index] = 0.0
    if held.size:
        ends[held[np.sign(rest[held]) == np.sign(c[held])]] = 0.0
    j = int(ends.argmax())
    if not (size[j] > data.unit * data.norms[j] * active.reach(0.0) and room[j] > active.slope_errors(j)):
        ends[(size <= active.correlation_errors(0.0)) | ~(room > active.slope_errors())] = 0.0
        j = int(ends.argmax())
    most = float(min(ends[j], lam))
    if most > low:
        low, joins, drops = most, j, -1
    return _Event(low, joins, drops)


def violation(X: np.ndarray, y: np.ndarray, w: np.ndarray, lam: float) -> float:
    """Return the violation by w of the optimality conditions of |y - X w|^2 / 2 + lam |w|_1, relative to rounding.

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
