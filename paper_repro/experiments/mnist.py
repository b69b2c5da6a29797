"""Figures 3 and 8: classification of digits with few weights, over width m and sparsity s.

Two classes (0 and 1): the target is 0 or 1, the loss is squared, and an output above 1/2 counts as a one; minibatches
of 1,000 images, 15 epochs at the paper's size. Ten classes: networks with ten outputs, trained on the cross-entropy;
the largest output counts; minibatches of 5,000 images, 50 epochs; the s weights are those of all layers. Simpler models
are included for comparison: dense linear ones, and for two classes one neuron with 10 pixels. Figure 8 shows standard
deviations over the seeds, above the means.

As in the paper's release, the training and test images of MNIST are pooled per class, the first 5,000 of each class are
for training and the next 1,000 for testing. If MNIST is not found, scikit-learn's digits (8 x 8 pixels) are used
instead, at smaller sizes, and the titles say so.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from paper_repro import verdicts
from paper_repro.claims import Claim, against
from paper_repro.experiment import Experiment, Outcome
from paper_repro.experiments.common import fit_arrays, series_125, stream
from paper_repro.experiments.grids import (
    DEPTH_NAMES,
    LABELS,
    METHODS,
    SPREAD_NOTE,
    Grid,
    deviations_of,
    extras_table,
    fits,
    meanings,
    means_of,
    panel_row,
    trials,
    values_table,
)
from paper_repro.results import rows_of
from paper_repro.store import Record
from paper_repro.verdicts import Measured, Trials
from planted import datasets, downloads
from planted.base import arrays
from planted.base.extras import need
from planted.base.quiet import quiet

__all__ = [
    "EXPERIMENTS",
    "FIG3_BINARY",
    "FIG3_DIGITS",
    "FIG8_BINARY",
    "FIG8_DIGITS",
    "LINEAR",
    "NEURON_PIXELS",
    "PIXELS",
    "TITLES",
    "BinaryCell",
    "DigitsCell",
    "MnistCell",
    "MnistPreset",
    "cells_of",
    "companion_of",
    "compute",
    "cost",
    "data_in_words",
    "data_name",
    "data_of",
    "fit_linear",
    "images",
    "level_of",
    "linear_models",
    "robust",
    "subtitle",
    "summary_of",
]


LINEAR = {
    "binary": {
        "least-squares": "least squares, all pixels and intercept",
        "least-squares-signs": "least squares, all pixels, labels ±1",
        "logistic": "logistic regression, all pixels",
    },
    "digits": {
        "least-squares": "least squares, all pixels and intercept",
        "logistic": "logistic regression, all pixels",
    },
}
"""Models of each task, with their names in figures. Without an intercept a linear model depends on how two classes are
coded, and the two codings differ more than the networks do."""
LOGISTIC_STEPS = 300


def fit_linear(method: str, X: Any, y: Any, threshold: float | None) -> tuple[Callable[[Any], Any], np.ndarray]:
    """Fit a linear model on all pixels.

    Parameters
    ----------
    method : {"least-squares", "least-squares-signs", "logistic"}
        Least squares of minimum norm on the labels (0 and 1, or rows of the unit matrix) with an intercept; on labels
        -1 and 1 without one; or logistic regression as scikit-learn has it (an l2 penalty with C = 1, an intercept,
        at most :data:`LOGISTIC_STEPS` steps), which is computed on the CPU.
    X : array, shape (n, d)
        Images.
    y : array, shape (n,)
        Class numbers.
    threshold : float or None
        Two classes: what an output must exceed to count as class 1. None: the largest output counts.

    Returns
    -------
    predict : callable
        From images to outputs, of shape (n,) for two classes and (n, k) else.
    weights : numpy.ndarray
        One column an output; the last row is the intercept (but for labels -1 and 1).
    """
    xp = arrays.namespace(X)
    two = threshold is not None
    if method == "logistic":
        weights = _logistic(arrays.to_numpy(X), arrays.to_numpy(y), two)
        inside = xp.asarray(weights)
        # decisions of two classes: the logit is compared with 0 where outputs are compared with the threshold
        shift = threshold if threshold is not None else 0.0
        return (lambda Z: Z @ inside[:-1] + inside[-1] + shift), weights
    if method == "least-squares-signs":
        solved = xp.linalg.lstsq(X, 2.0 * y - 1.0, rcond=None)[0]
        return (lambda Z: (Z @ solved + 1.0) / 2.0), arrays.to_numpy(solved)
    targets = y if two else (y[:, None] == xp.arange(int(y.max()) + 1, dtype=y.dtype)).astype(X.dtype)
    solved = xp.linalg.lstsq(xp.concatenate([X, xp.ones_like(X[:, :1])], axis=1), targets, rcond=None)[0]
    return (lambda Z: Z @ solved[:-1] + solved[-1]), arrays.to_numpy(solved)


def _logistic(X: np.ndarray, y: np.ndarray, two: bool) -> np.ndarray:
    ConvergenceWarning = need("sklearn.exceptions").ConvergenceWarning
    LogisticRegression = need("sklearn.linear_model").LogisticRegression

    model = LogisticRegression(max_iter=LOGISTIC_STEPS)
    # the accuracy is settled long before the weights are, which is all that a line in a figure needs
    with quiet(ConvergenceWarning):
        model.fit(X, y.astype(np.int64))
    weights = np.concatenate([model.coef_.T, model.intercept_[None, :]]).astype(X.dtype)
    return weights[:, 0] if two else weights


PIXELS = {"mnist": 784, "digits": 64}
THRESHOLD = 0.5


@dataclass(frozen=True)
class MnistCell:
    """One pass: a network (or for IMP, the networks of all sparsities `s`), tested on `n_test` images of each class.

    `n_train`, `n_test` are images a class. `pixels` is "unit" (divided by their largest value) or "raw". The fair IMP
    makes `imp_updates` a round and `fine_tune` after the last one, on batches of the same size.
    """

    task: ClassVar[str]
    classes: ClassVar[tuple[int, ...]]
    scaling: ClassVar[str]
    """`pixels` of the networks; linear models always see unit pixels."""

    m: int
    depth: int
    s: tuple[int, ...]
    seed: int
    method: str
    data: str
    n_train: int
    n_test: int
    batch_size: int
    epochs: int
    pixels: str
    imp_updates: int | None = None
    fine_tune: int | None = None
    dtype: str = "float64"

    def __post_init__(self) -> None:
        object.__setattr__(self, "s", tuple(self.s))  # JSON knows lists only

    @property
    def batches(self) -> int:
        """Number of minibatches in an epoch."""
        return -(-len(self.classes) * self.n_train // self.batch_size)


@dataclass(frozen=True)
class MnistPreset:
    """Grids and sizes; `standin` are the images a class and the batch size for the digits of scikit-learn."""

    grids: tuple[Grid, ...]
    seeds: int
    n_train: int
    n_test: int
    batch_size: int
    epochs: int
    imp_updates: int
    fine_tune: int
    standin: tuple[int, int, int]
    dtype: str = "float64"

    def sizes(self, data: str) -> tuple[int, int, int]:
        """Return training and test images a class, and the batch size."""
        return (self.n_train, self.n_test, self.batch_size) if data == "mnist" else self.standin


def data_name() -> str:
    """Return "mnist" if its files are found, otherwise "digits"; the files are not read."""
    folder = datasets.data_folder() / "mnist"
    found = all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in downloads.MNIST_MD5)
    return "mnist" if found else "digits"


def possible(kind: type[MnistCell], data: str, depth: int, m: int, s: int) -> bool:
    """Return whether a network has `s` weights that count: the hidden ones, and with several outputs theirs, too."""
    outputs = 0 if len(kind.classes) == 2 else m * len(kind.classes)
    return s <= PIXELS[data] * m + (depth - 1) * m * m + outputs


def cells_of(
    kind: type[MnistCell], grid: MnistPreset, seed: int, further: Sequence[tuple[int, int]] = ()
) -> list[MnistCell]:
    """Return the cells of a preset: four methods on the grids, and the linear models.

    Parameters
    ----------
    kind : type
        Of the cells.
    grid : MnistPreset
        Grids and sizes.
    seed : int
        First seed.
    further : sequence of (m, s)
        Further networks of one hidden layer, by the paper's method.

    Returns
    -------
    list of MnistCell
        One per fit for IHT, one per pass over all sparsities for IMP.
    """
    data = data_name()
    sizes = (data, *grid.sizes(data), grid.epochs)
    made: list[MnistCell] = []
    for trial in range(seed, seed + grid.seeds):
        for part in grid.grids:
            for m in part.m:
                there = tuple(s for s in part.s if possible(kind, data, part.depth, m, s))
                for method in METHODS if there else ():
                    fair = method == "imp-fair"
                    made += [
                        kind(
                            m,
                            part.depth,
                            asked,
                            trial,
                            method,
                            *sizes,
                            kind.scaling,
                            imp_updates=grid.imp_updates if fair else None,
                            fine_tune=grid.fine_tune if fair else None,
                            dtype=grid.dtype,
                        )
                        for asked in ([there] if method.startswith("imp-") else [(s,) for s in there])
                    ]
        made += [kind(m, 1, (s,), trial, "paper", *sizes, kind.scaling, dtype=grid.dtype) for m, s in further]
    made += [
        kind(0, 1, (PIXELS[data],), seed, method, *sizes, "unit", dtype=grid.dtype) for method in LINEAR[kind.task]
    ]
    return list(dict.fromkeys(made))


@functools.lru_cache(maxsize=1)
def images(data: str, classes: int, n_train: int, n_test: int, pixels: str, dtype: str) -> tuple[np.ndarray, ...]:
    """Return training images and labels, test images and labels, in `dtype`; the last answer is kept."""
    dataset = getattr(datasets, data)()
    if classes == 2:
        chosen = datasets.binary_pair(dataset, 0, 1, n_train=n_train, n_test=n_test, pixels=pixels)
    else:
        chosen = datasets.all_classes(dataset, n_train=n_train, n_test=n_test, pixels=pixels, dtype=dtype)
    return tuple(part.astype(dtype) for part in (chosen.x_train, chosen.y_train, chosen.x_test, chosen.y_test))


def compute(cell: MnistCell, device: str) -> Outcome:
    """Train and test a cell.

    Parameters
    ----------
    cell : MnistCell
        The settings.
    device : {"cpu", "gpu"}
        Where the fit runs.

    Returns
    -------
    metrics : dict
        ``fits``, for each sparsity a dict with ``accuracy`` on the test images, ``train_accuracy`` (shares between 0
        and 1), ``nonzeros`` (of all layers), ``hidden_nonzeros``, ``n_iter``, ``status``.
        For a linear model ``accuracy`` and ``train_accuracy``.
    arrays : dict
        For each sparsity what :func:`paper_repro.experiments.common.fit_arrays` returns, its names led by ``s{s}_``;
        or the ``weights`` of the linear model.
    """
    binary = len(cell.classes) == 2
    X, y, X_test, y_test = (
        arrays.asarray(part, device)
        for part in images(cell.data, len(cell.classes), cell.n_train, cell.n_test, cell.pixels, cell.dtype)
    )
    decide = _ones if binary else _largest
    if cell.method in LINEAR[cell.task]:
        predict, weights = fit_linear(cell.method, X, y, THRESHOLD if binary else None)
        return _shares(predict, decide, X, y, X_test, y_test), {"weights": weights}
    found = fits(
        cell.method,
        X,
        y,
        m=cell.m,
        depth=cell.depth,
        sparsities=cell.s,
        n_iter=cell.epochs * cell.batches,
        imp_updates=cell.imp_updates,
        imp_fine_tune=cell.fine_tune,
        imp_batch_size=cell.batch_size,
        loss="squared" if binary else "cross_entropy",
        batch_size=cell.batch_size,
        rng=lambda: stream(f"fig3-{cell.task}", "fit", cell.depth, cell.m, *cell.s, cell.seed),
    )
    rows: list[dict[str, Any]] = []
    kept: dict[str, np.ndarray] = {}
    for s, fit in zip(cell.s, found, strict=True):
        counts = [int(np.count_nonzero(arrays.to_numpy(layer))) for layer in fit.network.layers]
        rows.append(
            {
                "s": s,
                **_shares(fit.network, decide, X, y, X_test, y_test),
                "nonzeros": sum(counts),
                "hidden_nonzeros": sum(counts[:-1]),
                "n_iter": fit.n_iter,
                "status": fit.status.name,
            }
        )
        kept.update({f"s{s}_{name}": values for name, values in fit_arrays(fit.network).items()})
    return {"fits": rows}, kept


def cost(cell: MnistCell) -> float:
    """Return what a cell costs: products of minibatches with the first layer, and for IMP its many rounds."""
    if cell.method in LINEAR[cell.task]:
        return 1e3 * len(cell.classes) * cell.n_train * PIXELS[cell.data]
    d = PIXELS[cell.data]
    step = cell.batch_size * (d * (cell.m + 5.0) + (cell.depth - 1) * cell.m * cell.m + 20.0 * max(cell.s))
    steps = cell.epochs * cell.batches * cell.depth
    if cell.method.startswith("imp-"):
        rounds = np.log(max(2.0, d * cell.m / min(cell.s))) / 0.105
        return float(step * rounds * (cell.imp_updates or cell.epochs * cell.batches))
    return step * steps * (1.0 if cell.method == "paper" else 2.0)


def _ones(outputs: Any) -> Any:
    return outputs > THRESHOLD


def _largest(outputs: Any) -> Any:
    return outputs.argmax(axis=1)


def _shares(
    predict: Callable[[Any], Any], decide: Callable[[Any], Any], X: Any, y: Any, X_test: Any, y_test: Any
) -> dict[str, float]:
    return {
        name: float((decide(predict(part)) == labels).mean())
        for name, part, labels in (("accuracy", X_test, y_test), ("train_accuracy", X, y))
    }


TITLES = {"mnist": "MNIST", "digits": "scikit-learn digits (MNIST was not found)"}
EXTRAS = {
    "accuracy": "test accuracy",
    "train_accuracy": "training accuracy",
    "nonzeros": "non-zero weights, output layer included",
}
CLAIM = "IHT is more robust over (m, s) than IMP"
RULE = (
    "both methods fit the same images, for each (m, s) and seed. IHT as in the paper must have the higher test "
    "accuracy in more than half of these pairs of fits, where a pair within {:.1f} % counts half. Also, its worst cell "
    "(mean over the seeds) must be above IMP's worst cell by more than that"
)
LEVEL = 0.005
PAPER = (5_000, 1_000)
"""The paper's training and test images of each class."""
SCALINGS = {
    "unit": "Pixels from 0 to 1.",
    "raw": "Pixels as in the files (0 to 255 for MNIST), as in the authors' released code, whose fixed step depends on "
    "them; linear models see pixels from 0 to 1.",
}
Means = dict[tuple[int, int], float]


