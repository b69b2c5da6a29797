"""Time of the IHT cells of Figure 1, compared with a loop that has the structure of the released code.

    python -m benchmarks.fig1_grid [--seeds 5] [--widths 1 10 100 1000]    both in one run, on a small grid
    python -m benchmarks.fig1_grid --paper [--depths 1 2]                   all IHT fits of preset paper, in processes
    python -m benchmarks.fig1_grid --paper --sample [--methods ...] [--budget 60]   estimates for all its fits
    python -m benchmarks.fig1_grid --gpu                                   the small grid on a GPU

The small grid is m and s in {1, 10, 100, 1000} with s <= d m, and d = 100, n = 5,000, 15 steps, float64. Both
methods start from the same generators and take turns. Times are processor times of one thread, which other
programs affect less than wall times (they still share its memory). The loop is
``tests.oracles.paper_loop.released_loop``, with one evaluation of the network at the end.

``--paper`` computes the cells of ``paper-repro run fig1 --preset paper`` whose method is ``paper``, and writes them to
a results folder, where the figure finds them; it can be interrupted and continued.

``--sample`` stores nothing. For each method and depth of preset ``paper`` it computes a few fits, the cheapest first,
until a budget of seconds is used up. A power law from the experiment's own estimates to these times then gives the time
of all fits. A long fair IMP is timed with 30 and with 120 updates per round
and extrapolated linearly, because a whole fit of a wide network takes too long. Peaks of memory are those of the
sampled fits. ``--loop`` also estimates the loop's time, from one step in three of the cells.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import planted
import recovery
from benchmarks.machine import machine, seconds, table
from paper_repro.experiments.grids import WITH_EXACT
from paper_repro.machine import peak_bytes, reset_peak
from planted.base import arrays
from recovery import fit_many
from tests.oracles.paper_loop import released_loop

GRID = (1, 10, 100, 1000)
GOALS = {100: 30, 1000: 50, "total": 20}


def ours(X, y, m, s, n_iter, seed):
    """Return the PSNR of a fit."""
    options = {"n_neurons": m, "sparsity": s, "max_iter": n_iter, "rng": seed}
    return recovery.fit_network(X, y, method="paper", **options).psnr_db


def loop(X, y, m, s, n_iter, seed):
    """Return the PSNR of the loop's last iterate; the network is also evaluated block by block."""
    *_, weights = released_loop(X, y, n_neurons=m, sparsity=s, n_iter=n_iter, rng=seed)
    out = np.zeros_like(y)
    for row in weights:
        out = out + ((X @ row > 0)[:, None] * X) @ row
    return recovery.psnr(out, y)


def compare(m, s, seeds, n, d, n_iter, repeats):
    """Return seconds and PSNR of both methods, one number per seed."""
    spent, reached = {"ours": [], "loop": []}, {"ours": [], "loop": []}
    for seed in range(seeds):
        X, y, _ = planted.release_instance(m, s, seed, n=n, d=d)
        arguments = (X, y, m, s, n_iter, seed)
        first, fast = seconds(partial(ours, *arguments), time.process_time)
        slow_time, slow = seconds(partial(loop, *arguments), time.process_time)
        later = [seconds(partial(ours, *arguments), time.process_time)[0] for _ in range(repeats - 1)]
        spent["ours"].append(statistics.median([first, *later]))
        spent["loop"].append(slow_time)
        reached["ours"].append(fast)
        reached["loop"].append(slow)
    return spent, reached


def grid(widths, sparsities, seeds, n, d, n_iter, repeats=3):
    """Print the table of the small grid, and return the sums of seconds (loop, ours) per width and in total."""
    rows, sums = [], {}
    for m in widths:
        for s in (s for s in sparsities if s <= d * m):
            spent, reached = compare(m, s, seeds, n, d, n_iter, repeats)
            slow, fast = (statistics.median(spent[name]) for name in ("loop", "ours"))
            theirs, found = (statistics.median(reached[name]) for name in ("loop", "ours"))
            each = [a / b for a, b in zip(spent["loop"], spent["ours"], strict=True)]
            ratio = f"{slow / fast:.1f} ({min(each):.1f}-{max(each):.1f})"
            row = (m, s, f"{slow:.3f}", f"{fast:.4f}", ratio, f"{theirs:.2f}", f"{found:.2f}", f"{found - theirs:+.2f}")
            rows.append(row)
            print(*row, file=sys.stderr, flush=True)
            sums.setdefault(m, []).append((slow, fast))
    sums["total"] = [pair for pairs in sums.values() for pair in pairs]
    print(f"n = {n:,}, d = {d}, {n_iter} steps, {seeds} seeds, medians; seconds are processor time of one thread\n")
    header = ("m", "s", "loop, s", "ours, s", "ratio (range)", "loop, dB", "ours, dB", "difference, dB")
    print(table(header, rows))
    print("\n" + table(("m", "loop, s", "ours, s", "ratio of sums", "median ratio of cells", "goal"), _sums(sums)))
    return sums


