"""BINGO compared with magnitude pruning: sparsity at an accuracy floor, accuracy of the scores, and their variance.

Run from the repository root::

    python -m benchmarks.bingo                       # all tables at small sizes, about a minute
    python -m benchmarks.bingo floor --data mnist    # 784-128-64-10 as in the release; SPARSE_RECOVERY_DATA=...
    python -m benchmarks.bingo floor --data mnist --images 60000 --epochs 10 --seeds 5    # full size, takes hours
    python -m benchmarks.bingo truth linear variance --seeds 10

``floor``: networks are pruned until the accuracy on held-out images falls below ``--floor``. One-shot methods prune
in steps of 1 % without retraining, as in the paper, over all layers or with the same share in each layer. IMP drops a
fifth of the weights in each round, rewinds to the start and trains again. Passes are forward passes of all training
images, except those that measure the accuracy. Work is the number of executed multiply-adds, in units of one dense
training. Seconds are processor seconds of one thread. Intervals are the mean and a 95 % Student's t interval over the
seeds.

``truth``: two classes depend on 8 of 40 inputs, and 70 % of the first layer of a network with 32 hidden units is
pruned. The table shows how well the scores of the first layer distinguish relevant from other inputs (area under the
ROC curve), and the accuracy of the pruned network. ``linear``: planted linear models, with resets compared to zeroing.
``variance``: the variance of the published average and of the running mean, in units of the variance of one probe.
"""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import numpy as np
from scipy.stats import rankdata, t
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine, table
from planted import datasets
from recovery import pruning
from recovery.pruning.cost import Cost
from recovery.pruning.frame import Frame
from recovery.pruning.training import Step

PARTS = ("floor", "truth", "linear", "variance")


def interval(values: Any, digits: int = 3) -> str:
    """Return mean and half width of Student's 95 % interval."""
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        return f"{values.mean():.{digits}f}"
    half = t.ppf(0.975, values.size - 1) * values.std(ddof=1) / math.sqrt(values.size)
    return f"{values.mean():.{digits}f} +- {half:.{digits}f}"


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the share of pairs of a positive and a negative in which the positive has the higher score."""
    ranks, count = rankdata(scores.ravel()), int(positive.sum())
    above = ranks[positive.ravel()].sum() - count * (count + 1) / 2
    return float(above / (count * (positive.size - count)))


def images(options: argparse.Namespace) -> tuple[pruning.Data, tuple[int, ...]]:
    """Return training and held-out images, and the widths of the network."""
    if options.data == "mnist":
        read = datasets.mnist()
        parts = [read.x_train / 255.0, read.y_train, read.x_test / 255.0, read.y_test]
        count, widths = options.images or 10_000, (784, 128, 64, 10)
        parts[0], parts[1] = parts[0][:count], parts[1][:count]
    else:
        read = datasets.digits()
        X, y = np.concatenate([read.x_train, read.x_test]) / 16.0, np.concatenate([read.y_train, read.y_test])
        order = np.random.default_rng(0).permutation(len(y))  # the last images are other people's handwriting
        train, held = order[:1437], order[1437:]
        parts, widths = [X[train], y[train], X[held], y[held]], (64, 32, 10)
    return pruning.Data(parts[0].astype("float32"), parts[1], parts[2].astype("float32"), parts[3]), widths


def contenders(training: pruning.Training, subset: float) -> dict[str, pruning.Method]:
    """Return the methods of the comparison."""
    found = {
        "random": pruning.Method("random", "random", training=training, retraining=None),
        "BINGO, printed": pruning.bingo("printed", training, subset=subset),
        "BINGO, corrected": pruning.bingo("corrected", training, subset=subset),
        "BINGO, release": pruning.bingo("release", training, subset=subset),
        "BINGO, running mean": pruning.bingo("running-mean", training, subset=subset),
        "BINGO, running mean, loss, zero": pruning.bingo(
            "running-mean", training, subset=subset, signal="loss", target="zero"
        ),
        "magnitude, one shot": pruning.Method("magnitude", "magnitude", training=training, retraining=None),
    }
    for label in list(found)[1:]:
        found[f"{label}, per layer"] = found[label].replace(scope="layer")
    del found["BINGO, release, per layer"]  # it is so already
    return {
        **found,
        "IMP": pruning.catalogue(training)["imp"],
    }


def floor(options: argparse.Namespace) -> None:
    """Print how far each method prunes until the accuracy falls to the floor, and the cost."""
    data, widths = images(options)
    epochs = options.epochs or (4 if options.data == "mnist" else 20)
    size, rate = (64, 1e-3) if options.data == "mnist" else (32, 3e-3)
    training = pruning.Training(epochs=epochs, batch_size=size, learning_rate=rate)
    print(
        f"\n{options.data}: {data.n_samples:,} training images, {len(data.y_validation):,} held out, "
        f"{'-'.join(map(str, widths))}, {epochs} epochs, floor {options.floor}\n",
        flush=True,
    )
    print(table(["method", "dense accuracy", "pruned (%)", "passes", "work", "seconds", "levels"], []), flush=True)
    for label, method in contenders(training, options.subset).items():
        if options.only and label not in options.only:
            continue
        dense, pruned, passes, work, seconds, rounds = [], [], [], [], [], []
        for seed in range(options.seeds):
            model = pruning.Model.draw(widths, bias=True, loss="cross_entropy", rng=seed, dtype="float32")
            begin = time.process_time()
            found = pruning.prune_to_floor(model, data, method, floor=options.floor, rng=seed)
            seconds.append(time.process_time() - begin)
            cost, spent = found.cost, found.evaluation
            one = Cost()
            one.add(
                model.shapes,
                training.total(data.n_samples) * size,
                backward=True,
            )
            dense.append(found.dense_accuracy)
            pruned.append(100 * found.pruned)
            passes.append((cost.forward - spent.forward) / data.n_samples)
            work.append((cost.executed - spent.executed) / one.executed)
            rounds.append(len(found.path))
        cells = [interval(dense, 3), interval(pruned, 1), interval(passes, 0), interval(work, 2), interval(seconds, 1)]
        print("| " + " | ".join([label, *cells, f"{np.mean(rounds):.0f}"]) + " |", flush=True)


def relevant(seed: int, n: int = 2000, d: int = 40, k: int = 8) -> tuple[pruning.Data, np.ndarray]:
    """Return labels of two equally frequent classes that depend on k of d inputs, and the indices of these inputs."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2 * n, d))
    chosen = np.sort(rng.permutation(d)[:k])
    teacher = np.maximum(X[:, chosen] @ rng.standard_normal((k, 10)), 0) @ rng.standard_normal(10)
    y = (teacher > np.median(teacher)).astype(int)
    mask = np.zeros(d, dtype=bool)
    mask[chosen] = True
    return pruning.Data(X[:n], y[:n], X[n:], y[n:]), mask


