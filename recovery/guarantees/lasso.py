"""When the Lasso has the support and the signs of the truth, and how far it is from the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recovery.conditions import irrepresentable, primal_dual_witness
from recovery.guarantees import lasso_samplers as samplers
from recovery.guarantees.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.lasso_reference import CLEAR, lasso_solution
from recovery.instances import Instance

__all__ = ["guarantees"]

EPS = float(np.finfo(np.float64).eps)
DELTA = 0.1
Rule = Callable[[Instance], Verdict]


def _lam(instance: Instance) -> float:
    return float(instance.options["lam"])


def _bad_penalty(instance: Instance) -> Verdict | None:
    lam = instance.options["lam"]
    good = isinstance(lam, (int, float)) and math.isfinite(lam) and lam > 0.0
    return None if good else Verdict.of(False, f"options['lam']={lam!r} is no penalty; expected a positive number")


def has_signs(instance: Instance) -> Verdict:
    """Return whether the Lasso has the support and the signs of x."""
    bad = _bad_penalty(instance)
    if bad is not None:
        return bad
    found = lasso_solution(instance.matrix, instance.y, _lam(instance))
    if found is None:
        return Verdict.unknown("no solution passed the optimality conditions")
    w, z = found
    there = instance.x != 0.0
    signs = np.sign(instance.x)
    size = float(np.max(np.abs(w), initial=0.0)) or 1.0
    slack = 1.0 - np.abs(z)
    # an entry counts by its weight, or by how far its dual is from the sign it should have
    inside = np.where(w != 0.0, signs * w / size, -np.abs(1.0 - signs * z))[there]
    outside = np.where(w != 0.0, -np.abs(w) / size, slack)[~there]
    parts = np.concatenate([inside, outside])
    margin = float(parts.min()) if len(parts) else math.inf
    if np.any(np.abs(parts) <= CLEAR):
        return Verdict.unknown("an entry or a dual slack is 0 within rounding", margin)
    return Verdict("holds" if margin > 0.0 else "fails", margin, f"support and signs, the closest entry {margin:.3g}")


def _witness(instance: Instance) -> Verdict:
    bad = _bad_penalty(instance)
    if bad is not None:
        return Verdict.unknown(bad.reason)
    S, lam = instance.support, _lam(instance)
    signs = np.sign(instance.x[S])
    found = primal_dual_witness(instance.matrix, instance.y, lam, S, signs)
    size = 1.0
    if len(S) and found.weights is not None:
        size = float(np.max(np.abs(found.weights - instance.x[S])) + np.max(np.abs(instance.x[S])))
    primal = found.primal_margin / size
    dual = 1.0 / (1.0 - found.dual_margin) - 1.0 if found.dual_margin < 1.0 else math.inf
    reason = f"signed weights from {found.primal_margin:.6g}, dual entries up to {1.0 - found.dual_margin:.6g}"
    if found.holds is None:
        return Verdict.unknown(reason + ", which rounding decides", min(primal, dual))
    return Verdict("holds" if found.holds else "fails", min(primal, dual), reason)


def _support_facts(instance: Instance) -> tuple[float, float, float, float]:
    """Return the irrepresentable value, |G_SS^-1|_inf, lam_min(G_SS) with G = A'A / n, and the condition of A_S."""
    A, S = instance.matrix, instance.support
    value = irrepresentable(A, S, np.sign(instance.x[S]))
    norms = np.linalg.norm(A[:, S], axis=0)
    if math.isinf(value) or len(S) > len(A) or np.any(norms == 0.0) or np.linalg.cond(A[:, S] / norms) > 1e7:
        return math.inf, math.inf, 0.0, math.inf
    gram = A[:, S].T @ A[:, S] / len(A)
    spectrum = np.linalg.eigvalsh(gram)
    spread = float(spectrum[-1] / spectrum[0])
    return value, float(np.abs(np.linalg.inv(gram)).sum(axis=1).max()), float(spectrum[0]), spread


