"""Table 1 at the paper's size: success rates if the gates are updated every k steps.

    python -m benchmarks.table1_rates [--k 1 100] [--seeds 10] [--labels float32] [--steps 100] [--jobs 1]

This computes cells of ``paper-repro run table1 --preset paper``, writes them to a results folder, where a later full
run finds them, and prints the table of all cells computed so far.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from paper_repro import sweep
from paper_repro.experiment import get
from paper_repro.results import store_of

PAPER_DB = {1: "> 160", 2: "> 160", 4: "> 160", 5: "36.63", 100: "19.88"}
FLOOR_DB = 155.0


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--k", type=int, nargs="*", default=[1, 100, 5, 2, 4, 10, 20])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--labels", nargs="*", default=["float32"])
    parser.add_argument("--steps", type=int, nargs="*", default=[100])
    parser.add_argument("--methods", nargs="*", default=["robust", "paper"])
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--print-only", action="store_true")
    options = parser.parse_args()
    experiment = get("table1")
    store = store_of(options.results)
    every = [
        cell
        for cell in experiment.cells("paper", 0)
        if cell.seed < options.seeds
        and cell.labels in options.labels
        and cell.n_iter in options.steps
        and cell.method in options.methods
    ]
    for k in options.k:
        cells = [cell for cell in every if cell.k == k]
        if not options.print_only:
            sweep.run(experiment, cells, store, jobs=options.jobs, progress=sys.stderr)
    head = ("labels", "steps", "k", "method", "paper, dB", "runs", "median dB (min, max)", ">= 155 dB")
    print("| " + " | ".join((*head, "same function", "same network", "first step")) + " |")
    print("|---" * (len(head) + 3) + "|")
    for labels in options.labels:
        for steps in options.steps:
            for k in sorted(options.k):
                for method in options.methods:
                    cells = [c for c in every if (c.k, c.labels, c.n_iter, c.method) == (k, labels, steps, method)]
                    found = [store.read(experiment.cell(cell)) for cell in cells]
                    records = [record for record in found if record is not None]
                    if records:
                        print(_row(labels, steps, k, method, records))


def _row(labels: str, steps: int, k: int, method: str, records: list) -> str:
    psnr = np.array([record.metrics["psnr_db"] for record in records])
    function, network = (sum(record.metrics[name] for record in records) for name in ("same_function", "exact"))
    first = []
    for record in records:
        reached = np.flatnonzero(record.arrays["psnr_history_db"] >= FLOOR_DB)
        first += [int(reached[0]) + 1] if reached.size else []
    when = f"{int(np.median(first))} ({min(first)}-{max(first)})" if first else "-"
    spread = f"{np.median(psnr):.1f} ({psnr.min():.1f}, {psnr.max():.1f})"
    paper = PAPER_DB.get(k, "not known")
    floor = int((psnr >= FLOOR_DB).sum())
    count = len(records)
    shares = (f"{hits}/{count}" for hits in (floor, function, network))
    cells = (labels, steps, k, method, paper, count, spread, *shares, when)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


if __name__ == "__main__":
    main()
