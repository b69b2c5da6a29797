"""A proof that minimal l1 norm recovers every vector with one support and signs: a dual vector, made exact."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_array
from recovery.certificates.certificate import Certificate, exact_matrix
from recovery.certificates.rational import exact_products, integer_matrix, reduced_echelon, rounded, too_long
from recovery.conditions._columns import check_support, host_columns

__all__ = ["dual_vector_certificate"]


def dual_vector_certificate(
    A: Any, support: Any, signs: Sequence[int], q: Any, *, bits: int = 40, made_by: Any = None
) -> Certificate | None:
    """Prove that minimal l1 norm recovers every x with a support and signs, from an approximate dual vector.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The matrix; it goes to the CPU.
    support : array of int, shape (k,)
        S.
    signs : sequence of int
        1 or -1 for each index of the ascending support.
    q : array, shape (n,)
        Nearly A_S'q = signs and |a_j'q| < 1 off S.
    bits : int, default 40
        q is rounded to so many binary digits of its largest entry before it is corrected.
    made_by : mapping, optional
        Goes into the certificate.

    Returns
    -------
    Certificate or None
        Of kind ``"l1-dual"``. None if the columns of S are dependent, some |a_j'q| >= 1 off S in exact arithmetic,
        or q has numbers of more than 4,000 digits, as for rows of extremely different scales.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit or a number is not finite.

    Notes
    -----
    q + A_S (A_S'A_S)^-1 (signs - A_S'q), exactly, meets A_S'q = signs.
    """
    columns = host_columns(A)
    chosen = check_support(support, columns.shape[1])
    near = arrays.to_numpy(check_array(q, "q", ndim=1, shape=(columns.shape[0],), dtype=np.float64))
    multiplier = [Fraction(one) for one in rounded(near, bits).tolist()]
    wanted = [int(one) for one in signs]
    if len(wanted) != chosen.size or any(one not in (1, -1) for one in wanted):
        raise ValueError(f"signs={list(signs)} do not fit; expected 1 or -1 for each of {chosen.size} indices")
    if chosen.size:
        block = columns[:, chosen].T
        products = exact_products(block, [multiplier])
        missing = [sign - row[0] for sign, row in zip(wanted, products, strict=True)]
        gram = exact_products(block, block)
        form, pivot, pivots = reduced_echelon(
            integer_matrix([[*row, right] for row, right in zip(gram, missing, strict=True)])[0]
        )
        if pivots != list(range(chosen.size)):
            return None
        weights = [Fraction(row[-1], pivot) for row in form]
        change = exact_products([weights], block.T)[0]
        multiplier = [one + more for one, more in zip(multiplier, change, strict=True)]
    outside = np.setdiff1d(np.arange(columns.shape[1]), chosen)
    if outside.size and max(map(abs, exact_products([multiplier], columns[:, outside].T)[0])) >= 1:
        return None
    if too_long(multiplier):
        return None
    claim = {"support": chosen.tolist(), "signs": wanted}
    return Certificate("l1-dual", claim, {"A": exact_matrix(columns)}, {"q": exact_matrix(multiplier)}, made_by or {})
