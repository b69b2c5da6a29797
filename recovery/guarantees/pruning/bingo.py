"""Guarantees about BINGO's scores on linear models: order, variance and expectation, by probes or enumeration."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from itertools import combinations

import numpy as np

from planted.base.arrays import EPS
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import DESIGNS, linear_instance
from recovery.guarantees.pruning.shared import equal, false, far_from_one, nothing_asked, stated, within
from recovery.operators.ranks import nearest_solution
from recovery.pruning.bingo import Bingo
from recovery.pruning.closed_forms import bingo
from recovery.pruning.cost import Cost
from recovery.pruning.data import Data
from recovery.pruning.frame import Frame
from recovery.pruning.model import Model
from recovery.pruning.training import Step

__all__ = ["BINGO", "controls"]

PAPER = "BINGO (arXiv:2505.09864)"
MOST_WEIGHTS = 10
"""Largest number of weights of a model whose subsets are enumerated."""
MOST_SEQUENCES = 4_000
"""Largest number of sequences of probes to enumerate."""
NEEDS = ("x", "noise", "x0")
PROBES = (*NEEDS, "size", "probes", "probe_seed")


def _losses(instance: Instance, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Return |A w - y|^2 / (2 n) for each row of weights, and a bound on the rounding errors."""
    A, y = instance.matrix, instance.y
    rest = weights @ A.T - y
    size = np.abs(weights) @ np.abs(A.T) + np.abs(y)
    n = max(len(y), 1)
    error = 16 * (sum(A.shape) + 4) * EPS * float(np.max(np.sum(size * size, axis=1))) / n
    return np.sum(rest * rest, axis=1) / (2 * n), error


