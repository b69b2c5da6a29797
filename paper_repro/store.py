"""The store of results: one JSON file per cell, plus one npz file for its arrays.

A cell is named by the hash of its definition (experiment, version, settings including dtype and seed). Files are
written under a temporary name in the same folder, synced and renamed, so a file with a cell's name is either complete
or does not exist; a checksum detects later damage. Stores are merged by copying files. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paper_repro.encoding import decode, encode
from paper_repro.files import DamagedCell, StoreError, is_stale, make_folder, pack, read_bytes, unpack, write_whole
from paper_repro.record import Cell, Record, checksum, comparable, contents

__all__ = [
    "FORMAT",
    "Cell",
    "DamagedCell",
    "Record",
    "Store",
    "StoreError",
    "comparable",
    "from_files",
    "to_files",
]

FORMAT = 1
"""Number of the file format; files in other formats are reported rather than interpreted."""


class Store:
    """Cells in a folder, with one subfolder per experiment.

    Parameters
    ----------
    folder : str or path
        The folder of the files; created on first write.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def path(self, cell: Cell) -> Path:
        """Return the name of a cell's JSON file."""
        return self.folder / cell.experiment / f"{cell.key}.json"

    def write(self, record: Record) -> Path:
        """Write a record atomically.

        Parameters
        ----------
        record : Record
            The record to store; an older record of the same cell is replaced.

        Returns
        -------
        path
            The JSON file.

        Raises
        ------
        StoreError
            If the folder cannot be written to or the disk is full.
        TypeError
            If an array holds Python objects.
        """
        return self._put(self.path(record.cell), *to_files(record))

    def put(self, raw: bytes, packed: bytes | None) -> Record:
        """Write the files of a record byte for byte as received from another store or machine.

        Parameters
        ----------
        raw, packed : bytes
            The JSON file, and the npz file or None, as :func:`to_files` returns them.

        Returns
        -------
        Record
            What they hold.

        Raises
        ------
        StoreError
            If they are damaged, of another format, or cannot be written.
        """
        record = from_files(raw, packed, Path("a record that was sent"))
        self._put(self.path(record.cell), raw, packed)
        return record

    def _put(self, path: Path, raw: bytes, packed: bytes | None) -> Path:
        self.prepare(path.parent.name)
        if packed is not None:
            write_whole(path.with_suffix(".npz"), packed)
        write_whole(path, raw)
        return path

    def read(self, cell: Cell) -> Record | None:
        """Return the record of a cell, or None if there is none.

        Raises
        ------
        DamagedCell
            If a file is damaged, cut short, or belongs to another cell.
        StoreError
            If the file was written in another format, or cannot be read.
        """
        path = self.path(cell)
        record = self._read_file(path)
        if record is not None and record.cell.key != cell.key:
            raise DamagedCell(f"{path} holds the cell {record.cell.key}, which is not the one it is named after")
        return record

    def records(self, experiment: str | None = None) -> Iterator[Record]:
        """Yield all records of the store, or of one experiment, in order of their keys."""
        pattern = f"{experiment or '*'}/*.json"
        for path in sorted(self.folder.glob(pattern)):
            record = self._read_file(path)
            if record is not None:
                yield record

    def prepare(self, experiment: str) -> None:
        """Create an experiment's folder and remove half-written files of killed runs.

        Raises
        ------
        StoreError
            If the folder cannot be created or written to.
        """
        folder = self.folder / experiment
        if not folder.is_dir():
            make_folder(folder)

    def check_writable(self, experiment: str) -> None:
        """Raise an error for a folder that cannot be written to; remove stale temporary files."""
        self.prepare(experiment)
        folder = self.folder / experiment
        probe = folder / "probe"
        write_whole(probe, b"")
        with contextlib.suppress(OSError):
            probe.unlink()
        for leftover in folder.glob(".*.tmp"):
            if is_stale(leftover):
                with contextlib.suppress(OSError):
                    leftover.unlink()

    def _read_file(self, path: Path) -> Record | None:
        raw = read_bytes(path)
        if raw is None:
            return None
        record = from_files(raw, read_bytes(path.with_suffix(".npz")), path)
        if path.stem != record.cell.key:
            raise DamagedCell(f"{path} is not named after the cell it holds ({record.cell.key})")
        return record


def to_files(record: Record) -> tuple[bytes, bytes | None]:
    """Return the JSON file of a record, and its npz file or None; equal records give equal bytes.

    Raises
    ------
    TypeError
        If a metric is not a JSON value, or an array contains Python objects.
    """
    document: dict[str, Any] = {
        "format": FORMAT,
        **contents(record),
        "arrays": None,
        "run": encode(dict(record.run)),
    }
    packed = pack(record.arrays) if record.arrays else None
    if packed is not None:
        document["arrays"] = hashlib.sha256(packed).hexdigest()
    document["checksum"] = checksum(document)
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode(), packed


def from_files(raw: bytes, packed: bytes | None, path: Path) -> Record:
    """Return the record of a JSON file and its npz file; nothing is unpickled.

    Parameters
    ----------
    raw, packed : bytes
        The two files; an npz file that is not needed is ignored.
    path : path
        Path of the JSON file for messages.

    Raises
    ------
    DamagedCell
        If they differ from what was written.
    StoreError
        If they were written in another format.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DamagedCell(f"{path} is damaged: it is not a JSON document ({error})") from error
    if not isinstance(document, dict) or "format" not in document:
        raise DamagedCell(f"{path} is damaged: it is not a cell of this store")
    if document["format"] != FORMAT:
        raise StoreError(
            f"{path} is written in format {document['format']!r} and this version reads format {FORMAT}; "
            "use the version that wrote it, or another folder with --results"
        )
    try:
        whole = document.pop("checksum", None) == checksum(document)
    except (ValueError, RecursionError):  # NaN and infinities are not valid JSON
        whole = False
    if not whole:
        raise DamagedCell(f"{path} is damaged: its checksum does not match its content")
    cell = Cell(document["experiment"], document["version"], document["settings"])
    if document["key"] != cell.key:
        raise DamagedCell(f"{path} is not named after the cell it holds ({cell.key})")
    arrays = {} if document["arrays"] is None else unpack(packed, document["arrays"], path.with_suffix(".npz"))
    return Record(
        cell, document["status"], document["message"], decode(document["metrics"]), arrays, decode(document["run"])
    )
