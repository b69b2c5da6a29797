"""Guarantees that hard thresholding with the best step for columns of any scale converges to the planted vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear.hard_thresholding import Rate, contracts, htp_rate, iht_rate
from recovery.guarantees.linear.iterative import (
    extremes,
    instance_with,
    isometry,
    kappa_of_delta,
    least_entry,
    nothing_to_run,
    outside,
    smaller,
    trace,
)

__all__ = ["GOLDEN", "converges_scaled", "guarantees", "scaled_rule"]

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""0.618: two columns of unit norm with a larger inner product have a wrong fixed point."""


def scaled_rule(limit: float, times: int = 3) -> Callable[[Instance], Verdict]:
    """Return the hypothesis delta_{3s} < limit (or of `times` s), with A in the scale that makes delta smallest."""

    def hypotheses(instance: Instance) -> Verdict:
        aside = outside(instance)
        if aside is not None:
            return aside
        order = times * instance.sparsity
        found = isometry(instance.matrix, order).scaled_restricted_isometry
        return smaller(found, limit, f"the limit exceeds delta_{order} of A scaled to make it smallest")

    return hypotheses


def converges_scaled(solver: str, rate: Rate, times: int = 3, **options: Any) -> Callable[[Instance], Verdict]:
    """Return the outcome "with step 2 / (alpha_{3s} + beta_{3s}) an error is at most rate(delta_{3s})^t |x0 - x|"."""

    def outcome(instance: Instance) -> Verdict:
        aside = nothing_to_run(instance)
        if aside is not None:
            return aside
        low, high = extremes(instance.matrix, times * instance.sparsity)
        step = 2.0 / (low + high)
        run = trace(instance, solver, step=step, **options)
        finite = least_entry(instance.x) if solver == "htp" else None
        return contracts(run, step, rate((high - low) / (high + low)), finite)

    return outcome


def pursuit_rate(delta: float) -> float:
    """Return sqrt(6 delta^2 / (1 - delta^2)), which is 1 at 1 / sqrt(7)."""
    return math.sqrt(6.0) * delta / math.sqrt(1.0 - delta * delta) if delta < 1.0 else math.inf


def sampler(rng: np.random.Generator, limit: float = GOLDEN, times: int = 3) -> Instance:
    """Draw columns with delta_{3s} near the limit (or of `times` s)."""
    return instance_with(rng, lambda s: times * s, lambda s, margin: kappa_of_delta(limit / (1.0 + margin)))


def guarantees() -> list[Guarantee]:
    """Return the guarantees of hard thresholding with the best step, 2 / (alpha + beta) of order 3s or 2s.

    Returns
    -------
    list of Guarantee
        delta = (beta - alpha) / (beta + alpha), all three of the same order, is the isometry constant of A in its best
        scale, so that nothing depends on the scale of A. The runs are those of :func:`recovery.solve` with
        ``normalise=False``, from x0 (zero if None).
    """
    tests = "tests/recovery/test_guarantees_scaled_thresholding.py"
    third = 1.0 / math.sqrt(3.0)
    proof = "docs/theory, section Thresholding with the best step"
    memory = f"(from memory of the literature, verified numerically by {tests})"
    step = "step 2 / (alpha_{3s} + beta_{3s}), delta_{3s} of A scaled to make it smallest"

    pairs = "step 2 / (alpha_{2s} + beta_{2s}), delta_{2s} of A scaled to make it smallest"
    xie = f"Xie, IEEE Signal Process. Lett. 2023, by the abstract; proved in {proof}"

    def near(limit: float, times: int = 3) -> Callable[[np.random.Generator], Instance]:
        return lambda rng: sampler(rng, limit, times)

    return [
        Guarantee(
            "iht-scaled-golden-ratio",
            "implication",
            f"Without noise, if delta_{{3s}} < (sqrt(5) - 1) / 2 and x0 and x are s-sparse, then IHT with {step}, has "
            "|x_t - x| <= (delta_{3s} (sqrt(5) + 1) / 2)^t |x0 - x|. The constant is the best possible.",
            f"Zhao and Luo 2023 {memory}; proved in {proof}",
            tests,
            scaled_rule(GOLDEN),
            converges_scaled("iht", iht_rate(GOLDEN)),
            sampler=near(GOLDEN),
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "iht-scaled-isometry",
            "implication",
            f"Without noise, if delta_{{3s}} < 1 / sqrt(3) and x0 and x are s-sparse, then IHT with {step}, has "
            "|x_t - x| <= (sqrt(3) delta_{3s})^t |x0 - x|.",
            f"Foucart, SIAM J. Numer. Anal. 2011 {memory}; proved in {proof}",
            tests,
            scaled_rule(third),
            converges_scaled("iht", iht_rate(third)),
            sampler=near(third),
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "iht-scaled-isometry-half",
            "implication",
            f"Without noise, if delta_{{3s}} < 1 / 2 and x0 and x are s-sparse, then IHT with {step}, has "
            "|x_t - x| <= (2 delta_{3s})^t |x0 - x|.",
            f"Foucart 2010, Sparse recovery algorithms, by the abstract; proved in {proof}",
            tests,
            scaled_rule(0.5),
            converges_scaled("iht", iht_rate(0.5)),
            sampler=near(0.5),
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "htp-scaled-isometry",
            "implication",
            f"Without noise, if delta_{{3s}} < 1 / sqrt(3) and x0 and x are s-sparse, then HTP with {step}, has |x_t "
            "- x| <= r^t |x0 - x| with r = sqrt(2 delta^2 / (1 - delta^2)), and x_t = x for all t >= 1 "
            "with r^t |x0 - x| < min |x_S|.",
            f"Foucart, SIAM J. Numer. Anal. 2011 {memory}; proved in {proof}",
            tests,
            scaled_rule(third),
            converges_scaled("htp", htp_rate(third), escapes=0),
            sampler=near(third),
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "iht-scaled-isometry-2s",
            "implication",
            "Without noise, if delta_{2s} < (sqrt(5) - 1) / (2 sqrt(3)) = 0.3568 and x0 and x are s-sparse, then IHT "
            f"with {pairs}, has |x_t - x| <= (delta_{{2s}} sqrt(3) (sqrt(5) + 1) / 2)^t |x0 - x|.",
            xie,
            tests,
            scaled_rule(GOLDEN / math.sqrt(3.0), 2),
            converges_scaled("iht", iht_rate(GOLDEN / math.sqrt(3.0)), 2),
            sampler=near(GOLDEN / math.sqrt(3.0), 2),
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "htp-scaled-isometry-2s",
            "implication",
            "Without noise, if delta_{2s} < 1 / sqrt(7) = 0.3780 and x0 and x are s-sparse, then HTP with "
            f"{pairs}, has |x_t - x| <= r^t |x0 - x| with r = sqrt(6 delta^2 / (1 - delta^2)), and x_t = x for all "
            "t >= 1 with r^t |x0 - x| < min |x_S|.",
            xie,
            tests,
            scaled_rule(1.0 / math.sqrt(7.0), 2),
            converges_scaled("htp", pursuit_rate, 2, escapes=0),
            sampler=near(1.0 / math.sqrt(7.0), 2),
            steer=None,
            scales=("data", "matrix"),
        ),
    ]
