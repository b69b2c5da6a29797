"""Guarantees for every x with s non-zeros: the condition of each on one matrix, with quantities computed once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from planted.base.arrays import EPS
from recovery.conditions import (
    Interval,
    RestrictedEigenvalues,
    babel_function,
    mutual_coherence,
    null_space_constant,
    restricted_eigenvalues,
    spark_bounds,
    worst_exact_recovery_coefficient,
)
from recovery.exact.bounded import Bounded, constant
from recovery.guarantees.engine.base import Verdict, exceeds
from recovery.guarantees.linear.iterative import smaller
from recovery.guarantees.linear.null_space import clear_rows

__all__ = ["CONDITIONS", "MOST", "Condition", "Numbers", "largest"]

Rule = Callable[["Numbers", int], Verdict]
MOST = 12
"""Conditions are not tried for more non-zeros."""
UNIT, PLAIN = "l1 on columns of unit norm, OMP", "l1 on the columns as given"
"""If columns have different norms, l1 prefers the long ones; ``solve(..., "l1")`` scales them by default."""
HALF, SHARP, THIRD = 0.5, 1.0 / math.sqrt(2.0), 1.0 / math.sqrt(3.0)
PURSUIT = math.sqrt(math.sqrt(5.0) - 2.0)
GOLDEN, COSAMP = (math.sqrt(5.0) - 1.0) / 2.0, math.sqrt((math.sqrt(57.0) - 7.0) / 2.0)


class Numbers:
    """Quantities of a matrix that the conditions use, each computed when first needed.

    Parameters
    ----------
    matrix : numpy.ndarray of float64, shape (n, N)
        The columns, none of them 0.
    limit : int
        Largest number of supports to enumerate.
    programs : int
        Largest number of columns for which linear programs for the null space and the spark are solved.
    """

    def __init__(self, matrix: np.ndarray, limit: int, programs: int) -> None:
        self.matrix, self.limit, self.programs = matrix, limit, programs
        self.eigenvalues = cache(self._eigenvalues)
        self.similarity = cache(self._similarity)
        self.share = cache(self._share)
        self.coefficient = cache(self._coefficient)

    @property
    def size(self) -> int:
        """N."""
        return int(self.matrix.shape[1])

    @cached_property
    def coherence(self) -> float:
        """The mutual coherence."""
        return mutual_coherence(self.matrix)

    @cached_property
    def spark(self) -> Interval | None:
        """Bounds on the spark; None if columns are dependent and their number exceeds the limit for programs."""
        if self.independent and self.size > self.programs:
            return Interval(math.inf, math.inf)
        return spark_bounds(self.matrix, limit=self.limit) if self.size <= self.programs else None

    def _similarity(self, s: int) -> float:
        return babel_function(self.matrix, min(s, self.size - 1))

    def _eigenvalues(self, s: int) -> RestrictedEigenvalues:
        return restricted_eigenvalues(self.matrix, min(s, self.size), limit=self.limit)

    def _coefficient(self, s: int) -> Interval:
        return worst_exact_recovery_coefficient(self.matrix, min(s, self.size), limit=self.limit)

    @cached_property
    def independent(self) -> bool:
        """Whether all columns are clearly independent."""
        unit = self.matrix / np.linalg.norm(self.matrix, axis=0)
        return self.size <= len(unit) and clear_rows(unit) is unit

    def _share(self, s: int) -> Interval | None:
        if self.independent and self.size > self.programs:
            return Interval(0.0, 0.0)
        if self.size > self.programs:
            return None
        if s >= self.size:
            return Interval(0.0, 0.0) if self.independent else Interval(0.0, 1.0)
        alpha = null_space_constant(self._rows, s)
        if s > 1 and alpha.below(HALF) is None:
            alpha = alpha & null_space_constant(self._rows, s, "exact", limit=4 * self.size)
        # a proof about other rows is no proof about this matrix
        return alpha if self._rows is self.matrix else Interval(alpha.lower, alpha.upper, witness=alpha.witness)

    @cached_property
    def rough(self) -> Numbers:
        """The same matrix without enumeration or programs: its bounds may already show that a condition holds."""
        return Numbers(self.matrix, 0, 0)

    @cached_property
    def _rows(self) -> np.ndarray:
        """Rows whose null space is that of the matrix up to rounding."""
        return clear_rows(self.matrix)


@dataclass(frozen=True)
class Condition:
    """One condition on a matrix, for every x with s non-zeros.

    ``recovery.diagnose(A, conditions=[...])`` evaluates conditions that were written elsewhere.

    Parameters
    ----------
    names : tuple of str
        Names of the guarantees that have the condition as hypothesis.
    method : str
        The method that then finds x.
    text : str
        The condition in words or symbols.
    rule : callable
        ``rule(numbers, s)`` returns a :class:`recovery.guarantees.Verdict`. ``numbers.matrix`` holds the columns of A
        that are not 0, float64, shape (n, N). If the condition fails for one s, it must fail for all larger ones.

    Examples
    --------
    >>> import numpy as np, recovery
    >>> from recovery.guarantees import Verdict
    >>> rule = lambda numbers, s: Verdict.of(len(numbers.matrix) > 2 * s, "n > 2 s")
    >>> own = recovery.diagnosis.Condition(("tall",), "any", "n > 2 s", rule)
    >>> recovery.diagnose(np.eye(6), conditions=[own], improve=False).uniform[-1].covers
    2
    """

    names: tuple[str, ...]
    method: str
    text: str
    rule: Rule


def largest(condition: Condition, numbers: Numbers, most: int) -> int:
    """Return the largest s up to `most` for which a condition holds.

    Parameters
    ----------
    condition : Condition
        The condition, which must become harder with s.
    numbers : Numbers
        The quantities of the matrix.
    most : int
        Largest s to try.

    Returns
    -------
    int
        0 if it does not hold for 1; the condition may hold again beyond an undecided s.
    """
    for s in range(1, most + 1):
        # if bounds suffice, skip enumeration, which is slower the better the matrix is
        if condition.rule(numbers.rough, s).status != "holds" and condition.rule(numbers, s).status != "holds":
            return s - 1
    return most


def _spark(numbers: Numbers, s: int) -> Verdict:
    spark = numbers.spark
    if spark is None:
        return Verdict.unknown(f"the spark is not computed for {numbers.size} columns, more than {numbers.programs}")
    size = f"is {spark.lower:g}" if spark.lower == spark.upper else f"is between {spark.lower:g} and {spark.upper:g}"
    reason = f"the spark {size}; more than {2 * s} is required"
    if spark.lower == math.inf:
        reason = "all columns are independent, so the spark is infinite"
    if spark.lower > 2 * s:
        return Verdict("holds", spark.lower / (2 * s) - 1.0, reason)
    return Verdict("fails", spark.upper / (2 * s) - 1.0, reason) if spark.upper <= 2 * s else Verdict.unknown(reason)


def _coherence(numbers: Numbers, s: int) -> Verdict:
    value = Bounded(numbers.coherence, _cosine_error(numbers))
    return exceeds(constant(1.0 / (2 * s - 1)), value, f"1 / (2 s - 1) for s = {s} exceeds the coherence")


def _babel(numbers: Numbers, s: int) -> Verdict:
    value = numbers.similarity(s - 1) + numbers.similarity(s)
    error = (2 * s - 1) * _cosine_error(numbers)
    return exceeds(1, Bounded(value, error), f"1 exceeds mu_1({s - 1}) + mu_1({s})")


def _cosine_error(numbers: Numbers) -> float:
    """Bound the rounding error of the cosine of two columns: n EPS for the product, (n + 10) EPS for the norms."""
    return (2 * numbers.matrix.shape[0] + 16) * EPS


def _coefficient(numbers: Numbers, s: int) -> Verdict:
    if s >= numbers.size:
        return Verdict.unknown(f"the support of s = {s} entries contains all columns")
    return smaller(numbers.coefficient(s), 1.0, f"1 exceeds the largest recovery coefficient of {s} columns")


def _share(numbers: Numbers, s: int) -> Verdict:
    alpha = numbers.share(s)
    if alpha is None:
        return Verdict.unknown(
            f"no linear programs are solved for {numbers.size} columns, more than {numbers.programs}"
        )
    return smaller(alpha, HALF, f"1/2 exceeds alpha_{s}")


def _isometry(order: Callable[[int], int], limit: Callable[[int], float]) -> Rule:
    def rule(numbers: Numbers, s: int) -> Verdict:
        found = numbers.eigenvalues(order(s)).scaled_restricted_isometry
        return smaller(found, limit(s), f"{limit(s):.4g} exceeds delta_{order(s)} in the best scale")

    return rule


def _condition_number(limit: float) -> Rule:
    def rule(numbers: Numbers, s: int) -> Verdict:
        return smaller(numbers.eigenvalues(2 * s).kappa, limit, f"{limit:.4g} exceeds kappa_{2 * s}")

    return rule


CONDITIONS = (
    Condition(("unique-spark",), "any: x is the sparsest solution", "spark > 2 s", _spark),
    Condition(
        ("l1-coherence", "omp-coherence", "unique-coherence", "homotopy-coherence"),
        UNIT,
        "mu < 1 / (2 s - 1)",
        _coherence,
    ),
    Condition(("l1-babel", "omp-babel"), UNIT, "mu_1(s - 1) + mu_1(s) < 1", _babel),
    Condition(("l1-exact-recovery", "omp-exact-recovery"), UNIT, "|A_S^+ a_j|_1 < 1 for all S", _coefficient),
    Condition(("l1-null-space",), f"{PLAIN} (also necessary)", "alpha_s < 1/2", _share),
    Condition(
        ("l1-restricted-isometry",), PLAIN, "delta_2s < 1 / sqrt(2)", _isometry(lambda s: 2 * s, lambda s: SHARP)
    ),
    Condition(
        ("omp-restricted-isometry",),
        "OMP",
        "delta_{s+1} < 1 / sqrt(s + 1)",
        _isometry(lambda s: s + 1, lambda s: 1.0 / math.sqrt(s + 1)),
    ),
    Condition(("iht-condition-number",), "IHT, step 1 / beta_2s", "kappa_2s < 2", _condition_number(2.0)),
    Condition(("niht-condition-number",), "NIHT", "1.05 kappa_2s < 2", _condition_number(2.0 / 1.05)),
    Condition(
        ("iht-scaled-golden-ratio",),
        "IHT, best step",
        "delta_3s < (sqrt(5) - 1) / 2",
        _isometry(lambda s: 3 * s, lambda s: GOLDEN),
    ),
    Condition(
        ("htp-scaled-isometry", "htp-continuation"),
        "HTP, best step",
        "delta_3s < 1 / sqrt(3)",
        _isometry(lambda s: 3 * s, lambda s: THIRD),
    ),
    Condition(
        ("subspace-pursuit-restricted-isometry",),
        "subspace pursuit",
        "delta_3s < 0.4859",
        _isometry(lambda s: 3 * s, lambda s: PURSUIT),
    ),
    Condition(
        ("cosamp-restricted-isometry",),
        "CoSaMP",
        "delta_4s < 0.5243",
        _isometry(lambda s: 4 * s, lambda s: COSAMP),
    ),
)
"""In the order of the report. delta is that of A in its best scale, which does not affect methods with a free step."""
