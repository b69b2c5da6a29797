"""When unit-step hard thresholding and hard thresholding pursuit converge to the planted vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recovery._solve import solve
from recovery.guarantees import frames
from recovery.guarantees.base import Guarantee, Verdict
from recovery.guarantees.isometry import isometric_columns, isometry, smaller
from recovery.instances import Instance

__all__ = ["guarantees"]

STEPS = 40
FLOOR = 1e-9
"""Errors below this share of |x| count as 0."""
Rate = Callable[[float], float]


def iht_rate(limit: float) -> Rate:
    """Return delta -> delta / limit."""
    return lambda delta: delta / limit


def htp_rate(limit: float) -> Rate:
    """Return delta -> sqrt(2 delta^2 / (1 - delta^2)), 1 at 1 / sqrt(3), stretched so that it is 1 at the limit."""

    def rate(delta: float) -> float:
        delta = delta / (limit * math.sqrt(3.0))
        return math.sqrt(2.0) * delta / math.sqrt(1.0 - delta * delta) if delta < 1.0 else math.inf

    return rate


def isometry_rule(limit: float) -> Callable[[Instance], Verdict]:
    """Return the hypothesis delta_{3s} < limit, without noise and from a start with at most s non-zeros."""

    def hypotheses(instance: Instance) -> Verdict:
        s = instance.sparsity
        if not instance.noise_free:
            return Verdict.of(False, "there is noise; the statement is about data without noise")
        if len(instance.support) > s:
            return Verdict.of(False, f"x has {len(instance.support)} non-zeros, more than s = {s}")
        if instance.x0 is not None and np.count_nonzero(instance.x0) > s:
            return Verdict.of(False, f"x0 has {np.count_nonzero(instance.x0)} non-zeros, more than s = {s}")
        if s == 0:
            return Verdict.of(True, "s = 0: every iterate is 0")
        # at most N columns are in play, whatever s is
        return smaller(isometry(instance.matrix, 3 * s).delta_raw, limit, f"the limit against delta_{3 * s}")

    return hypotheses


def converges(solver: str, rate: Rate, **options: Any) -> Callable[[Instance], Verdict]:
    """Return the outcome "an error is at most rate^t times the first one"; with a rate of 1 or more "it ends at x"."""

    def outcome(instance: Instance) -> Verdict:
        s, x = instance.sparsity, instance.x
        if s == 0:
            return Verdict.of(not np.any(x), "s = 0: every iterate is 0")
        start = np.zeros(len(x)) if instance.x0 is None else instance.x0
        errors, steps = [float(np.linalg.norm(start - x))], []

        def watch(state: Any) -> None:
            point = np.zeros(len(x))
            point[state.support] = state.values
            errors.append(float(np.linalg.norm(point - x)))
            steps.append(state.step)

        result = solve(
            instance.matrix, instance.y, s, solver, x0=instance.x0, max_iter=STEPS, step=1.0, normalise=False,
            callback=watch, **options,
        )  # fmt: skip
        floor = FLOOR * max(float(np.linalg.norm(x)), errors[0] * 1e-3)
        if steps and steps[-1] != 1.0:
            return Verdict("fails", -1.0, "the supports repeat in a cycle of unit steps")
        if not np.any(instance.y):  # the solver does not start
            return Verdict.unknown("y = 0: the run has no steps")
        slope = rate(isometry(instance.matrix, 3 * s).delta_raw.upper)
        if not slope < 1.0:
            done = errors[-1] <= floor
            return Verdict(
                "holds" if done else "fails", 1.0 if done else -1.0, f"after {result.n_iter} steps {errors[-1]:.3g}"
            )
        return _compare(errors, slope, floor, x, result.n_iter, finite=solver == "htp")

    return outcome


def _compare(errors: list[float], slope: float, floor: float, x: np.ndarray, n_iter: int, finite: bool) -> Verdict:
    """Compare errors with slope^t times the first; a run that ended stays where it is."""
    ended = n_iter < STEPS
    worst, at = math.inf, 0
    for t in range(1, STEPS + 1):
        error = errors[min(t, len(errors) - 1)]
        bound = errors[0] * slope**t
        if bound <= floor:
            break
        margin = bound / error - 1.0 if error > floor else math.inf
        if margin < worst:
            worst, at = margin, t
    reason = f"after {at} steps the error is nearest to {slope:.6g}^{at} of the first"
    if abs(worst) <= 1e-9:
        return Verdict.unknown(reason + "; too close for rounding", worst)
    if worst < 0.0:
        return Verdict("fails", worst, reason)
    least = float(np.min(np.abs(x[x != 0.0]), initial=math.inf))
    if finite and least > 10.0 * floor:
        # the support is complete once every missing entry would cost more than the error that is left
        needed = 1 if errors[0] * slope < least else math.floor(math.log(least / errors[0]) / math.log(slope)) + 1
        if (ended or needed < len(errors)) and errors[min(needed, len(errors) - 1)] > floor:
            return Verdict("fails", -1.0, f"not at x after {needed} steps")
    return Verdict("holds", worst, reason)


def _sampler(rng: np.random.Generator, limit: float = 1.0 / math.sqrt(3.0)) -> Instance:
    while True:
        s, size = frames.sizes(rng, others=6)
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
        if rng.random() < 0.5:  # where a unit step from x would put its weight on the wrong column
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
        The runs are those of :func:`recovery.solve`, with ``step=1, normalise=False``, on A as it is, from x0 (zero if
        None). Isometry constants are enumerated up to 200,000 supports; beyond, Gershgorin's discs may still decide.
    """
    tests = "tests/recovery/test_guarantees_hard_thresholding.py"
    limit = 1.0 / math.sqrt(3.0)
    proved = "proved in docs/derivations.md, section Unit-step thresholding"
    memory = f"(from memory of the literature, verified numerically by {tests})"
    return [
        Guarantee(
            "iht-restricted-isometry",
            "implication",
            "Without noise: delta_{3s} < 1 / sqrt(3), x0 and x s-sparse => x_t <- H_s(x_t + A'(y - A x_t)) has "
            "|x_t - x| <= (sqrt(3) delta_{3s})^t |x0 - x|.",
            f"Foucart, SIAM J. Numer. Anal. 2011 {memory}; {proved}",
            tests,
            isometry_rule(limit),
            converges("iht", iht_rate(limit)),
            sampler=_sampler,
            steer=None,
        ),
        Guarantee(
            "htp-restricted-isometry",
            "implication",
            "Without noise: delta_{3s} < 1 / sqrt(3), x0 and x s-sparse => HTP with unit steps has |x_t - x| <= r^t "
            "|x0 - x| with r = sqrt(2 delta^2 / (1 - delta^2)), and x_t = x from the first t >= 1 on with r^t |x0 - x| "
            "< min |x_S|.",
            f"Foucart, SIAM J. Numer. Anal. 2011 {memory}; {proved}",
            tests,
            isometry_rule(limit),
            converges("htp", htp_rate(limit), escapes=0),
            sampler=_sampler,
            steer=None,
        ),
    ]
