"""Figure 6: the standard deviation over the seeds of Figure 1, above medians and shares of exact fits."""

from __future__ import annotations

from paper_repro.experiments import fig1

__all__ = ["EXPERIMENT"]

EXPERIMENT = fig1.EXPERIMENT.companion(
    "fig6", "Planted ReLU networks, scalar output: spread of the PSNR over the seeds", fig1.companion
)
