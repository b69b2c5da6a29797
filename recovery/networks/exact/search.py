"""The search for lines: Adam on a dense model with a falling l1 penalty, on batches, in float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.networks.centre import Centre
from recovery.networks.exact.model import Lines, angles

__all__ = ["merged", "search"]

BATCH = 500
RATE, LAST_RATE = 1e-2, 1e-4
MOMENTS = (0.9, 0.99)
PENALTY, PENALTY_ENDS = 5e-3, 0.7
"""The l1 penalty, in units of the deviation of y, falls linearly to 0 at this fraction of the steps."""
NOISE, NOISE_FROM, FADING = 0.5, 0.3, 0.98
"""From this fraction of the steps on, the penalty is at least NOISE times the largest slope that noise of the size of
the batch residual (its running mean square decays by FADING per step) produces by chance."""
INIT = 3e-3
KEEP = 0.03
"""Weights up to this size are dropped at the end; targets are scaled so that weights are about 1."""
LARGE = 0.25
"""The same for a given start, as a fraction of the atom's largest weight: several atoms may share one line."""
REPORT, LOOK = 500, 20
AWAY_RATE, AWAY_PENALTY = 3e-2, 1e-2
"""RATE and PENALTY for inputs that are not centred: there the linear part is fitted beforehand."""


def search(
    X: Any,
    y: Any,
    signs: np.ndarray,
    steps: int,
    rng: np.random.Generator,
    report: Callable[[float, int], bool],
    *,
    late: Callable[[], bool] = lambda: False,
    centre: Centre | None = None,
    lead: np.ndarray | None = None,
) -> Lines:
    """Fit b . x + sum_i a_i |x_i| + sum_k signs_k |w_k . x| with all weights free, and keep the large ones.

    Parameters
    ----------
    X : array of float32, shape (n, d)
        Samples.
    y : array of float32, shape (n,)
        Targets.
    signs : numpy.ndarray, shape (K,)
        +-1, one per atom.
    steps : int
        Adam's steps, on batches of 500 rows.
    rng : numpy.random.Generator
        Draws the start and the batches, on the host.
    report : callable
        Called with the deviation of the residual on a batch and the number of steps; returning True ends the search.
    late : callable
        Called every 20 steps; returning True ends the search.
    centre : Centre, optional
        Mean and deviation of inputs that are not centred.
    lead : numpy.ndarray, shape (K, d + 1), optional
        Starting atoms, used with `centre`: weights of the centred inputs, and c. Half of the rows are then drawn with
        weights y^2, so that lines that bend in few rows are noticed; noise is not allowed for.

    Returns
    -------
    Lines
        Atoms within .1 rad of each other are merged into one line; those within .1 rad of an axis are added to the
        axis.

    Notes
    -----
    Inputs with large means are nearly parallel columns, so slopes carry little information about single inputs. The
    search then uses w . x = w . (x - mean) + c with c free, for each atom and for the linear part, starts from the best
    linear fit, and has no a. The free c only help the search: they are dropped at the end.
    """
    xp = arrays.namespace(X)
    n, d = int(X.shape[0]), int(X.shape[1])
    count, batch = len(signs), min(BATCH, n)
    start = np.zeros((count + 2, d), dtype=np.float32)
    start[:count] = INIT * rng.standard_normal((count, d), dtype=np.float32)
    rate, level = RATE, PENALTY
    if centre is not None:
        rate, level = AWAY_RATE, AWAY_PENALTY
        start = np.concatenate([start, np.zeros((count + 2, 1), dtype=np.float32)], axis=1)
        if lead is not None:
            start[:count] = lead
        given, X = (X, y), centre.shifted(X)
        y = y - X @ least_squares(X, y)
    theta = xp.asarray(start)  # the atoms, then a, then b
    first, second = xp.zeros_like(theta), xp.zeros_like(theta)
    slope, work, root = (xp.empty_like(theta) for _ in range(3))
    sigma = xp.asarray(signs, dtype=np.float32)
    twice = 2.0 * sigma[:, None]
    penalty, weights_of_rows = level * float(y.std()), None
    if lead is not None:
        squares = arrays.to_numpy(y).astype(np.float64) ** 2
        weights_of_rows = squares / squares.sum()
        penalty = level * math.sqrt((squares.mean() + float(weights_of_rows @ squares)) / 2)
    chance = (NOISE if lead is None else 0.0) * math.sqrt(2.0 * math.log(max(d * count, 2)) / n)
    left = (y * y).mean()
    beta1, beta2 = MOMENTS
    order, position = xp.asarray(_order(n, weights_of_rows, rng)), 0
    for t in range(1, steps + 1):
        if position + batch > n:
            order, position = xp.asarray(_order(n, weights_of_rows, rng)), 0
        rows = order[position : position + batch]
        position += batch
        x, target = X[rows], y[rows]
        bent = xp.abs(x) if centre is None else xp.zeros_like(x)
        Z = x @ theta[:count].T
        r = xp.abs(Z) @ sigma + bent @ theta[count] + x @ theta[count + 1] - target
        # sum_b sign(z_b) r_b x_b = 2 sum_{z_b > 0} r_b x_b - sum_b r_b x_b: a comparison costs less than a sign
        pulled = x * r[:, None]
        total = pulled.sum(axis=0)
        slope[:count] = (Z > 0).astype(np.float32).T @ pulled
        slope[:count] *= twice
        slope[:count] -= sigma[:, None] * total
        slope[count], slope[count + 1] = r @ bent, total
        slope *= 1.0 / batch
        share = t / steps
        left = FADING * left + (1.0 - FADING) * (r * r).mean()
        falling = penalty * max(0.0, 1.0 - share / PENALTY_ENDS)
        xp.sign(theta[: count + 1], out=work[: count + 1])
        work[: count + 1] *= falling if share < NOISE_FROM else xp.maximum(chance * xp.sqrt(left), falling)
        if centre is not None:
            work[:, d:] = 0.0  # c has no penalty
        slope[: count + 1] += work[: count + 1]
        # first += (1 - beta1) (slope - first) etc., without temporaries
        xp.multiply(slope, slope, out=work)
        slope *= 1.0 - beta1
        first *= beta1
        first += slope
        work *= 1.0 - beta2
        second *= beta2
        second += work
        xp.sqrt(second, out=root)
        root *= (1.0 - beta2**t) ** -0.5
        root += 1e-8
        xp.divide(first, root, out=work)
        work *= rate * (LAST_RATE / RATE) ** share / (1.0 - beta1**t)
        theta -= work
        if (t % REPORT == 0 and report(float(xp.sqrt((r * r).mean())), t)) or (t % LOOK == 0 and late()):
            break
    found = arrays.to_numpy(theta).astype(np.float64)
    support = np.abs(found[:count]) > KEEP
    if lead is not None:
        support = np.abs(found[:count]) > LARGE * np.abs(found[:count, :d]).max(axis=1, keepdims=True)
    weights = np.where(support, found[:count], 0.0)
    if centre is not None:
        weights, support = weights[:, :d] / centre.deviation, support[:, :d]
        found = np.zeros((count + 2, d))
    model = Lines(found[count + 1], found[count], weights, np.asarray(signs, dtype=np.float64), support).tidy()
    model = merged(model, 0.1).tidy()
    if centre is None:
        return model
    X, y = given
    bends = xp.abs(X) @ xp.asarray(model.axes, dtype=X.dtype)
    lines = xp.abs(X @ xp.asarray(model.weights.T, dtype=X.dtype)) @ xp.asarray(model.signs, dtype=X.dtype)
    return replace(model, linear=arrays.to_numpy(least_squares(X, y - bends - lines)).astype(np.float64))


