"""Theorems as programs, which check the hypotheses on an instance, and then the conclusion."""

from __future__ import annotations

import importlib
from typing import Literal

from planted.base.doors import listing
from recovery.exact.bounded import Bounded, constant
from recovery.guarantees.engine.attack import attack
from recovery.guarantees.engine.base import Guarantee, Judgement, Verdict, all_of, at_home, exceeds, vanishes
from recovery.guarantees.engine.code import as_code
from recovery.guarantees.engine.ledger import Ledger, ledger, markdown
from recovery.guarantees.engine.sampling import draw, linear_instance, steer
from recovery.guarantees.engine.shrink import shrink
from recovery.guarantees.engine.tally import NEAR, AttackResult, Tally, contradicts, failure_rate_bound

__all__ = [
    "NEAR",
    "AttackResult",
    "Bounded",
    "Guarantee",
    "Judgement",
    "Ledger",
    "Tally",
    "Verdict",
    "all_of",
    "as_code",
    "attack",
    "catalogue",
    "constant",
    "contradicts",
    "draw",
    "exceeds",
    "failure_rate_bound",
    "ledger",
    "linear_instance",
    "markdown",
    "shrink",
    "steer",
    "vanishes",
]
__dir__ = listing(__all__)

_FAMILIES: dict[str, tuple[str, ...]] = {
    "linear": (
        "recovery.guarantees.linear.omp",
        "recovery.guarantees.linear.lasso",
        "recovery.guarantees.linear.hard_thresholding",
        "recovery.guarantees.linear.screening",
        "recovery.guarantees.linear.ridge",
    ),
    "sparse": (
        "recovery.guarantees.linear.basis_pursuit",
        "recovery.guarantees.linear.null_space",
        "recovery.guarantees.linear.uniqueness",
        "recovery.guarantees.linear.scaled_thresholding",
        "recovery.guarantees.linear.descent",
        "recovery.guarantees.linear.cosamp",
        "recovery.guarantees.linear.relaxed",
        "recovery.guarantees.linear.trajectory",
        "recovery.guarantees.linear.subspace_pursuit",
        "recovery.guarantees.linear.continuation",
        "recovery.guarantees.linear.homotopy",
    ),
    "gated": (
        "recovery.guarantees.gated.neural_isometry",
        "recovery.guarantees.gated.theorem1",
        "recovery.guarantees.gated.unfusing",
    ),
}
"""Modules of each family, imported on first use; each has ``guarantees() -> list of Guarantee``."""


def catalogue(family: Literal["linear", "sparse", "gated"] | None = None) -> list[Guarantee]:
    """Return the guarantees of this package.

    Parameters
    ----------
    family : {"linear", "sparse", "gated"}, optional
        ``"linear"``: about sparse linear models y = X w + noise, most with noise. ``"sparse"``: about any sensing
        matrix A without noise, its solvers and its null space. ``"gated"``: about A = [D_1 X, ..., D_p X] of ReLU
        networks. All by default.

    Returns
    -------
    list of Guarantee
        Names are unique.

    Raises
    ------
    ValueError
        If the family is unknown.
    """
    if family is not None and family not in _FAMILIES:
        raise ValueError(f"family={family!r} is not known; expected one of {', '.join(map(repr, _FAMILIES))} or None")
    modules = [name for key, listed in _FAMILIES.items() if family in (None, key) for name in listed]
    found = [guarantee for name in modules for guarantee in importlib.import_module(name).guarantees()]
    return at_home(found, "recovery.guarantees:catalogue")