def _quadratic(instance: Instance, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gradient and Hessian of the loss at w."""
    A, n = instance.matrix, max(len(instance.y), 1)
    return A.T @ (A @ w - instance.y) / n, A.T @ A / n


def _size(instance: Instance) -> int:
    """Return the number of weights that a probe resets, between 1 and all."""
    return 1 + (int(instance.options["size"]) - 1) % instance.shape[1]


def _loss_is_there(instance: Instance) -> Verdict:
    before = float(_losses(instance, instance.x[None])[0][0])
    if before > 0.0 and math.isfinite(before):
        return Verdict.of(True, f"the loss {before:.3g} is positive")
    return Verdict.of(False, f"the loss is {before:.3g}, so changes relative to it are not defined")


def _loss_is_lost(instance: Instance) -> Verdict | None:
    """Return the verdict ``unknown`` if changes relative to the loss are not defined."""
    there = _loss_is_there(instance)
    return None if there.status == "holds" else Verdict.unknown(there.reason)


class _FromZero(Bingo):
    """The same with scores that start at 0, for a control."""

    @property
    def first(self) -> float:
        """Score of a weight before its first probe."""
        return 0.0


def _both_scores(instance: Instance, rule: type[Bingo]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return printed and corrected scores of the criterion itself, and bounds on their rounding errors.

    Training starts at x0, and its updates leave the weights at x.
    """
    X, y = instance.matrix, instance.y[:, None]
    start, data, found = Model([instance.x0[:, None]]), Data(X, y), []
    step = Step(1, 1, Frame(start), instance.x[None], gradient=np.zeros((1, len(instance.x))), X=X, y=y)
    for variant in ("printed", "corrected"):
        rng = np.random.default_rng(int(instance.options["probe_seed"]))
        observer = rule(variant, signal="loss", subset=_size(instance)).begin(start, data, rng, Cost())
        for _ in range(int(instance.options["probes"])):
            observer.step(step)
        found.append(observer.scores()[0][:, 0])
    largest = max(1.0, *(float(np.abs(one).max()) for one in found))
    return found[0], found[1], 8 * (int(instance.options["probes"]) + 1) * EPS * largest


def _adds_up_and_reverses(instance: Instance) -> Verdict:
    lost = _loss_is_lost(instance)
    if lost is not None:
        return lost
    printed, corrected, error = _both_scores(instance, Bingo)
    identity = equal(printed, 1.0 - corrected, error, "the printed score and 1 - the corrected score")
    return all_of([identity, _reverses(instance)])


def _reverses(instance: Instance, *, rule: type[Bingo] = Bingo) -> Verdict:
    """Return whether printed scores sort the weights in reverse order wherever the corrected ones clearly differ."""
    lost = _loss_is_lost(instance)
    if lost is not None:
        return lost
    printed, corrected, error = _both_scores(instance, rule)
    gap = corrected[:, None] - corrected
    clear = gap > 4 * error
    if not clear.any():
        return Verdict.of(True, "no two scores differ")
    ratio = (printed - printed[:, None])[clear] / gap[clear]
    worst = float(ratio.min())
    reason = "the smallest difference of printed scores, over that of the corrected scores in reverse order,"
    return Verdict("holds" if worst > 0.0 else "fails", worst, f"{reason} is {worst:.3g}")


def _aside(instance: Instance) -> Verdict | None:
    """Return the verdict if enumeration is too large, otherwise None."""
    p = instance.shape[1]
    if p > MOST_WEIGHTS:
        return Verdict.unknown(f"{p} weights have too many subsets to enumerate")
    return far_from_one(instance.matrix, instance.y, instance.x, instance.x0)


def _sequences(instance: Instance) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield, for each weight, the loss changes of its subsets, and the scores after every sequence of N probes."""
    p, size = instance.shape[1], _size(instance)
    subsets = np.array([[j in one for j in range(p)] for one in combinations(range(p), size)])
    before = float(_losses(instance, instance.x[None])[0][0])
    after, _ = _losses(instance, np.where(subsets, instance.x0, instance.x))
    for j in range(p):
        mine = after[subsets[:, j]]
        probes = int(math.log(MOST_SEQUENCES) / math.log(max(len(mine), 2)))
        scores = np.array([0.0])
        for _ in range(probes):
            scores = np.concatenate([bingo.corrected_score(scores, before, float(value)) for value in mine])
        yield np.abs(mine - before) / before, scores, probes


def _average_forgets(instance: Instance, *, claimed: float | None = None) -> Verdict:
    for aside in (_aside(instance), _loss_is_lost(instance)):
        if aside is not None:
            return aside
    found = []
    for changes, scores, probes in _sequences(instance):
        variance = float(np.var(changes))
        largest = float(np.max(changes))
        error = 64 * (probes + 4) * EPS * largest * largest
        if not math.isfinite(error):
            return Verdict.unknown("squares of the changes leave the range of float64")
        seen = float(np.var(scores))
        if claimed is None:
            wanted = bingo.score_variance(variance, probes)
            reason = f"the variance of the average of {probes} probes and sigma^2 (1 - 4^-N) / 3"
            found.append(within(abs(seen - wanted), error, reason))
        elif seen > claimed * variance / probes + error:
            found.append(
                Verdict(
                    "fails", -1.0, f"the variance is {seen:.3g} after {probes} probes, with sigma^2 = {variance:.3g}"
                )
            )
    return all_of(found)


def _coalitions(instance: Instance, *, interactions: bool = True) -> Verdict:
    aside = _aside(instance)
    if aside is not None:
        return aside
    w, p = instance.x, instance.shape[1]
    inside = (np.arange(2**p)[:, None] >> np.arange(p)) & 1 == 1
    counts = inside.sum(axis=1)
    gradient, hessian = _quadratic(instance, w)
    found = []
    for name, target in (("reset", instance.x0), ("zero", np.zeros(p))):
        losses, error = _losses(instance, np.where(inside, target, w))
        shift = target - w
        for size in range(1, p + 1):
            here = inside[counts == size]
            change = losses[counts == size] - losses[0]
            seen = (here.T @ change) / here.sum(axis=0)
            wanted = bingo.expected_change(gradient, hessian, shift, size)
            if not interactions:  # a control: the closed form without b_j
                one, two = bingo.coalition_share(size, p)
                curvature = np.diagonal(hessian)
                wanted = wanted - (one - two) * (shift * (hessian @ shift) - curvature * shift * shift)
            reason = f"{name}, {size} of {p} weights: the mean over all subsets and the closed form"
            found.append(equal(seen, wanted, 4 * error, reason))
    return all_of(found)


def _single_probes(instance: Instance, *, at: str = "optimum") -> Verdict:
    aside = far_from_one(instance.matrix, instance.y, instance.x, instance.x0)
    if aside is not None:
        return aside
    p, A = instance.shape[1], instance.matrix
    w = instance.x
    if at == "optimum":
        w = nearest_solution(np, A, instance.y, np.zeros(p), A.dtype)[0]
    gradient, hessian = _quadratic(instance, w)
    curvature = np.diagonal(hessian)
    found = []
    for name, target in (("movement", instance.x0), ("brain damage", np.zeros(p))):
        losses, error = _losses(instance, np.vstack([w, np.where(np.eye(p, dtype=bool), target, w)]))
        # the gradient at the computed optimum is not exactly 0
        if at == "optimum" and float(np.max(np.abs(gradient * (target - w)), initial=0.0)) > 4 * error:
            return Verdict.unknown("the gradient at the computed least-squares solution is not 0, by rounding error")
        wanted = curvature * (w - target) ** 2 / 2
        found.append(
            equal(
                losses[1:] - losses[0],
                wanted,
                8 * error,
                f"the rise of the loss by a probe of one weight and its {name} score",
            )
        )
    return all_of(found)


def _sampler(rng: np.random.Generator) -> Instance:
    instance = linear_instance(rng, designs=DESIGNS, d_range=(2, 6), n_range=(1, 12), tall=False, start=True)
    drawn = {
        "size": int(rng.integers(1, 7)),
        "probes": int(rng.integers(1, 25)),
        "probe_seed": int(rng.integers(2**31)),
    }
    return instance.with_options(**drawn)


BINGO: tuple[Guarantee, ...] = (
    stated(
        "bingo-printed-reverses",
        "If scores start at 1/2 and the loss L > 0, then after any probes of the weights the printed score S <- (S + "
        "1 - |dL| / L) / 2 equals 1 minus the corrected score S <- (S + |dL| / L) / 2, so that the printed score "
        "prunes in the reverse order.",
        _loss_is_there,
        _adds_up_and_reverses,
        _sampler,
        section="The scores of BINGO",
        paper=PAPER,
        needs=PROBES,
    ),
    stated(
        "bingo-average-variance",
        "If the loss L > 0 and probes use independent uniform subsets of m weights, then after N probes of a weight "
        "its corrected score has variance sigma^2 (1 - 4^-N) / 3, with sigma^2 the variance of |dL| / L over subsets "
        "that contain the weight: more probes do not lower it.",
        _loss_is_there,
        _average_forgets,
        _sampler,
        section="The scores of BINGO",
        paper=PAPER,
        needs=(*NEEDS, "size"),
    ),
    stated(
        "bingo-coalition",
        "For any linear model, weights and start, and uniform subsets T of m weights, E[dL | j in T] = q sum(a) + (q2 "
        "/ 2) sum(b) + (1 - q) a_j + (q - q2) b_j, for resets (d = w0 - w) and zeroing (d = -w), with a_j = g_j "
        "d_j + H_jj d_j^2 / 2, b_j = d_j (H d)_j - H_jj d_j^2, q = (m - 1) / (p - 1), q2 = q (m - 2) / (p - 2).",
        nothing_asked,
        _coalitions,
        _sampler,
        section="Expected change of the loss in a probe of BINGO",
        paper=PAPER,
        needs=NEEDS,
    ),
    stated(
        "bingo-single-probe",
        "If w is a least-squares solution, a probe of one weight raises the loss by H_jj (w_j - w0_j)^2 / 2 for a "
        "reset, which measures the movement of the weight, and by H_jj w_j^2 / 2 for zeroing, the saliency of "
        "Optimal Brain Damage.",
        nothing_asked,
        _single_probes,
        _sampler,
        section="Expected change of the loss in a probe of BINGO",
        paper=PAPER,
        needs=("y", "x0"),
    ),
)
"""Exact statements about BINGO."""


def controls() -> list[tuple[Guarantee, int]]:
    """Return false statements about BINGO, and the evaluations within which the attack must refute each."""
    return [
        (
            false(
                "bingo-any-start",
                "If the loss L > 0 and scores start at 0, the printed score prunes in the reverse order of the "
                "corrected one.",
                "the more often a weight was probed, the less its start matters",
                _loss_is_there,
                partial(_reverses, rule=_FromZero),
                _sampler,
                needs=PROBES,
            ),
            2_000,
        ),
        (
            false(
                "bingo-average-consistent",
                "The variance of BINGO's average of N probes is at most sigma^2 / N.",
                "for large N it is sigma^2 / 3",
                _loss_is_there,
                partial(_average_forgets, claimed=1.0),
                _sampler,
                needs=(*NEEDS, "size"),
            ),
            2_000,
        ),
        (
            false(
                "bingo-no-interaction",
                "E[dL | j in T] differs between weights by (1 - q) a_j alone.",
                "the weights of a subset interact through H, unless its columns are orthogonal",
                nothing_asked,
                partial(_coalitions, interactions=False),
                _sampler,
                needs=NEEDS,
            ),
            2_000,
        ),
        (
            false(
                "bingo-single-probe-anywhere",
                "At any weights a probe of one weight raises the loss by H_jj (w_j - w0_j)^2 / 2.",
                "at other points the gradient is not 0 and contributes",
                nothing_asked,
                partial(_single_probes, at="truth"),
                _sampler,
                needs=NEEDS,
            ),
            2_000,
        ),
    ]
