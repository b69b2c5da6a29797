"""The command ``paper-repro data``, and the messages of ``run`` about substitutes for missing data."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import planted
from paper_repro import experiment as experiments
from planted import datasets
from planted.inventory import DATA_SETS, STANDS_FOR, FileState, check, download, missing

__all__ = ["DATA_SETS", "folder_words", "report", "stand_ins"]

_KINDS = {"mnist": "grey", "cifar10": "colour"}
"""Data set -> the image that figures 4 and 5 use from it."""


def folder_words() -> str:
    """Return the data folder, and how it was chosen."""
    chosen = os.environ.get(datasets.ENVIRONMENT)
    how = f"set by {datasets.ENVIRONMENT}" if chosen else f"the default; {datasets.ENVIRONMENT} is not set"
    return f"{datasets.data_folder()} ({how})"


def stand_ins(cells: Sequence[Any]) -> list[str]:
    """Return a message for each kind of stand-in used by cells, with instructions to get the real data.

    Parameters
    ----------
    cells : sequence
        Settings of an experiment's cells; those without a field ``data`` need no files.

    Returns
    -------
    list of str
        Empty if the real data are available.
    """
    sentences = []
    for source in _sources(cells):
        if source not in STANDS_FOR:
            continue
        name, words = STANDS_FOR[source]
        title = DATA_SETS[name].title.partition(":")[0].partition(",")[0]
        lacking = missing(name)
        where = f"{datasets.data_folder() / name} lacks {_listed(lacking)}" if lacking else "these cells do not use it"
        sentences.append(
            f"shows {words} instead of {title}: {where}. `paper-repro data {name} --download` fetches it; or put it "
            f"there, or set {datasets.ENVIRONMENT} to the data folder. The same command then computes with {title}"
        )
    return sentences


def report(names: Sequence[str], *, download: bool, say: Callable[[str], object]) -> bool:
    """List data sets, check their files, and download missing ones if requested.

    Parameters
    ----------
    names : sequence of str
        Keys of :data:`DATA_SETS`; all by default.
    download : bool
        Whether to download missing files.
    say : callable
        Called with each line as soon as it is available.

    Returns
    -------
    bool
        False if a file is damaged, or if something requested by name or for download is missing.
    """
    say(f"data folder: {folder_words()}")
    users = _users()
    fine, lacking = True, []
    for name in names or DATA_SETS:
        one = DATA_SETS[name]
        say(f"\n{name}: {one.title}; for {', '.join(users.get(name, [])) or 'no figure'}")
        if download:
            fine &= _fetch(name, say)
        states = check(name)
        for state in states:
            say(f"  {state.name:<26} {state.state}: {state.reason}")
        fine &= all(state.state != "damaged" for state in states)
        say(f"  {_verdict(name, states)}")
        if any(state.state == "missing" for state in states):
            lacking.append(name)
            fine &= not names
    if lacking and not download:
        sizes = ", ".join(f"{name} {DATA_SETS[name].megabytes} MB" for name in lacking)
        say(f"\n`paper-repro data --download` fetches what is missing ({sizes}) from {_hosts(lacking)}.")
    return fine


def _fetch(name: str, say: Callable[[str], object]) -> bool:
    try:
        fetched = download(name)
    except RuntimeError as error:
        say(f"  not fetched: {error}")
        return False
    if fetched:
        say(f"  fetched from {DATA_SETS[name].url}: {_listed(fetched)}")
    return True


def _verdict(name: str, states: Sequence[FileState]) -> str:
    damaged = [state.name for state in states if state.state == "damaged"]
    if damaged:
        return f"damaged: move {_listed(damaged)} away, then --download fetches it anew"
    if all(state.state != "missing" for state in states):
        return "complete: figures show it"
    source = planted.inr_source(_KINDS[name])
    if source == name:
        return "incomplete, but the figures need only what is there"
    words = [text for stand_in, (real, text) in STANDS_FOR.items() if real == name and stand_in in ("digits", source)]
    return f"incomplete: figures show {' or '.join(words)} instead, and say so"


def _users() -> dict[str, list[str]]:
    """Return, for each data set, the experiments that show it or its stand-in."""
    users: dict[str, list[str]] = {}
    for name in experiments.names():
        experiment = experiments.get(name)
        for source in _sources(experiment.cells("smoke", 0)):
            users.setdefault(STANDS_FOR.get(source, (source, ""))[0], []).append(name)
    return users


def _sources(cells: Sequence[Any]) -> list[str]:
    found = {getattr(cell, "data", None) for cell in cells}
    return sorted(source for source in found if isinstance(source, str))


def _listed(names: Sequence[str]) -> str:
    if len(names) > 2:
        return f"{names[0]} and {len(names) - 1} more files"
    return " and ".join(names)


def _hosts(names: Sequence[str]) -> str:
    return " and ".join(DATA_SETS[name].url.split("/")[2] for name in names)
