"""Guarantees that the Lasso path takes one step per planted column: the k-step property of the homotopy."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from recovery.exact.bounded import Bounded, coherence, constant
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear.omp import coefficient_rule, coherence_rule, exact, incoherent
from recovery.solvers.homotopy import Stretch, stretches

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
    inside = exceeds(constant(0.5 / (k - 1)), inner, f"1 / (2 k - 2) for k = {k} exceeds the coherence of the support")
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
    wrong = _wrong(pieces, S, x)
    reason = f"the path has {len(pieces)} {'piece' if len(pieces) == 1 else 'pieces'} for k = {k}"
    if not wrong:
        return Verdict("holds", max(min(_slacks(A, instance.y, pieces, S)), 1e-12), reason)
    # the path of the planted columns alone says how clear it is that none leaves, and that no other one joins
    alone = [
        Stretch(one.high, one.low, S[one.support], *(_spread(values, S, len(x)) for values in (one.first, one.last)))
        for one in stretches(np.ascontiguousarray(A[:, S]), instance.y)
    ]
    slacks = _slacks(A, instance.y, alone, S)
    if min(np.abs(slacks)) <= TINY:
        return Verdict.unknown(f"{reason}; {wrong}, which may be rounding error", float(min(slacks)))
    return Verdict("fails", -1.0, f"{reason}; {wrong}")


def _spread(values: np.ndarray, S: np.ndarray, size: int) -> np.ndarray:
    found = np.zeros(size)
    found[S] = values
    return found


def _wrong(pieces: list[Stretch], S: np.ndarray, x: np.ndarray) -> str:
    """Return what a path does that it should not, or nothing."""
    for number, piece in enumerate(pieces, 1):
        if not np.all(np.isin(piece.support, S)):
            return f"piece {number} has columns {np.setdiff1d(piece.support, S).tolist()}, which are not planted"
    for before, after in pairwise(pieces):
        if not np.all(np.isin(before.support, after.support)):
            return f"the planted columns {np.setdiff1d(before.support, after.support).tolist()} left the path"
    if len(pieces) > len(S):
        return "that is more than k"
    error = float(np.max(np.abs(pieces[-1].last - x)))
    if pieces[-1].low > 0.0 or error > TINY * float(np.max(np.abs(x))):
        return f"the path ends {error:.3g} from x at penalty {pieces[-1].low:.3g}"
    return ""


def _slacks(A: np.ndarray, y: np.ndarray, pieces: list[Stretch], S: np.ndarray) -> tuple[float, float]:
    """Return how far a planted weight is from shrinking, and a correlation outside from reaching the penalty."""
    others = np.ones(A.shape[1], dtype=bool)
    others[S] = False
    moves, room = math.inf, math.inf
    for piece in pieces:
        there = (np.abs(piece.last) - np.abs(piece.first))[piece.support] / (piece.high - piece.low)
        moves = min(moves, float(there.min()))
        for lam, w in ((piece.high, piece.first), (piece.low, piece.last)):
            if lam > 1e-6 * pieces[0].high:
                c = np.abs(A[:, others].T @ (y - A @ w))
                room = min(room, 1.0 - float(c.max(initial=0.0)) / lam)
    return moves, room


def guarantees() -> list[Guarantee]:
    """Return the guarantees of the homotopy.

    Returns
    -------
    list of Guarantee
        About :func:`recovery.solvers.homotopy.stretches`, which ``solve(..., solver="l1")`` follows, on columns of unit
        norm. Columns that join at the same knot share a piece.
    """
    tests = "tests/recovery/test_guarantees_homotopy.py"
    proof = "docs/theory, section The k-step property of the homotopy"
    conclusion = (
        "the path of the Lasso down to penalty 0 has at most k pieces, uses planted columns only, never drops one, "
        "and ends at x (columns of unit norm)."
    )
    return [
        Guarantee(
            "homotopy-coherence",
            "implication",
            f"Without noise, if mu < 1 / (2 k - 1), then {conclusion}",
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
            "Without noise, if A_S has full column rank, max over j outside S of |A_S^+ a_j|_1 < 1, and any two "
            f"columns of S have coherence below 1 / (2 k - 2), then {conclusion}",
            f"derived here: {proof}",
            tests,
            exact_recovery_rule,
            takes_k_steps,
            sampler=exact,
            steer=None,
            scales=("data", "columns"),
        ),
    ]
