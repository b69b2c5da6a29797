"""Figure 3, ten classes: telling all digits apart with few weights, over width m and sparsity s.

Networks with ten outputs, trained on the cross-entropy; the largest output counts. Minibatches of 5,000 images,
50 epochs at the paper's size. The s weights are those of all layers. Dense linear models are computed beside.
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
from paper_repro.store import Record

__all__ = ["EXPERIMENT", "LIMITS", "PRESETS", "WORDS", "DigitsCell"]

WORDS = "ten classes"
LIMITS = (0.1, 1.0)
STANDIN = (140, 34, 140)


@dataclass(frozen=True)
class DigitsCell(MnistCell):
    """One pass with ten classes."""

    task: ClassVar[str] = "digits"
    classes: ClassVar[tuple[int, ...]] = tuple(range(10))
    scaling: ClassVar[str] = "raw"


def _grids(m: tuple[int, ...], s: tuple[int, ...]) -> tuple[Grid, ...]:
    return Grid(1, m, s), Grid(2, m, s)


PRESETS = {
    "smoke": MnistPreset(_grids((10, 20), (100, 200)), 1, 50, 100, 250, 2, 5, 20, (50, 34, 250)),
    "quick": MnistPreset(_grids((10, 50), (100, 500, 2000)), 2, 200, 200, 200, 15, 200, 600, STANDIN, "float32"),
    "cpu": MnistPreset(
        _grids((10, 20, 50, 100, 200), (100, 200, 500, 1000, 2000)), 3, 1_000, 1_000, 1_000, 50, 200, 1_000, STANDIN
    ),
    "paper": MnistPreset(
        _grids(series_125(10, 1000), series_125(100, 2000)), 3, 5_000, 1_000, 5_000, 50, 400, 2_000, STANDIN
    ),
}


def cells(preset: str, seed: int) -> list[MnistCell]:
    """Return the cells of a preset: all methods on the grids, and the linear models."""
    return cells_of(DigitsCell, PRESETS[preset], seed)


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return heat maps of mean accuracies, the comparison with linear models, tables and claims."""
    return summary_of(
        DigitsCell,
        PRESETS[preset],
        seed,
        records,
        words=WORDS,
        limits=LIMITS,
        baselines=sorted(linear_models("digits", records), key=lambda model: -model["accuracy"]),
    )


EXPERIMENT = Experiment(
    name="fig3-digits",
    version=2,
    title="Telling ten digits apart with few weights: test accuracy",
    module=__name__,
    settings=DigitsCell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
    data=lambda preset: data_of(DigitsCell, PRESETS[preset]),
)
