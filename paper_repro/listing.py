"""The figures, and how much of each is computed: a table, the details of one, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paper_repro import experiment as experiments
from paper_repro import results
from paper_repro.experiment import PRESETS, Experiment, UnknownName

__all__ = ["as_json", "as_text", "chosen"]


def chosen(words: Sequence[str]) -> list[Experiment]:
    """Return the figures that words stand for.

    Parameters
    ----------
    words : sequence of str
        Names, or parts of names or titles, in any case; none stands for all. A name stands for that figure alone.

    Returns
    -------
    list of Experiment
        In the order of lists.

    Raises
    ------
    UnknownName
        If a word is part of no name and no title.
    """
    everything = [experiments.get(name) for name in experiments.names()]
    if not words:
        return everything
    wanted: set[str] = set()
    for word in words:
        found = {one.name for one in everything if one.name == word}
        found = found or {one.name for one in everything if word.lower() in one.name.lower()}
        found = found or {one.name for one in everything if word.lower() in one.title.lower()}
        if not found:
            close = experiments.near(word, [one.name for one in everything])
            hint = f"; did you mean {close[0]}?" if close else ";"
            raise UnknownName(f"no figure has {word!r} in its name or title{hint} `paper-repro list` shows all names")
        wanted |= found
    return [one for one in everything if one.name in wanted]


def _counts(experiment: Experiment, preset: str, folder: Path) -> tuple[int, int]:
    """Return the cells that are in the store, and all; names of cells cost time, so none is made for an empty store."""
    there = _there(experiment, folder)
    settings = experiment.cells(preset, 0)
    computed = sum(experiment.cell(one).key in there for one in settings) if there else 0
    return computed, len(settings)


def _there(experiment: Experiment, folder: Path) -> set[str]:
    """Return the keys of what the store has of an experiment."""
    place = results.store_of(folder).folder / experiment.store_name
    return {path.stem for path in place.glob("*.json")}


def _data(experiment: Experiment, preset: str) -> str | None:
    return None if experiment.data is None else experiment.data(preset)


def as_json(figures: Sequence[Experiment], folder: Path) -> str:
    """Return everything that lists say, as JSON: a list with one object for each figure."""
    found: list[dict[str, Any]] = []
    for one in figures:
        presets = {}
        for preset in one.presets:
            computed, cells = _counts(one, preset, folder)
            presets[preset] = {"cells": cells, "computed": computed, "data": _data(one, preset)}
        found.append({"name": one.name, "title": one.title, "presets": presets})
    return json.dumps(found, indent=1, ensure_ascii=True)


def as_text(figures: Sequence[Experiment], folder: Path, width: int | None = None) -> str:
    """Return the list as text: one line for each figure, or the details where there is one.

    Parameters
    ----------
    figures : sequence of Experiment
        Which.
    folder : path
        The results folder.
    width : int, optional
        Characters in a line, to which titles are cut; None leaves them whole.
    """
    if len(figures) == 1:
        return _details(figures[0], folder)
    wide = max((len(one.name) for one in figures), default=0)
    head = f"{'figure':<{wide}}  {'  '.join(f'{preset:>5}' for preset in PRESETS)}  title"
    lines = [head]
    for one in figures:
        shown = one.presets if _there(one, folder) else ()
        shares = [_share(*_counts(one, preset, folder)) if preset in shown else "-" for preset in PRESETS]
        line = f"{one.name:<{wide}}  {'  '.join(f'{share:>5}' for share in shares)}  {one.title}"
        lines.append(line if width is None or len(line) <= width else f"{line[: width - 3].rstrip()}...")
    lines.append(
        f"\nShares computed in {folder}, by preset. `paper-repro list FIG` shows sizes and data of one; --json shows "
        "all."
    )
    return "\n".join(lines)


def _share(computed: int, cells: int) -> str:
    """Return the share in whole percent; only what is whole is 100 %, and only nothing is "-"."""
    if not computed:
        return "-"
    return "100%" if computed == cells else f"{min(max(round(100 * computed / cells), 1), 99)}%"


def _details(one: Experiment, folder: Path) -> str:
    lines = [f"{one.name}: {one.title}"]
    for preset in one.presets:
        computed, cells = _counts(one, preset, folder)
        data = _data(one, preset)
        lines.append(f"  {preset:<6} {cells:>5} cells, {computed} of them in {folder}" + (f"; {data}" if data else ""))
    return "\n".join(lines)
