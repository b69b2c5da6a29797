"""Least squares on the support of a gated operator, from its Gram matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from recovery.operators import GatedOperator
from recovery.solvers.least_squares import SupportColumns, restricted_cgls

__all__ = ["DIRECT_COLUMNS", "fit_support"]

DIRECT_COLUMNS = 4000
"""Supports of more columns than this are solved by CGLS on column blocks."""
SINGLE_DAMPING = 3e-5
"""From this damping on, the rounding of a Gram matrix in float32 is lost in it, and half the time is saved."""
CGLS_STEPS = 60
"""Steps of CGLS from the last iterate: an inexact step is enough while gates still move."""


def fit_support(A: GatedOperator, idx: Any, y: Any, start: Any, damping: float = 0.0, least: Any = None) -> Any:
    """Minimise |A_S v - y|^2 + damping * sum_k |a_k|^2 (v_k - start_k)^2 over v.

    Parameters
    ----------
    A : GatedOperator, shape (n, N)
        The operator.
    idx : array of int64, shape (k,)
        S.
    y : array, shape (n,)
        Data.
    start : array, shape (k,)
        Where the damping pulls to, and the first guess of CGLS.
    damping : float, default 0
        Relative to the squared column norms; keeps a step on few rows near the last iterate.
    least : array, shape (k,), optional
        Lengths that damping is relative to where the column is shorter.

    Returns
    -------
    array, shape (k,)
        The minimiser; 0 on zero columns.

    Notes
    -----
    Normal equations with unit diagonal, a jitter of 1e3 machine epsilons against dependent columns, and
    two steps of iterative refinement with the true residual, which take back what the jitter and
    the squared condition number cost. The Gram matrix is summed over tiles of rows: O(k^2) memory, the
    columns are never stored together. More than :data:`DIRECT_COLUMNS` columns go to
    :data:`CGLS_STEPS` steps of CGLS, which stop short of `start` by themselves: the damping is left out there.
    """
    xp, dtype, k = A.xp, A.dtype, int(idx.shape[0])
    if k > DIRECT_COLUMNS:
        return restricted_cgls(SupportColumns(A, idx), y, start, max_iter=CGLS_STEPS)[0]
    single = damping >= SINGLE_DAMPING and dtype == np.float64
    gram = A.gram(idx, np.float32 if single else None).astype(dtype)
    diagonal = xp.diag(gram)
    scale = xp.where(diagonal > 0, 1.0 / xp.sqrt(xp.where(diagonal > 0, diagonal, 1.0)), 0.0).astype(dtype)
    gram = gram * scale[:, None] * scale
    jitter = max(1e3 * float(np.finfo(dtype).eps), damping)
    extra: Any = jitter if least is None else jitter * xp.maximum(1.0, (least * scale) ** 2)
    # zero columns get a unit diagonal and no right-hand side, hence the value 0
    gram = gram + xp.diag(xp.where(diagonal > 0, extra, 1.0 + jitter).astype(dtype))
    full = xp.zeros(A.shape[1], dtype=dtype)
    values = start if damping else xp.zeros(k, dtype=dtype)
    for _ in range(1 if damping else 3):
        full[idx] = values
        residual = y - A.matvec(full)
        values = values + scale * xp.linalg.solve(gram, scale * A.rmatvec(residual)[idx])
    return xp.where(diagonal > 0, values, 0.0).astype(dtype)
