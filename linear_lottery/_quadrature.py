"""Gauss-Legendre quadrature in panels, and a logarithm that it needs."""

from __future__ import annotations

import numpy as np
from scipy.special import erf, erfc

__all__ = ["PANEL", "log_erf", "panels"]

POINTS, PANEL = 20, 0.25
"""Points a panel, and a width of panels, in standard deviations, at which the error for a bell is below rounding."""


def panels(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights of Gauss-Legendre quadrature on each panel between neighbouring edges."""
    x, weights = np.polynomial.legendre.leggauss(POINTS)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (x + 1)).ravel(), (half * weights).ravel()


def log_erf(x: np.ndarray) -> np.ndarray:
    """Return log erf(x): from erfc near 1, where 1 - erfc would lose what a large power needs."""
    small = x < 0.5
    with np.errstate(divide="ignore"):
        return np.where(small, np.log(erf(np.where(small, x, 0.5))), np.log1p(-erfc(np.where(small, 0.5, x))))
