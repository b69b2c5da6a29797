"""Certified restricted eigenvalues: tightness of the bounds, and their cost.

Run from the repository root: ``python -m benchmarks.certificates`` (a minute or two); ``--full`` adds more draws,
N = 100, C(60, 4) supports and the proposals of cvxpy's solvers. Operators are gated: X Gaussian, gates 1{X h >= 0} of
Gaussian h, unit columns. Every bound is proved, and all times include the proof. Processor times, in brackets, depend
least on other programs on the machine.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
from threadpoolctl import threadpool_limits

import planted
import recovery
from benchmarks.machine import machine, table
from recovery.certificates import dual_bound
from recovery.certificates.dual import Search, proved_dual
from recovery.certificates.eigenvalues import proved_enumeration
from recovery.conditions import restricted_eigenvalues
from recovery.exact.enumeration import extreme_blocks


def relu_operator(n, d, p, seed):
    """Return a gated operator with unit columns, as a matrix."""
    rng = np.random.default_rng(seed)
    X = planted.gaussian_inputs(n, d, rng=rng)
    operator = recovery.GatedOperator.from_generators(X, rng.standard_normal((d, p)))
    return recovery.normalise(operator)[0].columns(np.arange(d * p))


def clocked(function):
    """Return the wall and processor seconds of a call, as text, and its result."""
    wall, cpu = time.perf_counter(), time.process_time()
    out = function()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return f"{wall:.2f} ({cpu:.2f})", wall, out


def percent(value, reference):
    """Return the relative difference of two numbers, as text."""
    return f"{100 * abs(value / reference - 1):.2g} %" if reference else "-"


def tightness(draws):
    """Print the dual bounds of 200 x 40 operators, compared with complete enumeration."""
    rows = []
    for seed in range(draws):
        A = relu_operator(200, 8, 5, seed)
        for s in (2, 4):
            exact = restricted_eigenvalues(A, s, certify=True)
            for side, truth in (("largest", exact.largest.upper), ("smallest", exact.smallest.lower)):
                spent, _, (value, _, proposal, _) = clocked(lambda A=A, s=s, side=side: proved_dual(A, s, side))
                bound, optimum = float(value), abs(proposal.primal)
                off = f"{abs(bound - truth):.1e} ({percent(bound, truth)})"
                rows.append(
                    (
                        seed,
                        s,
                        side,
                        f"{truth:.9f}",
                        f"{bound:.9f}",
                        off,
                        percent(bound, optimum),
                        proposal.n_iter,
                        spent,
                    )
                )
    print("### Dual bounds, 200 x 40\n")
    header = ("draw", "s", "side", "enumerated", "dual bound", "off by", "off the relaxation's optimum by at most")
    print(table((*header, "steps", "seconds"), rows))


def enumeration(cases):
    """Print supports per second: by an eigenvalue routine in floating point, and with both bounds proved."""
    rows = []
    for size, s in cases:
        A = relu_operator(300, size // 5, 5, 0)
        count = math.comb(size, s)
        spent, wall, _ = clocked(lambda A=A, s=s: extreme_blocks(A.T @ A, s))
        proved, wall_proved, _ = clocked(lambda A=A, s=s: proved_enumeration(A, s))
        rows.append(
            (f"C({size}, {s}) = {count:,}", spent, f"{count / wall:,.0f}", proved, f"{count / wall_proved:,.0f}")
        )
    print("\n### Complete enumeration, index generation included\n")
    print(table(("supports", "floats, seconds", "supports/s", "both sides proved, seconds", "supports/s"), rows))


def larger(solvers):
    """Print bounds at N = 100, proposed by the first-order method and by cvxpy's solvers."""
    A = relu_operator(500, 10, 10, 0)
    rows = []
    for solver in solvers:
        for side in ("largest", "smallest"):
            spent, _, (value, _, proposal, _) = clocked(
                lambda side=side, solver=solver: proved_dual(A, 4, side, search=Search(solver))
            )
            optimum = abs(proposal.primal)
            gap = percent(float(value), optimum) if math.isfinite(optimum) else "-"
            rows.append((solver, side, f"{float(value):.7f}", gap, proposal.n_iter, spent, proposal.message))
    print("\n### N = 100 (500 x 100), s = 4\n")
    print(table(("proposed by", "side", "bound", "off the optimum by", "steps", "seconds", "how it ended"), rows))


def files():
    """Print the size of a certificate's file, and the time of the independent checker."""
    rows = []
    for n, d, p in ((30, 8, 5), (200, 8, 5)):
        certificate = dual_bound(relu_operator(n, d, p, 0), 4)
        spent, _, report = clocked(certificate.check)
        rows.append((f"{n} x {d * p}", f"{len(certificate.to_json()) / 1000:.0f} kB", spent, report.valid))
    print("\n### The independent checker, dual bound of L_4\n")
    print(table(("operator", "file", "seconds", "verified"), rows))


def main(arguments=None):
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="more draws, N = 100, C(60, 4), solvers of cvxpy")
    options = parser.parse_args(arguments)
    print(f"{machine()}; times are wall seconds, processor seconds in brackets\n")
    # for such small matrices a second BLAS thread only waits for the first, especially on a busy machine
    with threadpool_limits(1):
        tightness(8 if options.full else 2)
        enumeration([(40, 4), (60, 3), (60, 4)] if options.full else [(40, 4), (60, 3)])
        if options.full:
            larger(("first-order", "SCS"))
        files()


if __name__ == "__main__":
    main()
