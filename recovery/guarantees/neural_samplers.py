"""Gated instances whose neural isometry condition is near its boundary."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from planted import arrays
from recovery.gated import GatedOperator
from recovery.guarantees import frames
from recovery.instances import Instance

__all__ = ["DESIGNS", "gated_instance"]

DESIGNS = ("gaussian", "whitened", "correlated", "heavy_tailed", "binary", "integer")
"""Laws of X that :func:`gated_instance` knows."""
_ATTEMPTS = 25
_DIRECTIONS = 8
Rng = np.random.Generator


def gated_instance(
    rng: Rng | int | None = None,
    *,
    planted: tuple[int, int] = (1, 1),
    linear: bool = False,
    cone: bool = False,
    normalised: bool = False,
) -> Instance:
    """Draw a small gated model without noise, its weights turned until the condition is near its boundary.

    Parameters
    ----------
    rng : int, Generator or None
        Source of randomness.
    planted : tuple of int, default (1, 1)
        Inclusive range of the number of planted gates.
    linear : bool, default False
        Plant one gate that is open on all rows.
    cone : bool, default False
        Plant every w_j, or -w_j, in the cone of its gate, (2 D_j - I) X w_j >= 0.
    normalised : bool, default False
        Aim at the condition of the normalised program.

    Returns
    -------
    Instance
        2 to 4 inputs, 2 to 7 gates, at most 20 rows (X any of :data:`DESIGNS`); ``options["design"]`` names the law.

    Notes
    -----
    The value of the condition is continuous in the directions of the planted weights. Among a few of them the lowest
    and the highest are taken, and bisection between these two finds the value 1 / (1 + margin), if it lies between, for
    a margin of :func:`recovery.guarantees.frames.aim`.
    """
    rng = arrays.generator(rng)
    goal = 1.0 / (1.0 + frames.aim(rng))
    fallback: Instance | None = None
    attempt = 0
    while fallback is None or attempt < _ATTEMPTS:
        attempt += 1
        drawn = _model(rng, planted, linear, cone)
        if drawn is None:
            continue
        name, X, gates, count, W = drawn
        value = _value(X, gates, count, normalised)
        if value is None:
            continue
        low, high = _extremes(rng, X, W, value, cone)
        reached = value(low) < goal <= value(high)
        W = _between(value, low, high, goal) if reached else low
        fallback = _instance(rng, name, X, gates, W)
        if reached:
            return fallback
    return fallback


def _model(
    rng: Rng, planted: tuple[int, int], linear: bool, cone: bool
) -> tuple[str, np.ndarray, np.ndarray, int, np.ndarray] | None:
    """Return a design, X, the gates (planted ones first), their number and weights inside the cones; None: no luck."""
    d = int(rng.integers(2, 5))
    count = int(rng.integers(planted[0], planted[1] + 1))
    least = max(count * d, 4) if linear else 2 * count * d
    n = least if rng.random() < 0.25 else int(rng.integers(least, max(20, least) + 1))
    name = DESIGNS[int(rng.integers(len(DESIGNS)))]
    X = _inputs(rng, name, n, d)
    W = rng.standard_normal((count, d)) * 10.0 ** rng.uniform(-1.0, 1.0, (count, 1))
    if not cone and rng.random() < 0.3:  # sparse weights; all directions that are tried stay so
        W *= rng.random((count, d)) < 0.6
        W[np.arange(count), rng.integers(d, size=count)] += 1.0
    gates = np.ones((n, 1), dtype=bool) if linear else X @ W.T >= 0.0
    if not (linear or cone) and rng.random() < 0.5:  # any gates will do
        gates = X @ rng.standard_normal((d, count)) >= 0.0
    others = X @ rng.standard_normal((d, int(rng.integers(1, 5)))) >= 0.0
    for j in range(others.shape[1]):
        kind = rng.random()
        if kind < 0.3:  # a gate that differs from a planted one on a row or two
            others[:, j] = gates[:, int(rng.integers(count))]
            others[rng.integers(n, size=int(rng.integers(1, 3))), j] ^= True
        elif kind < 0.4:
            others[:, j] = rng.random(n) < 0.5
    gates = np.concatenate([gates, others], axis=1)
    _, first = np.unique(gates, axis=1, return_index=True)
    if not np.all(np.isin(np.arange(count), first)) or len(first) == count:
        return None
    gates = gates[:, np.sort(first)]
    M = np.concatenate([X * gates[:, [j]] for j in range(count)], axis=1)
    return None if np.linalg.matrix_rank(M, rtol=1e-6) < M.shape[1] else (name, X, gates, count, W)


def _inputs(rng: Rng, name: str, n: int, d: int) -> np.ndarray:
    X = rng.standard_normal((n, d))
    if name == "whitened":
        return np.asarray(np.linalg.qr(X)[0] * np.sqrt(n))
    if name == "correlated":
        share = rng.uniform(0.2, 0.95)
        return np.asarray(np.sqrt(1.0 - share) * X + np.sqrt(share) * rng.standard_normal((n, 1)))
    if name == "heavy_tailed":
        return rng.standard_t(rng.uniform(1.5, 4.0), (n, d))
    if name == "binary":
        return rng.choice([-1.0, 1.0] if rng.random() < 0.5 else [0.0, 1.0], (n, d))
    return X if name == "gaussian" else rng.integers(-3, 4, (n, d)).astype(np.float64)


def _value(X: np.ndarray, gates: np.ndarray, count: int, normalised: bool) -> Callable[[np.ndarray], float] | None:
    """Return planted weights -> largest norm of the other gates, as matrices that act on the planted directions."""
    blocks = [X * gates[:, [j]] for j in range(gates.shape[1])]
    back = [np.eye(X.shape[1])] * count
    if normalised:
        factors = [np.linalg.svd(block, full_matrices=False) for block in blocks]
        if any(np.any((f[1] < 1e-6 * f[1][0]) & (f[1] > 1e-12 * f[1][0])) for f in factors):
            return None  # ranks are a matter of rounding
        back = [f[1][:, None] * f[2] for f in factors[:count]]
        blocks = [f[0][:, f[1] > 1e-6 * f[1][0]] for f in factors]
    inverse = np.linalg.pinv(np.concatenate(blocks[:count], axis=1)).T
    maps = [block.T @ inverse for block in blocks[count:]]

    def value(W: np.ndarray) -> float:
        turned = [matrix @ w for matrix, w in zip(back, W, strict=True)]
        goal = np.concatenate([w / (np.linalg.norm(w) or 1.0) for w in turned])
        return max(float(np.linalg.norm(matrix @ goal)) for matrix in maps)

    return value


def _extremes(
    rng: Rng, X: np.ndarray, W: np.ndarray, value: Callable[[np.ndarray], float], cone: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of a low and of a high value; the segment between them stays in the cones if asked for."""
    tried = [W]
    size = np.linalg.norm(W, axis=1, keepdims=True)
    for _ in range(_DIRECTIONS):
        step = rng.standard_normal(W.shape) * size * (W != 0.0)
        if cone:
            here, change = X @ W.T, X @ step.T
            with np.errstate(divide="ignore", invalid="ignore"):
                room = np.where(here * change < 0.0, -here / change, np.inf).min(axis=0)
            # onto the boundary of the cone now and then, but for rounding
            step *= (np.minimum(room, 10.0) * (1.0 - 10.0 ** rng.uniform(-6.0, 0.0)))[:, None]
            tried.append(W + step)
        else:
            tried.append(step)
    values = [value(one) for one in tried]
    return tried[int(np.argmin(values))], tried[int(np.argmax(values))]


def _between(value: Callable[[np.ndarray], float], low: np.ndarray, high: np.ndarray, goal: float) -> np.ndarray:
    """Return the weights on the segment at which the value is the goal."""
    t = frames.crossing(lambda t: value(low + t * (high - low)), goal, 1.0)
    return np.asarray(low + t * (high - low))


def _instance(rng: Rng, name: str, X: np.ndarray, gates: np.ndarray, W: np.ndarray) -> Instance:
    """Return the instance, gates in any order, signs of neurons and sometimes other scales."""
    d, p = X.shape[1], gates.shape[1]
    order = rng.permutation(p)
    x = np.zeros((p, d))
    x[: len(W)] = W * rng.choice([-1.0, 1.0], (len(W), 1))
    if rng.random() < 0.2:
        X, x = X * 10.0 ** rng.uniform(-3.0, 3.0), x * 10.0 ** rng.uniform(-3.0, 3.0)
    return Instance.planted(GatedOperator(X, gates[:, order]), x[order].ravel(), options={"design": name})
