"""The default method of ``fit_network`` compared with the robust one on the images of Figures 4 and 5.

Run from the repository root::

    python -m benchmarks.default_on_images                       # the cells of preset quick with one hidden layer
    python -m benchmarks.default_on_images --figures fig5 --seeds 1

Prints PSNR and processor seconds of both methods for every cell, and the number of cells on which the default method is
worse by more than 1 dB. For batches, several hidden layers or cross-entropy (Figure 3, and the lower rows of Figures 4
and 5) the default method is the robust one, which ``tests/recovery/test_networks_exact.py`` checks.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine, table
from paper_repro.experiments import inr

METHODS = ("robust", "auto")
WORSE_DB = 1.0


def measure(figure: Any, seeds: int | None) -> list[dict[str, Any]]:
    """Return PSNR, seconds and status of both methods for every cell."""
    rows: list[dict[str, Any]] = []
    for cell in figure.cells("quick", 0):
        if cell.method != "robust" or cell.depth != 1 or (seeds is not None and cell.seed >= seeds):
            continue
        row: dict[str, Any] = {"figure": figure.name, "m": cell.m, "s": cell.s[0], "seed": cell.seed}
        for method in METHODS:
            began = time.process_time()
            metrics, _ = figure.compute(replace(cell, method=method), "cpu")
            fit = metrics["fits"][0]
            row[method] = (fit["psnr_db"], time.process_time() - began, fit["status"])
        rows.append(row)
        print(row, flush=True)
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", nargs="+", default=["fig4", "fig5"])
    parser.add_argument("--seeds", type=int, default=None)
    chosen = parser.parse_args(arguments)
    rows = []
    for figure in inr.EXPERIMENTS:
        if figure.name in chosen.figures:
            rows += measure(figure, chosen.seeds)
    print(machine())
    header = ("figure", "m", "s", "seed", *(f"{method}, dB" for method in METHODS), *(f"{m}, s" for m in METHODS))
    lines = [
        (
            *(row[key] for key in ("figure", "m", "s", "seed")),
            *(f"{row[method][0]:.2f}" for method in METHODS),
            *(f"{row[method][1]:.1f}" for method in METHODS),
        )
        for row in rows
    ]
    print(table(header, lines))
    gain = np.array([row["auto"][0] - row["robust"][0] for row in rows])
    spent = [sum(row[method][1] for row in rows) for method in METHODS]
    print(
        f"{len(rows)} cells; auto is worse by more than {WORSE_DB:g} dB on {int((gain < -WORSE_DB).sum())}, better on "
        f"{int((gain > WORSE_DB).sum())}; median gain {np.median(gain):.2f} dB; "
        f"seconds {spent[0]:.0f} and {spent[1]:.0f}"
    )


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
