"""Properties of columns that the guarantees about the order need: norms, correlations, projections of the data."""

from __future__ import annotations

import math

import numpy as np

from linear_lottery.guarantees.facts import Facts
from planted.base.arrays import EPS
from recovery.guarantees import Bounded, Verdict, all_of, exceeds
from recovery.operators.ranks import column_norms, unit_columns

__all__ = [
    "apart",
    "correlations",
    "equal_norms",
    "leaning",
    "norms",
    "orthogonal",
    "projections",
    "slack",
    "spread",
    "top",
]


def norms(known: Facts) -> np.ndarray:
    """Return the column norms, shape (d,)."""
    return np.asarray(column_norms(np, known.R))


def correlations(known: Facts) -> np.ndarray:
    """Return |<x_i, x_j>| / (|x_i| |x_j|) off the diagonal, 0 on it."""
    unit, _ = unit_columns(np, known.R)
    found = np.abs(unit.T @ unit)
    np.fill_diagonal(found, 0.0)
    return found


def orthogonal(known: Facts) -> Verdict:
    """Return whether columns are orthogonal: correlations of 4 max(n, d) eps are what rounding leaves."""
    if np.any(norms(known) == 0.0):
        return Verdict.of(False, "a column is 0")
    worst = float(correlations(known).max())
    return Verdict.of(worst <= 4.0 * max(known.X.shape) * EPS, f"the largest correlation of two columns is {worst:.3g}")


def leaning(known: Facts) -> float:
    """Return rho = (d - 1) mu / (1 - (d - 1) mu) with the largest mu that rounding allows, inf without a bound.

    The columns count as orthogonal when rounding may have left their correlations; what those can do counts here: with
    columns of norm 1, |w_j - c_j| <= rho max |c_i| on any mask, trained to convergence.
    """
    d = known.X.shape[1]
    mu = (d - 1) * (float(correlations(known).max(initial=0.0)) + 8.0 * (d + 10) * EPS) if d > 1 else 0.0
    return mu / (1.0 - mu) if mu < 1.0 else math.inf


def spread(known: Facts) -> float:
    """Return the largest relative difference of column norms."""
    sizes = norms(known)
    return float(sizes.max() / sizes.min() - 1.0) + 8.0 * (known.X.shape[1] + 10) * EPS


def slack(c: np.ndarray, known: Facts) -> np.ndarray:
    """Return how far weights may be from c because columns are only orthogonal up to rounding, shape (d,)."""
    sizes = norms(known)
    with np.errstate(over="ignore", invalid="ignore"):
        found = leaning(known) * float((np.abs(c) * sizes).max()) / sizes
    return np.where(np.isnan(found), math.inf, found)


def equal_norms(known: Facts) -> Verdict:
    """Return whether columns have equal norms, up to rounding."""
    sizes = norms(known)
    spread = float(sizes.max() / sizes.min() - 1.0) if sizes.min() > 0.0 else math.inf
    return Verdict.of(spread <= 16.0 * max(known.X.shape) * EPS, f"column norms differ by a relative {spread:.3g}")


def projections(known: Facts) -> np.ndarray:
    """Return c_j = <x_j, y> / |x_j|^2, shape (d,)."""
    unit, sizes = unit_columns(np, known.R)
    with np.errstate(over="ignore"):
        return np.asarray(unit.T @ known.z / sizes)


def apart(c: np.ndarray, first: int, count: int, known: Facts) -> Verdict:
    """Return whether the values of rank first, first + 1, ... (`count` steps) in |c| are apart from each other."""
    order = np.argsort(np.abs(c), kind="stable")
    # twice for ties
    size, error = np.abs(c)[order], 2.0 * known.weight_error(c) + slack(c, known)[order]
    return all_of(
        exceeds(
            Bounded(size[r + 1], error[r + 1]),
            Bounded(size[r], error[r]),
            "the larger of two neighbours in the order of |c| exceeds the smaller",
        )
        for r in range(first, first + count)
    )


def top(c: np.ndarray, k: int) -> tuple[np.ndarray, float]:
    """Return the k largest |c|, ascending positions, and their gap to the others."""
    order = np.argsort(-np.abs(c), kind="stable")
    size = np.abs(c[order])
    return np.sort(order[:k]), float(size[k - 1] - size[k]) if 0 < k < len(c) else math.inf