def irrepresentable_rule(limit: float) -> Rule:
    """Return the hypothesis "irrepresentable value below a limit, min|x| > lam |G_SS^-1|_inf", noise-free."""

    def hypotheses(instance: Instance) -> Verdict:
        bad = _bad_penalty(instance)
        if bad is not None:
            return bad
        if not instance.noise_free:
            return Verdict.of(False, "there is noise; the statement is about data without noise")
        if not len(instance.support):
            return Verdict.of(True, "x = 0, and so is the Lasso")
        value, inverse, smallest, spread = _support_facts(instance)
        if smallest <= 0.0:
            return Verdict.unknown("the columns of the support are dependent, nearly")
        error = 32.0 * sum(instance.shape) * EPS * spread
        signal = float(np.min(np.abs(instance.x[instance.support])))
        return all_of(
            [
                exceeds(limit, value, "the limit against the irrepresentable value", error),
                exceeds(signal, _lam(instance) * inverse, "min|x| against lam |G_SS^-1|_inf", error),
            ]
        )

    return hypotheses


def gaussian_rule(delta: float, factor: float = 1.0) -> Rule:
    """Return the hypothesis under which Gaussian noise leaves support and signs right; `factor` < 1 is too weak."""

    def hypotheses(instance: Instance) -> Verdict:
        bad = _bad_penalty(instance)
        assert instance.law is not None
        if bad is not None:
            return bad
        if not instance.law.is_gaussian:
            return Verdict.of(False, f"the noise is {instance.law.name}, not Gaussian")
        A, S, lam, sigma = instance.matrix, instance.support, _lam(instance), factor * instance.law.sigma
        n, k, others = len(A), len(S), A.shape[1] - len(S)
        value, inverse, smallest, spread = _support_facts(instance) if k else (0.0, 0.0, 1.0, 1.0)
        if smallest <= 0.0:
            return Verdict.unknown("the columns of the support are dependent, nearly")
        error = 64.0 * sum(A.shape) * EPS * spread
        asked = []
        if others:
            longest = float(np.max(np.linalg.norm(np.delete(A, S, axis=1), axis=0)))
            needed = sigma * longest * math.sqrt(2.0 * math.log(4.0 * others / delta))
            if value >= 1.0:
                return Verdict("fails", 1.0 / value - 1.0, f"the irrepresentable value is {value:.6g}")
            asked.append(exceeds((1.0 - value) * n * lam, needed, "gamma n lam and noise", error / (1.0 - value)))
        if k:
            room = float(np.min(np.abs(instance.x[S]))) - lam * inverse
            needed = sigma * math.sqrt(2.0 * math.log(4.0 * k / delta) / (n * smallest))
            if room <= 0.0:
                return Verdict("fails", -1.0, f"min|x| - lam |G_SS^-1|_inf = {room:.6g} is not positive")
            asked.append(
                exceeds(room, needed, "min|x| - lam |G_SS^-1|_inf and noise", error * (1 + lam * inverse / room))
            )
        return all_of(asked)

    return hypotheses


def penalty_rule(constant: float) -> Rule:
    """Return the hypothesis lam > constant |A'xi|_inf / n with lam_min(A'A / n) > 0."""

    def hypotheses(instance: Instance) -> Verdict:
        bad = _bad_penalty(instance)
        if bad is not None:
            return bad
        A, kappa = instance.matrix, _kappa(instance.matrix)
        if kappa is None:
            return Verdict.of(False, "lam_min(A'A / n) = 0 within rounding: the bounds are infinite")
        noise = np.abs(A.T @ instance.noise) / len(A)
        size = np.linalg.norm(A, axis=0) * np.linalg.norm(instance.noise) / len(A)
        error = 4.0 * len(A) * EPS * float(size.max() / noise.max()) if noise.max() > 0.0 else 0.0
        return exceeds(_lam(instance), constant * float(noise.max()), "lam against 2 |A'xi|_inf / n", error)

    return hypotheses


def _kappa(A: np.ndarray) -> float | None:
    s = np.linalg.svd(A, compute_uv=False)
    if A.shape[0] < A.shape[1] or s[-1] <= 1e-6 * s[0]:
        return None
    return float(s[-1]) ** 2 / len(A)


