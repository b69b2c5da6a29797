"""Companion of Figure 3, two classes: standard deviations over the seeds, above the means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paper_repro.experiments import fig3_binary
from paper_repro.experiments.mnist import companion_of
from paper_repro.store import Record

__all__ = ["EXPERIMENT"]


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return rows of heat maps: for each depth standard deviations, and means."""
    return companion_of(
        fig3_binary.BinaryCell,
        fig3_binary.PRESETS[preset],
        seed,
        records,
        words=fig3_binary.WORDS,
        limits=fig3_binary.LIMITS,
    )


EXPERIMENT = fig3_binary.EXPERIMENT.companion(
    "fig8-binary", "Telling two digits apart with few weights: spread of the test accuracy", summarise
)
