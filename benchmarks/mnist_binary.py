"""MNIST 0 against 1 at m = 100, s = 200: mean test accuracy of 3 seeds, beside simpler models.

    SPARSE_RECOVERY_DATA=... python -m benchmarks.mnist_binary [--seeds 3] [--m 100] [--s 200]

computes cells of ``paper-repro run fig3-binary --preset paper`` and prints them; without MNIST files it says so and
uses scikit-learn's digits.
"""

from __future__ import annotations

import argparse

import numpy as np

from paper_repro.experiments import fig3_binary


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--m", type=int, default=100)
    parser.add_argument("--s", type=int, default=200)
    options = parser.parse_args()
    print(f"Data: {fig3_binary.TITLES[fig3_binary.data_name()]}\n")
    print("| model | m | s | test accuracy of each seed | mean |")
    print("|---|---|---|---|---|")
    every = fig3_binary.cells("paper", 0)
    sizes = [(method, options.m, options.s) for method in fig3_binary.METHODS]
    sizes.append(("released", 1, fig3_binary.NEURON_PIXELS))
    sizes += [(method, 0, fig3_binary.PIXELS[fig3_binary.data_name()]) for method in fig3_binary.LINEAR]
    for method, m, s in sizes:
        cells = [cell for cell in every if (cell.method, cell.m, cell.s) == (method, m, s)][: options.seeds]
        scores = [fig3_binary.compute(cell, "cpu")[0]["accuracy"] for cell in cells]
        print(f"| {method} | {m} | {s} | {', '.join(f'{score:.4f}' for score in scores)} | {np.mean(scores):.4f} |")


if __name__ == "__main__":
    main()