def rules(updates: int) -> dict[str, pruning.Method]:
    """Return the scores to compare."""
    training = pruning.Training(n_iter=updates, batch_size=100, learning_rate=3e-3)
    return {
        "random": pruning.Method("random", "random", training=training, retraining=None),
        "printed": pruning.bingo("printed", training),
        "corrected": pruning.bingo("corrected", training),
        "release": pruning.bingo("release", training, when="training"),
        "running mean": pruning.bingo("running-mean", training),
        "running mean, loss": pruning.bingo("running-mean", training, signal="loss"),
        "running mean, loss, zero": pruning.bingo("running-mean", training, signal="loss", target="zero"),
        "distance from the start": pruning.Method("distance", "distance", training=training, retraining=None),
        "magnitude": pruning.Method("magnitude", "magnitude", training=training, retraining=None),
    }


def known(method: pruning.Method, seed: int, start: float = 1.0) -> tuple[float, float, float]:
    """Return the AUC for relevant inputs, the accuracy with 70 % of the first layer pruned, and the dense one."""
    data, mask = relevant(seed)
    spread = start / math.sqrt(40)
    model = pruning.Model.draw((40, 32, 2), loss="cross_entropy", initialisation=spread, rng=seed)
    result = pruning.prune(model, data, method.replace(layers=(0,), scope="global"), sparsity=0.3, rng=seed)
    trained = result.path[-1].model
    assert trained is not None
    rates = [
        float((one(data.X_validation).argmax(axis=1) == data.y_validation).mean()) for one in (result.model, trained)
    ]
    return auc(result.scores[0], np.broadcast_to(mask[:, None], (40, 32))), rates[0], rates[1]


