"""Reproduction of the papers: experiments, a durable store of their results, and the command line.

The public names are those that ``dir(paper_repro)`` lists; modules of this package may change at any time.

>>> import paper_repro, figures
>>> results = paper_repro.load("fig1", preset="quick")  # doctest: +SKIP
>>> figures.draw("fig1", results)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from planted.base.doors import door

if TYPE_CHECKING:
    from paper_repro.experiment import Experiment, register
    from paper_repro.regenerate import run
    from paper_repro.results import Results, load

    __version__: str

__all__ = [
    "Experiment",
    "Results",
    "load",
    "register",
    "run",
]

_PLACES = {
    "paper_repro.experiment": "Experiment register",
    "paper_repro.regenerate": "run",
    "paper_repro.results": "Results load",
}
"""The module that defines each name above; it is imported on first use."""
if not TYPE_CHECKING:  # type checkers must still report a misspelt name
    __getattr__, __dir__ = door(__name__, _PLACES)
