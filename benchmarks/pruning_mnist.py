"""Accuracy against sparsity of pruning methods on MNIST, and the training time compared with PyTorch's.

Run from the repository root::

    python -m benchmarks.pruning_mnist                                  # one seed, one epoch: a minute or two
    python -m benchmarks.pruning_mnist --epochs 10 --seeds 0:5 --out rows.jsonl
    python -m benchmarks.pruning_mnist --methods imp rigl --keep 0.02 --out rows.jsonl
    python -m benchmarks.pruning_mnist --show rows.jsonl                # the table, and verdicts on the usual ordering
    python -m benchmarks.pruning_mnist --time                           # one dense training, here and in PyTorch

A network 784-300-100-10 with biases, cross-entropy, Adam at 1.2e-3, batches of 256, pixels from 0 to 1, float32.
Accuracies are in % of the 10,000 test images. All methods of a seed start from the same weights. Methods that prune
after training share one dense training and are retrained from its weights. Iterative magnitude pruning trains fully in
each round, drops 20 % of the remaining weights and rewinds to the start; one run passes through all sparsities. Each
network is written to ``--out`` at once, as one line of JSON; networks that are in the file are not computed again.
MNIST must be available (``planted.datasets.mnist``).
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import planted
from paper_repro.experiments.intervals import mean_interval
from planted.base import arrays
from recovery import pruning

__all__ = ["main"]

WIDTHS = (784, 300, 100, 10)
METHODS = ("random", "magnitude-start", "snip", "grasp", "synflow", "magnitude", "obd", "set", "rigl", "gradual", "imp")
KEEP = (0.1, 0.05, 0.02)
REPORTED = (
    *(("random", one) for one in ("snip", "grasp", "synflow")),
    *((one, "magnitude") for one in ("snip", "grasp", "synflow")),
    ("magnitude", "imp"),
)
"""Pairs (worse, better) of the ordering that the literature reports."""


def images() -> tuple[pruning.Data, Any, np.ndarray]:
    """Return the training data, and the inputs and labels of the test set."""
    data = planted.datasets.mnist()
    inputs = (data.x_train / data.pixel_max).astype(np.float32)
    return pruning.Data(inputs, data.y_train), (data.x_test / data.pixel_max).astype(np.float32), data.y_test


def accuracy(model: pruning.Model, X: Any, labels: np.ndarray) -> float:
    """Return the share of correctly classified images, in %."""
    return 100.0 * float((arrays.to_numpy(model(X)).argmax(axis=1) == labels).mean())


def method_of(name: str, training: pruning.Training) -> pruning.Method:
    """Return a method of the catalogue with the training of this benchmark."""
    if name == "magnitude-start":
        return pruning.catalogue()["magnitude"].replace(
            name=name, source="start", rewind="start", training=training, retraining="same"
        )
    method = pruning.catalogue()[name]
    changes: dict[str, Any] = {"training": training}
    if isinstance(method.retraining, pruning.Trains):
        changes["retraining"] = training
    return method.replace(**changes)


@functools.cache
def dense(start: pruning.Model, training: pruning.Training, train: pruning.Data, seed: int) -> pruning.PruningResult:
    """Return the dense network of a seed, trained."""
    method = pruning.Method("dense", "magnitude", source="start", rewind="start", training=training)
    return pruning.prune(start, train, method, sparsity=start.n_weights, rng=seed)


def fit(name: str, keep: tuple[float, ...], seed: int, args: argparse.Namespace, data: Any) -> list[dict[str, Any]]:
    """Return the rows of one run: for iterative pruning one for each share of weights kept, otherwise one."""
    train, X, labels = data
    training = pruning.Training(epochs=args.epochs, batch_size=args.batch_size, learning_rate=1.2e-3)
    start = pruning.Model.draw(WIDTHS, bias=True, loss="cross_entropy", rng=seed, dtype="float32")
    total, begun = start.n_weights, time.process_time()
    rows = []

    def row(model: pruning.Model, share: float, cost: pruning.Cost) -> dict[str, Any]:
        return {
            "method": name,
            "keep": share,
            "seed": seed,
            "epochs": args.epochs,
            "accuracy": accuracy(model, X, labels),
            "weights": model.sparsity,
            "seconds": time.process_time() - begun,
            "booked": cost.booked,
            "executed": cost.executed,
        }

    if name == "dense":
        found = dense(start, training, train, seed)
        return [row(found.model, 1.0, found.cost)]
    method = method_of(name, training)
    if method.source == "end" and name != "imp":
        trained = dense(start, training, train, seed)  # as all that prune after training
        method = method.replace(source="start", rewind="start")
        found = pruning.prune(trained.model, train, method, sparsity=round(keep[0] * total), rng=seed)
        return [row(found.model, keep[0], trained.cost + found.cost)]
    if name != "imp":
        found = pruning.prune(start, train, method, sparsity=round(keep[0] * total), rng=seed)
        return [row(found.model, keep[0], found.cost)]
    wanted = sorted({round(share * total): share for share in keep}.items(), reverse=True)

    def counts(total: int, sparsity: int) -> list[int]:
        found, left, goals = [], total, [count for count, _ in wanted]
        while goals:
            left = max(goals[0], left - round(0.2 * left))
            found.append(left)
            if left == goals[0]:
                goals.pop(0)
        return found

    # the round after a count trains the network with that count from the start, which is its retraining
    result = pruning.prune(start, train, method.replace(schedule=counts), sparsity=wanted[-1][0], rng=seed)
    trained = {one.masks.count: after.model for one, after in zip(result.path, result.path[1:], strict=False)}
    trained[wanted[-1][0]] = result.model
    for count, share in wanted:
        rows.append(row(trained[count], share, result.cost))
    return rows


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return all rows, including stored ones."""
    rows = read(args.out)
    done = {(r["method"], r["keep"], r["seed"], r["epochs"]) for r in rows}
    data = images()
    for seed in range(*args.seeds):
        for name in ("dense", *args.methods):
            groups: list[tuple[float, ...]] = [(share,) for share in args.keep]
            if name == "imp":
                groups = [tuple(args.keep)]
            if name == "dense":
                groups = [(1.0,)]
            for keep in groups:
                if all((name, share, seed, args.epochs) in done for share in keep):
                    continue
                for one in fit(name, keep, seed, args, data):
                    rows.append(one)
                    text = f"{one['accuracy']:6.2f} % {one['seconds']:6.1f} s"
                    print(f"{name:16s} keep {one['keep']:4.2f} seed {seed}: {text}", flush=True)
                    if args.out:
                        with open(args.out, "a") as file:
                            file.write(json.dumps(one) + "\n")
    return rows