def truth(options: argparse.Namespace) -> None:
    """Print how well scores of a first layer identify the relevant inputs."""
    print(f"\nAbout {options.updates / 100:g} probes per weight, {options.seeds} seeds\n", flush=True)
    found = {
        label: np.array([known(method, seed, options.start) for seed in range(options.seeds)]).T
        for label, method in rules(options.updates).items()
    }
    rows = [[label, interval(values[0]), interval(values[1])] for label, values in found.items()]
    print(table(["score", "AUC for relevant inputs", "accuracy, 70 % of layer 1 pruned"], rows))
    print(
        f"\ndense accuracy {interval(found['magnitude'][2])}; AUC of magnitude minus corrected, seed by seed: "
        f"{interval(found['magnitude'][0] - found['corrected'][0])}",
        flush=True,
    )


def support_known(seed: int, start: float, probes: int) -> dict[str, float]:
    """Return the AUC for the support of a planted linear model (p = 200, s = 20, n = 2000, values +-1)."""
    p, s, n = 200, 20, 2000
    training = pruning.Training(n_iter=150, learning_rate=0.5, optimiser="sgd", momentum=0.0)
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    w = np.zeros(p)
    w[rng.permutation(p)[:s]] = rng.choice([-1.0, 1.0], s)
    model, data = pruning.Model([start * rng.standard_normal((p, 1))]), (X, X @ w)
    methods = {
        target: pruning.bingo(
            "running-mean",
            training,
            target=target,  # type: ignore[arg-type]
            signal="loss",
            when="after",
            relative=False,
            probes_per_update=probes,
            subset=2,
        )
        for target in ("reset", "zero")
    }
    methods["distance"] = pruning.Method("distance", "distance", training=training, retraining=None)
    return {
        label: auc(pruning.prune(model, data, method, sparsity=s, rng=seed).scores[0][:, 0], w != 0)
        for label, method in methods.items()
    }


def linear(options: argparse.Namespace) -> None:
    """Print the AUC for the support of planted linear models, resetting and zeroing."""
    rows = []
    for start in (0.0, 0.1, 0.3, 1.0, 2.0):
        found = [support_known(seed, start, options.probes) for seed in range(options.seeds)]
        rows.append([f"{start:g}", *(interval([one[label] for one in found]) for label in found[0])])
    print(f"\np = 200, s = 20, n = 2000, values +-1, about {options.probes / 100:g} probes per weight\n")
    print(table(["standard deviation of the start", "reset", "zero", "distance from the start"], rows), flush=True)


def variance(options: argparse.Namespace) -> None:
    """Print the variance of the scores of one weight over repeated probing, in units of the variance of one probe."""
    model, start = pruning.Model([np.ones((1, 1))]), pruning.Model([np.zeros((1, 1))])
    frame, X, rng = Frame(model), np.ones((1, 1)), np.random.default_rng(0)
    vector = frame.flat(model)
    rows = []
    for count in options.counts:
        row = [f"{count}"]
        for variant in ("corrected", "running-mean"):
            found = []
            for _ in range(options.repeats):
                rule = pruning.Bingo(variant, signal="loss", relative=False, signed=True)  # type: ignore[arg-type]
                observer = rule.begin(start, pruning.Data(X, X), rng, Cost())
                # the loss (1 - y)^2 / 2 becomes y^2 / 2: it changes by y - 1/2, which is normal here
                for y in 0.5 + rng.standard_normal(count):
                    observer.step(Step(1, 1, frame, vector, gradient=vector, X=X, y=np.full((1, 1), y)))
                found.append(float(observer.scores()[0][0, 0]))
            row.append(f"{np.var(found):.4f}")
        rows.append([*row, f"{(1 - 4.0**-count) / 3:.4f}", f"{1 / count:.4f}"])
    print(f"\n{options.repeats} repetitions; a variance has a relative error of {math.sqrt(2 / options.repeats):.2f}\n")
    print(table(["probes", "published average", "running mean", "(1 - 4^-N) / 3", "1 / N"], rows), flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all by default")
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--images", type=int, help="of MNIST, for training; 10,000 by default")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--floor", type=float, default=0.9)
    parser.add_argument("--subset", type=float, default=0.01)
    parser.add_argument("--only", nargs="+", help="methods of the floor")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=1200, help="of the networks with relevant inputs")
    parser.add_argument("--start", type=float, default=1.0, help="their start, times 1 / sqrt(40)")
    parser.add_argument("--probes", type=int, default=3000, help="of the linear models")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 3, 10, 30, 100])
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args(arguments)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"part {unknown[0]!r} is not known; expected {', '.join(PARTS)}")
    print(f"{machine()}", flush=True)
    with threadpool_limits(1):
        for part in options.parts or PARTS:
            {"floor": floor, "truth": truth, "linear": linear, "variance": variance}[part](options)


if __name__ == "__main__":
    main()
