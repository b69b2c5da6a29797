"""Projections and ranks that the closed forms share."""

from __future__ import annotations

import math

import numpy as np

from recovery.ranks import rank, rank_tolerance, unit_columns

__all__ = ["independent", "of_unit_size", "project", "smallest_singular_value"]


def of_unit_size(X: np.ndarray) -> np.ndarray:
    """Return X times the power of two that makes its largest entry 1/2 to 1, so that no square under- or overflows."""
    return np.ldexp(X, -math.frexp(float(np.abs(X).max()))[1])


def project(part: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return the projection of a vector on the range of a matrix, whatever its rank."""
    if not part.shape[1]:
        return np.zeros_like(vector)
    U, s, _ = np.linalg.svd(unit_columns(np, part)[0], full_matrices=False)
    U = U[:, s > rank_tolerance(len(s), part.dtype)]
    return np.asarray(U @ (U.T @ vector))


def smallest_singular_value(part: np.ndarray) -> float:
    """Return the smallest singular value, 0 without full column rank, and infinity without columns."""
    n, m = part.shape
    if m == 0:
        return math.inf
    if n < m:
        return 0.0
    return float(np.linalg.svd(part, compute_uv=False)[-1]) if rank(part) == m else 0.0


def independent(part: np.ndarray, name: str) -> np.ndarray:
    """Return the matrix, or refuse it if its columns are dependent."""
    if smallest_singular_value(part) == 0:
        raise ValueError(f"{name}, of shape {part.shape}, has no full column rank; expected independent columns")
    return part
