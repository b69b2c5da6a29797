"""Figure 3, two classes: test accuracy over width and sparsity, and below it what simpler models reach."""

from __future__ import annotations

from figures.classifiers import draw, layout, panels, size

__all__ = ["draw", "layout", "panels", "size"]
