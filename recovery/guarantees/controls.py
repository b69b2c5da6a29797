"""False statements that the falsifier must break: controls of the attack, and no part of any catalogue."""

from __future__ import annotations

from recovery.guarantees import omp, omp_samplers
from recovery.guarantees.base import Guarantee

__all__ = ["controls"]


def controls() -> list[tuple[Guarantee, float]]:
    """Return statements that are known to be false, and the time in which the attack must break each of them.

    Returns
    -------
    list of (Guarantee, float)
        Names begin with ``false-``; seconds of :func:`recovery.guarantees.attack`, for each of the seeds 0 to 3.

    Notes
    -----
    What the attack does not find proves little unless it finds what is there. Each is a statement of the catalogue
    with its constant a little too weak, or a plausible one that is wrong.
    """
    return [
        (
            _false(
                "omp-coherence",
                "Without noise: mu < 1 / k => OMP picks the support in k steps.",
                "the Gram matrix [[1, -m, m], [-m, 1, m], [m, m, 1]] with x = (1, 1, 0) and 1 / 3 < m <= 1 / 2",
                hypotheses=omp.coherence_rule(lambda k: 1.0 / k),
                outcome=omp.picks_support(),
                sampler=omp_samplers.incoherent,
            ),
            10.0,
        ),
        (
            _false(
                "omp-exact-recovery",
                "Without noise: max over j outside S of |A_S^+ a_j|_1 < 1.1 => OMP picks the support in k steps.",
                "above 1 there is an x on S whose first pick is wrong",
                hypotheses=omp.coefficient_rule(1.1),
                outcome=omp.picks_support(),
                sampler=omp_samplers.exact,
            ),
            10.0,
        ),
    ]


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
