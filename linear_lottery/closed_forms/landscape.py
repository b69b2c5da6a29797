"""Conditioning and connectivity along a pruning path: condition numbers that never increase, and zero loss barriers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from linear_lottery.closed_forms.arguments import mask_of, matrix, numbers, of_unit_size, scalar_or_array, vector
from planted.base import arrays
from planted.base.checks import check_array
from recovery.operators.ranks import rank

__all__ = ["barrier", "condition_numbers", "gram_extremes", "segment_excess"]


def gram_extremes(X: Any, masks: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the extreme eigenvalues of the Gram matrix of each mask of a path.

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    masks : array, shape (rounds, d), bool or of zeros and ones
        One mask per row, such as ``PruningPath.masks``.

    Returns
    -------
    smallest, largest : numpy.ndarray, shape (rounds,), float64
        Extreme eigenvalues of G_M = X_M' X_M / n. For an empty mask, infinity and 0.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match or values are invalid.

    Notes
    -----
    For M' inside M, G_M' is a principal submatrix of G_M, so its eigenvalues interlace: the smallest never decreases
    along a path and the largest never increases. Cost: one decomposition per mask.

    References
    ----------
    Cauchy's interlacing theorem; docs/theory, "Conditioning and connectivity along a path".
    """
    X = matrix(X)
    rows = arrays.to_numpy(check_array(masks, "masks", ndim=2, shape=(None, X.shape[1])))
    smallest, largest = np.full(len(rows), math.inf), np.zeros(len(rows))
    for place, row in enumerate(rows):
        M = mask_of(row, "masks", X.shape[1])
        if M.any():
            s = np.linalg.svd(X[:, M], compute_uv=False) / math.sqrt(X.shape[0])
            full = rank(X[:, M]) == M.sum()
            smallest[place], largest[place] = (s[-1] ** 2 if full else 0.0), s[0] ** 2
    return smallest, largest


def condition_numbers(X: Any, masks: Any) -> np.ndarray:
    """Return the condition number of the Gram matrix of each mask: it never grows along a path (C4).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    masks : array, shape (rounds, d), bool or of zeros and ones
        One mask per row, such as ``PruningPath.masks``.

    Returns
    -------
    numpy.ndarray, shape (rounds,), float64
        lam_max(G_M) / lam_min(G_M); infinite if X_M lacks full column rank, and 1 for an empty mask.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match or values are invalid.

    References
    ----------
    Cauchy's interlacing theorem; docs/theory, "Conditioning and connectivity along a path".
    """
    smallest, largest = gram_extremes(of_unit_size(matrix(X)), masks)
    found = np.full(smallest.shape, math.inf)
    np.divide(largest, smallest, out=found, where=smallest > 0)
    found[np.isinf(smallest)] = 1.0
    return found


def segment_excess(X: Any, w_a: Any, w_b: Any, position: Any) -> Any:
    """Return how far the loss on the segment between two weight vectors lies above the chord (C5).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    w_a, w_b : array, shape (d,)
        The two ends: any weights, whether solutions or not.
    position : float or array
        s in w(s) = (1 - s) w_a + s w_b, between 0 and 1.

    Returns
    -------
    float or numpy.ndarray, shape of `position`
        L(w(s)) - (1 - s) L(w_a) - s L(w_b), with L(w) = |X w - y|^2 / (2 n). The targets cancel.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match or `position` is not between 0 and 1.

    Notes
    -----
    Equal to -s (1 - s) |X (w_a - w_b)|^2 / (2 n), hence never positive.

    References
    ----------
    Derived here: docs/theory, "Conditioning and connectivity along a path".
    """
    X = matrix(X)
    difference = vector(w_a, "w_a", X.shape[1]) - vector(w_b, "w_b", X.shape[1])
    s = numbers(position, "position", minimum=0.0, maximum=1.0)
    moved = X @ difference
    return scalar_or_array(-s * (1 - s) * float(moved @ moved) / (2 * X.shape[0]))


def barrier(X: Any, w_a: Any, w_b: Any) -> float:
    """Return the height of the loss barrier between two weight vectors of a linear model: exactly 0 (C5).

    Parameters
    ----------
    X : array, shape (n, d)
        Features, copied to the CPU.
    w_a, w_b : array, shape (d,)
        The two ends.

    Returns
    -------
    float
        The largest value of :func:`segment_excess` over the segment. It is attained at the ends.

    Raises
    ------
    TypeError, ValueError
        If shapes do not match.

    Notes
    -----
    The excess is a parabola in s that opens upwards and vanishes at both ends, so its maximum is there. This serves as
    a control: barriers of networks are meaningful only because that of a linear model is 0.

    References
    ----------
    Derived here: docs/theory, "Conditioning and connectivity along a path".
    """
    return float(np.max(segment_excess(X, w_a, w_b, np.array([0.0, 1.0]))) + 0.0)
