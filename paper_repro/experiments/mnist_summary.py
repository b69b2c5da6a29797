"""What both tasks of Figure 3 and their companions show: rows of panels, comparisons, tables, claims."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from paper_repro import verdicts
from paper_repro.claims import Claim, against
from paper_repro.experiments.grids import (
    DEPTH_NAMES,
    LABELS,
    METHODS,
    SPREAD_NOTE,
    Grid,
    deviations_of,
    extras_table,
    means_of,
    panel_row,
    trials,
    values_table,
)
from paper_repro.experiments.mnist import MnistCell, MnistPreset, data_name, possible
from paper_repro.experiments.mnist_linear import LINEAR
from paper_repro.results import rows_of
from paper_repro.store import Record
from paper_repro.verdicts import Measured, Trials

__all__ = [
    "TITLES",
    "companion_of",
    "data_in_words",
    "data_of",
    "level_of",
    "linear_models",
    "robust",
    "subtitle",
    "summary_of",
]

TITLES = {"mnist": "MNIST", "digits": "scikit-learn digits (MNIST was not found)"}
EXTRAS = {
    "accuracy": "test accuracy",
    "train_accuracy": "training accuracy",
    "nonzeros": "non-zero weights, output layer included",
}
CLAIM = "IHT is more robust over (m, s) than IMP"
RULE = (
    "of the pairs of fits of a cell m, s and a seed, the share in which the test accuracy of IHT as released is above "
    "that of IMP is more than half, pairs within {:.1f} % counting half; and its worst cell, mean over the seeds, is "
    "above IMP's worst by more than that"
)
LEVEL = 0.005
PAPER = (5_000, 1_000)
"""The paper's training and test images of each class."""
PIXELS = {
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
            f"Data: {TITLES[data]}, {words}. Test accuracy, mean over the seeds. {PIXELS[kind.scaling]}",
            *_against_linear(grid, means, best),
            *([] if data == "mnist" else ["`paper-repro doctor` says where MNIST is looked for."]),
        ],
        "table": table,
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
    }


def subtitle(kind: type[MnistCell], grid: MnistPreset, seed: int, record: Record, words: str) -> str:
    """Return data and settings, for under the title."""
    one = kind(**record.cell.settings)
    classes = len(one.classes)
    return (
        f"{TITLES[one.data]}, {words}\n{classes * one.n_train:,} training and {classes * one.n_test:,} test images, "
        f"{one.epochs} epochs of {one.batches} batches, {_seeds(grid, seed)}\n"
        f"IMP as in the paper: {one.epochs * one.batches:,} updates a round; fair IMP: {grid.imp_updates:,}, "
        f"and {grid.fine_tune:,} in the end"
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
    """Return what difference of two accuracies counts as none: :data:`LEVEL`, or one test image where that is more."""
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
    values = [value for method in METHODS for value in points[part.depth, method].values()]
    below, above = any(value < limits[0] for value in values), any(value > limits[1] for value in values)
    return panel_row(
        DEPTH_NAMES[part.depth],
        unit,
        limits,
        part,
        {method: points[part.depth, method] for method in METHODS},
        lambda m, s: possible(kind, data, part.depth, m, s),
        extend="both" if below and above else "min" if below else "max" if above else "neither",
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
