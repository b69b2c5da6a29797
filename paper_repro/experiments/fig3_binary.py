"""Figure 3, two classes: telling the digits 0 and 1 apart with few weights, over width m and sparsity s.

As in the paper's release, the training and test images of MNIST are pooled per class, the first
5,000 of each class train and the next 1,000 test; one pass over minibatches of 1,000 images is an
epoch, there are 15, and a prediction above 1/2 counts as a one. Where MNIST is not found, the
digits of scikit-learn (8 x 8 pixels) stand in, with smaller sizes, and the title says so.

Simpler models are computed beside: one neuron with 10 pixels, and dense linear least squares, once on
the labels 0 and 1 with an intercept, once on labels -1 and 1 without (the two differ more than the
networks do: without an intercept a linear model depends on how the classes are coded).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import recovery
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import LABELS, METHODS, fit_arrays, grid_of_means, stream
from paper_repro.store import Record
from planted import arrays, datasets, downloads

__all__ = ["EXPERIMENT", "Fig3Cell", "Fig3Preset"]

LINEAR = {
    "least-squares": "least squares, all pixels and intercept",
    "least-squares-signs": "least squares, all pixels, labels ±1",
}
NEURON_PIXELS = 10
THRESHOLD = 0.5


@dataclass(frozen=True)
class Fig3Cell:
    """One classifier, trained on `n_train` and tested on `n_test` images of each class."""

    m: int
    s: int
    seed: int
    method: str
    data: str
    n_train: int
    n_test: int
    batch_size: int
    epochs: int = 15
    dtype: str = "float64"


@dataclass(frozen=True)
class Fig3Preset:
    """A grid, for MNIST; the digits of scikit-learn use the same grid on smaller data."""

    m: tuple[int, ...]
    s: tuple[int, ...]
    seeds: int
    n_train: int = 5_000
    n_test: int = 1_000
    batch_size: int = 1_000


PRESETS = {
    "smoke": Fig3Preset(m=(1, 10), s=(5, 20), seeds=1, n_train=500, n_test=200, batch_size=200),
    "quick": Fig3Preset(m=(1, 10, 100), s=(5, 20, 200), seeds=1),
    "cpu": Fig3Preset(m=(1, 2, 5, 10, 20, 50, 100, 200), s=(1, 2, 5, 10, 20, 50, 100, 200), seeds=3),
    "paper": Fig3Preset(m=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), s=(1, 2, 5, 10, 20, 50, 100, 200), seeds=3),
}
PIXELS = {"mnist": 784, "digits": 64}
TITLES = {"mnist": "MNIST, 0 against 1", "digits": "scikit-learn digits (MNIST was not found), 0 against 1"}


def data_name() -> str:
    """Return "mnist" where its files are found, and "digits" elsewhere; the files are not read for that."""
    folder = datasets.data_folder() / "mnist"
    found = all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in downloads.MNIST_MD5)
    return "mnist" if found else "digits"


def cells(preset: str, seed: int) -> list[Fig3Cell]:
    """Return the cells of a preset: both methods on the grid, and the simpler models."""
    grid, data = PRESETS[preset], data_name()
    sizes = (grid.n_train, grid.n_test, grid.batch_size) if data == "mnist" else (140, 37, 28)
    made = [
        Fig3Cell(m, s, seed + trial, method, data, *sizes)
        for method in METHODS
        for m, s in [*((m, s) for m in grid.m for s in grid.s if s <= PIXELS[data] * m), (1, NEURON_PIXELS)]
        for trial in range(grid.seeds)
    ]
    made += [Fig3Cell(0, PIXELS[data], seed, method, data, *sizes) for method in LINEAR]
    return list(dict.fromkeys(made))


def cost(cell: Fig3Cell) -> float:
    """Return what a cell costs: minibatch steps with the gates of all neurons, and reading the data."""
    width = cell.m if cell.method == "released" else 2 * cell.m
    return cell.epochs * 2.0 * cell.n_train * (PIXELS[cell.data] * (width + 5.0) + 20.0 * cell.s)


@functools.lru_cache(maxsize=1)
def _images(data: str, n_train: int, n_test: int, dtype: str) -> tuple[np.ndarray, ...]:
    pair = datasets.binary_pair(getattr(datasets, data)(), 0, 1, n_train=n_train, n_test=n_test)
    return tuple(part.astype(dtype) for part in (pair.x_train, pair.y_train, pair.x_test, pair.y_test))


def compute(cell: Fig3Cell, device: str) -> Outcome:
    """Train and test a cell.

    Parameters
    ----------
    cell : Fig3Cell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs.

    Returns
    -------
    metrics : dict
        ``accuracy`` on the test images and ``train_accuracy``, shares between 0 and 1.
    arrays : dict
        The network, or the weights of the linear model.
    """
    X_train, y_train, X_test, y_test = (
        arrays.asarray(part, device) for part in _images(cell.data, cell.n_train, cell.n_test, cell.dtype)
    )
    if cell.method in LINEAR:
        return _linear(cell, X_train, y_train, X_test, y_test)
    batches = -(-X_train.shape[0] // cell.batch_size)
    fit = recovery.fit_network(
        X_train,
        y_train,
        n_neurons=cell.m,
        sparsity=cell.s,
        method=cell.method,
        n_iter=cell.epochs * batches,
        batch_size=cell.batch_size,
        rng=stream("fig3-binary", "fit", cell.m, cell.s, cell.seed),
    )
    scores = [_accuracy(fit.network(X), y) for X, y in ((X_test, y_test), (X_train, y_train))]
    metrics = {"accuracy": scores[0], "train_accuracy": scores[1], "status": fit.status.name}
    return metrics, fit_arrays(fit.network)


def _linear(cell: Fig3Cell, X_train: Any, y_train: Any, X_test: Any, y_test: Any) -> Outcome:
    """Fit all pixels by least squares of minimum norm and score as the networks are scored."""
    xp = arrays.namespace(X_train)
    signs = cell.method == "least-squares-signs"
    scale, shift = (2.0, -1.0) if signs else (1.0, 0.0)

    def design(X: Any) -> Any:
        return X if signs else xp.concatenate([X, xp.ones((X.shape[0], 1), dtype=X.dtype)], axis=1)

    weights = xp.linalg.lstsq(design(X_train), scale * y_train + shift, rcond=None)[0]
    scores = [_accuracy((design(X) @ weights - shift) / scale, y) for X, y in ((X_test, y_test), (X_train, y_train))]
    return {"accuracy": scores[0], "train_accuracy": scores[1]}, {"weights": arrays.to_numpy(weights)}


def _accuracy(prediction: Any, labels: Any) -> float:
    return float(((prediction > THRESHOLD) == (labels > THRESHOLD)).mean())


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return mean accuracies a grid point and method, single ones, and the simpler models."""
    grid = PRESETS[preset]
    data = str(records[0].cell.settings["data"])
    by_method = {
        method: [record for record in records if record.cell.settings["method"] == method]
        for method in (*METHODS, *LINEAR)
    }
    means = {method: grid_of_means(by_method[method], grid.m, grid.s, _score) for method in METHODS}
    # the paper's range shows nothing on grids without very small s; few digits need it again
    narrow = data == "mnist" and preset != "paper"
    width = min(grid.m, key=lambda m: abs(m - 100))
    baselines = _baselines(by_method)
    shown = [_score(record) for method in METHODS for record in by_method[method] if record.cell.settings["s"] >= 5]
    lowest = min([0.98, *shown, *(baseline["accuracy"] for baseline in baselines)])
    settings = records[0].cell.settings
    rows = [[method, m, *line] for method in METHODS for m, line in zip(grid.m, means[method], strict=True)]
    rows += [[baseline["label"], None, *[baseline["accuracy"]] * len(grid.s)] for baseline in baselines]
    seeds = ", ".join(str(seed + trial) for trial in range(grid.seeds))
    return {
        "subtitle": f"{TITLES[data]}\n{2 * settings['n_train']:,} training and {2 * settings['n_test']:,} test images, "
        f"{settings['epochs']} epochs, seed{'s' if grid.seeds > 1 else ''} {seeds}",
        "data": data,
        "methods": list(METHODS),
        "labels": LABELS,
        "m": list(grid.m),
        "s": list(grid.s),
        "possible": [[s <= PIXELS[data] * m for s in grid.s] for m in grid.m],
        "mean_accuracy": means,
        "colour_range": [0.95, 1.0] if narrow else [0.5, 1.0],
        "extend": "min" if narrow else "neither",
        "width": width,
        "at_width": {
            method: [
                {"s": s, "accuracy": value}
                for s, value in zip(grid.s, means[method][grid.m.index(width)], strict=True)
                if value is not None
            ]
            for method in METHODS
        },
        "points": {
            method: [
                {"s": record.cell.settings["s"], "accuracy": _score(record)}
                for record in by_method[method]
                if record.cell.settings["m"] == width
            ]
            for method in METHODS
        },
        "baselines": baselines,
        "compare_range": [lowest - 0.1 * (1 - lowest), 1.0 + 0.02 * (1 - lowest)],
        "notes": [f"Data: {TITLES[data]}. Test accuracy, mean over the seeds."]
        + ([] if data == "mnist" else ["`paper-repro doctor` says where MNIST is looked for."]),
        "table": {"columns": ["method", "m \\ s", *(str(s) for s in grid.s)], "rows": rows},
    }


def _score(record: Record) -> float:
    return float(record.metrics["accuracy"])


def _baselines(by_method: dict[str, list[Record]]) -> list[dict[str, Any]]:
    neuron = [
        _score(record)
        for record in by_method["released"]
        if (record.cell.settings["m"], record.cell.settings["s"]) == (1, NEURON_PIXELS)
    ]
    found = []
    if neuron:
        found.append({"label": f"one neuron, {NEURON_PIXELS} pixels", "accuracy": sum(neuron) / len(neuron)})
    found += [
        {"label": label, "accuracy": _score(record)}
        for method, label in LINEAR.items()
        for record in by_method[method][:1]
    ]
    return found


EXPERIMENT = Experiment(
    name="fig3-binary",
    version=1,
    title="Telling two digits apart with few weights: test accuracy",
    module=__name__,
    settings=Fig3Cell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
)
