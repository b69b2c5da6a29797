"""Peak extra memory and time of a streamed AIHT step, against the number of columns and against the sparsity.

Run from the repository root::

    python -m benchmarks.memory            # d p up to 1e6, s up to 1e4
    python -m benchmarks.memory --full     # d p up to 1e7, s up to 1e5

n = 5000, d = 100, generators redrawn from their seed. "Peak" is the memory in addition to X and y that ``tracemalloc``
(which sees every NumPy array) counts while :func:`recovery.solve` makes two steps. "Time" is the processor time of a
later step on one thread, without ``tracemalloc``; other programs on the machine hardly affect it. A plot is written,
too.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import recovery
from benchmarks.machine import machine, table
from figures.style import WIDTH, style
from recovery.operators import base, gated
from recovery.operators import gated as supports

N, D = 5000, 100
MIB = 2**20


def peak_and_time(A, y, s, stream, timed=True):
    """Return peak extra bytes of two steps, and the CPU seconds of a later step."""
    recovery.solve(A, y, 1, solver="aiht", stream=stream, max_iter=1)  # imports and caches
    tracemalloc.start()
    try:
        recovery.solve(A, y, s, solver="aiht", stream=stream, max_iter=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if not timed:
        return peak, float("nan")
    clock = []
    recovery.solve(
        A, y, s, solver="aiht", stream=stream, max_iter=3, callback=lambda _: clock.append(time.process_time())
    )
    return peak, statistics.median(np.diff(clock))


def generator_bytes(gates, dtype):
    """Return the bytes of stored generators, 8 d p; the streaming mode does not store them."""
    return gates * D * np.dtype(dtype).itemsize


def measure(X, y, sizes, sparsities, fixed_s, fixed_size):
    """Return the rows (d p, s, peak, seconds) of the two sweeps."""
    by_size, by_s = [], []
    for size in sizes:
        A = recovery.GatedOperator.from_seed(X, size // D, 0)
        by_size.append((size, fixed_s, *peak_and_time(A, y, fixed_s, True)))
    A = recovery.GatedOperator.from_seed(X, fixed_size // D, 0)
    for s in sparsities:
        by_s.append((fixed_size, s, *peak_and_time(A, y, s, True)))
    return by_size, by_s


def line(x, y):
    """Return slope, intercept and R^2 of the least-squares line."""
    slope, intercept = np.polyfit(x, y, 1)
    left = np.sum((y - slope * x - intercept) ** 2)
    return slope, intercept, 1 - left / np.sum((y - np.mean(y)) ** 2)


def plot(by_size, by_s, fit, path):
    """Draw both sweeps, peak in MiB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(f"Peak extra memory of a streamed AIHT step, n = {N:,}, d = {D}, float64")
        left, right = figure.subplots(1, 2)
        sizes = np.array([row[0] for row in by_size], dtype=float)
        left.loglog(sizes, [row[2] / MIB for row in by_size], "o-", label="streaming, generators redrawn")
        left.loglog(sizes, 8 * sizes / MIB, "--", color="0.5", label="generators, if they were stored")
        left.set(xlabel="columns d p", ylabel="peak extra memory (MiB)", title=f"s = {by_size[0][1]:,}")
        left.legend()
        s = np.array([row[1] for row in by_s], dtype=float)
        right.semilogx(s, [row[2] / MIB for row in by_s], "o", label="streaming")
        grid = np.geomspace(s[0], s[-1], 200)
        right.semilogx(grid, (fit[0] * grid + fit[1]) / MIB, "-", label=f"linear fit: {fit[0]:.0f} bytes per non-zero")
        right.set(xlabel="non-zeros s", title=f"d p = {by_s[0][0]:,}", ylim=(0, None))
        right.legend()
        figure.savefig(path, dpi=150, metadata={"Software": None})


def main(arguments=None):
    """Measure, print the tables and write the plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--full", action="store_true", help="the sizes of docs/appendix/benchmarks.md; several minutes")
    parser.add_argument("--results", type=Path, default=Path("results") / "benchmarks", help="folder for the plot")
    options = parser.parse_args(arguments)
    sizes = [10**5, 10**6, 10**7] if options.full else [10**5, 3 * 10**5, 10**6]
    if options.full:
        sizes[1:1], sizes[3:3] = [3 * 10**5], [3 * 10**6]
    sparsities = [100, 300, 1000, 3000, 10_000] + ([30_000, 100_000] if options.full else [])
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((N, D)), rng.standard_normal(N)
    with threadpool_limits(1):
        by_size, by_s = measure(X, y, sizes, sparsities, 1000, 10**6 if options.full else 3 * 10**5)
    fit = line(np.array([row[1] for row in by_s]), np.array([row[2] for row in by_s]))
    print(f"Streamed AIHT, n = {N}, d = {D}, float64, one BLAS thread; {machine()}\n")
    print(f"Tiles: {gated.TILE_GATES} gates by {gated.TILE_ROWS['cpu']} rows; gates of the support are kept")
    print(f"as bits up to {base.BLOCK_BYTES // MIB} MiB; products in chunks of {supports.CHUNK_GATES} gates.\n")
    rows = [
        (f"{size:.0e}", s, f"{peak / MIB:.1f}", f"{seconds:.2f}", f"{generator_bytes(size // D, 'float64') / MIB:.1f}")
        for size, s, peak, seconds in (*by_size, *by_s)
    ]
    header = ("d p", "s", "peak extra memory (MiB)", "CPU seconds per step", "stored generators would add (MiB)")
    print(table(header, rows))
    print(f"\nPeak against s at d p = {by_s[0][0]:.0e}: {fit[0]:.0f} bytes per non-zero + {fit[1] / MIB:.1f} MiB,")
    print(f"R^2 = {fit[2]:.4f}. A_S as a matrix would take {8 * N} bytes per non-zero.")
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / "memory.png"
    plot(by_size, by_s, fit, path)
    print(f"Plot: {path}")


if __name__ == "__main__":
    main()
