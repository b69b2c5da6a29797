"""Instances on which the Lasso's guarantees are in play: penalties at the ends of the interval that works."""

from __future__ import annotations

import math

import numpy as np

from recovery.guarantees import frames
from recovery.guarantees.sampling import linear_instance
from recovery.instances import Instance
from recovery.laws import NoiseLaw

__all__ = ["gaussian", "irrepresentable", "penalised", "witness"]

Rng = np.random.Generator


def _interval(instance: Instance) -> tuple[float, float]:
    """Return the penalties between which the Lasso has the support and signs of x; empty if the first is larger."""
    A, S, n = instance.matrix, instance.support, instance.shape[0]
    signs = np.sign(instance.x[S])
    Q, R = np.linalg.qr(A[:, S])
    if R.shape[0] < R.shape[1] or np.min(np.abs(np.diag(R))) <= 1e-9 * np.max(np.abs(np.diag(R))):
        return math.inf, 0.0
    spread = np.linalg.solve(R.T, signs)
    weight, pull = signs * np.linalg.solve(R, Q.T @ instance.y), n * signs * np.linalg.solve(R, spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        high = float(np.where(pull > 0.0, weight / pull, np.where(weight > 0.0, np.inf, -np.inf)).min())
        rest = np.delete(A, S, axis=1).T
        lean, noise = rest @ Q @ spread, rest @ (instance.y - Q @ (Q.T @ instance.y)) / n
        low = np.where(np.abs(lean) < 1.0, np.maximum(noise / (1.0 - lean), -noise / (1.0 + lean)), np.inf)
    return float(low.max(initial=0.0)), high


def witness(rng: Rng) -> Instance:
    """Draw a model of any design, tall or wide, and a penalty in, near, or out of the interval that works."""
    if rng.random() < 0.5:
        tall = bool(rng.random() < 0.6)
        instance = linear_instance(rng, n_range=(4, 20), d_range=(3, 10), tall=tall)
    else:
        instance = irrepresentable(rng)
        size = 10.0 ** rng.uniform(-3.0, -0.5) * float(np.linalg.norm(instance.y)) / math.sqrt(len(instance.y))
        law = NoiseLaw(str(rng.choice(["gaussian", "uniform", "laplace", "student"])), size)
        instance = instance.replace(noise=law.draw(len(instance.y), rng), law=law)
    low, high = _interval(instance)
    largest = float(np.max(np.abs(instance.matrix.T @ instance.y))) / len(instance.y) or 1.0
    lam = largest * 10.0 ** rng.uniform(-3.0, 0.1)
    if 0.0 <= low < high < math.inf:
        margin = frames.aim(rng, 2.0)
        floor = max(low, 1e-4 * high)
        lam = high / (1.0 + margin) if rng.random() < 0.5 else floor * (1.0 + margin)
    return instance.with_options(lam=float(lam))


def irrepresentable(rng: Rng) -> Instance:
    """Draw columns whose irrepresentable value, or a penalty whose size, is near its limit; without noise."""
    k, size = frames.sizes(rng, others=6)
    name, E = frames.pattern(rng, size, unit=bool(rng.random() < 0.5))
    x = frames.plant(rng, np.eye(size) + E, k)
    S, rest = np.flatnonzero(x), np.flatnonzero(x == 0.0)
    signs = np.sign(x[S])

    def value(t: float) -> float:
        block = np.eye(k) + t * E[np.ix_(S, S)]
        return float(np.abs(t * E[np.ix_(rest, S)] @ np.linalg.solve(block, signs)).max())

    by_value = rng.random() < 0.5
    goal = 1.0 / (1.0 + frames.aim(rng)) if by_value else rng.uniform(0.1, 0.95)
    t = frames.crossing(value, goal, min(frames.largest_step(E), 1.0) * (1.0 - 1e-4))
    A = frames.columns(rng, np.eye(size) + t * E)
    assert A is not None
    A = A * 10.0 ** rng.choice([-3.0, 0.0, 0.0, 3.0])
    inverse = np.linalg.inv(A[:, S].T @ A[:, S] / len(A))
    largest = float(np.min(np.abs(x[S])) / np.abs(inverse).sum(axis=1).max())
    share = rng.uniform(1.0, 4.0) if by_value else 1.0 + frames.aim(rng)
    return Instance.planted(A, x, options={"design": name, "lam": largest / share})


def gaussian(rng: Rng) -> Instance:
    """Draw columns with an irrepresentable value below 1, a penalty that leaves room, and Gaussian noise."""
    instance = irrepresentable(rng)
    law = NoiseLaw("gaussian", 1e-3 * float(np.linalg.norm(instance.y)) / math.sqrt(len(instance.y)))
    lam = float(instance.options["lam"]) * rng.uniform(0.1, 0.9)
    return instance.replace(noise=law.draw(len(instance.y), rng), law=law).with_options(lam=lam)


def penalised(rng: Rng) -> Instance:
    """Draw a tall model and a penalty of at least the size that its noise asks for."""
    instance = linear_instance(rng, n_range=(4, 20), d_range=(2, 8))
    noise = float(np.max(np.abs(instance.matrix.T @ instance.noise))) / len(instance.y)
    return instance.with_options(lam=2.0 * noise * (1.0 + frames.aim(rng)) or 1.0)
