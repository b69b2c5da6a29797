"""Success rates and times of ``recovery.fit_network`` on planted networks.

Run from the repository root::

    python -m benchmarks.network_recovery               # mixed signs: both methods, two minutes
    python -m benchmarks.network_recovery --full        # more settings, also some that fail; several minutes
    python -m benchmarks.network_recovery --ablations   # the robust method with one part left out

A fit is exact if the kink forms agree to 1e-10 (``planted.match_networks``). Each seed has its own network, data and
fit. Seconds are processor seconds of one thread, which on an idle machine equal wall seconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

import planted
import recovery
from recovery.networks.scalar import bank, robust

CELLS = (
    # (n, d, m, s, signs, seeds, methods)
    (10_000, 50, 8, 40, "mixed", 20, ("robust", "paper")),
    (10_000, 100, 20, 100, "mixed", 10, ("robust", "paper")),
)
FULL = (
    (20_000, 100, 10, 100, "positive", 5, ("robust", "paper")),
    (20_000, 100, 50, 100, "positive", 5, ("robust", "paper")),
    (20_000, 100, 100, 200, "positive", 2, ("robust",)),
)
ABLATED = ((10_000, 100, 20, 100, "mixed", 5), (20_000, 100, 50, 100, "positive", 5))
ABLATIONS: dict[str, dict[Any, dict[str, Any]]] = {
    "complete": {},
    "no surplus weights": {robust: {"SURPLUS": 1.0}},
    "no surplus neurons": {robust: {"BANK": 1}},
    "no damping": {robust: {"DAMPING": 0.0}},
    "no merging": {robust: {"MERGE_BELOW": 0.0}},
    "no re-drawing": {bank.Bank: {"move_gates": None}},
}


def instance(n: int, d: int, m: int, s: int, signs: str, seed: int) -> tuple[Any, Any, planted.ReLUNetwork]:
    """Return inputs, targets and the planted network of one seed."""
    X = planted.gaussian_inputs(n, d, rng=1000 + seed)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=seed)
    return X, truth(X), truth


def measure(cell: tuple[Any, ...], method: str, n_iter: int) -> str:
    """Fit all seeds of a cell and return a line of a table."""
    *sizes, seeds = cell
    exact, decibels, seconds = 0, [], []
    for seed in range(seeds):
        X, y, truth = instance(*sizes, seed)
        begin = time.process_time()
        m, s = sizes[2], sizes[3]
        fit = recovery.fit_network(X, y, n_neurons=m, sparsity=s, method=method, max_iter=n_iter, rng=seed)
        seconds.append(time.process_time() - begin)
        exact += planted.match_networks(fit.network, truth, atol=1e-10).exact
        decibels.append(fit.psnr_db)
    n, d, m, s, signs = sizes
    return (
        f"| ({n}, {d}, {m}, {s}) {signs} | {method} | {exact} of {seeds} | {min(decibels):.0f} | "
        f"{statistics.median(decibels):.0f} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |"
    )


@contextmanager
def changed(settings: dict[Any, dict[str, Any]]) -> Iterator[None]:
    """Run with other constants; with ``move_gates: None`` neurons without weights keep their generators."""
    kept = [(owner, name, getattr(owner, name)) for owner, names in settings.items() for name in names]
    try:
        for owner, names in settings.items():
            for name, value in names.items():
                setattr(owner, name, _without_redrawing if name == "move_gates" else value)
        yield
    finally:
        for owner, name, value in kept:
            setattr(owner, name, value)


_move_gates = bank.Bank.move_gates


def _without_redrawing(self: bank.Bank, fresh: Any) -> Any:
    return _move_gates(self, self.generators)


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--full", action="store_true", help="more cells")
    parser.add_argument("--ablations", action="store_true", help="the robust method with one part left out")
    parser.add_argument("--seeds", type=int, default=None, help="seeds per setting (at most)")
    parser.add_argument("--n-iter", type=int, default=2000, help="total number of steps over all starts")
    options = parser.parse_args(arguments)
    print("| (n, d, m, s) signs | method | exact | minimum dB | median dB | median seconds | maximum seconds |")
    print("|---|---|---|---|---|---|---|")
    if options.ablations:
        for *sizes, seeds in ABLATED:
            for name, settings in ABLATIONS.items():
                with changed(settings):
                    line = measure((*sizes, min(seeds, options.seeds or seeds)), "robust", options.n_iter)
                print(line.replace("| robust |", f"| {name} |"), flush=True)
        return
    for *sizes, seeds, methods in CELLS + (FULL if options.full else ()):
        for method in methods:
            n_iter = options.n_iter if method == "robust" else min(100, options.n_iter)
            print(measure((*sizes, min(seeds, options.seeds or seeds)), method, n_iter), flush=True)


if __name__ == "__main__":
    with threadpool_limits(1):  # on a busy machine a second BLAS thread costs a factor of ten here
        main()
