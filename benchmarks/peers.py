"""Solvers for sparse linear problems: ours compared with those of scikit-learn and of other installed packages.

Run from the repository root::

    python -m benchmarks.peers phase --seeds 20             # 62 cells without noise, n = 200, twenty seeds each
    python -m benchmarks.peers speed --seeds 20             # five sizes on which all succeed; medians
    python -m benchmarks.peers speed --threads 1 2 --keep   # the same with one and two threads, for README and docs
    python -m benchmarks.peers l1 --seeds 20                # basis pursuit: ours by homotopy and by cvxpy, and LARS
    python -m benchmarks.peers gated --seeds 5              # 100 gates of 50 inputs, n = 2000, k = 30, never formed
    python -m benchmarks.peers phase --solvers auto htp     # some solvers only
    python -m benchmarks.peers --show FILE                  # the tables of stored results

Each instance and solver is written to ``--out`` at once, as one line of JSON; results that are in the file are not
measured again. Times are processor times in milliseconds on one BLAS thread, or with several threads (``--threads``)
wall times of all solvers. On each instance the solvers run one after another, in a different order for each seed, so
that none always has the warmer cache. A solver has found the vector if its largest error is at most 1e-6 of the largest
weight. A solver whose package is missing is named and skipped.

Each package gets the data in units that suit it: abess and skscope have stopping thresholds with units, so they get the
data times 1e5 (on columns of unit norm abess finds nothing). ``--keep`` writes the medians of the speed table to
``benchmarks/solver_speed.json``, from which ``python -m benchmarks.tables --write`` makes the tables of the pages.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import recovery
from benchmarks.machine import machine, table
from benchmarks.phase_cells import CELLS, draw

KEPT = Path(__file__).with_name("solver_speed.json")
"""Medians of the speed table, see :func:`keep`."""

SIZES = ((200, 1000, 20), (500, 5000, 20), (500, 5000, 60), (1000, 10000, 50), (1000, 10000, 100))
"""n, N and k of the speed table."""

PROGRAMS = ((100, 200, 10), (200, 1000, 20), (200, 400, 70))
"""n, N and k of the basis pursuit table; weights are +-1."""


def ours(name, **options):
    """Return a solver of the project as a function of A, y and k."""
    return lambda A, y, k: recovery.solve(A, y, k, name, **options).x


def refit(A, y, x, k):
    """Return x cut to its k largest entries in units of normalised columns, and fitted again."""
    support = np.argsort(-np.abs(x) * np.linalg.norm(A, axis=0))[:k]
    found = np.zeros(A.shape[1])
    found[support] = np.linalg.lstsq(A[:, support], y, rcond=None)[0]
    return found


def scikit_learn_omp(A, y, k):
    """Orthogonal matching pursuit of scikit-learn, on columns of unit norm."""
    from sklearn.linear_model import orthogonal_mp

    norms = np.linalg.norm(A, axis=0)
    return orthogonal_mp(A / norms, y, n_nonzero_coefs=k, precompute=False) / norms


def scikit_learn_lars(A, y, k):
    """Basis pursuit by scikit-learn's LARS with the Lasso's modification, cut and fitted again."""
    return refit(A, y, lars(A, y), k)


def lars(A, y):
    """Return the solution of basis pursuit on columns of unit norm by scikit-learn's LARS."""
    import warnings

    from sklearn.linear_model import lars_path

    norms = np.linalg.norm(A, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of early ends, which are the end of the path
        _, _, x = lars_path(A / norms, y, method="lasso", alpha_min=0.0, return_path=False, max_iter=5 * len(y))
    return x / norms


def spams_omp(A, y, k):
    """Orthogonal matching pursuit of SPAMS, on columns of unit norm."""
    import spams

    norms = np.linalg.norm(A, axis=0)
    found = spams.omp(np.asfortranarray(y[:, None]), np.asfortranarray(A / norms), L=k, numThreads=1)
    return np.asarray(found.todense()).ravel() / norms


def spams_lars(A, y, k):
    """Basis pursuit by SPAMS' LARS, cut and fitted again."""
    return refit(A, y, spams_path(A, y), k)


def spams_path(A, y):
    """Return the solution of basis pursuit on columns of unit norm by SPAMS' LARS."""
    import spams

    norms = np.linalg.norm(A, axis=0)
    data, matrix = np.asfortranarray(y[:, None]), np.asfortranarray(A / norms)
    found = spams.lasso(data, matrix, lambda1=0.0, mode=spams.PENALTY, numThreads=1)
    return np.asarray(found.todense()).ravel() / norms


def abess_size(A, y, k):
    """Return the solution of abess for the size k."""
    import abess

    model = abess.LinearRegression(support_size=[k], fit_intercept=False, thread=1)
    model.fit(A * 1e5, y * 1e5)
    return np.asarray(model.coef_)


def abess_path(A, y, k):
    """Return the solution of abess for the size k at the end of the path 0, 1, ..., k."""
    import abess

    model = abess.LinearRegression(support_size=list(range(k + 1)), fit_intercept=False, thread=1)
    model.fit(A * 1e5, y * 1e5)
    return refit(A, y, np.asarray(model.coef_), k)


def celer_path(A, y, k):
    """Return the Lasso by celer's path on columns of unit norm, cut and fitted again."""
    import warnings

    import celer

    norms = np.linalg.norm(A, axis=0)
    unit = np.asfortranarray(A / norms)
    top = np.abs(unit.T @ y).max() / len(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, coefs, _ = celer.celer_path(unit, y, pb="lasso", alphas=top * np.geomspace(0.5, 1e-3, 10), tol=1e-6)
    return refit(A, y, coefs[:, -1] / norms, k)


def skscope_size(A, y, k):
    """Return the solution of skscope for the size k; it gets the gradient and exact least squares on a support."""
    import skscope

    A, y = A * 1e5, y * 1e5

    def fit(objective, gradient, start, support, data):
        part = A[:, support]
        start[support] = np.linalg.lstsq(part, y, rcond=None)[0]
        rest = y - part @ start[support]
        return float(rest @ rest), start

    model = skscope.ScopeSolver(A.shape[1], k, numeric_solver=fit)
    return np.asarray(model.solve(lambda x: np.sum((y - A @ x) ** 2), gradient=lambda x: -2.0 * (A.T @ (y - A @ x))))


def skglm_path(A, y, k):
    """Return the Lasso by skglm's path on columns of unit norm, cut and fitted again."""
    from skglm import penalties

    return skglm(A, y, k, lambda alpha: penalties.L1(alpha))


def skglm_mcp(A, y, k):
    """Return MCP by skglm's path on columns of unit norm, cut and fitted again."""
    from skglm import penalties

    return skglm(A, y, k, lambda alpha: penalties.MCPenalty(alpha, 3.0))


def skglm_scad(A, y, k):
    """Return SCAD by skglm's path on columns of unit norm, cut and fitted again."""
    from skglm import penalties

    return skglm(A, y, k, lambda alpha: penalties.SCAD(alpha, 3.7))


def skglm(A, y, k, penalty):
    """Follow ten penalties down to 1e-3 of the largest, each from the last solution."""
    import warnings

    from skglm.datafits import Quadratic
    from skglm.solvers import AndersonCD

    norms, n = np.linalg.norm(A, axis=0), len(y)
    unit = np.asfortranarray(A / norms * np.sqrt(n))  # the units of its step sizes: columns of mean square 1
    top, x = np.abs(unit.T @ y).max() / n, np.zeros(A.shape[1])
    solver = AndersonCD(tol=1e-6 * top, fit_intercept=False, warm_start=True)
    rest = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for alpha in top * np.geomspace(0.5, 1e-3, 10):
            x = solver.solve(unit, y, Quadratic(), penalty(alpha), x, rest)[0]
            rest = unit @ x
    return refit(A, y, x * np.sqrt(n) / norms, k)


def pyproximal_l0(A, y, k):
    """Return the iterates of pyproximal's proximal gradient with the ball of k entries, fitted again."""
    import pylops
    import pyproximal

    norms = np.linalg.norm(A, axis=0)
    unit = A / norms
    step = 1.0 / np.linalg.norm(unit, 2) ** 2
    f = pyproximal.L2(Op=pylops.MatrixMult(unit), b=y)
    x = pyproximal.optimization.primal.ProximalGradient(
        f, pyproximal.L0Ball(k), x0=np.zeros(A.shape[1]), tau=step, niter=1000, acceleration="fista"
    )
    return refit(A, y, np.asarray(x) / norms, k)


OURS = {
    "auto": ours("auto"),
    "htp": ours("htp"),
    "htp path": ours("htp", path=True),
    "subspace-pursuit": ours("subspace-pursuit"),
    "cosamp": ours("cosamp"),
    "l1": ours("l1"),
    "omp": ours("omp"),
    "niht": ours("niht"),
    "aiht": ours("aiht"),
}
PEERS = {
    "scikit-learn OMP": ("sklearn", scikit_learn_omp),
    "scikit-learn LARS": ("sklearn", scikit_learn_lars),
    "SPAMS OMP": ("spams", spams_omp),
    "SPAMS LARS": ("spams", spams_lars),
    "abess, size k": ("abess", abess_size),
    "abess, path": ("abess", abess_path),
    "celer": ("celer", celer_path),
    "skscope": ("skscope", skscope_size),
    "skglm": ("skglm", skglm_path),
    "skglm MCP": ("skglm", skglm_mcp),
    "skglm SCAD": ("skglm", skglm_scad),
    "pyproximal L0": ("pyproximal", pyproximal_l0),
}
"""The package that each solver needs, and the function to call."""

SLOW = {"SPAMS OMP", "abess, path", "celer", "abess, size k", "skscope", "skglm", "skglm MCP", "skglm SCAD"}
SLOW |= {"pyproximal L0"}
"""Solvers that the speed table measures on five seeds only."""


def programs():
    """Return the solvers of basis pursuit, as functions of A and y."""
    found = {
        "l1 by homotopy": ("recovery", lambda A, y: program(A, y, "homotopy")),
        "l1 by cvxpy": ("cvxpy", lambda A, y: program(A, y, "CLARABEL")),
        "scikit-learn LARS": ("sklearn", lars),
        "SPAMS LARS": ("spams", spams_path),
    }
    return {name: call for name, (package, call) in found.items() if there(name, package)}


def program(A, y, backend):
    """Return the solution of basis pursuit on columns of unit norm."""
    from recovery.solvers.homotopy import solution_at
    from recovery.solvers.l1 import L1, solve_program

    norms = np.linalg.norm(A, axis=0)
    if backend == "homotopy":
        return solution_at(A / norms, y)[0] / norms
    import cvxpy

    return solve_program(A / norms, y, cvxpy.norm1, L1(backend=backend), 200, 1e-9)[0] / norms


def there(name, package):
    """Return whether a package is installed, and print a message if it is not."""
    if importlib.util.find_spec(package) is None:
        print(f"{name} is skipped: {package} is not installed")
        return False
    return True


def chosen(names):
    """Return {name: function} of the available solvers."""
    found = {name: call for name, call in OURS.items() if not names or name in names}
    for name, (package, call) in PEERS.items():
        if (not names or name in names) and there(name, package):
            found[name] = call
    return found


def gaussian(n, size, k, seed, signs=False):
    """Return a dense Gaussian A, y = A x and x."""
    rng = np.random.default_rng(seed)
    A, x = rng.standard_normal((n, size)) / np.sqrt(n), np.zeros(size)
    x[rng.choice(size, k, replace=False)] = rng.choice([-1.0, 1.0], k) if signs else rng.standard_normal(k)
    return A, A @ x, x


def gated(seed, signs):
    """Return a ReLU operator that is never formed, y = A x and x."""
    rng = np.random.default_rng(seed)
    A = recovery.GatedOperator.from_generators(rng.standard_normal((2000, 50)), rng.standard_normal((50, 100)))
    x = np.zeros(5000)
    x[rng.choice(5000, 30, replace=False)] = rng.choice([-1.0, 1.0], 30) if signs else rng.standard_normal(30)
    return A, A.matvec(x), x


def instances(what, seeds, first):
    """Yield a name, a seed, and a function that draws A, y, x, for each instance of a table."""
    for seed in range(first, first + seeds):
        if what == "phase":
            for cell in CELLS:
                yield str(cell), cell.sparsity, seed, lambda cell=cell, seed=seed: draw(cell, seed)
        elif what == "gated":
            for name in ("normal", "signs"):
                yield f"2000, 50 x 100, k=30, {name}", 30, seed, lambda s=seed, name=name: gated(s, name == "signs")
        else:
            for n, size, k in SIZES if what == "speed" else PROGRAMS:
                name = f"{n} x {size}, k={k}"
                yield name, k, seed, lambda n=n, size=size, k=k, seed=seed: gaussian(n, size, k, seed, what == "l1")


def read(path):
    """Return the rows of a file, or an empty list if there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def measure(what, solvers, seeds, first, out, threads=1):
    """Run the instances that are not in the file yet, and append their rows."""
    done = {(row["table"], row["cell"], row["seed"], row["solver"], row.get("threads", 1)) for row in read(out)}
    begun = set()
    clock = time.process_time if threads == 1 else time.perf_counter
    with out.open("a") as file, threadpool_limits(threads):
        for cell, k, seed, make in instances(what, seeds, first):
            names = [name for name in solvers if (what, cell, seed, name, threads) not in done]
            if what == "speed" and seed >= first + 5:
                names = [name for name in names if name not in SLOW]
            if not names:
                continue
            A, y, x = make()
            turn = seed % len(names)
            for name in names[turn:] + names[:turn]:
                call = solvers[name] if what == "l1" else lambda A, y, name=name, k=k: solvers[name](A, y, k)
                if name not in begun:  # imports and caches
                    begun.add(name)
                    call(A, y)
                before = clock()
                found = call(A, y)
                spent = (clock() - before) * 1e3
                error = float(np.abs(found - x).max() / np.abs(x).max())
                row = {"table": what, "cell": cell, "seed": seed, "solver": name, "ms": round(spent, 3)}
                row |= {"found": bool(error <= 1e-6), "error": error, "threads": threads}
                if what == "l1":
                    row["norm"] = float(np.linalg.norm(A, axis=0) @ np.abs(found))
                file.write(json.dumps(row) + "\n")
                file.flush()


def keep(rows, path=KEPT):
    """Write the medians of the speed table, and the machine on which they were measured."""
    found = {}
    for row in rows:
        if row["table"] == "speed":
            cell = found.setdefault(row["solver"], {}).setdefault(row["cell"], {})
            cell.setdefault(str(row.get("threads", 1)), []).append((row["ms"], row["found"]))
    medians = {
        solver: {
            cell: {
                threads: [round(statistics.median(ms for ms, _ in runs), 2), sum(ok for _, ok in runs), len(runs)]
                for threads, runs in by_threads.items()
            }
            for cell, by_threads in by_cell.items()
        }
        for solver, by_cell in found.items()
    }
    path.write_text(json.dumps({"machine": machine(), "medians": medians}, indent=1) + "\n")


def _short(ms):
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}"


def kept_table(path=KEPT, sizes=SIZES):
    """Return header and rows of the stored medians: milliseconds for each number of threads, and failures."""
    medians = json.loads(path.read_text())["medians"]
    cells = [f"{n} x {size}, k={k}" for n, size, k in sizes]
    rows = []
    for solver in [name for name in (*OURS, *PEERS) if name in medians]:
        by_cell = medians[solver]
        row = [f"`{solver}`" if solver in OURS else solver]
        for cell in cells:
            by_threads = by_cell.get(cell, {})
            times = " / ".join(_short(by_threads[threads][0]) for threads in sorted(by_threads)) or "-"
            missed = [f"{ok} of {runs}" for _, ok, runs in by_threads.values() if ok < runs]
            row.append(times + (f" ({missed[0]})" if missed else ""))
        rows.append(row)
    return ["solver", *cells], rows


TABLES = ("phase", "speed", "l1", "gated")


def show(rows):
    """Print the tables of the rows."""
    kinds = [(what, threads) for what in TABLES for threads in sorted({row.get("threads", 1) for row in rows})]
    for what, threads in kinds:
        part = [row for row in rows if row["table"] == what and row.get("threads", 1) == threads]
        if part:
            count = len({(row["cell"], row["seed"]) for row in part})
            print(f"\n{what}, {threads} BLAS thread(s): found of {count} instances\n")
            names = list(dict.fromkeys(row["solver"] for row in part))
            print(summary(part, names))
            if what == "phase":
                print(f"\n{table(('cell', 'seeds', *names, 'best'), cells(part, names))}")
                for line in misses(part, names):
                    print(line)


def summary(rows, names):
    """Return a table of the successes of each solver, with mean and median times, by cell if there are few cells."""
    groups = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[row["cell"]][row["solver"]].append(row)
    if len(groups) > 10:
        groups = {"all": {name: [row for row in rows if row["solver"] == name] for name in names}}
    lines = []
    for cell, by_name in groups.items():
        for name in names:
            mine = by_name[name]
            if mine:
                times = [row["ms"] for row in mine]
                found = f"{sum(row['found'] for row in mine)} of {len(mine)}"
                lines.append((cell, name, found, f"{statistics.fmean(times):.1f}", f"{statistics.median(times):.1f}"))
    return table(("instances", "solver", "found", "mean ms", "median ms"), lines)


def counts(rows, names):
    """Return {cell: {solver: found}} over the seeds that every solver of the cell has run."""
    found = {}
    for cell in dict.fromkeys(row["cell"] for row in rows):
        mine = [row for row in rows if row["cell"] == cell]
        common = set.intersection(*({row["seed"] for row in mine if row["solver"] == name} for name in names))
        found[cell] = (
            len(common),
            {
                name: sum(row["found"] for row in mine if row["solver"] == name and row["seed"] in common)
                for name in names
            },
        )
    return found


def cells(rows, names):
    """Return the rows of the table of cells."""
    return [
        (cell, seeds, *(by_name[name] for name in names), max(by_name.values()))
        for cell, (seeds, by_name) in counts(rows, names).items()
    ]


def misses(rows, names):
    """Yield the cells in which auto finds at least two vectors fewer than the best other solver."""
    if "auto" in names:
        for cell, (_, by_name) in counts(rows, names).items():
            best = max(by_name.values())
            if by_name["auto"] < best - 1:
                winners = ", ".join(name for name in names if by_name[name] == best)
                yield f"auto finds {by_name['auto']} in {cell}; {winners} {best}"


def main(arguments=None):
    """Run the instances, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", nargs="?", choices=TABLES, default="phase")
    parser.add_argument("--solvers", nargs="*", default=None, help="names of the tables; all by default")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1], help="numbers of BLAS threads, measured one after another"
    )
    parser.add_argument("--keep", action="store_true", help=f"write the medians of the speed table to {KEPT.name}")
    parser.add_argument("--out", type=Path, default=Path("peers.jsonl"))
    parser.add_argument("--show", type=Path, default=None, metavar="FILE", help="measure nothing")
    options = parser.parse_args(arguments)
    if options.show is None:
        print(f"{machine()}; BLAS threads: {', '.join(map(str, options.threads))}")
        unknown = set(options.solvers or ()) - {*OURS, *PEERS, "l1 by homotopy", "l1 by cvxpy"}
        if unknown:
            parser.error(f"no solver {', '.join(sorted(unknown))}; there are {', '.join([*OURS, *PEERS])}")
        solvers = programs() if options.what == "l1" else chosen(options.solvers)
        if options.what == "gated":  # peers would need the matrix; l1 forms it
            solvers = {name: call for name, call in solvers.items() if name in OURS and name != "l1"}
        for threads in options.threads:
            measure(options.what, solvers, options.seeds, options.first, options.out, threads)
    rows = read(options.show or options.out)
    show(rows)
    if options.keep:
        keep(rows)


if __name__ == "__main__":
    main()
