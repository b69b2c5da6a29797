"""The hypothesis of the recovery theorem for ReLU networks on a gated operator, and whether it can be satisfied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_integer
from planted.base.values import by_value
from recovery.conditions.coverage import energy_coverage, gate_spread
from recovery.conditions.patterns import dependent_gates
from recovery.operators.columns import check_gated, check_support

__all__ = ["CONSTANT", "Theorem1Report", "theorem1_report"]

CONSTANT = 32.0
"""The constant in s~ >= 32 (beta / alpha)^2 s."""


@by_value
@dataclass(frozen=True)
class Theorem1Report:
    """Evaluation of s~ >= 32 (beta / alpha)^2 s, with beta and alpha of order 2 s~ + s, on an operator.

    Parameters
    ----------
    shape : tuple of int
        n, d and p.
    s : int
        Non-zeros of the planted weights.
    coverage : float
        eps of Assumption 2, the smallest tr(D_j) / n.
    separation : float
        gamma of Assumption 2, the smallest fraction of rows on which two gates differ.
    energy : float
        e, the smallest |D_j x_a|^2 / |x_a|^2 over gates and features that are not 0 everywhere.
    support_ratio : float or None
        beta / alpha of the columns of the given support alone, with unit norm; ``inf`` if they are dependent.
    dependent : tuple or None
        Gates of up to four dependent columns, see :func:`recovery.conditions.dependent_gates`.
    asked : float
        The smallest s~ that satisfies the inequality with a lower bound in place of beta / alpha: the theorem requires
        at least this many. ``inf`` if no s~ up to d p does.
    vacuous : bool
        Whether it is shown that no s~ from s to d p can satisfy the hypothesis. False is inconclusive.
    reason : str
        The inequality that shows it, or what is unknown.
    """

    shape: tuple[int, int, int]
    s: int
    coverage: float
    separation: float
    energy: float
    support_ratio: float | None
    dependent: tuple[tuple[int, ...], tuple[int, ...]] | None
    asked: float
    vacuous: bool
    reason: str


def theorem1_report(A: Any, sparsity: int, support: Any = None) -> Theorem1Report:
    """Return what the recovery theorem requires of this operator, and whether that is possible.

    Parameters
    ----------
    A : GatedOperator, shape (n, d p)
        The operator; columns are scaled to unit norm. Computed on the CPU.
    sparsity : int
        Non-zeros of the planted weights, from 1 to d p.
    support : array of int, optional
        Their positions, to take the condition number of these columns into account.

    Returns
    -------
    Theorem1Report
        The requirement and the verdict.

    Raises
    ------
    TypeError, ValueError
        If A has no gates, or `sparsity` or `support` is invalid.

    Notes
    -----
    beta_t / alpha_t, of order t = min(2 s~ + s, d p), is bounded from below in three ways: it is infinite if t columns
    are dependent; the columns of one feature in q <= t gates give (sum_j sqrt(r_j))^2 / q, r_j = |D_j x_a|^2 / |x_a|^2,
    so at least e q; and it is at least the ratio of the given support if that has at most t columns. From e alone, the
    hypothesis cannot be satisfied if e >= 1 / (64 s) and 32 e^2 p s > d. The exact requirement of the paper's theorem
    (order, normalisation) is not known to us; this is the order for which the underlying theorem of Jain, Tewari and
    Kar is proved.

    References
    ----------
    Derived here: docs/theory, section "When the sparsity condition of thresholding cannot hold".
    """
    A = check_gated(A)
    n, d, p = int(A.shape[0]), A.n_features, A.n_gates
    sparsity = check_integer(sparsity, "sparsity", minimum=1, maximum=d * p)
    shares = arrays.to_numpy(energy_coverage(A))
    shares = shares[:, ~np.isnan(shares).any(axis=0)]
    e = float(shares.min(initial=1.0))
    spread, dependent = gate_spread(A), dependent_gates(A)
    ratio, size = None, 0
    if support is not None:
        chosen = check_support(support, d * p)
        ratio, size = _ratio(arrays.to_numpy(A.columns(A.xp.asarray(chosen)))), chosen.size
    kept = np.arange(sparsity, d * p + 1)
    order = np.minimum(2 * kept + sparsity, d * p)
    coherent = np.maximum.accumulate(_one_feature(shares))[np.minimum(order, p) - 1]
    of_support = np.where(order >= size, 1.0 if ratio is None else ratio, 1.0)
    independent = np.where((sum(map(len, dependent)) if dependent else math.inf) > order, 1.0, math.inf)

    def satisfied(bound: np.ndarray) -> np.ndarray:
        return kept >= CONSTANT * np.maximum(bound, 1.0) ** 2 * sparsity

    ways = (
        (independent, f"the columns of the gates {dependent} are linearly dependent, so alpha = 0"),
        (e * np.minimum(order, p), f"beta / alpha >= e min(2 s~ + s, p), e = {e:.4g}, p = {p}, d = {d}"),
        (coherent, "beta is too large on the columns of one feature"),
        (of_support, f"the support alone has beta / alpha = {math.nan if ratio is None else ratio:.4g}"),
    )
    fitting = np.logical_and.reduce([satisfied(bound) for bound, _ in ways])
    asked = float(kept[fitting][0]) if fitting.any() else math.inf
    reasons = [sentence for bound, sentence in ways if not satisfied(bound).any()]
    if CONSTANT * sparsity > d * p:
        reasons = [f"32 s = {CONSTANT * sparsity:.0f} exceeds d p = {d * p}, and beta / alpha >= 1"]
    if fitting.any():
        reason = (
            f"not shown to be empty: s~ = {asked:.0f} of d p = {d * p} satisfies the bounds; beta / alpha is not known"
        )
    else:
        reason = reasons[0] if reasons else "no s~ satisfies all bounds together"
    return Theorem1Report(
        (n, d, p), sparsity, spread.coverage, spread.separation, e, ratio, dependent, asked, not fitting.any(), reason
    )


def _one_feature(shares: np.ndarray) -> np.ndarray:
    """Return for q = 1, ..., p the largest (sum of the q largest sqrt(r_j))^2 / q of a feature."""
    if not shares.size:
        return np.ones(shares.shape[0])
    roots = -np.sort(-np.sqrt(shares), axis=0)
    return np.asarray((np.cumsum(roots, axis=0) ** 2 / np.arange(1, len(roots) + 1)[:, None]).max(axis=1))


def _ratio(columns: np.ndarray) -> float:
    """Return the ratio of the extreme eigenvalues of A_S'A_S for unit columns."""
    if not columns.size:
        return 1.0
    largest = np.abs(columns).max(axis=0)
    if columns.shape[1] > columns.shape[0] or not largest.all():
        return math.inf
    columns = np.ldexp(columns, -np.frexp(largest)[1])  # so that no square under- or overflows
    spectrum = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), compute_uv=False)
    return float((spectrum[0] / spectrum[-1]) ** 2) if spectrum[-1] > 0.0 else math.inf
