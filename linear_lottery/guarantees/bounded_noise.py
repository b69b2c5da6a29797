"""Guarantees with bounded noise: IMP, or backward elimination, finds the planted support."""

from __future__ import annotations

import math
from functools import partial
from itertools import combinations

import numpy as np

from linear_lottery.backward import backward_elimination
from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.facts import (
    SOURCE,
    Facts,
    clearly,
    facts,
    full_column_rank,
    planted_shape,
    smallest_signal,
)
from linear_lottery.guarantees.runs import SCHEDULES, recovers
from recovery.guarantees import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance

__all__ = ["BOUNDED_NOISE"]

LARGEST = 12
"""Largest number of zero weights whose subsets are all enumerated."""


def _bounded_noise(instance: Instance, constant: float) -> Verdict:
    """Return whether min |w*| > constant |P_X xi| / sigma_min(X)."""
    known = facts(instance)
    shape = planted_shape(known, instance)
    if shape.status != "holds":
        return shape
    low, right = smallest_signal(instance), constant * float(np.linalg.norm(known.xi)) / known.smallest
    reason = f"min |w*| exceeds {constant:.6g} |P_X xi| / sigma_min(X)"
    return all_of([shape, clearly(low, right, reason, known.rounding(), left_error=known.run_error(instance))])


def _largest_noise(known: Facts, instance: Instance) -> float:
    """Return the largest |eta^M|_inf over all M that contain the support properly."""
    R = known.R
    b, null, worst = known.xi, np.flatnonzero(instance.x == 0.0), 0.0
    for size in range(1, len(null) + 1):
        chosen = np.array(list(combinations(null, size)), dtype=np.int64)
        base = np.broadcast_to(instance.support, (len(chosen), instance.sparsity))
        blocks = np.moveaxis(R[:, np.concatenate([base, chosen], axis=1)], 0, 1)
        # a QR of each block: normal equations would square the condition number
        q, r = np.linalg.qr(blocks)
        right = np.einsum("cnm,n->cm", q, b)
        try:
            worst = max(worst, float(np.abs(np.linalg.solve(r, right[:, :, None])).max()))
        except np.linalg.LinAlgError:
            return math.inf
    return worst


def _sup_noise_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = planted_shape(known, instance)
    if shape.status != "holds":
        return shape
    if len(instance.x) - instance.sparsity > LARGEST:
        return Verdict.unknown(f"{len(instance.x) - instance.sparsity} zero weights have too many subsets to enumerate")
    low, high = smallest_signal(instance), _largest_noise(known, instance)
    error = known.run_error(instance)
    return all_of([shape, clearly(low, 2.0 * high, "min |w*| exceeds 2 max |eta^M|_inf", left_error=error)])


def _backward_outcome(instance: Instance) -> Verdict:
    known = facts(instance)
    rank = full_column_rank(known)
    if rank.status != "holds":
        return Verdict.unknown("backward elimination does not apply: " + rank.reason)
    if not len(instance.support):
        return Verdict.of(True, "x = 0, so no weight of the support can be pruned")
    found = backward_elimination(instance.matrix, instance.y, instance.sparsity)
    mask, worst = np.ones(len(instance.x), dtype=bool), math.inf
    good = instance.x != 0.0
    for gone in np.asarray(found.order):
        # the increase of the residual that each column's loss causes, by its distance from the others
        columns = np.flatnonzero(mask)
        R = np.linalg.qr(known.R[:, columns], mode="r")
        inverse = np.linalg.inv(R)
        w = np.linalg.lstsq(known.R[:, columns], known.z, rcond=None)[0]
        lengths = np.linalg.norm(inverse, axis=1)
        rise = np.abs(w) / lengths
        low, high = float(rise[good[columns]].min()), float(rise[~good[columns]].min())
        worst = min(worst, low / high - 1.0 if high > 0.0 else math.inf)
        if good[gone]:
            if abs(low - high) <= 4.0 * known.weight_error(instance.x) / float(lengths.min()):
                return Verdict.unknown("a weight of the support was pruned, perhaps by rounding error", worst)
            return Verdict(
                "fails",
                min(worst, 0.0),
                f"weight {int(gone)} of the support was pruned: its score is {low:.6g}, and {high:.6g} off the support",
            )
        mask[gone] = False
    right = np.array_equal(np.asarray(found.support), instance.support)
    return Verdict(
        "holds" if right else "fails",
        worst if right else -1.0,
        f"the support of backward elimination is {'' if right else 'not '}S",
    )


_RELATED = (
    SOURCE + "; Ament and Gomes 2021 (arXiv:2106.03235) give, by their abstract, a bound of this kind for backward "
    "regression that extends to magnitude pruning"
)
_EVIDENCE = (
    'docs/theory, "A bound that can be checked, with its best constant"; '
    "tests/linear_lottery/test_guarantees_bounded_noise.py"
)

BOUNDED_NOISE = (
    Guarantee(
        name="smallest-singular-value",
        kind="implication",
        statement=(
            "If X has full column rank and min over S of |w*_i| > sqrt(2) |P_X xi|_2 / sigma_min(X), then IMP with any "
            "schedule ends with the support S. The constant is the best possible."
        ),
        source=_RELATED,
        evidence=_EVIDENCE,
        hypotheses=partial(_bounded_noise, constant=math.sqrt(2.0)),
        outcome=recovers(SCHEDULES),
        sampler=samplers.tall,
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="largest-noise",
        kind="implication",
        statement=(
            "If X has full column rank and min over S of |w*_i| > 2 max |eta^M|_inf over all M that properly contain "
            "S, then IMP with any schedule ends with the support S."
        ),
        source=SOURCE,
        evidence=_EVIDENCE,
        hypotheses=_sup_noise_hypotheses,
        outcome=recovers(SCHEDULES),
        sampler=samplers.tall,
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="backward-elimination",
        kind="implication",
        statement=(
            "If X has full column rank and min over S of |w*_i| > 2 |P_X xi|_2 / sigma_min(X), then backward "
            "elimination, which removes the column whose loss raises the residual least, ends with the support S."
        ),
        source=_RELATED,
        evidence=_EVIDENCE,
        hypotheses=partial(_bounded_noise, constant=2.0),
        outcome=_backward_outcome,
        sampler=samplers.tall,
        scales=("data", "matrix"),
    ),
)
"""Guarantees for one noise vector."""
