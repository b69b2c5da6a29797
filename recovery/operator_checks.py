"""The dot test: whether the products of an operator belong to one matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_integer, check_number
from recovery._powers import normalised_power
from recovery._sums import adjoint as transposed
from recovery._sums import column_squares

__all__ = ["dottest"]


def dottest(A: Any, *, n_trials: int = 3, tol: float | None = None, rng: Any = None) -> float:
    """Check that an operator's products belong to one matrix: <A x, r> = <x, A' r>, columns and Gram.

    Parameters
    ----------
    A : Operator or array, shape (n, N)
        The operator.
    n_trials : int, default 3
        Number of random vectors.
    tol : float, optional
        Largest accepted relative error; 1e4 machine epsilons of the dtype by default.
    rng : int, numpy.random.Generator or None
        Source of the vectors.

    Returns
    -------
    float
        The largest relative error that was seen.

    Raises
    ------
    AssertionError
        If an identity fails; the sentence says which one and by how much.
    """
    from recovery.operators import as_operator  # which re-exports this function

    operator = as_operator(A)
    n_trials = check_integer(n_trials, "n_trials", minimum=1)
    eps = float(np.finfo(operator.dtype).eps)
    tol = 1e4 * eps if tol is None else check_number(tol, "tol", minimum=0.0)
    draw, xp, (n, size) = arrays.generator(rng), operator.xp, operator.shape
    worst = 0.0

    def compare(name: str, one: Any, other: Any, scale: Any) -> None:
        nonlocal worst
        gap, scale = float(xp.abs(one - other).max()), float(scale)
        error = gap / scale if scale > 0.0 else gap and float("inf")
        worst = max(worst, error)
        if not error <= tol:
            raise AssertionError(f"{operator!r} fails the dot test: {name} differ by {error:.2e} (tolerance {tol:.0e})")

    for _ in range(n_trials):
        x = xp.asarray(draw.standard_normal(size), dtype=operator.dtype)
        r = xp.asarray(draw.standard_normal(n), dtype=operator.dtype)
        forward, adjoint = operator.matvec(x), operator.rmatvec(r)
        small, unit = normalised_power(forward)  # so that no square leaves the range, whatever the size of A
        scale = xp.sqrt((small * small).sum() * (r * r).sum())
        compare("<Ax, r> and <x, A'r>", (small * r).sum(), (x * (adjoint / unit)).sum(), scale)
        idx = xp.asarray(np.sort(draw.choice(size, size=min(size, 5), replace=False)))
        picked = operator.columns(idx)
        compare("columns and A'r", transposed(picked, r), adjoint[idx], xp.abs(adjoint).max())
        sparse = xp.zeros(size, dtype=operator.dtype)
        sparse[idx] = x[idx]
        compare(
            "matvec_support and matvec",
            operator.matvec_support(idx, x[idx]),
            operator.matvec(sparse),
            xp.abs(forward).max(),
        )
        small, unit = normalised_power(picked)
        peak = float(unit)
        if 0.0 < peak * peak < float("inf") and peak * peak > float(np.finfo(operator.dtype).tiny):
            gram = small.T @ small
            compare("gram and columns", operator.gram(idx) / (unit * unit), gram, xp.abs(gram).max())
        norms = xp.sqrt(column_squares(small)).astype(operator.dtype)
        compare("column_norms and columns", operator.column_norms()[idx] / unit, norms, norms.max())
    return worst
