"""True guarantees, and false ones similar to them, for tests of the attack and the ledger."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from recovery import Instance, NoiseLaw
from recovery.guarantees import Guarantee, Verdict, exceeds, linear_instance


def plain(rng):
    """Draw a tall Gaussian model with Gaussian noise: nothing about it is adversarial."""
    d = int(rng.integers(2, 6))
    x = np.zeros(d)
    x[: int(rng.integers(1, d))] = 1.0
    n = d + int(rng.integers(0, 4))
    noise = 0.1 * rng.standard_normal(n)
    return Instance.planted(rng.standard_normal((n, d)), x, noise, options={"design": "gaussian"})


def pruned_at_once(instance):
    """Whether the largest least-squares weights are the planted ones: one-shot pruning."""
    w = np.abs(np.linalg.lstsq(instance.matrix, instance.y)[0])
    there = instance.x != 0.0
    if there.all() or not there.any():
        return Verdict.of(True, "there is nothing to tell apart")
    return exceeds(float(w[there].min()), float(w[~there].max()), "weakest planted against strongest other", 1e-9)


def projection_bound(constant, sampler=linear_instance, name=None):
    """One-shot pruning finds S if min|x| > constant |P noise| / sigma_min: true from sqrt 2 on."""

    def hypotheses(instance):
        Q, R = np.linalg.qr(instance.matrix)
        smallest = np.linalg.svd(R, compute_uv=False)[-1] if R.shape[0] == R.shape[1] else 0.0
        signal = np.min(np.abs(instance.x[instance.support]), initial=np.inf)
        if smallest <= 1e-9 * np.linalg.norm(R):
            return Verdict.unknown("the rank is not clear")
        return exceeds(signal * smallest, constant * float(np.linalg.norm(Q.T @ instance.noise)), "signal", 1e-9)

    return Guarantee(
        name or f"projection-bound-{constant:.3g}",
        "implication",
        "min|x_S| > c |P noise| / sigma_min(A) => one-shot pruning returns S.",
        "toy",
        "toy",
        hypotheses,
        pruned_at_once,
        sampler=sampler,
    )


def coherence_bound(limit, name="coherence-bound"):
    """OMP finds two atoms if mu < limit: true for 1/3, false for 1/2."""

    def sampler(rng):
        A = rng.standard_normal((int(rng.integers(4, 9)), 3))
        return Instance.planted(A, rng.choice([-1.0, 1.0], 3) * [1.0, 1.0, 0.0], options={"design": "gaussian"})

    def hypotheses(instance):
        A = instance.matrix / np.linalg.norm(instance.matrix, axis=0)
        mu = float(np.max(np.abs(A.T @ A - np.eye(A.shape[1])), initial=0.0))
        if np.count_nonzero(instance.x) != 2 or not instance.noise_free:
            return Verdict.of(False, "k is not 2, or there is noise")
        return exceeds(limit, mu, "limit against coherence")

    def outcome(instance):
        A = instance.matrix / np.linalg.norm(instance.matrix, axis=0)
        residual, chosen, margin = instance.y, [], math.inf
        there = instance.x != 0.0
        for _ in range(instance.sparsity):
            score = np.abs(A.T @ residual)
            score[chosen] = 0.0
            verdict = exceeds(float(score[there].max()), float(score[~there].max(initial=0.0)), "choice", 1e-9)
            margin = min(margin, verdict.margin)
            if verdict.status != "holds":
                return verdict
            chosen.append(int(np.argmax(score)))
            residual = instance.y - A[:, chosen] @ np.linalg.lstsq(A[:, chosen], instance.y)[0]
        return Verdict("holds", margin, "OMP found the support")

    return Guarantee(
        name,
        "implication",
        "mu < limit => OMP recovers two atoms.",
        "toy",
        "toy",
        hypotheses,
        outcome,
        sampler=sampler,
        steer=None,
    )


def tail_bound(delta, factor, name=None, law="gaussian"):
    """|noise|_inf < 1 with probability 1 - delta if 1 > factor sigma sqrt(2 log(2 n / delta)): true from 1 on."""

    def sampler(rng):
        drawn = NoiseLaw(law, 0.1)
        n = int(rng.integers(2, 8))
        options = {"design": str(rng.choice(["gaussian", "toeplitz", "block"]))}
        x = np.array([1.0, 1.0])
        return Instance.planted(rng.standard_normal((n, 2)), x, drawn.draw(n, rng), law=drawn, options=options)

    def hypotheses(instance):
        n = instance.shape[0]
        return exceeds(1.0, factor * instance.law.sigma * math.sqrt(2.0 * math.log(2.0 * n / delta)), "1 against bound")

    def outcome(instance):
        return exceeds(1.0, float(np.max(np.abs(instance.noise))), "1 against noise")

    return Guarantee(
        name or f"tail-bound-{factor:.3g}",
        "probability",
        "1 > factor sigma sqrt(2 log(2 n / delta)) => |noise|_inf < 1 with probability 1 - delta.",
        "toy",
        "toy",
        hypotheses,
        outcome,
        needs=("x", "noise", "law"),
        sampler=sampler,
        delta=delta,
    )


def sign_rule(power, name="sign-rule"):
    """The first entry of y is positive <=> x_1 > -(noise_1) ^ power: true for power 1, A = I."""

    def sampler(rng):
        d = int(rng.integers(2, 5))
        x = rng.standard_normal(d)
        return Instance.planted(np.eye(d), x, rng.standard_normal(d), options={"design": "identity"})

    def hypotheses(instance):
        if not np.array_equal(instance.matrix[:1], np.eye(1, instance.x.size)):
            return Verdict.unknown("the first row is not that of the identity")
        value = float(instance.x[0] + instance.noise[0] ** power)
        return Verdict("unknown" if abs(value) < 1e-12 else "holds" if value > 0 else "fails", value, "its sign")

    def outcome(instance):
        value = float((instance.matrix @ instance.x + instance.noise)[0])
        return Verdict("unknown" if abs(value) < 1e-12 else "holds" if value > 0 else "fails", value, "its sign")

    return Guarantee(name, "equivalence", "y_1 > 0", "toy", "toy", hypotheses, outcome, sampler=sampler, steer="signal")


def catalogue():
    """Return true ones only."""
    return [projection_bound(math.sqrt(2.0), name="toy-projection"), tail_bound(0.05, 1.0, name="toy-tail")]


def false_catalogue():
    """Return a true and a false one."""
    return [projection_bound(math.sqrt(2.0), name="toy-true"), projection_bound(0.7, name="toy-false")]


def poor_catalogue():
    """Return guarantees that cannot be tried as asked for."""

    def raises(instance):
        raise ZeroDivisionError("on purpose")

    def fails(instance):
        return Verdict("fails", -0.5, "never holds")

    base = projection_bound(2.0)
    return [
        replace(sign_rule(1), name="one-design"),
        replace(base, name="never-holds", hypotheses=fails),
        replace(base, name="declared-vacuous", hypotheses=fails, vacuous="shown in the derivations"),
        replace(base, name="raises", hypotheses=raises),
    ]


def silent_catalogue():
    """Return guarantees that nothing contradicts because they do not say anything."""

    def silent(instance):
        return Verdict.unknown("does not say")

    base = projection_bound(2.0)
    return [
        replace(base, name="silent-outcome", outcome=silent),
        replace(base, name="silent-predicate", hypotheses=silent),
    ]


def control_list():
    """Return a false statement that is broken at once, and a true one that never is."""
    return [(coherence_bound(0.5, name="false-toy"), 20_000), (projection_bound(math.sqrt(2.0), name="true-toy"), 100)]
