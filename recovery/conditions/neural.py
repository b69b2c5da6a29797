"""The neural isometry conditions, under which a gated network is the unique minimiser of the group program."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_array, check_choice
from planted.base.exactness import exactly
from planted.base.values import by_value
from recovery.networks.convex import flattest_dual
from recovery.operators.columns import orthogonalise
from recovery.operators.gated import GatedOperator

__all__ = ["NeuralIsometry", "neural_isometry"]

KINDS = ("linear", "single", "multiple")
SOLVER_ERROR = 1e-7
"""Accuracy of the best dual vector's value: the interior point method's tolerance."""


@by_value
@dataclass(frozen=True, eq=False)
class NeuralIsometry:
    """Result of :func:`neural_isometry`.

    Parameters
    ----------
    value : float
        The largest norm over gates that are not planted; the condition is value < 1. 0 if there are none, ``inf`` if
        there is no dual vector.
    holds : bool or None
        None if the result is within rounding error.
    norms : numpy.ndarray, shape (p,)
        |X' D_j lambda|_2 of every gate (1 for planted ones), or |U_j' lambda|_2; NaN if there is no dual vector.
    dual : numpy.ndarray, shape (n,), or None
        lambda; ``inf`` if X is so small that it overflows.
    planted : tuple of int
        The gates with w_j != 0; none for a planted linear part.
    rounding : float
        Estimated rounding error of the value.
    reason : str
        An explanation with the numbers.
    """

    value: float
    holds: bool | None
    norms: np.ndarray
    dual: np.ndarray | None
    planted: tuple[int, ...]
    rounding: float
    reason: str

    @property
    def margin(self) -> float:
        """1 - value."""
        return 1.0 - self.value


def neural_isometry(
    X: Any,
    gates: Any,
    w: Any,
    *,
    kind: Literal["linear", "single", "multiple"] = "multiple",
    normalised: bool = False,
    dual: Literal["minimum-norm", "best"] = "minimum-norm",
) -> NeuralIsometry:
    """Check whether a dual certificate shows that the planted w is the unique minimiser of the group program.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs; everything is computed on the CPU in float64.
    gates : array of bool or 0/1, shape (n, p)
        Column j holds the diagonal of D_j.
    w : array, shape (d p,) or (p, d); (d,) for the kind "linear"
        Fused weights, w_j of gate j in entries j d to (j + 1) d. Only the directions of the w_j matter.
    kind : {"multiple", "single", "linear"}, default "multiple"
        NIC-k: any number of planted gates; NIC-1: exactly one; NIC-L: a planted linear part (D = I) and no planted
        gate.
    normalised : bool, default False
        For the program that minimises sum_j |D_j X w_j|_2 instead of sum_j |w_j|_2.
    dual : {"minimum-norm", "best"}, default "minimum-norm"
        Which dual vector to use: the shortest one, given by a formula, or the one with the smallest value, found by a
        cone program.

    Returns
    -------
    NeuralIsometry
        If the condition holds, w is the unique minimiser of sum_j |w_j|_2 among all weights that fit its data y = sum_j
        D_j X w_j. If it does not hold, w may or may not be.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a finite array of matching shape, or the number of planted gates of w does not agree with
        `kind`.

    Notes
    -----
    M = [D_j X] over the planted j needs full column rank, lambda = M (M'M)^-1 [w_j / |w_j|], and the value is the
    maximum over the other j of |X' D_j lambda|_2. In the normalised form, the left singular vectors U_j of D_j X
    replace D_j X, and U_j' D_j X w_j replaces w_j. A copy of a planted gate has norm exactly 1; so has any gate that is
    open on all rows where the only planted gate is open, since lambda is zero elsewhere (not in the normalised form). A
    complement of the only planted gate has norm 0. The best dual vector satisfies X' D_j lambda = w_j / |w_j| on the
    planted gates; its value is accurate to 1e-7 and is not a proof. If even that value is above 1, w is not a
    minimiser.

    With the shortest dual vector the plain form costs one product of n d p operations and a factorisation of M; the
    other variants form A explicitly, n d p numbers.

    References
    ----------
    Wang, Hua, Candes and Pilanci, arXiv:2209.15265 (the formulas from memory of the literature; derived here:
    docs/theory, section "Neural isometry", and compared with the programs' solutions by
    tests/recovery/test_conditions_neural.py).
    """
    operator = GatedOperator(exactly(X, "X"), gates)
    check_choice(kind, "kind", KINDS)
    check_choice(dual, "dual", ("minimum-norm", "best"))
    inputs = np.ascontiguousarray(arrays.to_numpy(operator.inputs).T.astype(np.float64))
    # by a power of two, so that no square under- or overflows: norms and the blocks' bases do not change
    exponent = int(np.frexp(np.abs(inputs).max())[1])
    inputs = np.ldexp(inputs, -exponent)
    open_ = np.asarray(arrays.to_numpy(operator.gates()) != 0)
    weights = _weights(w, inputs.shape[1], open_.shape[1], kind)
    if kind == "linear":  # prepend a gate that is open on all rows
        open_ = np.concatenate([np.ones((len(inputs), 1), dtype=bool), open_], axis=1)
        weights = np.concatenate([weights, np.zeros((open_.shape[1] - 1, inputs.shape[1]))])
    planted = [int(j) for j in np.flatnonzero(np.any(weights != 0.0, axis=1))]
    found = _find(inputs, open_, weights, planted, normalised, dual)
    lam = found.dual
    if lam is not None and not normalised:  # in units of 1 / X
        with np.errstate(over="ignore"):
            lam = np.ldexp(lam, -exponent)
    if kind == "linear":
        found = replace(found, norms=found.norms[1:], planted=())
    return replace(found, dual=lam)


def _find(
    X: np.ndarray, gates: np.ndarray, weights: np.ndarray, planted: list[int], normalised: bool, which: str
) -> NeuralIsometry:
    n, count = gates.shape
    if not planted:
        why = "no gate is planted, and w = 0 is the only minimiser for y = 0"
        return NeuralIsometry(0.0, True, np.zeros(count), np.zeros(n), (), 0.0, why)
    M = np.concatenate([X * gates[:, [j]] for j in planted], axis=1)
    factors = orthogonalise(M)
    if factors is None:
        why = f"the {M.shape[1]} columns of the planted gates {planted} are dependent on these {n} rows"
        nothing = np.full(count, math.nan)
        return NeuralIsometry(math.inf, False, nothing, None, tuple(planted), 0.0, why)
    blocks: list[np.ndarray] = []
    sharpness = 1.0
    if normalised:
        bases = [_left(X * gates[:, [j]]) for j in range(count)]
        blocks, sharpness = [left for left, _ in bases], max(ratio for _, ratio in bases)
        M = np.concatenate([blocks[j] for j in planted], axis=1)
        factors = np.linalg.qr(M)
        directions = {j: blocks[j].T @ (X @ _unit(weights[j])) for j in planted}
        directions = {j: _unit(direction) for j, direction in directions.items()}
    else:
        directions = {j: _unit(weights[j]) for j in planted}
    Q, R = factors
    goal = np.concatenate([directions[j] for j in planted])
    lam = Q @ np.linalg.solve(R.T, goal)
    largest = math.sqrt(X.shape[1]) if normalised else float(np.sqrt(np.max((X * X).sum(axis=1) @ gates)))
    rounding = (
        8.0 * (n + M.shape[1]) * EPS * sharpness * float(np.linalg.cond(R)) * largest * float(np.linalg.norm(lam))
    )
    others = [j for j in range(count) if j not in planted]
    norms = _norms(X, gates, blocks, lam)
    if which == "best" and others:
        best, flat, _ = flattest_dual(blocks or [X * gates[:, [j]] for j in range(count)], directions)
        # the solver minimises up to its tolerance; if it fails, the shortest vector is still valid
        if flat is not None and best < norms[others].max():
            lam, norms = flat, _norms(X, gates, blocks, flat)
        rounding += SOLVER_ERROR
    norms[planted] = 1.0
    seen = np.any(X != 0.0, axis=1)
    copies = [j for j in others if any(np.array_equal(gates[seen, j], gates[seen, i]) for i in planted)]
    if len(planted) == 1 and not normalised and which == "minimum-norm":
        copies = [j for j in others if np.all(gates[seen, j] >= gates[seen, planted[0]])]
    if copies:  # known exactly, and sufficient to decide
        norms[copies], rounding = 1.0, 0.0
    value = float(norms[others].max(initial=0.0))
    if not others:
        return NeuralIsometry(0.0, True, norms, lam, tuple(planted), rounding, "every gate is planted")
    worst = others[int(np.argmax(norms[others]))]
    reason = f"gate {worst} has the largest norm, {value:.6g}, where the limit is 1"
    holds: bool | None = value < 1.0
    if copies:
        holds, reason = False, f"gate {copies[0]} is open wherever a planted one is, which makes its norm 1"
    elif abs(value - 1.0) <= rounding:
        holds, reason = None, reason + "; too close to decide within rounding error"
    return NeuralIsometry(value, holds, norms, lam, tuple(planted), rounding, reason)


def _norms(X: np.ndarray, gates: np.ndarray, blocks: list[np.ndarray], lam: np.ndarray) -> np.ndarray:
    """Return |X' D_j lambda| of all gates by one product, or |U_j' lambda| if there are blocks U_j."""
    if blocks:
        return np.array([float(np.linalg.norm(block.T @ lam)) for block in blocks])
    return np.asarray(np.linalg.norm((X * lam[:, None]).T @ gates, axis=0))


def _weights(w: Any, d: int, p: int, kind: str) -> np.ndarray:
    """Return the planted weights as rows, one per gate, on the CPU."""
    if kind == "linear":
        return np.asarray(arrays.to_numpy(check_array(w, "w", ndim=1, shape=(d,))), dtype=np.float64)[None]
    w = check_array(w, "w", ndim=(1, 2))
    if tuple(w.shape) not in ((p * d,), (p, d)):
        raise ValueError(f"w has shape {tuple(w.shape)}; expected ({p * d},) or ({p}, {d}) for {p} gates of {d} inputs")
    rows = np.asarray(arrays.to_numpy(w), dtype=np.float64).reshape(p, d)
    count = int(np.any(rows != 0.0, axis=1).sum())
    if kind == "single" and count != 1:
        raise ValueError(f'w has weights at {count} gates; expected one for kind="single"')
    return rows


def _unit(vector: np.ndarray) -> np.ndarray:
    """Return the vector scaled to length 1, without under- or overflow of squares."""
    scaled = vector / float(np.abs(vector).max())
    return np.asarray(scaled / float(np.linalg.norm(scaled)))


def _left(block: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the left singular vectors of a matrix, and its condition number, ignoring zero singular values."""
    left, values, _ = np.linalg.svd(block, full_matrices=False)
    kept = values > max(block.shape) * EPS * values[0]
    return left[:, kept], float(values[0] / values[kept][-1]) if kept.any() else 1.0
