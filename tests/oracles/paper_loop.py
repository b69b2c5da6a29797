"""The paper's method with the structure of the authors' released code, neuron by neuron, to compare costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from planted.base import arrays

__all__ = ["released_loop"]

INNER_STEPS = 10
MAX_HALVINGS = 10

Blocks = Callable[[Any], np.ndarray]


def released_loop(
    X: np.ndarray, y: np.ndarray, *, n_neurons: int, sparsity: int, n_iter: int, rng: Any = None
) -> Iterator[np.ndarray]:
    """Make the steps of ``fit_network(method="paper")`` the slow way, with the operations of the released code.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Inputs.
    y : numpy.ndarray, shape (n,)
        Targets.
    n_neurons, sparsity : int
        m, and s from 1 to d m.
    n_iter : int
        Number of steps.
    rng : int, numpy.random.Generator or None
        Draws the first generators; the same ones as :func:`recovery.fit_network` draws.

    Yields
    ------
    numpy.ndarray, shape (m, d)
        The weights after each step, one neuron a row.

    Notes
    -----
    Wherever a column is needed, the n x d block gate_j X of its neuron is formed. In each step every neuron is
    visited, those without weights too: the gradient of its block is taken and its entries are merged into a top-s
    buffer (update of what is there, concatenation, ``unique``, two ``argsort``). The columns of a support
    are an n x s array that is filled block by block, once for the step size and once for the ten inner gradient
    steps, each of which evaluates the residual, and the objective for every halving, anew. Where the released code
    spends more this does not: generators and weights are stored, not drawn or looked up for every block. Ties go to
    the smaller index. They do occur: two neurons that carry one weight each, on the same input and of
    the same sign, have equal gates, so that their other entries compete by rounding alone.

    References
    ----------
    .. [1] S. Fridovich-Keil, M. Pilanci, "A Recovery Guarantee for Sparse Neural Networks", arXiv:2509.20323; the order
       and shapes of the operations are those of the authors' public code (github.com/voilalab/MLP-IHT).
    """
    d = X.shape[1]
    generators = arrays.generator(rng).standard_normal((n_neurons, d)).astype(X.dtype)
    weights = np.zeros((n_neurons, d), dtype=X.dtype)
    support = np.zeros(0, dtype=np.int64)
    for step in range(1, n_iter + 1):
        block = _blocks(X, generators)
        mu, residual = _step_size(X, block, support, weights.ravel()[support], y)
        support, start = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=X.dtype)
        for j in range(n_neurons):
            moved = weights[j] + mu * (residual @ block(j))
            support, start = _merge(support, start, np.arange(j * d, (j + 1) * d), moved, sparsity)
        values = _inner_steps(_columns(X, block, support), y, start, mu)
        weights = np.zeros((n_neurons, d), dtype=X.dtype)
        weights.ravel()[support] = values
        if step >= 2:
            generators = weights
        yield weights


def _blocks(X: np.ndarray, generators: np.ndarray) -> Blocks:
    """Return the function that forms the block of a neuron whenever it is asked for; none is kept."""
    return lambda j: (X @ generators[j] > 0)[:, None] * X


def _columns(X: np.ndarray, block: Blocks, support: np.ndarray) -> np.ndarray:
    d = X.shape[1]
    out = np.zeros((X.shape[0], support.size), dtype=X.dtype)
    for j in np.unique(support // d):
        here = support // d == j
        out[:, here] = block(j)[:, support[here] - j * d]
    return out


def _step_size(
    X: np.ndarray, block: Blocks, support: np.ndarray, values: np.ndarray, y: np.ndarray
) -> tuple[Any, np.ndarray]:
    """Return the step size and the residual."""
    columns = _columns(X, block, support)
    residual = y - columns @ values
    inside = columns.T @ residual
    mu = np.square(inside).sum() / (np.square(columns @ inside).sum() + 1e-8)
    return (mu if support.size else 1e-14), residual


def _merge(
    index: np.ndarray, value: np.ndarray, new_index: np.ndarray, new_value: np.ndarray, s: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the s largest entries of the buffer and a new block, zeros left out, in ascending order of the index."""
    value = value.copy()
    _, there, here = np.intersect1d(index, new_index, assume_unique=True, return_indices=True)
    value[there] = new_value[here]
    fresh = np.isin(new_index, index, invert=True) & (new_value != 0)
    index = np.concatenate([index, new_index[fresh]])
    value = np.concatenate([value, new_value[fresh]])
    index, first = np.unique(index, return_index=True)
    value = value[first]
    if index.size > s:
        largest = np.argsort(-np.abs(value), kind="stable")[:s]
        index, value = index[largest], value[largest]
    order = np.argsort(index)
    return index[order], value[order]


def _inner_steps(columns: np.ndarray, y: np.ndarray, start: np.ndarray, mu: Any) -> np.ndarray:
    """Make the gradient steps on the support; after too many halvings the point goes back to the start."""
    values = start
    for i in range(INNER_STEPS):
        rest = y - columns @ values
        if i == 0:
            first = objective = np.square(rest).sum()
        descent = columns.T @ rest
        for _ in range(MAX_HALVINGS + 1):
            trial = values + mu * descent
            reached = np.square(y - columns @ trial).sum()
            if reached <= objective - 0.9 * mu * np.square(descent).sum():
                values, objective = trial, reached
                break
            mu = mu / 2
        else:
            values, objective = start, first
    return values
