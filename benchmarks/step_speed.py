"""Time of one step of iterative hard thresholding, compared with two loops over neurons in the same run.

Run from the repository root::

    python -m benchmarks.step_speed            # n = 10,000, m = 200, s = 200
    python -m benchmarks.step_speed --full     # n = 50,000, m = 1000, s = 1000; about ten minutes on one core

All variants compute the same step: given X, generators H, y, an s-sparse x of length m d and a step size t, they return
H_s(x + t A'(y - A x)), that is, the gates, the residual, the gradient over all m d columns, and the exact top s.

- *released loop*: for each neuron an n x d block, its gradient, and a merge by argsort into the top-s buffer;
- *lean loop*: for each neuron the gate by one product and X' (g * r) by another; one top-s selection at the end;
- *ours, generators*: gates are recomputed in tiles and not stored; *ours, stored gates*: gates are computed before
  the clock starts, as in a run with fixed gates;
- *ours, following*: H is x itself, one column per neuron, with gates ``> 0``. A neuron without weights has no gradient,
  so it is left out of the products; the activations of the others also give the residual. The loops compute all
  neurons, as the released code does; a second lean loop computes only the live neurons (those with weights).

All variants run in turns, and times are medians. With one thread they are processor times, which other programs on the
machine hardly affect; with more threads they are wall times. The results are compared with each other, and no table is
printed if they differ.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from threadpoolctl import threadpool_limits

import recovery
from benchmarks.machine import machine, medians, seconds, table
from recovery.operators.thresholding import select_top
from recovery.solvers.gradient import thresholded_step
from tests.oracles.operators import lean_loop_step, released_loop_step

STEP = 1e-6


def instance(n, d, m, s, dtype):
    """Return X, H, y and an s-sparse x with uniform support (about 634 of 1000 neurons carry one of 1000 entries)."""
    rng = np.random.default_rng(0)
    X, H = (rng.standard_normal(shape).astype(dtype) for shape in ((n, d), (d, m)))
    x = np.zeros(m * d, dtype=dtype)
    x[rng.choice(m * d, s, replace=False)] = rng.standard_normal(s)
    truth = np.zeros(m * d, dtype=dtype)
    truth[rng.choice(m * d, s, replace=False)] = rng.standard_normal(s)
    y = recovery.GatedOperator.from_generators(X, H).matvec(truth)
    return X, H, y, x


def step_of(A, y, x, s):
    """Make one step with an operator; return the full vector."""
    support = np.flatnonzero(x)
    residual = y - A.matvec_support(support, x[support])
    chosen, values = thresholded_step(A, support, x[support], residual, STEP, s)
    out = np.zeros_like(x)
    out[chosen] = values
    return out


def following_step(base, y, x, s):
    """Make one step with gates that follow the weights; neurons without weights take no part."""
    d = base.n_features
    rows = x.reshape(-1, d)
    live = np.flatnonzero((rows != 0).any(axis=1))
    _, _, gradient = base.follow_gradient(rows[live].T, y)
    point = rows[live].ravel() + x.dtype.type(STEP) * gradient
    chosen = select_top(point, s)
    out = np.zeros_like(x)
    out.reshape(-1, d)[live[chosen // d], chosen % d] = point[chosen]
    return out


def live_loop(X, y, x, s):
    """Make the lean loop's step over the neurons with weights only."""
    d = X.shape[1]
    rows = x.reshape(-1, d)
    live = np.flatnonzero((rows != 0).any(axis=1))
    out = np.zeros_like(x)
    small = rows[live]
    out.reshape(-1, d)[live] = lean_loop_step(X, small.T, y, small.ravel(), STEP, s, True).reshape(-1, d)
    return out


def gemm_rate(size, dtype):
    """Return a job that multiplies two square matrices, and its number of operations."""
    square = np.random.default_rng(1).standard_normal((size, size)).astype(dtype)
    return lambda: square @ square, 2.0 * size**3


