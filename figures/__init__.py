"""Drawing of matplotlib figures from the results returned by ``paper_repro.load``.

This package only draws: numbers, means and intervals arrive precomputed in ``results.meta["summary"]``. Figures are
plain ``matplotlib.figure.Figure`` objects: no pyplot, no global state. The public names are those that ``dir(figures)``
lists; modules of this package may change at any time.
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
"""The module that defines each name above; it is imported on first use."""
if not TYPE_CHECKING:  # type checkers must still report a misspelt name
    __getattr__, __dir__ = door(__name__, _PLACES)
