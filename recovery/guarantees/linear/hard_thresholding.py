"""Guarantees that unit-step hard thresholding and hard thresholding pursuit converge to the planted vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import frames
from recovery.guarantees.linear.iterative import (
    STEPS,
    Trace,
    ends_low,
    held_to,
    isometric_columns,
    isometry,
    least_entry,
    nothing_to_run,
    outside,
    smaller,
    trace,
)

__all__ = ["contracts", "converges", "guarantees", "htp_rate", "iht_rate", "isometry_rule", "sampler"]

Rate = Callable[[float], float]


def iht_rate(limit: float) -> Rate:
    """Return delta -> delta / limit."""
    return lambda delta: delta / limit


def htp_rate(limit: float) -> Rate:
    """Return delta -> sqrt(2 delta^2 / (1 - delta^2)), 1 at 1 / sqrt(3), rescaled so that it is 1 at the limit."""

    def rate(delta: float) -> float:
        delta = delta / (limit * math.sqrt(3.0))
        return math.sqrt(2.0) * delta / math.sqrt(1.0 - delta * delta) if delta < 1.0 else math.inf

    return rate


def isometry_rule(limit: float) -> Callable[[Instance], Verdict]:
    """Return the hypothesis delta_{3s} < limit, without noise and from a start with at most s non-zeros."""

    def hypotheses(instance: Instance) -> Verdict:
        s, aside = instance.sparsity, outside(instance)
        if aside is not None:
            return aside
        # at most N columns are involved, whatever s is
        return smaller(isometry(instance.matrix, 3 * s).restricted_isometry, limit, f"the limit exceeds delta_{3 * s}")

    return hypotheses


def converges(solver: str, rate: Rate, **options: Any) -> Callable[[Instance], Verdict]:
    """Return the outcome "an error is at most rate^t times the first one"; with a rate of 1 or more "it ends at x"."""

    def outcome(instance: Instance) -> Verdict:
        aside = nothing_to_run(instance)
        if aside is not None:
            return aside
        run = trace(instance, solver, step=1.0, **options)
        slope = rate(isometry(instance.matrix, 3 * instance.sparsity).restricted_isometry.upper)
        return contracts(run, 1.0, slope, least_entry(instance.x) if solver == "htp" else None)

    return outcome


def contracts(run: Trace, step: float, slope: float, finite: float | None = None) -> Verdict:
    """Return whether all errors of a run with one step size are at most slope^t times the first.

    Parameters
    ----------
    run : Trace
        The recorded run.
    step : float
        Step size. If HTP shortened it to break a cycle of supports, the run is not covered by the theorem.
    slope : float
        Rate; if it is 1 or more, the check is instead whether the run ends at x.
    finite : float, optional
        The run must be at x once the bound is below this number.

    Returns
    -------
    Verdict
        The margin is that of the tightest step.
    """
    if run.steps and run.steps[-1] != step:
        return Verdict("fails", -1.0, "the run cycles through the same supports")
    if not slope < 1.0:
        return ends_low(run, run.errors[-1], run.floor, "the error")
    bounds = [run.errors[0] * slope**t for t in range(STEPS + 1)]
    return held_to(run.errors, bounds, run.floor, f"the error (rate {slope:.6g})", finite)


def sampler(
    rng: np.random.Generator, limit: float = 1.0 / math.sqrt(3.0), sizes: tuple[int, int] | None = None
) -> Instance:
    """Draw columns with delta_{3s} near the limit, s and N if given, and starts from which a unit step is misled."""
    while True:
        s, size = sizes or frames.sizes(rng, others=6)
        target = limit / (1.0 + frames.aim(rng))
        drawn = isometric_columns(rng, size, min(3 * s, size), target)
        if drawn is not None:
            break
    name, A = drawn
    x = frames.plant(rng, A.T @ A, s)
    x = x * 10.0 ** rng.uniform(-2.0, 2.0)
    x0 = None
    if rng.random() < 0.6:
        x0 = np.zeros(size)
        if rng.random() < 0.5:  # start where a unit step from x would put the weight on the wrong column
            wrong = int(rng.choice(np.flatnonzero(x == 0.0)))
            x0[wrong] = float(A[:, wrong] @ A @ x)
        else:
            x0[rng.permutation(size)[:s]] = float(np.linalg.norm(x)) * rng.standard_normal(s)
    return Instance.planted(A, x, x0=x0, options={"design": name})


def guarantees() -> list[Guarantee]:
    """Return the guarantees of unit-step hard thresholding.

    Returns
    -------
    list of Guarantee
        The runs are those of :func:`recovery.solve`, with ``step=1, normalise=False``, on A as given, from x0 (zero if
        None). Isometry constants are enumerated up to 200,000 supports; beyond that, Gershgorin's discs may still
        decide.
    """
    tests = "tests/recovery/test_guarantees_hard_thresholding.py"
    limit = 1.0 / math.sqrt(3.0)
    proved = "proved in docs/theory, section Unit-step thresholding"
    memory = f"(from memory of the literature, verified numerically by {tests})"
    return [
        Guarantee(
            "iht-restricted-isometry",
            "implication",
            "Without noise, if delta_{3s} < 1 / sqrt(3) and x0 and x are s-sparse, then x_{t+1} = H_s(x_t + A'(y - A "
            "x_t)) has |x_t - x| <= (sqrt(3) delta_{3s})^t |x0 - x|.",
            f"Foucart, SIAM J. Numer. Anal. 2011 {memory}; {proved}",
            tests,
            isometry_rule(limit),
            converges("iht", iht_rate(limit)),
            sampler=sampler,
            steer=None,
            scales=("data",),
        ),
        Guarantee(
            "htp-restricted-isometry",
            "implication",
            "Without noise, if delta_{3s} < 1 / sqrt(3) and x0 and x are s-sparse, then HTP with unit steps has |x_t "
            "- x| <= r^t |x0 - x| with r = sqrt(2 delta^2 / (1 - delta^2)), and x_t = x for all t >= 1 "
            "with r^t |x0 - x| < min |x_S|.",
            f"Foucart, SIAM J. Numer. Anal. 2011 {memory}; {proved}",
            tests,
            isometry_rule(limit),
            converges("htp", htp_rate(limit), escapes=0),
            sampler=sampler,
            steer=None,
            scales=("data",),
        ),
    ]
