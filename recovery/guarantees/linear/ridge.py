"""Guarantees about a ridge on the support: bounds on the shrinkage, and when HTP with it finds the support."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from recovery.exact.bounded import Bounded, matmul, noise_of, norm
from recovery.exact.intervals import Interval
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import linear_instance
from recovery.guarantees.linear.hard_thresholding import htp_rate
from recovery.guarantees.linear.iterative import (
    STEPS,
    TOO_CLOSE,
    extremes,
    held_to,
    instance_with,
    isometry,
    kappa_of_delta,
    least_entry,
    smaller,
    trace,
)
from recovery.operators.dense import DenseOperator
from recovery.solvers.least_squares import ridge_fit

__all__ = ["LIMIT", "guarantees", "shrinks", "support_rule"]

LIMIT = 1.0 / math.sqrt(3.0)
RATE = htp_rate(LIMIT)
"""delta -> sqrt(2 delta^2 / (1 - delta^2))."""
EXACT = 1e-12
"""Relative error of constants made of a few square roots."""


def _ridge(instance: Instance) -> float | Verdict:
    """Return the ridge, or the verdict if it is not a positive number."""
    value = instance.options["ridge"]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
        return Verdict.of(False, f"ridge = {value!r} is not a positive number")
    return float(value)


def positive(instance: Instance) -> Verdict:
    """Return the hypothesis ridge > 0."""
    ridge = _ridge(instance)
    return ridge if isinstance(ridge, Verdict) else Verdict.of(True, f"ridge = {ridge:.6g} > 0")


def shrinks(*, at_least: bool = True) -> Callable[[Instance], Verdict]:
    """Return the outcome "the ridge fit on S lies between the bounds"; with `at_least` False below the lower one."""

    def outcome(instance: Instance) -> Verdict:
        S, ridge = instance.support, float(instance.options["ridge"])
        if not len(S):
            return Verdict.of(True, "x = 0, so nothing is fitted")
        A, x = instance.matrix[:, S], instance.x[S]
        z = ridge_fit(DenseOperator(np.ascontiguousarray(A)), np.arange(len(S)), instance.y, ridge)[0]
        sigma = np.linalg.svd(A, compute_uv=False)
        least = float(sigma[-1]) if len(sigma) == len(S) else 0.0
        size, noise = float(np.linalg.norm(x)), float(np.linalg.norm(instance.noise))
        spread = float(np.max(sigma / (sigma**2 + ridge))) * noise
        distance = float(np.linalg.norm(z - x))
        upper = ridge / (least**2 + ridge) * size + spread
        lower = ridge / (float(sigma[0]) ** 2 + ridge) * size - spread
        # the rounding error of x - z, relative to x and to the effect of the noise
        slack = TOO_CLOSE * (size + spread)
        found = Bounded(distance, slack)
        if not at_least:
            return exceeds(Bounded(max(lower, 0.0), slack), found, "the lower bound exceeds |z - x|")
        above = exceeds(Bounded(upper, slack), found, "the upper bound exceeds |z - x|")
        below = exceeds(found, Bounded(lower, slack), "|z - x| exceeds the lower bound") if lower > 0.0 else above
        return all_of([above, below])

    return outcome


@functools.lru_cache(maxsize=8)
def _eigenvalues(content: bytes, shape: tuple[int, int], order: int) -> tuple[Interval, Interval]:
    """Return the restricted eigenvalues of a matrix; cached, since steering needs them many times."""
    found = isometry(np.frombuffer(content).reshape(shape), order)
    return found.smallest, found.largest


def _disturbance(instance: Instance, ridge: float) -> Bounded:
    """Return the norm of the 2s largest entries of A'xi, plus ridge |x|."""
    gradient = abs(matmul(instance.matrix.T, noise_of(instance)))
    largest = np.argsort(-gradient.value, kind="stable")[: 2 * instance.sparsity]
    strong = norm(gradient.value[largest])
    missed = float(np.linalg.norm(gradient.error))
    size = norm(instance.x)
    return Bounded(strong.value, strong.error + 2.0 * missed) + Bounded(ridge * size.value, ridge * size.error * 1.01)


def _factor(delta: float) -> float:
    """Return (sqrt(2) / sqrt(1 - delta^2) + 1 / (1 - delta)) / (1 - r), the factor of a step's disturbance."""
    r = RATE(delta)
    return (math.sqrt(2.0 / (1.0 - delta * delta)) + 1.0 / (1.0 - delta)) / (1.0 - r) if r < 1.0 else math.inf


