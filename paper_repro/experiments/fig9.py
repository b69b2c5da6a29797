"""Figure 9: the spread over the seeds of what figure 4 shows; the cells are those of figure 4."""

from __future__ import annotations

from paper_repro.experiments.fig4 import COMPANION as EXPERIMENT

__all__ = ["EXPERIMENT"]
