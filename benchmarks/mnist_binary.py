"""MNIST 0 against 1 at m = 100, s = 200: mean test accuracy of 3 seeds, compared with simpler models.

    SPARSE_RECOVERY_DATA=... python -m benchmarks.mnist_binary [--seeds 3] [--m 100] [--s 200] [--depth 1]

This computes and prints the IHT cells of ``paper-repro run fig3-binary --preset paper``. Without MNIST files it uses
scikit-learn's digits, and says so.
"""

from __future__ import annotations

import argparse

import numpy as np

from paper_repro.experiments import mnist
from paper_repro.experiments.mnist import LINEAR, TITLES


def main(arguments=None):
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--m", type=int, default=100)
    parser.add_argument("--s", type=int, default=200)
    parser.add_argument("--depth", type=int, default=1)
    options = parser.parse_args(arguments)
    data = mnist.data_name()
    print(f"Data: {TITLES[data]}, 0 against 1\n")
    print("| model | m | s | test accuracy per seed | mean |")
    print("|---|---|---|---|---|")
    every = mnist.FIG3_BINARY.cells("paper", 0)
    sizes = [(method, options.m, options.depth, options.s) for method in ("paper", "robust")]
    sizes.append(("paper", 1, 1, mnist.NEURON_PIXELS))
    sizes += [(method, 0, 1, mnist.PIXELS[data]) for method in LINEAR["binary"]]
    for method, m, depth, s in sizes:
        cells = [cell for cell in every if (cell.method, cell.m, cell.depth, cell.s) == (method, m, depth, (s,))]
        found = [mnist.compute(cell, "cpu")[0] for cell in cells[: options.seeds]]
        scores = [metrics.get("fits", [metrics])[0]["accuracy"] for metrics in found]
        print(f"| {method} | {m} | {s} | {', '.join(f'{score:.4f}' for score in scores)} | {np.mean(scores):.4f} |")


if __name__ == "__main__":
    main()
