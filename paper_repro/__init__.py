"""Reproducing the papers: experiments, a durable store of their results, and the command line.

>>> import paper_repro, figures
>>> results = paper_repro.load("fig1", preset="quick")  # doctest: +SKIP
>>> figures.draw("fig1", results)  # doctest: +SKIP
"""

from paper_repro.experiment import Experiment, register
from paper_repro.regenerate import run
from paper_repro.results import Results, load

__all__ = ["Experiment", "Results", "load", "register", "run"]
