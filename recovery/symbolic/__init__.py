"""Independent SymPy derivations of the formulas in the numeric code, used to check it."""

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
