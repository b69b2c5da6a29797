"""Guarantees that basis pursuit returns the planted vector, without noise: conditions on columns and signs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from recovery.conditions import babel_function, exact_recovery_coefficient, irrepresentability, mutual_coherence
from recovery.exact import bounded
from recovery.guarantees.engine.base import Guarantee, Verdict, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import l1_program as samplers
from recovery.guarantees.linear.iterative import isometry, smaller
from recovery.guarantees.linear.l1_program import recovers
from recovery.guarantees.linear.omp import coefficient_rule, coherence_rule, picks_support

__all__ = [
    "babel_rule",
    "babel_sum",
    "guarantees",
    "irrepresentable_ratio",
    "irrepresentable_rule",
    "isometry_ratio",
    "isometry_rule",
]

SHARP = 1.0 / math.sqrt(2.0)
Rule = Callable[[Instance], Verdict]


def _trivial(instance: Instance) -> Verdict | None:
    """Return the verdict if it needs no computation, otherwise None."""
    if not instance.noise_free:
        return Verdict.of(False, "there is noise; the statement is about data without noise")
    if not len(instance.support):
        return Verdict.of(True, "x = 0: 0 is the only minimiser")
    if not np.all(np.any(instance.matrix != 0.0, axis=0)):
        return Verdict.of(False, "a column is 0")
    return None


def babel_sum(A: np.ndarray, k: int) -> float:
    """Return mu_1(k - 1) + mu_1(k), where mu_1(k) uses all other columns if there are fewer than k."""
    most = A.shape[1] - 1
    return babel_function(A, min(k - 1, most)) + babel_function(A, min(k, most))


def babel_rule(limit: float = 1.0) -> Rule:
    """Return the hypothesis mu_1(k - 1) + mu_1(k) < limit."""

    def hypotheses(instance: Instance) -> Verdict:
        trivial = _trivial(instance)
        if trivial is not None:
            return trivial
        A, k = instance.matrix, len(instance.support)
        value = bounded.babel(A, k - 1) + bounded.babel(A, k)
        return exceeds(bounded.constant(limit), value, f"the limit exceeds mu_1({k - 1}) + mu_1({k})")

    return hypotheses


def irrepresentable_rule(limit: float = 1.0, *, planted_signs: bool = True) -> Rule:
    """Return the hypothesis |A_{S^c}'A_S (A_S'A_S)^-1 sgn|_inf < limit, for the planted signs or for all +1."""

    def hypotheses(instance: Instance) -> Verdict:
        trivial = _trivial(instance)
        if trivial is not None:
            return trivial
        S, A = instance.support, instance.matrix
        signs = np.sign(instance.x[S]) if planted_signs else np.ones(len(S))
        value = bounded.extra(A, S, signs)
        return exceeds(bounded.constant(limit), value, "the limit exceeds the irrepresentable value")

    return hypotheses


def isometry_rule(limit: float = SHARP) -> Rule:
    """Return the hypothesis delta_{2k} < limit in the scale that makes delta smallest."""

    def hypotheses(instance: Instance) -> Verdict:
        trivial = _trivial(instance)
        if trivial is not None:
            return trivial
        k = len(instance.support)
        return smaller(
            isometry(instance.matrix, 2 * k).scaled_restricted_isometry, limit, f"the limit exceeds delta_{2 * k}"
        )

    return hypotheses


def independent(rule: Rule) -> Rule:
    """Add to a hypothesis that the columns of S are independent, which it does not imply if S is all columns."""

    def hypotheses(instance: Instance) -> Verdict:
        S, A = instance.support, instance.matrix
        if len(S) > A.shape[0]:
            return Verdict("fails", -1.0, f"the {len(S)} columns of S have length {A.shape[0]}, so they are dependent")
        if len(S) and not bounded.least_squares(A[:, S], np.zeros(A.shape[0])).independent:
            return Verdict.unknown("the columns of S may be dependent")
        return rule(instance)

    return hypotheses


def _coherence_ratio(A: np.ndarray, x: np.ndarray) -> float:
    return mutual_coherence(A) * (2 * np.count_nonzero(x) - 1)


def _babel_ratio(A: np.ndarray, x: np.ndarray) -> float:
    return babel_sum(A, int(np.count_nonzero(x)))


def _coefficient_ratio(A: np.ndarray, x: np.ndarray) -> float:
    return exact_recovery_coefficient(A, np.flatnonzero(x))


def irrepresentable_ratio(A: np.ndarray, x: np.ndarray) -> float:
    """Return the irrepresentable value of the planted support and signs."""
    S = np.flatnonzero(x)
    return irrepresentability(A, S, np.sign(x[S]))


def isometry_ratio(A: np.ndarray, x: np.ndarray) -> float:
    """Return delta_{2k} in the best scale, over 1 / sqrt(2)."""
    return isometry(A, 2 * int(np.count_nonzero(x))).scaled_restricted_isometry.upper / SHARP


def guarantees() -> list[Guarantee]:
    """Return the guarantees of basis pursuit without noise, and of OMP by the Babel function.

    Returns
    -------
    list of Guarantee
        The conclusion is that x is the only minimiser of |z|_1 subject to A z = y. Conditions on inner products of
        columns refer to unit columns, and so does the program in that case (:func:`recovery.solve` with
        ``solver="l1"``, ``normalise=True``); conditions on signs, null vectors and isometry refer to the columns as
        given.
    """
    tests = "tests/recovery/test_guarantees_basis_pursuit.py"
    memory = f"(from memory of the literature, verified numerically by {tests})"
    proved = "proved in docs/theory, section Basis pursuit without noise"
    unit = "(columns of unit norm)"

    def made(name: str, statement: str, source: str, rule: Rule, ratio: samplers.Ratio, *, scaled: bool) -> Guarantee:
        return Guarantee(
            name, "implication", statement, source, tests, rule, recovers(normalise=scaled),
            sampler=partial(samplers.near, ratio=ratio, scales=scaled), steer=None,
            scales=("data", "columns" if scaled else "matrix"),
        )  # fmt: skip

    return [
        made(
            "l1-coherence",
            f"Without noise, if mu < 1 / (2 k - 1), then x is the only minimiser of |z|_1 with A z = y {unit}.",
            f"Donoho and Elad, PNAS 2003 {memory}; {proved}",
            coherence_rule(lambda k: 1.0 / (2 * k - 1)),
            _coherence_ratio,
            scaled=True,
        ),
        made(
            "l1-babel",
            f"Without noise, if mu_1(k - 1) + mu_1(k) < 1, then x is the only minimiser of |z|_1 with A z = y {unit}.",
            f"Tropp, IEEE Trans. Inf. Theory 2004 {memory}; {proved}",
            babel_rule(),
            _babel_ratio,
            scaled=True,
        ),
        made(
            "l1-exact-recovery",
            "Without noise, if A_S has full column rank and max over j outside S of |A_S^+ a_j|_1 < 1, then x is the "
            f"only minimiser of |z|_1 with A z = y {unit}.",
            f"Tropp, IEEE Trans. Inf. Theory 2004 {memory}; {proved}",
            independent(coefficient_rule(1.0)),
            _coefficient_ratio,
            scaled=True,
        ),
        made(
            "l1-irrepresentable",
            "Without noise, if A_S has full column rank and |A_{S^c}'A_S (A_S'A_S)^-1 sgn_S|_inf < 1, then x is the "
            "only minimiser of |z|_1 with A z = y.",
            f"Fuchs, IEEE Trans. Inf. Theory 2004 {memory}; {proved}",
            independent(irrepresentable_rule()),
            irrepresentable_ratio,
            scaled=False,
        ),
        made(
            "l1-restricted-isometry",
            "Without noise, if delta_{2k} < 1 / sqrt(2) with A in the scale that makes delta smallest, then x is the "
            "only minimiser of |z|_1 with A z = y.",
            f"Cai and Zhang, IEEE Trans. Inf. Theory 2014 {memory}",
            isometry_rule(),
            isometry_ratio,
            scaled=False,
        ),
        Guarantee(
            "omp-babel",
            "implication",
            f"Without noise, if mu_1(k - 1) + mu_1(k) < 1, then OMP picks the support in k steps {unit}.",
            f"Tropp, IEEE Trans. Inf. Theory 2004 {memory}; {proved}",
            tests,
            babel_rule(),
            picks_support(),
            sampler=partial(samplers.near, ratio=_babel_ratio),
            steer=None,
            scales=("data", "columns"),
        ),
    ]
