"""Proofs of the null-space constant of l1 recovery, from above by multipliers and from below by a null vector."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_array, check_integer
from recovery.certificates.certificate import Certificate, exact, exact_matrix
from recovery.certificates.rational import exact_products, null_vector, rounded, too_long
from recovery.conditions._columns import host_columns

__all__ = ["enclosed_residual", "null_space_certificate", "null_space_witness", "proved_bound"]

EPS = float(np.finfo(np.float64).eps)


def enclosed_residual(A: np.ndarray, Y: np.ndarray, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return C - Y'A in floating point, and a proved bound of its error.

    Parameters
    ----------
    A : numpy.ndarray of float64, shape (n, N)
        The matrix.
    Y : numpy.ndarray of float64, shape (n, k)
        Any multipliers.
    C : numpy.ndarray of float64, shape (k, N)
        Any target.

    Returns
    -------
    residual : numpy.ndarray of float64, shape (k, N)
        As computed.
    radius : numpy.ndarray of float64, shape (k, N)
        At least the distance of each entry from the exact one; infinite where something overflows.

    Notes
    -----
    In whatever order n + 1 terms are added, the error is at most gamma_(n+1) (|C| + |Y|'|A|) plus 2^-1075 for each
    product that underflows, gamma_k = k u / (1 - k u), u = eps / 2. The bound is taken with eps in place of u, which
    covers the roundings of the bound itself (derived here: docs/derivations.md, "The null-space constant").
    """
    n = A.shape[0]
    with np.errstate(over="ignore", invalid="ignore"):
        residual = C - Y.T @ A
        size = np.abs(C) + np.abs(Y).T @ np.abs(A)
        radius = (n + 4) * EPS * size + (n + 1) * 2.0**-1072
    bad = ~(np.isfinite(residual) & np.isfinite(radius))
    return np.where(bad, 0.0, residual), np.where(bad, math.inf, radius)


def proved_bound(A: np.ndarray, Y: np.ndarray, s: int) -> float:
    """Return a proved upper bound of alpha_s, at most 1, from any multipliers, in floating point.

    Parameters
    ----------
    A, Y : numpy.ndarray of float64, shape (n, N)
        The matrix and the multipliers.
    s : int
        Number of entries, from 1 to N.

    Returns
    -------
    float
        What :func:`null_space_certificate` proves of them in exact arithmetic, plus some roundings.
    """
    residual, radius = enclosed_residual(A, Y, np.eye(A.shape[1]))
    sizes = np.sort(np.abs(residual) + radius, axis=0)[-s:]
    return min(1.0, float(sizes.sum(axis=0).max()) * (1.0 + (s + 4) * EPS))


def null_space_certificate(A: Any, s: int, Y: Any, *, bits: int = 32, made_by: Any = None) -> Certificate:
    """Prove a bound of the null-space constant alpha_s from above.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; it goes to the CPU.
    s : int
        Number of entries, from 1 to N.
    Y : array, shape (n, N)
        Multipliers; any will do, those of :func:`recovery.conditions.null_space_multipliers` do well.
    bits : int, default 32
        Y is rounded to so many binary digits of its largest entry, so that the file is small.
    made_by : mapping, optional
        Goes into the certificate.

    Returns
    -------
    Certificate
        Of kind ``"null-space"``: alpha_s <= bound, the exact max over j of the s largest |entries| of column j of
        I - Y'A, rounded up to 50 binary digits where it has more.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit or a number is not finite.

    Notes
    -----
    If A z = 0, then z = (I - Y'A) z, and s entries of z add up to at most sum_j |z_j| times that maximum.

    References
    ----------
    Juditsky and Nemirovski 2011 (arXiv:0809.2650); derived here: docs/derivations.md, "The null-space constant".
    """
    columns = host_columns(A)
    s = check_integer(s, "s", minimum=1, maximum=columns.shape[1])
    bits = check_integer(bits, "bits", minimum=1, maximum=53)
    Y = rounded(arrays.to_numpy(check_array(Y, "Y", ndim=2, shape=columns.shape, dtype=np.float64)), bits)
    worst = Fraction(0)
    for j, products in enumerate(exact_products(columns.T, Y.T)):
        sizes = sorted((abs((i == j) - one) for i, one in enumerate(products)), reverse=True)
        worst = max(worst, sum(sizes[:s], Fraction(0)))
    if worst.denominator > 2**50:
        worst = Fraction(math.ceil(worst * 2**50), 2**50)
    proof = {"method": "juditsky-nemirovski", "Y": exact_matrix(Y)}
    return Certificate(
        "null-space", {"s": s, "bound": exact(worst)}, {"A": exact_matrix(columns)}, proof, made_by or {}
    )


def null_space_witness(A: Any, s: int, z: Any, *, made_by: Any = None) -> Certificate | None:
    """Prove a bound of the null-space constant alpha_s from below by a null vector with A z = 0 exactly.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; it goes to the CPU.
    s : int
        Number of entries, from 1 to N.
    z : array, shape (N,)
        A vector close to the null space; it is moved into it (:func:`recovery.certificates.rational.null_vector`).
    made_by : mapping, optional
        Goes into the certificate.

    Returns
    -------
    Certificate or None
        Of kind ``"null-space-witness"``: alpha_s >= bound, the exact share of the s largest entries. None if the
        columns of A are independent: then there is no null vector, and alpha_s = 0. None, too, if the null vector has
        numbers of more than 4,000 digits, as from hundreds of rows of floats.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit or a number is not finite.
    """
    columns = host_columns(A)
    s = check_integer(s, "s", minimum=1, maximum=columns.shape[1])
    near = arrays.to_numpy(check_array(z, "z", ndim=1, shape=(columns.shape[1],), dtype=np.float64))
    found = null_vector(columns, near)
    if found is None or too_long(found):
        return None
    sizes = sorted(map(abs, found), reverse=True)
    share = Fraction(sum(sizes[:s]), sum(sizes))
    if share.denominator > 2**50:
        share = Fraction(math.floor(share * 2**50), 2**50)
    proof = {"vector": [exact(one) for one in found]}
    claim = {"s": s, "bound": exact(share)}
    return Certificate("null-space-witness", claim, {"A": exact_matrix(columns)}, proof, made_by or {})
