"""Figure 6: the spread of Figure 1 over the seeds, rows of panels over width and sparsity."""

from __future__ import annotations

from figures.panels import draw, layout, panels, size

__all__ = ["draw", "layout", "panels", "size"]