def compare(n, d, m, s, dtype, repeats, slow_repeats, clock):
    """Return the rows of the table for one dtype and the current threads."""
    X, H, y, x = instance(n, d, m, s, dtype)
    W = np.ascontiguousarray(x.reshape(m, d).T)
    drawn = recovery.GatedOperator.from_generators(X, H, store=False)
    stored = recovery.GatedOperator.from_generators(X, H)
    base = recovery.GatedOperator.from_generators(X, H[:, :1])
    live = int((W != 0).any(axis=0).sum())
    tolerance = 1e-9 if dtype == "float64" else 1e-3
    multiply, operations = gemm_rate(3000 if n > 20_000 else 1500, dtype)
    jobs = {
        "ours, generators": lambda: step_of(drawn, y, x, s),
        "ours, stored gates": lambda: step_of(stored, y, x, s),
        "ours, following": lambda: following_step(base, y, x, s),
        "adjoint": lambda: stored.rmatvec(y),
        "gemm": multiply,
    }
    slow = {
        "lean loop": lambda: lean_loop_step(X, H, y, x, STEP, s),
        "released loop": lambda: released_loop_step(X, H, y, x, STEP, s),
        "lean loop, following": lambda: lean_loop_step(X, W, y, x, STEP, s, True),
        "lean loop, live only": lambda: live_loop(X, y, x, s),
    }
    found, spent = {}, {name: [] for name in (*jobs, *slow)}
    for turn in range(slow_repeats):  # slow and fast ones in turns, so that a busy machine hits all of them
        for name, job in slow.items():
            if turn and name == "released loop":
                continue  # once: it takes minutes
            taken, found[name] = seconds(job, clock)
            spent[name].append(taken)
            for other, value in medians(jobs, repeats, clock).items():
                spent[other].append(value)
    found.update({name: job() for name, job in jobs.items()})
    for name, other in (
        ("ours, generators", "lean loop"),
        ("ours, stored gates", "lean loop"),
        ("released loop", "lean loop"),
        ("ours, following", "lean loop, following"),
        ("lean loop, live only", "lean loop, following"),
    ):
        gap = np.abs(found[name] - found[other]).max() / np.abs(found[other]).max()
        if not gap <= tolerance:
            raise AssertionError(f"{name} and {other} differ by {gap:.1e}; expected the same step")
    time_of = {name: statistics.median(values) for name, values in spent.items()}
    share = (2.0 * n * d * m / time_of["adjoint"]) / (operations / time_of["gemm"])
    return time_of, live, share, operations / time_of["gemm"] / 1e9


def report(sizes, threads, repeats, slow_repeats, dtypes):
    """Print one Markdown table for a number of BLAS threads."""
    n, d, m, s = sizes
    names = ("released loop", "lean loop", "ours, generators", "ours, stored gates")
    rows, shares = [], []
    clock, kind = (time.process_time, "processor") if threads == 1 else (time.perf_counter, "wall")
    with threadpool_limits(threads):
        for dtype in dtypes:
            time_of, live, share, rate = compare(n, d, m, s, dtype, repeats, slow_repeats, clock)
            followers = ("lean loop, following", "lean loop, live only", "ours, following")
            for name in (*names, *followers):
                slow = time_of["released loop"] / time_of[name]
                lean = time_of["lean loop, following" if name in followers else "lean loop"] / time_of[name]
                rows.append((dtype, name, f"{time_of[name]:.3f}", f"{slow:.0f}", f"{lean:.1f}"))
            shares.append(f"{dtype} {share:.0%} of {rate:.0f} GFLOP/s")
    print(f"BLAS threads: {threads}; n = {n}, d = {d}, m = {m}, s = {s}, {live} live neurons\n")
    print(table(("dtype", "step", f"seconds ({kind})", "times faster than released", "times faster than lean"), rows))
    print(f"\nAdjoint with stored gates, 2 n d m operations, as a share of a square product: {'; '.join(shares)}.")
    print("'Following' steps are compared with the lean loop over all neurons with gates that follow the weights.\n")


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--full", action="store_true", help="n = 50,000, d = 100, m = s = 1000")
    parser.add_argument("--threads", type=int, nargs="*", default=None, help="BLAS threads, 1 2 by default")
    parser.add_argument("--dtypes", nargs="*", default=["float64", "float32"])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    sizes = (50_000, 100, 1000, 1000) if options.full else (10_000, 100, 200, 200)
    print(f"{machine()}\n")
    for threads in options.threads or (1, 2):
        report(sizes, threads, options.repeats, 1 if options.full else 3, options.dtypes)


if __name__ == "__main__":
    main()
