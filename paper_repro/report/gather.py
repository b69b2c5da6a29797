"""Collect the content of the report: results, pictures, failures and machines of each figure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import figures
from paper_repro import experiment as experiments
from paper_repro import render
from paper_repro.experiment import Experiment
from paper_repro.results import Results, collect, store_of
from paper_repro.store import Record, StoreError

__all__ = ["Circumstances", "Section", "circumstances", "gather", "preset_of", "settings_of"]


@dataclass(frozen=True)
class Section:
    """A figure or table of the report.

    Parameters
    ----------
    experiment : Experiment
        Which.
    results : Results
        The available results; no records if nothing is computed.
    records : list of Record
        The finished cells.
    trouble : str
        The reason why the store of this figure cannot be used; empty otherwise.
    pictures : dict of bytes
        ``"png"`` and ``"svg"``; empty for a table or if nothing is computed.
    files : list of path
        Its rendered files in the results folder.
    cells : list of path
        The JSON file of each finished cell, in the order of `records`.
    """

    experiment: Experiment
    results: Results
    records: list[Record] = field(default_factory=list)
    trouble: str = ""
    pictures: dict[str, bytes] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    cells: list[Path] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, Any]:
        """The content of the figure."""
        summary: dict[str, Any] = self.results.meta["summary"]
        return summary

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Settings and message of each failed or damaged cell; without settings for problems of the store itself."""
        failed: list[dict[str, Any]] = self.results.meta["failed"]
        return ([{"settings": {}, "message": self.trouble}] if self.trouble else []) + failed

    @property
    def is_absent(self) -> bool:
        """Whether there is nothing of it: no finished cell, and no failure."""
        return not self.records and not self.failures

    @property
    def missing(self) -> int:
        """Number of cells not computed yet."""
        return int(self.results.meta["cells"]) - len(self.records) - len(self.results.meta["failed"])

    @property
    def status(self) -> str:
        """Short description of its progress."""
        if self.trouble:
            return "cannot be read"
        said = f"{len(self.results.meta['failed'])} failed" if self.results.meta["failed"] else ""
        if not self.records:
            return said or "not computed"
        if self.missing:
            said += (", " if said else "") + f"{self.missing} missing"
        return said or "complete"


@dataclass
class Circumstances:
    """A machine with its package versions, and the cells it computed.

    Parameters
    ----------
    machine, versions : dict
        As recorded in the cells.
    device : str
        ``"cpu"`` or ``"gpu"``.
    keys : dict
        Names of its cells -> their wall time in seconds.
    figures : list of str
        Names of the experiments.
    """

    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    device: str
    keys: dict[str, float] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)


def gather(preset: str, folder: Path, seed: int = 0) -> list[Section]:
    """Return the sections of all experiments; outdated figures are redrawn.

    Parameters
    ----------
    preset : str
        The preset; experiments without it are omitted.
    folder : path
        The results folder.
    seed : int, default 0
        Seed of the first trial.

    Returns
    -------
    list of Section
        In the order of :func:`paper_repro.experiment.names`.
    """
    every = [experiments.get(name) for name in experiments.names()]
    return [_section(experiment, preset, folder, seed) for experiment in every if preset in experiment.presets]


def circumstances(sections: Iterable[Section]) -> list[Circumstances]:
    """Return the machines, devices and versions that the cells were computed with, busiest first."""
    found: dict[str, Circumstances] = {}
    for section in sections:
        for record in section.records:
            parts = [record.run.get(name) or {} for name in ("machine", "versions")]
            device = str(record.run.get("device", "cpu"))
            name = json.dumps([*parts, device], sort_keys=True)
            one = found.setdefault(name, Circumstances(parts[0], parts[1], device))
            one.keys[record.cell.key] = float(record.run.get("wall_s") or 0.0)
            if section.experiment.name not in one.figures:
                one.figures.append(section.experiment.name)
    return [found[name] for name in sorted(found, key=lambda name: (-len(found[name].keys), name))]


def settings_of(section: Section) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return the settings common to all cells, the names of those that vary, and a label for each finished cell."""
    settings = [record.cell.settings for record in section.records]
    common = {
        name: value
        for name, value in (settings[0] if settings else {}).items()
        if all(one.get(name) == value for one in settings)
    }
    varying = sorted({name for one in settings for name in one} - set(common))
    # a single cell has everything in common with itself
    named = [", ".join(f"{name} = {one[name]}" for name in varying if name in one) or "the cell" for one in settings]
    return common, varying, named


def preset_of(experiment: Experiment, preset: str) -> dict[str, Any]:
    """Return the settings of a preset as names and values."""
    chosen = experiment.presets[preset]
    if dataclasses.is_dataclass(chosen) and not isinstance(chosen, type):
        return {one.name: getattr(chosen, one.name) for one in dataclasses.fields(chosen)}
    if isinstance(chosen, Mapping):
        return dict(chosen)
    return {} if chosen is None else {"preset": chosen}


def _section(experiment: Experiment, preset: str, folder: Path, seed: int) -> Section:
    try:
        results, records = collect(experiment, preset, folder, seed)
    except StoreError as error:  # such as a store in another format; other figures remain readable
        return Section(experiment, _nothing(experiment, preset, seed), trouble=str(error))
    if not records:
        return Section(experiment, results)
    store = store_of(folder)
    pictures, files = _drawn(experiment, results, records, folder)
    return Section(
        experiment,
        results,
        records,
        pictures=pictures,
        files=files,
        cells=[store.path(record.cell) for record in records],
    )


def _drawn(
    experiment: Experiment, results: Results, records: Sequence[Record], folder: Path
) -> tuple[dict[str, bytes], list[Path]]:
    try:
        files = render.render(experiment, results, records, folder).paths
    except StoreError:  # a read-only results folder
        if experiment.layout is None:
            return {}, []
        return figures.render(figures.draw(experiment.name, results)), []
    return {path.suffix[1:]: path.read_bytes() for path in files if path.suffix in (".png", ".svg")}, files


def _nothing(experiment: Experiment, preset: str, seed: int) -> Results:
    meta = {
        "experiment": experiment.name,
        "version": experiment.version,
        "title": experiment.title,
        "heading": experiment.heading(preset),
        "preset": preset,
        "seed": seed,
        "cells": len({experiment.cell(one).key for one in experiment.cells(preset, seed)}),
        "failed": [],
        "summary": {},
        "layout": experiment.layout,
    }
    return Results([], {}, meta)
