"""Speed of two checkouts compared, to find calls that a change made slower.

Run from the repository root: ``python -m benchmarks.two_checkouts OLD [NEW] [--repeats 9]``. OLD and NEW are folders: a
``git worktree`` of an older commit, and by default this checkout. Each checkout runs in a separate process with one
BLAS thread. Both get the same instances and take turns call by call. Seconds are processor time; the ratio is the
median of the ratios of pairs.
"""

from __future__ import annotations

import argparse
import inspect
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def sparse(n, size, k, seed):
    """Return a Gaussian matrix and the data of a k-sparse vector."""
    rng = np.random.default_rng(seed)
    A, x = rng.standard_normal((n, size)), np.zeros(size)
    x[rng.choice(size, k, replace=False)] = rng.standard_normal(k)
    return A, A @ x


def gated(seed, dtype="float64"):
    """Return a ReLU operator with 100 gates of 50 inputs and the data of a 30-sparse vector."""
    import recovery

    rng = np.random.default_rng(seed)
    X, H = rng.standard_normal((2000, 50)).astype(dtype), rng.standard_normal((50, 100)).astype(dtype)
    A, x = recovery.GatedOperator.from_generators(X, H), np.zeros(5000, dtype=dtype)
    x[rng.choice(5000, 30, replace=False)] = rng.standard_normal(30)
    return A, A.matvec(x)


def stepped(seed, store):
    """Return an operator, data and a sparse vector from which one step of IHT is made."""
    import recovery

    rng = np.random.default_rng(seed)
    X, H = rng.standard_normal((10_000, 100)), rng.standard_normal((100, 200))
    x = np.zeros(20_000)
    x[rng.choice(x.size, 200, replace=False)] = rng.standard_normal(200)
    return recovery.GatedOperator.from_generators(X, H, store=store), X @ rng.standard_normal(100), x


def step(A, y, x):
    """Make one thresholded gradient step."""
    from recovery.solvers.gradient import thresholded_step

    support = np.flatnonzero(x)
    return thresholded_step(A, support, x[support], y - A.matvec_support(support, x[support]), 1e-6, 200)


def table_of(n, d, seed):
    """Return Gaussian features and noisy targets for a path of pruning."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n)


def network(seed):
    """Return inputs and labels of a planted network."""
    import planted

    X = planted.gaussian_inputs(2000, 20, rng=seed)
    return X, planted.sparse_network(20, 4, 20, rng=seed + 1)(X)


def fit(X, y, ours):
    """Fit a network by our method or by the paper's, under the names of any version."""
    import recovery

    new = "max_iter" in inspect.signature(recovery.fit_network).parameters
    method = {(True, True): "robust", (False, True): "paper", (True, False): "repaired", (False, False): "released"}
    sizes = {"n_neurons": 4, "sparsity": 20} if ours else {"n_neurons": 20, "sparsity": 40}
    return recovery.fit_network(X, y, **sizes, method=method[ours, new], rng=0, **{"max_iter" if new else "n_iter": 60})


def jobs():
    """Return {name: (function of a seed that makes the arguments, function that is timed)}."""
    import recovery
    from linear_lottery import imp

    found = {
        "htp, 500 x 5,000, s = 20": (
            lambda seed: sparse(500, 5000, 20, seed),
            lambda A, y: recovery.solve(A, y, 20, "htp"),
        ),
        "htp, 1,000 x 10,000, s = 50": (
            lambda seed: sparse(1000, 10_000, 50, seed),
            lambda A, y: recovery.solve(A, y, 50, "htp"),
        ),
    }
    for solver in ("htp", "aiht", "iht", "niht", "omp", "cosamp"):
        found[f"{solver}, gated"] = (gated, lambda A, y, solver=solver: recovery.solve(A, y, 30, solver, max_iter=60))
    found |= {
        "htp, gated, float32": (
            lambda seed: gated(seed, "float32"),
            lambda A, y: recovery.solve(A, y, 30, "htp", max_iter=60),
        ),
        "a step, stored gates": (lambda seed: stepped(seed, True), step),
        "a step, generators": (lambda seed: stepped(seed, False), step),
        "imp path, 600 x 150": (lambda seed: table_of(600, 150, seed), lambda X, y: imp(X, y, 0)),
        "imp path, 2,000 x 500": (lambda seed: table_of(2000, 500, seed), lambda X, y: imp(X, y, 0)),
        "fit_network, ours": (network, lambda X, y: fit(X, y, True)),
        "fit_network, the paper's": (network, lambda X, y: fit(X, y, False)),
    }
    return found


def serve():
    """Time the calls that the parent process requests: read lines "name|seed", write seconds."""
    known = jobs()
    print("\n".join(["ready", *known, "."]), flush=True)
    for line in sys.stdin:
        name, seed = line.rstrip("\n").split("|")
        make, call = known[name]
        arguments = make(int(seed))
        begin = time.process_time()
        call(*arguments)
        print(time.process_time() - begin, flush=True)


class Checkout:
    """A process that imports the packages of one folder."""

    def __init__(self, folder):
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **one, "PYTHONPATH": str(Path(folder).resolve())},
        )
        assert self.process.stdout.readline() == "ready\n", folder
        self.names = list(iter(lambda: self.process.stdout.readline().rstrip("\n"), "."))

    def ask(self, name, seed):
        """Return the seconds of one call."""
        print(f"{name}|{seed}", file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def main(arguments=None):
    """Print a table of both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.two_checkouts", description=__doc__.splitlines()[0])
    parser.add_argument("old", help="folder of the older checkout")
    parser.add_argument("new", nargs="?", default=str(Path(__file__).parents[1]), help="folder of the newer checkout")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of calls (9)")
    options = parser.parse_args(arguments)
    from benchmarks.machine import machine, table

    both = Checkout(options.old), Checkout(options.new)
    rows = []
    for name in both[0].names:
        spent = [[], []]
        for repeat in range(options.repeats + 1):
            for side in (0, 1) if repeat % 2 else (1, 0):
                seconds = both[side].ask(name, repeat)
                if repeat:  # the first pair warms up
                    spent[side].append(seconds)
        ratio = statistics.median(new / old for old, new in zip(*spent, strict=True))
        rows.append([name, *(f"{1e3 * statistics.median(one):.2f}" for one in spent), f"{ratio:.3f}"])
    print(machine() + "\n")
    print(table(["call", "old (ms)", "new (ms)", "new / old"], rows))


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else main()
