"""Figure 1: PSNR of planted networks with scalar output found again, rows of panels over width and sparsity."""

from __future__ import annotations

from figures.panels import draw, layout, panels, size

__all__ = ["draw", "layout", "panels", "size"]
