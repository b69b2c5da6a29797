"""Guarantees for nearly orthogonal features: IMP keeps the weights with the largest projections."""

from __future__ import annotations

import math

import numpy as np

from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.columns import correlations, equal_norms, leaning, norms, projections, spread, top
from linear_lottery.guarantees.facts import SOURCE, clearly, facts, full_column_rank
from linear_lottery.guarantees.runs import SCHEDULES, keeps_exactly, prune
from planted.base.arrays import EPS
from recovery.guarantees import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance

__all__ = ["NEAR_ORTHOGONAL"]


def _top_outcome(instance: Instance) -> Verdict:
    known = facts(instance)
    wanted, _ = top(known.R.T @ known.z, instance.sparsity)
    return all_of(keeps_exactly(prune(instance, instance.sparsity, one), wanted, known) for one in SCHEDULES)


def _coherence_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    d = known.X.shape[1]
    if np.any(norms(known) == 0.0):
        return Verdict.of(False, "a column is 0")
    shape = equal_norms(known)
    if shape.status != "holds":
        return shape
    room = (d - 1) * float(correlations(known).max(initial=0.0))
    small = clearly(1.0, room, "1 exceeds (d - 1) mu", right_error=8.0 * d * (d + 10) * EPS)
    if small.status != "holds":
        return small
    c = projections(known)
    gap, size = top(c, instance.sparsity)[1], float(np.abs(c).max())
    right = 2.0 * room / (1.0 - room) * size
    # norms that are equal up to rounding move c by as much; 2 rho with the correlations that rounding allows
    away = 4.0 * known.weight_error(c) + 8.0 * spread(known) * size + 2.0 * leaning(known) * spread(known) * size
    off = max(2.0 * leaning(known) * size - right, 0.0)
    reason = "the gap in |c| exceeds 2 rho |c|_inf"
    if math.isinf(gap):
        return Verdict.of(True, "all weights stay, or none")
    return clearly(gap, right, reason, left_error=away, right_error=off)


def _coherence_sampler(rng: np.random.Generator) -> Instance:
    n, d, k = samplers.sizes(rng)
    c, gap = _separated(rng, d, k)
    rho = gap / (2.0 * np.abs(c).max() * (1.0 + samplers.gaps(rng)))
    name, X = samplers.correlated(n, d, rho / (1.0 + rho) / (d - 1), rng)
    return samplers.column_model(X, np.linalg.solve(X.T @ X / (X[:, 0] @ X[:, 0]), c), k, rng, design=name)


def _operator_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    rank = full_column_rank(known)
    if rank.status != "holds":
        return rank
    c = known.R.T @ known.z
    _, gap = top(c, instance.sparsity)
    if math.isinf(gap):
        return all_of([rank])
    length = float(np.linalg.norm(c))
    right = math.sqrt(2.0) * (known.cond - 1.0) * (known.cond + 1.0) / (known.cond**2 + 1.0) * length
    # errors of the correlations, and of the condition number, absolute: both sides may be near 0
    d, largest = known.X.shape[1], float(known.s[0])
    error = 16.0 * (d + 10) * EPS * (float(largest * np.linalg.norm(known.y)) + known.cond * length)
    # what a run may confuse, in the units of c
    error += 4.0 * largest**2 * known.weight_error(c / largest**2)
    reason = "the gap in |X'y| exceeds sqrt(2) (cond - 1) / (cond + 1) |X'y|_2 with cond = cond(X'X)"
    return clearly(gap, right, reason, left_error=error, right_error=error)


def _operator_sampler(rng: np.random.Generator) -> Instance:
    n, d, k = samplers.sizes(rng)
    c, gap = _separated(rng, d, k)
    delta = min(gap / (math.sqrt(2.0) * float(np.linalg.norm(c)) * (1.0 + samplers.gaps(rng))), 0.95)
    shape = str(rng.choice(["even_spectrum", "one_weak_direction", "one_strong_direction", "aimed"]))
    if shape == "aimed":
        # (X'X)^-1 = I + delta H, where the reflection H moves the closest pair of c towards each other
        order = np.argsort(-np.abs(c))
        target = np.zeros(d)
        target[order[k - 1]], target[order[k]] = -np.sign(c[order[k - 1]]), np.sign(c[order[k]]) or 1.0
        v = c / np.linalg.norm(c) - target / math.sqrt(2.0)
        inverse = (1.0 + delta) * np.eye(d) - 2.0 * delta * np.outer(v, v) / (v @ v)
    else:
        low, high = 1.0 - delta, 1.0 + delta
        values = {
            "even_spectrum": np.linspace(low, high, d),
            "one_weak_direction": np.append(np.full(d - 1, low), high),
            "one_strong_direction": np.append(np.full(d - 1, high), low),
        }[shape]
        V = np.linalg.qr(rng.standard_normal((d, d)))[0]
        inverse = (V * values) @ V.T
    Q = np.linalg.qr(rng.standard_normal((n, d)))[0]
    X = Q @ np.linalg.cholesky(np.linalg.inv(inverse)).T
    return samplers.column_model(X, inverse @ c, k, rng, design=shape)


def _separated(rng: np.random.Generator, d: int, k: int) -> tuple[np.ndarray, float]:
    """Return values with the k largest apart from the others, and the gap."""
    null = float(rng.uniform(0.0, 0.9))
    low, high = rng.uniform(-null, null, d - k), rng.uniform(null, 1.0, k) * rng.choice([-1.0, 1.0], k)
    if rng.random() < 0.5:
        low[0] = null
    return rng.permutation(np.concatenate([low, high])), float(np.abs(high).min() - np.abs(low).max())


_EVIDENCE = 'docs/theory, "Nearly orthogonal features"; tests/linear_lottery/test_guarantees_near_orthogonal.py'

NEAR_ORTHOGONAL = (
    Guarantee(
        name="order-coherence",
        kind="implication",
        statement=(
            "If the columns have equal norms and coherence mu with (d-1) mu < 1, and the gap between the k-th and "
            "(k+1)-st largest |c_j|, c = X'y / |x_1|^2, exceeds 2 rho |c|_inf with rho = (d-1) mu / (1 - (d-1) mu), "
            "then IMP with any schedule ends with the columns of the k largest |<x_j, y>|."
        ),
        source=SOURCE,
        evidence=_EVIDENCE,
        hypotheses=_coherence_hypotheses,
        outcome=_top_outcome,
        needs=("y",),
        sampler=_coherence_sampler,
        steer=None,
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="order-operator-norm",
        kind="implication",
        statement=(
            "If X has full column rank and the gap between the k-th and (k+1)-st largest |<x_j, y>| exceeds sqrt(2) "
            "(c - 1) / (c + 1) |X'y|_2 with c = cond(X'X), then IMP with any schedule ends with the columns of the k "
            "largest |<x_j, y>|."
        ),
        source=SOURCE,
        evidence=_EVIDENCE,
        hypotheses=_operator_hypotheses,
        outcome=_top_outcome,
        needs=("y",),
        sampler=_operator_sampler,
        steer=None,
        scales=("data", "matrix"),
    ),
)
"""Guarantees about the surviving weights for nearly orthogonal features."""
