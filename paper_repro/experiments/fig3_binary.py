"""Figure 3, two classes: telling the digits 0 and 1 apart with few weights, over width m and sparsity s.

The target is 0 or 1, the loss is squared, and an output above 1/2 counts as a one; minibatches of 1,000 images,
15 epochs at the paper's size. Simpler models are computed beside: one neuron with 10 pixels, and dense linear models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from paper_repro.experiment import Experiment
from paper_repro.experiments.common import series_125
from paper_repro.experiments.grids import Grid
from paper_repro.experiments.mnist import (
    MnistCell,
    MnistPreset,
    cells_of,
    compute,
    cost,
    data_of,
    linear_models,
    summary_of,
)
from paper_repro.results import rows_of
from paper_repro.store import Record

__all__ = ["EXPERIMENT", "LIMITS", "NEURON_PIXELS", "PRESETS", "WORDS", "BinaryCell"]

WORDS = "0 against 1"
LIMITS = (0.5, 1.0)
NEURON_PIXELS = 10
STANDIN = (140, 37, 28)


@dataclass(frozen=True)
class BinaryCell(MnistCell):
    """One pass with two classes, labels 0 and 1."""

    task: ClassVar[str] = "binary"
    classes: ClassVar[tuple[int, ...]] = (0, 1)
    scaling: ClassVar[str] = "unit"


def _grids(m: tuple[int, ...], s: tuple[int, ...]) -> tuple[Grid, ...]:
    return Grid(1, m, s), Grid(2, m, s)


PRESETS = {
    "smoke": MnistPreset(_grids((1, 5), (20,)), 1, 100, 100, 100, 2, 5, 20, (100, 37, 100)),
    "quick": MnistPreset(_grids((1, 10, 50), (5, 20, 200)), 3, 500, 1_000, 100, 15, 300, 1_000, STANDIN, "float32"),
    "cpu": MnistPreset(
        _grids((1, 2, 5, 10, 20, 50, 100, 200), series_125(1, 200)), 3, 5_000, 1_000, 1_000, 15, 200, 1_000, STANDIN
    ),
    "paper": MnistPreset(
        _grids(series_125(1, 1000), series_125(1, 200)), 3, 5_000, 1_000, 1_000, 15, 400, 2_000, STANDIN
    ),
}


def cells(preset: str, seed: int) -> list[MnistCell]:
    """Return the cells of a preset: all methods on the grids, and the simpler models."""
    return cells_of(BinaryCell, PRESETS[preset], seed, [(1, NEURON_PIXELS)])


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return heat maps of mean accuracies, the comparison with simpler models, tables and claims."""
    neuron = [
        float(row["accuracy"])
        for record in records
        if record.cell.settings["method"] == "released" and record.cell.settings["depth"] == 1
        for row in rows_of(record)
        if (row["m"], row["s"]) == (1, NEURON_PIXELS)
    ]
    simple = linear_models("binary", records)
    if neuron:
        label = f"one neuron, {NEURON_PIXELS} pixels"
        simple.append({"label": label, "accuracy": sum(neuron) / len(neuron), "linear": False})
    return summary_of(
        BinaryCell,
        PRESETS[preset],
        seed,
        records,
        words=WORDS,
        limits=LIMITS,
        baselines=sorted(simple, key=lambda model: -model["accuracy"]),
    )


EXPERIMENT = Experiment(
    name="fig3-binary",
    version=3,
    title="Telling two digits apart with few weights: test accuracy",
    module=__name__,
    settings=BinaryCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
    data=lambda preset: data_of(BinaryCell, PRESETS[preset]),
)
