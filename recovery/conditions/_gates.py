"""Checks of gates, as arrays or in an operator."""

from __future__ import annotations

from typing import Any

from planted.checks import check_array
from recovery.gated import GatedOperator

__all__ = ["check_gated", "check_gates"]


def check_gates(value: Any) -> Any:
    """Return the gates of an operator, or an array of zeros and ones as bool, shape (n, p); else refuse."""
    if isinstance(value, GatedOperator):
        return value.gates() != 0
    gates = check_array(value, "gates", ndim=2)
    if not bool(((gates == 0) | (gates == 1)).all()):
        raise ValueError("gates holds values other than 0 and 1; expected a 0/1 or bool array")
    return gates != 0


def check_gated(value: Any) -> GatedOperator:
    """Return a GatedOperator, or refuse."""
    if not isinstance(value, GatedOperator):
        raise TypeError(
            f"A is of type {type(value).__name__}; expected a recovery.GatedOperator, which knows its gates"
        )
    return value
