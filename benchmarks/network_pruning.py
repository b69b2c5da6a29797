"""Success rates of ``recovery.imp`` on planted networks, ablations of the fair recipe, and times.

Run from the repository root::

    python -m benchmarks.network_pruning               # the paper's recipe and the fair one
    python -m benchmarks.network_pruning --ablations   # the fair recipe with one setting changed; ten minutes
    python -m benchmarks.network_pruning --cost        # times with and without skipping pruned neurons and inputs

The planted networks are those of the paper's Figure 1 at n = 5,000, d = 50. A fit is exact if the kink forms agree to
1e-6.
Seconds are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from typing import Any

from threadpoolctl import threadpool_limits

import planted
import recovery
from recovery.mlp import training
from recovery.mlp.masks import Compact
from recovery.pruning import recipes
from tests.oracles.training import Whole

CELLS = ((5, 10), (5, 50), (20, 10), (20, 50))
ABLATED = ((5, 10), (20, 50))
ABLATIONS: dict[str, tuple[dict[str, Any], dict[str, Any], float]] = {
    # options of recovery.imp, other fields of the recipe, size of the start
    "default": ({}, {}, 0.5),
    "500 updates per round": ({"max_iter": 500}, {}, 0.5),
    "4000 updates per round": ({"max_iter": 4000}, {}, 0.5),
    "batches of 128": ({"batch_size": 128}, {}, 0.5),
    "batches of 500": ({"batch_size": 500}, {}, 0.5),
    "rate 3e-3": ({"learning_rate": 3e-3}, {}, 0.5),
    "rate 3e-2": ({"learning_rate": 3e-2}, {}, 0.5),
    "learning rate decays to a tenth": ({}, {"decay": 0.1}, 0.5),
    "rewinding to the initial weights": ({"rewind": 0.0}, {}, 0.5),
    "rewinding to half of the first round": ({"rewind": 0.5}, {}, 0.5),
    "a tenth pruned per round": ({"prune_share": 0.1}, {}, 0.5),
    "half pruned per round": ({"prune_share": 0.5}, {}, 0.5),
    "one shot": ({"prune_share": 0.0}, {}, 0.5),
    "no fine-tuning": ({"fine_tune": 0}, {}, 0.5),
    "start 0.02": ({}, {}, 0.02),
    "start 1": ({}, {}, 1.0),
    "PyTorch's start": ({"initialisation": "pytorch"}, {}, 0.5),
}


def row(label: str, m: int, s: int, seeds: int, **options: Any) -> str:
    """Return a line of a table."""
    decibels, seconds, exact = [], [], 0
    for seed in range(seeds):
        X, y, truth = planted.release_instance(m, s, seed, n=5000, d=50)
        begin = time.process_time()
        fit = recovery.imp(X, y, n_neurons=m, sparsity=s, rng=seed, **options)
        seconds.append(time.process_time() - begin)
        decibels.append(fit.psnr_db)
        exact += planted.match_networks(fit.network, truth, atol=1e-6).exact
    return (
        f"| ({m}, {s}) | {label} | {exact} of {seeds} | {min(decibels):.0f} | {statistics.median(decibels):.0f} | "
        f"{max(decibels):.0f} | {statistics.mean(seconds):.1f} |"
    )


def ablate(seeds: int) -> None:
    """Print the table of the fair recipe with one setting changed."""
    start = recipes.HIDDEN_START
    try:
        for m, s in ABLATED:
            for label, (options, fields, size) in ABLATIONS.items():
                recipes.HIDDEN_START = size
                print(row(label, m, s, seeds, recipe=replace(recipes.FAIR, **fields), **options), flush=True)
    finally:
        recipes.HIDDEN_START = start


def cost() -> None:
    """Print processor seconds of whole passes down to one weight, with and without compaction."""
    print("| (n, d, m) | recipe | rounds | compact: s | plain: s |")
    print("|---|---|---|---|---|")
    short = {"max_iter": 500, "fine_tune": 500}
    for n, d, m, recipe, options in (
        (5000, 50, 20, "paper", {}),
        (5000, 50, 20, "fair", short),
        (5000, 100, 100, "paper", {}),
        (5000, 100, 1000, "paper", {"max_iter": 3}),
    ):
        X, y, _ = planted.release_instance(m, 5 * m, 0, n=n, d=d)
        seconds = []
        for compact in (True, False):
            kept, training.Compact = training.Compact, Compact if compact else Whole  # type: ignore
            try:
                begin = time.process_time()
                fit = recovery.imp(X, y, n_neurons=m, sparsity=1, recipe=recipe, rng=0, **options)
                seconds.append(time.process_time() - begin)
            finally:
                training.Compact = kept  # type: ignore
        done = len(fit.history["objective"])
        updates = options.get("max_iter", recipes.RECIPES[recipe].max_iter)
        print(
            f"| ({n}, {d}, {m}) | {recipe}, {updates} updates per round | {done} "
            f"| {seconds[0]:.1f} | {seconds[1]:.1f} |",
            flush=True,
        )


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args(arguments)
    with threadpool_limits(1):
        if options.cost:
            cost()
            return
        print("| (m, s) | recipe | exact | minimum dB | median dB | maximum dB | mean seconds |")
        print("|---|---|---|---|---|---|---|")
        if options.ablations:
            ablate(options.seeds)
            return
        for m, s in CELLS:
            for recipe in ("paper", "fair"):
                print(row(recipe, m, s, options.seeds, recipe=recipe), flush=True)


if __name__ == "__main__":
    main()
