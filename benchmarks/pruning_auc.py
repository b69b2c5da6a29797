"""How well each pruning criterion identifies a planted support: AUC on a linear model, before and after training.

Run from the repository root::

    python -m benchmarks.pruning_auc [--seeds 60] [--d 200] [--s 20]

The planted model has s of d weights, +-1 or standard normal. Inputs are standard normal, targets have no noise, and
training starts at normal weights with a small standard deviation. The AUC is the probability that a weight on the
support has a higher score than a weight off the support (1 is perfect, 1/2 is chance). The table has means over the
seeds, with standard deviations in brackets. Below it are expected statements, each with the measured number.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import rankdata

from benchmarks.machine import machine, table
from linear_lottery import Flow
from recovery import pruning

AT_START = ("snip", "grasp", "grasp, unsigned", "synflow", "magnitude", "random")
TRAINED = ("magnitude", "obd", "iht")
SETTINGS = (
    (4000, "+-1", 0.05),
    (400, "+-1", 0.05),
    (100, "+-1", 0.05),
    (4000, "normal", 0.05),
    (4000, "+-1", 0.2),
)
"""Samples, values of the planted weights, standard deviation of the start."""
BASE, NORMAL = SETTINGS[0], SETTINGS[3]


def auc(scores, support):
    """Return the rank AUC of scores for a boolean support; ties count half."""
    ranks = rankdata(scores)
    inside, outside = int(support.sum()), int((~support).sum())
    return float((ranks[support].sum() - inside * (inside + 1) / 2) / (inside * outside))


def problem(n, d, s, values, deviation, seed):
    """Return inputs, targets, the support and the start of one draw."""
    rng = np.random.default_rng(seed)
    w = np.zeros(d)
    places = rng.permutation(d)[:s]
    w[places] = rng.choice([-1.0, 1.0], s) if values == "+-1" else rng.standard_normal(s)
    X = rng.standard_normal((n, d))
    return X, X @ w, w != 0, deviation * rng.standard_normal(d)


def grasp_magnitude(view):
    """Return |w H g|, GraSP without its sign."""
    return [abs(layer) for layer in pruning.Grasp()(view)]


def one(n, values, deviation, seed, d=200, s=20):
    """Return the AUCs of one draw: {(criterion, where): AUC}."""
    X, y, support, start = problem(n, d, s, values, deviation, seed)
    found = {}
    for name in AT_START:
        rule = grasp_magnitude if name == "grasp, unsigned" else name
        scores = pruning.score(start, (X, y), rule, rng=seed)
        found[name, "start"] = auc(scores[0][:, 0], support)
    dense = pruning.catalogue(Flow())["magnitude"].replace(retraining=None)
    end = pruning.prune(start, (X, y), dense, sparsity=d).model  # all weights, trained
    for name in ("magnitude", "obd"):
        found[name, "trained"] = auc(pruning.score(end, (X, y), name)[0][:, 0], support)
    # plain gradient steps, below 2 / (largest eigenvalue of X'X / n)
    step = 1.0 / (1 + np.sqrt(d / n)) ** 2
    n_iter = 40 if n >= 10 * d else 300  # at n = 10 d a step takes the error down by .7 and more
    iht = pruning.catalogue(pruning.Training(n_iter=n_iter, learning_rate=step))["iht"]
    result = pruning.prune(start, (X, y), iht, sparsity=s)
    found["iht", "trained"] = auc(np.abs(result.model.layers[0]), support)
    return found


def measure(seeds, settings=SETTINGS, d=200, s=20):
    """Return {setting: {(criterion, where): array of AUCs}}."""
    found = {}
    for n, values, deviation in settings:
        draws = [one(n, values, deviation, seed, d, s) for seed in range(seeds)]
        found[n, values, deviation] = {key: np.array([draw[key] for draw in draws]) for key in draws[0]}
    return found


def statements(found):
    """Return (text, number, whether it holds) for each expected statement."""
    base, normal = found[BASE], found[NORMAL]
    mean = {key: float(values.mean()) for key, values in base.items()}
    rows = [("SNIP at the start, +-1: .95 +- .02", mean["snip", "start"], abs(mean["snip", "start"] - 0.95) <= 0.02)]
    for name in ("grasp", "synflow", "magnitude", "random"):
        number = mean[name, "start"]
        rows.append((f"{name} at the start, +-1: .5 +- .05", number, abs(number - 0.5) <= 0.05))
    number = float(normal["snip", "start"].mean())
    rows.append(("SNIP at the start, normal values: .87 +- .02", number, abs(number - 0.87) <= 0.02))
    for name in TRAINED:
        number = mean[name, "trained"]
        rows.append((f"{name} after training: 1.0", number, number >= 0.9995))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--d", type=int, default=200)
    parser.add_argument("--s", type=int, default=20)
    options = parser.parse_args()
    print(f"{machine()}; {options.seeds} seeds, d={options.d}, s={options.s}\n")
    found = measure(options.seeds, d=options.d, s=options.s)
    header = ["criterion", *(f"n={n:,}, {values}, start {deviation}" for n, values, deviation in found)]
    rows = []
    for key in found[BASE]:
        cells = [f"{values[key].mean():.3f} ({values[key].std(ddof=1):.3f})" for values in found.values()]
        rows.append([f"{key[0]}, {'at the start' if key[1] == 'start' else 'trained'}", *cells])
    print(table(header, rows), "\n")
    for words, number, holds in statements(found):
        print(f"{words}: {number:.3f} {'holds' if holds else 'FAILS'}")


if __name__ == "__main__":
    main()
