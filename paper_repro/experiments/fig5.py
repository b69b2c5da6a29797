"""Figure 5: how well sparse networks of Fourier features represent a colour image of 3,072 samples; see :mod:`.inr`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import planted
from paper_repro.experiment import Experiment
from paper_repro.experiments import inr
from paper_repro.experiments.grids import Grid
from paper_repro.experiments.inr import INRCell, INRPreset, above_claims, data_of, spreads_of, summary_of
from paper_repro.store import Record

__all__ = ["COMPANION", "EXPERIMENT"]


def _both(m: tuple[int, ...], s: tuple[int, ...]) -> tuple[Grid, ...]:
    return Grid(1, m, s), Grid(2, m, s)


PRESETS = {
    "smoke": INRPreset(
        _both((1, 2, 5), (10, 50)), 1, (5, 50), block=4, n_features=94, n_iter=20, imp_updates=40, imp_fine_tune=100
    ),
    "quick": INRPreset(
        _both((1, 2, 5, 20), (5, 20, 100, 500)),
        3,
        (20, 500),
        block=2,
        n_features=376,
        imp_updates=200,
        imp_fine_tune=500,
    ),
    "cpu": INRPreset(_both((1, 2, 5, 10, 20, 50, 100, 200), (5, 20, 100, 500, 2000)), 3, (200, 2000)),
    "paper": INRPreset(
        _both((1, 2, 5, 10, 20, 50, 100, 200), (5, 10, 20, 50, 100, 200, 500, 1000, 2000)), 3, (200, 2000)
    ),
}


def cells(preset: str, seed: int) -> list[INRCell]:
    """Return the cells of a preset, for the best image that is there."""
    return inr.cells_of(PRESETS[preset], planted.inr_source("colour"), seed)


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the median PSNR on the grids, the images, and the claim with its verdicts."""
    return summary_of(PRESETS[preset], seed, records, above_claims)


def summarise_spread(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return the standard deviation over the seeds, above the medians."""
    return spreads_of(PRESETS[preset], seed, records)


EXPERIMENT = Experiment(
    name="fig5",
    version=3,
    title="A colour image as a sparse network of its coordinates: PSNR",
    module=__name__,
    settings=INRCell,
    presets=PRESETS,
    cells=cells,
    cost=inr.cost,
    compute=inr.compute("fig5"),
    summarise=summarise,
    data=lambda preset: data_of("colour", PRESETS[preset]),
)
COMPANION = EXPERIMENT.companion(
    "fig10", "A colour image as a sparse network of its coordinates: spread over the seeds", summarise_spread
)
