"""Guarantees that basis pursuit returns the planted vector: necessary and sufficient conditions by linear programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from planted.base.arrays import EPS
from recovery.conditions import dual_certificate, null_space_constant
from recovery.exact.bounded import least_squares, norm
from recovery.exact.intervals import Interval
from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import l1_program as samplers
from recovery.guarantees.linear.iterative import smaller
from recovery.guarantees.linear.l1_program import descent, recovers

__all__ = ["adversarial", "clear_rows", "guarantees", "null_space_rule"]

LIMIT = 500
"""Largest number of programs to solve for the exact null-space constant; beyond it only its bounds are used."""
_TALL = 2_000
"""Largest number of rows, n^2 numbers, if columns may be dependent."""
_SOLVED = 1e-8
"""Relative error of a bound from linear programs without a proof."""
_ANGLES = 2.0 * math.pi * np.arange(720) / 720.0


def _noise_free(instance: Instance) -> Verdict | None:
    if not instance.noise_free:
        return Verdict.of(False, "there is noise; the statement is about data without noise")
    if not len(instance.support):
        return Verdict.of(True, "x = 0: 0 is the only minimiser")
    return None


def clear_rows(A: np.ndarray) -> np.ndarray:
    """Return A, or, if rounding affects some of its singular values, as many rows as there are clear ones.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        The columns.

    Returns
    -------
    numpy.ndarray, shape (at most n, N)
        Rows with the null space that A has up to rounding. In exact arithmetic, computed columns that should be
        dependent are not, and a proof about them holds for the numbers but says nothing about the program.
    """
    _, spectrum, right = np.linalg.svd(A, full_matrices=False)
    clear = spectrum > 1e3 * max(A.shape) * EPS * spectrum[0]
    return A if clear.all() or not clear.any() else np.ascontiguousarray(spectrum[clear, None] * right[clear])


def dual_rule(instance: Instance) -> Verdict:
    """Whether a dual vector is strictly feasible and A_S has full column rank, decided in exact arithmetic."""
    if not instance.noise_free:  # an equivalence says nothing here, so not "fails"
        return Verdict.unknown("there is noise; the statement is about data without noise")
    if not len(instance.support):
        return Verdict.of(True, "x = 0: 0 is the only minimiser")
    S = instance.support
    if _independent(instance.matrix):
        return Verdict.of(True, "the columns are independent, so some q has A_S'q = sgn_S and A_{S^c}'q = 0")
    if len(instance.matrix) > _TALL:
        return Verdict.unknown(f"the columns may be dependent, and there are {len(instance.matrix)} rows")
    rows = clear_rows(instance.matrix)
    if rows is not instance.matrix and _uneven(instance.matrix):
        return Verdict.unknown("rounding leaves the rank of A open: its columns differ too much in norm")
    found = dual_certificate(rows, S, np.sign(instance.x[S]))
    reason = f"the smallest |A_{{S^c}}'q|_inf is {found.coefficient:.6g}, and it has to be below 1"
    close = rows is not instance.matrix and abs(found.coefficient - 1.0) <= 1e-9
    if found.unique is None or close:
        return Verdict.unknown(reason)
    margin = 1.0 / found.coefficient - 1.0 if found.coefficient > 0.0 else math.inf
    # proved either way: a margin with the wrong sign by rounding is 0
    return Verdict.of(found.unique, reason, max(margin, 0.0) if found.unique else min(margin, 0.0))


def null_space_rule(limit: float = 0.5, *, order: int | None = None) -> Callable[[Instance], Verdict]:
    """Return the hypothesis alpha_k < limit; with `order` 1, that k alpha_1 < limit."""

    def hypotheses(instance: Instance) -> Verdict:
        decided = _noise_free(instance)
        if decided is not None:
            return decided
        k = len(instance.support)
        s = order or k
        if _independent(instance.matrix):
            return Verdict.of(True, "the columns are independent, so there is no null vector")
        if len(instance.matrix) > _TALL:
            return Verdict.unknown(f"the columns may be dependent, and there are {len(instance.matrix)} rows")
        method: Literal["exact", "decoupled"] = "exact" if s > 1 else "decoupled"
        rows = clear_rows(instance.matrix)
        if rows is not instance.matrix and _uneven(instance.matrix):
            return Verdict.unknown("rounding leaves the rank of A open: its columns differ too much in norm")
        alpha = null_space_constant(rows, s, method, limit=LIMIT)
        low = alpha.lower if alpha.lower_certified else alpha.lower * (1.0 - _SOLVED)
        high = alpha.upper if alpha.upper_certified else alpha.upper * (1.0 + _SOLVED)
        return smaller(Interval(low, high), limit * s / k, f"the limit exceeds alpha_{s}")

    return hypotheses


def _independent(A: np.ndarray) -> bool:
    """Return whether the columns are certainly independent."""
    return A.shape[0] >= A.shape[1] and least_squares(A, np.zeros(len(A))).independent


def _uneven(A: np.ndarray) -> bool:
    """Return whether a column is so much shorter than another that it may cause a singular value near 0."""
    lengths = norm(A, 0).value
    return bool(np.any(lengths[lengths > 0.0] < 1e-6 * lengths.max(initial=0.0)))


def _share_ratio(A: np.ndarray, x: np.ndarray) -> float:
    """Return 2 alpha_k for one null vector, approximately for two, NaN for more, 0 for none."""
    return 2.0 * _worst(A, int(np.count_nonzero(x)))[0]


def _worst(A: np.ndarray, k: int) -> tuple[float, np.ndarray]:
    """Return the largest share of k entries of a null vector, and that null vector."""
    _, spectrum, Vt = np.linalg.svd(A)
    Z = Vt[int(np.count_nonzero(spectrum > 1e-9 * spectrum[0])) :].T
    if Z.shape[1] == 0:
        return 0.0, np.zeros(len(Z))
    if Z.shape[1] > 2:
        return math.nan, Z[:, 0]
    vectors = Z if Z.shape[1] == 1 else Z @ np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
    sizes = -np.sort(-np.abs(vectors), axis=0)
    shares = sizes[:k].sum(axis=0) / sizes.sum(axis=0)
    best = int(np.argmax(shares))
    return float(shares[best]), vectors[:, best]


def adversarial(rng: np.random.Generator) -> Instance:
    """Draw an instance with few columns, half of the time with the worst support and signs planted."""
    instance = samplers.near(rng, _share_ratio, others=3, scales=False)
    k = len(instance.support)
    z = _worst(instance.matrix, k)[1]
    if rng.random() < 0.5 and np.any(z):
        S = np.argsort(-np.abs(z))[:k]
        x = np.zeros(len(z))
        x[S] = -z[S]
        return instance.replace(x=x)
    return instance


def _descent_ratio(A: np.ndarray, x: np.ndarray) -> float:
    S = np.flatnonzero(x)
    return descent(A, S, np.sign(x[S]))


def guarantees() -> list[Guarantee]:
    """Return the guarantees of basis pursuit by a dual vector and by the null space.

    Returns
    -------
    list of Guarantee
        They refer to the columns as given. The hypotheses use proved bounds of :mod:`recovery.conditions`; the
        conclusion solves its own program over the null space.
    """
    tests = "tests/recovery/test_guarantees_null_space.py"
    memory = f"(from memory of the literature, verified numerically by {tests})"
    proved = "proved in docs/theory, section Basis pursuit without noise"
    return [
        Guarantee(
            "l1-dual-certificate",
            "equivalence",
            "Without noise, x is the only minimiser of |z|_1 with A z = y if and only if A_S has full column rank "
            "and some q has A_S'q = sgn_S and |A_{S^c}'q|_inf < 1.",
            f"Fuchs, IEEE Trans. Inf. Theory 2004 {memory}; {proved}",
            tests,
            dual_rule,
            recovers(normalise=False),
            sampler=partial(samplers.near, ratio=_descent_ratio, scales=False),
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "l1-null-space",
            "implication",
            "Without noise, if k entries of a null vector of A never hold half of its l1 norm, alpha_k < 1/2, then x "
            "is the only minimiser of |z|_1 with A z = y.",
            f"Juditsky and Nemirovski, arXiv:0809.2650 {memory}; {proved}",
            tests,
            null_space_rule(),
            recovers(normalise=False),
            sampler=adversarial,
            steer=None,
            scales=("data", "matrix"),
        ),
    ]
