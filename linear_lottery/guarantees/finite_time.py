"""Guarantees about finite training times: how long IMP must train to prune as if it had converged."""

from __future__ import annotations

import math

import numpy as np

from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.columns import equal_norms, leaning, norms, orthogonal, projections, spread
from linear_lottery.guarantees.facts import SOURCE, Facts, clearly, facts, full_column_rank, option
from linear_lottery.guarantees.runs import all_follow, follows, prune
from planted.base.arrays import EPS
from recovery.guarantees import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance
from recovery.operators.ranks import nearest_solution

__all__ = ["FINITE_TIME"]


def _ranking_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = all_of([orthogonal(known), equal_norms(known)])
    if shape.status != "holds":
        return shape
    c, w0 = np.abs(projections(known)), np.abs(instance.x0)
    above = c[:, None] - c
    asked = ~np.eye(len(c), dtype=bool) & (above >= 0.0)
    if not asked.any():
        return all_of([shape])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (w0[:, None] + w0)[asked] / above[asked]
    if np.any(above[asked] <= 2.0 * known.weight_error(c)):
        return Verdict.unknown("two |c| are equal within rounding error")
    rate = float(norms(known)[0]) ** 2 / known.X.shape[0]
    needed = math.log1p(float(ratios.max()))
    error = 16.0 * known.X.shape[1] * EPS + 4.0 * known.weight_error(c) / float(above[asked].min())
    time = rate * option(instance, "flow_time")
    # and what orthogonality up to rounding can do: |exp(-t G) - exp(-t lambda)| <= |G / lambda - I| / e
    size = float(np.linalg.norm(instance.x0) + np.linalg.norm(c))
    away = 4.0 * (leaning(known) + 2.0 * spread(known)) * size + 4.0 * known.weight_error(c) + 64.0 * EPS * size
    lead = -math.expm1(-time) * above[asked] - math.exp(-time) * (w0[:, None] + w0)[asked]
    ahead = clearly(
        max(float(lead.min()), 0.0), 0.0, "the lead of the larger weight at time t exceeds 0", left_error=away
    )
    late = clearly(time, needed, "lambda t exceeds the time needed", error)
    if late.status == "holds" and ahead.status != "holds":
        return Verdict.unknown(ahead.reason, late.margin)
    return all_of([shape, late])


def _ranking_sampler(rng: np.random.Generator) -> Instance:
    n, d, k = samplers.sizes(rng)
    name, X = samplers.orthogonal(n, d, rng, scaled=False)
    w = rng.standard_normal(d)
    w0 = samplers.start(rng, d, 1.0)
    if rng.random() < 0.5:
        # the bound is attained if the larger of a close pair starts against its target, the other one beyond its own
        second, first = np.argsort(np.abs(w))[-2:]
        w[first] = np.sign(w[first]) * np.abs(w[second]) * (1.0 + 10.0 ** rng.uniform(-3.0, 0.0))
        w0[first], w0[second] = -np.sign(w[first]) * np.abs(w0[first]), np.sign(w[second]) * np.abs(w0[second])
    size = np.abs(w)
    i, j = np.triu_indices(d, 1)
    needed = np.log1p(np.max((np.abs(w0[i]) + np.abs(w0[j])) / np.abs(size[i] - size[j])))
    t = float(needed * (1.0 + samplers.gaps(rng)) * X.shape[0] / (X[:, 0] @ X[:, 0]))
    return samplers.column_model(X, w, k, rng, design=name, flow_time=t).replace(x0=w0)


def _ranking_outcome(instance: Instance) -> Verdict:
    return all_follow(instance, flow_time=option(instance, "flow_time"))


def _limit(known: Facts, w0: np.ndarray) -> np.ndarray:
    return np.asarray(nearest_solution(np, known.R, known.z, w0, np.float64)[0])


def _first_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    rank = full_column_rank(known)
    n, d = known.X.shape
    if rank.status != "holds":
        return rank
    if d < 2:
        return Verdict.of(False, "there is only one weight")
    w = _limit(known, instance.x0)
    low, second = np.sort(np.abs(w))[:2]
    decay = known.smallest**2 / n * option(instance, "flow_time")
    right = math.sqrt(2.0) * math.exp(-decay) * float(np.linalg.norm(instance.x0 - w))
    away = known.weight_error(w) + 8.0 * EPS * known.cond * float(np.linalg.norm(instance.x0))
    reason = "the gap of the two smallest |w(inf)| exceeds sqrt(2) times the remaining distance"
    right_error = right * (known.rounding() * (1.0 + decay)) + away
    return clearly(float(second - low), right, reason, left_error=4.0 * away, right_error=right_error)


def _first_outcome(instance: Instance) -> Verdict:
    known = facts(instance)
    # the weights that IMP itself has when it converged, and not those of the hypothesis
    w = prune(instance, len(instance.x0), "one-by-one", w0=instance.x0).weights[0]
    path = prune(instance, len(w) - 1, "one-by-one", w0=instance.x0, flow_time=option(instance, "flow_time"))
    away = known.weight_error(w) + 8.0 * EPS * known.cond * float(np.linalg.norm(instance.x0))
    return follows(path, np.abs(w), 2.0 * away)


def _first_sampler(rng: np.random.Generator) -> Instance:
    instance = samplers.tall(rng, start=True, aimed=0.0)  # aimed noise leaves several weights at 0, which tie
    known = facts(instance)
    w = _limit(known, instance.x0)
    low, second = np.sort(np.abs(w))[:2]
    gap = float(second - low) or 1.0
    distance = float(np.linalg.norm(instance.x0 - w))
    # the time in which the distance falls to gap / sqrt(2), and a little more
    time = math.log(math.sqrt(2.0) * distance * (1.0 + samplers.gaps(rng)) / gap) * known.X.shape[0] / known.smallest**2
    return instance.with_options(flow_time=max(time, 0.0))


_EVIDENCE = (
    'docs/theory, "Training time until two weights are ranked"; tests/linear_lottery/test_guarantees_finite_time.py'
)

FINITE_TIME = (
    Guarantee(
        name="order-finite-time-orthonormal",
        kind="implication",
        statement=(
            "If X'X / n = lambda I and lambda t > log(1 + (|w0_i| + |w0_j|) / (|c_i| - |c_j|)) for all pairs with "
            "|c_i| > |c_j|, then IMP with any schedule that trains for a time t prunes in increasing order of |c_j|."
        ),
        source=SOURCE,
        evidence=_EVIDENCE,
        hypotheses=_ranking_hypotheses,
        outcome=_ranking_outcome,
        needs=("y", "x0", "flow_time"),
        sampler=_ranking_sampler,
        steer=None,
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="order-finite-time",
        kind="implication",
        statement=(
            "If X has full column rank and sqrt(2) exp(-lam_min(X'X / n) t) |w0 - w(inf)| is below the gap of the "
            "two smallest |w_j(inf)|, then the first weight that IMP prunes after training for a time t is the one "
            "it prunes after training to convergence."
        ),
        source=SOURCE,
        evidence=_EVIDENCE,
        hypotheses=_first_hypotheses,
        outcome=_first_outcome,
        needs=("y", "x0", "flow_time"),
        sampler=_first_sampler,
        steer=None,
        scales=("data", "matrix"),
    ),
)
"""Guarantees about finite training times."""
