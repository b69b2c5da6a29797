"""The neural isometry conditions: when a gated network is the only minimiser of the group program."""

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
"""What the best dual vector's value is off by at most, as a multiple of 1: the interior point method's tolerance."""


@by_value
@dataclass(frozen=True, eq=False)
class NeuralIsometry:
    """What :func:`neural_isometry` found.

    Parameters
    ----------
    value : float
        The largest norm of a gate that is not planted; the condition is value < 1. 0 if there is none, ``inf`` where
        there is no dual vector.
    holds : bool or None
        None where rounding decides.
    norms : numpy.ndarray, shape (p,)
        |X' D_j lambda|_2 of every gate (1 for planted ones), or |U_j' lambda|_2; NaN where there is no dual vector.
    dual : numpy.ndarray, shape (n,), or None
        lambda; ``inf`` where X is so small that it overflows.
    planted : tuple of int
        The gates with w_j != 0; none for a planted linear part.
    rounding : float
        Estimate of what rounding changes the value by.
    reason : str
        A sentence with the numbers.
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
    """Check whether the planted w has a dual certificate that it is the only minimiser of the group program.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs; all of this is computed on the CPU in float64.
    gates : array of bool or 0/1, shape (n, p)
        Column j holds the diagonal of D_j.
    w : array, shape (d p,) or (p, d); (d,) for the kind "linear"
        Fused weights, w_j of gate j in entries j d to (j + 1) d. Only the directions of the w_j matter.
    kind : {"multiple", "single", "linear"}, default "multiple"
        NIC-k, any number of planted gates; NIC-1, exactly one; NIC-L, a linear part beside the gates (D = I), and no
        gate is planted.
    normalised : bool, default False
        For the program that minimises sum_j |D_j X w_j|_2 instead of sum_j |w_j|_2.
    dual : {"minimum-norm", "best"}, default "minimum-norm"
        Which dual vector: the shortest one, a formula, or the one with the least value, a cone program.

    Returns
    -------
    NeuralIsometry
        If it holds, w is the only minimiser of sum_j |w_j|_2 among all w with its own data y = sum_j D_j X w_j. If
        it does not, w may be or may not be.

    Raises
    ------
    TypeError, ValueError
        If an argument is no finite array of a shape that fits, or w has not as many planted gates as `kind` says.

    Notes
    -----
    M = [D_j X] over the planted j needs full column rank, lambda = M (M'M)^-1 [w_j / |w_j|], and the value is the
    maximum over the other j of |X' D_j lambda|_2. Normalised: the left singular vectors U_j of D_j X take its place,
    and U_j' D_j X w_j that of w_j. A gate that repeats a planted one has the norm 1 exactly; so has any gate that is
    open on all rows where the only planted gate is, since lambda lives on these rows (not in the normalised form). A
    complement of the only planted gate has the norm 0. The best dual vector keeps
    X' D_j lambda = w_j / |w_j| on the planted gates; its value is off by up to 1e-7 and is no proof. Where even that
    is above 1, w is not a minimiser.

    With the shortest dual vector the plain form costs one product of n d p operations and the factors of M; the others
    form A, n d p numbers.

    References
    ----------
    Wang, Hua, Candes and Pilanci, arXiv:2209.15265 (the formulas from memory of the literature; derived here:
    docs/derivations.md, section "Neural isometry", and compared with the programs' solutions by
    tests/recovery/test_conditions_neural.py).
    """
    operator = GatedOperator(exactly(X, "X"), gates)
    check_choice(kind, "kind", KINDS)
    check_choice(dual, "dual", ("minimum-norm", "best"))
    inputs = np.ascontiguousarray(arrays.to_numpy(operator.inputs).T.astype(np.float64))
    # by a power of two, so that no square under- or overflows: norms and blocks' bases do not change
    exponent = int(np.frexp(np.abs(inputs).max())[1])
    inputs = np.ldexp(inputs, -exponent)
    open_ = np.asarray(arrays.to_numpy(operator.gates()) != 0)
    weights = _weights(w, inputs.shape[1], open_.shape[1], kind)
    if kind == "linear":  # a gate that is open on all rows, before the others
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
        why = "no gate is planted: w = 0 is the only minimiser for y = 0"
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
        # the solver minimises up to its tolerance; where it gave up, the shortest vector is still one
        if flat is not None and best < norms[others].max():
            lam, norms = flat, _norms(X, gates, blocks, flat)
        rounding += SOLVER_ERROR
    norms[planted] = 1.0
    seen = np.any(X != 0.0, axis=1)
    copies = [j for j in others if any(np.array_equal(gates[seen, j], gates[seen, i]) for i in planted)]
    if len(planted) == 1 and not normalised and which == "minimum-norm":
        copies = [j for j in others if np.all(gates[seen, j] >= gates[seen, planted[0]])]
    if copies:  # known without rounding, and enough to decide
        norms[copies], rounding = 1.0, 0.0
    value = float(norms[others].max(initial=0.0))
    if not others:
        return NeuralIsometry(0.0, True, norms, lam, tuple(planted), rounding, "every gate is planted")
    worst = others[int(np.argmax(norms[others]))]
    reason = f"gate {worst} has the largest norm, {value:.6g}, against 1"
    holds: bool | None = value < 1.0
    if copies:
        holds, reason = False, f"gate {copies[0]} is open where a planted one is, which makes its norm 1"
    elif abs(value - 1.0) <= rounding:
        holds, reason = None, reason + "; too close for rounding"
    return NeuralIsometry(value, holds, norms, lam, tuple(planted), rounding, reason)


def _norms(X: np.ndarray, gates: np.ndarray, blocks: list[np.ndarray], lam: np.ndarray) -> np.ndarray:
    """Return |X' D_j lambda| of all gates by one product, or |U_j' lambda| of the blocks U_j where there are any."""
    if blocks:
        return np.array([float(np.linalg.norm(block.T @ lam)) for block in blocks])
    return np.asarray(np.linalg.norm((X * lam[:, None]).T @ gates, axis=0))


def _weights(w: Any, d: int, p: int, kind: str) -> np.ndarray:
    """Return the planted weights as rows, one a gate, on the CPU."""
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
    """Return the vector at length 1, without squares that under- or overflow."""
    scaled = vector / float(np.abs(vector).max())
    return np.asarray(scaled / float(np.linalg.norm(scaled)))


def _left(block: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the left singular vectors of a matrix, and its condition number without singular values that are 0."""
    left, values, _ = np.linalg.svd(block, full_matrices=False)
    kept = values > max(block.shape) * EPS * values[0]
    return left[:, kept], float(values[0] / values[kept][-1]) if kept.any() else 1.0
