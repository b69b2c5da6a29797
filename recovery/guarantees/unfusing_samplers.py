"""Gated instances whose planted weights are those of a ReLU network, or nearly so."""

from __future__ import annotations

import numpy as np

from recovery.gated import GatedOperator
from recovery.instances import Instance
from recovery.laws import NoiseLaw

__all__ = ["DESIGNS", "network_instance", "noisy_network"]

DESIGNS = ("gaussian", "blank", "integer", "few_values", "parallel")
"""Laws of X: blank entries, integers and equal sizes make activations exactly 0; parallel rows share a hyperplane."""

Rng = np.random.Generator


def network_instance(rng: Rng) -> Instance:
    """Draw a planted network among other gates; in one of four a bit or a value of it is wrong.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Instance
        Without noise. Hidden weights are binary, output weights +-1, both or neither.
    """
    X, gates, W, name = _network(rng)
    if rng.random() < 0.25:
        j = int(rng.choice(np.flatnonzero(W.any(axis=1))))
        if rng.random() < 0.5:
            row = int(rng.integers(len(X)))
            gates[row, j] = not gates[row, j]
        else:
            W[j] *= rng.choice([-1.0, 1.0, 2.0, 1.0 + 1e-4], W.shape[1])
    return Instance.planted(GatedOperator(X, gates), W.ravel(), options={"design": name})


def noisy_network(rng: Rng) -> Instance:
    """Draw a planted network with independent columns on its support, and noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Instance
        The noise is Gaussian, or the one that turns the activation of a row of a neuron towards 0 the fastest.
    """
    while True:
        X, gates, W, name = _network(rng)
        A = GatedOperator(X, gates)
        S = np.flatnonzero(W)
        columns = A.columns(S)
        sizes = np.linalg.norm(columns, axis=0)
        if sizes.all() and len(X) >= S.size:
            spectrum = np.linalg.svd(columns / sizes, compute_uv=False)
            if spectrum[-1] > 1e-3 * spectrum[0]:
                break
    if rng.random() < 0.5:
        law = NoiseLaw("gaussian", 0.1)
        return Instance.planted(A, W.ravel(), law.draw(len(X), rng), law=law, options={"design": name})
    j = int(rng.choice(np.flatnonzero(W.any(axis=1))))
    rows = np.flatnonzero(np.abs(X @ W[j]) > 0.0)
    noise = np.zeros(len(X))
    if rows.size:
        i = int(rows[np.argmin(np.abs(X @ W[j])[rows])])
        direction = np.where(S // X.shape[1] == j, X[i][S % X.shape[1]], 0.0)
        noise = -np.sign(X[i] @ W[j]) * np.linalg.pinv(columns).T @ direction
        noise = 0.1 * noise / max(float(np.linalg.norm(noise)), 1e-12)
    return Instance.planted(A, W.ravel(), noise, options={"design": name})


def _network(rng: Rng) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Return X, gates (n, p), weights (p, d) and the name of the design."""
    d, p = int(rng.integers(2, 6)), int(rng.integers(1, 6))
    n = int(rng.integers(4, 25))
    name = DESIGNS[int(rng.integers(len(DESIGNS)))]
    X = _inputs(rng, name, n, d)
    neurons = int(rng.integers(1, min(p, 3) + 1))
    H = rng.standard_normal((d, p))
    W = np.zeros((p, d))
    binary, signs = rng.random() < 0.6, rng.random() < 0.6
    for j in rng.permutation(p)[:neurons]:
        support = rng.permutation(d)[: int(rng.integers(1 if rng.random() < 0.3 else 2, d + 1))]
        H[:, j] = 0.0
        H[support, j] = 1.0 if binary else _values(rng, support.size)
        v = rng.choice([-1.0, 1.0]) * (1.0 if signs else 10.0 ** rng.uniform(-2.0, 2.0))
        W[j] = v * H[:, j]
    # the float product may round an activation of 0 to either side; sums of few small numbers do not
    return X, X @ H >= 0.0, W, name


def _values(rng: Rng, count: int) -> np.ndarray:
    kind = rng.random()
    if kind < 0.4:
        return rng.integers(1, 4, count) * rng.choice([-1.0, 1.0], count)
    return rng.standard_normal(count) * 10.0 ** (rng.uniform(-1.0, 1.0, count) * (kind < 0.7))


def _inputs(rng: Rng, name: str, n: int, d: int) -> np.ndarray:
    X = rng.standard_normal((n, d))
    if name == "blank":
        return np.where(rng.random((n, d)) < 0.5, 0.0, X)
    if name == "integer":
        return rng.integers(-2, 3, (n, d)).astype(np.float64)
    if name == "few_values":
        return rng.choice([-1.0, -0.5, 0.5, 1.0], (n, d))
    if name == "parallel":
        turned = X[rng.integers(0, max(n // 2, 1), n)] * rng.choice([-2.0, -1.0, 1.0, 3.0], (n, 1))
        return np.where(rng.random((n, 1)) < 0.5, turned, X)
    return X
