"""Figure 2: PSNR of planted networks with 10 outputs found again, rows of panels over width and sparsity."""

from __future__ import annotations

from figures.panels import draw, layout, panels, size

__all__ = ["draw", "layout", "panels", "size"]
