"""Guarantee that hard thresholding pursuit by continuation over sizes returns the planted vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear.hard_thresholding import htp_rate
from recovery.guarantees.linear.iterative import extremes, least_entry, nothing_to_run, trace
from recovery.guarantees.linear.scaled_thresholding import sampler as columns_near
from recovery.guarantees.linear.scaled_thresholding import scaled_rule

__all__ = ["LIMIT", "continuation_rule", "guarantees", "most_steps", "reaches", "sampler"]

LIMIT = 1.0 / math.sqrt(3.0)
RATE = htp_rate(LIMIT)
"""delta -> sqrt(2 delta^2 / (1 - delta^2))."""
STEPS = 300
"""Steps over all sizes: the solver's own limit."""


def continuation_rule(limit: float) -> Callable[[Instance], Verdict]:
    """Return the hypothesis delta_{3s} < limit, A in its best scale, for a run from zero."""
    isometric = scaled_rule(limit)

    def hypotheses(instance: Instance) -> Verdict:
        if instance.x0 is not None and np.any(instance.x0):
            return Verdict.of(False, "x0 is not 0, so sizes below its number of non-zeros would be skipped")
        return isometric(instance)

    return hypotheses


def most_steps(delta: float, x: np.ndarray) -> float:
    """Return the steps with s entries that reach x: the least t >= 1 with r^t |x| / sqrt(1 - delta^2) < min |x_S|."""
    r = RATE(delta)
    if not r < 1.0:
        return math.inf
    goal = math.log(float(np.linalg.norm(x)) / (least_entry(x) * math.sqrt(1.0 - delta * delta)))
    return 1.0 if r == 0.0 else max(1.0, math.floor(goal / -math.log(r)) + 1.0)


def reaches(**options: Any) -> Callable[[Instance], Verdict]:
    """Return the outcome "the result is x, after at most the proved number of steps with s entries"."""

    def outcome(instance: Instance) -> Verdict:
        aside = nothing_to_run(instance)
        if aside is not None:
            return aside
        s, x = instance.sparsity, instance.x
        low, high = extremes(instance.matrix, 3 * s)
        delta, step = (high - low) / (high + low), 2.0 / (low + high)
        run = trace(instance, "htp", steps=STEPS, step=step, path=True, **options)
        error = float(np.linalg.norm(run.result.x - x))
        reason = f"after {run.result.n_iter} steps the error is {error / float(np.linalg.norm(x)):.3g} |x|"
        if run.result.n_iter >= STEPS:
            return Verdict.unknown(reason + ", and the run has not ended")
        if error > run.floor:
            return Verdict("fails", -1.0, reason)
        # steps of the last size: a run that ends earlier has found x with fewer entries
        sizes = [len(one) for one in run.supports[1:]]
        last = next((t for t, size in enumerate(reversed(sizes)) if size != s), len(sizes))
        most = most_steps(delta * (1.0 + 1e-9), x)
        if last > most:
            return Verdict(
                "fails",
                most / last - 1.0,
                f"{reason}; the number of steps with s entries is {last}, above the proved {most:g}",
            )
        return Verdict(
            "holds",
            _distance(instance, run.supports[1:], step),
            f"{reason}; the number of steps with s entries is {last}, and at most {most:g} is proved",
        )

    return outcome


def _distance(instance: Instance, supports: list[np.ndarray], step: float) -> float:
    """Return how far the run was from stopping at a visited wrong support of s columns; 1 if it visited none."""
    A, y, there = instance.matrix, instance.y, instance.support
    found = 1e3
    for chosen in supports:
        if len(chosen) == instance.sparsity and not np.array_equal(chosen, there):
            z = np.linalg.lstsq(A[:, chosen], y)[0]
            outside = float(np.max(np.abs(A.T @ (y - A[:, chosen] @ z))))
            found = min(found, step * outside / max(float(np.min(np.abs(z))), 1e-300))
    first = np.abs(A.T @ y)
    others = np.delete(first, there)
    clear = float(first[there].min()) / max(float(others.max(initial=0.0)), 1e-300) if there.size else 1.0
    return 1e3 * clear if found == 1e3 else max(found - 1.0, 1e-12)


def sampler(rng: np.random.Generator, limit: float = LIMIT) -> Instance:
    """Draw columns with delta_{3s} near the limit, and a run from zero."""
    return columns_near(rng, limit).replace(x0=None)


def guarantees() -> list[Guarantee]:
    """Return the guarantee of continuation: the solver ``"htp"`` with ``path=True`` on the columns as given.

    Returns
    -------
    list of Guarantee
        It also applies to ``solver="auto"``, which tries it on columns of unit norm with unit steps: the result is x if
        the condition holds for those columns.
    """
    tests = "tests/recovery/test_guarantees_continuation.py"
    return [
        Guarantee(
            "htp-continuation",
            "implication",
            "Without noise, if delta = delta_{3s} < 1 / sqrt(3) (A scaled to make delta smallest), x0 = 0 and x is "
            "s-sparse, then HTP by continuation over sizes with step 2 / (alpha_{3s} + beta_{3s}) returns x, "
            "whatever it found for smaller sizes. It takes at most t steps with s entries, t >= 1 the least with r^t "
            "|x| / sqrt(1 - delta^2) < min |x_S|, r = sqrt(2 delta^2 / (1 - delta^2)).",
            "derived here: docs/theory, section Continuation over sparsity levels; from the theorem on HTP of Foucart, "
            "SIAM J. Numer. Anal. 2011",
            tests,
            continuation_rule(LIMIT),
            reaches(),
            sampler=sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
    ]
