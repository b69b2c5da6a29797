"""Reproducing the papers: experiments, a durable store of their results, and the command line.

>>> import paper_repro, figures
>>> results = paper_repro.load("fig1", preset="quick")  # doctest: +SKIP
>>> figures.draw("fig1", results)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

from paper_repro.experiment import Experiment, register
from paper_repro.results import Results, load

if TYPE_CHECKING:
    from paper_repro.regenerate import run

__all__ = ["Experiment", "Results", "load", "register", "run"]


def __getattr__(name: str) -> Any:
    if name == "run":  # what computes is not imported where results are only read
        from paper_repro.regenerate import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
