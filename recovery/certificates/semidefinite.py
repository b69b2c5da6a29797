"""Decide exactly whether rational matrices are semidefinite, by fraction-free elimination."""

from __future__ import annotations

import importlib.util
import math
from fractions import Fraction
from functools import cache
from typing import Any, Literal

from planted.base.checks import check_choice
from planted.base.exactness import exact_numbers
from planted.base.extras import need

__all__ = ["is_positive_semidefinite", "rational_matrix"]


def is_positive_semidefinite(
    M: Any, *, strict: bool = False, backend: Literal["auto", "flint", "python"] = "auto"
) -> bool:
    """Decide exactly whether a symmetric rational matrix is positive semidefinite, or definite.

    Parameters
    ----------
    M : array or nested sequence of numbers, shape (n, n)
        ints, Fractions and floats (which stand for the rational numbers that they represent); on the CPU.
    strict : bool, default False
        Whether to test for positive definite.
    backend : {"auto", "flint", "python"}, default "auto"
        Use python-flint or Python integers; "auto" uses python-flint if it is installed.

    Returns
    -------
    bool
        The exact answer; no rounding is involved.

    Raises
    ------
    TypeError, ValueError
        If M is not a symmetric matrix of finite rational numbers.

    Notes
    -----
    After scaling by a positive diagonal (a congruence, which changes no sign) M is integer. Bareiss elimination with
    the pivots m_k of M = L D L' keeps every entry an integer, namely a minor of M:

        M_ij <- (m_k M_ij - M_ik M_kj) / m_{k-1}.

    A negative pivot refutes semidefiniteness. So does a zero pivot unless the rest of its row is 0 (for a semidefinite
    matrix M_ij^2 <= M_ii M_jj); in that case the row is skipped.

    References
    ----------
    Derived here: docs/theory, "Rigorous arithmetic"; verified against characteristic polynomials
    by tests/recovery/test_certificates_semidefinite.py.
    """
    check_choice(backend, "backend", ("auto", "flint", "python"))
    work: list[list[Any]] = _integers(rational_matrix(M))
    if backend == "flint" or (backend == "auto" and _flint_present()):
        fmpz = need("flint").fmpz

        work = [[fmpz(value) for value in row] for row in work]
    size, before = len(work), 1
    for k in range(size):
        pivot, row = work[k][k], work[k]
        if pivot < 0 or (strict and pivot == 0):
            return False
        if pivot == 0:
            if any(row[j] != 0 for j in range(k + 1, size)):
                return False
            continue
        for i in range(k + 1, size):
            target, factor = work[i], row[i]
            # only the upper triangle
            for j in range(i, size):
                target[j] = (pivot * target[j] - factor * row[j]) // before
        before = pivot
    return True


def rational_matrix(M: Any, name: str = "M") -> list[list[Fraction]]:
    """Return a symmetric matrix of numbers as Fractions, or raise an error.

    Parameters
    ----------
    M : array or nested sequence of numbers, shape (n, n)
        ints, Fractions and floats; on the CPU.
    name : str, default "M"
        The argument's name, for the message.

    Returns
    -------
    list of list of Fraction
        The same numbers.

    Raises
    ------
    TypeError, ValueError
        If it is not a symmetric matrix of finite rational numbers.
    """
    found = exact_numbers(M, name)
    if found.ndim != 2 or not found.size:
        raise TypeError(f"{name} is not a matrix (its shape is {found.shape}); expected rows of rational numbers")
    if found.shape[0] != found.shape[1]:
        raise ValueError(f"{name} has shape {found.shape}; expected a square matrix")
    try:
        out = [[Fraction(*value.as_integer_ratio()) for value in row] for row in found.tolist()]
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{name} has an entry that is not a rational number ({error}); expected finite numbers"
        ) from None
    for i, row in enumerate(out):
        for j in range(i):
            if row[j] != out[j][i]:
                raise ValueError(f"{name} is not symmetric at ({i}, {j}); expected a symmetric matrix")
    return out


def _integers(M: list[list[Fraction]]) -> list[list[int]]:
    """Return D M D in integers, with a positive diagonal D chosen to keep the numbers short."""
    # powers of two that scale the diagonal to order 1, since columns of very different size would make long integers
    f = []
    for i, row in enumerate(M):
        value = row[i]
        length = value.numerator.bit_length() - value.denominator.bit_length() if value > 0 else 0
        f.append(-(length // 2))
    scaled = [[value * Fraction(2) ** (f[i] + f[j]) for j, value in enumerate(row)] for i, row in enumerate(M)]
    common = math.lcm(*(value.denominator for row in scaled for value in row))
    whole = [[value.numerator * (common // value.denominator) for value in row] for row in scaled]
    shared = math.gcd(*(value for row in whole for value in row)) or 1
    return [[value // shared for value in row] for row in whole]


@cache
def _flint_present() -> bool:
    return importlib.util.find_spec("flint") is not None
