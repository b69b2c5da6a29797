"""Damping of Optimal Brain Surgeon in a ReLU network: the loss after pruning and compensation.

Run from the repository root: ``python -m benchmarks.obs_damping [--seeds 3] [--keep 80]``. Trained networks 8-12-3 with
biases and squared loss are pruned once and not retrained.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.machine import machine, table
from recovery.pruning import Compensation, Method, Model, Obs, Training, prune

DAMPINGS = (1e-6, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1)


def trained(seed):
    """Return data and a network trained on them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((300, 8))
    Y = Model.draw((8, 5, 3), rng=rng, initialisation=0.6)(X) + 0.3 * rng.standard_normal((300, 3))
    training = Training(n_iter=1500, learning_rate=1e-2, schedule="cosine")
    dense = Method("dense", "magnitude", training=training, retraining=None)
    return X, Y, prune(Model.draw((8, 12, 3), rng=rng, bias=True), (X, Y), dense, sparsity=None).model


def row(seed, keep):
    """Return the losses of one network: dense, by OBS for each damping, by OBD and by magnitude."""
    X, Y, model = trained(seed)

    def loss(criterion, weight_map=None):
        method = Method("m", criterion, source="start", rewind="start", weight_map=weight_map, retraining=None)
        found = prune(model, (X, Y), method, sparsity=keep).model
        return ((found(X) - Y) ** 2).sum() / (2 * len(X))

    rules = [Obs("hessian", damping=damping) for damping in DAMPINGS]
    dense = ((model(X) - Y) ** 2).sum() / (2 * len(X))
    return [dense, *(loss(rule, Compensation(rule)) for rule in rules), loss("obd"), loss("magnitude")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=int, default=80, help="number of weights to keep, of 132")
    options = parser.parse_args()
    print(f"{machine()}\n")
    header = ["seed", "dense", *(f"{damping:g}" for damping in DAMPINGS), "OBD", "magnitude"]
    rows = [[seed, *(f"{value:.3g}" for value in row(seed, options.keep))] for seed in range(options.seeds)]
    print(table(header, rows))


if __name__ == "__main__":
    main()