def least_squares(X: Any, y: Any) -> Any:
    """Return the b that minimises |y - X b|, on the device of X and in its dtype; columns of X may be dependent."""
    gram = arrays.to_numpy(X.T @ X).astype(np.float64)
    right = arrays.to_numpy(X.T @ y).astype(np.float64)
    return arrays.namespace(X).asarray(np.linalg.lstsq(gram, right, rcond=1e-7)[0], dtype=X.dtype)


def merged(model: Lines, angle: float) -> Lines:
    """Return the model with lines within `angle` (radians) merged, closest first, and lines near an axis put on it."""
    near = angles(model, np.arange(len(model.linear)))
    count = model.n_lines
    model, alive = model.copy(), np.ones(count, dtype=bool)
    first, second = np.nonzero(np.triu(near[:, :count] < angle, 1))
    units, norms = model.units, model.norms
    for k in np.argsort(near[first, second], kind="stable"):
        a, b = int(first[k]), int(second[k])
        if not (alive[a] and alive[b]):
            continue
        a, b = (a, b) if norms[a] >= norms[b] else (b, a)
        side = 1.0 if units[a] @ units[b] >= 0 else -1.0
        total = model.signs[a] * model.weights[a] + model.signs[b] * side * model.weights[b]
        sign = 1.0 if total @ units[a] >= 0 else -1.0
        model.weights[a], model.signs[a] = sign * total, sign
        model.support[a] |= model.support[b]
        alive[b] = False
    model = model.select(alive)
    alive = model.norms > 0
    model = model.select(alive)
    near = angles(model, np.arange(len(model.linear)))[:, model.n_lines :]
    if not model.n_lines:
        return model
    axis = near.argmin(axis=1)
    close = near.min(axis=1) < angle
    axes = model.axes.copy()
    np.add.at(axes, axis[close], (model.signs * model.norms)[close])
    kept = model.select(~close)
    return Lines(kept.linear, axes, kept.weights, kept.signs, kept.support)


def _order(n: int, heavy: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Return the rows in a new random order; with `heavy`, every other row is drawn with these weights."""
    order = rng.permutation(n)
    if heavy is not None:
        order[::2] = rng.choice(n, len(order[::2]), p=heavy)
    return order