def support_rule(share: float = 1.0) -> Callable[[Instance], Verdict]:
    """Return the hypothesis delta < 1 / sqrt(3) and min |x_S| > share times the limit of the error."""

    def hypotheses(instance: Instance) -> Verdict:
        ridge, s = _ridge(instance), instance.sparsity
        if isinstance(ridge, Verdict):
            return ridge
        if len(instance.support) != s:
            return Verdict.of(False, f"x has {len(instance.support)} non-zeros, not s = {s}")
        if instance.x0 is not None and np.count_nonzero(instance.x0) > s:
            return Verdict.of(False, f"x0 has {np.count_nonzero(instance.x0)} non-zeros, more than s = {s}")
        if not s:
            return Verdict.of(True, "s = 0: every iterate is 0")
        matrix = np.ascontiguousarray(instance.matrix)
        low, high = _eigenvalues(matrix.tobytes(), matrix.shape, 3 * s)
        ends = [(b - a) / (a + b + 2.0 * ridge) for a, b in ((low.upper, high.lower), (low.lower, high.upper))]
        delta = Interval(max(ends[0], 0.0) * (1.0 - EXACT), ends[1] * (1.0 + EXACT))
        asked = smaller(delta, LIMIT, f"1 / sqrt(3) exceeds delta_{3 * s} with the ridge")
        if asked.status != "holds":
            return asked
        force = _disturbance(instance, ridge)
        signal = Bounded(least_entry(instance.x), 0.0)
        steps = [2.0 / (a + b + 2.0 * ridge) for a, b in ((low.upper, high.upper), (low.lower, high.lower))]
        verdicts = []
        for end, step in zip((delta.lower, delta.upper), steps, strict=True):
            scale = share * step * _factor(end)
            need = force * Bounded(scale, EXACT * scale)
            verdicts.append(exceeds(signal, need, "min |x_S| exceeds the limit of the error"))
        if verdicts[1].status == "holds":
            return verdicts[1] if verdicts[1].margin < asked.margin else asked
        if verdicts[0].status == "fails":
            return verdicts[0]
        return Verdict.unknown(verdicts[1].reason, verdicts[1].margin)

    return hypotheses


def finds_support(instance: Instance) -> Verdict:
    """Return the outcome "errors stay below their bounds, and the support is S once these are below min |x_S|"."""
    s, x, S = instance.sparsity, instance.x, instance.support
    if len(S) != s:
        return Verdict.unknown(f"x has {len(S)} non-zeros; the statement is about exactly s = {s}")
    if not s:
        return Verdict.of(True, "s = 0: every iterate is 0")
    if not np.any(instance.y):
        return Verdict.unknown("y = 0, so the run has no steps")
    A, y, ridge = instance.matrix, instance.y, float(instance.options["ridge"])
    low, high = extremes(A, 3 * s)
    step, delta = 2.0 / (low + high + 2.0 * ridge), (high - low) / (low + high + 2.0 * ridge)
    run = trace(instance, "htp", step=step, ridge=ridge, escapes=0)
    r = RATE(delta)
    force = np.sort(np.abs(A.T @ instance.noise))[::-1][: 2 * s]
    limit = step * (float(np.linalg.norm(force)) + ridge * float(np.linalg.norm(x))) * _factor(delta)
    fitted = np.zeros(len(x))
    fitted[S] = np.linalg.solve(A[:, S].T @ A[:, S] + ridge * np.eye(s), A[:, S].T @ y)
    ends = run.supports[-1]
    if not r < 1.0 or not math.isfinite(limit):
        held = Verdict("holds", 1.0, "the statement gives no rate here")
    else:
        bounds = [r**t * run.errors[0] + (1.0 - r**t) * limit for t in range(STEPS + 1)]
        held = held_to(run.errors, bounds, run.floor, f"the error (rate {r:.6g})")
        if held.status != "holds":
            return held
        first = next((t for t, bound in enumerate(bounds) if t and bound < 0.999999 * least_entry(x)), None)
        wrong = [] if first is None else [one for one in [*run.supports[first:], ends] if not np.array_equal(one, S)]
        if first is None and run.result.n_iter >= STEPS:
            return Verdict.unknown(f"the bound stays above min |x_S| for {STEPS} steps, and the run has not ended")
        if wrong:
            return Verdict("fails", -1.0, f"the support should be S from step {first} on, but was {wrong[0].tolist()}")
    if not np.array_equal(ends, S):
        return Verdict(
            "fails", -1.0, f"the run ended on the support {ends.tolist()} instead of S ({run.result.status.name})"
        )
    error = float(np.linalg.norm(fitted - x))
    if abs(error - run.errors[-1]) > 1e-6 * (error + run.floor):
        return Verdict(
            "fails", -1.0, f"the error is {run.errors[-1]:.6g}, but that of the ridge fit on S is {error:.6g}"
        )
    outside = np.abs(A.T @ (y - A @ fitted))
    outside[S] = 0.0
    clear = least_entry(fitted[S]) / max(step * float(outside.max()), 1e-300) - 1.0
    return Verdict("holds", max(min(held.margin, clear), 1e-12), f"{held.reason}; the support is S")


