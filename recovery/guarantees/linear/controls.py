"""False statements about iterative methods and the homotopy, which the attack must break; in no catalogue."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import (
    continuation,
    descent,
    homotopy,
    omp,
    ridge,
    scaled_thresholding,
    subspace_pursuit,
)
from recovery.guarantees.linear.hard_thresholding import isometry_rule, sampler
from recovery.guarantees.linear.iterative import STEPS, extremes, held_to, least_entry, nothing_to_run, trace

__all__ = ["controls"]

LONG = 120
EVALUATIONS = 50_000
"""Budget of each. Most need a few hundred, the slowest 200 to 11,000, depending on the seed and the rounding of
BLAS."""


def controls() -> list[tuple[Guarantee, int]]:
    """Return false statements about solvers, and the evaluations within which the attack must refute each.

    Returns
    -------
    list of (Guarantee, int)
        Names begin with ``false-``; evaluations of :func:`recovery.guarantees.attack`, for each of the seeds 0 to 3.
    """
    return [
        _false(
            "iht-restricted-isometry",
            "Without noise, if delta_{3s} < 0.7 and s = 1, then unit-step IHT converges to x from any 1-sparse x0.",
            "two columns of inner product 0.62 to 0.7: the wrong one is a fixed point",
            _and(isometry_rule(0.7), lambda instance: instance.sparsity == 1, "s is not 1"),
            _ends("iht", lambda one: 1.0, lambda one: {"step": 1.0}),
            lambda rng: sampler(rng, 0.7, (1, int(rng.integers(2, 8)))),
        ),
        _false(
            "iht-restricted-isometry-from-zero",
            "Without noise, if delta_{3s} < 0.7, s = 2 and N = 6, then unit-step IHT converges to x from zero.",
            "a search found such columns with delta_6 = 0.63 and more",
            _and(isometry_rule(0.7), _two_of_six, "s is not 2, N is not 6, or x0 is not zero"),
            _ends("iht", lambda one: 1.0, lambda one: {"step": 1.0}),
            lambda rng: sampler(rng, 0.7, (2, 6)).replace(x0=None),
        ),
        _false(
            "iht-condition-number",
            "Without noise, if kappa_{2s} < 3.5, then IHT with step 1 / beta_{2s} converges to x.",
            "two columns with eigenvalues 1 and 1 / k at 45 degrees have a wrong fixed point for k > 3",
            descent.condition_rule(3.5),
            _ends("iht", _cautious, lambda one: {"step": _cautious(one)}),
            partial(descent.grades_sampler, limit=3.5),
        ),
        _false(
            "niht-condition-number",
            "Without noise, if kappa beta_{2s} < 5 alpha_{2s}, then NIHT converges to x.",
            "the step may be so short that the wrong support stays, as for steps of 1 / beta_{2s}",
            descent.normalised_rule(5.0),
            _ends("niht", _cautious, lambda one: dict(zip(("kappa", "c"), descent.constants(one), strict=True))),
            partial(descent.normalised_sampler, limit=5.0),
        ),
        _false(
            "htp-scaled-isometry",
            "Without noise, if delta_{3s} < 0.7 for the best scale of A, then HTP with the best step converges to x.",
            "two columns of inner product 0.62 to 0.7: the wrong one is a fixed point",
            scaled_thresholding.scaled_rule(0.7),
            _ends("htp", _best, lambda one: {"step": _best(one), "escapes": 0}),
            partial(scaled_thresholding.sampler, limit=0.7),
        ),
        _false(
            "htp-continuation",
            "Without noise, if delta_{3s} < 0.8 for the best scale of A, then HTP by continuation without escapes "
            "returns x.",
            "the first choice may be wrong for columns of unequal norm, and is then a fixed point",
            continuation.continuation_rule(0.8),
            continuation.reaches(escapes=0),
            partial(continuation.sampler, limit=0.8),
        ),
        _false(
            "subspace-pursuit-rate",
            "Without noise, if delta = delta_{3s} < 0.4859, then subspace pursuit has |x_t - x| <= delta^{2t} |x0 - "
            "x|.",
            "a step from a wrong support leaves a larger error",
            scaled_thresholding.scaled_rule(subspace_pursuit.LIMIT),
            _squared_rate,
            subspace_pursuit.sampler,
        ),
        _false(
            "homotopy-coherence",
            "Without noise, if mu < 1 / k, then the path of the Lasso has at most k pieces, all on planted columns.",
            "the Gram matrix [[1, -m, m], [-m, 1, m], [m, m, 1]] with x = (1, 1, 0) and 1 / 3 < m < 1 / 2",
            omp.coherence_rule(lambda k: 1.0 / k),
            homotopy.takes_k_steps,
            omp.incoherent,
        ),
        _false(
            "homotopy-exact-recovery",
            "Without noise, if max over j outside S of |A_S^+ a_j|_1 < 1, then the path of the Lasso has at most k "
            "pieces.",
            "a planted column that entered first may leave again if planted columns are similar",
            omp.coefficient_rule(1.0),
            homotopy.takes_k_steps,
            omp.exact,
        ),
        _false(
            "ridge-shrinkage",
            "If rho > 0, then the ridge fit z on the support has |z - x| <= rho / (beta + rho) |x| - c |xi|.",
            "that is the lower bound: beta is the largest eigenvalue of A_S'A_S, not the smallest",
            ridge.positive,
            ridge.shrinks(at_least=False),
            ridge.shrunken,
            needs=("x", "noise", "ridge"),
        ),
        _false(
            "htp-ridge",
            "As htp-ridge, with a quarter of its limit for min |x_S|.",
            "noise that lowers the smallest entry and raises one outside the support",
            ridge.support_rule(0.25),
            ridge.finds_support,
            ridge.supported,
            needs=("x", "noise", "ridge"),
            steer="noise",
        ),
    ]


def _squared_rate(instance: Instance) -> Verdict:
    """Return the outcome "the error of subspace pursuit falls by delta_{3s}^2 in each step"."""
    aside = nothing_to_run(instance)
    if aside is not None:
        return aside
    low, high = extremes(instance.matrix, 3 * instance.sparsity)
    run = trace(instance, "subspace-pursuit")
    bounds = [run.errors[0] * ((high - low) / (high + low)) ** (2 * t) for t in range(STEPS)]
    return held_to(run.errors, bounds, run.floor, "the error", least_entry(instance.x))


def _ends(
    solver: str, step: Callable[[Instance], float], options: Callable[[Instance], dict[str, Any]]
) -> Callable[[Instance], Verdict]:
    """Return the outcome "the run ends at x", with its distance from a wrong fixed point as margin."""

    def outcome(instance: Instance) -> Verdict:
        aside = nothing_to_run(instance)
        if aside is not None:
            return aside
        run = trace(instance, solver, steps=LONG, **options(instance))
        error = run.errors[-1] / float(np.linalg.norm(instance.x))
        reason = f"after {run.result.n_iter} steps the error is {error:.3g} |x| ({run.result.status.name})"
        if error <= 1e-6:
            return Verdict("holds", _distance(instance, run.supports, step(instance)), reason)
        if run.result.n_iter < LONG and error > 1e-3:
            return Verdict("fails", -min(error, 1.0), reason)
        return Verdict.unknown(reason)  # the run may just be slow

    return outcome


def _distance(instance: Instance, supports: list[np.ndarray], step: float) -> float:
    """Return how far the visited wrong supports T are from being fixed points; 0 if one is.

    With z the least squares solution on T, T is fixed if step |A'(y - A z)| is nowhere larger than the smallest |z|. A
    run that visits none counts as farther away, the more the clearer its first selection is.
    """
    A, y, there = instance.matrix, instance.y, instance.support
    wrong = {one.tobytes(): one for one in supports if one.size == there.size and not np.array_equal(one, there)}
    ratios = [1e3]
    for chosen in wrong.values():
        z = np.linalg.lstsq(A[:, chosen], y)[0]
        outside = float(np.max(np.abs(A.T @ (y - A[:, chosen] @ z))))
        ratios.append(step * outside / max(float(np.min(np.abs(z))), 1e-300))
    if wrong:
        return max(min(ratios) - 1.0, 1e-12)
    first = np.abs(A.T @ y)
    others = np.delete(first, there)
    return 1e3 * float(first[there].min()) / max(float(others.max(initial=0.0)), 1e-300)


def _cautious(instance: Instance) -> float:
    """Return the step 1 / beta_{2s}."""
    return 1.0 / extremes(instance.matrix, 2 * instance.sparsity)[1]


def _best(instance: Instance) -> float:
    """Return the step 2 / (alpha_{3s} + beta_{3s})."""
    return 2.0 / sum(extremes(instance.matrix, 3 * instance.sparsity))


def _two_of_six(instance: Instance) -> bool:
    begun = instance.x0 is not None and np.any(instance.x0)
    return instance.sparsity == 2 and instance.shape[1] == 6 and not begun


def _and(
    rule: Callable[[Instance], Verdict], fits: Callable[[Instance], bool], otherwise: str
) -> Callable[[Instance], Verdict]:
    """Add another, immediately decided condition to a hypothesis."""
    return lambda instance: rule(instance) if fits(instance) else Verdict.of(False, otherwise)


def _false(
    name: str,
    statement: str,
    why: str,
    hypotheses: Callable[[Instance], Verdict],
    outcome: Callable[[Instance], Verdict],
    sampler: Callable[[np.random.Generator], Instance],
    *,
    needs: tuple[str, ...] = ("x", "noise"),
    steer: str | None = None,
) -> tuple[Guarantee, int]:
    source = "none: it is false"
    parts = (f"false-{name}", "implication", statement, source, why, hypotheses, outcome)
    return Guarantee(*parts, needs=needs, sampler=sampler, steer=steer), EVALUATIONS
