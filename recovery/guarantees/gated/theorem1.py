"""Guarantees around the recovery theorem for ReLU networks with fixed gates: its hypotheses in checkable form."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from planted.base.arrays import EPS
from recovery.conditions.coverage import expected_separation, gate_separation, gate_spread
from recovery.conditions.patterns import dependent_gates, enumerate_patterns
from recovery.conditions.relaxation import CONSTANT
from recovery.exact.bounded import Bounded, constant
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance, NoiseLaw
from recovery.guarantees.linear import frames
from recovery.guarantees.linear.iterative import STEPS, TOO_CLOSE, extremes, nothing_to_run, outside, trace
from recovery.guarantees.linear.relaxed import jain_tewari_kar_rule
from recovery.operators.gated import GatedOperator

__all__ = ["few_gates", "gaussian_gates", "guarantees", "half_spaces"]


Rng = np.random.Generator


def few_gates(rng: Rng) -> Instance:
    """Draw two or three nearly complementary gates, with beta / alpha near the limit for s~.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Instance
        34 to 90 columns, s = 1 or 2; ``options["design"]`` says what makes beta / alpha larger than 1: rows shared by
        all gates, gates with more energy, or correlated inputs.
    """
    while True:
        s = 1 if rng.random() < 0.35 else 2
        kept = int(rng.integers(32 * s + 1, 37 * s + 1))
        kappa = math.sqrt(kept / (CONSTANT * s)) / (1.0 + frames.aim(rng, 0.06))
        if kappa > 1.0:
            break
    p = int(rng.integers(2, 4))
    d = -(-(kept + int(rng.integers(1, 6))) // p)
    names = ("shared_rows", "unequal_gates", "correlated")
    name = names[int(rng.integers(len(names)))]
    blocks = [_orthogonal(rng, d) for _ in range(p)]
    gates = np.repeat(np.eye(p, dtype=bool), d, axis=0)
    if name == "shared_rows":  # the Gram matrix is (1 + e^2) I within a gate, and e^2 I between gates
        blocks.append(math.sqrt((kappa - 1.0) / p) * _orthogonal(rng, d))
        gates = np.concatenate([gates, np.ones((d, p), dtype=bool)])
    elif name == "unequal_gates":
        blocks[0] = blocks[0] * math.sqrt(kappa)
    else:
        u = rng.choice([-1.0, 1.0], d) / math.sqrt(d)
        blocks = [B + (math.sqrt(kappa) - 1.0) * np.outer(B @ u, u) for B in blocks]
    order = rng.permutation(len(gates))
    X = 10.0 ** rng.uniform(-1.0, 1.0) * np.concatenate(blocks)[order]
    A = GatedOperator(X, gates[order])
    x = np.zeros(d * p)
    support = rng.permutation(d * p)[:s]
    x[support] = rng.choice([-1.0, 1.0], s) * 10.0 ** (rng.uniform(-1.0, 1.0, s) * (rng.random() < 0.7))
    x0 = None
    if rng.random() < 0.5:
        x0 = np.zeros(d * p)
        x0[rng.permutation(d * p)[:kept]] = float(np.abs(x).max()) * rng.standard_normal(kept)
    return Instance.planted(A, x, x0=x0, options={"design": name, "relaxed": kept})


def half_spaces(rng: Rng) -> Instance:
    """Draw inputs with all patterns of generators with two or more non-zeros.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Instance
        At most 8 rows of 2 to 4 inputs, with blank entries, integers and equal rows among them; s~ is 32 s to d p, or d
        p if that is less.
    """
    d, n = int(rng.integers(2, 5)), int(rng.integers(3, 9))
    names = ("gaussian", "blank", "integer")
    name = names[int(rng.integers(len(names)))]
    X = rng.standard_normal((n, d))
    if name == "blank":
        X = np.where(rng.random((n, d)) < 0.4, 0.0, X)
    elif name == "integer":
        X = rng.integers(-2, 3, (n, d)).astype(np.float64)
    most = int(rng.integers(2, min(d, 3) + 1))
    gates = enumerate_patterns(X, most).gates
    gates = gates[:, gates.any(axis=0)] if gates.any() else np.ones((n, 1), dtype=bool)
    size = d * gates.shape[1]
    s = min(int(rng.integers(1, 3)), size)
    x = np.zeros(size)
    x[rng.permutation(size)[:s]] = rng.standard_normal(s)
    kept = int(rng.integers(min(32 * s, size), size + 1))
    options = {"design": name, "relaxed": kept, "generators": most}
    return Instance.planted(GatedOperator(X, gates), x, options=options)


def gaussian_gates(rng: Rng) -> Instance:
    """Draw generators, and t near the smallest one that the union bound allows; X is the noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Instance
        A = 0, x the concatenated generators, noise the concatenated rows of X.
    """
    d, p, n = int(rng.integers(2, 6)), int(rng.integers(1, 7)), int(rng.integers(20, 120))
    names = ("normal", "binary", "close")
    name = names[int(rng.integers(len(names)))]
    H = rng.standard_normal((p, d))
    if name == "binary":
        H = (rng.random((p, d)) < 0.5).astype(np.float64)
        H[np.arange(p), rng.integers(0, d, p)] = 1.0
    elif name == "close":
        H = H[:1] + 10.0 ** rng.uniform(-2.0, 0.0) * H
    bound = 0.1 / (1.0 + frames.aim(rng))
    t = math.sqrt(math.log((p + 0.5 * p * p) / bound) / (2.0 * n))
    law = NoiseLaw("gaussian", 1.0)
    options = {"design": name, "inputs": d, "t": t}
    return Instance.planted(np.zeros((n * d, p * d)), H.ravel(), law.draw(n * d, rng), law=law, options=options)


def _orthogonal(rng: Rng, d: int) -> np.ndarray:
    return np.asarray(np.linalg.qr(rng.standard_normal((d, d)))[0])


Rule = Callable[[Instance], Verdict]
DELTA = 0.1
SHARE = 1e-6
"""eps as a fraction of f(x_0): reachable within the 40 steps of a run for the kappa that the hypotheses allow."""


def separated(instance: Instance) -> Verdict:
    """Return whether no gate is empty and no two are equal: Assumption 2 with some eps > 0 and gamma > 0."""
    if instance.gated is None:
        return Verdict.unknown("A is not a GatedOperator; the statement is about gates")
    spread = gate_spread(instance.gated[1])
    reason = f"coverage eps = {spread.coverage:.4g} and separation gamma = {spread.separation:.4g} have to be positive"
    return Verdict.of(spread.coverage > 0.0 and spread.separation > 0.0, reason)


def recovers_with(instance: Instance) -> Verdict:
    """Return the conjunction of separated gates and s~ >= 32 (beta / alpha)^2 s, without noise."""
    first = separated(instance)
    return first if first.status != "holds" else all_of([first, jain_tewari_kar_rule(instance)])


def recovers_with_all(instance: Instance) -> Verdict:
    """Return the same for gates that are all non-empty patterns of s'-sparse generators, s' >= 2."""
    if instance.gated is None:
        return Verdict.unknown("A is not a GatedOperator; the statement is about gates")
    if outside(instance, int(instance.options["relaxed"])) is not None:
        return Verdict.of(False, "there is noise, or x0 is dense, or s = 0")
    X, gates = instance.gated
    d = X.shape[1]
    most = int(instance.options["generators"])
    if not 2 <= most <= d:
        return Verdict.of(False, f"s' = {most} is not between 2 and d = {d}")
    try:
        every = enumerate_patterns(X, most).gates
    except ValueError as error:
        return Verdict.unknown(str(error))
    every = every[:, every.any(axis=0)]
    if {bytes(column) for column in every.T} != {bytes(column) for column in gates.T}:
        return Verdict.of(False, f"the gates are not the {every.shape[1]} patterns of {most}-sparse generators")
    dependent = dependent_gates(gates)
    if dependent is not None:
        return Verdict.of(False, f"the gates {dependent[0]} and {dependent[1]} have equal sums, so alpha_4 = 0")
    return all_of([separated(instance), jain_tewari_kar_rule(instance)])


def arrives(factor: float = 1.8) -> Rule:
    """Return the outcome f(x_K) <= eps, |x_K - x|^2 <= 2 eps / alpha after K = factor kappa log(f(x_0) / eps) steps."""

    def outcome(instance: Instance) -> Verdict:
        aside = nothing_to_run(instance)
        if aside is not None:
            return aside
        kept = int(instance.options["relaxed"])
        if not instance.sparsity <= kept <= instance.shape[1]:
            return Verdict.unknown(f"s~ = {kept} is not between s = {instance.sparsity} and N = {instance.shape[1]}")
        low, high = extremes(instance.matrix, 2 * kept + instance.sparsity)
        if low <= 0.0:
            return Verdict.unknown("alpha is not above 0, so the number of steps is not finite")
        steps = math.ceil(factor * high / low * math.log(1.0 / SHARE))
        if steps > STEPS:
            return Verdict.unknown(f"the statement takes {steps} steps, more than the {STEPS} of a run")
        run = trace(instance, "iht", sparsity=kept, step=2.0 / (3.0 * high))
        if run.objectives[0] <= 0.5 * high * run.floor**2:
            return Verdict("holds", math.inf, "the start is x, and the run stays there")
        eps, last = SHARE * run.objectives[0], min(steps, len(run.errors) - 1)
        reason = f"after {last} of {steps} steps"
        return all_of(
            [
                _above(eps, run.objectives[last], 0.5 * high * run.floor**2, f"{reason}, eps exceeds f"),
                _above(
                    2.0 * eps / low, run.errors[last] ** 2, run.floor**2, f"{reason}, 2 eps / alpha exceeds |x_K - x|^2"
                ),
            ]
        )

    return outcome


def _above(bound: float, value: float, floor: float, reason: str) -> Verdict:
    """Return whether a number of a run is below a bound; both are known to 1e-9, the number to its floor."""
    return exceeds(Bounded(bound, TOO_CLOSE * bound), Bounded(value, TOO_CLOSE * value + floor), reason)


def spread_rule(delta: float) -> Rule:
    """Return the hypothesis (p + p^2 / 2) exp(-2 n t^2) <= delta, about data that are the noise of the instance."""

    def hypotheses(instance: Instance) -> Verdict:
        H = _generators(instance)
        if H is None:
            return Verdict.of(
                False, "the instance does not hold X as standard normal noise and the generators as x, with A = 0"
            )
        (d, p), t = H.shape, float(instance.options["t"])
        n = instance.shape[0] // d
        if t <= 0.0:
            return Verdict.of(False, f"t = {t} is not above 0")
        power = 2.0 * n * t * t
        bound = (p + 0.5 * p * p) * math.exp(-power)
        rounding = 8.0 * EPS * (1.0 + power) * bound
        return exceeds(constant(delta), Bounded(bound, rounding), "delta exceeds the union bound")

    return hypotheses


def is_spread(instance: Instance) -> Verdict:
    """Return whether all gates have the required coverage and all pairs the required separation."""
    H = _generators(instance)
    if H is None:
        return Verdict.unknown("the instance does not hold X and the generators")
    X = instance.y.reshape(-1, H.shape[0])
    gates, t = X @ H >= 0.0, float(instance.options["t"])
    lean = float(np.min(gate_spread(gates).coverage - (0.5 - t)))
    apart = gate_separation(gates) - (expected_separation(H) - t)
    margin = min(lean, float(apart[np.triu_indices(H.shape[1], 1)].min(initial=math.inf)))
    rounding = 1e-12
    if abs(margin) <= rounding:
        return Verdict.unknown("a fraction is within rounding error of its bound", margin)
    return Verdict(
        "holds" if margin > 0.0 else "fails",
        margin,
        f"the smallest distance of a fraction from its bound is {margin:.4g}",
    )


def _generators(instance: Instance) -> np.ndarray | None:
    """Return the generators (d, p) of an instance y = 0 x + vec(X), or None if it has another form."""
    d = int(instance.options["inputs"])
    rows, size = instance.shape
    fitting = d >= 1 and rows % d == 0 and size % d == 0 and instance.gated is None and not instance.matrix.any()
    law = instance.law  # gates do not depend on its scale, but if it is 0 there is no X
    if not fitting or law is None or law.name != "gaussian" or law.sigma == 0.0:
        return None
    H = instance.x.reshape(-1, d).T
    return H if H.any(axis=0).all() else None


def guarantees() -> list[Guarantee]:
    """Return the guarantees around Theorem 1 of the paper on ReLU networks, in the wording known to us.

    Returns
    -------
    list of Guarantee
        The option ``"relaxed"`` is s~, ``"generators"`` s'. The exact wording of the theorem and its lemma (order,
        normalisation, class of supports) is not known to us. ``gaussian-spread`` is about random X: X is the noise of
        an instance with A = 0, row after row; x holds the generators and the options ``"inputs"`` d and ``"t"`` t.
    """
    tests = "tests/recovery/test_guarantees_theorem1.py"
    known = "Fridovich-Keil and Pilanci, arXiv:2509.20323, Theorem 1 as reported by texts about the paper"
    section = "docs/theory, section When the sparsity condition of thresholding cannot hold"
    run = (
        "if s~ >= 32 (beta / alpha)^2 s at order 2 s~ + s, then IHT that keeps s~ entries with step 2 / (3 beta) has "
        "f(x_K) <= eps and |x_K - x|^2 <= 2 eps / alpha after K = (9 beta / (5 alpha)) log(f(x_0) / eps) steps, eps "
        "= 1e-6 f(x_0)."
    )
    return [
        Guarantee(
            "theorem1-all-patterns",
            "implication",
            "Without noise, and with the gates being all non-empty patterns of generators with at most s' >= 2 "
            "non-zeros: " + run,
            f"{known}; the number of steps is derived here: docs/theory, section Keeping more entries",
            tests,
            recovers_with_all,
            arrives(),
            needs=("x", "noise", "relaxed", "generators"),
            sampler=half_spaces,
            steer=None,
            scales=("data", "matrix"),
            vacuous=f"alpha_4 = 0 for every X: {section}",
        ),
        Guarantee(
            "theorem1-few-gates",
            "implication",
            "Without noise, and with distinct non-empty gates: " + run,
            f"{known}, for any gates; the number of steps is derived here: docs/theory, section Keeping more entries",
            tests,
            recovers_with,
            arrives(),
            needs=("x", "noise", "relaxed"),
            sampler=few_gates,
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "gaussian-spread",
            "probability",
            "If h_1, ..., h_p != 0 are fixed, X has n independent rows N(0, I), and (p + p^2 / 2) exp(-2 n t^2) < "
            "0.1, then with probability at least 0.9, tr(D_j) >= (1/2 - t) n and Hamming(D_i, D_j) >= (theta_ij / pi "
            "- t) n for all i != j.",
            "derived here: docs/theory, section Coverage and separation of Gaussian gates; appendix D of the "
            "paper has a similar statement with other constants",
            tests,
            spread_rule(DELTA),
            is_spread,
            needs=("x", "noise", "law", "inputs", "t"),
            sampler=gaussian_gates,
            steer=None,
            delta=DELTA,
        ),
    ]
