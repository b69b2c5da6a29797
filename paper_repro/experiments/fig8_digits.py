"""Companion of Figure 3, ten classes: standard deviations over the seeds, above the means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paper_repro.experiments import fig3_digits
from paper_repro.experiments.mnist import companion_of
from paper_repro.store import Record

__all__ = ["EXPERIMENT"]


def summarise(preset: str, seed: int, records: Sequence[Record]) -> dict[str, Any]:
    """Return rows of heat maps: for each depth standard deviations, and means."""
    return companion_of(
        fig3_digits.DigitsCell,
        fig3_digits.PRESETS[preset],
        seed,
        records,
        words=fig3_digits.WORDS,
        limits=fig3_digits.LIMITS,
    )


EXPERIMENT = fig3_digits.EXPERIMENT.companion(
    "fig8-digits", "Telling ten digits apart with few weights: spread of the test accuracy", summarise
)
