"""Success rates of solvers on planted sparse vectors with fixed gates.

Run from the repository root::

    python -m benchmarks.recovery_rates                 # hard thresholding pursuit on four settings, a few seconds
    python -m benchmarks.recovery_rates --solver niht   # another solver
    python -m benchmarks.recovery_rates --plain         # the textbook iteration, which a repeated support ends

A solution is exact if it has the planted support and every entry is right to 1e-12 of the largest.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from threadpoolctl import threadpool_limits

import planted
import recovery

CELLS = ((500, 50, 100, 10, 100), (2000, 50, 100, 30, 60))


def exact(result, truth):
    return (
        np.array_equal(result.support, np.flatnonzero(truth))
        and np.abs(result.x - truth).max() <= 1e-12 * np.abs(truth).max()
    )


def plain_htp(A, y, sparsity, max_iter=100):
    """Run textbook HTP with unit step on normalised columns; return whether its residual vanished."""
    operator, _ = recovery.normalise(A)
    support, values, residual, seen = np.zeros(0, dtype=int), np.zeros(0), y, set()
    for _ in range(max_iter):
        point = operator.rmatvec(residual)
        point[support] += values
        support = np.sort(np.argsort(-np.abs(point), kind="stable")[:sparsity])
        columns = operator.columns(support)
        values = np.linalg.lstsq(columns, y, rcond=None)[0]
        residual = y - columns @ values
        if np.linalg.norm(residual) <= 1e-12 * np.linalg.norm(y):
            return True
        if support.tobytes() in seen:
            return False
        seen.add(support.tobytes())
    return False


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--solver", default="htp")
    parser.add_argument("--plain", action="store_true", help="the textbook HTP iteration instead")
    parser.add_argument("--trials", type=int, default=None, help="instances per setting (100 and 60 by default)")
    options = parser.parse_args(arguments)
    for n, d, p, k, trials in CELLS:
        trials = options.trials or trials
        for values in ("normal", "signs"):
            hits, cycles, steps, begin = 0, 0, 0, time.perf_counter()
            for seed in range(trials):
                X, y, H, w = planted.gated_model(n, d, p, k, values=values, rng=seed)
                A = recovery.GatedOperator.from_generators(X, H)
                if options.plain:
                    hits += plain_htp(A, y, k)
                    continue
                result = recovery.solve(A, y, k, solver=options.solver)
                hits += exact(result, np.ravel(w))
                cycles += "cycle" in result.message
                steps = max(steps, result.n_iter)
            seconds = (time.perf_counter() - begin) / trials
            name = "plain htp" if options.plain else options.solver
            print(
                f"{name:10s} (n,d,p,k)=({n},{d},{p},{k}) {values:6s}: exact {hits} of {trials}; "
                f"runs with a cycle {cycles}; most steps {steps}; {seconds * 1e3:.1f} ms an instance"
            )


if __name__ == "__main__":
    with threadpool_limits(1):  # on a busy machine a second BLAS thread costs a factor of ten here
        main()
