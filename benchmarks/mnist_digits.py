"""MNIST with ten classes: time and test accuracy of the robust method and of the paper's method at one size.

    SPARSE_RECOVERY_DATA=... python -m benchmarks.mnist_digits [--m 1000] [--s 2000] [--epochs 50] [--imp]

50,000 training and 10,000 test images, batches of 5,000, pixels from 0 to 255 as in the authors' released code (on
pixels from 0 to 1 its fixed step hardly changes the weights; ``--pixels unit`` shows this). ``--imp`` adds one pass of
IMP as in the paper, which takes hours at full size. Run it with ``OPENBLAS_NUM_THREADS=2``. Without MNIST files it uses
scikit-learn's digits, and says so.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.machine import machine, table
from paper_repro.experiments import mnist
from paper_repro.experiments.mnist import TITLES


def main(arguments=None):
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--m", type=int, default=1000)
    parser.add_argument("--s", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--pixels", choices=("raw", "unit"), default="raw")
    parser.add_argument("--methods", nargs="+", default=["robust", "paper"])
    parser.add_argument("--imp", action="store_true")
    options = parser.parse_args(arguments)
    data = mnist.data_name()
    sizes = mnist.FIG3_DIGITS.presets["paper"].sizes(data)
    mnist.images(data, 10, *sizes[:2], options.pixels, options.dtype)  # exclude reading the files from the time
    print(
        f"Data: {TITLES[data]}, {10 * sizes[0]:,} training and {10 * sizes[1]:,} test images; {machine()}.", flush=True
    )
    rows = []
    for method in [*options.methods, *(["imp-paper"] if options.imp else [])]:
        cell = mnist.DigitsCell(
            options.m,
            options.depth,
            (options.s,),
            options.seed,
            method,
            data,
            *sizes,
            options.epochs,
            options.pixels,
            dtype=options.dtype,
        )
        wall, processor = time.perf_counter(), time.process_time()
        fit = mnist.compute(cell, "cpu")[0]["fits"][0]
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        row = [method, f"{fit['accuracy']:.4f}", f"{fit['train_accuracy']:.4f}", fit["nonzeros"]]
        rows.append([*row, fit["n_iter"], f"{wall:.0f}", f"{processor:.0f}"])
        print(f"{method} done", flush=True)
    header = ["method", "test accuracy", "training accuracy", "non-zeros", "steps", "wall (s)", "processor (s)"]
    print(f"\nm = {options.m}, s = {options.s}, {options.epochs} epochs, {options.dtype}, {options.pixels} pixels\n")
    print(table(header, rows))


if __name__ == "__main__":
    main()
