"""Load stored results: ``paper_repro.load`` and its return value."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paper_repro import experiment as experiments
from paper_repro.store import DamagedCell, Record, Store
from planted.base.extras import need

__all__ = ["DEFAULT_FOLDER", "Results", "collect", "load", "rows_of"]

DEFAULT_FOLDER = "results"


@dataclass(frozen=True)
class Results:
    """The results of an experiment, for figures and notebooks.

    Parameters
    ----------
    records : list of dict
        One per finished cell (or fit, if a cell has several), in the order of the preset: its settings and metrics in
        one flat dict, with the cell's ``key``, ``wall_s`` (seconds) and ``peak_bytes`` (memory; None if not measured).
    arrays : dict
        ``key`` -> the cell's arrays, a dict of numpy.ndarray.
    meta : dict
        ``experiment``, ``version``, ``title``, ``preset``, ``seed``, ``cells`` (how many the preset
        has), ``failed`` (list of settings and message), ``summary`` (the content of the figure), and ``layout`` (what
        draws it, see :func:`figures.draw`; None if nothing does).
    """

    records: list[dict[str, Any]]
    arrays: dict[str, Mapping[str, np.ndarray]]
    meta: dict[str, Any]

    def to_pandas(self) -> Any:
        """Return the records as a pandas data frame, one row per cell.

        Returns
        -------
        pandas.DataFrame
            One column per setting or metric.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return need("pandas", "to_pandas").DataFrame(self.records)


def load(
    name: str | experiments.Experiment,
    preset: str = "quick",
    results: str | os.PathLike[str] | None = None,
    *,
    seed: int = 0,
) -> Results:
    """Load the results of a figure or table from the store.

    Parameters
    ----------
    name : str or Experiment
        Its name, such as ``"fig1"``; ``paper-repro list`` prints them all. Or your own experiment.
    preset : {"smoke", "quick", "cpu", "paper"}, default "quick"
        Which size.
    results : path, optional
        The folder passed to ``paper-repro run --results``; ``results`` in the current folder by default.
    seed : int, default 0
        First seed of the trials, as given to ``run --seed``.

    Returns
    -------
    Results
        The available results; ``meta["cells"]`` is the number of cells of a complete run.

    Raises
    ------
    ValueError
        If `name` or `preset` is unknown.
    FileNotFoundError
        If no cell of it has been computed; the message names the command that does.
    """
    experiment = name if isinstance(name, experiments.Experiment) else experiments.get(name)
    experiment.check_preset(preset)
    folder = Path(DEFAULT_FOLDER if results is None else results)
    found, pairs = collect(experiment, preset, folder, seed)
    if not pairs:
        first = f" and seed {seed}" if seed else ""
        raise FileNotFoundError(
            f"no results of {experiment.name} at preset {preset}{first} in {folder.absolute()}; "
            f"`{command(experiment, preset, results, seed)}` computes them: {_extent(experiment, preset, found)}"
        )
    return found


def _extent(experiment: experiments.Experiment, preset: str, found: Results) -> str:
    """Return how much there is to compute: the cells, their data, and about how long that takes."""
    number = found.meta["cells"]
    data = f" on {experiment.data(preset)}" if experiment.data is not None else ""
    return f"{number:,} cell{'s' * (number != 1)}{data}; takes {experiments.TAKES[preset]}"


def command(
    experiment: experiments.Experiment | None,
    preset: str,
    folder: str | os.PathLike[str] | None = None,
    seed: int = 0,
    verb: str = "run",
) -> str:
    """Return the command that computes and draws, or another one with the same options.

    Parameters
    ----------
    experiment : Experiment, optional
        Which; all by default.
    preset : str
        Its preset.
    folder : path, optional
        The results folder; the default one is not written out.
    seed : int, default 0
        First seed.
    verb : {"run", "show", "report"}, default "run"
        Which command.

    Returns
    -------
    str
        To be pasted into a shell.
    """
    words = ["paper-repro", verb, *([] if experiment is None else [experiment.name]), "--preset", preset]
    if folder is not None and os.fspath(folder) != DEFAULT_FOLDER:
        words += ["--results", os.fspath(folder)]
    return shlex.join([*words, *(["--seed", str(seed)] if seed else [])])


def collect(experiment: experiments.Experiment, preset: str, folder: Path, seed: int) -> tuple[Results, list[Record]]:
    """Return the results of an experiment and the records they are based on.

    Parameters
    ----------
    experiment : Experiment
        Which.
    preset : str
        Its preset.
    folder : path
        The results folder.
    seed : int
        First seed.

    Returns
    -------
    results : Results
        As returned by :func:`load`, even if nothing is computed.
    records : list of Record
        The finished cells.
    """
    store = store_of(folder)
    cells = {cell.key: cell for cell in map(experiment.cell, experiment.cells(preset, seed))}
    done: list[Record] = []
    failed: list[dict[str, Any]] = []
    for cell in cells.values():
        try:
            record = store.read(cell)
        except DamagedCell as error:
            failed.append({"settings": dict(cell.settings), "message": str(error)})
            continue
        if record is None:
            continue
        if record.status == "done":
            done.append(record)
        else:
            failed.append({"settings": dict(cell.settings), "message": record.message})
    rows = [
        {**row, "key": record.cell.key, **{name: record.run.get(name) for name in ("wall_s", "peak_bytes")}}
        for record in done
        for row in rows_of(record)
    ]
    meta = {
        "experiment": experiment.name,
        "version": experiment.version,
        "title": experiment.title,
        "heading": experiment.heading(preset),
        "preset": preset,
        "seed": seed,
        "cells": len(cells),
        "failed": failed,
        "summary": experiment.summarise(preset, seed, done) if done else {},
        "layout": experiment.layout,
    }
    return Results(rows, {record.cell.key: record.arrays for record in done}, meta), done


def rows_of(record: Record) -> list[dict[str, Any]]:
    """Return the settings and metrics of a cell, one flat dict per fit.

    Parameters
    ----------
    record : Record
        A finished cell. If its metrics have ``fits``, a list of dicts (one pruning pass covers several sparsities),
        there is one row for each of them, whose values override the cell's own settings.

    Returns
    -------
    list of dict
        Rows for tables and data frames.
    """
    shared = {**record.cell.settings, **{name: value for name, value in record.metrics.items() if name != "fits"}}
    return [{**shared, **fit} for fit in record.metrics["fits"]] if "fits" in record.metrics else [shared]


def store_of(folder: Path) -> Store:
    """Return the store of a results folder (its cells are in the subfolder ``store``)."""
    return Store(folder / "store")
