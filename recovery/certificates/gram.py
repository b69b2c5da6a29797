"""The Gram matrix of float data: enclosed by floats with an error bound, and exactly in integers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from recovery.certificates.rounding import NEGLIGIBLE, UNIT, column_scaled, gamma

__all__ = ["ExactGram", "GramEnclosure", "enclose_gram", "exact_gram", "short_gram"]

EXACT_SIZE, EXACT_BITS = 40, 64
"""Columns, and binary digits of inner products, up to which bounds are tried exactly."""


@dataclass(frozen=True, eq=False)
class GramEnclosure:
    """What is known of G = A'A: |G_ij - 2**(e_i + e_j) middle_ij| <= 2**(e_i + e_j) radius_ij.

    Parameters
    ----------
    middle, radius : numpy.ndarray of float64, shape (N, N)
        Symmetric; `radius` is not negative.
    exponents : numpy.ndarray of int64, shape (N,)
        e: scaling of columns by powers of two is exact, so that columns of any size are treated alike.
    """

    middle: np.ndarray
    radius: np.ndarray
    exponents: np.ndarray

    @property
    def approximate(self) -> np.ndarray:
        """G in floats, for proposals and guesses: nothing is proved about it."""
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
            Enclosure of D (...) D with D = diag(2**f), the diagonal between 1 and 4 in floats. None where a diagonal
            entry is not positive in floats, so that nothing can be proved this way.
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
            # two additions, each off by UNIT times a partial sum that `sizes` bounds
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
    An inner product of n terms, summed in any order, is off by at most gamma_n |b_i|'|b_j|, and the computed
    |B|'|B| is at least 1 - gamma_n times the exact one. This holds for any product of matrices that adds the n products
    in some order, with or without fused operations (the linear algebra that NumPy is built with does).

    References
    ----------
    Derived here: docs/derivations.md, "Rigorous arithmetic".
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
    # no eigenvalue is above the trace
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
        k, the least that make the columns integer.
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
        Costs n N^2 products of integers.
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
    """Return the exact Gram matrix where its entries are short numbers, such as those of an integer matrix.

    Parameters
    ----------
    columns : numpy.ndarray of float64, shape (n, N)
        A.

    Returns
    -------
    ExactGram or None
        None where numbers have more than 26 binary digits, or N is large: there a bound that is exactly tight
        would be a coincidence, or its proof slow.
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
