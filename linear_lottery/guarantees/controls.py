"""Exact facts about every pruning path of IMP: residuals, predictions, conditioning, connectivity, the start."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from linear_lottery import _imp, flow
from linear_lottery.closed_forms.accounting import threshold_loss_increase
from linear_lottery.closed_forms.landscape import condition_numbers
from linear_lottery.closed_forms.predictions import prediction_split
from linear_lottery.guarantees import samplers
from linear_lottery.guarantees.facts import SOURCE, Facts, facts, full_column_rank, option
from linear_lottery.guarantees.runs import SCHEDULES, prune
from planted.base.arrays import EPS
from recovery.guarantees import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import DESIGNS, linear_instance

__all__ = ["CONTROLS"]


def _full_rank(instance: Instance) -> Verdict:
    return full_column_rank(facts(instance))


def _anything(instance: Instance) -> Verdict:
    return Verdict.of(True, "nothing is required of X, y or the start")


def _within(difference: float, error: float, reason: str) -> Verdict:
    """Return whether two numbers are equal within rounding; the margin is error / difference - 1."""
    if not math.isfinite(difference) or not math.isfinite(error):
        return Verdict.unknown(f"{reason} cannot be compared: a square leaves the range of float64")
    if difference > 0.0:
        return exceeds(error, difference, f"{reason} differ by less than the rounding error", 0.0)
    return Verdict.of(True, f"{reason} are equal")


def _at_most(excess: float, error: float, reason: str) -> Verdict:
    """Return whether an excess over a bound is at most rounding error; the margin is error / excess - 1."""
    if not math.isfinite(excess) or not math.isfinite(error):
        return Verdict.unknown(f"a square leaves the range of float64: whether {reason} is open")
    return exceeds(error, excess, f"{reason}, up to rounding error", 0.0) if excess > 0.0 else Verdict.of(True, reason)


def _paths(instance: Instance, **options: Any) -> Iterator[Any]:
    for schedule in SCHEDULES:
        yield prune(instance, instance.sparsity, schedule, **options)


def _rss(known: Facts, w: np.ndarray) -> float:
    rest = known.y - known.X @ w
    return float(rest @ rest)


def _rss_error(known: Facts, w: np.ndarray) -> float:
    """Return the rounding error of a residual sum of squares: cancellation in y - X w, and that of w squared."""
    largest, size = float(known.s[0]), float(np.linalg.norm(known.y)) + float(known.s[0] * np.linalg.norm(w))
    return 16.0 * sum(known.X.shape) * EPS * size * size + (largest * known.weight_error(w)) ** 2


def _rss_outcome(instance: Instance) -> Verdict:
    known, found = facts(instance), []
    for path in _paths(instance):
        for r in range(path.n_rounds):
            before, gone = path.masks[r], np.flatnonzero(path.masks[r] & ~path.masks[r + 1])
            w = path.weights[r]
            rows = np.linalg.pinv(known.X[:, before])[np.searchsorted(np.flatnonzero(before), gone)]
            # w_R' (Sg_RR)^-1 w_R with Sg = rows rows': a least-norm problem, which does not square the condition number
            rise = float(np.sum(np.linalg.lstsq(rows, w[gone], rcond=None)[0] ** 2))
            seen = _rss(known, path.weights[r + 1]) - _rss(known, w)
            error = 2.0 * (_rss_error(known, w) + _rss_error(known, path.weights[r + 1])) + known.rounding() * rise
            found.append(_within(abs(seen - rise), error, "the rise of |y - X w|^2 and w_R' [Sg_RR]^-1 w_R"))
            length, moved = float(w[gone] @ w[gone]), known.X[:, gone] @ w[gone]
            low, high = known.smallest, float(known.s[0])
            steps = [low * low * length, seen, float(moved @ moved), high * high * length]
            for less, more in pairwise(steps):
                found.append(_at_most(max(less - more, 0.0), error, "the rise of |y - X w|^2 lies between its bounds"))
    return all_of(found)


def _run_outcome(instance: Instance) -> Verdict:
    known, tau = facts(instance), option(instance, "tau")
    path = _imp.threshold_prune(known.X, known.y, tau, w0=instance.x0)
    n, d = known.X.shape
    rise = (_rss(known, path.w) - _rss(known, path.weights[0])) / n
    size = float(np.linalg.norm(known.y)) + float(known.s[0]) * float(np.linalg.norm(path.weights, axis=1).max())
    error = 64.0 * (n + d) * EPS * size * size / n
    bound = threshold_loss_increase(known.X, tau, d - path.sparsity)
    reason = "lam_max(X'X / n) tau^2 (d - m) exceeds the rise of the training error"
    if rise <= error:
        return Verdict.of(True, "the training error did not rise")
    return exceeds(bound, rise, reason, error / max(bound, rise))


def _start_outcome(instance: Instance) -> Verdict:
    known = facts(instance)
    path, away = prune(instance, instance.sparsity, "one-by-one"), float(np.linalg.norm(instance.x0))
    found = []
    for mask, w in zip(path.masks, path.weights, strict=True):
        other = flow.gradient_flow(known.X, known.y, instance.x0, mask=mask)
        error = 2.0 * known.weight_error(w) + 8.0 * known.X.shape[1] * EPS * known.cond * away
        found.append(_within(float(np.linalg.norm(other - w)), error, "the weights from two starts"))
    return all_of(found)


def _conditioning_outcome(instance: Instance) -> Verdict:
    known, found = facts(instance), []
    for path in _paths(instance):
        if path.sparsity == 0:
            continue
        numbers = condition_numbers(known.X, path.masks)
        for before, after in pairwise(numbers):
            slack = 4.0 * known.rounding() * before
            found.append(
                exceeds(
                    before + slack,
                    after,
                    "the condition number before a round exceeds that after it, up to rounding error",
                    0.0,
                )
            )
    return all_of(found)


def _barrier_outcome(instance: Instance) -> Verdict:
    known, found = facts(instance), []
    for path in _paths(instance, w0=instance.x0):
        for first, second in pairwise(path.weights):
            ends = _rss(known, first), _rss(known, second)
            size = float(np.linalg.norm(known.y)) + float(known.s[0]) * float(
                max(np.linalg.norm(first), np.linalg.norm(second))
            )
            error = 16.0 * sum(known.X.shape) * EPS * size * size
            for s in (0.25, 0.5, 0.75):
                above = _rss(known, (1.0 - s) * first + s * second) - (1.0 - s) * ends[0] - s * ends[1]
                found.append(_at_most(max(above, 0.0), error, "the loss stays below the chord between two solutions"))
    return all_of(found)


def _split_outcome(instance: Instance) -> Verdict:
    known, found = facts(instance), []
    for path in _paths(instance):
        for mask, w in zip(path.masks, path.weights, strict=True):
            off = known.X @ (w - instance.x)
            bias, variance = prediction_split(known.X, instance.x, instance.noise, mask)
            size = float(np.linalg.norm(known.y) + np.linalg.norm(instance.noise)) + float(
                known.s[0] * (np.linalg.norm(w) + np.linalg.norm(instance.x))
            )
            # errors of the projections are of the order of cond eps
            shift = float(known.s[0]) * known.weight_error(w) + known.rounding() * size
            error = 4.0 * shift * (shift + float(np.linalg.norm(off)) + math.sqrt(len(off) * (bias + variance)))
            difference = abs(float(off @ off) - len(off) * (bias + variance))
            found.append(_within(difference, error, "the prediction error and the sum of its bias and variance"))
    return all_of(found)


def _tall(rng: np.random.Generator) -> Instance:
    return samplers.tall(rng, start=True)


def _any(rng: np.random.Generator) -> Instance:
    instance = linear_instance(rng, designs=DESIGNS, d_range=(2, 8), n_range=(2, 14), tall=False, start=True)
    size = float(np.abs(instance.x).max()) * 10.0 ** rng.uniform(-2.0, 0.3)
    return instance.with_options(tau=size)


def _guarantee(
    name: str,
    statement: str,
    outcome: Callable[[Instance], Verdict],
    section: str,
    *,
    needs: tuple[str, ...] = ("y",),
    full_rank: bool = True,
) -> Guarantee:
    return Guarantee(
        name=name,
        kind="implication",
        statement=("If X has full column rank, " if full_rank else "For any X, y and start, ") + statement,
        source=SOURCE,
        evidence=f'docs/theory, "{section}"; tests/linear_lottery/test_guarantees_controls.py',
        hypotheses=_full_rank if full_rank else _anything,
        outcome=outcome,
        needs=needs,
        sampler=_tall if full_rank else _any,
        steer=None,
        scales=("data", "matrix"),
    )


CONTROLS = (
    _guarantee(
        "residual-accounting",
        "pruning R and retraining raises |y - X w|^2 by w_R' [Sg_RR]^-1 w_R, Sg = (X_M'X_M)^-1, which lies between "
        "sigma_min(X)^2 |w_R|^2 and |X_R w_R|^2 <= sigma_max(X)^2 |w_R|^2.",
        _rss_outcome,
        "Increase of the residual by pruning",
    ),
    _guarantee(
        "threshold-training-error",
        "threshold pruning at tau that ends with m weights raises the mean squared training error by at most "
        "lam_max(X'X / n) tau^2 (d - m).",
        _run_outcome,
        "Increase of the residual by pruning",
        needs=("y", "tau"),
        full_rank=False,
    ),
    _guarantee(
        "start-irrelevant",
        "the weights of every round of IMP, trained to convergence, are the same from any start.",
        _start_outcome,
        "Pruning by magnitude",
        needs=("y", "x0"),
    ),
    _guarantee(
        "conditioning-improves",
        "the condition number of X_M never rises along a path of IMP with any schedule.",
        _conditioning_outcome,
        "Conditioning and connectivity along a path",
    ),
    _guarantee(
        "no-barrier",
        "the loss on the segment between the solutions of two successive rounds never exceeds its chord.",
        _barrier_outcome,
        "Conditioning and connectivity along a path",
        full_rank=False,
    ),
    _guarantee(
        "prediction-split",
        "every mask of a path of IMP has |X w - X w*|^2 = |(I - P_M) X w*|^2 + |P_M xi|^2.",
        _split_outcome,
        "Errors of predictions",
        needs=("x", "noise"),
    ),
)
"""Guarantees without a boundary: their hypotheses clearly hold or clearly fail."""
