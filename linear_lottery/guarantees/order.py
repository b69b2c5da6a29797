"""Guarantees about the order in which IMP prunes orthogonal features: by their projections onto the data."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.columns import apart, equal_norms, leaning, orthogonal, projections, spread
from linear_lottery.guarantees.facts import SOURCE, clearly, facts, full_column_rank
from linear_lottery.guarantees.runs import SCHEDULES, all_follow, prune
from planted.base.arrays import EPS
from recovery.guarantees import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance
from recovery.operators.ranks import unit_columns

__all__ = ["ORDER"]

LARGEST = 20_000
"""Largest number of subsets to enumerate to find the best one."""


def _order_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = orthogonal(known)
    if shape.status != "holds":
        return shape
    d = known.X.shape[1]
    # the last weight that goes has no neighbour above it
    return all_of([shape, apart(projections(known), 0, min(d - instance.sparsity, d - 1), known)])


def _order_sampler(rng: np.random.Generator) -> Instance:
    n, d, k = samplers.sizes(rng)
    name, X = samplers.orthogonal(n, d, rng, scaled=bool(rng.random() < 0.6))
    w = rng.standard_normal(d)
    if rng.random() < 0.7:
        # neighbours everywhere at a distance that is drawn
        w = rng.permutation(np.cumprod(np.full(d, 1.0 + abs(samplers.gaps(rng))))) * rng.choice([-1.0, 1.0], d)
    return samplers.column_model(X, w, k, rng, design=name).replace(x0=samplers.start(rng, d, 1.0))


def _best_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    d, k = known.X.shape[1], instance.sparsity
    shape = all_of([orthogonal(known), equal_norms(known)])
    if shape.status != "holds":
        return shape
    if math.comb(d, k) > LARGEST:
        return Verdict.unknown(f"{math.comb(d, k)} subsets are too many to enumerate (limit {LARGEST})")
    if not 0 < k < d:
        return shape
    c = projections(known)
    size = np.sort(np.abs(c))
    # what k columns explain is sum (c_j |x_j|)^2, up to a factor 1 +- rho for their correlations and one for the norms
    off = (2.0 * (leaning(known) + 2.0 * spread(known)) * k + 8.0 * (d + 10) * EPS) * float(size[-1]) ** 2
    low, high = float(size[d - k - 1]), float(size[d - k])
    explains = clearly(high**2, low**2, "the k-th column explains more of y than the next one", right_error=off)
    return all_of([shape, apart(c, d - k - 1, 1, known), explains])


def _best_outcome(instance: Instance) -> Verdict:
    known = facts(instance)
    k = instance.sparsity
    if k in (0, known.X.shape[1]):
        return Verdict.of(True, f"k = {k}, so there is only one subset")
    rank = full_column_rank(known)
    if rank.status != "holds":
        return Verdict.unknown("the best subset is not computed for dependent columns: " + rank.reason)
    sets = np.array(list(combinations(range(known.X.shape[1]), k)), dtype=np.int64)
    # projections, and no normal equations, whose matrix can be singular where that of the columns is not
    Q = np.linalg.qr(np.moveaxis(unit_columns(np, known.R)[0][:, sets], 1, 0))[0]
    explained = (np.einsum("snk,n->sk", Q, known.z) ** 2).sum(axis=1)
    found = []
    for schedule in SCHEDULES:
        mine = np.all(sets == prune(instance, k, schedule).support, axis=1)
        others = float(explained[~mine].max(initial=0.0))
        left = float(explained[mine][0])
        error = known.rounding() * float(known.z @ known.z)
        reason = f"schedule {schedule!r}: the survivors explain more of y than any other subset"
        found.append(clearly(left, others, reason, left_error=error, right_error=error))
    return all_of(found)


def _best_sampler(rng: np.random.Generator) -> Instance:
    n, d, k = samplers.sizes(rng, most=7)
    name, X = samplers.orthogonal(n, d, rng, scaled=False)
    low = np.sort(rng.uniform(0.0, 1.0, d - k))
    high = low[-1] * (1.0 + abs(samplers.gaps(rng))) * np.append(1.0, 1.0 + rng.exponential(1.0, k - 1))
    w = rng.permutation(np.concatenate([low, high])) * rng.choice([-1.0, 1.0], d)
    return samplers.column_model(X, w, k, rng, design=name)


ORDER = (
    Guarantee(
        name="order-orthogonal",
        kind="implication",
        statement=(
            "If the columns of X are orthogonal and the c_j = <x_j, y> / |x_j|^2 differ in magnitude, then IMP with "
            "any schedule and any start prunes in increasing order of |c_j|."
        ),
        source=SOURCE,
        evidence='docs/theory, "The order in which IMP prunes"; tests/linear_lottery/test_guarantees_order.py',
        hypotheses=_order_hypotheses,
        outcome=all_follow,
        needs=("y",),
        sampler=_order_sampler,
        steer=None,
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="order-best-subset",
        kind="implication",
        statement=(
            "If the columns of X are orthogonal with equal norms and the k-th and (k+1)-st largest |<x_j, y>| differ, "
            "then the k survivors of IMP with any schedule are the k columns that explain y best."
        ),
        source=SOURCE,
        evidence='docs/theory, "The order in which IMP prunes"; tests/linear_lottery/test_guarantees_order.py',
        hypotheses=_best_hypotheses,
        outcome=_best_outcome,
        needs=("y",),
        sampler=_best_sampler,
        steer=None,
        scales=("data", "matrix"),
    ),
)
"""Guarantees about the order of pruning for orthogonal features."""