def _sums(sums):
    for key, pairs in sums.items():
        slow, fast = (sum(side) for side in zip(*pairs, strict=True))
        middle = statistics.median(a / b for a, b in pairs)
        yield key, f"{slow:.2f}", f"{fast:.3f}", f"{slow / fast:.1f}", f"{middle:.1f}", GOALS.get(key, "")


def paper_cells(depths):
    """Return Figure 1's experiment and the cells of its paper preset that the paper's method computes."""
    from paper_repro.experiment import get

    experiment = get("fig1")
    cells = [cell for cell in experiment.cells("paper", 0) if cell.method == "paper" and cell.depth in depths]
    return experiment, cells


def run_paper(depths, results, jobs):
    """Compute all cells in processes and print the time of all cells in the results folder."""
    from paper_repro import sweep
    from paper_repro.results import store_of

    experiment, cells = paper_cells(depths)
    store = store_of(results)
    began = time.perf_counter()
    sweep.run(experiment, cells, store, jobs=jobs, progress=sys.stderr)
    wall = time.perf_counter() - began
    spent = [store.read(experiment.cell(cell)).run["wall_s"] for cell in cells]
    print(f"{len(cells)} cells, {wall:.0f} s now; sum of the cells' own seconds {sum(spent):.0f}")
    rows = []
    for depth in depths:
        for m in sorted({cell.m for cell in cells if cell.depth == depth}):
            here = [t for t, cell in zip(spent, cells, strict=True) if (cell.depth, cell.m) == (depth, m)]
            rows.append((depth, m, len(here), f"{sum(here):.0f}", f"{max(here):.1f}"))
    print(table(("hidden layers", "m", "cells", "sum, s", "longest, s"), rows))


def loop_model(n, d, places):
    """Return a function (m, s) -> seconds of one step of the loop: blocks it forms times b, plus columns times c."""
    lines, taken = [], []
    for m, s in places:
        X, y, _ = planted.release_instance(m, s, 0, n=n, d=d)
        steps = released_loop(X, y, n_neurons=m, sparsity=s, n_iter=2, rng=0)
        next(steps)
        lines.append((_blocks(m, s), s))
        taken.append(seconds(partial(next, steps), time.process_time)[0])
    cost = np.linalg.lstsq(np.array(lines, dtype=float), np.array(taken), rcond=None)[0]
    return lambda m, s: float(cost @ (_blocks(m, s), s)), dict(zip(places, taken, strict=True)), cost


def _blocks(m, s):
    """Return the blocks of a step: all neurons once, those with weights (of s weights put at random) twice more."""
    return m + 2 * m * (1 - (1 - 1 / m) ** s)


FEW_UPDATES = (30, 120)
WHOLE_S = 30.0
"""A fair IMP of at most so many estimated seconds is timed as a whole."""


def timed(experiment, cell):
    """Return the processor seconds of a fit with its scores, and the peak memory in bytes; None if all labels are 0.

    Of a long fair IMP two short fits are made, and their time is extrapolated linearly in the updates per round.
    """
    reset_peak()
    whole = _whole(experiment, cell)
    spent = []
    for one in [cell] if whole else [replace(cell, imp_updates=number) for number in FEW_UPDATES]:
        took, (metrics, _) = seconds(partial(experiment.compute, one, "cpu"), time.process_time)
        if metrics["status"] == "ZERO_DATA":
            return None
        spent.append(took)
    return spent[0] if whole else extrapolated(*spent, cell.imp_updates), peak_bytes("cpu")


def extrapolated(low, high, updates):
    """Return the seconds at a number of updates per round, from those at the two of :data:`FEW_UPDATES`."""
    return low + max(0.0, high - low) / (FEW_UPDATES[1] - FEW_UPDATES[0]) * (updates - FEW_UPDATES[0])


def power_law(estimates, times):
    """Return a function that corrects estimates: times = a estimate^b, fitted to logarithms, with b from 0 to 1.

    Small fits take longer than estimated, as drawing the data and scoring the network take time, too.
    """
    x, y = np.log(estimates), np.log(times)
    slope = float(np.clip(np.polyfit(x, y, 1)[0], 0.0, 1.0)) if len(set(estimates)) > 1 else 1.0
    return lambda estimate: float(np.exp(y.mean() + slope * (np.log(estimate) - x.mean())))


def _whole(experiment, cell):
    return cell.method != "imp-fair" or experiment.cost(cell) <= WHOLE_S


