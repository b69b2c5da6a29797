"""Tropp's exact recovery coefficient: of one support, and the worst over all supports of a size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_integer
from recovery.conditions._columns import EPS, all_columns, check_support, orthogonalise, unit_columns
from recovery.conditions.enumeration import LIMIT, supports
from recovery.conditions.intervals import Interval

__all__ = ["exact_recovery_coefficient", "worst_exact_recovery_coefficient"]


def exact_recovery_coefficient(A: Any, support: Any, *, normalise: bool = True) -> float:
    """Return max over j outside S of |A_S^+ a_j|_1.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns.
    support : array of int, shape (k,)
        S, in any order.
    normalise : bool, default True
        Scale the columns to unit norm first, as OMP does here. For basis pursuit on the columns as they
        are, min |x|_1 subject to A x = y, say False.

    Returns
    -------
    float
        0 where S is empty; ``inf`` where the columns of S are dependent up to rounding; else 0 where S is everything.
        The relative error is about n eps cond(A_S).

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, the support does not fit, or a column is zero and `normalise` is set.

    Notes
    -----
    If it is below 1, then for every x supported on S, y = A x without noise: OMP picks only indices of S, and x is
    the only solution of least l1 norm. A_S^+ = R^-1 Q' from A_S = Q R. Computed in float64 on the device of A.

    References
    ----------
    Tropp, "Greed is good", IEEE Trans. Inf. Theory 2004 (from memory of the literature, verified numerically by
    tests/recovery/test_conditions_supports.py).
    """
    columns = unit_columns(A) if normalise else all_columns(A, proves=False)
    xp = arrays.namespace(columns)
    chosen = check_support(support, columns.shape[1])
    rest = np.setdiff1d(np.arange(columns.shape[1]), chosen)
    if not chosen.size:
        return 0.0
    factors = orthogonalise(columns[:, xp.asarray(chosen)])
    if factors is None:
        return math.inf
    if not rest.size:
        return 0.0
    Q, R = factors
    coefficients = xp.linalg.solve(R, Q.T @ columns[:, xp.asarray(rest)])
    return float(xp.abs(coefficients).sum(axis=0).max())


def worst_exact_recovery_coefficient(A: Any, k: int, *, limit: int = LIMIT) -> Interval:
    """Return the largest exact recovery coefficient over all supports of size k, or bounds of it.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns; they are scaled to unit norm.
    k : int
        Size of the supports, from 1 to N.
    limit : int, default 2,000,000
        Supports are enumerated, on the CPU, up to this number of them.

    Returns
    -------
    Interval
        The witness is a support that reaches the lower bound. Enumerated: the number up to rounding of about n eps
        cond(G_SS) (it works on Gram matrices), no proof; infinite where k columns are dependent up to that rounding.
        Beyond the limit: from one promising support, and from the Babel function (``inf`` if mu_1(k - 1) >= 1).

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, a column is zero, or `k` is out of range.

    Notes
    -----
    With unit columns |A_S^+ a_j|_1 <= |G_SS^-1|_1 |A_S' a_j|_1 <= mu_1(k) / (1 - mu_1(k - 1)).

    References
    ----------
    The bound by the Babel function: Tropp 2004 (from memory of the literature; proved in docs/derivations.md, "Bounds
    of restricted eigenvalues and of the recovery coefficient", and verified numerically by
    tests/recovery/test_conditions_supports.py).
    """
    columns = arrays.to_numpy(unit_columns(A))
    n, size = columns.shape
    k = check_integer(k, "k", minimum=1, maximum=size)
    limit = check_integer(limit, "limit", minimum=0)
    gram = columns.T @ columns
    if k == size:
        worst = exact_recovery_coefficient(columns, np.arange(size), normalise=False)
        return Interval(worst, worst, witness=np.arange(size))
    if math.comb(size, k) > limit:
        return _bounds(columns, gram, k)
    worst, witness = -1.0, np.arange(k)
    for chosen in supports(size, k, max(1, 2**22 // (size * k))):
        spectrum, basis = np.linalg.eigh(gram[chosen[:, :, None], chosen[:, None, :]])
        singular = spectrum[:, 0] <= max(n, k) * EPS * k
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
    """Return the bounds that need no enumeration: one support of columns similar to one, and the Babel function."""
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
