"""Small random linear models with orthogonal or nearly orthogonal columns; general ones are in ``recovery``."""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg

from planted import designs
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import linear_instance

__all__ = ["CONTINUOUS", "SUB_GAUSSIAN", "column_model", "correlated", "gaps", "orthogonal", "sizes", "start", "tall"]

Rng = np.random.Generator
SUB_GAUSSIAN = ("gaussian", "rademacher", "uniform")
CONTINUOUS = ("gaussian", "uniform", "laplace", "student")
"""Laws without atoms: random signs and integer designs together make ties that only rounding decides."""


def tall(rng: Rng, **options: object) -> Instance:
    """Draw a model with full column rank and d from 2 to 8, of any design."""
    return linear_instance(rng, **{"d_range": (2, 8), "n_range": (2, 20), **options})  # type: ignore[arg-type]


def sizes(rng: Rng, most: int = 8) -> tuple[int, int, int]:
    """Draw n >= d > k >= 1; k >= 2 in about three of four."""
    d = int(rng.integers(3, most + 1))
    k = 1 if rng.random() < 0.15 else int(rng.integers(2, d))
    return d + int(rng.integers(0, 2 * d + 1)), d, k


def gaps(rng: Rng) -> float:
    """Draw a relative distance from a boundary: a third within 5 %, a tenth on the wrong side, the rest up to 4."""
    kind = rng.random()
    if kind < 0.1:
        return float(-rng.uniform(0.01, 0.4))
    return float(10.0 ** rng.uniform(-5.0, -1.31) if kind < 0.45 else 10.0 ** rng.uniform(-1.3, 0.5))


def start(rng: Rng, d: int, size: float) -> np.ndarray:
    """Draw initial weights: small, as large as `size`, or much larger."""
    return np.asarray(size * 10.0 ** rng.choice([-2.0, 0.0, 1.0]) * rng.standard_normal(d))


def orthogonal(n: int, d: int, rng: Rng, *, scaled: bool) -> tuple[str, np.ndarray]:
    """Draw orthogonal columns.

    Parameters
    ----------
    n, d : int
        Rows and columns; some designs need other numbers of rows, and take them.
    rng : Generator
        Source of randomness.
    scaled : bool
        Columns get norms of their own, over two decades; else all norms are equal.

    Returns
    -------
    name : str
        Which one.
    X : numpy.ndarray, shape (rows, d)
        The design.
    """
    name = str(rng.choice(["orthogonal", "hadamard", "signed_identities"]))
    if name == "orthogonal":
        X = designs.orthogonal()(n, d, rng)
    elif name == "hadamard":
        rows = 1 << (n - 1).bit_length()
        X = scipy.linalg.hadamard(rows)[:, rng.permutation(rows)[:d]] * rng.choice([-1.0, 1.0], d)
    else:
        blocks = max(1, n // d)
        X = np.concatenate([np.diag(rng.choice([-1.0, 1.0], d)) for _ in range(blocks)])
        X = X[rng.permutation(blocks * d)]
    if scaled:
        X, name = X * 10.0 ** rng.uniform(-1.0, 1.0, d), name + "_scaled"
    return name, X * 10.0 ** rng.choice([-3.0, 0.0, 0.0, 3.0])


def correlated(n: int, d: int, coherence: float, rng: Rng) -> tuple[str, np.ndarray]:
    """Draw columns of equal norms whose largest correlation is given.

    Parameters
    ----------
    n, d : int
        Rows and columns.
    coherence : float
        Largest absolute correlation of two columns, below 1 / (d - 1).
    rng : Generator
        Source of randomness.

    Returns
    -------
    name : str
        Which pattern the correlations have.
    X : numpy.ndarray, shape (n, d)
        The design.
    """
    name = str(rng.choice(["equal_correlations", "decaying_correlations", "random_correlations"]))
    i, j = np.indices((d, d))
    if name == "equal_correlations":
        signs = rng.choice([-1.0, 1.0], d)
        E = coherence * signs[:, None] * signs
    elif name == "decaying_correlations":
        E = rng.choice([-1.0, 1.0]) ** (i - j) * coherence ** np.abs(i - j)
    else:
        E = rng.uniform(-1.0, 1.0, (d, d))
        E = np.tril(E, -1) + np.tril(E, -1).T
        E = coherence * E / np.abs(E).max()
    gram = np.where(i == j, 1.0, E)
    Q = designs.orthogonal()(n, d, rng)
    return name, Q @ np.linalg.cholesky(gram).T * 10.0 ** rng.choice([-3.0, 0.0, 0.0, 3.0])


def column_model(X: np.ndarray, w: np.ndarray, k: int, rng: Rng, **options: object) -> Instance:
    """Return a model whose least-squares weights are given: k of them are the truth, the others noise.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Design of full column rank.
    w : numpy.ndarray, shape (d,)
        Least-squares weights of all columns.
    k : int
        The k largest in magnitude are the planted vector.
    rng : Generator
        For the part of the noise that no column explains.
    **options
        Options of the instance.

    Returns
    -------
    Instance
        Without a law: the noise is made to fit.
    """
    n, d = X.shape
    x = np.zeros(d)
    top = np.argsort(-np.abs(w), kind="stable")[:k]
    x[top] = w[top]
    outside = np.asarray(rng.standard_normal(n))
    Q, _ = np.linalg.qr(X)
    outside = outside - Q @ (Q.T @ outside)
    outside *= np.linalg.norm(X @ w) * 10.0 ** rng.uniform(-2.0, 0.0) / math.sqrt(n)
    return Instance.planted(X, x, X @ (w - x) + outside, k, options=options)
