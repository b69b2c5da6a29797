"""Guarantees that no other vector is as sparse: spark and coherence, without noise and for any method."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np

from planted.base.arrays import EPS
from recovery.conditions import mutual_coherence
from recovery.exact.rational import null_vector
from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import l1_program as samplers
from recovery.guarantees.linear.omp import coherence_rule
from recovery.operators.columns import unit_columns

__all__ = ["guarantees", "only_sparse", "spark_rule"]

LIMIT = 100_000
"""Largest number of supports to check."""
_CLEAR = 1e-7
_EXACT = 200
"""Largest number of rows for which dependence of columns is decided in exact arithmetic."""


def spark_rule(order: int = 2) -> Callable[[Instance], Verdict]:
    """Return the hypothesis that every `order` k columns are independent: spark > `order` k."""

    def hypotheses(instance: Instance) -> Verdict:
        if not instance.noise_free:
            return Verdict.of(False, "there is noise; the statement is about data without noise")
        k = len(instance.support)
        if k == 0:
            return Verdict.of(True, "x = 0, and nothing is sparser")
        size = instance.shape[1]
        many = min(order * k, size)
        if not np.all(np.any(instance.matrix != 0.0, axis=0)):
            return Verdict.of(False, "a column is 0")
        if many > instance.shape[0]:
            return Verdict.of(False, f"any {many} columns of length {instance.shape[0]} are dependent")
        if math.comb(size, many) > LIMIT:
            return Verdict.unknown(f"there are too many sets of {many} columns to enumerate: {math.comb(size, many)}")
        columns = unit_columns(instance.matrix)
        chosen = np.array(list(combinations(range(size), many)))
        least = np.linalg.svd(np.moveaxis(columns[:, chosen], 1, 0), compute_uv=False)[:, -1]
        smallest = float(least.min())
        reason = (
            f"the smallest singular value of any {many} columns of unit norm is {smallest:.3g}, and it has to be "
            "positive"
        )
        if smallest <= max(instance.shape) * EPS * 8.0:
            worst = instance.matrix[:, chosen[int(np.argmin(least))]]
            dependent = len(worst) <= _EXACT and null_vector(worst, np.linalg.svd(worst)[2][-1]) is not None
            return Verdict.of(False, reason) if dependent else Verdict.unknown(reason)
        if smallest <= _CLEAR:
            return Verdict.unknown(reason)
        return Verdict.of(True, reason)

    return hypotheses


def only_sparse(instance: Instance) -> Verdict:
    """Whether x is the only solution of A z = y with at most k non-zeros, by enumeration of all supports.

    Parameters
    ----------
    instance : Instance
        Without noise.

    Returns
    -------
    Verdict
        The margin is the distance from y to the nearest other span, over |y|, minus the rounding; for other solutions
        on S itself the smallest singular value of the unit columns of S. ``unknown`` between 1e-12 and 1e-7, and below
        that if an entry of x outside the other support contributes less than 1e-4 |y|: the span is then near because
        the entry is small. With a larger entry a distance of 1e-12 means a dependence, with a singular value of at most
        1e-8.
    """
    S, size = instance.support, instance.shape[1]
    k = len(S)
    if k == 0:
        return Verdict.of(True, "x = 0, and nothing is sparser")
    if math.comb(size, k) > LIMIT:
        return Verdict.unknown(f"there are too many supports to enumerate: {math.comb(size, k)}")
    # relative to their largest entries: squares of a short column would vanish next to those of a long one
    longest = np.abs(instance.matrix).max(axis=0)
    columns = instance.matrix / np.where(longest > 0.0, longest, 1.0)
    norms = np.linalg.norm(columns, axis=0)
    columns = columns / np.where(norms > 0.0, norms, 1.0)
    largest = float(np.abs(instance.y).max()) or 1.0
    y = instance.y / largest
    size_of_y = float(np.linalg.norm(y)) or 1.0
    y = y / size_of_y
    weight = np.abs(instance.x) * (longest / largest) * (norms / size_of_y)
    nearest, where = math.inf, S
    if k <= instance.shape[0]:
        # within S another solution is x plus a null vector
        nearest = float(np.linalg.svd(columns[:, S], compute_uv=False)[-1])
    else:
        nearest = 0.0
    for T in combinations(range(size), k):
        if np.array_equal(T, S):
            continue
        U, spectrum, _ = np.linalg.svd(columns[:, T], full_matrices=False)
        U = U[:, spectrum > 1e-10]
        left_over = float(np.linalg.norm(y - U @ (U.T @ y)))
        if left_over < nearest:
            nearest, where = left_over, np.array(T)
    reason = f"the nearest other span, that of columns {where.tolist()}, is {nearest:.3g} |y| away from y"
    lacking = np.setdiff1d(S, where)
    if nearest <= 1e-12 and np.all(weight[lacking] >= 1e-4):
        return Verdict("fails", min(-nearest, -1e-15), reason)
    if nearest <= _CLEAR:
        return Verdict.unknown(reason, nearest)
    return Verdict("holds", nearest, reason)


def _coherence_ratio(A: np.ndarray, x: np.ndarray) -> float:
    return mutual_coherence(A) * (2 * np.count_nonzero(x) - 1)


def _spark(rng: np.random.Generator) -> Instance:
    """Draw wide columns, half of the time 2 k to 2 k + 2 of them with one null vector."""
    k = 1 if rng.random() < 0.2 else int(rng.integers(2, 4))
    if rng.random() < 0.4:
        return samplers.twin(rng, k, int(rng.choice([0, 1, 1, 2])))
    return samplers.near(rng, _coherence_ratio)


def guarantees() -> list[Guarantee]:
    """Return the guarantees that a planted vector is the unique solution of its sparsity.

    Returns
    -------
    list of Guarantee
        They do not say how to find it.
    """
    tests = "tests/recovery/test_guarantees_basis_pursuit.py"
    memory = f"(from memory of the literature, verified numerically by {tests})"
    proved = "proved in docs/theory, section Basis pursuit without noise"
    return [
        Guarantee(
            "unique-spark",
            "implication",
            "Without noise, if any 2 k columns are independent (spark > 2 k), then x is the only solution of A z = y "
            "with at most k non-zeros.",
            f"Donoho and Elad, PNAS 2003 {memory}; {proved}",
            tests,
            spark_rule(),
            only_sparse,
            sampler=_spark,
            steer=None,
            scales=("data", "columns"),
        ),
        Guarantee(
            "unique-coherence",
            "implication",
            "Without noise, if mu < 1 / (2 k - 1), then x is the only solution of A z = y with at most k non-zeros.",
            f"Donoho and Elad, PNAS 2003 {memory}; {proved}",
            tests,
            coherence_rule(lambda k: 1.0 / (2 * k - 1)),
            only_sparse,
            sampler=partial(samplers.near, ratio=_coherence_ratio),
            steer=None,
            scales=("data", "columns"),
        ),
    ]
