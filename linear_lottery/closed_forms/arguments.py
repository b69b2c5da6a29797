"""Argument handling of the closed forms, which are evaluated on the CPU in float64, wherever X lives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import erf, erfc

from planted.base import arrays
from planted.base.checks import check_array, check_mask
from recovery.operators.ranks import rank, rank_tolerance, unit_columns

__all__ = [
    "PANEL",
    "independent",
    "log_erf",
    "mask_of",
    "matrix",
    "numbers",
    "of_unit_size",
    "panels",
    "places",
    "project",
    "scalar_or_array",
    "smallest_singular_value",
    "vector",
]


def numbers(
    value: Any,
    name: str,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    finite: bool = True,
) -> np.ndarray:
    """Return a number, or an array of numbers of any shape, as float64; raise an error for values out of bounds."""
    found = np.asarray(arrays.to_numpy(check_array(value, name, ndim=tuple(range(9)), finite=finite)), dtype=float)
    bad = np.isnan(found)
    wanted: list[str] = []
    if minimum is not None:
        bad, wanted = bad | (found < minimum), [*wanted, f"at least {minimum:g}"]
    if above is not None:
        bad, wanted = bad | (found <= above), [*wanted, f"more than {above:g}"]
    if maximum is not None:
        bad, wanted = bad | (found > maximum), [*wanted, f"at most {maximum:g}"]
    if bad.any():
        first = found[bad].flat[0] if found.ndim else float(found)
        raise ValueError(f"{name}={first:g} is out of range; expected {' and '.join(wanted) or 'no NaN'}")
    return found


def matrix(value: Any, name: str = "X") -> np.ndarray:
    """Return a matrix as float64 on the CPU."""
    return np.asarray(arrays.to_numpy(check_array(value, name, ndim=2)), dtype=float)


def vector(value: Any, name: str, length: int) -> np.ndarray:
    """Return a vector of a given length as float64 on the CPU."""
    return np.asarray(arrays.to_numpy(check_array(value, name, ndim=1, shape=(length,))), dtype=float)


def mask_of(value: Any, name: str, d: int) -> np.ndarray:
    """Return a mask over d weights as bool; None means all of them."""
    if value is None:
        return np.ones(d, dtype=bool)
    return np.asarray(arrays.to_numpy(check_mask(value, name, d)))


def places(value: Any, name: str, d: int) -> np.ndarray:
    """Return distinct indices below d, ascending; may be empty."""
    found = arrays.to_numpy(value)
    if found.size and found.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {found.dtype}; expected integers, the indices of weights")
    found = found.astype(np.int64).ravel()
    distinct = np.unique(found)
    if distinct.size != found.size or (distinct.size and (distinct[0] < 0 or distinct[-1] >= d)):
        raise ValueError(f"{name}={found.tolist()} are not distinct indices between 0 and {d - 1}")
    return distinct


def scalar_or_array(value: Any) -> Any:
    """Return a float for a 0-dimensional array, and the array otherwise."""
    found = np.asarray(value)
    return float(found) if found.ndim == 0 else found


def of_unit_size(X: np.ndarray) -> np.ndarray:
    """Return X times the power of two that brings its largest entry to 1/2 to 1, so no square under- or overflows."""
    return np.ldexp(X, -math.frexp(float(np.abs(X).max()))[1])


def project(part: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return the projection of a vector onto the range of a matrix of any rank."""
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
    """Return the matrix, or raise an error if its columns are dependent."""
    if smallest_singular_value(part) == 0:
        raise ValueError(f"{name}, of shape {part.shape}, lacks full column rank; expected independent columns")
    return part


POINTS, PANEL = 20, 0.25
"""Points per panel, and panel width in standard deviations, for which a Gaussian is integrated to rounding error."""


def panels(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights of Gauss-Legendre quadrature on each panel between neighbouring edges."""
    x, weights = np.polynomial.legendre.leggauss(POINTS)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (x + 1)).ravel(), (half * weights).ravel()


def log_erf(x: np.ndarray) -> np.ndarray:
    """Return log erf(x): using erfc near 1, where 1 - erfc would lose the accuracy that large powers need."""
    small = x < 0.5
    with np.errstate(divide="ignore"):
        return np.where(small, np.log(erf(np.where(small, x, 0.5))), np.log1p(-erfc(np.where(small, 0.5, x))))
