"""Models of every size: supports from solvers and from the Lasso, with shrunken coefficients on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg.lapack import dposv
from scipy.special import gammaln

from planted.base.arrays import EPS
from planted.base.values import by_value
from recovery.estimators.inputs import Prepared
from recovery.operators.base import Operator
from recovery.operators.ranks import rank_tolerance
from recovery.solvers.homotopy import stretches
from recovery.solvers.solve import solve

__all__ = [
    "BLENDS",
    "RIDGES",
    "Candidates",
    "Found",
    "SparsePath",
    "averaged",
    "charged",
    "default_sizes",
    "ebic",
    "included",
    "lasso_penalties",
    "mean_square",
    "models",
    "supports",
]

RIDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Ridges that cross-validation chooses from, in units of the squared norm of a standardised feature."""
KEPT = 1.0 / 3.0
"""An average keeps a feature if the models that use it have at least this fraction of the total weight."""
BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Weights of the Lasso's coefficients that cross-validation chooses from, on supports found by the Lasso."""
WITHIN = (0.0, 0.3, 1.0)
"""Ridges used inside the searches if the ridge is chosen: they lead to different supports."""
MOST = 100
"""Largest size tried by default."""
STEPS = 8
"""Steps per size of a path: from a warm start, more than a few steps only exchange features that differ by noise."""
PIVOT = 1e-10
"""Smallest ridge inside a search, on columns of norm 1: far above rounding, and too small to affect a selection."""
PENALTIES = 50
"""Number of Lasso penalties on a path."""
CACHED = 50_000
"""With more features than this, inner products of all of them with those of a search are not kept: a thousand of these
rows would need more than 400 MB."""
WELL = 1e-6
"""Gram matrices whose smallest eigenvalue is above this fraction of the largest lose at most six digits."""
LASSO_ENTRIES = 20_000_000
"""The Lasso, which needs the dense matrix, is skipped for larger matrices that are not stored densely."""


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class SparsePath:
    """The best single model of every size that was compared, and the chosen size: ``path_`` of a linear estimator.

    Parameters
    ----------
    sizes : array of int64, shape (k,)
        Numbers of features, ascending: those that the searches were run for, and those of the Lasso's solutions, which
        have sizes of their own.
    coefs : array, shape (p, k)
        Coefficients, in units of the original features.
    intercepts : array, shape (k,)
        Intercepts.
    errors : array, shape (k,)
        The selection criterion for each size: the mean squared error in cross-validation, on the validation set, or
        (for a noise level) on the rows of the fit; or the EBIC.
    spread : array, shape (k,)
        Standard errors of the means over the folds; NaN with one fold or none.
    best : int
        Index of the chosen size. If the estimator averages, its coefficients are not those of this single model.
    family : tuple of str, length k
        What found the support of each size: the name of a solver, or "lasso".
    shrinkage : tuple of float, length k
        The ridge on the support, or for "lasso" the weight of the Lasso's coefficients.
    """

    sizes: Any
    coefs: Any
    intercepts: Any
    errors: Any
    spread: Any
    best: int
    family: tuple[str, ...]
    shrinkage: tuple[float, ...]

    def __repr__(self) -> str:
        spread = self.spread[self.best]
        error = f"{self.errors[self.best]:.4g}" + ("" if np.isnan(spread) else f" +- {spread:.2g}")
        return (
            f"SparsePath({len(self.sizes)} sizes from {self.sizes[0]} to {self.sizes[-1]}, {len(self.coefs)} features; "
            f"chosen: size {self.size}, error {error}, found by {self.family[self.best]})"
        )

    @property
    def size(self) -> int:
        """The chosen size."""
        return int(self.sizes[self.best])


@dataclass(frozen=True)
class Found:
    """A support that was found.

    Parameters
    ----------
    key : tuple
        Key that identifies the same search on other rows: the family (a solver's name or "lasso"), and the size, ridge
        or penalty.
    size : int
        Largest number of entries; for the Lasso, their actual number.
    support : array of int64, shape (s,)
        S, ascending.
    lasso : array, shape (s,), optional
        The coefficients of the Lasso.
    """

    key: tuple[Any, ...]
    size: int
    support: Any
    lasso: Any = None

    @property
    def family(self) -> str:
        """What found the support: the name of a solver, or "lasso"."""
        return str(self.key[0])


