"""Common parts of the recovery experiments: the six solvers with their settings, and the criterion for success."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

import recovery
from planted.base import arrays

__all__ = ["LABELS", "PROGRAMS", "TOLERANCE", "relative_error", "unit_norm"]

LABELS = {"iht": "IHT", "niht": "NIHT", "htp": "HTP", "omp": "OMP", "l1": "l1", "group-l1": "group-l1"}
"""The names that records use -> the names in figures and tables."""

PROGRAMS = ("l1", "group-l1")
"""Convex programs: solved by cvxpy on the CPU, 10 to 60 ms each."""

TOLERANCE = 1e-4
"""A result counts as correct if its distance from the planted weights is at most this fraction of their norm."""

OPTIONS: dict[str, dict[str, Any]] = {"iht": {"max_iter": 1000}, "niht": {"max_iter": 1000, "normalise": False}}
"""IHT has the step 1/L, L the largest eigenvalue of A'A, as without knowledge of restricted constants. More steps
change its outcomes little: at 1000 steps 1 of 216 trials was still on its way to the planted weights."""


def unit_norm(A: np.ndarray) -> np.ndarray:
    """Return a matrix with its columns scaled to unit norm.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        No column may be zero.

    Returns
    -------
    numpy.ndarray, shape (n, N)
        A new array.
    """
    return A / np.linalg.norm(A, axis=0)


def relative_error(method: str, A: Any, w: np.ndarray, width: int) -> float:
    """Return how far a solver's answer to y = A w is from w.

    Parameters
    ----------
    method : str
        A key of :data:`LABELS`. All are told the number of non-zeros; the convex programs use it to cut their solution.
    A : array, shape (n, N)
        Columns of unit norm.
    w : numpy.ndarray, shape (N,)
        The planted weights.
    width : int
        Columns of a group, for ``"group-l1"``: consecutive columns belong to one gate.

    Returns
    -------
    float
        The distance over the norm of w.
    """
    options = dict(OPTIONS.get(method, {}))
    if method == "group-l1":
        options["groups"] = np.arange(w.size) // width
    y = A @ arrays.from_numpy_like(w, A, dtype=A.dtype)
    found = recovery.solve(A, y, int(np.count_nonzero(w)), solver=cast(Any, method.replace("-", "_")), **options)
    return float(np.linalg.norm(arrays.to_numpy(found.x) - w) / np.linalg.norm(w))
