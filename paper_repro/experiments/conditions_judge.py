"""Which conditions of recovery hold for one instance, and runs of the solvers as the theorems prescribe them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

import recovery
from paper_repro.experiments.solvers import relative_error
from paper_repro.experiments.spreads import SLACK, Spreads
from recovery import conditions
from recovery.certificates.null_space import proved_bound
from recovery.conditions import null_space_multipliers

__all__ = [
    "CONDITIONS",
    "GUARANTEES",
    "SYMBOLS",
    "as_prescribed",
    "compress",
    "group_value",
    "judge",
    "multipliers_of",
]

CONDITIONS = {
    "coherence": "μ < 1/(2s-1)",
    "babel": "μ₁(s-1) + μ₁(s) < 1",
    "erc": "exact recovery coefficient < 1",
    "irrepresentable": "irrepresentable value < 1",
    "null-space": "null-space constant < 1/2",
    "isometry-l1": "δ₂ₛ < 1/√2",
    "isometry-omp": "δₛ₊₁ < 1/√(s+1)",
    "isometry-iht": "δ₃ₛ < 0.618",
    "isometry-htp": "δ₃ₛ < 1/√3",
    "grades": "κ₂ₛ < 2",
    "niht": "κ₂ₛ < 2/1.05",
    "neural": "neural isometry",
}
"""The names that records use -> what figures and tables call them."""

SYMBOLS = {
    "coherence": "μ",
    "babel": "μ₁",
    "erc": "exact recovery",
    "irrepresentable": "irrepresentable",
    "null-space": "null space",
    "isometry-l1": "δ₂ₛ",
    "isometry-omp": "δₛ₊₁",
    "isometry-iht": "δ₃ₛ",
    "isometry-htp": "δ₃ₛ",
    "grades": "κ₂ₛ",
    "niht": "κ₂ₛ",
    "neural": "neural isometry",
}
"""The same, where there is little room."""

GUARANTEES: dict[str, tuple[str, ...]] = {
    "iht": ("isometry-iht", "grades"),
    "niht": ("niht",),
    "htp": ("isometry-htp",),
    "omp": ("coherence", "babel", "erc", "isometry-omp"),
    "l1": ("coherence", "babel", "erc", "irrepresentable", "null-space", "isometry-l1"),
    "group-l1": ("neural",),
}
"""Solver -> the conditions that guarantee its success."""

NIHT_KAPPA = 1.05
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def judge(
    A: np.ndarray, w: np.ndarray, raw: np.ndarray, width: int, spreads: Spreads, multipliers: np.ndarray | None
) -> dict[str, Any]:
    """Say for each condition whether it holds.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns of unit norm.
    w : numpy.ndarray, shape (N,)
        Planted weights of these columns.
    raw : numpy.ndarray, shape (n, N)
        The columns before they were scaled, for the neural isometry condition.
    width : int
        Columns of a gate.
    spreads : Spreads
        Of A; instances with the same A share it.
    multipliers : numpy.ndarray, shape (n, N), or None
        For the null-space constant; None where the columns are independent, which makes it 0.

    Returns
    -------
    dict
        Condition -> True, False, or None where it is out of reach. For conditions on restricted eigenvalues the bounds
        that showed it stand for True.
    """
    support = np.flatnonzero(w)
    s = len(support)
    coefficient = conditions.exact_recovery_coefficient(A, support)
    values = {
        "coherence": (conditions.mutual_coherence(A), 1.0 / (2 * s - 1)),
        "babel": (conditions.babel(A, s - 1) + conditions.babel(A, s), 1.0),
        "erc": (coefficient, 1.0),
        "irrepresentable": (conditions.irrepresentable(A, support, np.sign(w[support])), 1.0),
        "null-space": (0.0 if multipliers is None else proved_bound(A, multipliers, s), 0.5),
        "neural": (group_value(raw, w / np.linalg.norm(raw, axis=0), width), 1.0),
    }
    found: dict[str, Any] = {name: value < limit * (1.0 - SLACK) for name, (value, limit) in values.items()}
    found |= {
        "isometry-l1": spreads.below(2 * s, _ratio(1 / math.sqrt(2))),
        "isometry-omp": spreads.below(s + 1, _ratio(1 / math.sqrt(s + 1))),
        "isometry-iht": spreads.below(3 * s, _ratio(GOLDEN)),
        "isometry-htp": spreads.below(3 * s, _ratio(1 / math.sqrt(3))),
        "grades": spreads.below(2 * s, 2.0),
        "niht": spreads.below(2 * s, 2.0 / NIHT_KAPPA),
    }
    return found


def as_prescribed(
    solver: str, condition: str, shown: Any, A: np.ndarray, w: np.ndarray, raw: np.ndarray, width: int
) -> float:
    """Return the relative error of a solver that runs as the theorem with this condition wants it.

    Parameters
    ----------
    solver, condition : str
        A pair of :data:`GUARANTEES`.
    shown : bool or (float, float)
        What :func:`judge` found: it holds.
    A, w, raw, width
        As for :func:`judge`.

    Returns
    -------
    float
        The distance from w over its norm.

    Notes
    -----
    With bounds a <= alpha_3s and b >= beta_3s IHT and HTP have the step 2 / (a + b): their theorems hold with such
    bounds in place of the numbers. By kappa_2s < 2: the step 1 / b, b >= beta_2s. NIHT has kappa = 1.05.
    """
    options: Mapping[str, Any] = {}
    if condition in ("isometry-iht", "isometry-htp"):
        options = {"step": 2.0 / (shown[0] + shown[1]), "normalise": False}
    elif condition == "grades":
        options = {"step": 1.0 / shown[1]}
    elif condition == "niht":
        options = {"kappa": NIHT_KAPPA}
    elif condition == "neural":
        A, w = raw, w / np.linalg.norm(raw, axis=0)
    if not options:
        return relative_error(solver, A, w, width)
    if solver == "htp":
        options = {**options, "escapes": 0}
    found = recovery.solve(A, A @ w, int(np.count_nonzero(w)), solver=cast(Any, solver), **options)
    return float(np.linalg.norm(found.x - w) / np.linalg.norm(w))


def multipliers_of(A: np.ndarray) -> np.ndarray | None:
    """Return multipliers that bound the null-space constant, or None where the columns are independent.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns.

    Returns
    -------
    numpy.ndarray, shape (n, N), or None
        From one linear program a column; they serve every sparsity.
    """
    return None if np.linalg.matrix_rank(A) == A.shape[1] else null_space_multipliers(A, 1)


def compress(A: np.ndarray) -> np.ndarray:
    """Return R of A = Q R where A has more rows than columns, else A: the same Gram matrix and the same null space."""
    if A.shape[0] <= A.shape[1]:
        return A
    _, R = np.linalg.qr(A)
    return R


def group_value(A: np.ndarray, w: np.ndarray, width: int) -> float:
    """Return the largest norm of a block that is not planted, for the dual vector of least norm.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns; blocks of `width` consecutive ones make a group.
    w : numpy.ndarray, shape (N,)
        Planted weights.
    width : int
        Columns of a group.

    Returns
    -------
    float
        Below 1, w is the only minimiser of sum_j |w_j|_2 with its own data; ``inf`` where the planted blocks have
        dependent columns. For gated columns it is ``recovery.conditions.neural_isometry(...).value``, by another route.
    """
    blocks, weights = A.reshape(len(A), -1, width), w.reshape(-1, width)
    planted = np.any(weights != 0.0, axis=1)
    M = blocks[:, planted].reshape(len(A), -1)
    if np.linalg.matrix_rank(M) < M.shape[1]:
        return math.inf
    wanted = (weights[planted] / np.linalg.norm(weights[planted], axis=1)[:, None]).ravel()
    dual = np.linalg.lstsq(M.T, wanted, rcond=None)[0]
    norms = np.linalg.norm(np.einsum("nji,n->ji", blocks[:, ~planted], dual), axis=1)
    return float(norms.max(initial=0.0))


def _ratio(delta: float) -> float:
    """Return the ratio of the extreme eigenvalues that goes with an isometry constant in the best scale."""
    return (1.0 + delta) / (1.0 - delta)
