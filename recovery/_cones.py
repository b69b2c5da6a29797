"""The two cone programs behind gated networks: least sum of block norms, and the flattest dual vector.

Clarabel is called directly: on problems of this size the way through cvxpy costs seven times as much as solving them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["LeastNorms", "flattest_dual", "least_norms"]

_ACCEPTED = ("Solved", "AlmostSolved")
_MET = 1e-9
Blocks = Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class LeastNorms:
    """The answer of :func:`least_norms`.

    Parameters
    ----------
    parts : list of numpy.ndarray, or None
        z_j; None where the solver has no answer.
    dual : numpy.ndarray, shape (n,), or None
        lambda.
    objective : float
        sum_j |z_j|_2; ``inf`` without an answer.
    residual : float
        |sum_j B_j z_j - y|_2.
    status : str
        Clarabel's word.
    steps : int
        Its iterations.
    """

    parts: list[np.ndarray] | None
    dual: np.ndarray | None
    objective: float
    residual: float
    status: str
    steps: int


def least_norms(
    blocks: Blocks, y: np.ndarray, *, inside: Blocks | None = None, tol: float = 1e-10, max_iter: int = 200
) -> LeastNorms:
    """Minimise sum_j |z_j|_2 subject to sum_j B_j z_j = y and, if asked for, C_j z_j >= 0.

    Parameters
    ----------
    blocks : sequence of numpy.ndarray, shapes (n, r_j)
        B_j.
    y : numpy.ndarray, shape (n,)
        Data.
    inside : sequence of numpy.ndarray, shapes (m_j, r_j), optional
        C_j.
    tol : float, default 1e-10
        Feasibility and gap that Clarabel is asked for, relative; it says "AlmostSolved" where it came less near.
    max_iter : int, default 200
        Limit of its steps.

    Returns
    -------
    LeastNorms
        Without C_j the dual vector has |B_j' lambda| <= 1, and B_j' lambda = z_j / |z_j| where z_j is not 0.
    """
    widths = [block.shape[1] for block in blocks]
    count, total, n = len(blocks), sum(widths), len(y)
    size, length = max(float(np.abs(block).max(initial=0.0)) for block in blocks) or 1.0, float(np.linalg.norm(y))
    if length == 0.0:
        zero = [np.zeros(width) for width in widths]
        return LeastNorms(zero, np.zeros(n), 0.0, 0.0, "Solved", 0)
    starts = count + np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(int)
    top = np.zeros((n, count + total))
    top[:, count:] = np.concatenate(list(blocks), axis=1) / size
    rows, kinds = [top], [("zero", n)]
    if inside is not None:
        limits = np.zeros((sum(part.shape[0] for part in inside), count + total))
        row = 0
        for part, start in zip(inside, starts, strict=True):
            limits[row : row + part.shape[0], start : start + part.shape[1]] = -part / size
            row += part.shape[0]
        rows.append(limits)
        kinds.append(("nonnegative", row))
    for j, (start, width) in enumerate(zip(starts, widths, strict=True)):
        cone = np.zeros((width + 1, count + total))
        cone[0, j] = -1.0
        cone[1 + np.arange(width), start + np.arange(width)] = -1.0
        rows.append(cone)
        kinds.append(_cone_of(width))
    cost = np.concatenate([np.ones(count), np.zeros(total)])
    right = np.concatenate([y / length, np.zeros(sum(len(part) for part in rows[1:]))])
    found = _clarabel(cost, np.concatenate(rows), right, kinds, tol, max_iter)
    status = str(found.status)
    if status not in _ACCEPTED:
        return LeastNorms(None, None, float("inf"), float("inf"), status, int(found.iterations))
    z = np.array(found.x)[count:] * (length / size)
    parts = np.split(z, np.cumsum(widths)[:-1])
    misfit = sum((block @ part for block, part in zip(blocks, parts, strict=True)), -y)
    return LeastNorms(
        parts,
        -np.array(found.z)[:n] / size,
        float(sum(np.linalg.norm(part) for part in parts)),
        float(np.linalg.norm(misfit)),
        status,
        int(found.iterations),
    )


def flattest_dual(
    blocks: Blocks,
    planted: Mapping[int, np.ndarray],
    *,
    inside: Blocks | None = None,
    tight: Mapping[int, np.ndarray] | None = None,
    tol: float = 1e-9,
    max_iter: int = 200,
) -> tuple[float, np.ndarray | None, str]:
    """Minimise max over j not planted of |B_j' lambda + C_j' a_j|_2, where it is a given unit vector for planted j.

    Parameters
    ----------
    blocks : sequence of numpy.ndarray, shapes (n, r_j)
        B_j.
    planted : mapping of int to numpy.ndarray
        The unit vector z_j / |z_j| of each planted block.
    inside : sequence of numpy.ndarray, shapes (m_j, r_j), optional
        C_j; the multipliers a_j >= 0 belong to C_j z_j >= 0. None: there are none.
    tight : mapping of int to array of bool, optional
        For planted j, the rows with (C_j z_j)_i = 0: elsewhere a_j is 0. All rows are loose by default.
    tol, max_iter
        As for :func:`least_norms`.

    Returns
    -------
    value : float
        The least maximum; 0 if all blocks are planted, ``inf`` if there is no such vector (or the solver finds none).
    dual : numpy.ndarray, shape (n,), or None
        lambda.
    status : str
        Clarabel's word.
    """
    size = max(float(np.abs(block).max(initial=0.0)) for block in blocks) or 1.0
    # a direction of lambda that no block sees would be unbounded
    left, values, _ = np.linalg.svd(np.concatenate(list(blocks), axis=1) / size, full_matrices=False)
    seen = left[:, values > max(left.shape) * np.finfo(np.float64).eps * values.max(initial=0.0)]
    n = seen.shape[1]
    multipliers: list[np.ndarray] = [np.zeros((0, block.shape[1])) for block in blocks]
    if inside is not None:
        loose = {j: np.zeros(len(inside[j]), dtype=bool) for j in planted} | dict(tight or {})
        multipliers = [part[loose[j]] if j in planted else part for j, part in enumerate(inside)]
    lengths = [len(part) for part in multipliers]
    starts = n + 1 + np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(int)
    columns = n + 1 + sum(lengths)  # lambda, the maximum, the multipliers
    equal, right, cones, kinds = [np.zeros((0, columns))], [np.zeros(0)], [], []
    for j, block in enumerate(blocks):
        row = np.zeros((block.shape[1], columns))
        row[:, :n] = block.T @ seen / size
        row[:, starts[j] : starts[j] + lengths[j]] = multipliers[j].T / size
        if j in planted:
            equal.append(row)
            right.append(planted[j])
        else:
            head = np.zeros((1, columns))
            head[0, n] = 1.0
            cones += [head, row]
            kinds.append(_cone_of(block.shape[1]))
    signs = np.zeros((sum(lengths), columns))
    signs[:, n + 1 :] = np.eye(sum(lengths))
    # Clarabel often breaks off on the equations; all that solves them is one solution and a null space
    demands, goal = np.concatenate(equal), np.concatenate(right)
    start, free = _solutions(demands, goal)
    if np.linalg.norm(demands @ start - goal) > _MET:
        return float("inf"), None, "the planted directions contradict each other"
    if not cones:
        return 0.0, seen @ start[:n] / size, "Solved"
    rows = np.concatenate([signs, *cones])
    kinds = [kind for kind in (("nonnegative", len(signs)), *kinds) if kind[1]]
    found = _clarabel(free[n], -rows @ free, rows @ start, kinds, tol, max_iter)
    status = str(found.status)
    if status not in _ACCEPTED:
        return float("inf"), None, status
    x = start + free @ np.array(found.x)
    if np.linalg.norm(demands @ x - goal) > _MET or np.min(signs @ x, initial=0.0) < -_MET:
        return float("inf"), None, f"{status}, but not within {_MET:g} of the planted directions"
    reached = [float(np.linalg.norm(row @ x)) for row in cones[1::2]]
    return max(reached), seen @ x[:n] / size, status


def _solutions(E: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shortest x with E x = e, or nearest to it, and an orthonormal basis of the null space of E."""
    left, values, right = np.linalg.svd(E)
    rank = int(np.sum(values > max(E.shape) * np.finfo(np.float64).eps * values.max(initial=0.0)))
    return right[:rank].T @ ((left[:, :rank].T @ e) / values[:rank]), right[rank:].T


def _cone_of(width: int) -> tuple[str, int]:
    """Return the cone of (t, z) with t >= |z|, z of a given length: a half line for length 0."""
    return ("second order", width + 1) if width else ("nonnegative", 1)


def _clarabel(
    cost: np.ndarray, rows: np.ndarray, right: np.ndarray, kinds: list[tuple[str, int]], tol: float, max_iter: int
) -> Any:
    """Minimise cost'x with right - rows x in a product of cones."""
    import clarabel
    from scipy import sparse

    known = {
        "zero": clarabel.ZeroConeT,
        "nonnegative": clarabel.NonnegativeConeT,
        "second order": clarabel.SecondOrderConeT,
    }
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_iter = max_iter
    settings.max_threads = 1
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = tol
    cones = [known[kind](length) for kind, length in kinds]
    nothing = sparse.csc_matrix((len(cost), len(cost)))
    return clarabel.DefaultSolver(nothing, cost, sparse.csc_matrix(rows), right, cones, settings).solve()
