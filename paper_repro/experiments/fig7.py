"""Figure 7: the standard deviation over the seeds of Figure 2, above medians and shares of exact fits."""

from __future__ import annotations

from paper_repro.experiments import fig2

__all__ = ["EXPERIMENT"]

EXPERIMENT = fig2.EXPERIMENT.companion(
    "fig7", "Planted ReLU networks, vector output: spread of the PSNR over the seeds", fig2.companion
)
