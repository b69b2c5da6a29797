"""Guarantees that marginal screening, the k largest correlations with the data, finds the support."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from recovery.exact.bounded import Bounded, constant, data_of, matmul, noise_of
from recovery.guarantees.engine.base import Guarantee, Verdict, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import linear_instance
from recovery.guarantees.linear import frames

__all__ = ["guarantees"]


def _correlations(instance: Instance) -> tuple[Bounded, Bounded]:
    """Return the smallest |A_i'A x| on the support, and the largest off it."""
    A, x, S = instance.matrix, instance.x, instance.support
    found = abs(matmul(matmul(A.T, A[:, S]), x[S]))
    there = x != 0.0
    return found[there].min(), found[~there].max()


def _nothing_to_tell(instance: Instance) -> Verdict | None:
    k = len(instance.support)
    return Verdict.of(True, f"k = {k}, so there is nothing to select") if k in (0, instance.shape[1]) else None


def _faithful(instance: Instance) -> Verdict:
    if not instance.noise_free:  # an equivalence says nothing here, so not "fails"
        return Verdict.unknown("there is noise; the statement is about data without noise")
    trivial = _nothing_to_tell(instance)
    if trivial is not None:
        return trivial
    low, high = _correlations(instance)
    return exceeds(low, high, "min |G_SS x_S| exceeds max |G_{S^c S} x_S|")


def separated_rule(factor: float) -> Callable[[Instance], Verdict]:
    """Return the hypothesis with noise; the proved constant is 2, and tests use smaller ones."""

    def hypotheses(instance: Instance) -> Verdict:
        trivial = _nothing_to_tell(instance)
        if trivial is not None:
            return trivial
        low, high = _correlations(instance)
        disturbance = constant(factor) * abs(matmul(instance.matrix.T, noise_of(instance))).max()
        gap = low - high
        if gap.upper <= 0.0:
            worse = low.value / high.value - 1.0 if high.value > 0.0 else -1.0
            return Verdict("fails", worse, "screening fails even without noise")
        return exceeds(gap, disturbance, "the gap between the correlations exceeds the effect of the noise")

    return hypotheses


def _screen(instance: Instance) -> Verdict:
    trivial = _nothing_to_tell(instance)
    if trivial is not None:
        return trivial
    score = abs(matmul(instance.matrix.T, data_of(instance)))
    first = np.sort(np.argsort(-score.value, kind="stable")[: len(instance.support)])
    there = instance.x != 0.0
    verdict = exceeds(
        score[there].min(), score[~there].max(), "the smallest |a_j'y| on S exceeds the largest outside S"
    )
    if verdict.status != "unknown" and (verdict.status == "holds") != np.array_equal(first, instance.support):
        return Verdict.unknown("two correlations are tied within rounding error", 0.0)
    return verdict


def _faithful_sampler(rng: np.random.Generator) -> Instance:
    k, size = frames.sizes(rng)
    name, E = frames.pattern(rng, size, unit=bool(rng.random() < 0.6))
    x = frames.plant(rng, np.eye(size) + E, k)
    there = x != 0.0

    def ratio(t: float) -> float:
        found = np.abs(x + t * (E @ x))
        low, high = float(found[there].min()), float(found[~there].max())
        return high / low if low > 0.0 else math.inf

    t = frames.crossing(ratio, 1.0 / (1.0 + frames.aim(rng)), frames.largest_step(E) * (1.0 - 1e-9))
    A = frames.columns(rng, np.eye(size) + t * E)
    assert A is not None
    scale = 10.0 ** rng.choice([-3.0, 0.0, 0.0, 3.0])
    return Instance.planted(scale * A, x, options={"design": name})


def _noisy_sampler(rng: np.random.Generator) -> Instance:
    if rng.random() < 0.5:
        return linear_instance(rng, designs=("gaussian", "orthogonal", "toeplitz", "equicorrelated"), d_range=(3, 8))
    instance = _faithful_sampler(rng)
    noise = rng.standard_normal(instance.shape[0])
    if rng.random() < 0.5:  # against the weakest column of the support, towards the strongest outside
        score = instance.matrix.T @ instance.y
        there = instance.x != 0.0
        weak = int(np.argmin(np.where(there, np.abs(score), np.inf)))
        strong = int(np.argmax(np.where(there, -1.0, np.abs(score))))
        target = np.zeros(len(score))
        target[weak], target[strong] = -np.sign(score[weak]), 1.0 if score[strong] >= 0.0 else -1.0
        noise = np.linalg.pinv(instance.matrix).T @ target
    return instance.replace(noise=0.1 * float(np.linalg.norm(instance.y)) * noise / float(np.linalg.norm(noise)))


def guarantees() -> list[Guarantee]:
    """Return the guarantees of marginal screening.

    Returns
    -------
    list of Guarantee
        An equivalence without noise, and an implication with noise.
    """
    return [
        Guarantee(
            "screening-faithfulness",
            "equivalence",
            "Without noise, the k largest |a_j'y| are those of the support if and only if min |G_SS x_S| > max "
            "|G_{S^c S} x_S|, G = A'A.",
            "Genovese, Jin, Wasserman and Yao 2012 call it faithfulness, by the abstract; immediate from A'y = G x",
            "tests/recovery/test_guarantees_screening.py",
            _faithful,
            _screen,
            sampler=_faithful_sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "screening-noise",
            "implication",
            "If min |G_SS x_S| - max |G_{S^c S} x_S| > 2 |A'xi|_inf with G = A'A, then the k largest |a_j'y| are "
            "those of the support.",
            "derived here: docs/theory, section Marginal screening with noise",
            "tests/recovery/test_guarantees_screening.py",
            separated_rule(2.0),
            _screen,
            sampler=_noisy_sampler,
            steer="noise",
            scales=("data", "matrix"),
        ),
    ]
