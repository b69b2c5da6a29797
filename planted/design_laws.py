"""How each design of :mod:`planted.designs` is drawn: one function per design."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = ["DRAW"]

Rng = np.random.Generator


def _gaussian(n: int, d: int, rng: Rng, support: np.ndarray) -> np.ndarray:
    return rng.standard_normal((n, d))


def _orthonormal(rows: int, cols: int, rng: Rng) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((rows, cols)))
    # with a positive diagonal of R the factor Q is uniform
    return q * np.where(np.diag(r) < 0, -1.0, 1.0)


def _orthogonal(n: int, d: int, rng: Rng, support: np.ndarray) -> np.ndarray:
    if n < d:
        raise ValueError(f"design 'orthogonal' with n={n} and d={d} does not exist; expected n >= d")
    return math.sqrt(n) * _orthonormal(n, d, rng)


def _toeplitz(n: int, d: int, rng: Rng, support: np.ndarray, rho: float) -> np.ndarray:
    X = rng.standard_normal((n, d))
    fresh = math.sqrt(1.0 - rho * rho)
    for j in range(1, d):
        X[:, j] = rho * X[:, j - 1] + fresh * X[:, j]
    return X


def _equicorrelated(n: int, d: int, rng: Rng, support: np.ndarray, rho: float) -> np.ndarray:
    return _block(n, d, rng, support, rho, d)


def _block(n: int, d: int, rng: Rng, support: np.ndarray, rho: float, size: float) -> np.ndarray:
    shared = rng.standard_normal((n, -(-d // int(size))))
    own = rng.standard_normal((n, d))
    return math.sqrt(rho) * shared[:, np.arange(d) // int(size)] + math.sqrt(1.0 - rho) * own


def _ill_conditioned(n: int, d: int, rng: Rng, support: np.ndarray, cond: float) -> np.ndarray:
    rank = min(n, d)
    values = np.geomspace(1.0, 1.0 / cond, rank) if rank > 1 else np.ones(1)
    values *= math.sqrt(n * d) / np.linalg.norm(values)
    return (_orthonormal(n, rank, rng) * values) @ _orthonormal(d, rank, rng).T


def _duplicated(n: int, d: int, rng: Rng, support: np.ndarray, count: float) -> np.ndarray:
    pairs = int(count)
    if d < 2 * pairs:
        raise ValueError(f"design 'duplicated' with count={pairs} and d={d} does not fit; expected d >= {2 * pairs}")
    X = rng.standard_normal((n, d))
    places = rng.permutation(d)[: 2 * pairs]
    X[:, places[pairs:]] = X[:, places[:pairs]]
    return X


def _heavy_tailed(n: int, d: int, rng: Rng, support: np.ndarray, df: float) -> np.ndarray:
    return rng.standard_t(df, size=(n, d)) * math.sqrt((df - 2.0) / df)


def _decoy(n: int, d: int, rng: Rng, support: np.ndarray, correlation: float) -> np.ndarray:
    k = int(support.size)
    if k == 0 or k >= d:
        raise ValueError(f"design 'decoy' with k={k} and d={d} does not fit; expected 1 <= k < d signal columns")
    X = rng.standard_normal((n, d))
    null = rng.choice(np.setdiff1d(np.arange(d), support))
    lean = X[:, support].sum(axis=1) / math.sqrt(k)
    X[:, null] = correlation * lean + math.sqrt(1.0 - correlation**2) * X[:, null]
    return X


def _unequal_norms(n: int, d: int, rng: Rng, support: np.ndarray, ratio: float) -> np.ndarray:
    return rng.standard_normal((n, d)) * rng.permutation(np.geomspace(1.0, 1.0 / ratio, d))


DRAW: dict[str, Callable[..., np.ndarray]] = {
    "gaussian": _gaussian,
    "orthogonal": _orthogonal,
    "toeplitz": _toeplitz,
    "equicorrelated": _equicorrelated,
    "block": _block,
    "ill_conditioned": _ill_conditioned,
    "duplicated": _duplicated,
    "heavy_tailed": _heavy_tailed,
    "decoy": _decoy,
    "unequal_norms": _unequal_norms,
}
"""The function that draws each design: (n, d, rng, support, **parameters) -> X."""
