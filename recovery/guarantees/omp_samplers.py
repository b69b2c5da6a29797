"""Instances on which the guarantees of orthogonal matching pursuit are in play."""

from __future__ import annotations

import math

import numpy as np

from recovery.guarantees import frames
from recovery.guarantees.isometry import isometric_columns
from recovery.instances import Instance
from recovery.laws import NoiseLaw

__all__ = ["bounded", "exact", "gaussian", "incoherent", "isometric"]


def incoherent(rng: np.random.Generator, *, aimed: bool = True, rows: int = 0) -> Instance:
    """Draw columns whose coherence is a given share of 1 / (2 k - 1): nearly 1 if aimed, else any."""
    while True:
        k, size = frames.sizes(rng)
        share = 1.0 / (1.0 + frames.aim(rng)) if aimed else 0.95 * rng.choice([0.0, 1.0, 1.0, 1.0]) * rng.random() ** 2
        name, E = frames.pattern(rng, size)
        gram = np.eye(size) + min(share / (2 * k - 1), 1.0) * E
        A = frames.columns(rng, gram, extra=max(4, rows))
        if A is not None and A.shape[0] >= rows:
            return _scaled(rng, name, A, frames.plant(rng, gram, k))


def _scaled(rng: np.random.Generator, name: str, A: np.ndarray, x: np.ndarray) -> Instance:
    """Return the instance, half of the time with columns of other norms."""
    if rng.random() < 0.5:
        scale = 10.0 ** rng.uniform(-2.0, 2.0, len(x)) * 10.0 ** rng.uniform(-3.0, 3.0)
        return Instance.planted(A * scale, x / scale, options={"design": name + "_scaled"})
    return Instance.planted(A, x, options={"design": name})


def exact(rng: np.random.Generator) -> Instance:
    """Draw columns whose exact recovery coefficient is near 1."""
    k, size = frames.sizes(rng)
    name, E = frames.pattern(rng, size)
    x = frames.plant(rng, np.eye(size) + E, k)
    S, rest = np.flatnonzero(x), np.flatnonzero(x == 0.0)

    def coefficient(t: float) -> float:
        block = np.eye(k) + t * E[np.ix_(S, S)]
        return float(np.abs(np.linalg.solve(block, t * E[np.ix_(S, rest)])).sum(axis=0).max())

    high = min(frames.largest_step(E), 1.0) * (1.0 - 1e-6)
    t = frames.crossing(coefficient, 1.0 / (1.0 + frames.aim(rng)), high)
    A = frames.columns(rng, np.eye(size) + t * E)
    assert A is not None
    return _scaled(rng, name, A, x)


def _noisy(rng: np.random.Generator, instance: Instance) -> Instance:
    """Return the instance with noise: normal, or against the weakest atom, or that and towards one outside."""
    A, y = instance.matrix, instance.y
    noise = rng.standard_normal(len(y))
    kind = rng.random()
    unit = A / np.linalg.norm(A, axis=0)
    weak = int(np.argmin(np.where(instance.x != 0.0, np.abs(instance.x) * np.linalg.norm(A, axis=0), np.inf)))
    if kind < 0.3:  # the residual before the last step becomes small, where the stop rule looks
        noise = -np.sign(instance.x[weak]) * unit[:, weak]
    elif kind < 0.7:
        decoy = int(rng.choice(np.flatnonzero(instance.x == 0.0)))
        # its inner products: those of the weakest planted atom are lowered, those of the decoy raised
        wish = np.zeros(len(instance.x))
        wish[weak], wish[decoy] = -np.sign(instance.x[weak]), np.sign(unit[:, decoy] @ y) or 1.0
        noise = np.linalg.pinv(unit).T @ wish
    return instance.replace(noise=1e-3 * float(np.linalg.norm(y)) * noise / float(np.linalg.norm(noise)))


def bounded(rng: np.random.Generator) -> Instance:
    """Draw columns whose coherence is below its limit, and noise."""
    return _noisy(rng, incoherent(rng, aimed=False))


def gaussian(rng: np.random.Generator) -> Instance:
    """Draw columns of 10 rows at least whose coherence is below its limit, and Gaussian noise."""
    instance = incoherent(rng, aimed=False, rows=int(rng.integers(10, 14)))
    law = NoiseLaw("gaussian", 1e-3 * float(np.linalg.norm(instance.y)))
    return instance.replace(noise=law.draw(len(instance.y), rng), law=law)


def isometric(rng: np.random.Generator) -> Instance:
    """Draw columns with delta_{k+1} near 1 / sqrt(k + 1), or clearly below it and with noise."""
    while True:
        k, size = frames.sizes(rng, others=4)
        noisy = bool(rng.random() < 0.5)
        share = 0.95 * rng.choice([0.0, 1.0, 1.0, 1.0]) * rng.random() ** 2 if noisy else 1.0 / (1.0 + frames.aim(rng))
        drawn = isometric_columns(rng, size, k + 1, share / math.sqrt(k + 1))
        if drawn is not None:
            name, A = drawn
            x = frames.plant(rng, A.T @ A, k)
            scale = 10.0 ** rng.choice([-3.0, 0.0, 0.0, 3.0])
            instance = Instance.planted(scale * A, x, options={"design": name})
            return _noisy(rng, instance) if noisy else instance