@dataclass(frozen=True)
class Candidates:
    """The models on one support: x = V[:, i] there, for every amount of shrinkage.

    Parameters
    ----------
    found : Found
        The support.
    values : array, shape (s, k)
        Coefficients on S, in the units of the prepared problem, one column for each amount of shrinkage.
    amounts : tuple of float, length k
        The amounts.
    """

    found: Found
    values: Any
    amounts: tuple[float, ...]


def default_sizes(most: int) -> Any:
    """Return about 30 sizes from 0 to `most`: all up to 15, then each about a sixth larger than the previous one."""
    sizes = list(range(min(15, most) + 1))
    while sizes[-1] < most:
        sizes.append(min(most, max(sizes[-1] + 1, round(1.17 * sizes[-1]))))
    return np.array(sizes, dtype=np.int64)


def lasso_penalties(problem: Prepared, wide: bool) -> Any:
    """Return decreasing penalties of the Lasso, starting from the smallest one whose solution is 0.

    Parameters
    ----------
    problem : Prepared
        The least-squares problem of all rows; folds use the same penalties.
    wide : bool
        Whether there are at least as many features as rows. The path then ends at 2 % of the first penalty, otherwise
        at 0.1 %.

    Returns
    -------
    array, shape (50,)
        Penalties, geometrically spaced.
    """
    A = problem.A
    first = np.abs(A.rmatvec(problem.b) if isinstance(A, Operator) else A.T @ problem.b).max(initial=0.0)
    return float(first) * np.geomspace(1.0, 0.02 if wide else 1e-3, PENALTIES)


