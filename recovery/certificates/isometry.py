"""Proofs that a condition number or isometry constant of an operator is on one side of a threshold."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

from planted.base.checks import check_choice, check_integer
from recovery.certificates.certificate import Certificate, exact, rational
from recovery.certificates.dual import dual_bound
from recovery.certificates.eigenvalues import enumeration_bound, witness_bound

__all__ = ["QUANTITIES", "RELATIONS", "isometry_certificate"]

QUANTITIES, RELATIONS = ("kappa", "delta_scaled", "delta_raw"), ("<", "<=", ">", ">=")


def isometry_certificate(
    A: Any,
    sparsity: int,
    quantity: Literal["kappa", "delta_scaled", "delta_raw"],
    relation: Literal["<", "<=", ">", ">="],
    threshold: Any,
    *,
    power: int = 1,
    method: Literal["enumeration", "dual"] = "enumeration",
    **options: Any,
) -> Certificate | None:
    """Prove that a function of the extreme eigenvalues over |S| <= s is below, or above, a threshold.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, unscaled. Copied to the CPU; floats are treated as exact numbers.
    sparsity : int
        Largest number of columns, from 1 to N.
    quantity : {"kappa", "delta_scaled", "delta_raw"}
        L_s / m_s, (L_s - m_s) / (L_s + m_s), or max(1 - m_s, L_s - 1).
    relation : {"<", "<=", ">", ">="}
        The claim is ``quantity**power relation threshold``.
    threshold : int, float, Fraction or str
        A rational number; ``"1/3"`` is one third. A float stands for exactly the number that it represents.
    power : {1, 2}, default 1
        With 2, squares are compared: delta < 1 / sqrt(3) becomes delta^2 < 1/3, without an irrational number.
    method : {"enumeration", "dual"}, default "enumeration"
        How to prove "<" and "<="; the other relations are proved by two sparse vectors.
    **options
        ``limit`` for enumeration; ``solver``, ``max_iter``, ``tol`` for the dual bound.

    Returns
    -------
    Certificate or None
        Of kind "isometry"; None if the bounds found do not prove the claim, whether it is true or false.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[1.0, 0.5], [0.0, 1.0]])
    >>> isometry_certificate(A, 2, "delta_scaled", "<", "1/3", power=2).claim["quantity"]
    'delta_scaled'
    """
    check_choice(quantity, "quantity", QUANTITIES)
    check_choice(relation, "relation", RELATIONS)
    check_choice(method, "method", ("enumeration", "dual"))
    power = check_integer(power, "power", minimum=1, maximum=2)
    limit = rational(threshold if isinstance(threshold, str) else _exact_threshold(threshold), "threshold")
    below = relation in ("<", "<=")
    prove: Any = (enumeration_bound if method == "enumeration" else dual_bound) if below else witness_bound
    parts = {side: prove(A, sparsity, side, **(options if below else {})) for side in ("largest", "smallest")}
    high, low = (Fraction(parts[side].claim["bound"]) for side in ("largest", "smallest"))
    value = _quantity(quantity, high, low)
    if below and low <= 0 and quantity == "delta_scaled":
        return None  # at most 1, unless all numbers are 0, so nothing is known
    if value is None and not below and quantity == "kappa" and high > 0:
        value = abs(limit) + 1  # dependent columns: above any threshold
    if value is None or not _holds(value**power, relation, limit):
        return None
    claim = {
        "s": int(sparsity),
        "quantity": quantity,
        "relation": relation,
        "threshold": exact(limit),
        "power": power,
    }
    proof = {side: {"bound": part.claim["bound"], **part.proof} for side, part in parts.items()}
    return Certificate(
        "isometry", claim, parts["largest"].data, proof, {sparsity: dict(p.made_by) for sparsity, p in parts.items()}
    )


def _exact_threshold(threshold: Any) -> str:
    try:
        return exact(threshold)
    except (TypeError, ValueError):
        raise ValueError(
            f"threshold={threshold!r} is not a rational number; expected one such as '1/3' or 0.5"
        ) from None


def _quantity(quantity: str, high: Fraction, low: Fraction) -> Fraction | None:
    """Return the quantity for two eigenvalues; None for an infinite condition number, or for two zeros."""
    if quantity == "delta_raw":
        return max(1 - low, high - 1, Fraction(0))
    if high <= 0:
        return None
    if quantity == "kappa":
        return None if low <= 0 else max(high / low, Fraction(1))
    return max((high - low) / (high + low), Fraction(0))


def _holds(value: Fraction, relation: str, threshold: Fraction) -> bool:
    """Compare."""
    return {
        "<": value < threshold,
        "<=": value <= threshold,
        ">": value > threshold,
        ">=": value >= threshold,
    }[relation]
