"""Signs of activations that no rounding has decided."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

__all__ = ["TOL", "exact_signs", "fits"]

TOL = 1e-8
"""What :func:`recovery.unfuse` takes for rounding: it decides nothing below, and nor do the hypotheses."""


def exact_signs(X: np.ndarray, u: np.ndarray) -> np.ndarray | None:
    """Return the signs of X u, decided with fractions where rounding could; None if one is not 0 but below TOL."""
    value, size = X @ u, np.abs(X) @ np.abs(u)
    signs = np.sign(value)
    for i in np.flatnonzero(np.abs(value) <= 2.0 * TOL * size):
        exact = sum((Fraction(float(a)) * Fraction(float(b)) for a, b in zip(X[i], u, strict=True)), Fraction(0))
        if exact:
            return None
        signs[i] = 0.0
    return signs


def fits(signs: np.ndarray, gate: np.ndarray) -> bool:
    """Return whether relu(X u) = D X u, from the signs of X u: where it is 0, any bit will do."""
    return bool(np.all((signs > 0.0)[signs != 0.0] == gate[signs != 0.0]))
