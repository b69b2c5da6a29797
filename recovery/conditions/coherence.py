"""How similar columns are to each other: mutual coherence and the Babel function."""

from __future__ import annotations

from typing import Any

from planted import arrays
from planted.checks import check_integer
from recovery.conditions._columns import unit_columns

__all__ = ["babel", "mutual_coherence"]


def mutual_coherence(A: Any) -> float:
    """Return the largest |cosine| between two columns.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns; their norms do not matter.

    Returns
    -------
    float
        mu, from 0 to 1 (up to rounding, about n eps); 0 for a single column.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, or a column is zero.

    Notes
    -----
    mu = max over i != j of |a_i . a_j| / (|a_i| |a_j|). Computed in float64 on the device of A; O(n N^2), and
    N^2 numbers are stored.

    References
    ----------
    The textbook definition (from memory of the literature), checked against two plain loops by
    tests/recovery/test_conditions_coherence.py.
    """
    return float(_cosines(A).max())


def babel(A: Any, s: int) -> float:
    """Return the largest sum of |cosines| between one column and s others.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns; their norms do not matter.
    s : int
        How many others, from 0 to N - 1.

    Returns
    -------
    float
        mu_1(s) <= s mu, up to rounding of about n s eps.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, a column is zero, or `s` is out of range.

    Notes
    -----
    mu_1(s) = max over j and |S| = s without j of sum_{i in S} |a_i . a_j| for unit columns. The s largest entries
    of each row of the Gram matrix are added, so no sets are enumerated. Cost as for :func:`mutual_coherence`.

    References
    ----------
    Tropp, "Greed is good", IEEE Trans. Inf. Theory 2004 (from memory of the literature, checked against a search
    over all sets by tests/recovery/test_conditions_coherence.py).
    """
    cosines = _cosines(A)
    s = check_integer(s, "s", minimum=0, maximum=int(cosines.shape[0]) - 1)
    largest = -arrays.namespace(cosines).sort(-cosines, axis=1)[:, :s]
    return float(largest.sum(axis=1).max())


def _cosines(A: Any) -> Any:
    """Return |a_i . a_j| of the unit columns with zeros on the diagonal, shape (N, N)."""
    columns = unit_columns(A)
    xp = arrays.namespace(columns)
    gram = xp.abs(columns.T @ columns)
    return gram - xp.diag(xp.diag(gram))
