"""A solution of the Lasso that is checked: by scikit-learn's LARS, else by an active-set method; small, on the CPU."""

from __future__ import annotations

import numpy as np

from planted.quiet import quiet

__all__ = ["CLEAR", "lasso_solution"]

CLEAR = 1e-9
"""Entries and dual slacks smaller than this, relative, are not told from 0."""


def lasso_solution(A: np.ndarray, y: np.ndarray, lam: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a solution of min |y - A w|^2 / (2 n) + lam |w|_1 that satisfies the optimality conditions.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns as they are.
    y : numpy.ndarray, shape (n,)
        Data.
    lam : float
        Positive.

    Returns
    -------
    w : numpy.ndarray, shape (N,)
        Signs and zeros are those of scikit-learn's LARS (or, where that fails, of the active-set method); the values
        are solved for again.
    z : numpy.ndarray, shape (N,)
        A'(y - A w) / (n lam): the signs of w where it is not 0, at most 1 + 1e-9 in size elsewhere. None instead of
        both where neither answer passes this check.
    """
    from sklearn import config_context
    from sklearn.linear_model import lars_path

    n = len(y)
    scale = float(np.linalg.norm(A)) or 1.0  # LARS has absolute tolerances
    length = float(np.linalg.norm(y)) or 1.0
    A, y, lam = A / scale, y / length, lam / scale / length
    # what is asked is whether the answer passes; validation costs as much as the path
    with quiet(), config_context(skip_parameter_validation=True):
        _, _, path = lars_path(A, y, alpha_min=lam, method="lasso")
    found = _solved(A, y, n * lam, np.sign(path[:, -1]))
    if found is None:
        found = _solved(A, y, n * lam, _active_set(A, y, n * lam))
    return None if found is None else (found[0] * length / scale, found[1])


def _weights(A: np.ndarray, y: np.ndarray, push: float, signs: np.ndarray) -> np.ndarray | None:
    """Return the w with A_T'(y - A_T w_T) = push * signs on T = {signs != 0}, None if its columns are dependent."""
    active = np.flatnonzero(signs)
    w = np.zeros(len(signs))
    if len(active):
        Q, R = np.linalg.qr(A[:, active])
        size = np.abs(np.diag(R))
        if R.shape[0] < R.shape[1] or size.min() <= 1e-13 * size.max():
            return None
        w[active] = np.linalg.solve(R, Q.T @ y - push * np.linalg.solve(R.T, signs[active]))
    return w


def _solved(A: np.ndarray, y: np.ndarray, push: float, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the solution with given signs and its dual vector, if it is one."""
    w = _weights(A, y, push, signs)
    if w is None or not np.array_equal(np.sign(w), signs):
        return None
    z = A.T @ (y - A @ w) / push
    there = signs != 0.0
    right = np.all(np.abs(z) <= 1.0 + CLEAR) and np.all(np.abs(z - signs)[there] <= CLEAR)
    return (w, z) if right else None


def _active_set(A: np.ndarray, y: np.ndarray, push: float) -> np.ndarray:
    """Return the signs of a solution, as far as rounding lets them be found.

    From 0: let the entry in that violates its condition most; go towards the minimiser for the signs assumed, as far
    as the first entry that would change its sign, and drop that; repeat. Each step lowers the objective, so that no
    signs come back and the number of steps is finite.
    """
    w, signs = np.zeros(A.shape[1]), np.zeros(A.shape[1])
    for _ in range(50 * A.shape[1]):
        goal = _weights(A, y, push, signs)
        if goal is None:
            break
        against = (signs != 0.0) & (np.sign(goal) != signs)
        if np.any(against):
            share = np.full(len(w), np.inf)
            share[against] = np.abs(w[against]) / (np.abs(w[against]) + np.abs(goal[against]) + np.finfo(float).tiny)
            first = int(np.argmin(share))
            w = w + share[first] * (goal - w)
            w[first] = signs[first] = 0.0
            continue
        w = goal
        z = A.T @ (y - A @ w) / push
        z[signs != 0.0] = 0.0
        worst = int(np.argmax(np.abs(z)))
        if abs(z[worst]) <= 1.0:
            break
        signs[worst] = np.sign(z[worst])
    return signs
