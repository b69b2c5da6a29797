"""Drawing, and nothing else: from what ``paper_repro.load`` returns to matplotlib figures.

Numbers, means and intervals arrive computed in ``results.meta["summary"]``. Figures are plain
``matplotlib.figure.Figure`` objects: no pyplot, no global state.
"""

from figures.drawing import draw, names, provide, render

__all__ = ["draw", "names", "provide", "render"]