def sampled(experiment, cells, places, budget):
    """Return (m, s) -> (seconds, bytes) of the cells that a budget of processor seconds allows, the cheapest first."""
    chosen = {(cell.m, cell.s): cell for cell in cells if (cell.m, cell.s) in places and cell.seed == cells[0].seed}
    found, used = {}, 0.0
    for place, cell in sorted(chosen.items(), key=lambda item: _effort(experiment, item[1])):
        if found and used + _effort(experiment, cell) > budget:
            break
        began = time.process_time()
        timing = timed(experiment, cell)
        if timing is None:
            continue
        found[place] = timing
        used += time.process_time() - began
        print(
            cell.method,
            cell.depth,
            *place,
            f"{found[place][0]:.2f} s, {_mib(found[place][1])} MiB",
            file=sys.stderr,
            flush=True,
        )
    return found


def _effort(experiment, cell):
    """Return the estimated seconds of :func:`timed`."""
    if _whole(experiment, cell):
        return experiment.cost(cell)
    return sum(experiment.cost(replace(cell, imp_updates=number)) for number in FEW_UPDATES)


def sample_paper(methods, depths, places, budget):
    """Print the number of fits of each method, and estimates of their processor time and memory.

    Returns
    -------
    dict
        (method, depth) -> (number of fits, processor seconds in all).
    """
    from paper_repro.experiment import get

    experiment = get("fig1")
    rows, samples, totals = [], [], {}
    for depth in depths:
        for method in methods:
            cells = [c for c in experiment.cells("paper", 0) if (c.method, c.depth) == (method, depth)]
            if not cells:  # exact recovery is for one hidden layer
                continue
            found = sampled(experiment, cells, places, budget)
            guess = {(cell.m, cell.s): experiment.cost(cell) for cell in cells}
            estimate = power_law([guess[place] for place in found], [spent for spent, _ in found.values()])
            times = [estimate(experiment.cost(cell)) for cell in cells]
            totals[method, depth] = len(cells), sum(times)
            for (m, s), (spent, used) in found.items():
                samples.append((depth, method, m, s, f"{spent:.2f}", _mib(used)))
            largest = max((used or 0, place) for place, (_, used) in found.items())
            memory = f"{_mib(largest[0])} at {largest[1]}"
            hours, longest = f"{sum(times) / 3600:.2f}", f"{max(times):.0f}"
            rows.append((depth, method, len(cells), hours, longest, memory, len(found), max(found)))
    print(table(("hidden layers", "method", "m", "s", "processor seconds", "peak memory, MiB"), samples) + "\n")
    header = ("hidden layers", "method", "fits", "processor hours", "longest fit, s", "peak memory, MiB")
    print(table((*header, "fits sampled", "widest sampled"), rows) + "\n")
    return totals


def _mib(size):
    return f"{(size or 0) / 2**20:.0f}"


def sample_loop(places, depth=1):
    """Print an estimate of the processor time of the loop for all cells of the paper's preset."""
    _, cells = paper_cells([depth])
    step, taken, cost = loop_model(cells[0].n, cells[0].d, places)
    whole = cells[0].n_iter * sum(step(cell.m, cell.s) for cell in cells)
    listed = ", ".join(f"m={m}, s={s}: {t:.2f} s" for (m, s), t in taken.items())
    print(
        f"One step of the loop: {listed}; {1e3 * cost[0]:.1f} ms a block, {1e3 * cost[1]:.2f} ms a column. "
        f"All {len(cells)} cells: about {whole:.0f} processor seconds.\n"
    )