def supports(problem: Prepared, sizes: Any, solver: Any, penalties: Any, within: Any = WITHIN) -> list[Found]:
    """Return supports of every size.

    Parameters
    ----------
    problem : Prepared
        The least-squares problem.
    sizes : array of int64
        Ascending.
    solver : str or Solver
        "auto" uses hard thresholding pursuit and subspace pursuit with ridges, and the Lasso; any other solver is the
        only family. Each size starts from the solution of the previous one.
    penalties : array
        Penalties of the Lasso, descending.
    within : sequence of float
        Ridges inside the searches.

    Returns
    -------
    list of Found
        One family after the other, each with ascending sizes.
    """
    if isinstance(solver, str) and solver == "auto":
        products = _Products(problem)
        found = [one for ridge in within for one in _thresholding(products, sizes, ridge, union=False)]
        few = sizes[sizes <= min(problem.A.shape) // 3]
        found += [one for ridge in within for one in _thresholding(products, few, ridge, union=True)]
        return found + _lasso(problem, int(sizes[-1]), penalties)
    name = solver if isinstance(solver, str) else (type(solver).name or type(solver).__name__)
    found, x = [], None
    for size in sizes:
        result = solve(problem.A, problem.b, int(size), solver, x0=x)
        x = result.x
        found.append(Found((name, int(size)), int(size), np.sort(result.support)))
    return found


class _Products:
    """Inner products of columns of norm 1 with b, and with each other on demand.

    Searches with different ridges and sizes often need the same columns; each product is computed once, unless there
    are so many columns that the products would need too much memory.
    """

    def __init__(self, problem: Prepared) -> None:
        A = problem.A
        self.operator: Any = A if isinstance(A, Operator) else None
        norms = A.column_norms() if self.operator else np.sqrt(np.einsum("ij,ij->j", A, A))
        self.norms = np.where(norms > 0.0, norms, 1.0)
        # columns of A are stored as rows, so that selecting some is cheap
        self.columns: Any = None if self.operator else np.ascontiguousarray((A / self.norms).T)
        self.target = problem.b
        self.b, self.square = self._with_all(problem.b), float(problem.b @ problem.b)
        self.place, self.rows, self.count = np.full(A.shape[1], -1), np.empty((0, A.shape[1])), 0

    def _with_all(self, r: Any) -> Any:
        return self.operator.rmatvec(r) / self.norms if self.operator is not None else self.columns @ r

    def of(self, S: Any) -> Any:
        """Return the inner products of the columns of S with all columns, shape (s, p)."""
        new = S[self.place[S] < 0]
        if len(new):
            end = self.count + len(new)
            if end > len(self.rows):
                larger = np.empty((min(max(2 * end, 32), len(self.place)), len(self.place)))
                larger[: self.count] = self.rows[: self.count]
                self.rows = larger
            if self.operator is not None:
                some = self.operator.columns(new) / self.norms[new]
                self.rows[self.count : end] = [self._with_all(some[:, i]) for i in range(len(new))]
            else:
                self.rows[self.count : end] = self.columns[new] @ self.columns.T
            self.place[new] = np.arange(self.count, end)
            self.count = end
        return self.rows[self.place[S]]

    def fit(self, S: Any, ridge: float) -> tuple[Any, Any, float]:
        """Return the ridge solution on S, the residual's inner products with all columns, and the loss."""
        if self.operator is not None and len(self.norms) > CACHED:
            return self._fit_alone(S, ridge)
        rows = self.of(S)
        gram = rows[:, S]
        gram.flat[:: len(S) + 1] += max(ridge, PIVOT)
        values = dposv(gram, self.b[S])[1]
        left = self.b - values @ rows
        return values, left, self.square - float(values @ (self.b[S] + left[S])) + ridge * float(values @ values)

    def _fit_alone(self, S: Any, ridge: float) -> tuple[Any, Any, float]:
        """Return the same from the columns of S alone and one product with all columns."""
        columns = self.operator.columns(S) / self.norms[S]
        gram = columns.T @ columns
        gram.flat[:: len(S) + 1] += max(ridge, PIVOT)
        values = dposv(gram, self.b[S])[1]
        residual = self.target - columns @ values
        loss = float(residual @ residual) + ridge * float(values @ values)
        return values, self._with_all(residual), loss


def _thresholding(products: _Products, sizes: Any, ridge: float, union: bool) -> list[Found]:
    """Return supports of increasing sizes by hard thresholding pursuit, or with `union` by subspace pursuit.

    Notes
    -----
    :func:`recovery.solve` has both, with more effort on hard problems than is worthwhile along a path. For unit columns
    a step takes the top s entries of (1 - t) z + A'(b - A z), or for subspace pursuit the top s entries of the fit on
    the support and the top s of A'(b - A z), and fits |A_S z - b|^2 + t |z|^2 there.
    """
    name = "subspace-pursuit" if union else "htp"
    found = []
    S, z, left = np.zeros(0, dtype=np.int64), np.zeros(0), products.b
    for size in sizes:
        best = (math.inf, S, z, left)
        for _ in range(STEPS if size else 0):
            point = left.copy()
            if union:
                point[S] = 0.0
                wider = np.union1d(S, _top(point, min(size, len(point) - len(S))))
                values = products.fit(wider, ridge)[0]
                new = wider[_top(values, min(size, len(wider)))]
            else:
                point[S] += (1.0 - ridge) * z
                new = _top(point, size)
            if np.array_equal(new, S):
                break
            S = new
            z, left, loss = products.fit(S, ridge)
            if loss < best[0]:
                best = (loss, S, z, left)
        _, S, z, left = best
        found.append(Found((name, ridge, int(size)), int(size), S))
    return found


def _top(x: Any, size: int) -> Any:
    """Return the indices of the largest entries in absolute value, ascending."""
    return np.sort(np.argpartition(-np.abs(x), size - 1)[:size])


def _lasso(problem: Prepared, most: int, penalties: Any) -> list[Found]:
    """Return the solutions of the Lasso for penalties, up to the first segment of the path with too many entries."""
    A = problem.A
    if isinstance(A, Operator):
        if A.shape[0] * A.shape[1] > LASSO_ENTRIES:
            return []
        A = A.columns(np.arange(A.shape[1]))
    length = float(np.linalg.norm(problem.b))
    largest = float(np.sqrt(np.einsum("ij,ij->j", A, A).max(initial=0.0)))
    if not length or not largest or not most:
        return []
    wanted = penalties / (length * largest)
    A, b = A / largest, problem.b / length
    found, nothing = [], np.zeros(0, dtype=np.int64)
    # the first penalty is the largest of these inner products, but for the rounding of sums over the rows
    for i in np.flatnonzero(wanted >= np.abs(A.T @ b).max() * (1.0 - 4.0 * len(b) * EPS)):
        found.append(Found(("lasso", int(i)), 0, nothing, np.zeros(0)))
    for piece in stretches(A, b):
        if len(piece.support) > most:
            break
        while len(found) < len(wanted) and wanted[len(found)] >= piece.low:
            share = (piece.high - wanted[len(found)]) / (piece.high - piece.low)
            x = piece.first + share * (piece.last - piece.first)
            support = np.flatnonzero(x)
            values = x[support] * (length / largest)
            found.append(Found(("lasso", len(found)), len(support), support, values))
        if len(found) == len(wanted):
            break
    return found


def models(problem: Prepared, found: list[Found], ridges: Any, blends: Any) -> list[Candidates]:
    """Return the models on the supports, for every amount of shrinkage.

    Parameters
    ----------
    problem : Prepared
        The least-squares problem.
    found : list of Found
        From :func:`supports`.
    ridges : sequence of float
        Amounts of the ridge.
    blends : sequence of float
        Weights of the Lasso on its own supports; if empty, ridges are used there too.

    Returns
    -------
    list of Candidates
        One per support, in the order of `found`.

    Notes
    -----
    Ridge: (A_S' A_S + t I) v = A_S' b, by the eigenvectors of A_S' A_S, or if it is ill-conditioned by the singular
    vectors of A_S, since A_S' A_S has the square of its condition number; directions without any numerical rank get 0.
    Lasso: t times its own values plus 1 - t times least squares on S (the relaxed Lasso of
    Hastie, Tibshirani, Tibshirani 2020).
    """
    answer = []
    known: dict[bytes, tuple[Any, ...]] = {}  # families, and penalties of the Lasso, can give the same support
    ridges, blends = np.array(ridges, dtype=float), np.array(blends, dtype=float)
    for one in found:
        support, blended = one.support, one.lasso is not None and len(blends) > 0
        amounts = blends if blended else ridges
        values = np.zeros((0, len(amounts)))
        if len(support):
            name = support.tobytes()
            if name not in known:
                known[name] = _spectrum(_columns(problem, support), problem.b)
            vectors, right, eigenvalues = known[name]
            shift = np.zeros(1) if blended else ridges
            values = vectors @ (right[:, None] / (eigenvalues[:, None] + shift))
            if blended:
                values = one.lasso[:, None] * blends + values * (1.0 - blends)
        answer.append(Candidates(one, values, tuple(amounts.tolist())))
    return answer


def _spectrum(columns: Any, b: Any) -> tuple[Any, Any, Any]:
    """Return V, V' A_S' b and w with A_S' A_S = V diag(w) V'; in directions without rank w is infinite."""
    w, V = np.linalg.eigh(columns.T @ columns)
    if w[0] > WELL * w[-1]:
        return V, V.T @ (columns.T @ b), w
    U, s, Vt = np.linalg.svd(columns, full_matrices=False)
    some = s > rank_tolerance(len(s), np.float64) * s[0]
    return Vt.T, np.where(some, s * (b @ U), 0.0), np.where(some, s * s, np.inf)


def averaged(candidates: list[Candidates], errors: list[Any], problem: Prepared, n: float) -> Any:
    """Return the average of models weighted by their errors, on the features that enough of them use.

    Parameters
    ----------
    candidates : list of Candidates
        The models.
    errors : list of array, shape (k,)
        Their mean squared errors on unseen rows, above 0.
    problem : Prepared
        The least-squares problem, with p features.
    n : float
        Number of rows on which they were measured.

    Returns
    -------
    array, shape (p,)
        Coefficients in the units of the prepared problem.

    Notes
    -----
    The weight of a model of error e is exp(-n (e - e0) / (2 e0)), e0 the smallest error: the likelihood of unseen rows,
    for Gaussian noise of variance e0 (pseudo-Bayesian model averaging). If the fits of the features that are left out
    have a mean square above e0 k / n, k the number of features kept, which is the size of the model's own error, their
    projection on the features kept is added to the coefficients: models on features that are nearly equal have large
    coefficients that cancel, of which only some may be kept. The average of sparse models is not sparse.
    Features are kept if their models have at least a third of the weight; one half would give the median probability
    model of Barbieri and Berger (2004), which keeps slightly fewer (both from memory of the literature; `python -m
    benchmarks.estimators subset` measures the benefit of averaging).
    """
    least, p = min(float(one.min()) for one in errors), len(problem.mean)
    x, share, total = np.zeros(p), np.zeros(p), 0.0
    for one, error in zip(candidates, errors, strict=True):
        weights = np.exp(-0.5 * n * (error / least - 1.0))
        total += float(weights.sum())
        x[one.found.support] += one.values @ weights
        share[one.found.support] += (one.values != 0.0) @ weights
    x /= total
    kept = np.flatnonzero((share >= KEPT * total) & (x != 0.0))
    dropped = np.flatnonzero((share < KEPT * total) & (x != 0.0))
    answer = np.zeros(p)
    answer[kept] = x[kept]
    if len(kept) and len(dropped):
        columns, others = (_columns(problem, support) for support in (kept, dropped))
        lost = others @ x[dropped]
        if float(lost @ lost) > least * len(kept) / n:
            vectors, right, eigenvalues = _spectrum(columns, lost)
            answer[kept] += vectors @ (right / eigenvalues)
    return answer


def included(candidates: list[Candidates], errors: list[Any], p: int, n: float) -> Any:
    """Return for each feature the share of the weight of :func:`averaged` that models with the feature have.

    Parameters
    ----------
    candidates, errors, n
        As for :func:`averaged`.
    p : int
        Number of features.

    Returns
    -------
    array, shape (p,)
        From 0 to 1.
    """
    least = min(float(one.min()) for one in errors)
    share, total = np.zeros(p), 0.0
    for one, error in zip(candidates, errors, strict=True):
        weights = np.exp(-0.5 * n * (error / least - 1.0))
        total += float(weights.sum())
        share[one.found.support] += (one.values != 0.0) @ weights
    return np.minimum(share / total, 1.0)  # sums in another order may exceed 1 by rounding


def _columns(problem: Prepared, support: Any) -> Any:
    """Return the columns of a support, dense, shape (k, s)."""
    return problem.A.columns(support) if isinstance(problem.A, Operator) else problem.A[:, support]


def mean_square(problem: Prepared, one: Candidates) -> Any:
    """Return the weighted mean squared errors on the rows of the fit, for every amount of shrinkage."""
    fitted = _columns(problem, one.found.support) @ one.values
    return ((problem.b[:, None] - fitted) ** 2).sum(axis=0) + problem.rest


def charged(problem: Prepared, one: Candidates, n: float) -> Any:
    """Return the mean squared errors on the rows of the fit with the EBIC's penalty, for every amount of shrinkage.

    Parameters
    ----------
    problem : Prepared
        The least-squares problem.
    one : Candidates
        The models.
    n : float
        Number of rows.

    Returns
    -------
    array, shape (k,)
        RSS / n times (n^s C(p, s)^2)^(1 / n), which is exp(EBIC / n) for gamma = 1; inf for more than n / 4 entries.

    Notes
    -----
    With many features, a support that is found on all rows may not be found on the rows of a fold, since recovery has a
    threshold in the number of rows. Cross-validation then misses it, but its residual is smaller than any of the C(p,
    s) supports could achieve on noise. So the smaller of both errors counts.
    """
    p, s = problem.A.shape[1], len(one.found.support)
    if s > n / 4.0:
        return np.full(len(one.amounts), np.inf)
    choices = math.lgamma(p + 1) - math.lgamma(s + 1) - math.lgamma(p - s + 1)
    return mean_square(problem, one) * math.exp((s * math.log(n) + 2.0 * choices) / n)


def ebic(problem: Prepared, one: Candidates, total: float, gamma: float) -> Any:
    """Return n log(RSS / n) + s log n + 2 gamma log C(p, s), for every amount of shrinkage.

    Notes
    -----
    Chen and Chen (2008), from memory of the literature. n is the sum of the weights.
    """
    p, s = problem.A.shape[1], len(one.found.support)
    square = mean_square(problem, one)
    least = EPS**2 * float(problem.b @ problem.b + problem.rest)
    choices = math.lgamma(p + 1) - float(gammaln(s + 1)) - math.lgamma(p - s + 1)
    with np.errstate(divide="ignore"):  # if all data are 0
        return total * np.log(np.maximum(square, least)) + s * math.log(max(total, 1.0)) + 2.0 * gamma * choices
