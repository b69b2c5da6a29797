"""Derivations in SymPy, from another starting point than the numeric code that they are compared with."""

from planted.base.doors import listing
from recovery.symbolic.gram import (
    angle,
    arc_cosine,
    block_limits,
    block_spectrum,
    gate_block,
    separation,
    swap_form,
    wedge,
)

__all__ = ["angle", "arc_cosine", "block_limits", "block_spectrum", "gate_block", "separation", "swap_form", "wedge"]
__dir__ = listing(__all__)
