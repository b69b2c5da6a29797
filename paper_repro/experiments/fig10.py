"""Figure 10: the spread over the seeds of what figure 5 shows; the cells are those of figure 5."""

from __future__ import annotations

from paper_repro.experiments.fig5 import COMPANION as EXPERIMENT

__all__ = ["EXPERIMENT"]
