"""Gated instances on which the recovery theorem for ReLU networks is in play: few gates, all gates, Gaussian gates."""

from __future__ import annotations

import math

import numpy as np

from recovery.conditions.arrangements import enumerate_patterns
from recovery.conditions.relaxation import CONSTANT
from recovery.gated import GatedOperator
from recovery.guarantees import frames
from recovery.instances import Instance
from recovery.laws import NoiseLaw

__all__ = ["few_gates", "gaussian_gates", "half_spaces"]

Rng = np.random.Generator


def few_gates(rng: Rng) -> Instance:
    """Draw two or three gates that are nearly each other's complement, with beta / alpha near what s~ allows.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Instance
        34 to 90 columns, s = 1 or 2; ``options["design"]`` says what makes beta / alpha larger than 1: rows that all
        gates share, gates with more energy, or inputs that are correlated.
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
        At most 8 rows of 2 to 4 inputs, with blank entries, integers and equal rows among them; s~ is 32 s to d p, or
        all of d p where that is less.
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
        A = 0, x the generators one after the other, noise the rows of X one after the other.
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
