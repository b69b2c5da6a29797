"""Guarantees that hard thresholding converges when it keeps more non-zeros than x has, for any condition number."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from planted.base.checks import check_integer, check_number
from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import frames
from recovery.guarantees.linear.iterative import (
    STEPS,
    ends_low,
    extremes,
    held_to,
    instance_with,
    isometry,
    matrix_of,
    nothing_to_run,
    outside,
    smaller,
    start,
    trace,
)
from recovery.operators.gated import GatedOperator

__all__ = [
    "expansion",
    "guarantees",
    "jain_tewari_kar_rule",
    "largest_kappa",
    "relaxed_rule",
]

CONSTANT = 32.0
"""Of s~ >= 32 kappa^2 s."""


def expansion(s: int, kept: int) -> float:
    """Return how much keeping the largest entries can enlarge the distance to a sparser vector.

    Parameters
    ----------
    s : int
        Non-zeros of the vector, at least 0.
    kept : int
        s~, the number of entries kept; at least s and at least 1.

    Returns
    -------
    float
        tau = (sqrt(rho) + sqrt(rho + 4)) / 2 with rho = s / s~: |H_{s~}(u) - x| <= tau |u - x|, the golden ratio for
        s~ = s.

    Raises
    ------
    TypeError, ValueError
        If a number is not an integer, or `kept` is less than `s` or 1.

    References
    ----------
    Shen and Li, "A tight bound of hard thresholding", JMLR 2018 (from memory of the literature); proved in
    docs/theory, section Keeping more entries, and verified by tests/recovery/test_guarantees_relaxed.py.
    """
    s = check_integer(s, "s", minimum=0)
    kept = check_integer(kept, "kept", minimum=max(s, 1))
    rho = s / kept
    return (math.sqrt(rho) + math.sqrt(rho + 4.0)) / 2.0


def largest_kappa(s: int, kept: int, constant: float | None = None) -> float:
    """Return the condition number of order 2 s~ + s below which keeping s~ entries is enough.

    Parameters
    ----------
    s : int
        Non-zeros of x, at least 1.
    kept : int
        s~, at least s.
    constant : float, optional
        Solve s~ = constant kappa^2 s (32 in the theorem of Jain, Tewari and Kar). None solves
        s~ = (kappa - 1 / kappa)^2 s / 16.

    Returns
    -------
    float
        kappa; below 1 if no matrix satisfies the condition.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    s = check_integer(s, "s", minimum=1)
    kept = check_integer(kept, "kept", minimum=s)
    if constant is not None:
        return math.sqrt(kept / (check_number(constant, "constant", minimum=1e-300) * s))
    root = 2.0 * math.sqrt(kept / s)
    return root + math.sqrt(root * root + 1.0)


def relaxed_rule(constant: float | None) -> Callable[[Instance], Verdict]:
    """Return the hypothesis kappa_{2s~+s} < :func:`largest_kappa`, s~ the instance's option ``"relaxed"``."""

    def hypotheses(instance: Instance) -> Verdict:
        kept, s = int(instance.options["relaxed"]), instance.sparsity
        if not s <= kept <= instance.shape[1]:
            return Verdict.of(False, f"s~ = {kept} is not between s = {s} and N = {instance.shape[1]}")
        aside = outside(instance, kept)
        if aside is not None:
            return aside
        order = min(2 * kept + s, instance.shape[1])
        limit = largest_kappa(s, kept, constant)
        return smaller(
            isometry(instance.matrix, order).kappa, limit, f"the limit for s~ = {kept} exceeds kappa_{order}"
        )

    return hypotheses


jain_tewari_kar_rule = relaxed_rule(CONSTANT)
"""s~ >= 32 kappa^2 s, kappa of order 2 s~ + s: the hypothesis used by Theorem 1 about ReLU networks."""


def _setting(instance: Instance) -> Verdict | tuple[int, float, float]:
    """Return s~ and the extreme eigenvalues of order 2 s~ + s, or the verdict if there is nothing to run."""
    aside = nothing_to_run(instance)
    if aside is not None:
        return aside
    kept, s = int(instance.options["relaxed"]), instance.sparsity
    if not s <= kept <= instance.shape[1]:
        return Verdict.unknown(f"s~ = {kept} is not between s = {s} and N = {instance.shape[1]}")
    return kept, *extremes(instance.matrix, 2 * kept + s)


def approaches(limit_of: Callable[[int, int], float]) -> Callable[[Instance], Verdict]:
    """Return the outcome "with the best step the errors are at most (tau delta)^t |x0 - x|"."""

    def outcome(instance: Instance) -> Verdict:
        setting = _setting(instance)
        if isinstance(setting, Verdict):
            return setting
        kept, low, high = setting
        run = trace(instance, "iht", sparsity=kept, step=2.0 / (low + high))
        limit = limit_of(instance.sparsity, kept)
        slope = (high - low) / (high + low) * (limit + 1.0) / (limit - 1.0)
        if not slope < 1.0:
            return ends_low(run, run.errors[-1], run.floor, "the error")
        bounds = [run.errors[0] * slope**t for t in range(STEPS + 1)]
        return held_to(run.errors, bounds, run.floor, f"the error (rate {slope:.6g})")

    return outcome


def descends_relaxed(instance: Instance) -> Verdict:
    """Return whether the objectives with step 2 / (3 L) are at most (1 - 5 / (9 kappa))^t times the first."""
    setting = _setting(instance)
    if isinstance(setting, Verdict):
        return setting
    kept, low, high = setting
    run = trace(instance, "iht", sparsity=kept, step=2.0 / (3.0 * high))
    slope = 1.0 - 5.0 * low / (9.0 * high)
    bounds = [run.objectives[0] * slope**t for t in range(STEPS + 1)]
    return held_to(run.objectives, bounds, 0.5 * high * run.floor**2, f"the objective (rate {slope:.6g})")


