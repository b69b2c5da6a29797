"""Instances whose columns have a given condition number over all small supports, some of them gated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recovery.conditions.enumeration import extreme_blocks
from recovery.gated import GatedOperator
from recovery.guarantees import frames
from recovery.instances import Instance

__all__ = ["conditioned", "gated", "instance_with", "kappa_of_delta", "matrix_of", "start"]

Rng = np.random.Generator


def kappa_of_delta(delta: float) -> float:
    """Return the condition number (1 + delta) / (1 - delta) that goes with an optimally scaled isometry constant."""
    return (1.0 + delta) / (1.0 - delta) if delta < 1.0 else math.inf


def instance_with(
    rng: Rng,
    order: Callable[[int], int],
    kappa: Callable[[int, float], float],
    *,
    most: int = 3,
    others: int = 6,
    options: dict[str, Any] | None = None,
) -> Instance:
    """Draw a problem without noise in which kappa of some order is near the boundary of a condition.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    order : callable
        s -> how many columns are looked at together.
    kappa : callable
        (s, margin) -> the condition number that leaves the margin.
    most : int, default 3
        Largest s.
    others : int, default 6
        Largest number of columns beyond s.
    options : dict, optional
        Of the instance; ``"design"`` is added.

    Returns
    -------
    Instance
        x half of the time with the signs that mislead most, on a scale from 1e-2 to 1e2, A on one from 1e-1 to 1e1;
        x0 zero, normal, or least squares on a wrong support. One in four is a gated operator.
    """
    while True:
        s, size = frames.sizes(rng, most, others)
        goal = kappa(s, frames.aim(rng))
        if not 1.0 < goal < math.inf:
            continue
        drawn: tuple[str, Any] | None
        if rng.random() < 0.25:
            p = int(rng.integers(2, 5))
            drawn = gated(rng, p, max(1, -(-size // p)), order(s), goal)
        else:
            drawn = conditioned(rng, size, order(s), goal)
        if drawn is not None:
            break
    name, A = drawn
    matrix = matrix_of(A)
    x = frames.plant(rng, matrix.T @ matrix, s) * 10.0 ** rng.uniform(-2.0, 2.0)
    return Instance.planted(A, x, x0=start(rng, matrix, x, s), options={"design": name, **(options or {})})


def matrix_of(A: np.ndarray | GatedOperator) -> np.ndarray:
    """Return the columns as an array."""
    return np.asarray(A.columns(np.arange(A.shape[1]))) if isinstance(A, GatedOperator) else A


def start(rng: Rng, A: np.ndarray, x: np.ndarray, most: int) -> np.ndarray | None:
    """Draw where a run begins: None (zero), normal entries, or least squares on a support with wrong columns.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    A : numpy.ndarray, shape (n, N)
        The columns.
    x : numpy.ndarray, shape (N,)
        The planted vector.
    most : int
        Non-zeros of the start.

    Notes
    -----
    Wrong fixed points of hard thresholding are least squares solutions on their support.
    """
    kind = rng.random()
    if kind < 0.3:
        return None
    chosen = rng.permutation(len(x))[:most]
    if kind < 0.6:  # with a column that does not belong there, and without one that does
        wrong, there = np.flatnonzero(x == 0.0), np.flatnonzero(x)
        if wrong.size and there.size:
            swapped = np.setdiff1d(there, rng.choice(there, int(rng.integers(1, there.size + 1)), replace=False))
            chosen = np.append(swapped, rng.permutation(wrong))[:most]
    x0 = np.zeros(len(x))
    if kind < 0.7:
        x0[chosen] = np.linalg.lstsq(A[:, chosen], A @ x)[0]
    else:
        x0[chosen] = float(np.linalg.norm(x)) * 10.0 ** rng.uniform(-1.0, 1.0) * rng.standard_normal(len(chosen))
    return x0


def conditioned(rng: Rng, size: int, order: int, kappa: float) -> tuple[str, np.ndarray] | None:
    """Draw columns whose condition number over all supports of a size is given.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        N, at least 2.
    order : int
        Size of the supports; at most N columns count.
    kappa : float
        More than 1.

    Returns
    -------
    name : str
        The pattern of the Gram matrix.
    A : numpy.ndarray, shape (n, N)
        None where there are no such columns in the direction drawn.

    Notes
    -----
    Blocks of I + t E have the extreme eigenvalues 1 + t low and 1 + t high, and t = (kappa - 1) / (high - kappa low).
    """
    order = min(order, size)
    if rng.random() < 0.1 and order < size and size < kappa * (size - order):
        # corners of a simplex: blocks have the eigenvalues N and N - order, and there are fewer rows than columns
        A = frames.columns(rng, size * np.eye(size) - 1.0, extra=0)
        return None if A is None else ("simplex_corners", A)
    name, E = frames.pattern(rng, size, unit=bool(rng.random() < 0.5))
    t = _stretch(E, order, kappa)
    A = None if t is None else frames.columns(rng, np.eye(size) + t * E)
    return None if A is None else (name, 10.0 ** rng.uniform(-1.0, 1.0) * A)


def gated(rng: Rng, p: int, d: int, order: int, kappa: float) -> tuple[str, GatedOperator] | None:
    """Draw a gated operator whose condition number over all supports of a size is given.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    p, d : int
        Gates, and features of X.
    order : int
        Size of the supports; at most p d columns count.
    kappa : float
        More than 1.

    Returns
    -------
    name : str
        ``"gated"``.
    A : GatedOperator
        Each gate has rows of its own, with orthonormal features; rows that several gates share couple the blocks, and
        are as large as `kappa` asks for. None where no size does.
    """
    own = [np.linalg.qr(rng.standard_normal((d + int(rng.integers(0, 3)), d)))[0] for _ in range(p)]
    shared = rng.standard_normal((int(rng.integers(1, 4)), d))
    gates = np.zeros((sum(map(len, own)) + len(shared), p), dtype=bool)
    first = 0
    for j, block in enumerate(own):
        gates[first : first + len(block), j] = True
        first += len(block)
    gates[first:] = rng.random((len(shared), p)) < 0.6
    coupling = (gates[first:, :, None] * shared[:, None, :]).reshape(len(shared), p * d)
    t = _stretch(coupling.T @ coupling, min(order, p * d), kappa)
    if t is None:
        return None
    X = 10.0 ** rng.uniform(-1.0, 1.0) * np.concatenate([*own, math.sqrt(t) * shared])
    turned = rng.permutation(len(X))
    return "gated", GatedOperator(X[turned], gates[turned])


def _stretch(E: np.ndarray, order: int, kappa: float) -> float | None:
    """Return the t > 0 at which the blocks of I + t E have the condition number kappa, None if there is none."""
    low, _, high, _ = extreme_blocks(E, order)
    spread = high - kappa * low
    return (kappa - 1.0) / spread if spread > 1e-9 * max(abs(high), abs(low)) else None
