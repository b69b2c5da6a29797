"""Outcomes of guarantees: run an algorithm on an instance, and measure how clearly its result is right or wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from linear_lottery import _imp
from linear_lottery.guarantees.columns import norms, projections
from linear_lottery.guarantees.facts import Facts, facts
from planted.base.arrays import EPS
from recovery.guarantees import Verdict, all_of
from recovery.guarantees.engine.instance import Instance

__all__ = ["SCHEDULES", "all_follow", "follows", "keeps_exactly", "prune", "recovers"]

SCHEDULES: tuple[Any, ...] = ("one-by-one", 2, 0.2, "one-shot")
"""One weight a round, two a round, 20 % a round, all at once."""


def prune(instance: Instance, sparsity: int, schedule: Any, **options: Any) -> Any:
    """Run :func:`linear_lottery.imp` on the instance's data."""
    return _imp.imp(instance.matrix, instance.y, sparsity, schedule=schedule, **options)


def keeps_exactly(path: Any, wanted: np.ndarray, known: Facts) -> Verdict:
    """Return whether a pruning path ends with a given set, and how clearly.

    Parameters
    ----------
    path : PruningPath
        A path whose last mask has as many weights as `wanted`.
    wanted : numpy.ndarray of int64
        Positions that should survive.
    known : Facts
        The instance.

    Returns
    -------
    Verdict
        The margin is the smallest over the rounds of (smallest wanted weight) / (q-th smallest of the others) - 1,
        where q weights are pruned: it is positive exactly if no wanted weight is among those. Rounds after the first
        mistake do not count. A mistake by less than the rounding error of the weights is ``unknown``.
    """
    good = np.zeros(path.masks.shape[1], dtype=bool)
    good[wanted] = True
    worst, where = math.inf, "nothing was pruned"
    for before, after, weights in zip(path.masks[:-1], path.masks[1:], path.weights[:-1], strict=True):
        size = np.abs(weights)
        q = int(before.sum() - after.sum())
        if not good.any():
            break
        low = float(size[good].min())
        high = float(np.sort(size[before & ~good])[q - 1])
        margin = low / high - 1.0 if high > 0.0 else (math.inf if low > 0.0 else 0.0)
        if margin < worst:
            worst, where = (
                margin,
                f"with {int(before.sum())} weights left, the smallest to keep was {low:.6g}, the largest to prune "
                f"{high:.6g}",
            )
        if np.any(good & before & ~after):
            reason = f"a weight to keep was pruned: {where}"
            if abs(low - high) <= known.weight_error(weights):
                return Verdict.unknown(reason + "; rounding error may have decided it", margin)
            return Verdict("fails", min(margin, 0.0), reason)
    return Verdict("holds", worst, f"the right weights are kept; at the closest decision, {where}")


def recovers(schedules: tuple[Any, ...] = SCHEDULES) -> Callable[[Instance], Verdict]:
    """Return the outcome "IMP down to k weights ends with the planted support", for all of some schedules."""
    return partial(_recovers, schedules=schedules)


def _recovers(instance: Instance, schedules: tuple[Any, ...]) -> Verdict:
    support, known = instance.support, facts(instance)
    found = []
    for schedule in schedules:
        verdict = keeps_exactly(prune(instance, len(support), schedule), support, known)
        found.append(Verdict(verdict.status, verdict.margin, f"schedule {schedule!r}: {verdict.reason}"))
    return all_of(found)


def follows(path: Any, c: np.ndarray, error: float) -> Verdict:
    """Return whether a path prunes in the order of rising |c|.

    Parameters
    ----------
    path : PruningPath
        Any path.
    c : numpy.ndarray, shape (d,)
        What decides.
    error : float
        How far rounding may move the difference of two weights of the path.

    Returns
    -------
    Verdict
        The margin is the smallest over the rounds of (smallest weight that should stay longer) / (weight) - 1 over
        the weights that should go. A wrong order among weights closer than `error` is ``unknown``.
    """
    worst, place = math.inf, 0
    for before, after, weights in zip(path.masks[:-1], path.masks[1:], path.weights[:-1], strict=True):
        active = np.flatnonzero(before)
        active = active[np.argsort(np.abs(c[active]), kind="stable")]
        size = np.abs(weights[active])
        q = len(active) - int(after.sum())
        later = np.append(np.minimum.accumulate(size[::-1])[::-1][1:], math.inf)[:q]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(size[:q] > 0.0, later / size[:q] - 1.0, np.where(later > 0.0, math.inf, 0.0))
        at = int(np.argmin(ratios))
        worst = min(worst, float(ratios[at]))
        gone = path.order[place : place + q]
        place += q
        if not np.array_equal(gone, active[:q]):
            reason = f"IMP pruned {gone.tolist()}, but {active[:q].tolist()} have the smallest |c|"
            if abs(float(later[at] - size[at])) <= error:
                return Verdict.unknown(reason + "; rounding error may have decided it", worst)
            return Verdict("fails", min(worst, 0.0), reason)
    return Verdict("holds", worst, "IMP pruned in increasing order of |c|")


def all_follow(instance: Instance, **options: Any) -> Verdict:
    """Return whether IMP prunes in the order of |<x_j, y>| / |x_j|^2, with all schedules.

    Parameters
    ----------
    instance : Instance
        The problem; runs start from 0 and from its ``x0``, if it has one.
    **options
        For :func:`linear_lottery.imp`; with a training time, runs start from ``x0`` alone.

    Returns
    -------
    Verdict
        See :func:`follows`.
    """
    known = facts(instance)
    if np.any(norms(known) == 0.0):
        return Verdict.unknown("a column is 0, so it has no projection")
    c = projections(known)
    starts = [None] if instance.x0 is None else [None, instance.x0]
    found = []
    for w0 in starts if not options else starts[-1:]:
        away = 8.0 * EPS * float(np.linalg.norm(w0)) if w0 is not None else 0.0
        for schedule in SCHEDULES:
            path = prune(instance, instance.sparsity, schedule, w0=w0, **options)
            found.append(follows(path, c, 2.0 * (known.weight_error(c) + away)))
    return all_of(found)
