"""Merge the results of several machines into one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paper_repro.files import make_folder, read_bytes, write_whole
from paper_repro.results import store_of
from paper_repro.store import DamagedCell, Record, Store, StoreError, comparable, from_files

__all__ = ["Merged", "merge"]


@dataclass
class Merged:
    """Summary of a merge.

    Parameters
    ----------
    added, replaced, known : int
        Numbers of cells that were new, that replaced a failed or damaged one, and that changed nothing.
    verify : int
        Files of ``paper-repro verify`` that were added or replaced.
    complaints : list of str
        A message for each skipped file and each pair of contradictory records.
    """

    added: int = 0
    replaced: int = 0
    known: int = 0
    verify: int = 0
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        files = f", {self.verify} files of verify" if self.verify else ""
        return f"{self.added} cells added, {self.replaced} replaced, {self.known} already present{files}"


def merge(sources: Sequence[Path], target: Path) -> Merged:
    """Add the results of other folders to one.

    Parameters
    ----------
    sources : sequence of path
        Results folders, as passed to ``paper-repro run --results``; they are not modified.
    target : path
        Results folder; created if it does not exist.

    Returns
    -------
    Merged
        Counts and complaints.

    Raises
    ------
    StoreError
        If a source has no results or is the target, if a cell was written in another format, or if nothing can be
        written. Results merged until then are complete, and merging again continues from there.

    Notes
    -----
    A finished cell replaces a failed one. Two finished cells that differ are a conflict: the existing one is kept, and
    both files are named. Existing counter-examples and tables of ``paper-repro verify`` are kept, except that a table
    with a violation replaces one without.
    """
    for source in sources:
        if not any((source / name).is_dir() for name in ("store", "verify")):
            raise StoreError(f"{source} holds no results; expected a folder that --results was given, with store in it")
        if source.resolve() == target.resolve():
            raise StoreError(f"{source} cannot be merged into itself; expected another folder than --results")
    merged = Merged()
    for source in sources:
        for path in sorted((source / "store").glob("*/*.json")):
            _merge_cell(path, store_of(target), merged)
        _merge_verify(source / "verify", target / "verify", merged)
    return merged


def _merge_cell(path: Path, store: Store, merged: Merged) -> None:
    raw, packed = read_bytes(path), read_bytes(path.with_suffix(".npz"))
    assert raw is not None
    try:
        record = from_files(raw, packed, path)
        if (path.stem, path.parent.name) != (record.cell.key, record.cell.experiment):
            raise DamagedCell(f"{path} is not named after the cell it holds ({record.cell.key})")
    except DamagedCell as error:
        merged.complaints.append(f"skipped: {error}")
        return
    damaged = False
    try:
        there = store.read(record.cell)
    except DamagedCell:
        there, damaged = None, True
    if there is None or (there.status, record.status) == ("failed", "done"):
        store.put(raw, None if not record.arrays else packed)
        merged.replaced += damaged or there is not None
        merged.added += not damaged and there is None
        return
    merged.known += 1
    if there.status == record.status == "done" and comparable(there) != comparable(record):
        merged.complaints.append(
            f"conflict: {path} and {store.path(record.cell)} are the same cell and differ{_why(record, there)}; "
            "the second is kept"
        )


def _why(new: Record, old: Record) -> str:
    """Return the circumstances in which two records differ, as part of a message."""
    names = {**new.run.get("versions", {}), **old.run.get("versions", {})}
    both: list[tuple[str, Any, Any]] = [("device", new.run.get("device"), old.run.get("device"))]
    both += [(name, *(record.run.get("versions", {}).get(name) for record in (new, old))) for name in names]
    texts = [f"{name} {left} and {right}" for name, left, right in both if left != right]
    return f" ({', '.join(texts)})" if texts else ""


def _merge_verify(source: Path, folder: Path, merged: Merged) -> None:
    paths = [path for path in sorted(source.glob("*")) if path.is_file() and not path.name.startswith(".")]
    # a table and its JSON file belong together: the existing table decides about both
    chosen = [
        path
        for path in paths
        if not (folder / path.name).exists()
        or (_passed(folder / f"{path.stem}.json") is True and _passed(path.with_suffix(".json")) is False)
    ]
    for path in chosen:
        content = read_bytes(path)
        assert content is not None
        make_folder(folder)
        write_whole(folder / path.name, content)
        merged.verify += 1


def _passed(path: Path) -> Any:
    """Return whether the guarantees passed according to a table's JSON file; None if it cannot be read."""
    try:
        document = json.loads(read_bytes(path) or b"null")
    except ValueError:
        return None
    return document.get("passed") if isinstance(document, dict) else None
