"""Drawing, and nothing else: from what ``paper_repro.load`` returns to matplotlib figures.

Numbers, means and intervals arrive computed in ``results.meta["summary"]``. Figures are plain
``matplotlib.figure.Figure`` objects: no pyplot, no global state. Public are the names that ``dir(figures)`` lists;
modules of this package may change at any time.
"""

from typing import TYPE_CHECKING

from planted.base.doors import door

if TYPE_CHECKING:
    from figures.drawing import draw, names, provide, render

    __version__: str

__all__ = [
    "draw",
    "names",
    "provide",
    "render",
]

_PLACES = {
    "figures.drawing": "draw names provide render",
}
"""Where the names above are; they are imported when they are asked for."""
if not TYPE_CHECKING:  # from whom a misspelt name should not be hidden
    __getattr__, __dir__ = door(__name__, _PLACES)
