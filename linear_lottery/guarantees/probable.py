"""Guarantees that IMP finds the planted support with a given probability over the noise, and bounds on its errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from linear_lottery.closed_forms.amplification import null_amplification, null_amplification_bound
from linear_lottery.closed_forms.predictions import oracle_error_bound
from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.facts import SOURCE, Facts, clearly, facts, planted_shape, smallest_signal
from linear_lottery.guarantees.runs import SCHEDULES, prune, recovers
from planted.base.arrays import EPS
from recovery.guarantees import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance

__all__ = ["DELTA", "PROBABLE", "law_holds", "level"]

DELTA = 0.1
"""The probability with which each of these statements may fail."""
LARGEST = 12
"""Largest number of zero weights for which kappa is enumerated."""


def law_holds(instance: Instance, *, gaussian: bool) -> Verdict:
    """Return whether the noise has the required law."""
    law = instance.law
    if law is None:
        return Verdict.unknown("the law of the noise is not given")
    if gaussian:
        return Verdict.of(law.is_gaussian, f"the noise is {law.name}; the statement requires Gaussian noise")
    return Verdict.of(
        law.sub_gaussian is not None, f"the noise is {law.name}; the statement requires sub-Gaussian noise"
    )


def level(known: Facts, sigma: float, delta: float, coordinates: float) -> float:
    """Return sigma sqrt(2 log(2 m / delta)) / sigma_min(X): m weights are off by less, but with probability delta.

    Parameters
    ----------
    known : Facts
        The instance.
    sigma : float
        Sub-Gaussian constant of the noise.
    delta : float
        Probability.
    coordinates : float
        m, how many least-squares weights are looked at, on any masks.

    Returns
    -------
    float
        The level; with lam = lam_min(X'X / n) it is sigma sqrt(2 log(2 m / delta) / (n lam)).
    """
    return sigma * math.sqrt(2.0 * math.log(2.0 * coordinates / delta)) / known.smallest


def _strong_enough(
    instance: Instance, needed: Callable[[Facts, Instance], float], reason: str, *, gaussian: bool
) -> Verdict:
    known = facts(instance)
    shape = all_of([planted_shape(known, instance), law_holds(instance, gaussian=gaussian)])
    if shape.status != "holds":
        return shape
    low, error = smallest_signal(instance), known.run_error(instance)
    return all_of([shape, clearly(low, needed(known, instance), reason, known.rounding(), left_error=error)])


def _sigma(instance: Instance) -> float:
    assert instance.law is not None  # law_holds comes first
    return instance.law.sigma


def _one_shot_hypotheses(instance: Instance) -> Verdict:
    def needed(known: Facts, instance: Instance) -> float:
        return 2.0 * level(known, _sigma(instance), DELTA, known.X.shape[1])

    return _strong_enough(instance, needed, "min |w*| exceeds 2 tau0", gaussian=False)


def _gaussian_hypotheses(instance: Instance) -> Verdict:
    def needed(known: Facts, instance: Instance) -> float:
        length = math.sqrt(known.X.shape[1]) + math.sqrt(2.0 * math.log(1.0 / DELTA))
        return math.sqrt(2.0) * _sigma(instance) * length / known.smallest

    reason = "min |w*| exceeds sqrt(2) sigma (sqrt(d) + sqrt(2 log(1/delta))) / sigma_min(X)"
    return _strong_enough(instance, needed, reason, gaussian=True)


def _union_hypotheses(instance: Instance) -> Verdict:
    def needed(known: Facts, instance: Instance) -> float:
        d = known.X.shape[1]
        return 2.0 * level(known, _sigma(instance), DELTA, 2.0 ** (d - instance.sparsity) * d)

    return _strong_enough(instance, needed, "min |w*| exceeds 2 tau for all masks together", gaussian=False)


def _kappa_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = all_of([planted_shape(known, instance), law_holds(instance, gaussian=False)])
    if shape.status != "holds":
        return shape
    low, tau = smallest_signal(instance), level(known, _sigma(instance), DELTA, known.X.shape[1])
    # kappa is computed from the inverse Gram matrix, whose condition number is that of X squared
    error, away = known.rounding() + 8.0 * known.X.shape[1] * EPS * known.cond**2, known.run_error(instance)
    cheap = 2.0 * (1.0 + null_amplification_bound(known.X, instance.support)) * tau
    first = clearly(low, cheap, "min |w*| exceeds 2 (1 + bound of kappa) tau0", error, left_error=away)
    kappa = null_amplification(known.X, instance.support, limit=LARGEST)
    if kappa is not None:
        right = 2.0 * (1.0 + kappa) * tau
        return all_of([shape, clearly(low, right, "min |w*| exceeds 2 (1 + kappa) tau0", error, left_error=away)])
    if first.status == "holds":
        return all_of([shape, first])
    return Verdict.unknown(
        f"kappa cannot be computed for {known.X.shape[1] - instance.sparsity} zero weights, and its bound is too large"
    )


def _success_hypotheses(instance: Instance) -> Verdict:
    return all_of([planted_shape(facts(instance), instance), law_holds(instance, gaussian=True)])


def _success_outcome(instance: Instance) -> Verdict:
    if instance.law is None:
        return Verdict.unknown("the law of the noise is not given")
    found = []
    bound = oracle_error_bound(instance.matrix, instance.support, instance.law.sigma, DELTA)
    error = 4.0 * facts(instance).weight_error(instance.x)
    for schedule in SCHEDULES:
        path = prune(instance, instance.sparsity, schedule)
        if not np.array_equal(path.support, instance.support):
            found.append(Verdict.of(True, "the support was not found, so nothing is claimed"))
            continue
        off = float(np.linalg.norm(path.w - instance.x))
        if off == bound == 0.0:
            found.append(Verdict.of(True, "there is no noise and no error", 0.0))
            continue
        found.append(clearly(bound, off, "the bound exceeds the error of the weights", left_error=error))
    return all_of(found)


def _sub_gaussian(rng: np.random.Generator) -> Instance:
    return samplers.tall(rng, laws=samplers.SUB_GAUSSIAN, aimed=0.0)


def _gaussian(rng: np.random.Generator) -> Instance:
    return samplers.tall(rng, laws=("gaussian",), aimed=0.0)


def _guarantee(
    name: str,
    statement: str,
    hypotheses: Callable[[Instance], Verdict],
    *,
    outcome: Callable[[Instance], Verdict] | None = None,
    sampler: Callable[[np.random.Generator], Instance] = _sub_gaussian,
    steer: str | None = "signal",
) -> Guarantee:
    return Guarantee(
        name=name,
        kind="probability",
        statement=statement,
        source=SOURCE,
        evidence='docs/theory, "With a given probability"; tests/linear_lottery/test_guarantees_probable.py',
        hypotheses=hypotheses,
        outcome=outcome if outcome is not None else recovers(SCHEDULES),
        needs=("x", "noise", "law"),
        sampler=sampler,
        steer=steer,
        delta=DELTA,
        scales=("data", "matrix"),
    )


PROBABLE = (
    _guarantee(
        "probable-one-shot",
        "If X has full column rank, the noise is independent and sigma-sub-Gaussian, and min over S of |w*_i| > 2 "
        "tau0 with tau0 = sigma sqrt(2 log(2 d / delta) / (n lam_min(X'X / n))), then IMP in one shot ends with the "
        "support S with probability at least 1 - delta.",
        _one_shot_hypotheses,
        outcome=recovers(("one-shot",)),
    ),
    _guarantee(
        "probable-gaussian",
        "If X has full column rank, the noise is N(0, sigma^2), and min over S of |w*_i| > sqrt(2) sigma (sqrt(d) + "
        "sqrt(2 log(1 / delta))) / sqrt(n lam_min(X'X / n)), then with probability at least 1 - delta IMP with any "
        "schedule ends with the support S.",
        _gaussian_hypotheses,
        sampler=_gaussian,
    ),
    _guarantee(
        "probable-all-masks",
        "If X has full column rank, the noise is independent and sigma-sub-Gaussian, and min over S of |w*_i| > 2 "
        "sigma sqrt(2 ((d - k) log 2 + log(2 d / delta)) / (n lam_min(X'X / n))), then with probability at least 1 - "
        "delta IMP with any schedule ends with the support S.",
        _union_hypotheses,
    ),
    _guarantee(
        "probable-amplification",
        "If X has full column rank, the noise is independent and sigma-sub-Gaussian, and min over S of |w*_i| > 2 (1 "
        "+ kappa) tau0 with kappa = max |Sg_jR Sg_RR^-1|_1 over sets R outside S and j not in R, Sg = (X'X)^-1, then "
        "with probability at least 1 - delta IMP with any schedule ends with the support S.",
        _kappa_hypotheses,
    ),
    _guarantee(
        "error-after-success",
        "If X has full column rank and the noise is N(0, sigma^2), then with probability at least 1 - delta IMP does "
        "not end with the support S, or its weights are within sigma (sqrt(k) + sqrt(2 log(1 / delta))) / sqrt(n "
        "lam_min(G_S)) of w*.",
        _success_hypotheses,
        outcome=_success_outcome,
        sampler=_gaussian,
        steer=None,
    ),
)
"""Guarantees over a law of the noise."""
