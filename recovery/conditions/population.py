"""The population Gram matrix of gates: the limit of A'A / n for a ReLU operator with standard normal inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_array, check_choice
from recovery.conditions.coverage import expected_separation
from recovery.operators.dense import DenseOperator

__all__ = ["arc_cosine_kernel", "coherence_floor", "population_gram", "population_operator"]


def population_gram(H: Any, columns: Any = None, *, strict: bool = False, unit: bool = False) -> Any:
    """Return the expectation of A'A / n, A = [D_1 X, ..., D_p X], for rows of X from N(0, I).

    Parameters
    ----------
    H : array, shape (d, p)
        One generator per column; gate j is 1{X h_j >= 0}. Lengths do not matter. A generator of zeros opens its gate
        for every row, or for none if `strict`.
    columns : array of int, shape (K,), optional
        Columns of A, j * d + i for feature i behind gate j; all d p of them by default.
    strict : bool, default False
        Gates ``> 0`` instead of ``>= 0``; for Gaussian rows they differ for zero generators only.
    unit : bool, default False
        Scale to a unit diagonal, as for a normalised operator. Zero columns stay zero.

    Returns
    -------
    array of float64, shape (d p, d p) or (K, K)
        The matrix, exactly symmetric, on the device of H. Its diagonal is 1/2 for generators that are not 0.

    Raises
    ------
    TypeError, ValueError
        If H is not a finite matrix, or `columns` contains anything other than column indices.

    Notes
    -----
    The block of gates at angle theta is

        E[1{h.x >= 0} 1{g.x >= 0} x x'] = ((pi - theta) I + sin(theta) M) / (2 pi),

    M swaps h / |h| and g / |g| and is 0 on their complement. With a and b the unit vectors along the sum and the
    difference of the two, M = a a' - b b', which is accurate at angles near 0 and pi. Angles are 2 atan2(|u - v|, |u +
    v|) of the unit generators u and v, not arccos(u.v), which loses half of its digits there.

    Memory: about six times the size of the result.

    References
    ----------
    Derived here: docs/theory, "The population Gram matrix of gates". The matrix is known from phase
    retrieval with generative priors (Hand and Voroninski; from memory of the literature); verified against SymPy and
    Monte Carlo by tests/recovery/test_population_symbolic.py and test_population_sampled.py.

    Examples
    --------
    >>> import numpy as np
    >>> population_gram(np.eye(2), unit=True).round(4).tolist()[0]  # two gates at a right angle, two features
    [1.0, 0.0, 0.5, 0.3183]
    """
    U, live = _unit(H)
    xp = arrays.namespace(U)
    d, p = U.shape
    j, i = np.divmod(_indices(columns, d * p), d)
    gate, feature = xp.asarray(j), xp.asarray(i)
    together, apart = _lengths(U)
    open_share = 2.0 * xp.arctan2(together, apart)  # pi - theta
    along = xp.where(together > 0, apart / (2 * xp.where(together > 0, together, 1.0)), 0.0)
    across = xp.where(apart > 0, together / (2 * xp.where(apart > 0, apart, 1.0)), 0.0)
    both, none = live[:, None] & live, ~(live[:, None] | live)
    zero = xp.where(none, 0.0 if strict else 2 * math.pi, 0.0 if strict else math.pi)
    open_share = xp.where(both, open_share, zero)
    along, across = xp.where(both, along, 0.0), xp.where(both, across, 0.0)

    pair = (gate[:, None], gate[None, :])
    mixed = U[feature[:, None], gate[None, :]]  # entry (c, l): component of generator l along the feature of column c
    own = U[feature, gate]
    plus, minus = own[:, None] + mixed, own[:, None] - mixed
    gram = along[pair] * (plus * plus.T) + across[pair] * (minus * minus.T)
    gram = (gram + xp.where(feature[:, None] == feature, open_share[pair], 0.0)) / (2 * math.pi)
    if unit:
        norms = xp.sqrt(xp.diagonal(gram))
        norms = xp.where(norms > 0, norms, 1.0)
        gram = gram / (norms[:, None] * norms)
    return gram


def population_operator(H: Any, columns: Any = None, *, strict: bool = False, unit: bool = False) -> DenseOperator:
    """Return a square operator R with R'R = E[A'A / n], so that conditions and solvers can be applied to infinite n.

    Parameters
    ----------
    H, columns, strict, unit
        As for :func:`population_gram`.

    Returns
    -------
    DenseOperator, shape (K, K)
        diag(sqrt(eigenvalues)) V', with eigenvalues that are negative due to rounding set to 0. R'R differs from the
        Gram matrix by a few eps times its largest eigenvalue.

    Raises
    ------
    TypeError, ValueError
        As for :func:`population_gram`.

    Notes
    -----
    A condition that is a continuous function of A'A / n tends to that of R, almost surely, by the law of large
    numbers. R has a null space only if the limit has one: for finitely many rows the null space of A is larger.

    Examples
    --------
    >>> import numpy as np
    >>> from recovery.conditions import mutual_coherence
    >>> round(mutual_coherence(population_operator(np.eye(2))), 4)  # two gates at a right angle
    0.5
    """
    gram = population_gram(H, columns, strict=strict, unit=unit)
    xp = arrays.namespace(gram)
    values, vectors = xp.linalg.eigh(gram)
    return DenseOperator(xp.sqrt(xp.where(values > 0, values, 0.0))[:, None] * vectors.T)


def arc_cosine_kernel(H: Any, order: int = 1) -> Any:
    """Return the arc-cosine kernel of order 0 or 1 between the columns of H.

    Parameters
    ----------
    H : array, shape (d, p)
        One vector per column, all non-zero.
    order : {0, 1}, default 1
        0: 1 - theta / pi. 1: |h| |g| (sin(theta) + (pi - theta) cos(theta)) / pi.

    Returns
    -------
    array of float64, shape (p, p)
        2 E[1{h.x >= 0} 1{g.x >= 0} (h.x)^order (g.x)^order] for x from N(0, I).

    Raises
    ------
    TypeError, ValueError
        If H is not a finite matrix without zero columns, a product of two lengths overflows for order 1, or the order
        is neither 0 nor 1.

    Notes
    -----
    With B the block of h and g in :func:`population_gram`, order 1 is 2 h'B g, and order 0 is 2 / d times the trace
    of B: M has trace 0.

    References
    ----------
    Cho and Saul, "Kernel methods for deep learning", 2009 (from memory of the literature, verified numerically by
    tests/recovery/test_population.py and derived by :func:`recovery.symbolic.arc_cosine`).
    """
    check_choice(order, "order", (0, 1))
    U, live = _unit(H)
    xp = arrays.namespace(U)
    if not bool(live.all()):
        raise ValueError(f"H has {int((~live).sum())} zero column(s); expected non-zero columns")
    together, apart = _lengths(U)
    left = 2.0 * xp.arctan2(together, apart)  # pi - theta
    if order == 0:
        return left / math.pi
    H = check_array(H, "H", ndim=2).astype(np.float64)
    largest = xp.abs(H).max(axis=0)
    # sin(theta) = sin(left), cos(theta) = -cos(left)
    shares = (together * apart / 2 - left * xp.cos(left)) / math.pi
    with np.errstate(over="ignore"):
        lengths = largest * xp.sqrt(((H / largest) ** 2).sum(axis=0))
        products = lengths[:, None] * lengths
    if not bool(xp.isfinite(products).all()):
        raise ValueError("H has columns whose inner products overflow; expected columns of norm below 1e150")
    return products * shares


def coherence_floor(H: Any) -> float:
    """Return the limiting lower bound on the operator's coherence as n grows: 1 - theta_min / pi.

    Parameters
    ----------
    H : array, shape (d, p)
        One generator per column, at least two, all non-zero.

    Returns
    -------
    float
        1 - theta / pi for the smallest angle between two generators.

    Raises
    ------
    TypeError, ValueError
        If H is not a finite matrix of at least two columns that are not 0.

    Notes
    -----
    Feature i behind two gates gives two columns whose correlation tends to 1 - theta / pi + sin(theta) M_ii / pi. Since
    M has trace 0, its average over the features is 1 - theta / pi, and some feature attains at least that. For unit
    columns the isometry constant delta_2 is the coherence. Among three generators there are always two at an angle of
    at most 2 pi / 3, so with three gates delta_2 >= 1/3 and kappa_2 >= 2 in the limit, whatever the gates are.

    References
    ----------
    Derived here: docs/theory, "Why a ReLU operator does not become an isometry".

    Examples
    --------
    >>> import numpy as np
    >>> coherence_floor(np.eye(3))
    0.5
    """
    share = arrays.to_numpy(expected_separation(H))
    if share.shape[0] < 2:
        raise ValueError(f"H has {share.shape[0]} column(s); expected at least 2 generators")
    return 1.0 - float(share[np.triu_indices(share.shape[0], 1)].min())


def _unit(H: Any) -> tuple[Any, Any]:
    """Return the columns of H in float64 at unit length, and a mask of the non-zero ones."""
    H = check_array(H, "H", ndim=2).astype(np.float64)
    xp = arrays.namespace(H)
    largest = xp.abs(H).max(axis=0)
    live = largest > 0
    scaled = H / xp.where(live, largest, 1.0)  # so that no square under- or overflows
    return scaled / xp.where(live, xp.sqrt((scaled * scaled).sum(axis=0)), 1.0), live


def _lengths(U: Any) -> tuple[Any, Any]:
    """Return |u_j + u_k| and |u_j - u_k|, summed over features, since scalar products would lose digits."""
    xp = arrays.namespace(U)
    together = xp.zeros((U.shape[1], U.shape[1]))
    apart = xp.zeros((U.shape[1], U.shape[1]))
    for row in U:
        together = together + (row[:, None] + row) ** 2
        apart = apart + (row[:, None] - row) ** 2
    return xp.sqrt(together), xp.sqrt(apart)


def _indices(columns: Any, size: int) -> np.ndarray:
    """Return column indices as int64 on the CPU, or raise an error."""
    if columns is None:
        return np.arange(size)
    found = arrays.to_numpy(columns) if arrays.is_array(columns) else np.asarray(columns)
    if found.dtype.kind not in "iu" or found.ndim != 1 or found.size == 0:
        raise TypeError(
            f"columns has dtype {found.dtype} and shape {found.shape}; expected a vector of integer indices"
        )
    if found.min() < 0 or found.max() >= size:
        raise ValueError(
            f"columns has indices from {found.min()} to {found.max()}; expected them between 0 and {size - 1}"
        )
    return found.astype(np.int64)
