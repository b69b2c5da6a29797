"""Drawing of figure 4: see :mod:`figures.inr`."""

from __future__ import annotations

from figures.inr import draw, layout, panels, size

__all__ = ["draw", "layout", "panels", "size"]
