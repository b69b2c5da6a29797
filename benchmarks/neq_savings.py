"""NEq's error against saved operations, compared with random freezing and early stopping at equal cost.

Run from the repository root::

    python -m benchmarks.neq_savings           # 5 seeds; about two minutes
    python -m benchmarks.neq_savings --full    # 20 seeds, and deeper networks, too

Tasks: *planted*, a student network of 40 units on the noise-free outputs of a teacher network of 5 (d = 30, relative
squared error on fresh data); *digits*, 8 x 8 images and 60 units (cross-entropy on held-out images). ``--full`` adds
both tasks with two hidden layers. All runs of a seed start from the same weights and see the same rows.

The table has one row per threshold. It shows the share of the backward pass's multiply-adds that was not executed, the
share that belongs to frozen units, and the share that the paper counts; the mean error, with a 95 % interval over the
seeds; and the ratios of the other methods' errors to NEq's, as geometric means over the seeds with 95 % t-intervals.
*Random* freezes as many random units of each layer in each epoch. *Stop* trains all units and stops when backward
passes have cost as many multiply-adds. *Shorter* runs the whole schedule of learning rates in that time. *Stop, all*
stops when forward and backward passes together have cost as much as NEq's, because stopping saves forward passes, too.
An interval above 1 means that NEq is better.

Further tables show how often units thawed, and for the planted task with one hidden layer, when units froze for good
against their similarity to a unit of the teacher, and the size of their gradients when they froze.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

import planted
from benchmarks.machine import machine, table
from recovery.mlp.losses import class_targets, loss_and_gradient
from recovery.mlp.passes import forward, gradients
from recovery.pruning import Data, Model, Training
from recovery.pruning.equilibrium import (
    Calibrated,
    EarlyStopping,
    Equilibrium,
    NEq,
    RandomFreezing,
    eps_for_rate,
)

D, TEACHER, ROWS = 30, 5, 2000
PLANTED = Training(epochs=60, batch_size=50, learning_rate=0.05, optimiser="sgd", momentum=0.0, schedule="steps")
DIGITS = Training(
    epochs=60, batch_size=50, learning_rate=0.05, optimiser="sgd", momentum=0.9, weight_decay=5e-4, schedule="steps"
)


def rules(training, n_updates):
    """Return the rules of the table, published and calibrated."""
    rate = eps_for_rate(training.learning_rate, n_updates, momentum=training.momentum)
    found = {f"eps {eps:g}": Equilibrium(eps) for eps in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)}
    found["eps 1e-3, published"] = found.pop("eps 0.001")
    found["eps 1e-3, released filter"] = Equilibrium(1e-3, filter="released")
    found["eps 1e-4, released filter"] = Equilibrium(1e-4, filter="released")
    found[f"eps {rate:.1e}, from the rate"] = Equilibrium(rate)
    for quantile in (0.02, 0.05, 0.1):
        found[f"quantile {quantile} of 5 epochs"] = Equilibrium(Calibrated(quantile, follow_rate=False), warm_up=5)
    found["quantile 0.05, follows the rate"] = Equilibrium(Calibrated(0.05), warm_up=5)
    return found


def planted_task(seed, hidden):
    """Return the initial weights, the data, and the error function of a student of a planted teacher."""
    rng = np.random.default_rng([seed, len(hidden)])
    teacher = Model([rng.standard_normal((D, TEACHER)) / math.sqrt(D), rng.standard_normal(TEACHER)])
    X, V, T = (rng.standard_normal((n, D)) for n in (ROWS, 200, 4000))
    truth = teacher(T)

    def error(model):
        return float(((model(T) - truth) ** 2).sum() / (truth**2).sum())

    start = Model.draw((D, *hidden, 1), scalar=True, rng=rng)
    return start, Data(X, teacher(X), V, teacher(V)), error, teacher


def digits_task(seed, hidden):
    """Return the same for images of digits."""
    data = planted.datasets.digits()
    rng = np.random.default_rng([seed, 7])
    images, labels = np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test])
    order = rng.permutation(len(images))
    X, y = images[order].astype(float) / data.pixel_max, labels[order]
    parts = np.split(np.arange(len(X)), [1200, 1400])
    fresh = class_targets(y[parts[2]], "cross_entropy", X.dtype, 10)

    def error(model):
        return float(loss_and_gradient(model(X[parts[2]]), fresh, "cross_entropy").value)

    start = Model.draw((X.shape[1], *hidden, 10), bias=True, loss="cross_entropy", rng=rng)
    return start, Data(X[parts[0]], y[parts[0]], X[parts[1]], y[parts[1]]), error, None


def interval(values):
    """Return mean and 95 % t-interval."""
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        return float(values.mean()), math.nan, math.nan
    half = stats.t.ppf(0.975, values.size - 1) * values.std(ddof=1) / math.sqrt(values.size)
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def ratio(others, ours):
    """Return the geometric mean of ratios of errors and its interval, as text."""
    middle, low, high = np.exp(interval(np.log(others) - np.log(ours)))
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]", int(low > 1) - int(high < 1)


def measure(make, hidden, training, seeds):
    """Return errors and savings of all rules and of the methods compared with them, and records of the units."""
    found, did = defaultdict(lambda: defaultdict(list)), defaultdict(lambda: defaultdict(list))
    for seed in range(seeds):
        start, data, error, teacher = make(seed, hidden)
        dense = NEq(EarlyStopping(2**62), training).run(start, data, rng=seed)
        found["nothing frozen"]["ours"].append(error(dense.model))
        for name, rule in rules(training, len(data.X) // training.batch_size).items():
            models = [start]
            one = NEq(rule, training).run(
                start, data, rng=seed, callback=lambda state, to=models: to.append(state.model)
            )
            row, spent = found[name], one.total
            row["ours"].append(error(one.model))
            row["saved"].append(spent.saved)
            row["counted"].append(spent.counted_saved)
            row["booked"].append(spent.booked_saved)
            others = {
                "random": RandomFreezing.like(one.frozen),
                "stop": EarlyStopping(spent.executed),
                "shorter": EarlyStopping(spent.executed, compressed=True),
                "stop, all": EarlyStopping(spent.executed + spent.forward, counted="all"),
            }
            for other, baseline in others.items():
                row[other].append(error(NEq(baseline, training).run(start, data, rng=seed).model))
            did[name]["thaws"].append([one.thaws(level, after) for level in range(len(hidden)) for after in (1, 2, 3)])
            if teacher is not None and len(hidden) == 1:
                did[name]["related"].append(aligned(one, teacher))
                did[name]["slopes"] += slopes(one, models, data)
    return found, did


def report(name, found, seeds):
    """Print the table of a task, and the number of thresholds at which NEq is better."""
    others = ("random", "stop", "shorter", "stop, all")
    middle, low, high = interval(found["nothing frozen"]["ours"])
    print(f"\n### {name}: error with nothing frozen {middle:.4f} [{low:.4f}, {high:.4f}], {seeds} seeds\n")
    rows, verdicts = [], defaultdict(list)
    for rule, row in found.items():
        if rule == "nothing frozen":
            continue
        middle, low, high = interval(row["ours"])
        cells = []
        for other in others:
            words, verdict = ratio(row[other], row["ours"])
            cells.append(words)
            verdicts[other].append(verdict)
        shares = [f"{np.mean(row[kind]):.1%}" for kind in ("saved", "counted", "booked")]
        rows.append((rule, *shares, f"{middle:.4f} [{low:.4f}, {high:.4f}]", *cells))
    header = ("threshold", "executed savings", "counted", "booked", "error of NEq")
    print(table((*header, *(f"{other} / NEq" for other in others)), rows))
    said = [
        f"{other}: better {verdict.count(1)}, worse {verdict.count(-1)}, undecided {verdict.count(0)}"
        for other, verdict in verdicts.items()
    ]
    print(f"\nNEq over {len(rows)} thresholds against {'; '.join(said)}.")


def units(did, seeds, hidden):
    """Print thaws, and for one hidden layer the freeze times against alignment, and gradients at freezing."""
    rows = []
    for name, row in did.items():
        counts = np.mean(row["thaws"], axis=0).reshape(len(hidden), 3)
        cells = ["; ".join(", ".join(f"{value:.1f}" for value in layer) for layer in counts)]
        if "related" in row:
            middle, low, high = interval([value for value in row["related"] if not math.isnan(value)] or [math.nan])
            cells.append(f"{middle:+.2f} [{low:+.2f}, {high:+.2f}]")
            quartiles = np.quantile(row["slopes"], (0.25, 0.5, 0.75)) if row["slopes"] else []
            cells.append(", ".join(f"{value:.2f}" for value in quartiles))
        rows.append((name, *cells))
    header = ("threshold", "thaws after 1, 2, 3 frozen epochs, by layer", "rank correlation", "gradient when frozen")
    print("\n" + table(header[: len(rows[0])], rows))
    print(f"\nMean thaws of {seeds} seeds.", end=" ")
    if len(rows[0]) > 2:
        print(
            "Rank correlation of the epoch from which a unit was frozen for good with its largest |cosine|\n"
            "with a unit of the teacher at the end: if above 0, units that match one froze later. Quartiles of the\n"
            "gradients of units when they froze, over all rows, divided by the median of the trained units.",
            end="",
        )
    print()


def aligned(one, teacher):
    """Return the rank correlation of freeze times and alignment with a teacher's unit."""
    still = np.cumsum(~one.frozen[0][::-1], axis=0) == 0  # frozen from here to the end, last epoch first
    when = one.n_epochs - still.sum(axis=0)
    found, true = one.model.layers[0], teacher.layers[0]
    cosines = np.abs((found / np.linalg.norm(found, axis=0)).T @ (true / np.linalg.norm(true, axis=0)))
    return float(stats.spearmanr(when, cosines.max(axis=1)).statistic) if len(set(when)) > 1 else math.nan


