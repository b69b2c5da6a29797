"""When orthogonal matching pursuit picks the support: coherence, exact recovery coefficient, restricted isometry."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recovery._solve import solve
from recovery.conditions import exact_recovery_coefficient, mutual_coherence
from recovery.guarantees import omp_samplers as samplers
from recovery.guarantees.base import Guarantee, Verdict, exceeds
from recovery.guarantees.isometry import isometry, smaller
from recovery.instances import Instance

__all__ = ["guarantees"]

EPS = float(np.finfo(np.float64).eps)
DELTA = 0.1
Rule = Callable[[Instance], Verdict]


def _refused(instance: Instance, noise_free: bool) -> Verdict | None:
    """Return the verdict where no number has to be computed."""
    if noise_free and not instance.noise_free:
        return Verdict.of(False, "there is noise; the statement is about data without noise")
    if not len(instance.support):
        return Verdict.of(True, "x = 0: there is nothing to pick")
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
        return exceeds(limit(k), mutual_coherence(instance.matrix), f"the limit for k = {k} against the coherence")

    return hypotheses


def coefficient_rule(limit: float) -> Rule:
    """Return the hypothesis that the exact recovery coefficient of the support is below a limit, noise-free."""

    def hypotheses(instance: Instance) -> Verdict:
        refused = _refused(instance, noise_free=True)
        if refused is not None:
            return refused
        value = exact_recovery_coefficient(instance.matrix, instance.support)
        unit = instance.matrix / np.linalg.norm(instance.matrix, axis=0)
        error = 8.0 * sum(instance.shape) * EPS * float(np.linalg.cond(unit[:, instance.support]))
        return exceeds(limit, value, "the limit against the exact recovery coefficient", error)

    return hypotheses


def _norm(instance: Instance) -> float:
    return float(np.linalg.norm(instance.noise))


def _chi_square(instance: Instance) -> float:
    """Return sigma sqrt(n + 2 sqrt(n log n)), which |xi| exceeds with probability at most 1 / n."""
    assert instance.law is not None
    n = instance.shape[0]
    return instance.law.sigma * math.sqrt(n + 2.0 * math.sqrt(n * math.log(n)))


def noise_rule(constant: float, bound: Callable[[Instance], float]) -> Rule:
    """Return the hypothesis mu < 1 / (2 k - 1) and min |x_j| |a_j| > constant b / (1 - (2 k - 1) mu)."""

    def hypotheses(instance: Instance) -> Verdict:
        refused = _refused(instance, noise_free=False)
        if refused is not None:
            return refused
        S = instance.support
        left_over = 1.0 - (2 * len(S) - 1) * mutual_coherence(instance.matrix)
        if left_over <= 0.0:
            return Verdict("fails", -1.0, f"1 - (2 k - 1) mu = {left_over:.6g} is not positive")
        signal = float(np.min(np.abs(instance.x[S]) * np.linalg.norm(instance.matrix[:, S], axis=0)))
        error = 8.0 * len(S) * sum(instance.shape) * EPS / left_over
        return exceeds(signal * left_over, constant * bound(instance), "min|x| (1 - (2 k - 1) mu) and noise", error)

    return hypotheses


def gaussian_rule(instance: Instance) -> Verdict:
    """Return the hypothesis of the bounded noise for Gaussian noise, with at least 1 / delta rows."""
    assert instance.law is not None
    if not instance.law.is_gaussian:
        return Verdict.of(False, f"the noise is {instance.law.name}, not Gaussian")
    if instance.shape[0] < 1.0 / DELTA:
        return Verdict.of(False, f"{instance.shape[0]} rows: the noise exceeds its bound with more than {DELTA:g}")
    return noise_rule(2.0, _chi_square)(instance)


def isometry_rule(limit: Callable[[int], float], constant: float = 2.0) -> Rule:
    """Return the hypothesis delta_{k+1} < limit(k) and min|x| > constant b / (1 - delta_{k+1} / limit(k))."""

    def hypotheses(instance: Instance) -> Verdict:
        refused = _refused(instance, noise_free=False)
        if refused is not None:
            return refused
        k = len(instance.support)
        found = isometry(instance.matrix, k + 1)
        delta, b = found.delta_scaled, constant * _norm(instance)
        asked = smaller(delta, limit(k), f"the limit for k = {k} against delta_{k + 1}")
        if asked.status == "fails" or b == 0.0:
            return asked
        # x in the units of the scaled columns; these bounds are far apart only where nothing was enumerated
        middle = (found.smallest.upper + found.largest.lower) / 2.0
        signal = float(np.min(np.abs(instance.x[instance.support]))) * math.sqrt(middle)
        if found.smallest.width + found.largest.width > 1e-9 * middle:
            return Verdict.unknown(f"delta_{k + 1} is not known well enough: {found.message}")
        if asked.status == "unknown":
            return asked
        left_over = 1.0 - delta.upper / limit(k)
        return exceeds(signal * left_over, b, "min|x| (1 - delta / limit) and noise", 1e-9 / left_over)

    return hypotheses


def picks_support(*, normalise: bool = True, bound: Callable[[Instance], float] | None = None) -> Rule:
    """Return the outcome "k steps of OMP pick the support", and with `bound` "no residual is below it before"."""

    def outcome(instance: Instance) -> Verdict:
        S, A, y = instance.support, instance.matrix, instance.y
        if not len(S):
            return Verdict.of(True, "x = 0: there is nothing to pick")
        picked: list[Any] = []
        solve(A, y, len(S), "omp", normalise=normalise, callback=lambda state: picked.append(state.support))
        norms = np.linalg.norm(A, axis=0)
        unit = A / np.where(norms > 0.0, norms, 1.0) if normalise else A
        stop = -1.0 if bound is None else bound(instance)
        chosen = np.zeros(0, dtype=np.int64)
        worst, where = math.inf, ""
        for step in range(len(S)):
            residual = y - A[:, chosen] @ np.linalg.lstsq(A[:, chosen], y, rcond=None)[0] if step else y
            spread = float(np.linalg.cond(unit[:, chosen])) if step else 1.0
            error = 16.0 * sum(A.shape) * EPS * spread * float(np.linalg.norm(y))
            length = float(np.linalg.norm(residual))
            if length <= max(error, 2e-12 * float(np.linalg.norm(y))):
                return Verdict.unknown(f"what is left after {step} steps is rounding", worst)
            if stop > 0.0 and length / stop - 1.0 < worst:
                worst, where = (
                    length / stop - 1.0,
                    f"; after {step} steps the residual is {length:.6g}, bound {stop:.6g}",
                )
            if length <= stop + error:
                early = "unknown" if length >= stop - error else "fails"
                return Verdict(early, worst, f"the residual is below the noise bound after {step} steps{where}")
            error *= float(np.linalg.norm(unit, axis=0).max())
            score = np.abs(unit.T @ residual)
            score[chosen] = 0.0
            good = float(score[S].max())
            bad = float(np.delete(score, S).max(initial=0.0))
            margin = good / bad - 1.0 if bad > 0.0 else math.inf
            if margin < worst:
                worst, where = margin, f"; the closest call was {good:.6g} against {bad:.6g} in step {step + 1}"
            now = picked[step] if step < len(picked) else chosen
            if len(now) == len(chosen) or not np.all(np.isin(now, S)):
                reason = f"step {step + 1} picked {np.setdiff1d(now, chosen).tolist()}: {good:.6g} against {bad:.6g}"
                if abs(good - bad) <= error or max(good, bad) <= error:
                    return Verdict.unknown(reason + ", which rounding decides", margin)
                return Verdict("fails", min(margin, 0.0), reason)
            chosen = now
        return Verdict("holds", worst, f"the support was picked{where}")

    return outcome


def guarantees() -> list[Guarantee]:
    """Return the guarantees of orthogonal matching pursuit.

    Returns
    -------
    list of Guarantee
        Columns are scaled to unit norm, except in the one by restricted isometry, where they share one scale. OMP
        is :func:`recovery.solve` with ``solver="omp"``, for k = |S| steps.
    """
    tests = "tests/recovery/test_guarantees_omp.py"
    memory = f"(from memory of the literature, verified numerically by {tests})"
    return [
        Guarantee(
            "omp-coherence",
            "implication",
            "Without noise: mu < 1 / (2 k - 1) => OMP picks the support in k steps.",
            f"Tropp, IEEE Trans. Inf. Theory 2004 {memory}",
            f"{tests}; mu <= 1 / 2 is too weak for k = 2",
            coherence_rule(lambda k: 1.0 / (2 * k - 1)),
            picks_support(),
            sampler=samplers.incoherent,
            steer=None,
        ),
        Guarantee(
            "omp-exact-recovery",
            "implication",
            "Without noise: max over j outside S of |A_S^+ a_j|_1 < 1 => OMP picks the support in k steps.",
            f"Tropp, IEEE Trans. Inf. Theory 2004 {memory}",
            tests,
            coefficient_rule(1.0),
            picks_support(),
            sampler=samplers.exact,
            steer=None,
        ),
        Guarantee(
            "omp-bounded-noise",
            "implication",
            "mu < 1 / (2 k - 1), min |x_j| |a_j| > 2 |xi| / (1 - (2 k - 1) mu) => OMP picks the support in k steps, "
            "and its residual is above |xi| before.",
            f"Cai and Wang, IEEE Trans. Inf. Theory 2011 {memory}",
            tests,
            noise_rule(2.0, _norm),
            picks_support(bound=_norm),
            sampler=samplers.bounded,
        ),
        Guarantee(
            "omp-gaussian-noise",
            "probability",
            "xi ~ N(0, sigma^2 I), n >= 10, mu < 1 / (2 k - 1), min |x_j| |a_j| > 2 b / (1 - (2 k - 1) mu), "
            "b = sigma sqrt(n + 2 sqrt(n log n)) => OMP picks the support in k steps, its residual above b before, "
            f"with probability 1 - 1 / n, of which {1 - DELTA:g} is put on trial for all n.",
            f"Cai and Wang, IEEE Trans. Inf. Theory 2011 {memory}",
            f"{tests}, which also compares P(|xi| > b) with 1 / n",
            gaussian_rule,
            picks_support(bound=_chi_square),
            needs=("x", "noise", "law"),
            sampler=samplers.gaussian,
            delta=DELTA,
        ),
        Guarantee(
            "omp-restricted-isometry",
            "implication",
            "delta = delta_{k+1} < 1 / sqrt(k + 1), min |x_j| > 2 |xi| / (1 - sqrt(k + 1) delta) => OMP on the columns "
            "as they are picks the support in k steps, and its residual is above |xi| before (A in the scale that "
            "makes delta smallest).",
            f"Wen et al., arXiv:1512.07248, by its abstract; the constant of the noise {memory}",
            tests,
            isometry_rule(lambda k: 1.0 / math.sqrt(k + 1)),
            picks_support(normalise=False, bound=_norm),
            sampler=samplers.isometric,
        ),
    ]
