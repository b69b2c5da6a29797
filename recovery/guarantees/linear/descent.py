"""Guarantees that hard-thresholded gradient steps lower the objective at a linear rate: fixed and adaptive steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recovery.exact.bounded import Bounded
from recovery.guarantees.engine.base import Guarantee, Verdict, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear.iterative import (
    STEPS,
    Trace,
    ends_low,
    extremes,
    held_to,
    instance_with,
    isometry,
    nothing_to_run,
    outside,
    smaller,
    trace,
)

__all__ = ["condition_rule", "descends", "guarantees", "normalised_descends", "normalised_rule"]

KAPPA, C = 1.05, 0.01
"""Default constants of NIHT for instances without their own: with the solver's kappa = 2 the condition never holds."""
_LONGEST = 100  # the solver shrinks a step at most this often


def condition_rule(limit: float) -> Callable[[Instance], Verdict]:
    """Return the hypothesis kappa_{2s} < limit, without noise and from a start with at most s non-zeros."""

    def hypotheses(instance: Instance) -> Verdict:
        aside = outside(instance)
        if aside is not None:
            return aside
        order = 2 * instance.sparsity
        return smaller(isometry(instance.matrix, order).kappa, limit, f"the limit exceeds kappa_{order}")

    return hypotheses


def normalised_rule(limit: float) -> Callable[[Instance], Verdict]:
    """Return the hypothesis kappa beta_{2s} < limit alpha_{2s}, with kappa NIHT's constant."""

    def hypotheses(instance: Instance) -> Verdict:
        aside = outside(instance)
        if aside is not None:
            return aside
        kappa, c = constants(instance)
        factor = kappa * (1.0 - c)
        if not (0.0 < c < 1.0 and factor > 1.0):
            return Verdict.of(False, f"kappa (1 - c) = {factor:.6g} is not above 1, so steps would not shrink")
        if factor**_LONGEST < limit:
            return Verdict.of(
                False,
                f"(kappa (1 - c))^{_LONGEST} is below {limit:.3g}, so the solver would stop shrinking its step too "
                "early",
            )
        order = 2 * instance.sparsity
        reason = f"{limit:.3g} / kappa with kappa = {kappa:.6g} exceeds beta_{order} / alpha_{order}"
        return smaller(isometry(instance.matrix, order).kappa, limit / kappa, reason)

    return hypotheses


def constants(instance: Instance) -> tuple[float, float]:
    """Return kappa and c of NIHT: the instance's options, or 1.05 and 0.01."""
    return float(instance.options.get("kappa", KAPPA)), float(instance.options.get("c", C))


def descends(limit: float) -> Callable[[Instance], Verdict]:
    """Return the outcome "step 1 / beta_{2s} has f(x_t) <= r^t f(x_0)", r = (kappa_{2s} - 1) / (limit - 1)."""

    def outcome(instance: Instance) -> Verdict:
        aside = nothing_to_run(instance)
        if aside is not None:
            return aside
        low, high = extremes(instance.matrix, 2 * instance.sparsity)
        slope = (high / low - 1.0) / (limit - 1.0) if low > 0.0 else np.inf
        return _falls(trace(instance, "iht", step=1.0 / high), slope, high)

    return outcome


def normalised_descends(limit: float) -> Callable[[Instance], Verdict]:
    """Return the outcome "NIHT has f(x_t) <= r^t f(x_0)", r = 2 kappa beta_{2s} / (limit alpha_{2s}) - 1."""

    def outcome(instance: Instance) -> Verdict:
        aside = nothing_to_run(instance)
        if aside is not None:
            return aside
        kappa, c = constants(instance)
        low, high = extremes(instance.matrix, 2 * instance.sparsity)
        slope = 2.0 * kappa * high / (limit * low) - 1.0 if low > 0.0 else np.inf
        run = trace(instance, "niht", kappa=kappa, c=c)
        # a step is a quotient of two squares, which is only rounding once the error is
        steps = [step for step, error in zip(run.steps, run.errors, strict=False) if error > 1e3 * run.floor]
        if not steps and run.errors[0] <= 1e3 * run.floor:
            if max(run.errors) <= 1e3 * run.floor:
                return Verdict("holds", 1.0, "the start is x up to rounding, and the run stays there")
            return Verdict.unknown("the start is x up to rounding, so there is no step to check")
        if steps:
            least, bound = min(steps), 1.0 / (kappa * high)
            enough = exceeds(
                Bounded(least, 1e-9 * least), Bounded(bound, 1e-9 * bound), "the smallest step exceeds 1 / (kappa beta)"
            )
            if enough.status == "fails":
                return enough
        return _falls(run, slope, high)

    return outcome


