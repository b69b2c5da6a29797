"""Kappa: how much of the noise in pruned weights is transferred to the remaining ones (D8)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from linear_lottery.closed_forms.arguments import matrix, of_unit_size, places
from planted.base.checks import check_integer, check_number
from recovery.operators.ranks import rank

__all__ = ["equicorrelated_amplification", "null_amplification", "null_amplification_bound"]

TOGETHER = 7
"""Subsets are processed in blocks of 2^7: large enough to hide Python's overhead, small enough to stay in cache."""


def null_amplification(X: Any, support: Any, *, limit: int = 16) -> float | None:
    """Return kappa, the worst amplification of pruned noise over all sets of null weights, by enumeration.

    Parameters
    ----------
    X : array, shape (n, d)
        Features of full column rank, copied to the CPU.
    support : array of int, shape (k,)
        S, the support of the true weights.
    limit : int, default 16
        Largest d - k for which the 2^(d - k) sets are enumerated.

    Returns
    -------
    float or None
        kappa >= 0, or None (unknown) if d - k exceeds `limit`; then see :func:`null_amplification_bound`.

    Raises
    ------
    TypeError, ValueError
        If X lacks full column rank or `support` is not a set of indices.

    Notes
    -----
    With Sg = (X'X)^-1,

        kappa = max over R inside S^c and j not in R of |Sg_jR Sg_RR^-1|_1.

    The row Sg_jR Sg_RR^-1 describes how the least-squares noise of weight j changes when R is pruned: eta^M = eta_M -
    Sg_MR Sg_RR^-1 eta_R, so |eta^M|_inf <= (1 + kappa) |eta|_inf for every set M that contains S, with R the rest. All
    sets are visited by sweeping null weights into Sg one after the other, with d^2 operations per set and 2^(d-k) d^2
    in total. The relative error is about cond(X'X) eps.

    References
    ----------
    Derived here: docs/theory, "Noise amplification by pruning".
    """
    sg, nulls = _inverse_gram(X, support)
    if nulls.size > check_integer(limit, "limit", minimum=0):
        return None
    d, worst = sg.shape[0], 0.0
    for tables, swept in _sweeps(sg, nulls, np.zeros(d, dtype=bool)):
        rows = np.einsum("rij,rj->ri", np.abs(tables), swept.astype(float))
        worst = max(worst, float(np.where(swept, 0.0, rows).max()))
    return worst


def null_amplification_bound(X: Any, support: Any) -> float:
    """Return a bound on kappa that needs only the condition number of X.

    Parameters
    ----------
    X : array, shape (n, d)
        Features of full column rank, copied to the CPU.
    support : array of int, shape (k,)
        S, the support of the true weights.

    Returns
    -------
    float
        sqrt(d - k) (c - 1) / (2 sqrt(c)), c = cond(X'X) = cond(X)^2. It is 0 for orthogonal columns of equal norm,
        and about half of sqrt((d - k) c) for large c.

    Raises
    ------
    TypeError, ValueError
        If X lacks full column rank or `support` is not a set of indices.

    References
    ----------
    Derived here: docs/theory, "Noise amplification by pruning".
    """
    X = matrix(X)
    s, k = _singular_values(X), places(support, "support", X.shape[1]).size
    ratio = float(s[0] / s[-1])
    return math.sqrt(X.shape[1] - k) * (ratio - 1 / ratio) / 2


def equicorrelated_amplification(d: int, sparsity: int, rho: float) -> float:
    """Return kappa for equal norms and equal correlations.

    Parameters
    ----------
    d : int
        Number of weights.
    sparsity : int
        Size of the support, k; by symmetry, which k does not matter.
    rho : float
        Correlation of any two columns, above -1 / (d - 1) and below 1.

    Returns
    -------
    float
        (d - k) |rho| / (1 + (k - 1) rho); for an empty support the value for k = 1, since some weight must remain.

    Raises
    ------
    TypeError, ValueError
        If a number is out of range.

    References
    ----------
    Derived here: docs/theory, "Noise amplification by pruning".
    """
    d = check_integer(d, "d", minimum=1)
    k = max(check_integer(sparsity, "sparsity", minimum=0, maximum=d), 1)
    rho = check_number(rho, "rho")
    if not (rho < 1 and 1 + (d - 1) * rho > 0):
        raise ValueError(
            f"rho={rho} gives no valid Gram matrix of {d} columns; expected above -1 / (d - 1) and below 1"
        )
    return (d - k) * abs(rho) / (1 + (k - 1) * rho)


def _singular_values(X: np.ndarray) -> np.ndarray:
    """Return the singular values of X, which must be of full column rank."""
    if rank(X) < X.shape[1]:
        raise ValueError(f"X of shape {X.shape} lacks full column rank; expected independent columns")
    return np.linalg.svd(X, compute_uv=False)


def _inverse_gram(X: Any, support: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a multiple of (X'X)^-1, from a decomposition of X, and the indices outside the support."""
    X = of_unit_size(matrix(X))  # kappa does not depend on the scale
    _singular_values(X)
    inverse = np.linalg.solve(np.linalg.qr(X, mode="r"), np.eye(X.shape[1]))
    return inverse @ inverse.T, np.setdiff1d(np.arange(X.shape[1]), places(support, "support", X.shape[1]))


def _sweep(tables: np.ndarray, r: int) -> np.ndarray:
    """Sweep index r into symmetric tables, shape (count, d, d).

    With R swept, a table of Sg holds Sg_jR Sg_RR^-1 in the rows j outside R and the columns R.
    """
    pivot = tables[:, r, r][:, None]
    line = tables[:, r, :] / pivot
    out = tables - tables[:, :, r][:, :, None] * line[:, None, :]
    out[:, r, :] = line
    out[:, :, r] = line
    out[:, r, r] = -1 / pivot[:, 0]
    return out


def _sweeps(table: np.ndarray, nulls: np.ndarray, swept: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of tables with the sets of nulls swept into them, over all 2^p sets."""
    if nulls.size > TOGETHER:
        yield from _sweeps(table, nulls[1:], swept)
        with_first = swept.copy()
        with_first[nulls[0]] = True
        yield from _sweeps(_sweep(table[None], int(nulls[0]))[0], nulls[1:], with_first)
        return
    tables, sets = table[None], swept[None]
    for r in nulls:
        more = sets.copy()
        more[:, r] = True
        tables, sets = np.concatenate([tables, _sweep(tables, int(r))]), np.concatenate([sets, more])
    yield tables, sets
