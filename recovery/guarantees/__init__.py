"""Theorems as programs: hypotheses that are checked on an instance, and conclusions that are checked afterwards."""

from __future__ import annotations

import importlib

from recovery.guarantees._attack import attack
from recovery.guarantees._ledger import Ledger, ledger, markdown
from recovery.guarantees.attack_results import AttackResult
from recovery.guarantees.base import Guarantee, Judgement, Verdict, all_of, at_home, exceeds, vanishes
from recovery.guarantees.bounded import Bounded, constant
from recovery.guarantees.contradiction import contradicts
from recovery.guarantees.sampling import draw, linear_instance, steer
from recovery.guarantees.shrinking import shrink
from recovery.guarantees.tally import NEAR, Tally, failure_rate_bound
from recovery.guarantees.writing import as_code

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

_FAMILIES: dict[str, tuple[str, ...]] = {
    "linear": (
        "recovery.guarantees.omp",
        "recovery.guarantees.lasso",
        "recovery.guarantees.hard_thresholding",
        "recovery.guarantees.screening",
    ),
    "sparse": (
        "recovery.guarantees.basis_pursuit",
        "recovery.guarantees.null_space",
        "recovery.guarantees.uniqueness",
        "recovery.guarantees.scaled_thresholding",
        "recovery.guarantees.descent",
        "recovery.guarantees.cosamp",
        "recovery.guarantees.relaxed",
        "recovery.guarantees.trajectory",
    ),
    "gated": (
        "recovery.guarantees.neural_isometry",
        "recovery.guarantees.theorem1",
        "recovery.guarantees.unfusing",
    ),
}
"""Modules of each family, imported when they are asked for; each has ``guarantees() -> list of Guarantee``."""


def catalogue(family: str | None = None) -> list[Guarantee]:
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
        If the family is not known.
    """
    if family is not None and family not in _FAMILIES:
        raise ValueError(f"family={family!r} is not known; expected one of {', '.join(map(repr, _FAMILIES))} or None")
    modules = [name for key, listed in _FAMILIES.items() if family in (None, key) for name in listed]
    found = [guarantee for name in modules for guarantee in importlib.import_module(name).guarantees()]
    return at_home(found, "recovery.guarantees:catalogue")