def relaxed_sampler(rng: np.random.Generator, constant: float | None = None) -> Instance:
    """Draw small columns and s~ from s to s + 4 with kappa_{2s~+s} near the limit for s~."""
    more = int(rng.integers(0, 5))
    while True:
        drawn = instance_with(
            rng,
            lambda s: 3 * s + 2 * more,
            lambda s, margin: largest_kappa(s, s + more, constant) / (1.0 + margin),
            others=7,
        )
        kept = drawn.sparsity + more
        if kept <= drawn.shape[1]:
            break
    return drawn.replace(
        x0=start(rng, drawn.matrix, drawn.x, kept), options={"design": drawn.options["design"], "relaxed": kept}
    )


def orthonormal_sampler(rng: np.random.Generator) -> Instance:
    """Draw 34 to 80 nearly orthonormal columns, some gated, with kappa near sqrt(s~ / (32 s)), s = 1 or 2."""
    while True:
        s = 1 if rng.random() < 0.35 else 2
        kept = int(rng.integers(32 * s + 1, 37 * s + 1))
        kappa = largest_kappa(s, kept, CONSTANT) / (1.0 + frames.aim(rng, 0.06))
        if kappa > 1.0:
            break
    name, A = _nearly_orthonormal(rng, kept + int(rng.integers(1, 6)), kappa)
    matrix = matrix_of(A)
    x = frames.plant(rng, matrix.T @ matrix, s)
    return Instance.planted(A, x, x0=start(rng, matrix, x, kept), options={"design": name, "relaxed": kept})


def _nearly_orthonormal(rng: np.random.Generator, size: int, kappa: float) -> tuple[str, np.ndarray | GatedOperator]:
    """Return at least `size` columns with a given condition number, and the name of their design."""
    scale = 10.0 ** rng.uniform(-1.0, 1.0)
    kind = int(rng.integers(4))
    if kind == 0:  # two gates without common rows: each feature appears twice
        d = -(-size // 2)
        lengths = np.sqrt(1.0 + (kappa - 1.0) * rng.permutation(np.linspace(0.0, 1.0, 2 * d)))
        gates = np.repeat(np.eye(2, dtype=bool), d, axis=0)
        blocks = [_turned(rng, np.diag(part)) for part in (lengths[:d], lengths[d:])]
        return "gated", GatedOperator(scale * np.concatenate(blocks), gates)
    if kind == 1:  # one direction is longer or shorter than all others
        u = rng.choice([-1.0, 1.0], size) / math.sqrt(size)
        factor = kappa ** (0.5 if rng.random() < 0.5 else -0.5)
        return "equicorrelated", scale * _turned(rng, np.eye(size) + (factor - 1.0) * np.outer(u, u))
    A = _turned(rng, np.diag(np.sqrt(1.0 + (kappa - 1.0) * rng.permutation(np.linspace(0.0, 1.0, size)))))
    return ("unequal_norms", scale * A) if kind == 2 else ("rotated", scale * _turned(rng, A.T).T)


def _turned(rng: np.random.Generator, A: np.ndarray) -> np.ndarray:
    """Multiply from the left by three random reflections: sufficient here instead of a general rotation, and cheap."""
    for _ in range(3):
        u = rng.standard_normal(len(A))
        A = A - np.outer(u, (2.0 / (u @ u)) * (u @ A))
    return A


def guarantees() -> list[Guarantee]:
    """Return the guarantees of hard thresholding with a relaxed sparsity s~, the option ``"relaxed"``.

    Returns
    -------
    list of Guarantee
        alpha and beta = L are the extreme eigenvalues over 2 s~ + s columns and kappa = beta / alpha. The runs are
        those of :func:`recovery.solve` with sparsity s~, from x0 (zero if None), which may have s~ non-zeros.
    """
    tests = "tests/recovery/test_guarantees_relaxed.py"
    proof = "docs/theory, section Keeping more entries"
    return [
        Guarantee(
            "iht-relaxed-sparsity",
            "implication",
            "Without noise, if s~ > (kappa - 1 / kappa)^2 s / 16 with kappa of order 2 s~ + s, x is s-sparse and x0 "
            "s~-sparse, then IHT that keeps s~ entries with step 2 / (alpha + beta) has |x_t - x| <= (tau (kappa - "
            "1) / (kappa + 1))^t |x0 - x|, tau = (sqrt(rho) + sqrt(rho + 4)) / 2, rho = s / s~.",
            f"derived here: {proof}",
            tests,
            relaxed_rule(None),
            approaches(largest_kappa),
            needs=("x", "noise", "relaxed"),
            sampler=relaxed_sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "iht-jain-tewari-kar",
            "implication",
            "Without noise, if s~ >= 32 kappa^2 s with kappa = L / alpha of order 2 s~ + s, x is s-sparse and x0 "
            "s~-sparse, then IHT that keeps s~ entries with step 2 / (3 L) has f(x_t) <= (1 - 5 / (9 kappa))^t "
            "f(x_0), so f(x_t) <= eps for all t >= (9 kappa / 5) log(f(x_0) / eps).",
            f"Jain, Tewari and Kar, NIPS 2014 (from memory of the literature, verified numerically by {tests}); the "
            f"rate is derived here: {proof}",
            tests,
            jain_tewari_kar_rule,
            descends_relaxed,
            needs=("x", "noise", "relaxed"),
            sampler=orthonormal_sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
    ]