def slopes(one, models, data):
    """Return the gradients of units when they froze, relative to the median of the units that went on training."""
    found, frozen = [], one.frozen[0]
    for t in range(1, one.n_epochs):
        fresh = frozen[t] & ~frozen[t - 1]
        if not fresh.any() or frozen[t].all():
            continue
        layers = list(models[t].matrices)
        values = forward(layers, data.X)
        outward = loss_and_gradient(values[-1], data.y[:, None], "squared").gradient
        size = np.linalg.norm(gradients(layers, values, outward)[0], axis=0)
        middle = np.median(size[~frozen[t]])
        found += (size[fresh] / middle).tolist() if middle > 0 else []
    return found


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--full", action="store_true", help="20 seeds, and deeper networks, too")
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--tasks", nargs="*", default=None, help="planted, digits, planted-deep, digits-deep")
    options = parser.parse_args(arguments)
    tasks = {
        "planted": (planted_task, (40,), PLANTED),
        "digits": (digits_task, (60,), DIGITS),
        "planted-deep": (planted_task, (40, 40), PLANTED),
        "digits-deep": (digits_task, (60, 60), DIGITS),
    }
    seeds = options.seeds or (20 if options.full else 5)
    begin = time.perf_counter()
    print(machine())
    with threadpool_limits(1):
        for name in options.tasks or list(tasks)[: 4 if options.full else 2]:
            make, hidden, training = tasks[name]
            found, did = measure(make, hidden, training, seeds)
            report(name, found, seeds)
            units(did, seeds, hidden)
    print(f"\n{time.perf_counter() - begin:.0f} s in all.")


if __name__ == "__main__":
    main()
