"""Guarantees about threshold pruning: its support, its errors, and its predictions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from linear_lottery import _imp
from linear_lottery.closed_forms.predictions import prediction_bound, prediction_risk_bound
from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.facts import SOURCE, Facts, clearly, facts, option, planted_shape, smallest_signal
from linear_lottery.guarantees.probable import DELTA, law_holds, level
from planted.base.arrays import EPS
from recovery.guarantees import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance

__all__ = ["THRESHOLD"]


def _run(instance: Instance, tau: float, max_rounds: int | None = None) -> Any:
    return _imp.threshold_prune(instance.matrix, instance.y, tau, max_rounds=max_rounds)


def _compare(left: float, right: float, reason: str, error: float) -> Verdict:
    """Return whether left > right or both are 0 (where there is no noise), both up to an absolute error."""
    if left == right == 0.0:
        return Verdict.of(True, "there is no noise: the threshold and the weights compared with it are 0", 0.0)
    return clearly(left, right, reason, left_error=error)


def _tau(known: Facts, instance: Instance, delta: float, coordinates: float) -> float:
    assert instance.law is not None  # needs says so
    return level(known, instance.law.sigma, delta, coordinates)


def _exact_tau(known: Facts, instance: Instance) -> float:
    """Return the threshold for all weights of the first round, and those of the support in the second."""
    return _tau(known, instance, DELTA, len(instance.x) + len(instance.support))


def _exact_hypotheses(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = all_of([planted_shape(known, instance), law_holds(instance, gaussian=False)])
    if shape.status != "holds":
        return shape
    tau, error = _exact_tau(known, instance), known.run_error(instance)
    signal = clearly(smallest_signal(instance), 2.0 * tau, "min |w*| exceeds 2 tau", known.rounding(), left_error=error)
    if len(instance.support) == len(instance.x):
        return all_of([shape, signal])
    # a threshold of the size of rounding prunes by rounding
    return all_of(
        [shape, signal, clearly(tau, 0.0, "tau exceeds the rounding error of the weights off S", right_error=error)]
    )


def _exact_outcome(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = planted_shape(known, instance)
    if shape.status != "holds":
        return Verdict.unknown("there is no threshold: " + shape.reason)
    tau = _exact_tau(known, instance)
    path = _run(instance, tau)
    good, first = instance.x != 0.0, np.abs(path.weights[0])
    error = known.weight_error(path.weights[0])
    found = [_compare(float(first[good].min()), tau, "the smallest weight on S in round 1 exceeds tau", error)]
    if not good.all():
        found.append(_compare(tau, float(first[~good].max()), "tau exceeds the largest weight off S in round 1", error))
    if path.n_rounds and all(one.status == "holds" for one in found):
        second = np.abs(path.weights[1])
        found.append(_compare(float(second[good].min()), tau, "the smallest weight on S in round 2 exceeds tau", error))
    together = all_of(found)
    if together.status == "holds" and not (np.array_equal(path.support, instance.support) and path.n_rounds <= 1):
        return Verdict(
            "fails",
            -1.0,
            f"threshold pruning ended with the support {path.support.tolist()} after {path.n_rounds + 1} rounds",
        )
    return together


def _event(instance: Instance) -> Verdict:
    """Return whether tau exceeds all errors of the least-squares weights of all columns."""
    known = facts(instance)
    shape = planted_shape(known, instance)
    if shape.status != "holds":
        return shape
    eta = np.linalg.lstsq(known.R, known.xi, rcond=None)[0]
    error = 2.0 * known.weight_error(instance.x + eta)
    tau = option(instance, "tau")
    return all_of([shape, clearly(tau, float(np.abs(eta).max()), "tau exceeds |eta|_inf", left_error=error)])


def _one_round(instance: Instance, tau: float) -> tuple[Any, np.ndarray, Verdict]:
    """Prune once: return the path, the survivors as a mask, and whether all of them are in the support."""
    path = _run(instance, tau, max_rounds=1)
    null = np.abs(path.weights[0])[instance.x == 0.0]
    error = facts(instance).weight_error(path.weights[0])
    if not null.size:
        return path, path.masks[-1], Verdict.of(True, "no weight lies off S")
    verdict = _compare(tau, float(null.max()), "tau exceeds the largest weight off S", error)
    if verdict.status == "holds" and np.any(path.masks[-1] & (instance.x == 0.0)):
        verdict = Verdict("fails", -1.0, "a weight off S below tau survived")
    return path, path.masks[-1], verdict


def _estimate_outcome(instance: Instance) -> Verdict:
    tau = option(instance, "tau")
    path, kept, pure = _one_round(instance, tau)
    off = float(np.linalg.norm(np.where(kept, path.weights[0], 0.0) - instance.x))
    bound = 2.0 * tau * math.sqrt(len(instance.support))
    error = 2.0 * facts(instance).weight_error(path.weights[0])
    return all_of([pure, _compare(bound, off, "2 tau sqrt(k) exceeds |w_thr - w*|", error)])


def _prediction(instance: Instance, tau: float, bound: Callable[[np.ndarray], float]) -> Verdict:
    """Return whether survivors are in the support and their in-sample error is below a bound that depends on them."""
    path, kept, pure = _one_round(instance, tau)
    if pure.status != "holds":
        return pure
    known = facts(instance)
    off = known.X @ (path.w - instance.x)
    loss, right = float(off @ off) / len(off), bound(np.flatnonzero(kept))
    # to first order an error e of the weights changes the loss by 2 |off| |X e| / n
    shift = float(known.s[0]) * (known.weight_error(path.w) + 8.0 * EPS * float(np.linalg.norm(instance.x)))
    error = 2.0 * shift * (shift + float(np.linalg.norm(off))) / len(off) + known.rounding() * right
    reason = "the bound exceeds |X w - X w*|^2 / n"
    if abs(right - loss) <= error:
        # where all of S survives, the bound for one noise vector is an identity
        whole = np.array_equal(kept, instance.x != 0.0)
        same = f"the bound and |X w - X w*|^2 / n are {right:.6g} and {loss:.6g}, equal within rounding error"
        return Verdict.of(True, same, 0.0) if whole else Verdict.unknown(same, 0.0)
    return all_of([pure, _compare(right, loss, reason, error)])


def _prediction_outcome(instance: Instance) -> Verdict:
    tau = option(instance, "tau")
    X, noise = instance.matrix, instance.noise
    return _prediction(instance, tau, lambda kept: prediction_bound(X, instance.support, kept, tau, noise))


def _probable_hypotheses(instance: Instance) -> Verdict:
    return all_of([planted_shape(facts(instance), instance), law_holds(instance, gaussian=True)])


def _probable_outcome(instance: Instance) -> Verdict:
    known = facts(instance)
    shape = planted_shape(known, instance)
    if shape.status != "holds":
        return Verdict.unknown("there is no threshold: " + shape.reason)
    law = instance.law
    assert law is not None  # needs says so
    tau = _tau(known, instance, DELTA / 2.0, len(instance.x))
    bound = prediction_risk_bound(instance.matrix, instance.support, law.sigma, DELTA / 2.0)
    return _prediction(instance, tau, lambda kept: bound)


def _with_tau(rng: np.random.Generator) -> Instance:
    """Draw a model and a threshold near the errors of its weights, or of the size of its smallest weight."""
    instance = samplers.tall(rng)
    eta = np.linalg.lstsq(instance.matrix, instance.noise, rcond=None)[0]
    low = smallest_signal(instance)
    if rng.random() < 0.5:
        return instance.with_options(tau=float(low * 10.0 ** rng.uniform(-1.0, 0.3)))
    return instance.with_options(tau=float(np.abs(eta).max() * (1.0 + samplers.gaps(rng))))


def _sub_gaussian(rng: np.random.Generator) -> Instance:
    return samplers.tall(rng, laws=samplers.SUB_GAUSSIAN, aimed=0.0)


def _gaussian(rng: np.random.Generator) -> Instance:
    return samplers.tall(rng, laws=("gaussian",), aimed=0.0)


_TEST = "tests/linear_lottery/test_guarantees_threshold.py"

THRESHOLD = (
    Guarantee(
        name="threshold-exact",
        kind="probability",
        statement=(
            "If X has full column rank, the noise is independent and sigma-sub-Gaussian, and min over S of |w*_i| > "
            "2 tau with tau = sigma sqrt(2 log(2 (d + k) / delta) / (n lam_min(X'X / n))), then with probability at "
            "least 1 - delta threshold pruning at tau ends with the support S after at most two rounds of training."
        ),
        source=SOURCE,
        evidence=f'docs/theory, "Threshold pruning finds the support"; {_TEST}',
        hypotheses=_exact_hypotheses,
        outcome=_exact_outcome,
        needs=("x", "noise", "law"),
        sampler=_sub_gaussian,
        steer="signal",
        delta=DELTA,
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="threshold-estimate",
        kind="implication",
        statement=(
            "If X has full column rank and |eta|_inf <= tau with eta = X^+ xi, then one round of threshold pruning "
            "at tau keeps no weight off S, and without retraining |w - w*|_2 <= 2 tau sqrt(k)."
        ),
        source=SOURCE,
        evidence=f'docs/theory, "Threshold pruning finds the support"; {_TEST}',
        hypotheses=_event,
        outcome=_estimate_outcome,
        needs=("x", "noise", "tau"),
        sampler=_with_tau,
        steer="noise",
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="threshold-prediction",
        kind="implication",
        statement=(
            "If X has full column rank and |eta|_inf <= tau with eta = X^+ xi, then one round of threshold pruning "
            "at tau, retrained on the survivors M, has |X w - X w*|^2 / n <= 4 tau^2 lam_max(G_S) |S \\ M| + |P_S "
            "xi|^2 / n."
        ),
        source=SOURCE,
        evidence=f'docs/theory, "Errors of predictions"; {_TEST}',
        hypotheses=_event,
        outcome=_prediction_outcome,
        needs=("x", "noise", "tau"),
        sampler=_with_tau,
        steer="noise",
        scales=("data", "matrix"),
    ),
    Guarantee(
        name="probable-prediction",
        kind="probability",
        statement=(
            "If X has full column rank and the noise is N(0, sigma^2), then with probability at least 1 - delta one "
            "round of threshold pruning at tau = sigma sqrt(2 log(4 d / delta) / (n lam)), lam = lam_min(X'X / n), "
            "with retraining keeps no weight off S and has |X w - X w*|^2 / n <= 8 (lam_max(G_S) / lam) k sigma^2 "
            "log(4 d / delta) / n + sigma^2 (sqrt(k) + sqrt(2 log(2 / delta)))^2 / n."
        ),
        source=SOURCE,
        evidence=f'docs/theory, "Errors of predictions"; {_TEST}',
        hypotheses=_probable_hypotheses,
        outcome=_probable_outcome,
        needs=("x", "noise", "law"),
        sampler=_gaussian,
        steer=None,
        delta=DELTA,
        scales=("data", "matrix"),
    ),
)
"""Guarantees of threshold pruning."""
