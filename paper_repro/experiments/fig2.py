"""Figure 2: how well planted networks with 10 outputs are fitted, over width m and sparsity s.

The paper's grids are those of Figure 1, with 50,000 samples of 100 inputs and 100 epochs of batches of 5,000 samples
(preset ``paper``). The output weights are planted too, and share the sparsity with the hidden ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paper_repro.claims import Claim
from paper_repro.experiment import Experiment
from paper_repro.experiments.fig1 import CPU_GRIDS, PAPER_GRIDS, grids
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

__all__ = ["EXPERIMENT", "Fig2Cell", "companion"]

MARGIN_DB = 3.0
"""IHT counts as competitive where it is at most this much below IMP."""


@dataclass(frozen=True)
class Fig2Cell(PlantedCell):
    """One fit of a planted network with several outputs."""


PRESETS = {
    "smoke": PlantedPreset(
        grids((2, 5), (10, 20), (2, 5), (10, 20)),
        seeds=1,
        n=400,
        d=20,
        epochs=10,
        batch_size=200,
        n_outputs=3,
        imp_updates=20,
    ),
    "quick": PlantedPreset(
        grids((2, 5, 20), (10, 50, 100, 200), (5, 20), (50, 100, 200)),
        seeds=3,
        n=2_000,
        d=30,
        epochs=100,
        batch_size=200,
        n_outputs=10,
        imp_updates=400,
    ),
    # batches of a tenth of the samples, as in the paper: the step of the released method is fixed, so steps count
    "cpu": PlantedPreset(
        CPU_GRIDS, seeds=3, n=20_000, d=100, epochs=100, batch_size=2_000, n_outputs=10, imp_updates=1_000
    ),
    "paper": PlantedPreset(
        PAPER_GRIDS, seeds=3, n=50_000, d=100, epochs=100, batch_size=5_000, n_outputs=10, imp_updates=1_000
    ),
}


def cells(preset: str, seed: int) -> list[Fig2Cell]:
    """Return the cells of a preset."""
    return cells_of(PRESETS[preset], seed, Fig2Cell)


def claims(trials: Depths, data: str) -> list[Claim]:
    """Return the claim "IHT is competitive with IMP", for each depth and for both together."""
    rule = (
        "of the pairs of fits of one planted network (a cell m, s and a seed), the share in which the PSNR of IHT as "
        f"released is more than that of IMP minus {MARGIN_DB:.0f} dB is more than half; pairs within {TIE_DB:g} dB of "
        "that count half, and two exact fits are level"
    )
    return claims_by_depth("Figure 2", "IHT is competitive with IMP.", rule, trials, data, -MARGIN_DB)


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return median PSNR and shares of exact fits and networks, for each grid point and method."""
    return summarise_figure(PRESETS[preset], seed, records, claims)


def companion(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return what Figure 7 shows: standard deviations, medians and shares of exact fits."""
    return summarise_companion(PRESETS[preset], seed, records)


EXPERIMENT = Experiment(
    name="fig2",
    version=3,
    title="Planted ReLU networks, vector output: PSNR of the fit",
    module=__name__,
    settings=Fig2Cell,
    presets=PRESETS,
    cells=cells,
    cost=cost,
    compute=compute,
    summarise=summarise,
    compute_many=compute_many,
    batch_key=batch_key,
    data=lambda preset: data_in_words(PRESETS[preset]),
)
