"""What the guarantees about the order ask of columns: norms, correlations, projections of the data onto them."""

from __future__ import annotations

import math

import numpy as np

from linear_lottery.guarantees.facts import EPS, Facts
from recovery.guarantees import Verdict, all_of, exceeds

__all__ = ["apart", "correlations", "equal_norms", "norms", "orthogonal", "projections", "top"]


def norms(known: Facts) -> np.ndarray:
    """Return the column norms, shape (d,)."""
    return np.asarray(np.linalg.norm(known.X, axis=0))


def correlations(known: Facts) -> np.ndarray:
    """Return |<x_i, x_j>| / (|x_i| |x_j|) off the diagonal, 0 on it."""
    unit = known.X / norms(known)
    found = np.abs(unit.T @ unit)
    np.fill_diagonal(found, 0.0)
    return found


def orthogonal(known: Facts) -> Verdict:
    """Return whether columns are orthogonal: correlations of 4 max(n, d) eps are what rounding leaves."""
    if np.any(norms(known) == 0.0):
        return Verdict.of(False, "a column is 0")
    worst = float(correlations(known).max())
    return Verdict.of(worst <= 4.0 * max(known.X.shape) * EPS, f"the largest correlation of two columns is {worst:.3g}")


def equal_norms(known: Facts) -> Verdict:
    """Return whether columns have equal norms, up to rounding."""
    sizes = norms(known)
    spread = float(sizes.max() / sizes.min() - 1.0) if sizes.min() > 0.0 else math.inf
    return Verdict.of(spread <= 16.0 * max(known.X.shape) * EPS, f"column norms differ by {spread:.3g}, relative")


def projections(known: Facts) -> np.ndarray:
    """Return c_j = <x_j, y> / |x_j|^2, shape (d,)."""
    return known.X.T @ known.y / norms(known) ** 2


def apart(c: np.ndarray, first: int, count: int, known: Facts) -> Verdict:
    """Return whether the values of rank first, first + 1, ... (`count` steps) in |c| are apart from each other."""
    size = np.sort(np.abs(c))
    error = 2.0 * known.weight_error(c)
    steps = [
        exceeds(size[r + 1], size[r], "neighbours in the order of |c|", error / size[r + 1] if size[r + 1] else 0.0)
        for r in range(first, first + count)
    ]
    return all_of(steps)


def top(c: np.ndarray, k: int) -> tuple[np.ndarray, float]:
    """Return the k largest |c|, ascending positions, and their gap to the others."""
    order = np.argsort(-np.abs(c), kind="stable")
    size = np.abs(c[order])
    return np.sort(order[:k]), float(size[k - 1] - size[k]) if 0 < k < len(c) else math.inf
