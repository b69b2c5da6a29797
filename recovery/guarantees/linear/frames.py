"""Random small systems of nearly orthonormal columns, at a chosen distance from the boundary of a condition."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = ["aim", "columns", "crossing", "largest_step", "pattern", "plant", "sizes"]

Rng = np.random.Generator
_PATTERNS = ("random", "single_pairs", "equicorrelated", "decaying", "star", "simplex")


def aim(rng: Rng, largest: float = 3.0) -> float:
    """Draw a margin at which a condition is to hold or fail.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    largest : float, default 3.0
        Largest margin.

    Returns
    -------
    float
        Log-uniform in 0.05 to `largest` (50 %), in 1e-6 to 0.05 (30 %: just holds), in -0.3 to -1e-4 (20 %: just
        fails).
    """
    kind, place = rng.random(2)
    if kind < 0.5:
        return float(0.05 * (largest / 0.05) ** place)
    return float(1e-6 * 5e4**place) if kind < 0.8 else -float(1e-4 * 3e3**place)


def sizes(rng: Rng, most: int = 3, others: int = 5) -> tuple[int, int]:
    """Draw k, from 1 (one in five) to `most`, and the number of columns, 1 to `others` more."""
    k = 1 if rng.random() < 0.2 or most == 1 else int(rng.integers(2, most + 1))
    return k, k + int(rng.integers(1, others + 1))


def pattern(rng: Rng, size: int, *, unit: bool = True) -> tuple[str, np.ndarray]:
    """Draw a direction E in which the Gram matrix I + t E leaves the identity.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    size : int
        N, at least 2.
    unit : bool, default True
        With a zero diagonal, so that the columns have unit norm.

    Returns
    -------
    name : str
        Which pattern; ``"simplex"`` has equal negative correlations, ``"star"`` one column that all others lean on.
    E : numpy.ndarray, shape (N, N)
        Symmetric, the largest entry off the diagonal is 1 in size.
    """
    name = _PATTERNS[int(rng.integers(len(_PATTERNS)))]
    i, j = np.indices((size, size))
    signs = rng.choice([-1.0, 1.0], size)
    if name == "random":
        E = rng.uniform(-1.0, 1.0, (size, size))
    elif name == "single_pairs":
        E = rng.uniform(-1.0, 1.0, (size, size)) * (rng.random((size, size)) < 0.3)
        E[1, 0] = 1.0
    elif name == "decaying":
        E = (rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 0.9)) ** np.abs(i - j)
    elif name == "star":
        E = np.where(j == 0, 1.0, rng.uniform(-0.2, 0.2, (size, size)))
    else:
        E = np.full((size, size), 1.0 if name == "equicorrelated" else -1.0)
    E = np.tril(E, -1)
    E = (E + E.T) * signs[:, None] * signs
    E = E / np.abs(E).max()
    if not unit:
        name += "_unequal"
        E = E + np.diag(rng.uniform(-1.0, 1.0, size))
    return name, E


def largest_step(E: np.ndarray) -> float:
    """Return the largest t for which I + t E is positive semidefinite, at most 1e3."""
    return min(1e3, 1.0 / max(-float(np.linalg.eigvalsh(E)[0]), 1e-3))


def columns(rng: Rng, gram: np.ndarray, extra: int = 4) -> np.ndarray | None:
    """Draw columns with a given Gram matrix.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    gram : numpy.ndarray, shape (N, N)
        Symmetric; where it is singular there are fewer rows than columns, or as many.
    extra : int, default 4
        Largest number of rows beyond its rank.

    Returns
    -------
    numpy.ndarray, shape (n, N), or None
        None where an eigenvalue is negative.
    """
    spectrum, basis = np.linalg.eigh(gram)
    if spectrum[0] < -1e-12 * spectrum[-1]:
        return None
    kept = spectrum > 1e-12 * spectrum[-1]
    rank = int(kept.sum())
    Q, _ = np.linalg.qr(rng.standard_normal((rank + int(rng.integers(0, extra + 1)), rank)))
    return np.asarray(Q @ (np.sqrt(spectrum[kept])[:, None] * basis[:, kept].T))


def plant(rng: Rng, gram: np.ndarray, k: int) -> np.ndarray:
    """Draw a k-sparse vector, half of the time with the signs that mislead a greedy choice most.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    gram : numpy.ndarray, shape (N, N)
        Gram matrix of the columns.
    k : int
        From 1 to N - 1.

    Returns
    -------
    numpy.ndarray, shape (N,)
        Sizes equal, or spread over up to two decades.
    """
    order = rng.permutation(gram.shape[0])
    support, decoy = order[:k], order[k]
    values = 10.0 ** (rng.uniform(-1.0, 1.0, k) * rng.choice([0.0, 0.1, 1.0]))
    aligned = np.where(gram[support, decoy] < 0.0, -1.0, 1.0)
    x = np.zeros(gram.shape[0])
    x[support] = values * (aligned if rng.random() < 0.5 else rng.choice([-1.0, 1.0], k))
    return x


def crossing(value: Callable[[float], float], goal: float, high: float) -> float:
    """Return a t from 0 to `high` where a continuous function with value(0) < goal reaches it, or `high`.

    Parameters
    ----------
    value : callable
        float -> float; NaN counts as large.
    goal : float
        What it shall reach.
    high : float
        Largest t.

    Returns
    -------
    float
        By 50 halvings.
    """
    if value(high) < goal:
        return high
    low = 0.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        below = value(middle)
        if math.isnan(below) or below >= goal:
            high = middle
        else:
            low = middle
    return low