def summary_of(
    kind: type[MnistCell],
    grid: MnistPreset,
    seed: int,
    records: Sequence[Record],
    *,
    words: str,
    limits: tuple[float, float],
    baselines: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Return what a figure shows.

    Parameters
    ----------
    kind : type
        Of the cells.
    grid : MnistPreset
        Grids and sizes.
    seed : int
        First seed.
    records : sequence of Record
        Finished cells.
    words : str
        The task, such as ``"0 against 1"``.
    limits : (float, float)
        Ends of the colours.
    baselines : sequence of dict
        Simpler models, each with ``label``, ``accuracy`` and ``linear``, the largest accuracy first.

    Returns
    -------
    dict
        See :mod:`paper_repro.experiments.grids`; and ``compare``, one panel a depth of accuracy against s at one width.
    """
    data = str(records[0].cell.settings["data"])
    each = _trials(grid, records)
    values = _lists(each)
    means = {key: means_of(found) for key, found in values.items()}
    rows = [_row(kind, data, part, means, "mean test accuracy", limits) for part in grid.grids]
    named = data_in_words(kind, data, grid.sizes(data), grid.seeds)
    images = len(kind.classes) * grid.sizes(data)[1]
    shown = [
        value for found in means.values() for (_, s), value in found.items() if s >= min(20, *grid.grids[0].s[-1:])
    ]
    lowest = min([0.98, *shown, *(model["accuracy"] for model in baselines)])
    best = max((model["accuracy"] for model in baselines if model["linear"]), default=math.nan)
    table = values_table(rows)
    table["rows"] += [
        ["simpler model", "test accuracy", model["label"], None, *[model["accuracy"]] * (len(table["columns"]) - 4)]
        for model in baselines
    ]
    depths = [part.depth for part in grid.grids]
    return {
        "subtitle": subtitle(kind, grid, seed, records[0], words),
        "data": data,
        "rows": rows,
        "depths": depths,
        "compare": [_compare(part, values[part.depth, method], method) for part, method in _all(grid)],
        "compare_range": [max(0.0, lowest - 0.1 * (1 - lowest)), 1.0 + 0.02 * (1 - lowest)],
        "baselines": list(baselines),
        "notes": [
            f"Data: {TITLES[data]}, {words}. Test accuracy, mean over the seeds. {SCALINGS[kind.scaling]}",
            *_against_linear(grid, means, best),
            *([] if data == "mnist" else ["`paper-repro doctor` shows where MNIST is looked for."]),
        ],
        "table": table,
        "meanings": _meanings(kind, grid, records[0]),
        "tables": [extras_table(records, depths, EXTRAS)],
        "claims": [
            _claim(words, depth, each, named, images).as_dict()
            for depth in depths
            if any(means[depth, method] for method in METHODS)
        ],
    }


def companion_of(
    kind: type[MnistCell],
    grid: MnistPreset,
    seed: int,
    records: Sequence[Record],
    *,
    words: str,
    limits: tuple[float, float],
) -> dict[str, Any]:
    """Return the companion: for each depth the standard deviations over the seeds above the means."""
    data = str(records[0].cell.settings["data"])
    values = _lists(_trials(grid, records))
    means = {key: means_of(found) for key, found in values.items()}
    spread = {key: deviations_of(found) for key, found in values.items()}
    largest = max((value for found in spread.values() for value in found.values()), default=0.0)
    rows = []
    for part in grid.grids:
        rows.append(_row(kind, data, part, spread, "standard deviation", (0.0, max(0.01, largest))))
        rows.append(_row(kind, data, part, means, "mean test accuracy", limits))
    return {
        "subtitle": subtitle(kind, grid, seed, records[0], words),
        "data": data,
        "rows": rows,
        "notes": [
            f"Data: {TITLES[data]}, {words}. Standard deviations of the test accuracy over {_seeds(grid, seed)}, "
            "above the means.",
            SPREAD_NOTE,
        ],
        "table": values_table(rows),
        "meanings": _meanings(kind, grid, records[0]),
    }


def _meanings(kind: type[MnistCell], grid: MnistPreset, record: Record) -> list[str]:
    one = kind(**record.cell.settings)
    return meanings(METHODS, steps=one.epochs * one.batches, imp_updates=grid.imp_updates)


def subtitle(kind: type[MnistCell], grid: MnistPreset, seed: int, record: Record, words: str) -> str:
    """Return data and settings, for under the title."""
    one = kind(**record.cell.settings)
    classes = len(one.classes)
    return (
        f"{TITLES[one.data]}, {words}\n{classes * one.n_train:,} training and {classes * one.n_test:,} test images, "
        f"{one.epochs} epochs of {one.batches} batches, {_seeds(grid, seed)}\n"
        f"IMP as in the paper: {one.epochs * one.batches:,} updates per round; fair IMP: {grid.imp_updates:,}, "
        f"and {grid.fine_tune:,} at the end"
    )


def robust(first: Trials, second: Trials, images: int) -> tuple[Measured, str]:
    """Compare the worst cells of two methods, as the claim of Figure 3 has it.

    Parameters
    ----------
    first, second : mapping of (m, s) to mapping of seed to float
        Test accuracies of IHT and of IMP.
    images : int
        Number of test images.

    Returns
    -------
    Measured
        The difference of the worst cells, first minus second, with its interval.
    str
        The numbers.
    """
    _, _, (ours, theirs) = verdicts.paired(first, second)
    found = verdicts.worst_difference(ours, theirs, slack=level_of(images))
    one, other = (float(np.nanmean(part, axis=1).min()) for part in (ours, theirs))
    return found, f"worst cell {one:.3f} against {other:.3f}, difference {found.interval(3)}"


def level_of(images: int) -> float:
    """Return the difference of two accuracies that counts as none: :data:`LEVEL`, or one test image if that is more."""
    return max(LEVEL, 1.01 / images)


def data_in_words(kind: type[MnistCell], data: str, sizes: tuple[int, int, int], seeds: int) -> str:
    """Return which data the cells use, and of what size.

    Parameters
    ----------
    kind : type
        Of the cells.
    data : {"mnist", "digits"}
        Where the images come from.
    sizes : (int, int, int)
        As :meth:`MnistPreset.sizes` returns them.
    seeds : int
        How many.

    Returns
    -------
    str
        A few words; a stand-in is called one.
    """
    classes = len(kind.classes)
    name = "MNIST" if data == "mnist" else "stand-in: scikit-learn digits, 8 x 8 pixels"
    size = f"{classes * sizes[0]:,} training and {classes * sizes[1]:,} test images, {seeds} seed{'s' * (seeds != 1)}"
    same = data == "mnist" and sizes[:2] == PAPER
    paper = "the paper's size" if same else f"the paper: MNIST, {classes * PAPER[0]:,} training images"
    return f"{name}, {size} ({paper})"


def _claim(
    words: str,
    depth: int,
    values: dict[tuple[int, str], dict[tuple[int, int], dict[int, float]]],
    data: str,
    images: int,
) -> Claim:
    return against(
        "Figure 3",
        f"{CLAIM} ({words}, {DEPTH_NAMES[depth]}).",
        RULE.format(100 * level_of(images)),
        lambda method: values[depth, method],
        data=data,
        tie=level_of(images),
        unit="",
        digits=3,
        beside={"worst cells": functools.partial(robust, images=images)},
    )


def data_of(kind: type[MnistCell], grid: MnistPreset) -> str:
    """Return which data a run of a preset uses on this machine, and of what size."""
    data = data_name()
    return data_in_words(kind, data, grid.sizes(data), grid.seeds)


def _trials(
    grid: MnistPreset, records: Sequence[Record]
) -> dict[tuple[int, str], dict[tuple[int, int], dict[int, float]]]:
    """Return the accuracies of all seeds on the grid; networks beside it, which are simpler models, are left out."""
    found = {}
    for part, method in _all(grid):
        values = trials(records, "accuracy", part.depth, method)
        found[part.depth, method] = {(m, s): values[m, s] for m, s in values if m in part.m and s in part.s}
    return found


def _lists(
    each: dict[tuple[int, str], dict[tuple[int, int], dict[int, float]]],
) -> dict[tuple[int, str], dict[tuple[int, int], list[float]]]:
    return {key: {cell: list(seeds.values()) for cell, seeds in found.items()} for key, found in each.items()}


def _all(grid: MnistPreset) -> list[tuple[Grid, str]]:
    return [(part, method) for part in grid.grids for method in METHODS]


def _row(
    kind: type[MnistCell],
    data: str,
    part: Grid,
    points: dict[tuple[int, str], Means],
    unit: str,
    limits: tuple[float, float],
) -> dict[str, Any]:
    return panel_row(
        DEPTH_NAMES[part.depth],
        unit,
        limits,
        part,
        {method: points[part.depth, method] for method in METHODS},
        lambda m, s: possible(kind, data, part.depth, m, s),
        digits=3 if unit == "standard deviation" or len(kind.classes) == 2 else 2,
    )


def _compare(part: Grid, values: dict[tuple[int, int], list[float]], method: str) -> dict[str, Any]:
    """Return accuracy against s at the width nearest to 100, mean and seeds."""
    width = min(part.m, key=lambda m: abs(m - 100))
    there = sorted(s for m, s in values if m == width)
    return {
        "depth": part.depth,
        "name": DEPTH_NAMES[part.depth],
        "label": LABELS[method],
        "width": width,
        "s": there,
        "mean": [means_of(values)[width, s] for s in there],
        "seeds": [values[width, s] for s in there],
    }


def _against_linear(grid: MnistPreset, means: dict[tuple[int, str], Means], best: float) -> list[str]:
    if not math.isfinite(best):
        return []
    notes = []
    for part in grid.grids:
        counts = [
            f"{LABELS[method]} {sum(value > best for value in means[part.depth, method].values())} of "
            f"{len(means[part.depth, method])}"
            for method in METHODS
            if means[part.depth, method]
        ]
        notes.append(f"Cells above the best linear model ({best:.4f}), {DEPTH_NAMES[part.depth]}: {', '.join(counts)}.")
    return notes


def _seeds(grid: MnistPreset, seed: int) -> str:
    numbers = ", ".join(str(seed + trial) for trial in range(grid.seeds))
    return f"seed{'s' if grid.seeds > 1 else ''} {numbers}"


def linear_models(task: str, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the linear models among the records with their test accuracies."""
    return [
        {"label": label, "accuracy": float(rows_of(record)[0]["accuracy"]), "linear": True}
        for method, label in LINEAR[task].items()
        for record in records
        if record.cell.settings["method"] == method
    ]


_BINARY_WORDS, BINARY_LIMITS = "0 against 1", (0.5, 1.0)
_DIGITS_WORDS, DIGITS_LIMITS = "ten classes", (0.1, 1.0)
NEURON_PIXELS = 10
_FEW, _MANY = (140, 37, 28), (140, 34, 140)
"""Training and test images a class and the batch size for the digits of scikit-learn, two classes and ten."""


@dataclass(frozen=True)
class BinaryCell(MnistCell):
    """One pass with two classes, labels 0 and 1."""

    task: ClassVar[str] = "binary"
    classes: ClassVar[tuple[int, ...]] = (0, 1)
    scaling: ClassVar[str] = "unit"


@dataclass(frozen=True)
class DigitsCell(MnistCell):
    """One pass with ten classes."""

    task: ClassVar[str] = "digits"
    classes: ClassVar[tuple[int, ...]] = tuple(range(10))
    scaling: ClassVar[str] = "raw"


def _grids(m: tuple[int, ...], s: tuple[int, ...]) -> tuple[Grid, ...]:
    return Grid(1, m, s), Grid(2, m, s)


_BINARY = {
    "smoke": MnistPreset(_grids((1, 5), (20,)), 1, 100, 100, 100, 2, 5, 20, (100, 37, 100)),
    "quick": MnistPreset(_grids((1, 10, 50), (5, 20, 200)), 2, 500, 1_000, 100, 15, 300, 1_000, _FEW, "float32"),
    "cpu": MnistPreset(
        _grids((1, 2, 5, 10, 20, 50, 100, 200), series_125(1, 200)), 3, 5_000, 1_000, 1_000, 15, 200, 1_000, _FEW
    ),
    "paper": MnistPreset(_grids(series_125(1, 1000), series_125(1, 200)), 3, 5_000, 1_000, 1_000, 15, 400, 2_000, _FEW),
}

_DIGITS = {
    "smoke": MnistPreset(_grids((10, 20), (100, 200)), 1, 50, 100, 250, 2, 5, 20, (50, 34, 250)),
    "quick": MnistPreset(_grids((10, 20), (100, 500, 2000)), 2, 200, 200, 200, 15, 200, 600, _MANY, "float32"),
    "cpu": MnistPreset(
        _grids((10, 20, 50, 100, 200), (100, 200, 500, 1000, 2000)), 3, 1_000, 1_000, 1_000, 50, 200, 1_000, _MANY
    ),
    "paper": MnistPreset(
        _grids(series_125(10, 1000), series_125(100, 2000)), 3, 5_000, 1_000, 5_000, 50, 400, 2_000, _MANY
    ),
}


def summarise_binary(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return heat maps of mean accuracies, the comparison with simpler models, tables and claims."""
    neuron = [
        float(row["accuracy"])
        for record in records
        if record.cell.settings["method"] == "paper" and record.cell.settings["depth"] == 1
        for row in rows_of(record)
        if (row["m"], row["s"]) == (1, NEURON_PIXELS)
    ]
    simple = linear_models("binary", records)
    if neuron:
        label = f"one neuron, {NEURON_PIXELS} pixels"
        simple.append({"label": label, "accuracy": sum(neuron) / len(neuron), "linear": False})
    return summary_of(
        BinaryCell,
        _BINARY[preset],
        seed,
        records,
        words=_BINARY_WORDS,
        limits=BINARY_LIMITS,
        baselines=sorted(simple, key=lambda model: -model["accuracy"]),
    )


def summarise_digits(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return heat maps of mean accuracies, the comparison with linear models, tables and claims."""
    return summary_of(
        DigitsCell,
        _DIGITS[preset],
        seed,
        records,
        words=_DIGITS_WORDS,
        limits=DIGITS_LIMITS,
        baselines=sorted(linear_models("digits", records), key=lambda model: -model["accuracy"]),
    )


_FULL_SIZE = "5,000 training images per class, m up to 1,000"
FIG3_BINARY = Experiment(
    name="fig3-binary",
    version=3,
    title="Classification of two digits with few weights: test accuracy",
    origin="Figure 3 of arXiv:2509.20323",
    full_size=_FULL_SIZE,
    module=__name__,
    settings=BinaryCell,
    presets=_BINARY,
    cells=lambda preset, seed: cells_of(BinaryCell, _BINARY[preset], seed, [(1, NEURON_PIXELS)]),
    cost=cost,
    compute=compute,
    summarise=summarise_binary,
    data=lambda preset: data_of(BinaryCell, _BINARY[preset]),
    layout="figures.classifiers",
    shows="two digits classified with s weights: test accuracy, compared with simple baselines",
    place=130,
)
FIG3_DIGITS = Experiment(
    name="fig3-digits",
    version=2,
    title="Classification of ten digits with few weights: test accuracy",
    origin="Figure 3 of arXiv:2509.20323",
    full_size=_FULL_SIZE,
    module=__name__,
    settings=DigitsCell,
    presets=_DIGITS,
    cells=lambda preset, seed: cells_of(DigitsCell, _DIGITS[preset], seed),
    cost=cost,
    compute=compute,
    summarise=summarise_digits,
    data=lambda preset: data_of(DigitsCell, _DIGITS[preset]),
    layout="figures.classifiers",
    shows="ten digits classified with s weights",
    place=130,
)
FIG8_BINARY = FIG3_BINARY.companion(
    "fig8-binary",
    "Classification of two digits with few weights: spread of the test accuracy",
    lambda preset, seed, records: companion_of(
        BinaryCell, _BINARY[preset], seed, records, words=_BINARY_WORDS, limits=BINARY_LIMITS
    ),
    layout="figures.panels",
    origin="Figure 8 of arXiv:2509.20323",
    shows="standard deviations over the seeds of `fig3-binary`, above its means",
    place=230,
)
FIG8_DIGITS = FIG3_DIGITS.companion(
    "fig8-digits",
    "Classification of ten digits with few weights: spread of the test accuracy",
    lambda preset, seed, records: companion_of(
        DigitsCell, _DIGITS[preset], seed, records, words=_DIGITS_WORDS, limits=DIGITS_LIMITS
    ),
    layout="figures.panels",
    origin="Figure 8 of arXiv:2509.20323",
    shows="the same for `fig3-digits`",
    place=230,
)
EXPERIMENTS = (FIG3_BINARY, FIG3_DIGITS, FIG8_BINARY, FIG8_DIGITS)
