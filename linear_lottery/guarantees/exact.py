"""Exact characterisations of when IMP finds the planted support; the design only needs full column rank."""

from __future__ import annotations

import numpy as np

from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.facts import SOURCE, Facts, clearly, facts, planted_shape, smallest_signal
from linear_lottery.guarantees.runs import SCHEDULES, recovers
from recovery.guarantees import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance

__all__ = ["EXACT"]

MOST_MASKS = 100
"""Largest number of masks of one size to visit if ties within rounding cause branches."""


def _stage(known: Facts, instance: Instance, mask: np.ndarray) -> tuple[Verdict, np.ndarray]:
    """Return whether the smallest noise on a null weight stays below all true weights, and which nulls may go.

    There are several candidates if rounding decides which is the smallest.
    """
    w = np.zeros(len(mask))
    # least squares commutes with adding X w*: the weights are w* + eta on any mask that contains the support
    w[mask] = np.linalg.lstsq(known.R[:, mask], known.xi, rcond=None)[0]
    null = np.flatnonzero(mask & (instance.x == 0.0))
    eta = np.abs(w[null])
    w += instance.x
    error = 4.0 * known.weight_error(w)
    low, high = float(np.abs(w[instance.support]).min()), float(eta.min())
    reason = f"with {int(mask.sum())} weights left, the smallest on S exceeds the smallest off S"
    return clearly(low, high, reason, left_error=error / 2, right_error=error / 2), null[eta <= high + error]


def _one_by_one_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = planted_shape(known, instance)
    if shape.status != "holds":
        return Verdict.unknown("the statement does not apply: " + shape.reason)
    masks, found = [np.ones(known.X.shape[1], dtype=bool)], [shape]
    for _ in range(known.X.shape[1] - instance.sparsity):
        # one mask, unless ties within rounding make branches
        stages = [_stage(known, instance, mask) for mask in masks]
        here = all_of([verdict for verdict, _ in stages])
        if len({verdict.status for verdict, _ in stages}) > 1:
            here = Verdict.unknown("ties of weights off S within rounding error lead to different ends", here.margin)
        found.append(here)
        if here.status != "holds":
            break
        after: dict[bytes, np.ndarray] = {}
        for mask, (_, candidates) in zip(masks, stages, strict=True):
            for j in candidates:
                smaller = mask.copy()
                smaller[j] = False
                after[smaller.tobytes()] = smaller
        masks = list(after.values())
        if len(masks) > MOST_MASKS:
            return Verdict.unknown(
                f"ties within rounding error lead to more than {MOST_MASKS} masks", all_of(found).margin
            )
    return all_of(found)


def _one_shot_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = planted_shape(known, instance)
    if shape.status != "holds":
        return Verdict.unknown("the statement does not apply: " + shape.reason)
    if instance.sparsity == len(instance.x):
        return Verdict.of(True, "no weight is pruned")
    eta = np.linalg.lstsq(known.R, known.xi, rcond=None)[0]
    w = instance.x + eta
    low, high = float(np.abs(w[instance.support]).min()), float(np.abs(eta[instance.x == 0.0]).max())
    error = 2.0 * known.weight_error(w)
    return clearly(low, high, "the smallest weight on S exceeds the largest off S", left_error=error, right_error=error)


def _noise_free_hypotheses(instance: Instance) -> Verdict:
    if not instance.noise_free:
        return Verdict.of(False, "there is noise")
    known = facts(instance)
    shape = planted_shape(known, instance)
    error = 4.0 * known.weight_error(instance.x)
    if shape.status == "holds" and smallest_signal(instance) <= error:
        return Verdict.unknown(
            f"the rounding error of y alone causes weights of {error:.3g}, as large as the smallest on S"
        )
    return shape


def _continuous(rng: np.random.Generator) -> Instance:
    return samplers.tall(rng, laws=samplers.CONTINUOUS)


def _noise_free_model(rng: np.random.Generator) -> Instance:
    instance = samplers.tall(rng)
    return instance.replace(noise=np.zeros(instance.shape[0]), law=None)


_EVIDENCE = 'docs/theory, "When IMP finds the planted support"; tests/linear_lottery/test_guarantees_exact.py'

EXACT = (
    Guarantee(
        name="exact-one-by-one",
        kind="equivalence",
        statement=(
            "If X has full column rank, w* is not 0 and no two weights tie, one-by-one IMP ends with the support S if "
            "and only if, at each mask M that it visits and that contains S and other weights, min over M \\ S of "
            "|eta^M_j| < min over S of |w*_i + eta^M_i|, where eta^M = X_M^+ xi."
        ),
        source=SOURCE,
        evidence=_EVIDENCE,
        hypotheses=_one_by_one_hypotheses,
        outcome=recovers(("one-by-one",)),
        sampler=_continuous,
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="exact-one-shot",
        kind="equivalence",
        statement=(
            "If X has full column rank, w* is not 0 and no two weights tie, IMP in one shot ends with the support S if "
            "and only if max over S^c of |eta_j| < min over S of |w*_i + eta_i|, where eta = X^+ xi."
        ),
        source=SOURCE,
        evidence=_EVIDENCE,
        hypotheses=_one_shot_hypotheses,
        outcome=recovers(("one-shot",)),
        sampler=_continuous,
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="noise-free",
        kind="implication",
        statement="Without noise, IMP with any schedule ends with the support S for every X of full column rank.",
        source=SOURCE,
        evidence=_EVIDENCE,
        hypotheses=_noise_free_hypotheses,
        outcome=recovers(SCHEDULES),
        sampler=_noise_free_model,
        steer=None,
        scales=("data", "matrix"),
    ),
)
"""Exact characterisations of the recovery of a planted support."""
