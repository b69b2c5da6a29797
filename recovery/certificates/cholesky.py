"""Positive definiteness proved by a Cholesky factorisation in floating-point arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted import arrays
from planted.exactness import check_exact, exactly
from recovery.certificates.rounding import NEGLIGIBLE, UNIT, gamma, sum_above

__all__ = [
    "blocks_proved",
    "largest_eigenvalue_bound",
    "proves_positive_definite",
    "smallest_eigenvalue_bound",
    "tightest",
]


def proves_positive_definite(M: Any, radius: Any = 0.0) -> bool:
    """Say whether every symmetric matrix within a radius of M was proved to be positive definite.

    Parameters
    ----------
    M : numpy.ndarray of float64, shape (n, n)
        Symmetric. NaN and infinite entries are legal and prove nothing.
    radius : float or numpy.ndarray, shape (n, n), default 0
        Not negative: the statement is about all symmetric P with |P_ij - M_ij| <= radius_ij.

    Returns
    -------
    bool
        True is a proof. False says nothing: the matrix may be too near to a singular one for float64.

    Raises
    ------
    TypeError, ValueError
        If M is not a symmetric matrix, or a radius is negative.

    Notes
    -----
    Rows and columns are scaled by powers of two until the diagonal is of order 1; then c is subtracted from the
    diagonal and the factorisation must succeed, where

        c >= gamma_{n+1} / (1 - gamma_{n+1}) trace(M) + max_i sum_j radius_ij + rounding of the shift + underflow.

    The first term bounds the 2-norm of what the factorisation leaves, the second that of P - M. All is
    elementwise arithmetic: no library is trusted.

    References
    ----------
    The idea is that of S. M. Rump, Verification of positive definiteness, BIT 46 (2006); the constant is derived here:
    docs/derivations.md, "Rigorous arithmetic".
    """
    M = _matrix(M, finite=False)
    if M.shape[0] != M.shape[1]:
        raise ValueError(f"M has shape {M.shape}; expected a square matrix")
    if not np.array_equal(M, M.T, equal_nan=True):
        raise ValueError("M is not symmetric; expected a symmetric matrix")
    radius = np.broadcast_to(np.asarray(arrays.to_numpy(exactly(radius, "radius")), dtype=np.float64), M.shape)
    if not (radius >= 0).all():
        raise ValueError("radius has entries that are negative or NaN; expected numbers that are not negative")
    diagonal = M.diagonal()
    if not ((diagonal > 0) & (diagonal < np.inf)).all():
        return False
    f = -((np.frexp(diagonal)[1] - 1) // 2)
    both = f[:, None] + f
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        M, radius = np.ldexp(M, both), np.ldexp(np.maximum(radius, radius.T), both) + NEGLIGIBLE
        return bool(_succeeds(_lowered(M, float(sum_above(radius, axis=1).max()))))


def blocks_proved(M: np.ndarray, radius: np.ndarray, supports: np.ndarray) -> np.ndarray:
    """Say which blocks of a matrix, known up to a radius, were proved to be positive definite.

    Parameters
    ----------
    M, radius : numpy.ndarray of float64, shape (N, N)
        Symmetric, with a diagonal between 1 and 4 (as ``GramEnclosure.shifted`` returns them).
    supports : numpy.ndarray of int64, shape (count, s)
        Indices of the blocks.

    Returns
    -------
    numpy.ndarray of bool, shape (count,)
        True is a proof, as in :func:`proves_positive_definite`.
    """
    s = supports.shape[1]
    # of each row the s largest radii: more than any block has
    widest = float(sum_above(np.sort(radius, axis=1)[:, -s:], axis=1).max())
    columns = np.ascontiguousarray(supports.T)
    # matrix axes first: every step is one operation on contiguous vectors
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return np.asarray(_succeeds(_lowered(M[columns[:, None], columns[None]], widest)))


def largest_eigenvalue_bound(M: Any, radius: Any = 0.0) -> float:
    """Return a proved upper bound of the largest eigenvalue of every symmetric matrix within a radius of M.

    Parameters
    ----------
    M : numpy.ndarray of float64, shape (n, n)
        Symmetric and finite.
    radius : float or numpy.ndarray, shape (n, n), default 0
        As for :func:`proves_positive_definite`.

    Returns
    -------
    float
        t with t I - P proved to be positive definite; infinite where nothing was proved. Above the
        largest eigenvalue by about n^2 u times the largest entry, and the radius.
    """
    M, radius = _matrix(M), arrays.to_numpy(exactly(radius, "radius"))
    size = M.shape[0]
    spread = np.broadcast_to(np.asarray(radius, dtype=np.float64), M.shape).sum(axis=1).max()
    guess = float(np.linalg.eigvalsh(M)[-1]) + float(spread)
    scale = max(abs(guess), float(np.abs(M).max()))

    def proved(t: float) -> bool:
        middle = t * np.eye(size) - M
        # one rounding on the diagonal, none elsewhere
        return proves_positive_definite(middle, radius + 2.0 * UNIT * np.abs(np.diag(middle.diagonal())))

    return tightest(proved, guess, scale, 1.0)


def smallest_eigenvalue_bound(M: Any, radius: Any = 0.0) -> float:
    """Return a proved lower bound of the smallest eigenvalue, as :func:`largest_eigenvalue_bound` does for -M.

    Parameters
    ----------
    M : numpy.ndarray of float64, shape (n, n)
        Symmetric and finite.
    radius : float or numpy.ndarray, shape (n, n), default 0
        As for :func:`proves_positive_definite`.

    Returns
    -------
    float
        Minus infinity where nothing was proved.
    """
    return -largest_eigenvalue_bound(-_matrix(M), radius)


def tightest(proved: Any, guess: float, scale: float, direction: float, steps: int = 6) -> float:
    """Return a t near `guess` for which ``proved(t)``: outward by growing steps, then back by bisection.

    Parameters
    ----------
    proved : callable
        From a float to bool; True is a proof.
    guess, scale : float
        Where to start, and the size of the numbers whose rounding errors matter.
    direction : {1.0, -1.0}
        Towards which t is easier to prove.
    steps : int, default 6
        Bisections.

    Returns
    -------
    float
        Infinite, in the direction, where nothing was proved.
    """
    margin = max(4.0 * UNIT * scale, math.ulp(0.0))
    failed, t = guess, guess
    for _ in range(60):
        t = guess + direction * margin
        if not math.isfinite(t):
            return direction * math.inf
        if proved(t):
            break
        failed, margin = t, 4.0 * margin
    else:
        return direction * math.inf
    for _ in range(steps):
        middle = failed + 0.5 * (t - failed)
        if middle in (failed, t):
            break
        if proved(middle):
            t = middle
        else:
            failed = middle
    return t


def _matrix(M: Any, finite: bool = True) -> np.ndarray:
    """Return a matrix of the caller's own numbers in float64 on the CPU, or refuse it."""
    return np.asarray(arrays.to_numpy(check_exact(M, "M", ndim=2, finite=finite)), dtype=np.float64)


def _lowered(M: np.ndarray, norm: float) -> np.ndarray:
    """Return M - c I for matrices on the first two axes, with c as in the notes of `proves_positive_definite`."""
    size = M.shape[0]
    out = np.array(M)
    at = np.arange(size)
    diagonal = out[at, at]
    # 1.01: for 1 / (1 - gamma), the rounding of the shift (UNIT times the diagonal) and of this very line
    c = 1.01 * (gamma(size + 2) * sum_above(np.abs(diagonal), axis=0) + norm) + NEGLIGIBLE
    out[at, at] = diagonal - c
    return out


def _succeeds(work: np.ndarray) -> Any:
    """Return whether the factorisation runs to its end, for matrices on the first two axes; overwrites them."""
    good = np.ones(work.shape[2:], dtype=bool)
    for j in range(work.shape[0]):
        pivot = work[j, j]
        # NaN fails both
        good &= (pivot > 0) & (pivot < np.inf)
        if not good.any():
            break
        row = work[j, j + 1 :] / np.sqrt(np.where(pivot > 0, pivot, 1.0))
        work[j + 1 :, j + 1 :] -= row[:, None] * row[None]
    return good
