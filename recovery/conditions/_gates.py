"""Checks of gates, as arrays or in an operator."""

from __future__ import annotations

from typing import Any

from planted import checks
from recovery.conditions._columns import refuse_rounded
from recovery.gated import GatedOperator

__all__ = ["check_gated", "check_gates"]


def check_gates(value: Any) -> Any:
    """Return the gates of an operator, or an array of zeros and ones as bool, shape (n, p); else refuse."""
    if isinstance(value, GatedOperator):
        return value.gates() != 0
    return checks.check_gates(value)


def check_gated(value: Any) -> GatedOperator:
    """Return a GatedOperator of the caller's own numbers, or refuse."""
    if not isinstance(value, GatedOperator):
        raise TypeError(
            f"A is of type {type(value).__name__}; expected a recovery.GatedOperator, which knows its gates"
        )
    refuse_rounded(value)
    return value
