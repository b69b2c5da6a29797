"""Proofs of positive definiteness by a floating-point Cholesky factorisation with error bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.exactness import check_exact, exactly
from recovery.exact.intervals import NEGLIGIBLE, UNIT, column_scaled, gamma, sum_above

__all__ = [
    "ExactGram",
    "GramEnclosure",
    "blocks_proved",
    "enclose_gram",
    "exact_gram",
    "largest_eigenvalue_bound",
    "proves_positive_definite",
    "short_gram",
    "smallest_eigenvalue_bound",
    "tightest",
]


def proves_positive_definite(M: Any, radius: Any = 0.0) -> bool:
    """Return whether every symmetric matrix within a radius of M is proved to be positive definite.

    Parameters
    ----------
    M : numpy.ndarray of float64, shape (n, n)
        Symmetric. NaN and infinite entries are allowed, but then nothing is proved.
    radius : float or numpy.ndarray, shape (n, n), default 0
        Non-negative; the statement is about all symmetric P with |P_ij - M_ij| <= radius_ij.

    Returns
    -------
    bool
        True is a proof. False is inconclusive: the matrix may be too close to a singular one for float64.

    Raises
    ------
    TypeError, ValueError
        If M is not a symmetric matrix, or a radius is negative.

    Notes
    -----
    Rows and columns are scaled by powers of two until the diagonal is of order 1; then c is subtracted from the
    diagonal and the factorisation must succeed, where

        c >= gamma_{n+1} / (1 - gamma_{n+1}) trace(M) + max_i sum_j radius_ij + rounding of the shift + underflow.

    The first term bounds the 2-norm of the factorisation's error, the second that of P - M. Only elementwise arithmetic
    is used, so no library needs to be trusted.

    References
    ----------
    The idea is that of S. M. Rump, Verification of positive definiteness, BIT 46 (2006); the constant is derived here:
    docs/theory, "Rigorous arithmetic".
    """
    M = _matrix(M, finite=False)
    if M.shape[0] != M.shape[1]:
        raise ValueError(f"M has shape {M.shape}; expected a square matrix")
    if not np.array_equal(M, M.T, equal_nan=True):
        raise ValueError("M is not symmetric; expected a symmetric matrix")
    radius = np.broadcast_to(np.asarray(arrays.to_numpy(exactly(radius, "radius")), dtype=np.float64), M.shape)
    if not (radius >= 0).all():
        raise ValueError("radius has entries that are negative or NaN; expected non-negative numbers")
    diagonal = M.diagonal()
    if not ((diagonal > 0) & (diagonal < np.inf)).all():
        return False
    f = -((np.frexp(diagonal)[1] - 1) // 2)
    both = f[:, None] + f
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        M, radius = np.ldexp(M, both), np.ldexp(np.maximum(radius, radius.T), both) + NEGLIGIBLE
        return bool(_succeeds(_lowered(M, float(sum_above(radius, axis=1).max()))))


def blocks_proved(M: np.ndarray, radius: np.ndarray, supports: np.ndarray) -> np.ndarray:
    """Return which blocks of a matrix, known up to a radius, are proved to be positive definite.

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
    # the s largest radii of each row bound those of any block
    widest = float(sum_above(np.sort(radius, axis=1)[:, -s:], axis=1).max())
    columns = np.ascontiguousarray(supports.T)
    # matrix axes first: every step is one operation on contiguous vectors
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return np.asarray(_succeeds(_lowered(M[columns[:, None], columns[None]], widest)))


def largest_eigenvalue_bound(M: Any, radius: Any = 0.0) -> float:
    """Return a proved upper bound on the largest eigenvalue of every symmetric matrix within a radius of M.

    Parameters
    ----------
    M : numpy.ndarray of float64, shape (n, n)
        Symmetric and finite.
    radius : float or numpy.ndarray, shape (n, n), default 0
        As for :func:`proves_positive_definite`.

    Returns
    -------
    float
        t such that t I - P is proved to be positive definite; infinite if nothing was proved. It exceeds the largest
        eigenvalue by about n^2 u times the largest entry, plus the radius.
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
    """Return a proved lower bound on the smallest eigenvalue, by :func:`largest_eigenvalue_bound` for -M.

    Parameters
    ----------
    M : numpy.ndarray of float64, shape (n, n)
        Symmetric and finite.
    radius : float or numpy.ndarray, shape (n, n), default 0
        As for :func:`proves_positive_definite`.

    Returns
    -------
    float
        Minus infinity if nothing was proved.
    """
    return -largest_eigenvalue_bound(-_matrix(M), radius)


def tightest(proved: Any, guess: float, scale: float, direction: float, steps: int = 6) -> float:
    """Return a t near `guess` for which ``proved(t)`` holds, by growing outward steps followed by bisection.

    Parameters
    ----------
    proved : callable
        Maps a float to a bool; True is a proof.
    guess, scale : float
        The starting point, and the magnitude of the numbers whose rounding errors matter.
    direction : {1.0, -1.0}
        The direction in which t becomes easier to prove.
    steps : int, default 6
        Number of bisections.

    Returns
    -------
    float
        An infinity in that direction if nothing was proved.
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
    """Return a matrix with exactly the caller's numbers in float64 on the CPU, or raise an error."""
    return np.asarray(arrays.to_numpy(check_exact(M, "M", ndim=2, finite=finite)), dtype=np.float64)


