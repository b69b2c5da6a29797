"""Models of every size: supports by a solver and by the Lasso, and the shrunken coefficients on them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import gammaln

from planted.base.arrays import EPS
from planted.base.extras import need
from planted.base.quiet import quiet
from planted.base.values import by_value
from recovery.estimators.inputs import Prepared
from recovery.operators.base import Operator
from recovery.solvers.solve import solve

__all__ = ["BLENDS", "RIDGES", "Candidates", "SparsePath", "default_sizes", "ebic", "models", "supports"]

RIDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Values of the ridge among which cross-validation chooses, in units of the squared norm of a standardised feature."""
BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the Lasso among which cross-validation chooses for the supports that the Lasso finds."""
MOST = 100
"""Largest size that is tried by default."""
STEPS = 8
"""Steps of hard thresholding pursuit for one size of a path."""
LASSO_ENTRIES = 20_000_000
"""The Lasso, which needs the matrix, is left out for designs of more entries that are not formed."""


@by_value
@dataclass(frozen=True, eq=False)
class SparsePath:
    """The models that were compared, one for each size, and the one that was chosen.

    Parameters
    ----------
    sizes : array of int64, shape (k,)
        How many features a model may have.
    coefs : array, shape (p, k)
        Coefficients, in units of the features as they came.
    intercepts : array, shape (k,)
        Intercepts.
    errors : array, shape (k,)
        What was minimised, by size: the mean squared error of cross-validation or on the validation set, or the EBIC.
    spread : array, shape (k,)
        Standard errors of the means over the folds; NaN where there is one fold, or none.
    best : int
        Which of the k was chosen.
    family : tuple of str, length k
        Where the support of each size is from: the name of a solver, or "lasso".
    shrinkage : tuple of float, length k
        The ridge on the support, or for "lasso" the share of the Lasso's coefficients.
    """

    sizes: Any
    coefs: Any = field(repr=False)
    intercepts: Any = field(repr=False)
    errors: Any
    spread: Any
    best: int
    family: tuple[str, ...]
    shrinkage: tuple[float, ...]

    @property
    def size(self) -> int:
        """The size that was chosen."""
        return int(self.sizes[self.best])


@dataclass(frozen=True)
class Candidates:
    """The models of one family and size: x = V[:, i] on a support, for every amount of shrinkage.

    Parameters
    ----------
    family : str
        Where the support is from.
    size : int
        How many entries it may have.
    support : array of int64, shape (s,)
        S.
    values : array, shape (s, k)
        Coefficients on S, in the units of the prepared problem, one column for each amount of shrinkage.
    amounts : tuple of float, length k
        The amounts.
    """

    family: str
    size: int
    support: Any
    values: Any
    amounts: tuple[float, ...]


def default_sizes(most: int) -> Any:
    """Return about 30 sizes from 0 to `most`: all up to 15, then each about a sixth larger than the one before."""
    sizes = list(range(min(15, most) + 1))
    while sizes[-1] < most:
        sizes.append(min(most, max(sizes[-1] + 1, round(1.17 * sizes[-1]))))
    return np.array(sizes, dtype=np.int64)


def supports(problem: Prepared, sizes: Any, solver: Any) -> list[tuple[str, int, Any, Any]]:
    """Return (family, size, support, Lasso's values or None) for every size.

    Parameters
    ----------
    problem : Prepared
        The least-squares problem.
    sizes : array of int64
        Ascending.
    solver : str or Solver
        "auto" is hard thresholding pursuit and the Lasso; any other solver is the only family. Each size starts from
        the answer of the one before.

    Returns
    -------
    list of tuple
        Families one after the other, sizes ascending.
    """
    auto = isinstance(solver, str) and solver == "auto"
    name = "htp" if auto else solver if isinstance(solver, str) else (type(solver).name or type(solver).__name__)
    found, x = [], None
    for size in sizes:
        # beyond a few steps from a warm start HTP exchanges features whose difference is noise
        limit = STEPS if auto else None
        result = solve(problem.A, problem.b, int(size), "htp" if auto else solver, x0=x, max_iter=limit)
        x = result.x
        found.append((name, int(size), np.sort(result.support), None))
    if auto:
        found += _lasso(problem, sizes)
    return found


def _lasso(problem: Prepared, sizes: Any) -> list[tuple[str, int, Any, Any]]:
    """Return the supports of the Lasso's path: for every size the last knot that has no more entries."""
    A = problem.A
    if isinstance(A, Operator):
        if A.shape[0] * A.shape[1] > LASSO_ENTRIES:
            return []
        A = A.columns(np.arange(A.shape[1]))
    lars_path, config_context = need("sklearn.linear_model").lars_path, need("sklearn").config_context
    length = float(np.linalg.norm(problem.b))
    largest = float(np.sqrt(np.einsum("ij,ij->j", A, A).max(initial=0.0)))
    if not length or not largest or not sizes[-1]:
        return []
    steps = min(4 * int(sizes[-1]) + 8, 8 * min(A.shape))
    with quiet(), config_context(skip_parameter_validation=True):
        _, _, path = lars_path(A / largest, problem.b / length, method="lasso", max_iter=steps)
    path = path * (length / largest)
    counts = (path != 0.0).sum(axis=0)
    found = []
    for size in sizes:
        over = np.flatnonzero(counts > size)
        knot = (int(over[0]) if len(over) else len(counts)) - 1
        if 0 <= knot and counts[knot] == size:
            support = np.flatnonzero(path[:, knot])
            found.append(("lasso", int(size), support, path[support, knot]))  # where the support is about to grow
    return found


def models(problem: Prepared, found: list[tuple[str, int, Any, Any]], ridges: Any, blends: Any) -> list[Candidates]:
    """Return the models on the supports, for every amount of shrinkage.

    Parameters
    ----------
    problem : Prepared
        The least-squares problem.
    found : list
        From :func:`supports`.
    ridges, blends : sequence of float
        Amounts for the supports of solvers, and of the Lasso.

    Returns
    -------
    list of Candidates
        In the order of `found`.

    Notes
    -----
    Ridge: (A_S' A_S + t I) v = A_S' b, by the eigenvectors of A_S' A_S; directions with eigenvalues below
    s eps of the largest get 0. Lasso: t times its own values plus 1 - t times least squares on S (the relaxed Lasso of
    Hastie, Tibshirani, Tibshirani 2020).
    """
    answer = []
    for family, size, support, lasso in found:
        amounts = tuple(map(float, ridges if lasso is None else blends))
        values = np.zeros((0, len(amounts)))
        if len(support):
            columns = problem.A.columns(support) if isinstance(problem.A, Operator) else problem.A[:, support]
            eigenvalues, vectors = np.linalg.eigh(columns.T @ columns)
            right = vectors.T @ (columns.T @ problem.b)
            some = eigenvalues > len(support) * EPS * max(eigenvalues[-1], 0.0)
            shift = np.array(amounts) if lasso is None else np.zeros(1)
            below = eigenvalues[:, None] + shift
            values = vectors @ (np.where(some, right, 0.0)[:, None] / np.where(some[:, None], below, 1.0))
            if lasso is not None:
                share = np.array(amounts)
                values = lasso[:, None] * share + values * (1.0 - share)
        answer.append(Candidates(family, size, support, values, amounts))
    return answer


def ebic(problem: Prepared, one: Candidates, total: float, gamma: float) -> Any:
    """Return n log(RSS / n) + s log n + 2 gamma log C(p, s), for every amount of shrinkage.

    Notes
    -----
    Chen and Chen (2008), from memory of the literature. n is the sum of the weights.
    """
    A, s = problem.A, len(one.support)
    p = A.shape[1]
    fitted = (A.columns(one.support) if isinstance(A, Operator) else A[:, one.support]) @ one.values
    square = ((problem.b[:, None] - fitted) ** 2).sum(axis=0) + problem.rest
    least = EPS**2 * float(problem.b @ problem.b + problem.rest)
    choices = math.lgamma(p + 1) - float(gammaln(s + 1)) - math.lgamma(p - s + 1)
    with np.errstate(divide="ignore"):  # data that are all 0
        return total * np.log(np.maximum(square, least)) + s * math.log(max(total, 1.0)) + 2.0 * gamma * choices
