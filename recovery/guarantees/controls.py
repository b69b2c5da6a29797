"""Controls of the attack: false statements that it must break, and that are not part of any catalogue."""

from __future__ import annotations

from functools import partial

import numpy as np

from recovery.guarantees.engine.base import Guarantee
from recovery.guarantees.linear import basis_pursuit, l1_program, null_space, omp
from recovery.guarantees.linear import controls as iterative_controls
from recovery.guarantees.linear import l1_program as wide_samplers
from recovery.guarantees.linear import omp as omp_samplers
from recovery.guarantees.pruning import bingo, equilibrium, savings, transfer

__all__ = ["controls"]

EVALUATIONS = iterative_controls.EVALUATIONS


def controls() -> list[tuple[Guarantee, int]]:
    """Return statements that are known to be false, and the evaluations within which the attack must refute each.

    Returns
    -------
    list of (Guarantee, int)
        Names begin with ``false-``; evaluations of :func:`recovery.guarantees.attack`, for each of the seeds 0 to 3.

    Notes
    -----
    That the attack finds nothing means little unless it finds counterexamples that exist. Each control is a statement
    of the catalogue with a slightly too weak constant, or a plausible but wrong one.
    """
    return [
        *iterative_controls.controls(),
        *(one for family in (bingo, equilibrium, savings, transfer) for one in family.controls()),
        (
            _false(
                "omp-coherence",
                "Without noise, if mu < 1 / k, then OMP picks the support in k steps.",
                "the Gram matrix [[1, -m, m], [-m, 1, m], [m, m, 1]] with x = (1, 1, 0) and 1 / 3 < m <= 1 / 2",
                hypotheses=omp.coherence_rule(lambda k: 1.0 / k),
                outcome=omp.picks_support(),
                sampler=omp_samplers.incoherent,
            ),
            EVALUATIONS,
        ),
        (
            _false(
                "omp-exact-recovery",
                "Without noise, if max over j outside S of |A_S^+ a_j|_1 < 1.1, then OMP picks the support in k steps.",
                "above 1 there is an x on S whose first pick is wrong",
                hypotheses=omp.coefficient_rule(1.1),
                outcome=omp.picks_support(),
                sampler=omp_samplers.exact,
            ),
            EVALUATIONS,
        ),
        (
            _false(
                "l1-one-sign-pattern",
                "Without noise, if |A_{S^c}'A_S (A_S'A_S)^-1 1|_inf < 1, then basis pursuit returns x, whatever its "
                "signs.",
                "the irrepresentable value depends on the signs",
                hypotheses=basis_pursuit.irrepresentable_rule(planted_signs=False),
                outcome=l1_program.recovers(normalise=False),
                sampler=partial(wide_samplers.near, ratio=_with_positive_signs, scales=False),
            ),
            EVALUATIONS,
        ),
        (
            _false(
                "l1-restricted-isometry",
                "Without noise, if delta_{2k} < 0.85 for the best scale of A, then basis pursuit returns x.",
                "three columns with the null vector (2 + e, 1, 1): delta_2 is slightly above 5 / 7",
                hypotheses=basis_pursuit.isometry_rule(0.85),
                outcome=l1_program.recovers(normalise=False),
                sampler=partial(wide_samplers.near, ratio=basis_pursuit.isometry_ratio, scales=False),
            ),
            EVALUATIONS,
        ),
        (
            _false(
                "l1-null-space",
                "Without noise, if k alpha_1 < 0.6, then basis pursuit returns x.",
                "above 1/2 there is an x with one non-zero that is not returned",
                hypotheses=null_space.null_space_rule(0.6, order=1),
                outcome=l1_program.recovers(normalise=False),
                sampler=null_space.adversarial,
            ),
            EVALUATIONS,
        ),
    ]


def _with_positive_signs(A: np.ndarray, x: np.ndarray) -> float:
    return basis_pursuit.irrepresentable_ratio(A, np.abs(x))


def _false(name: str, statement: str, why: str, **parts: object) -> Guarantee:
    """Return a false implication about data without noise."""
    return Guarantee(
        f"false-{name}",
        "implication",
        statement,
        "none: it is false",
        why,
        steer=None,
        **parts,  # type: ignore[arg-type]
    )