def _lowered(M: np.ndarray, norm: float) -> np.ndarray:
    """Return M - c I for matrices on the first two axes, with c as in the notes of `proves_positive_definite`."""
    size = M.shape[0]
    out = np.array(M)
    at = np.arange(size)
    diagonal = out[at, at]
    # 1.01 covers 1 / (1 - gamma), the rounding of the shift (UNIT times the diagonal) and the rounding of this line
    c = 1.01 * (gamma(size + 2) * sum_above(np.abs(diagonal), axis=0) + norm) + NEGLIGIBLE
    out[at, at] = diagonal - c
    return out


def _succeeds(work: np.ndarray) -> Any:
    """Return whether the factorisation completes, for matrices on the first two axes, which are overwritten."""
    good = np.ones(work.shape[2:], dtype=bool)
    for j in range(work.shape[0]):
        pivot = work[j, j]
        # NaN fails both comparisons
        good &= (pivot > 0) & (pivot < np.inf)
        if not good.any():
            break
        row = work[j, j + 1 :] / np.sqrt(np.where(pivot > 0, pivot, 1.0))
        work[j + 1 :, j + 1 :] -= row[:, None] * row[None]
    return good


EXACT_SIZE, EXACT_BITS = 40, 64
"""Largest number of columns, and of binary digits of inner products, for which bounds are tried exactly."""


