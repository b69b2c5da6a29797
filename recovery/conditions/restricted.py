"""Restricted eigenvalues: the extreme eigenvalues of A_S'A_S over all supports of at most s columns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from planted.base.arrays import EPS
from planted.base.checks import check_choice, check_integer
from planted.base.values import by_value
from recovery.exact.enumeration import LIMIT, extreme_blocks, extreme_support
from recovery.exact.intervals import Interval, contrast, down, ratio, up
from recovery.operators.columns import host_columns, host_gram

__all__ = ["RestrictedEigenvalues", "restricted_eigenvalues"]


@by_value
@dataclass(frozen=True, eq=False)
class RestrictedEigenvalues:
    """Bounds on the extreme eigenvalues of A_S'A_S over |S| <= s.

    Parameters
    ----------
    s : int
        Largest size of the supports.
    smallest, largest : Interval
        The extreme eigenvalues, not divided by n. Their witnesses are supports, ascending indices of shape
        (at most s,), that attain the upper bound on the smallest and the lower bound on the largest.
    message : str
        How the bounds were found.
    """

    s: int
    smallest: Interval
    largest: Interval
    message: str = ""

    @property
    def kappa(self) -> Interval:
        """Condition number largest / smallest; infinite if a support has dependent columns."""
        low, high = self.smallest, self.largest
        return Interval(
            max(1.0, ratio(high.lower, low.upper, -math.inf)),
            max(1.0, ratio(high.upper, low.lower, math.inf)),
            high.lower_certified and low.upper_certified,
            high.upper_certified and low.lower_certified,
        )

    @property
    def restricted_isometry(self) -> Interval:
        """Isometry constant of A itself, max(1 - smallest, largest - 1): | |A x|^2 - |x|^2 | <= delta |x|^2."""
        low, high = self.smallest, self.largest
        return Interval(
            max(down(1.0 - low.upper), down(high.lower - 1.0)),
            max(up(1.0 - low.lower), up(high.upper - 1.0)),
            high.lower_certified and low.upper_certified,
            high.upper_certified and low.lower_certified,
        )

    @property
    def scaled_restricted_isometry(self) -> Interval:
        """Isometry constant of the best multiple of A, (largest - smallest) / (largest + smallest)."""
        low, high = self.smallest, self.largest
        return Interval(
            max(0.0, contrast(high.lower, low.upper, -math.inf)),
            min(1.0, contrast(high.upper, low.lower, math.inf)),
            high.lower_certified and low.upper_certified,
            high.upper_certified and low.lower_certified,
        )

    def __and__(self, other: RestrictedEigenvalues) -> RestrictedEigenvalues:
        """Return the intersection of the results of two methods for the same operator and s."""
        if not isinstance(other, RestrictedEigenvalues):
            return NotImplemented
        if self.s != other.s:
            raise ValueError(
                f"eigenvalues over s={self.s} and s={other.s} columns were intersected; expected the same s"
            )
        message = "; ".join(dict.fromkeys(part for part in (self.message, other.message) if part))
        return RestrictedEigenvalues(self.s, self.smallest & other.smallest, self.largest & other.largest, message)


def restricted_eigenvalues(
    A: Any,
    sparsity: int,
    method: Literal["enumerate", "coherence", "search", "dual"] = "enumerate",
    *,
    limit: int = LIMIT,
    certify: bool = False,
) -> RestrictedEigenvalues:
    """Return the extreme eigenvalues of A_S'A_S over all supports of at most s columns, or bounds on them.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The columns, neither scaled to unit norm nor divided by sqrt(n).
    sparsity : int
        Largest number of columns, from 1 to N. For a theorem about 2 s columns use ``min(2 * s, N)``: no support has
        more than N.
    method : {"enumerate", "coherence", "search", "dual"}, default "enumerate"
        ``"enumerate"`` examines all C(N, s) supports, on the CPU. ``"coherence"`` bounds the eigenvalues by Gershgorin
        discs. ``"search"`` bounds them on one side only, by supports found by local search: it can refute a condition
        at sizes where no other method can, but never confirm one; the other bounds are 0 and infinity. ``"dual"``
        proves the bounds of :func:`recovery.certificates.dual_bound`, and bounds the other sides by sparse vectors
        found by local search; all four bounds are certified. It costs seconds at N = 40 to 100.
    limit : int, default 2,000,000
        Largest number of supports that are enumerated. Beyond it, bounds that need no enumeration are returned, and the
        message says so.
    certify : bool, default False
        Prove the result of ``"enumerate"`` by rigorous arithmetic, support by support, so that all bounds are
        certified; beyond `limit` dual bounds are used instead. With ``"search"`` the bounds that it finds are proved by
        exact arithmetic. ``"dual"`` always proves; ``"coherence"`` cannot.

    Returns
    -------
    RestrictedEigenvalues
        ``.smallest``, ``.largest``, ``.kappa``, ``.restricted_isometry``, ``.scaled_restricted_isometry``: intervals.
        Computed in float64; enumerated intervals have the width of the rounding errors, about (n + 8 s) eps times the
        s largest squared column norms. This is an estimate, not a proof, so without `certify` only bounds that need no
        arithmetic count as certified: no eigenvalue is negative, and with s > n there are dependent columns.

    Raises
    ------
    TypeError, ValueError
        If A is not a finite matrix, `sparsity` is out of range, or the method is unknown.

    Notes
    -----
    By interlacing, supports of size exactly s have the extreme eigenvalues of all sizes up to s. ``"coherence"``: every
    eigenvalue of A_S'A_S lies within sum_{i in S, i != j} |G_ij| of G_jj for a j in S, at most the sum of the s - 1
    largest entries of row j; for unit columns this gives 1 -+ mu_1(s - 1), between 1 - (s - 1) mu and 1 + (s - 1) mu.
    The other sides come from the best pair of columns.

    References
    ----------
    Derived here: docs/theory, "Bounds on restricted eigenvalues and on the recovery coefficient"; verified
    numerically against plain loops by tests/recovery/test_conditions_restricted.py.

    Examples
    --------
    >>> import numpy as np
    >>> found = restricted_eigenvalues(np.array([[1.0, 0.6, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 1.0]]), 2)
    >>> round(found.smallest.lower, 12), round(found.largest.upper, 12), found.largest.witness.tolist()
    (0.4, 1.6, [0, 1])
    """
    check_choice(method, "method", (*_METHODS, "dual"))
    if certify not in (True, False) or (certify and method == "coherence"):
        raise ValueError(
            f"certify={certify!r} with method={method!r}; expected a bool, and False for 'coherence', a float estimate"
        )
    columns = host_columns(A, proves=bool(certify) or method == "dual")
    gram, rows = host_gram(columns)
    size = gram.shape[0]
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=size)
    limit = check_integer(limit, "limit", minimum=0)
    if method == "dual" or certify:
        return _certified(columns, sparsity, method, limit)
    largest_norms = np.sort(np.diag(gram))[size - sparsity :]
    slack = (rows + 8 * sparsity) * EPS * float(largest_norms.sum())
    smallest, largest, message = _METHODS[method](gram, sparsity, limit)
    # no block has an eigenvalue below 0; with more columns than rows one of them is 0
    low, high = max(0.0, smallest.lower - slack), max(0.0, smallest.upper + slack)
    if sparsity > rows:
        low = high = 0.0
    return RestrictedEigenvalues(
        sparsity,
        Interval(low, high, low == 0.0, high == 0.0 and sparsity > rows, smallest.witness),
        Interval(max(0.0, largest.lower - slack), largest.upper + slack, False, False, largest.witness),
        message,
    )


def _certified(columns: np.ndarray, s: int, method: str, limit: int) -> RestrictedEigenvalues:
    """Return intervals whose bounds are proved."""
    # imported here to avoid a cycle: certificates are built on conditions
    from recovery.certificates.eigenvalues import certified_intervals

    count = math.comb(columns.shape[1], s)
    beyond = method == "enumerate" and count > limit
    smallest, largest, message = certified_intervals(columns, s, "dual" if beyond else method)
    if method == "enumerate":
        so = f"not enumerated: {count} supports exceed limit={limit}" if beyond else f"{count} supports were enumerated"
        message = f"{so}; {message}"
    return RestrictedEigenvalues(s, smallest, largest, message)


def _enumerate(gram: np.ndarray, s: int, limit: int) -> tuple[Interval, Interval, str]:
    """Return the extreme eigenvalues over all blocks, or, if there are too many, bounds that need no enumeration."""
    size = gram.shape[0]
    count = math.comb(size, s)
    if count > limit:
        smallest, largest, _ = _gershgorin(gram, s, limit)
        spectrum = np.linalg.eigvalsh(gram)
        floor, ceiling = max(smallest.lower, float(spectrum[0])), min(largest.upper, float(spectrum[-1]))
        # rounding may place these slightly beyond the best pair
        return (
            Interval(min(floor, smallest.upper), smallest.upper, witness=smallest.witness),
            Interval(largest.lower, max(ceiling, largest.lower), witness=largest.witness),
            f"not enumerated: {count} supports exceed limit={limit}; bounds from Gershgorin discs, from the spectrum "
            "of the whole Gram matrix and from pairs of columns",
        )
    low, low_at, high, high_at = extreme_blocks(gram, s)
    return (
        Interval(low, low, witness=low_at),
        Interval(high, high, witness=high_at),
        f"{count} supports were enumerated",
    )


def _gershgorin(gram: np.ndarray, s: int, limit: int) -> tuple[Interval, Interval, str]:
    """Return Gershgorin's bounds on one side and the best pairs of columns on the other."""
    diagonal = np.diag(gram)
    if s == 1:
        low_at, high_at = np.array([np.argmin(diagonal)]), np.array([np.argmax(diagonal)])
        low, high = float(diagonal.min()), float(diagonal.max())
    else:
        means, halves = (diagonal[:, None] + diagonal) / 2, (diagonal[:, None] - diagonal) / 2
        roots = np.hypot(halves, gram)
        lowest, highest = means - roots, means + roots
        # a column does not form a pair with itself
        np.fill_diagonal(lowest, np.inf)
        np.fill_diagonal(highest, -np.inf)
        low_at = np.sort(np.array(np.unravel_index(np.argmin(lowest), gram.shape)))
        high_at = np.sort(np.array(np.unravel_index(np.argmax(highest), gram.shape)))
        low, high = float(lowest.min()), float(highest.max())
    off = np.abs(gram - np.diag(diagonal))
    radii = -np.sort(-off, axis=1)[:, : s - 1].sum(axis=1)
    floor, ceiling = float((diagonal - radii).min()), float((diagonal + radii).max())
    return (
        Interval(min(floor, low), low, witness=low_at),
        Interval(high, max(ceiling, high), witness=high_at),
        "bounds from Gershgorin discs and from pairs of columns",
    )


def _search(gram: np.ndarray, s: int, limit: int) -> tuple[Interval, Interval, str]:
    """Return the bounds from supports found by local search; nothing is known about the other sides."""
    low_at, high_at = (extreme_support(gram, s, side) for side in ("smallest", "largest"))
    low, high = (np.linalg.eigvalsh(gram[np.ix_(at, at)]) for at in (low_at, high_at))
    return (
        Interval(0.0, max(0.0, float(low[0])), witness=low_at),
        Interval(float(high[-1]), math.inf, witness=high_at),
        "bounds from supports found by a local search; others may be more extreme",
    )


_METHODS: dict[str, Callable[[np.ndarray, int, int], tuple[Interval, Interval, str]]] = {
    "enumerate": _enumerate,
    "coherence": _gershgorin,
    "search": _search,
}
"""Each takes the Gram matrix, s and the limit; rounding errors are added to its result."""
