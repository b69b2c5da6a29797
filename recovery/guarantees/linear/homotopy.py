"""Guarantees that the Lasso path takes one step per planted column: the k-step property of the homotopy."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from recovery.exact.bounded import Bounded, coherence, constant
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear.omp import coefficient_rule, coherence_rule, exact, incoherent
from recovery.solvers.homotopy import stretches

__all__ = ["exact_recovery_rule", "guarantees", "takes_k_steps"]

TINY = 1e-9
"""Planted entries below this fraction of the largest count as rounding, and so does a smaller distance from x."""


def exact_recovery_rule(instance: Instance) -> Verdict:
    """Return the hypothesis |A_S^+ a_j|_1 < 1 for j outside S, and (k - 1) mu < 1/2 within S."""
    outside = coefficient_rule(1.0)(instance)
    k = len(instance.support)
    if outside.status == "fails" or k < 2:
        return outside
    inner: Bounded = coherence(instance.matrix[:, instance.support])
    inside = exceeds(constant(0.5 / (k - 1)), inner, f"1 / (2 k - 2) for k = {k} against the coherence of the support")
    return all_of([outside, inside])


def takes_k_steps(instance: Instance) -> Verdict:
    """Return the outcome "at most k pieces, on an increasing set of planted columns, and the last ends at x"."""
    S, k = instance.support, len(instance.support)
    if not k:
        return Verdict.of(True, "x = 0: the path has no pieces")
    norms = np.linalg.norm(instance.matrix, axis=0)
    A = instance.matrix / np.where(norms > 0.0, norms, 1.0)
    x = norms * instance.x
    if np.min(np.abs(x[S])) < TINY * np.max(np.abs(x)):
        return Verdict.unknown("the range of the planted entries is too large for rounding")
    pieces = list(stretches(A, instance.y))
    if not pieces:
        return Verdict.unknown("y is 0 up to rounding")
    reason = f"{len(pieces)} pieces for k = {k}"
    error = float(np.max(np.abs(pieces[-1].last - x)))
    for number, piece in enumerate(pieces, 1):
        if not np.all(np.isin(piece.support, S)):
            return Verdict("fails", -1.0, f"{reason}; piece {number} has {np.setdiff1d(piece.support, S).tolist()}")
    for before, after in pairwise(pieces):
        if not np.all(np.isin(before.support, after.support)):
            return Verdict("fails", -1.0, f"{reason}; {np.setdiff1d(before.support, after.support).tolist()} left")
    if len(pieces) > k:
        return Verdict("fails", k / len(pieces) - 1.0, reason)
    if pieces[-1].low > 0.0 or error > TINY * float(np.max(np.abs(x))):
        return Verdict("fails", -1.0, f"{reason}; the path ends {error:.3g} from x at penalty {pieces[-1].low:.3g}")
    return Verdict("holds", _margin(A, instance.y, pieces, S), reason)


def _margin(A: np.ndarray, y: np.ndarray, pieces: list, S: np.ndarray) -> float:
    """Return how far a planted weight is from shrinking, and a correlation outside from reaching the penalty."""
    others = np.ones(A.shape[1], dtype=bool)
    others[S] = False
    margin = math.inf
    for piece in pieces:
        moves = (np.abs(piece.last) - np.abs(piece.first))[piece.support] / (piece.high - piece.low)
        margin = min(margin, float(moves.min()))
        for lam, w in ((piece.high, piece.first), (piece.low, piece.last)):
            if lam > 1e-6 * pieces[0].high:
                c = np.abs(A[:, others].T @ (y - A @ w))
                margin = min(margin, 1.0 - float(c.max(initial=0.0)) / lam)
    return max(margin, 1e-12)


def guarantees() -> list[Guarantee]:
    """Return the guarantees of the homotopy.

    Returns
    -------
    list of Guarantee
        About :func:`recovery.solvers.homotopy.stretches`, which ``solve(..., solver="l1")`` follows, on columns of unit
        norm. Columns that join at the same knot share a piece.
    """
    tests = "tests/recovery/test_guarantees_homotopy.py"
    proof = "docs/theory, section The homotopy takes k steps"
    conclusion = (
        "the path of the Lasso has at most k pieces down to penalty 0, on each of them planted columns alone, none "
        "ever leaves, and it ends at x (unit columns)."
    )
    return [
        Guarantee(
            "homotopy-coherence",
            "implication",
            f"Without noise: mu < 1 / (2 k - 1) => {conclusion}",
            f"Donoho and Tsaig, IEEE Trans. Inf. Theory 2008 (from memory of the literature, verified numerically by "
            f"{tests}); proved in {proof}",
            tests,
            coherence_rule(lambda k: 1.0 / (2 * k - 1)),
            takes_k_steps,
            sampler=incoherent,
            steer=None,
            scales=("data", "columns"),
        ),
        Guarantee(
            "homotopy-exact-recovery",
            "implication",
            "Without noise: A_S of full column rank, max over j outside S of |A_S^+ a_j|_1 < 1, any two columns of S "
            f"of coherence below 1 / (2 k - 2) => {conclusion}",
            f"derived here: {proof}",
            tests,
            exact_recovery_rule,
            takes_k_steps,
            sampler=exact,
            steer=None,
            scales=("data", "columns"),
        ),
    ]
