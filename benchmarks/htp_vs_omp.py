"""Times of hard thresholding pursuit and of scikit-learn's orthogonal matching pursuit, measured in one run.

Run from the repository root: ``python -m benchmarks.htp_vs_omp``. The matrix is dense Gaussian, 500 x 5000, with
columns of about unit norm; k = 20 and 60. Times are medians of 10, after a warm-up call of each solver, with one BLAS
thread, as in every sweep, then with two. The solvers take turns, so that a busy machine affects both; it affects two
threads more than one.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from sklearn.linear_model import orthogonal_mp
from threadpoolctl import threadpool_limits

import recovery
from benchmarks.machine import machine, table


def instance(n, size, k, seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, size)) / np.sqrt(n)
    w = np.zeros(size)
    w[rng.choice(size, k, replace=False)] = rng.standard_normal(k)
    return A, w, A @ w


def timed(function):
    begin = time.perf_counter()
    out = function()
    return time.perf_counter() - begin, out


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args(arguments).repeats
    print(f"{machine()}; medians of {repeats}\n")
    rows = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            rows += [(threads, *row) for row in compare(repeats)]
    print(table(("BLAS threads", "k", "htp (ms)", "orthogonal_mp (ms)", "ratio", "largest errors"), rows))


def compare(repeats):
    for k in (20, 60):
        ours, theirs, errors = [], [], []
        for seed in range(repeats + 1):
            A, w, y = instance(500, 5000, k, seed)
            jobs = {
                "htp": lambda A=A, y=y, k=k: recovery.solve(A, y, k, "htp"),
                "omp": lambda A=A, y=y, k=k: orthogonal_mp(A, y, n_nonzero_coefs=k, precompute=False),
            }
            # in turns first and second, so that neither has the warmer cache
            found = {name: timed(jobs[name]) for name in (("htp", "omp") if seed % 2 else ("omp", "htp"))}
            (seconds, result), (seconds_omp, x) = found["htp"], found["omp"]
            if seed:
                ours.append(seconds)
                theirs.append(seconds_omp)
            errors.append((np.abs(result.x - w).max(), np.abs(x - w).max()))
        mine, other = statistics.median(ours), statistics.median(theirs)
        worst = np.max(errors, axis=0)
        yield k, f"{mine * 1e3:.1f}", f"{other * 1e3:.1f}", f"{other / mine:.1f}", f"{worst[0]:.0e}, {worst[1]:.0e}"


if __name__ == "__main__":
    main()
