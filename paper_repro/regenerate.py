"""Compute and draw a figure from Python, like ``paper-repro run``, including figures that are not registered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from paper_repro import experiment as experiments
from paper_repro import render, sweep
from paper_repro.experiment import Experiment
from paper_repro.results import DEFAULT_FOLDER, Results, collect, store_of
from planted.base import arrays
from planted.base.checks import check_choice

__all__ = ["run"]


def run(
    figure: str | Experiment,
    preset: str = "quick",
    results: str | os.PathLike[str] | None = None,
    *,
    seed: int = 0,
    jobs: int | None = None,
    device: str = "auto",
    progress: IO[str] | None = None,
) -> Results:
    """Compute the missing cells of a figure, draw it, and write its files.

    Parameters
    ----------
    figure : str or Experiment
        A name printed by ``paper-repro list``, or your own experiment. If `Experiment.module` lists it in
        ``EXPERIMENTS``, it is computed by worker processes; otherwise, as in a notebook, by this process.
    preset : str, default "quick"
        Which size.
    results : path, optional
        The results folder; ``results`` in the current folder by default.
    seed : int, default 0
        First seed of the trials.
    jobs : int, optional
        Worker processes; one per core by default.
    device : {"auto", "cpu", "gpu"}, default "auto"
        Device to compute on.
    progress : text stream, optional
        Stream for a progress bar.

    Returns
    -------
    Results
        As :func:`paper_repro.load` returns them; ``meta["failed"]`` lists the cells that raised an exception. The files
        are in the results folder.

    Raises
    ------
    ValueError
        If figure, preset, jobs or device is invalid.
    Interrupted
        After Ctrl-C; finished cells are in the store.
    """
    experiment = figure if isinstance(figure, Experiment) else experiments.get(figure)
    experiment.check_preset(preset)
    check_choice(device, "device", ("auto", "cpu", "gpu"))
    if device == "auto":
        device = "gpu" if arrays.gpu_available() else "cpu"
    folder = Path(DEFAULT_FOLDER if results is None else results)
    cells = experiment.cells(preset, seed)
    sweep.run(experiment, cells, store_of(folder), jobs=jobs, device=device, progress=progress)
    found, records = collect(experiment, preset, folder, seed)
    if records:
        render.render(experiment, found, records, folder)
    return found