def read(path: str | None) -> list[dict[str, Any]]:
    """Return the rows of a file, or an empty list if there is no file."""
    if path is None or not Path(path).exists():
        return []
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table and whether the reported ordering held."""
    shares = sorted({r["keep"] for r in rows if r["method"] != "dense"}, reverse=True)
    names = list(dict.fromkeys(r["method"] for r in rows))
    print(
        "method           "
        + "".join(f"{100 * (1 - share):>9.0f} % pruned  " for share in shares)
        + " seconds per network"
    )
    for name in names:
        text = f"{name:16s}"
        for share in shares if name != "dense" else (1.0,):
            own = [r["accuracy"] for r in rows if (r["method"], r["keep"]) == (name, share)]
            text += f"  {_interval(own):18s}" if own else " " * 20
        seconds = [r["seconds"] for r in rows if r["method"] == name]
        print(f"{text} {np.median(seconds):6.1f}")
    print("\nordering (difference better - worse of the same seeds, mean and 95 % interval, points):")
    for share in shares:
        for worse, better in REPORTED:
            pairs = [
                (a["accuracy"], b["accuracy"])
                for a in rows
                for b in rows
                if (a["method"], b["method"]) == (worse, better) and a["keep"] == b["keep"] == share
                if a["seed"] == b["seed"] and a["epochs"] == b["epochs"]
            ]
            if len(pairs) < 2:
                continue
            mean, low, high = _mean([b - a for a, b in pairs])
            verdict = "held" if low > 0 else "not held" if high < 0 else "too close to call"
            interval = f"{mean:+6.2f} [{low:+.2f}, {high:+.2f}]"
            print(f"  {100 * (1 - share):3.0f} %  {worse:8s} < {better:10s} {interval}  {verdict}")


def _mean(values: list[float]) -> tuple[float, float, float]:
    low, high = mean_interval(values) or (-math.inf, math.inf)
    return float(np.mean(values)), float(low), float(high)


def _interval(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else ""
    mean, low, high = _mean(values)
    return f"{mean:.2f} ± {(high - low) / 2:.2f}" if math.isfinite(high) else f"{mean:.2f}"


def clock(args: argparse.Namespace) -> None:
    """Print the time of one dense training, here and in PyTorch."""
    data = images()
    one = fit("dense", (1.0,), 0, args, data)[0]
    print(f"here: {one['seconds']:.1f} s of processor time, {one['accuracy']:.2f} %")
    try:
        import torch
    except ModuleNotFoundError:
        print("PyTorch is not installed")
        return
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers: list[Any] = []
    for a, b in pairwise(WIDTHS):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    X, y = torch.tensor(np.asarray(data[0].X)), torch.tensor(np.asarray(data[0].y).astype(np.int64))
    adam, n = torch.optim.Adam(net.parameters(), lr=1.2e-3), len(X)
    begun = time.process_time()
    for _ in range(round(args.epochs)):
        for rows in torch.randperm(n).split(args.batch_size):
            adam.zero_grad()
            torch.nn.functional.cross_entropy(net(X[rows]), y[rows]).backward()
            adam.step()
    seconds = time.process_time() - begun
    right = (net(torch.tensor(data[1])).argmax(dim=1).numpy() == data[2]).mean()
    print(f"PyTorch {torch.__version__}: {seconds:.1f} s, {100 * right:.2f} %")


def main() -> None:
    """Run the measurements, or show stored ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--keep", nargs="+", type=float, default=list(KEEP))
    parser.add_argument("--seeds", type=lambda text: [int(part) for part in text.split(":")], default=[0, 1])
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--out")
    parser.add_argument("--show", metavar="FILE", help="measure nothing")
    parser.add_argument("--time", action="store_true", help="one dense training, here and in PyTorch")
    args = parser.parse_args()
    if args.time:
        clock(args)
    elif args.show:
        show(read(args.show))
    else:
        show(measure(args))


if __name__ == "__main__":
    main()