def _falls(run: Trace, slope: float, largest: float) -> Verdict:
    """Compare objectives with slope^t times the first; with a slope of 1 or more check whether the run ends at 0."""
    first, floor = run.objectives[0], 0.5 * largest * run.floor**2
    if not slope < 1.0:
        return ends_low(run, run.objectives[-1], floor, "the objective")
    bounds = [first * max(slope, 0.0) ** t for t in range(STEPS + 1)]
    return held_to(run.objectives, bounds, floor, f"the objective (rate {slope:.6g})")


def grades_sampler(rng: np.random.Generator, limit: float = 2.0) -> Instance:
    """Draw columns with kappa_{2s} near the limit."""
    return instance_with(rng, lambda s: 2 * s, lambda s, margin: limit / (1.0 + margin))


def normalised_sampler(rng: np.random.Generator, limit: float = 2.0) -> Instance:
    """Draw constants of NIHT, and columns with kappa_{2s} near limit / kappa."""
    kappa = 1.0 + 10.0 ** rng.uniform(-1.5, -0.4)
    c = max(1e-4, rng.random() * (1.0 - 1.01 / kappa))
    options = {"kappa": float(kappa), "c": float(c)}
    return instance_with(rng, lambda s: 2 * s, lambda s, margin: limit / (kappa * (1.0 + margin)), options=options)


def guarantees() -> list[Guarantee]:
    """Return the guarantees about the objective f = |A x - y|^2 / 2.

    Returns
    -------
    list of Guarantee
        The runs are those of :func:`recovery.solve` on the columns as given, from x0 (zero if None). The condition does
        not depend on the scale of A. NIHT runs with the options ``"kappa"`` and ``"c"`` of the instance (1.05 and 0.01
        if there are none).
    """
    tests = "tests/recovery/test_guarantees_descent.py"
    proof = "docs/theory, section Steps that lower the objective"
    return [
        Guarantee(
            "iht-condition-number",
            "implication",
            "Without noise, if kappa_{2s} = beta_{2s} / alpha_{2s} < 2 and x0 and x are s-sparse, then IHT with step "
            "1 / beta_{2s} has f(x_t) <= (kappa_{2s} - 1)^t f(x_0), so f(x_t) <= eps for all t >= log(f(x_0) / eps) / "
            "log(1 / (kappa_{2s} - 1)).",
            f"Garg and Khandekar (GraDeS), ICML 2009, by the abstract; proved in {proof}",
            tests,
            condition_rule(2.0),
            descends(2.0),
            sampler=grades_sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "niht-condition-number",
            "implication",
            "Without noise, if kappa beta_{2s} < 2 alpha_{2s}, (kappa (1 - c))^100 >= 2, and x0 and x are s-sparse, "
            "then NIHT with the constants kappa and c takes steps >= 1 / (kappa beta_{2s}) and has f(x_t) <= (kappa "
            "beta_{2s} / alpha_{2s} - 1)^t f(x_0); where its step would be 0/0, as at x = 0, it is that of the s "
            "largest entries of the gradient.",
            f"derived here: {proof}; the method is that of Blumensath and Davies 2010",
            tests,
            normalised_rule(2.0),
            normalised_descends(2.0),
            sampler=normalised_sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
    ]