def shrunken(rng: np.random.Generator) -> Instance:
    """Draw a linear model of any design, and a ridge from 1e-3 to 1e3 times the mean squared norm of a column."""
    instance = linear_instance(rng, start=False)
    mean = float(np.mean(np.sum(instance.matrix**2, axis=0)))
    return instance.with_options(ridge=mean * 10.0 ** rng.uniform(-3.0, 3.0))


def supported(rng: np.random.Generator) -> Instance:
    """Draw columns with delta_{3s} up to 0.5, a ridge within the limits for the noise, and noise."""
    instance = instance_with(
        rng, lambda s: 3 * s, lambda s, margin: kappa_of_delta(0.01 + 0.45 * float(rng.random()) ** 1.5), most=3
    )
    low, high = extremes(instance.matrix, 3 * instance.sparsity)
    delta = (high - low) / (high + low)
    room = least_entry(instance.x) / float(np.linalg.norm(instance.x)) * (low + high) / (2.0 * _factor(delta))
    instance = instance.with_options(ridge=float(room * 10.0 ** rng.uniform(-3.0, 0.1)))
    noise = rng.standard_normal(len(instance.y))
    if rng.random() < 0.5:  # against the weakest entry, and towards one outside
        wish = np.zeros(instance.shape[1])
        wish[int(np.argmin(np.where(instance.x != 0.0, np.abs(instance.x), np.inf)))] = -1.0
        wish[int(rng.choice(np.flatnonzero(instance.x == 0.0)))] = 1.0
        noise = np.linalg.pinv(instance.matrix).T @ wish
    return instance.replace(noise=1e-3 * float(np.linalg.norm(instance.y)) * noise / float(np.linalg.norm(noise)))


def guarantees() -> list[Guarantee]:
    """Return the guarantees of l0 + l2: fits and hard thresholding pursuit with a ridge on the support.

    Returns
    -------
    list of Guarantee
        ``options["ridge"]`` is rho of |y - A z|^2 / 2 + rho |z|^2 / 2, z at most s-sparse, as in ``solve(...,
        ridge=rho)`` on the columns as given.
    """
    tests = "tests/recovery/test_guarantees_ridge.py"
    proof = "derived here: docs/theory, section A ridge on the support"
    needs = ("x", "noise", "ridge")
    return [
        Guarantee(
            "ridge-shrinkage",
            "implication",
            "If rho > 0, then the ridge fit z on the support of x has rho / (beta + rho) |x| - c |xi| <= |z - x| <= "
            "rho / (alpha + rho) |x| + c |xi|, alpha and beta the extreme eigenvalues of A_S'A_S and c the largest "
            "sigma / (sigma^2 + rho) of its singular values sigma, at most 1 / (2 sqrt(rho)).",
            proof,
            tests,
            positive,
            shrinks(),
            needs=needs,
            sampler=shrunken,
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "htp-ridge",
            "implication",
            "If rho > 0, delta = (beta - alpha) / (alpha + beta + 2 rho) < 1 / sqrt(3) with alpha and beta of order "
            "3s, x has s non-zeros and x0 at most s, and min |x_S| > e = step f (|(A'xi)_{2s largest}| + rho |x|) / "
            "(1 - r) with step = 2 / (alpha + beta + 2 rho), f = sqrt(2 / (1 - delta^2)) + 1 / (1 - delta), r = sqrt(2 "
            "delta^2 / (1 - delta^2)), then HTP with the ridge rho, this step and no escapes has |x_t - x| <= r^t |x0 "
            "- x| + (1 - r^t) e, and x_t is the ridge fit on S once this bound is below min |x_S|.",
            proof,
            tests,
            support_rule(),
            finds_support,
            needs=needs,
            sampler=supported,
            scales=("data", "matrix"),
        ),
    ]
