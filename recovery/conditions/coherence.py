"""Mutual coherence, the Babel function and the exact recovery coefficient: how similar columns are to each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_integer
from recovery.exact.enumeration import LIMIT, supports
from recovery.exact.intervals import Interval
from recovery.operators.columns import Columns, check_support, large, orthogonalise, unit_columns
from recovery.operators.dense import as_operator
from recovery.operators.sparse import SparseOperator

__all__ = ["babel_function", "exact_recovery_coefficient", "mutual_coherence", "worst_exact_recovery_coefficient"]

PRODUCTS = 2**22
"""Approximate number of inner products of sparse columns stored at a time."""


def mutual_coherence(A: Any) -> float:
    """Return the largest |cosine| between two columns.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns; their norms do not matter.

    Returns
    -------
    float
        mu, from 0 to 1 (up to rounding, about n eps); 0 for a single column.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, or a column is zero.

    Notes
    -----
    mu = max over i != j of |a_i . a_j| / (|a_i| |a_j|). Computed in float64 on the device of A; O(n N^2), and
    N^2 numbers are stored. Of a sparse matrix that is too large for that, only the inner products that are not 0 by its
    pattern are computed, some columns at a time.

    References
    ----------
    The textbook definition (from memory of the literature), checked against two plain loops by
    tests/recovery/test_conditions_coherence.py.
    """
    return _sums_of_sparse(A, 1) if _sparse(A) else float(_cosines(A).max())


def babel_function(A: Any, sparsity: int) -> float:
    """Return the largest sum of |cosines| between one column and s others.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns; their norms do not matter.
    sparsity : int
        Number s of other columns, from 0 to N - 1.

    Returns
    -------
    float
        mu_1(s) <= s mu, up to rounding of about n s eps.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, a column is zero, or `sparsity` is out of range.

    Notes
    -----
    mu_1(s) = max over j and |S| = s without j of sum_{i in S} |a_i . a_j| for unit columns. The s largest entries
    of each row of the Gram matrix are added, so no sets are enumerated. Cost as for :func:`mutual_coherence`.

    References
    ----------
    Tropp, "Greed is good", IEEE Trans. Inf. Theory 2004 (from memory of the literature, checked against a search
    over all sets by tests/recovery/test_conditions_coherence.py).
    """
    if _sparse(A):
        return _sums_of_sparse(A, check_integer(sparsity, "sparsity", minimum=0, maximum=int(A.shape[1]) - 1))
    cosines = _cosines(A)
    sparsity = check_integer(sparsity, "sparsity", minimum=0, maximum=int(cosines.shape[0]) - 1)
    largest = -arrays.namespace(cosines).sort(-cosines, axis=1)[:, :sparsity]
    return float(largest.sum(axis=1).max())


def _cosines(A: Any) -> Any:
    """Return |a_i . a_j| of the unit columns with zeros on the diagonal, shape (N, N)."""
    columns = unit_columns(A)
    xp = arrays.namespace(columns)
    gram = xp.abs(columns.T @ columns)
    return gram - xp.diag(xp.diag(gram))


def _sparse(A: Any) -> bool:
    """Tell whether A is a sparse matrix that is not written out."""
    return large(A) and isinstance(as_operator(A), SparseOperator)


def _sums_of_sparse(A: Any, sparsity: int) -> float:
    """Return the largest sum of the s largest |cosines| of a column with others, of a sparse matrix."""
    operator, unit = as_operator(A), Columns(A, unit=True)
    matrix: Any = operator.A  # type: ignore[attr-defined]
    norms: Any = unit.norms
    if sparsity == 0:
        return 0.0
    # inner products that one column makes: for each of its entries the length of that row
    lengths = np.bincount(matrix.indices, minlength=operator.shape[0])
    ends = np.concatenate([[0], np.cumsum(lengths[matrix.indices])])[matrix.indptr]
    worst, begin, size, by_rows = 0.0, 0, operator.shape[1], matrix.tocsr()
    while begin < size:
        end = max(begin + 1, int(np.searchsorted(ends, ends[begin] + PRODUCTS, side="right")) - 1)
        part = matrix[:, begin:end].T @ by_rows
        rows = np.repeat(np.arange(end - begin), np.diff(part.indptr))
        cosines = np.abs(part.data).astype(np.float64) / norms[part.indices] / norms[rows + begin]
        cosines[part.indices == rows + begin] = 0.0
        starts, sums = part.indptr[:-1], np.zeros(end - begin)  # no row is empty: no column is 0
        for t in range(sparsity):
            peaks = np.maximum.reduceat(cosines, starts)
            sums += peaks
            if t + 1 == sparsity or not peaks.any():
                break
            found = np.flatnonzero(cosines == peaks[rows])
            cosines[found[np.diff(rows[found], prepend=-1) > 0]] = 0.0  # one of them in each row
        worst, begin = max(worst, float(sums.max())), end
    return worst


def exact_recovery_coefficient(A: Any, support: Any, *, normalise: bool = True) -> float:
    """Return max over j outside S of |A_S^+ a_j|_1.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns.
    support : array of int, shape (k,)
        S, in any order.
    normalise : bool, default True
        Scale the columns to unit norm first, as OMP does here. Pass False for basis pursuit on the unscaled columns,
        min |x|_1 subject to A x = y.

    Returns
    -------
    float
        0 if S is empty; ``inf`` if the columns of S are linearly dependent up to rounding; else 0 if S contains all
        columns. The relative error is about n eps cond(A_S).

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, the support is invalid, or a column is zero and `normalise` is set.

    Notes
    -----
    If it is below 1, then for every x supported on S and y = A x without noise, OMP selects only indices of S, and x is
    the unique solution of minimal l1 norm. A_S^+ = R^-1 Q' from A_S = Q R. Computed in float64 on the device of A.

    References
    ----------
    Tropp, "Greed is good", IEEE Trans. Inf. Theory 2004 (from memory of the literature, verified numerically by
    tests/recovery/test_conditions_supports.py).
    """
    columns = Columns(A, unit=normalise)
    xp, size = columns.xp, columns.shape[1]
    chosen = check_support(support, size)
    rest = np.setdiff1d(np.arange(size), chosen)
    if not chosen.size:
        return 0.0
    factors = orthogonalise(columns.pick(xp.asarray(chosen)))
    if factors is None:
        return math.inf
    if not rest.size:
        return 0.0
    Q, R = factors
    parts = (xp.linalg.solve(R, inner.T) for inner in columns.correlations(xp.asarray(rest), Q))
    return max(float(xp.abs(coefficients).sum(axis=0).max()) for coefficients in parts)


def worst_exact_recovery_coefficient(A: Any, sparsity: int, *, limit: int = LIMIT) -> Interval:
    """Return the largest exact recovery coefficient over all supports of size k, or bounds on it.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns; they are scaled to unit norm.
    sparsity : int
        Size of the supports, from 1 to N.
    limit : int, default 2,000,000
        Largest number of supports that are enumerated (on the CPU).

    Returns
    -------
    Interval
        The witness is a support that attains the lower bound. With enumeration, the number is accurate to about n eps
        cond(G_SS) (Gram matrices are used) but not certified; infinite if k columns are dependent to that accuracy.
        Beyond the limit, the bounds come from one promising support and from the Babel function (``inf`` if mu_1(k - 1)
        >= 1).

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, a column is zero, or `sparsity` is out of range.

    Notes
    -----
    With unit columns |A_S^+ a_j|_1 <= |G_SS^-1|_1 |A_S' a_j|_1 <= mu_1(k) / (1 - mu_1(k - 1)).

    References
    ----------
    The bound by the Babel function: Tropp 2004 (from memory of the literature; proved in docs/theory, "Bounds
    on restricted eigenvalues and on the recovery coefficient", and verified numerically by
    tests/recovery/test_conditions_supports.py).
    """
    columns = arrays.to_numpy(unit_columns(A))
    n, size = columns.shape
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=size)
    limit = check_integer(limit, "limit", minimum=0)
    gram = columns.T @ columns
    if sparsity == size:
        worst = exact_recovery_coefficient(columns, np.arange(size), normalise=False)
        return Interval(worst, worst, witness=np.arange(size))
    if math.comb(size, sparsity) > limit:
        return _bounds(columns, gram, sparsity)
    worst, witness = -1.0, np.arange(sparsity)
    for chosen in supports(size, sparsity, max(1, 2**22 // (size * sparsity))):
        spectrum, basis = np.linalg.eigh(gram[chosen[:, :, None], chosen[:, None, :]])
        singular = spectrum[:, 0] <= max(n, sparsity) * EPS * sparsity
        if singular.any():
            return Interval(math.inf, math.inf, witness=chosen[np.argmax(singular)])
        inverse = (basis / spectrum[:, None, :]) @ basis.transpose(0, 2, 1)
        sums = np.abs(inverse @ gram[chosen]).sum(axis=1)
        np.put_along_axis(sums, chosen, -1.0, axis=1)
        largest = sums.max(axis=1)
        if largest.max() > worst:
            worst, witness = float(largest.max()), chosen[np.argmax(largest)]
    return Interval(worst, worst, witness=witness)


def _bounds(columns: np.ndarray, gram: np.ndarray, k: int) -> Interval:
    """Return bounds without enumeration: from one support of columns similar to one column, and the Babel function."""
    cosines = np.abs(gram)
    np.fill_diagonal(cosines, 0.0)
    ranked = -np.sort(-cosines, axis=1)
    sums = ranked[:, :k].sum(axis=1)
    before = float(ranked[:, : k - 1].sum(axis=1).max())
    j = int(np.argmax(sums))
    others = np.delete(np.arange(gram.shape[0]), j)
    witness = np.sort(others[np.argsort(-cosines[j, others], kind="stable")[:k]])
    lower = exact_recovery_coefficient(columns, witness)
    upper = float(sums.max()) / (1.0 - before) if before < 1.0 else math.inf
    return Interval(min(lower, upper), upper, witness=witness)