@dataclass(frozen=True, eq=False)
class GramEnclosure:
    """Enclosure of G = A'A: |G_ij - 2**(e_i + e_j) middle_ij| <= 2**(e_i + e_j) radius_ij.

    Parameters
    ----------
    middle, radius : numpy.ndarray of float64, shape (N, N)
        Symmetric; `radius` is non-negative.
    exponents : numpy.ndarray of int64, shape (N,)
        e; scaling columns by powers of two is exact, so columns of any size are treated alike.
    """

    middle: np.ndarray
    radius: np.ndarray
    exponents: np.ndarray

    @property
    def approximate(self) -> np.ndarray:
        """G in floats, for proposals and guesses; nothing is proved about it."""
        return np.ldexp(self.middle, self.exponents[:, None] + self.exponents)

    def shifted(self, side: str, U: np.ndarray | None, tau: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Enclose tau I - G - U (side "largest") or G + U - tau I ("smallest"), congruent by powers of two.

        Parameters
        ----------
        side : {"largest", "smallest"}
            Which.
        U : numpy.ndarray of float64, shape (N, N), or None
            Symmetric; None for 0.
        tau : float
            The shift.

        Returns
        -------
        middle, radius : numpy.ndarray of float64, shape (N, N)
            Enclosure of D (...) D with D = diag(2**f) chosen such that the diagonal is between 1 and 4 in floats. None
            if a diagonal entry is not positive in floats, so that nothing can be proved this way.
        """
        size = len(self.exponents)
        sign = -1.0 if side == "largest" else 1.0
        perturbation = np.zeros((size, size)) if U is None else U
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            diagonal = sign * (np.ldexp(self.middle.diagonal(), 2 * self.exponents) + perturbation.diagonal() - tau)
            if not ((diagonal > 0) & (diagonal < np.inf)).all():
                return None
            f = -((np.frexp(diagonal)[1] - 1) // 2)
            both, scaled = f[:, None] + f, self.exponents + f
            parts = [
                np.ldexp(self.middle, scaled[:, None] + scaled),
                np.ldexp(perturbation, both),
                np.diag(np.ldexp(-tau, 2 * f)),
            ]
            middle = sign * ((parts[0] + parts[1]) + parts[2])
            sizes = np.abs(parts[0]) + np.abs(parts[1]) + np.abs(parts[2])
            # two additions, each with an error of UNIT times a partial sum bounded by `sizes`
            radius = 1.01 * (np.ldexp(self.radius, scaled[:, None] + scaled) + 3.0 * UNIT * sizes) + NEGLIGIBLE
        return middle, radius


def enclose_gram(A: np.ndarray) -> GramEnclosure:
    """Enclose A'A of a float matrix.

    Parameters
    ----------
    A : numpy.ndarray of float64, shape (n, N)
        Finite.

    Returns
    -------
    GramEnclosure
        With radius about n u |B|'|B|, B the columns scaled by powers of two.

    Raises
    ------
    ValueError
        If G itself overflows.

    Notes
    -----
    The error of an inner product of n terms, summed in any order, is at most gamma_n |b_i|'|b_j|, and the computed
    |B|'|B| is at least 1 - gamma_n times the exact one. This holds for any product of matrices that adds the n products
    in some order, with or without fused operations (the linear algebra that NumPy is built with does).

    References
    ----------
    Derived here: docs/theory, "Rigorous arithmetic".
    """
    B, exponents = column_scaled(A)
    rows = A.shape[0]
    middle = B.T @ B
    middle = np.triu(middle) + np.triu(middle, 1).T
    sizes = np.abs(B).T @ np.abs(B)
    radius = 1.01 * gamma(rows + 2) * np.maximum(sizes, sizes.T) + NEGLIGIBLE
    zero = ~A.any(axis=0)
    radius[zero] = radius[:, zero] = 0.0
    largest = np.frexp(middle.diagonal())[1] + 2 * exponents
    # no eigenvalue exceeds the trace
    if largest.max() + len(exponents).bit_length() > 1023:
        raise ValueError("A has columns whose inner products overflow; expected columns of norm below 1e150")
    return GramEnclosure(middle, radius, exponents)


@dataclass(frozen=True, eq=False)
class ExactGram:
    """G = A'A exactly: G_ij = integers_ij 2**(-(k_i + k_j)).

    Parameters
    ----------
    integers : list of list of int
        C'C with the integer matrix C[:, j] = 2**k_j A[:, j].
    exponents : list of int
        k, the smallest exponents that make the columns integer.
    """

    integers: list[list[int]]
    exponents: list[int]

    def entry(self, i: int, j: int) -> Fraction:
        """Return G_ij."""
        return self.integers[i][j] * _power(-(self.exponents[i] + self.exponents[j]))

    def block(self, support: Any) -> list[list[Fraction]]:
        """Return the block of some indices."""
        return [[self.entry(int(i), int(j)) for j in support] for i in support]

    def shifted(
        self, side: str, U: list[list[Fraction]] | None, tau: Fraction, support: Any = None
    ) -> list[list[Fraction]]:
        """Return tau I - G - U (side "largest") or G + U - tau I, of some indices or all."""
        chosen = range(len(self.exponents)) if support is None else [int(i) for i in support]
        sign = -1 if side == "largest" else 1
        out = [[sign * self.entry(i, j) for j in chosen] for i in chosen]
        for a, i in enumerate(chosen):
            out[a][a] -= sign * tau
            if U is not None:
                for b, j in enumerate(chosen):
                    out[a][b] += sign * U[i][j]
        return out


def exact_gram(A: np.ndarray, columns: Any = None) -> ExactGram:
    """Return A'A of a float matrix, or of some of its columns, in integers.

    Parameters
    ----------
    A : numpy.ndarray of float64, shape (n, N)
        Finite: each float is a rational number with a power of two as denominator.
    columns : sequence of int, optional
        Which columns; all by default.

    Returns
    -------
    ExactGram
        Computing it takes n N^2 integer products.
    """
    A = A if columns is None else A[:, columns]
    mantissas, exponents = np.frexp(A)
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    powers = exponents.astype(np.int64) - 53
    C, lowest = [], []
    for column, power in zip(whole.T.tolist(), powers.T.tolist(), strict=True):
        # numbers without their trailing zeros
        pairs = [(value >> _zeros(value), at + _zeros(value)) for value, at in zip(column, power, strict=True)]
        least = min((at for value, at in pairs if value), default=0)
        C.append([value << (at - least) if value else 0 for value, at in pairs])
        lowest.append(-least)
    size = len(C)
    out = [[0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i, size):
            out[i][j] = out[j][i] = sum(a * b for a, b in zip(C[i], C[j], strict=True) if a)
    return ExactGram(out, lowest)


def short_gram(columns: np.ndarray) -> ExactGram | None:
    """Return the exact Gram matrix if its entries are short numbers, such as those of an integer matrix.

    Parameters
    ----------
    columns : numpy.ndarray of float64, shape (n, N)
        A.

    Returns
    -------
    ExactGram or None
        None if numbers have more than 26 binary digits, or N is large: then an exactly tight bound would be a
        coincidence, or its proof slow.
    """
    if columns.shape[1] > EXACT_SIZE:
        return None
    mantissas = np.ldexp(np.frexp(columns)[0], 26)
    if np.any(mantissas != np.rint(mantissas)):
        return None
    gram = exact_gram(columns)
    longest = max(abs(entry).bit_length() for row in gram.integers for entry in row)
    return gram if max(longest, *(abs(power) for power in gram.exponents)) <= EXACT_BITS else None


def _zeros(value: int) -> int:
    """Return the number of trailing zero bits."""
    return (value & -value).bit_length() - 1 if value else 0


def _power(exponent: int) -> Fraction:
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)