def near_truth(constant: float = 3.0) -> Rule:
    """Return the outcome |w - x| <= c sqrt(k) lam / kappa and |A (w - x)|^2 / n <= c^2 k lam^2 / kappa."""

    def outcome(instance: Instance) -> Verdict:
        bad = _bad_penalty(instance)
        kappa = _kappa(instance.matrix)
        if bad is not None:
            return bad
        if kappa is None:
            return Verdict.unknown("lam_min(A'A / n) = 0 within rounding: there are no bounds")
        A, lam = instance.matrix, _lam(instance)
        found = lasso_solution(A, instance.y, lam)
        if found is None:
            return Verdict.unknown("no solution passed the optimality conditions")
        off, k = found[0] - instance.x, len(instance.support)
        if k == 0:
            return Verdict.of(not np.any(off), "x = 0: the Lasso is 0")
        image = A @ off
        bound = constant * math.sqrt(k) * lam / kappa
        return all_of(
            [
                exceeds(bound, float(np.linalg.norm(off)), "3 sqrt(k) lam / kappa against |w - x|", CLEAR),
                exceeds(
                    bound**2 * kappa, float(image @ image) / len(A), "9 k lam^2 / kappa and |A (w - x)|^2 / n", CLEAR
                ),
            ]
        )

    return outcome


def guarantees() -> list[Guarantee]:
    """Return the guarantees of the Lasso, min |y - A w|^2 / (2 n) + lam |w|_1.

    Returns
    -------
    list of Guarantee
        ``options["lam"]`` is the penalty; columns are as they are. The outcome is scikit-learn's solution, accepted
        only if it passes the optimality conditions.
    """
    tests = "tests/recovery/test_guarantees_lasso.py"
    derived = "docs/derivations.md, section"
    known: dict[str, Any] = {"needs": ("x", "noise", "lam"), "steer": None}
    return [
        Guarantee(
            "lasso-primal-dual-witness",
            "equivalence",
            "The Lasso has the support and signs of x, strictly <=> sgn_S(x_S + G_SS^-1 (A_S'xi / n - lam sgn_S)) > 0 "
            "and |A_{S^c}'(A_S G_SS^-1 sgn_S / n + (I - P_S) xi / (n lam))|_inf < 1, G = A'A / n.",
            "Wainwright, IEEE Trans. Inf. Theory 2009 (from memory of the literature); the optimality conditions",
            tests,
            _witness,
            has_signs,
            sampler=samplers.witness,
            **known,
        ),
        Guarantee(
            "lasso-irrepresentable",
            "implication",
            "Without noise: |A_{S^c}'A_S (A_S'A_S)^-1 sgn_S|_inf < 1, min|x_S| > lam |G_SS^-1|_inf => the Lasso has "
            "the support and signs of x.",
            f"Zhao and Yu, JMLR 2006 (from memory of the literature, verified numerically by {tests})",
            tests,
            irrepresentable_rule(1.0),
            has_signs,
            sampler=samplers.irrepresentable,
            **known,
        ),
        Guarantee(
            "lasso-gaussian-noise",
            "probability",
            "xi ~ N(0, sigma^2 I), irrepresentable value 1 - gamma, gamma n lam > sigma max_{S^c}|a_j| "
            "sqrt(2 log(4 (N - k) / delta)), min|x_S| > lam |G_SS^-1|_inf + sigma sqrt(2 log(4 k / delta) / (n "
            f"lam_min(G_SS))) => the Lasso has the support and signs of x with probability 1 - delta = {1 - DELTA:g}.",
            "of the kind of Wainwright, IEEE Trans. Inf. Theory 2009 (from memory of the literature); with this "
            f"probability derived here: {derived} The Lasso with Gaussian noise",
            tests,
            gaussian_rule(DELTA),
            has_signs,
            needs=("x", "noise", "law", "lam"),
            sampler=samplers.gaussian,
            delta=DELTA,
        ),
        Guarantee(
            "lasso-restricted-eigenvalue",
            "implication",
            "lam > 2 |A'xi|_inf / n, kappa = lam_min(A'A / n) > 0 => |w - x| <= 3 sqrt(k) lam / kappa and "
            "|A (w - x)|^2 / n <= 9 k lam^2 / kappa.",
            "Bickel, Ritov and Tsybakov, Ann. Statist. 2009, with the smallest eigenvalue for the restricted one; "
            f"these constants are derived here: {derived} The Lasso's error",
            tests,
            penalty_rule(2.0),
            near_truth(),
            needs=("x", "noise", "lam"),
            sampler=samplers.penalised,
        ),
    ]
