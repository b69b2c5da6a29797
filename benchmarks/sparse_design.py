"""Time and memory of hard thresholding pursuit on a large sparse design.

Run from the repository root: ``python -m benchmarks.sparse_design`` (10^5 x 10^6 with 10^7 stored entries, k = 100; ten
seconds, half a GiB), or with ``--rows``, ``--columns``, ``--stored`` and ``--sparsity``. The pattern is uniform,
entries and weights are standard normal, the data have no noise. The matrix is given in CSR format, as usual, so the
time and the memory of the conversion are included. "peak so far" is the largest resident memory of the process, without
that of the interpreter and the libraries. Time and memory are proportional to the number of stored entries.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

import recovery
from benchmarks.machine import machine, table


def design(rows, columns, stored, rng):
    """Return a sparse matrix with the same number of entries in each row."""
    each = stored // rows
    indices = rng.integers(0, columns, rows * each, dtype=np.int32).reshape(rows, each)
    indices.sort(axis=1)
    pointers = np.arange(0, rows * each + 1, each)
    matrix = csr_array((rng.standard_normal(rows * each), indices.ravel(), pointers), shape=(rows, columns))
    matrix.sum_duplicates()
    return matrix


def resident():
    """Return the largest resident memory so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(arguments=None):
    """Solve one problem, and print its time and memory."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sparse_design", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=10**5)
    parser.add_argument("--columns", type=int, default=10**6)
    parser.add_argument("--stored", type=int, default=10**7)
    parser.add_argument("--sparsity", type=int, default=100)
    parser.add_argument("--solvers", nargs="*", default=["htp", "auto"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    before, rng = resident(), np.random.default_rng(options.seed)
    print(machine())
    with threadpool_limits(1):
        A = design(options.rows, options.columns, options.stored, rng)
        x = np.zeros(options.columns)
        x[rng.choice(np.unique(A.indices), options.sparsity, replace=False)] = rng.standard_normal(options.sparsity)
        y = A @ x
        bytes_of = (A.data.nbytes + A.indices.nbytes + A.indptr.nbytes) / 2**30
        print(f"{A.shape[0]} x {A.shape[1]}, {A.nnz} stored, k = {options.sparsity}: {bytes_of:.2f} GiB in CSR")
        rows, made = [], resident() - before
        begin = time.process_time()
        operator = recovery.as_operator(A)
        rows.append(("as_operator", "", "", f"{time.process_time() - begin:.2f}", f"{resident() - before:.2f}"))
        for solver in options.solvers:
            begin = time.process_time()
            found = recovery.solve(operator, y, options.sparsity, solver)
            spent, error = time.process_time() - begin, float(np.abs(found.x - x).max())
            rows.append((solver, found.n_iter, f"{error:.0e}", f"{spent:.2f}", f"{resident() - before:.2f}"))
    print(f"peak after drawing: {made:.2f} GiB\n")
    print(table(("step", "steps", "largest error", "seconds", "peak so far, GiB"), rows))


if __name__ == "__main__":
    main()
