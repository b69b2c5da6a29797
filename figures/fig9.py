"""Drawing of figure 9: see :mod:`figures.panels`."""

from __future__ import annotations

from figures.panels import draw, layout, panels, size

__all__ = ["draw", "layout", "panels", "size"]
