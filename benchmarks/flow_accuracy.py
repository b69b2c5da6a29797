"""Accuracy of `gradient_flow`, compared with an integrator and with matrix exponentials in 60 digits.

    python -m benchmarks.flow_accuracy

Errors are max |w - w_ref| / max |w_ref|. The integrator (DOP853, rtol 1e-13) is run up to t lambda_max = 1e4, on
designs of full rank, of exactly deficient rank, with n < d, and under masks. It does not test ill-conditioning, because
small modes have hardly moved by then; the comparison with 60 digits does, up to t = infinity.
"""

from __future__ import annotations

import math

import mpmath
import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.machine import machine, table
from linear_lottery import gradient_flow

EPS = float(np.finfo(float).eps)


def designs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    integers = rng.integers(-4, 5, (30, 5)).astype(float)
    return {
        "full rank, 30 x 8": rng.standard_normal((30, 8)),
        "n < d, 8 x 20": rng.standard_normal((8, 20)),
        "duplicated columns": integers[:, [0, 1, 2, 3, 4, 1, 1, 3]],
        "integer, rank 4 of 7": integers[:, :4] @ rng.integers(-2, 3, (4, 7)),
        "equicorrelated": rng.standard_normal((40, 6)) + 2.0 * rng.standard_normal((40, 1)),
    }


def integrator_error(X: np.ndarray, reach: float, masked: bool, rng: np.random.Generator) -> float:
    """Return the relative difference from the integrated differential equation at t lambda_max = `reach`."""
    n, d = X.shape
    y, w0 = rng.standard_normal(n), rng.standard_normal(d)
    mask = np.arange(d) % 3 != 0 if masked else np.ones(d, dtype=bool)
    t = reach * n / np.linalg.norm(X[:, mask], 2) ** 2
    moving = mask.astype(float)
    gram, right = X.T @ X / n, X.T @ y / n
    solved = solve_ivp(
        lambda _, w: -moving * (gram @ w - right), (0, t), moving * w0, method="DOP853", rtol=1e-13, atol=1e-14
    )
    wanted = solved.y[:, -1]
    return float(np.abs(gradient_flow(X, y, w0, t, mask) - wanted).max() / np.abs(wanted).max())


def exact_error(cond: float, reach: float, rng: np.random.Generator) -> float:
    """Return the relative difference from 60 digits at t lambda_min = `reach`, for X of condition number `cond`."""
    n, d = 9, 4
    left, right = np.linalg.qr(rng.standard_normal((n, d)))[0], np.linalg.qr(rng.standard_normal((d, d)))[0]
    X = left * np.geomspace(1.0, 1.0 / cond, d) @ right
    y, w0 = rng.standard_normal(n), rng.standard_normal(d)
    t = reach * n * cond**2
    with mpmath.workdps(60):
        A, b, start = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist()), mpmath.matrix(w0.tolist())
        gram = A.T * A / n
        limit = mpmath.lu_solve(gram, A.T * b / n)
        if math.isinf(t):
            wanted = limit
        else:
            values, vectors = mpmath.eigsy(gram)
            decayed = [
                mpmath.exp(-value * t) * one for value, one in zip(values, vectors.T * (start - limit), strict=True)
            ]
            wanted = limit + vectors * mpmath.matrix(decayed)
        wanted = np.array([float(one) for one in wanted])
    return float(np.abs(gradient_flow(X, y, w0, t) - wanted).max() / np.abs(wanted).max())


def main(arguments=None):
    print(machine())
    print("\nAgainst DOP853 (goal 1e-10), worst of 3 draws, all weights / under a mask\n")
    reaches = (1.0, 1e2, 1e4)
    rows = []
    for name in designs(np.random.default_rng(0)):
        row = [name]
        for reach in reaches:
            worst = [0.0, 0.0]
            for seed in range(3):
                rng = np.random.default_rng(seed)
                X = designs(rng)[name]
                for masked in (False, True):
                    worst[masked] = max(worst[masked], integrator_error(X, reach, masked, rng))
            row.append(f"{worst[0]:.1e} / {worst[1]:.1e}")
        rows.append(row)
    print(table(["design", *(f"t lambda_max = {reach:g}" for reach in reaches)], rows))
    print("\nAgainst 60 digits, worst of 20 draws (goal: 1e-9 up to cond 1e4, then 10 eps cond)\n")
    reaches, rows = (1e-4, 1.0, math.inf), []
    for exponent in (1, 2, 4, 6, 8, 10, 12):
        cond, row = 10.0**exponent, [f"1e{exponent}"]
        for reach in reaches:
            worst_one = max(exact_error(cond, reach, np.random.default_rng(seed)) for seed in range(20))
            row.append(f"{worst_one:.1e} = {worst_one / (EPS * cond):.2g} eps cond")
        rows.append(row)
    print(table(["cond X", *(f"t lambda_min = {reach:g}" for reach in reaches)], rows))


if __name__ == "__main__":
    main()