def gpu_grid(put, widths, sparsities, n, d, n_iter, problems=16):
    """Print the times of fits on a device, whether the supports equal those of the CPU, and the speed-up by batches.

    Parameters
    ----------
    put : callable
        Moves a NumPy array to the device.
    widths, sparsities, n, d, n_iter
        The grid.
    problems : int
        Number of fits that are made together, with the sparsities of the grid and the seeds 0, 1, ... in turn.

    Returns
    -------
    bool
        Whether all supports were equal.
    """
    rows, equal = [], []
    for m in widths:
        for s in (s for s in sparsities if s <= d * m):
            X, y, _ = planted.release_instance(m, s, 0, n=n, d=d)
            options = {"n_neurons": m, "sparsity": s, "method": "paper", "max_iter": n_iter, "rng": 0}
            slow, here = seconds(partial(recovery.fit_network, X, y, **options))
            on_device = put(X), put(y)
            recovery.fit_network(*on_device, **options)  # kernels are compiled at the first call
            fast, there = seconds(partial(recovery.fit_network, *on_device, **options))  # ends with a read of the PSNR
            equal.append(same_support(here, there))
            row = (m, s, f"{slow:.3f}", f"{fast:.3f}", f"{here.psnr_db:.2f}", f"{there.psnr_db:.2f}", equal[-1])
            rows.append(row)
            print(*row, file=sys.stderr, flush=True)
    print(f"n = {n:,}, d = {d}, {n_iter} steps, seconds are wall time\n")
    print(table(("m", "s", "CPU, s", "device, s", "CPU, dB", "device, dB", "equal supports"), rows))
    rows = []
    for m in widths:
        rows.append((m, *adjoint_share(put, n, d, m)))
    print("\n" + table(("m", "adjoint, GFLOP/s", "square product, GFLOP/s", "share"), rows) + "\n")
    rows = []
    for m in widths:
        sizes = [s for s in sparsities if s <= d * m]
        sizes = [sizes[b % len(sizes)] for b in range(problems)]
        drawn = [planted.release_instance(m, s, 0, n=n, d=d)[:2] for s in sizes]  # equal seeds: equal inputs
        X, Y = put(drawn[0][0]), put(np.stack([y for _, y in drawn]))
        options = {"n_neurons": m, "sparsity": sizes, "method": "paper", "max_iter": n_iter, "rngs": range(problems)}
        fit_many(X, Y, together=True, **options)
        alone, first = seconds(partial(fit_many, X, Y, together=False, **options))
        both, second = seconds(partial(fit_many, X, Y, together=True, **options))
        equal += [same_support(a, b) for a, b in zip(first, second, strict=True)]
        rows.append(
            (m, f"{problems / alone:.1f}", f"{problems / both:.1f}", f"{alone / both:.1f}", all(equal[-problems:]))
        )
    print(table(("m", "cells a second alone", f"{problems} together", "times as many", "equal supports"), rows))
    return all(equal)


def same_support(one, other):
    """Return whether two fits have the same non-zero weights, neuron by neuron."""
    first, second = (arrays.to_numpy(fit.network.hidden) != 0 for fit in (one, other))
    return first.shape == second.shape and bool((first == second).all())


def adjoint_share(put, n, d, m, repeats=10):
    """Return the rate of A' r with stored gates, that of a square product with as many operations, and their ratio."""
    rng = np.random.default_rng(0)
    A = recovery.GatedOperator.from_generators(put(rng.standard_normal((n, d))), put(rng.standard_normal((d, m))))
    r, side = put(rng.standard_normal(n)), max(8, round((n * d * m) ** (1 / 3)))
    square = put(rng.standard_normal((side, side)))
    rates = []
    for job, operations in ((partial(A.rmatvec, r), 2.0 * n * d * m), (lambda: square @ square, 2.0 * side**3)):
        arrays.to_numpy(job().ravel()[:1])

        def several(job=job):
            for _ in range(repeats):
                out = job()
            return arrays.to_numpy(out.ravel()[:1])  # a read waits for the device

        rates.append(repeats * operations / seconds(several)[0] / 1e9)
    return f"{rates[0]:.1f}", f"{rates[1]:.1f}", f"{rates[0] / rates[1]:.0%}"


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--widths", type=int, nargs="*", default=GRID)
    parser.add_argument("--sparsities", type=int, nargs="*", default=GRID)
    parser.add_argument("--samples", type=int, default=5_000, help="number of samples n of the small grid")
    parser.add_argument("--paper", action="store_true", help="compute all IHT cells of preset paper")
    parser.add_argument("--sample", action="store_true", help="with --paper: estimate times from a few fits")
    parser.add_argument("--methods", nargs="*", default=list(WITH_EXACT), help="with --sample: which methods")
    parser.add_argument("--budget", type=float, default=60.0, help="with --sample: seconds for each method and depth")
    parser.add_argument("--loop", action="store_true", help="with --sample: estimate the time of the loop, too")
    parser.add_argument("--gpu", action="store_true", help="compare the CPU with a GPU")
    parser.add_argument("--problems", type=int, default=16, help="with --gpu: number of fits that are made together")
    parser.add_argument("--depths", type=int, nargs="*", default=[1])
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--jobs", type=int, default=None)
    options = parser.parse_args(arguments)
    print(f"{machine()}\n")
    if options.gpu:
        available, sentence = arrays.gpu_status()
        print(f"{sentence}\n")
        if available:
            put = partial(arrays.asarray, device="gpu")
            gpu_grid(put, options.widths, options.sparsities, options.samples, 100, 15, options.problems)
        return
    if options.paper and not options.sample:
        run_paper(options.depths, options.results, options.jobs)
        return
    with threadpool_limits(1):
        if options.paper:
            places = [(m, s) for m in options.widths for s in options.sparsities]
            sample_paper(options.methods, options.depths, places, options.budget)
            if options.loop:
                sample_loop([(10, 10), (10, 1000), (50, 100)])
        else:
            grid(options.widths, options.sparsities, options.seeds, options.samples, 100, 15)


if __name__ == "__main__":
    main()
