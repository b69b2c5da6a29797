"""Companion of Figure 3, two classes: standard deviations of the test accuracy over the seeds, above the means."""

from __future__ import annotations

from figures.panels import draw, layout, panels, size

__all__ = ["draw", "layout", "panels", "size"]
