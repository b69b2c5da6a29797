"""Guarantees that orthogonal matching pursuit selects the support: coherence, exact recovery, restricted isometry."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from planted.base.arrays import EPS
from recovery.exact.bounded import Bounded, coherence, constant, data_of, extra, least_squares, matmul, noise_of, norm
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance, NoiseLaw
from recovery.guarantees.linear import frames
from recovery.guarantees.linear.iterative import isometric_columns, isometry, smaller
from recovery.solvers.solve import solve

__all__ = ["bounded", "exact", "gaussian", "guarantees", "incoherent", "isometric"]


def incoherent(rng: np.random.Generator, *, aimed: bool = True, rows: int = 0) -> Instance:
    """Draw columns whose coherence is a fraction of 1 / (2 k - 1): near 1 if aimed, otherwise arbitrary."""
    while True:
        k, size = frames.sizes(rng)
        share = 1.0 / (1.0 + frames.aim(rng)) if aimed else 0.95 * rng.choice([0.0, 1.0, 1.0, 1.0]) * rng.random() ** 2
        name, E = frames.pattern(rng, size)
        gram = np.eye(size) + min(share / (2 * k - 1), 1.0) * E
        A = frames.columns(rng, gram, extra=max(4, rows))
        if A is not None and A.shape[0] >= rows:
            return _scaled(rng, name, A, frames.plant(rng, gram, k))


def _scaled(rng: np.random.Generator, name: str, A: np.ndarray, x: np.ndarray) -> Instance:
    """Return the instance, half of the time with rescaled columns."""
    if rng.random() < 0.5:
        scale = 10.0 ** rng.uniform(-2.0, 2.0, len(x)) * 10.0 ** rng.uniform(-3.0, 3.0)
        return Instance.planted(A * scale, x / scale, options={"design": name + "_scaled"})
    return Instance.planted(A, x, options={"design": name})


def exact(rng: np.random.Generator) -> Instance:
    """Draw columns whose exact recovery coefficient is near 1."""
    k, size = frames.sizes(rng)
    name, E = frames.pattern(rng, size)
    x = frames.plant(rng, np.eye(size) + E, k)
    S, rest = np.flatnonzero(x), np.flatnonzero(x == 0.0)

    def coefficient(t: float) -> float:
        block = np.eye(k) + t * E[np.ix_(S, S)]
        return float(np.abs(np.linalg.solve(block, t * E[np.ix_(S, rest)])).sum(axis=0).max())

    high = min(frames.largest_step(E), 1.0) * (1.0 - 1e-6)
    t = frames.crossing(coefficient, 1.0 / (1.0 + frames.aim(rng)), high)
    A = frames.columns(rng, np.eye(size) + t * E)
    assert A is not None
    return _scaled(rng, name, A, x)


def _noisy(rng: np.random.Generator, instance: Instance) -> Instance:
    """Return the instance with noise: normal, against the weakest atom, or also towards one outside the support."""
    A, y = instance.matrix, instance.y
    noise = rng.standard_normal(len(y))
    kind = rng.random()
    unit = A / np.linalg.norm(A, axis=0)
    weak = int(np.argmin(np.where(instance.x != 0.0, np.abs(instance.x) * np.linalg.norm(A, axis=0), np.inf)))
    if kind < 0.3:  # makes the residual before the last step small, to test the stop rule
        noise = -np.sign(instance.x[weak]) * unit[:, weak]
    elif kind < 0.7:
        decoy = int(rng.choice(np.flatnonzero(instance.x == 0.0)))
        # its inner products: lower that of the weakest planted atom, raise that of the decoy
        wish = np.zeros(len(instance.x))
        wish[weak], wish[decoy] = -np.sign(instance.x[weak]), np.sign(unit[:, decoy] @ y) or 1.0
        noise = np.linalg.pinv(unit).T @ wish
    return instance.replace(noise=1e-3 * float(np.linalg.norm(y)) * noise / float(np.linalg.norm(noise)))


def bounded(rng: np.random.Generator) -> Instance:
    """Draw columns whose coherence is below its limit, and noise."""
    return _noisy(rng, incoherent(rng, aimed=False))


def gaussian(rng: np.random.Generator) -> Instance:
    """Draw columns of 10 rows at least whose coherence is below its limit, and Gaussian noise."""
    instance = incoherent(rng, aimed=False, rows=int(rng.integers(10, 14)))
    law = NoiseLaw("gaussian", 1e-3 * float(np.linalg.norm(instance.y)))
    return instance.replace(noise=law.draw(len(instance.y), rng), law=law)


def isometric(rng: np.random.Generator) -> Instance:
    """Draw columns with delta_{k+1} near 1 / sqrt(k + 1), or clearly below it and with noise."""
    while True:
        k, size = frames.sizes(rng, others=4)
        noisy = bool(rng.random() < 0.5)
        share = 0.95 * rng.choice([0.0, 1.0, 1.0, 1.0]) * rng.random() ** 2 if noisy else 1.0 / (1.0 + frames.aim(rng))
        drawn = isometric_columns(rng, size, k + 1, share / math.sqrt(k + 1))
        if drawn is not None:
            name, A = drawn
            x = frames.plant(rng, A.T @ A, k)
            scale = 10.0 ** rng.choice([-3.0, 0.0, 0.0, 3.0])
            instance = Instance.planted(scale * A, x, options={"design": name})
            return _noisy(rng, instance) if noisy else instance


DELTA = 0.1
Rule = Callable[[Instance], Verdict]


def _refused(instance: Instance, noise_free: bool) -> Verdict | None:
    """Return the verdict if it needs no computation, otherwise None."""
    if noise_free and not instance.noise_free:
        return Verdict.of(False, "there is noise; the statement is about data without noise")
    if not len(instance.support):
        return Verdict.of(True, "x = 0, so there is nothing to pick")
    if not np.all(np.any(instance.matrix != 0.0, axis=0)):
        return Verdict.of(False, "a column is 0")
    return None


def coherence_rule(limit: Callable[[int], float]) -> Rule:
    """Return the hypothesis mu < limit(k), noise-free."""

    def hypotheses(instance: Instance) -> Verdict:
        refused = _refused(instance, noise_free=True)
        if refused is not None:
            return refused
        k = len(instance.support)
        reason = f"the limit for k = {k} exceeds the coherence"
        return exceeds(constant(limit(k)), coherence(instance.matrix), reason)

    return hypotheses


def coefficient_rule(limit: float) -> Rule:
    """Return the hypothesis that the exact recovery coefficient of the support is below a limit, noise-free."""

    def hypotheses(instance: Instance) -> Verdict:
        refused = _refused(instance, noise_free=True)
        if refused is not None:
            return refused
        value = extra(instance.matrix, instance.support, unit=True)
        return exceeds(constant(limit), value, "the limit exceeds the exact recovery coefficient")

    return hypotheses


def _norm(instance: Instance) -> Bounded:
    return norm(noise_of(instance))


def _chi_square(instance: Instance) -> Bounded:
    """Return sigma sqrt(n + 2 sqrt(n log n)), which |xi| exceeds with probability at most 1 / n."""
    assert instance.law is not None
    n = instance.shape[0]
    bound = instance.law.sigma * math.sqrt(n + 2.0 * math.sqrt(n * math.log(n)))
    # the data may also have rounding errors
    return Bounded(bound, 8.0 * EPS * bound + float(norm(noise_of(instance).error).upper))


def noise_rule(factor: float, bound: Callable[[Instance], Bounded]) -> Rule:
    """Return the hypothesis mu < 1 / (2 k - 1) and min |x_j| |a_j| > factor b / (1 - (2 k - 1) mu)."""

    def hypotheses(instance: Instance) -> Verdict:
        refused = _refused(instance, noise_free=False)
        if refused is not None:
            return refused
        S = instance.support
        left_over = 1 - (2 * len(S) - 1) * coherence(instance.matrix)
        if left_over.upper <= 0.0:
            return Verdict("fails", -1.0, f"1 - (2 k - 1) mu = {left_over.value:.6g} is not positive")
        signal = (np.abs(instance.x[S]) * norm(instance.matrix[:, S], 0)).min()
        return exceeds(
            signal * left_over,
            factor * bound(instance),
            "min |x_j| |a_j| (1 - (2 k - 1) mu) exceeds its limit for the noise",
        )

    return hypotheses


def gaussian_rule(instance: Instance) -> Verdict:
    """Return the hypothesis of the bounded noise for Gaussian noise, with at least 1 / delta rows."""
    assert instance.law is not None
    if not instance.law.is_gaussian:
        return Verdict.of(False, f"the noise is {instance.law.name}, not Gaussian")
    if instance.shape[0] < 1.0 / DELTA:
        return Verdict.of(
            False, f"with {instance.shape[0]} rows the noise may exceed its bound with a probability above {DELTA:g}"
        )
    return noise_rule(2.0, _chi_square)(instance)


def isometry_rule(limit: Callable[[int], float], factor: float = 2.0) -> Rule:
    """Return the hypothesis delta_{k+1} < limit(k) and min|x| > factor b / (1 - delta_{k+1} / limit(k))."""

    def hypotheses(instance: Instance) -> Verdict:
        refused = _refused(instance, noise_free=False)
        if refused is not None:
            return refused
        k = len(instance.support)
        found = isometry(instance.matrix, k + 1)
        delta = found.scaled_restricted_isometry
        asked = smaller(delta, limit(k), f"the limit for k = {k} exceeds delta_{k + 1}")
        if asked.status == "fails":
            return asked
        # x in units of the scaled columns; these bounds are far apart only without enumeration
        middle = (found.smallest.upper + found.largest.lower) / 2.0
        loose = found.smallest.width + found.largest.width
        if loose > 1e-6 * middle:
            return Verdict.unknown(f"delta_{k + 1} is not known precisely enough: {found.message}")
        if asked.status == "unknown":
            return asked
        signal = np.abs(instance.x[instance.support]).min() * Bounded(middle, loose + EPS * middle).sqrt()
        left_over = 1 - Bounded(delta.upper, delta.width) / constant(limit(k))
        noise = exceeds(
            signal * left_over,
            factor * _norm(instance),
            "min |x_j| (1 - delta / limit) exceeds its limit for the noise",
        )
        return asked if instance.noise_free and noise.status == "holds" else all_of([asked, noise])

    return hypotheses


def picks_support(*, normalise: bool = True, bound: Callable[[Instance], Bounded] | None = None) -> Rule:
    """Return the outcome "k steps of OMP pick the support", and with `bound` "no residual is below it before".

    The scores are recomputed with their errors: the rounding of y, that of the residual, and 16 (n + N) eps cond(A_T)
    |y| for the solver's own residual, whose weights come from an updated factorisation.
    """

    def outcome(instance: Instance) -> Verdict:
        S, A = instance.support, instance.matrix
        if not len(S):
            return Verdict.of(True, "x = 0, so there is nothing to pick")
        y = data_of(instance)
        size = float(norm(y).upper)
        picked: list[Any] = []
        solve(A, instance.y, len(S), "omp", normalise=normalise, callback=lambda state: picked.append(state.support))
        lengths = norm(A, 0)
        units = Bounded(np.where(lengths.value > 0.0, lengths.value, 1.0), lengths.error) if normalise else None
        stop = None if bound is None else bound(instance)
        chosen = np.zeros(0, dtype=np.int64)
        worst, where = math.inf, ""
        for step in range(len(S)):
            fit = least_squares(A[:, chosen], y)
            if not fit.independent:
                return Verdict.unknown(f"the columns picked in {step} steps may be dependent", worst)
            slack = 16.0 * sum(A.shape) * EPS * fit.condition * size
            length = Bounded(fit.residual_norm.value, fit.residual_norm.error + slack)
            if length.value <= max(length.error, 2e-12 * size):
                return Verdict.unknown(f"the residual after {step} steps is no larger than rounding error", worst)
            if stop is not None:
                above = exceeds(length, stop, f"the residual after {step} steps exceeds the noise bound")
                if above.margin < worst:
                    worst, where = above.margin, f"; {above.reason}"
                if above.status != "holds":
                    return Verdict(above.status, worst, above.reason)
            score = abs(matmul(A.T, fit.residual)) if units is None else abs(matmul(A.T, fit.residual)) / units
            score = score + Bounded(np.zeros(A.shape[1]), slack * (lengths.upper if units is None else 1.0))
            others = np.ones(A.shape[1], dtype=bool)
            others[S] = False
            good = score[np.setdiff1d(S, chosen)].max(0.0)
            bad = score[others].max(0.0)
            call = exceeds(good, bad, f"in step {step + 1} the largest score on S exceeds the largest outside")
            if call.margin < worst:
                worst, where = call.margin, f"; {call.reason}"
            now = picked[step] if step < len(picked) else chosen
            if len(now) == len(chosen) or not np.all(np.isin(now, S)):
                reason = f"step {step + 1} picked {np.setdiff1d(now, chosen).tolist()}: {call.reason}"
                if call.status == "unknown" or good.upper <= slack:
                    return Verdict.unknown(reason + "; rounding error may have decided it", call.margin)
                return Verdict("fails", min(call.margin, 0.0), reason)
            chosen = now
        return Verdict("holds", worst, f"OMP picked the support{where}")

    return outcome


def guarantees() -> list[Guarantee]:
    """Return the guarantees of orthogonal matching pursuit.

    Returns
    -------
    list of Guarantee
        Columns are scaled to unit norm, except for the guarantee by restricted isometry, where they share one scale.
        OMP is :func:`recovery.solve` with ``solver="omp"``, for k = |S| steps.
    """
    tests = "tests/recovery/test_guarantees_omp.py"
    memory = f"(from memory of the literature, verified numerically by {tests})"
    unit = ("data", "columns")
    return [
        Guarantee(
            "omp-coherence",
            "implication",
            "Without noise, if mu < 1 / (2 k - 1), then OMP picks the support in k steps.",
            f"Tropp, IEEE Trans. Inf. Theory 2004 {memory}",
            f"{tests}; mu <= 1 / 2 would be too weak for k = 2",
            coherence_rule(lambda k: 1.0 / (2 * k - 1)),
            picks_support(),
            sampler=incoherent,
            scales=unit,
            steer=None,
        ),
        Guarantee(
            "omp-exact-recovery",
            "implication",
            "Without noise, if A_S has full column rank and max over j outside S of |A_S^+ a_j|_1 < 1, then OMP picks "
            "the support in k steps.",
            f"Tropp, IEEE Trans. Inf. Theory 2004 {memory}",
            tests,
            coefficient_rule(1.0),
            picks_support(),
            sampler=exact,
            scales=unit,
            steer=None,
        ),
        Guarantee(
            "omp-bounded-noise",
            "implication",
            "If mu < 1 / (2 k - 1) and min |x_j| |a_j| > 2 |xi| / (1 - (2 k - 1) mu), then OMP picks the support in k "
            "steps, and its residual is above |xi| before each of them.",
            f"Cai and Wang, IEEE Trans. Inf. Theory 2011 {memory}",
            tests,
            noise_rule(2.0, _norm),
            picks_support(bound=_norm),
            sampler=bounded,
            scales=unit,
        ),
        Guarantee(
            "omp-gaussian-noise",
            "probability",
            "If xi ~ N(0, sigma^2 I), n >= 10, mu < 1 / (2 k - 1), and min |x_j| |a_j| > 2 b / (1 - (2 k - 1) mu) with "
            "b = sigma sqrt(n + 2 sqrt(n log n)), then with probability at least 1 - 1 / n OMP picks the support in k "
            f"steps, and its residual is above b before each of them; {1 - DELTA:g} is tested for all n.",
            f"Cai and Wang, IEEE Trans. Inf. Theory 2011 {memory}",
            f"{tests}, which also compares P(|xi| > b) with 1 / n",
            gaussian_rule,
            picks_support(bound=_chi_square),
            needs=("x", "noise", "law"),
            sampler=gaussian,
            delta=DELTA,
            scales=unit,
        ),
        Guarantee(
            "omp-restricted-isometry",
            "implication",
            "If delta = delta_{k+1} < 1 / sqrt(k + 1) and min |x_j| > 2 |xi| / (1 - sqrt(k + 1) delta), with A in the "
            "scale that makes delta smallest, then OMP on the columns as given picks the support in k steps, and its "
            "residual is above |xi| before each of them.",
            f"Wen et al., arXiv:1512.07248, by its abstract; the constant of the noise {memory}",
            tests,
            isometry_rule(lambda k: 1.0 / math.sqrt(k + 1)),
            picks_support(normalise=False, bound=_norm),
            sampler=isometric,
            scales=("data", "matrix"),
        ),
    ]
