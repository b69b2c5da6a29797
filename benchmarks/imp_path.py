"""Time of a complete path of one-by-one magnitude pruning, compared with refits and with downdates of the Gram inverse.

Run from the repository root: ``python -m benchmarks.imp_path [--full] [--threads 2]``. All methods start from X and y
and return the order of all d weights, on the same Gaussian problem and in one run. The orders are compared. A second
table shows up to which condition number the orders equal those of ``lstsq`` refits.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine, seconds, table
from linear_lottery import imp


def problem(n, d, exponent=0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    if exponent:
        left, _, right = np.linalg.svd(X, full_matrices=False)
        X = left * np.logspace(0, -exponent, d) @ right
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n)


def ours(X, y):
    return imp(X, y, 0).order


def lstsq_refits(X, y):
    def solve(kept):
        return np.linalg.lstsq(X[:, kept], y, rcond=None)[0]

    return refits(solve, X.shape[1])


def cholesky_refits(X, y):
    gram, right = X.T @ X, X.T @ y

    def solve(kept):
        return cho_solve(cho_factor(gram[np.ix_(kept, kept)], check_finite=False), right[kept], check_finite=False)

    return refits(solve, X.shape[1])


def refits(solve, d):
    kept, order = np.arange(d), []
    while len(kept):
        smallest = int(np.argmin(np.abs(solve(kept))))
        order.append(kept[smallest])
        kept = np.delete(kept, smallest)
    return np.array(order)


def gram_downdates(X, y):
    S = np.linalg.inv(X.T @ X)
    b, left, order = S @ (X.T @ y), np.zeros(X.shape[1]), []
    for _ in range(X.shape[1]):
        j = int(np.argmin(np.abs(b) + left))
        column = S[:, j] / S[j, j]
        b, S = b - column * b[j], S - column[:, None] * S[j]
        left[j] = np.inf
        order.append(j)
    return np.array(order)


METHODS = {
    "imp (deflation of R^-1)": ours,
    "downdates of the Gram inverse": gram_downdates,
    "Cholesky refits, cached Gram": cholesky_refits,
    "lstsq refits": lstsq_refits,
}


def speed(n, d, repeats):
    X, y = problem(n, d)
    imp(X[:200, :50], y[:200], 0)  # warm up
    rows, found = [], {}
    for name, method in METHODS.items():
        spent = []
        for _ in range(1 if method is lstsq_refits else repeats):
            begin = time.process_time()
            wall, found[name] = seconds(lambda method=method: method(X, y))
            spent.append((wall, time.process_time() - begin))
        rows.append((name, *np.median(spent, axis=0)))
    best, order = rows[0][1], found["lstsq refits"]
    return [
        (name, f"{wall:.3f}", f"{cpu:.3f}", f"{wall / best:.1f}", "yes" if np.array_equal(found[name], order) else "no")
        for name, wall, cpu in rows
    ]


def both_factors(n, d):
    """Time imp with R from X'X, which needs a small cond(X), and with R from a QR factorisation."""
    rows = []
    for exponent, factor in ((0, "X'X (cond(X) <= 10)"), (4, "QR (cond(X) = 1e4)")):
        X, y = problem(n, d, exponent)
        spent = []
        for _ in range(3):
            begin = time.process_time()
            wall, path = seconds(lambda X=X, y=y: imp(X, y, 0))
            spent.append((wall, time.process_time() - begin))
        assert path.route == "deflation"
        rows.append((f"{n}, {d}", factor, *(f"{value:.3f}" for value in np.median(spent, axis=0))))
    return rows


def accuracy(n, d, seeds):
    rows = []
    for exponent in (2, 4, 6, 7, 8):
        right = dict.fromkeys(METHODS, 0)
        for seed in range(seeds):
            X, y = problem(n, d, exponent, seed)
            order = lstsq_refits(X, y)
            for name, method in METHODS.items():
                if method not in (lstsq_refits, cholesky_refits):
                    right[name] += np.array_equal(method(X, y), order)
        rows.append((f"1e{exponent}", *(f"{right[name]} of {seeds}" for name in list(METHODS)[:2])))
    return rows


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--full", action="store_true", help="the sizes of docs/appendix/benchmarks.md, minutes")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args(arguments)
    n, d = (2000, 500) if chosen.full else (600, 150)
    print(f"{machine()}; {chosen.threads} BLAS thread(s)\n")
    with threadpool_limits(chosen.threads):
        header = ("method", "wall s", "processor s", "multiple of imp's wall time", "order as lstsq")
        print(f"n = {n}, d = {d}\n\n{table(header, speed(n, d, 3))}\n")
        print(f"Orders equal to those of lstsq refits, n = 300, d = 80\n\n{_accuracy_table(chosen.full)}")
        sizes = ((2000, 500), (8000, 2000)) if chosen.full else ((600, 150),)
        rows = [row for size in sizes for row in both_factors(*size)]
        print(f"\nThe two first factors\n\n{table(('n, d', 'first R from', 'wall s', 'processor s'), rows)}")


def _accuracy_table(full):
    return table(("cond(X)", *list(METHODS)[:2]), accuracy(300, 80, 5 if full else 2))


if __name__ == "__main__":
    main()
