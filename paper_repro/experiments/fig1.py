"""Figure 1: how well planted networks with scalar output are fitted, over width m and sparsity s.

The paper's grid is m, s = 1, 2, 5, ..., 1000 (m from 2 and s from 10 for two hidden layers) with 50,000 samples of 100
inputs, 15 steps, seeds 0, 1, 2, and a colour scale from -20 to 50 dB (preset ``paper``). Cells with more weights
than the network has do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paper_repro.claims import Claim
from paper_repro.experiment import Experiment
from paper_repro.experiments.common import series_125
from paper_repro.experiments.grids import Grid
from paper_repro.experiments.planted_networks import (
    TIE_DB,
    Depths,
    PlantedCell,
    PlantedPreset,
    batch_key,
    cells_of,
    claims_by_depth,
    compute,
    compute_many,
    cost,
    data_in_words,
    summarise_companion,
    summarise_figure,
)
from paper_repro.store import Record

__all__ = ["EXPERIMENT", "Fig1Cell", "companion"]


@dataclass(frozen=True)
class Fig1Cell(PlantedCell):
    """One fit of a planted network with scalar output."""


def grids(m: tuple[int, ...], s: tuple[int, ...], deep_m: tuple[int, ...], deep_s: tuple[int, ...]) -> tuple[Grid, ...]:
    """Return the grids of one and of two hidden layers."""
    return Grid(1, m, s), Grid(2, deep_m, deep_s)


PAPER_GRIDS = grids(series_125(1, 1000), series_125(1, 1000), series_125(2, 1000), series_125(10, 1000))
CPU_GRIDS = grids(series_125(1, 200), series_125(1, 500), series_125(2, 200), series_125(10, 500))

PRESETS = {
    "smoke": PlantedPreset(grids((1, 5), (2, 20), (2, 5), (10, 20)), seeds=1, n=500, d=20, epochs=15, imp_updates=30),
    "quick": PlantedPreset(
        grids((1, 2, 5, 10, 20, 50), (1, 10, 50, 100, 200), (2, 5, 10, 20, 50), (10, 50, 100, 200)),
        seeds=3,
        n=5_000,
        d=50,
        epochs=15,
        imp_updates=400,
    ),
    "cpu": PlantedPreset(CPU_GRIDS, seeds=3, n=20_000, d=100, epochs=15, imp_updates=1_000),
    "paper": PlantedPreset(PAPER_GRIDS, seeds=3, n=50_000, d=100, epochs=15, imp_updates=1_000),
}


def cells(preset: str, seed: int) -> list[Fig1Cell]:
    """Return the cells of a preset."""
    return cells_of(PRESETS[preset], seed, Fig1Cell)


def claims(trials: Depths, data: str) -> list[Claim]:
    """Return the claim "IHT above IMP over most (m, s)", for each depth and for both together."""
    rule = (
        "of the pairs of fits of one planted network (a cell m, s and a seed), the share in which the PSNR of IHT as "
        f"released is above that of IMP is more than half; pairs within {TIE_DB:g} dB, and two exact fits, count half"
    )
    return claims_by_depth("Figure 1", "IHT is above IMP over most (m, s).", rule, trials, data)


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return median PSNR and shares of exact fits and networks, for each grid point and method."""
    return summarise_figure(PRESETS[preset], seed, records, claims)


def companion(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what Figure 6 shows: standard deviations, medians and shares of exact fits."""
    return summarise_companion(PRESETS[preset], seed, records)


EXPERIMENT = Experiment(
    name="fig1",
    version=3,
    title="Planted ReLU networks, scalar output: PSNR of the fit",
    module=__name__,
    settings=Fig1Cell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
    compute_many=compute_many,
    batch_key=batch_key,
    data=lambda preset: data_in_words(PRESETS[preset]),
)
