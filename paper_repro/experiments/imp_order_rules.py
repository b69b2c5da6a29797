"""Orders of features: by a number each, by rounds of pruning, and the best subset by trying all."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

__all__ = ["best_subset", "ranks", "sequential_ranks"]


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value, 0 for the smallest.

    Parameters
    ----------
    values : numpy.ndarray, shape (d,)
        Distinct numbers.

    Returns
    -------
    numpy.ndarray of int, shape (d,)
        A permutation of 0 to d - 1.
    """
    return np.argsort(np.argsort(values))


def sequential_ranks(weights: Callable[[np.ndarray], np.ndarray], d: int) -> np.ndarray:
    """Return in which round each feature goes if the smallest weight of every mask does.

    Parameters
    ----------
    weights : callable
        Mask, bool of shape (d,), to weights of shape (d,).
    d : int
        Number of features.

    Returns
    -------
    numpy.ndarray of int, shape (d,)
        0 for the first to go.
    """
    mask, found = np.ones(d, dtype=bool), np.empty(d, dtype=int)
    for place in range(d):
        size = np.where(mask, np.abs(weights(mask)), np.inf)
        goes = int(np.argmin(size))
        found[goes], mask[goes] = place, False
    return found


def best_subset(X: np.ndarray, y: np.ndarray, k: int) -> tuple[int, ...]:
    """Return the k columns with the smallest residual sum of squares, by trying all.

    Parameters
    ----------
    X : numpy.ndarray, shape (n, d)
        Features, of full column rank.
    y : numpy.ndarray, shape (n,)
        Targets.
    k : int
        How many columns.

    Returns
    -------
    tuple of int
        Ascending.
    """
    Q, R = np.linalg.qr(X)
    target = Q.T @ y
    subsets = np.array(list(combinations(range(X.shape[1]), k)))
    basis, _ = np.linalg.qr(np.moveaxis(R[:, subsets], 1, 0))
    explained = (np.einsum("sij,i->sj", basis, target) ** 2).sum(axis=1)
    return tuple(int(j) for j in subsets[int(np.argmax(explained))])
