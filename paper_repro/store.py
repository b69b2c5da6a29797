"""The store of results: one JSON file a cell, and beside it one npz file for its arrays.

A cell is named by the hash of what defines it (experiment, version, settings with the dtype
and the seed). Files are written under a temporary name in the same folder, synced and
renamed, so that a file with a cell's name is whole or does not exist; a checksum tells if it
was damaged later. Merging two stores is copying files. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paper_repro.encoding import decode, encode
from paper_repro.files import DamagedCell, StoreError, is_stale, make_folder, pack, unpack, write_whole

__all__ = ["FORMAT", "Cell", "DamagedCell", "Record", "Store", "StoreError", "comparable"]

FORMAT = 1
"""Number of the file format; a store written in another one is reported, not guessed at."""


@dataclass(frozen=True)
class Cell:
    """One unit of work: an experiment's name and version, and its settings.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    version : int
        Version of its computation; results of other versions are other cells.
    settings : dict
        Everything the result depends on, among it ``dtype`` and ``seed``; JSON values only.
    """

    experiment: str
    version: int
    settings: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Name of the cell: 32 hexadecimal digits of the hash of what defines it."""
        text = _canonical({"experiment": self.experiment, "version": self.version, "settings": dict(self.settings)})
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Record:
    """What the store knows of a cell.

    Parameters
    ----------
    cell : Cell
        What was computed.
    status : {"done", "failed"}
        How it ended.
    message : str
        Why it failed; empty otherwise.
    metrics : dict
        Numbers and strings that depend on the settings alone.
    arrays : dict of numpy.ndarray
        Larger results that depend on the settings alone.
    run : dict
        What may differ from run to run: wall time in seconds, versions, machine, device, warnings.
    """

    cell: Cell
    status: str
    message: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """Cells in a folder, one subfolder an experiment.

    Parameters
    ----------
    folder : str or path
        Where the files lie; made at the first writing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def path(self, cell: Cell) -> Path:
        """Return the name of a cell's JSON file."""
        return self.folder / cell.experiment / f"{cell.key}.json"

    def write(self, record: Record) -> Path:
        """Write a record, whole or not at all.

        Parameters
        ----------
        record : Record
            What to keep; an older record of the same cell is replaced.

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
        path = self.path(record.cell)
        document: dict[str, Any] = {
            "format": FORMAT,
            **_contents(record),
            "arrays": None,
            "run": encode(dict(record.run)),
        }
        self.prepare(record.cell.experiment)
        if record.arrays:
            packed = pack(record.arrays)
            document["arrays"] = hashlib.sha256(packed).hexdigest()
            write_whole(path.with_suffix(".npz"), packed)
        document["checksum"] = _checksum(document)
        write_whole(path, (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())
        return path

    def read(self, cell: Cell) -> Record | None:
        """Return the record of a cell, or None where there is none.

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
        """Yield every record of the store, or of one experiment, in the order of the keys."""
        pattern = f"{experiment or '*'}/*.json"
        for path in sorted(self.folder.glob(pattern)):
            record = self._read_file(path)
            if record is not None:
                yield record

    def prepare(self, experiment: str) -> None:
        """Make an experiment's folder and sweep out what killed runs left half written.

        Raises
        ------
        StoreError
            If the folder cannot be made or written to.
        """
        folder = self.folder / experiment
        if not folder.is_dir():
            make_folder(folder)

    def check_writable(self, experiment: str) -> None:
        """Refuse, with a sentence, a folder that cannot be written to; remove stale temporary files."""
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
        try:
            raw = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error
        try:
            document = json.loads(raw)
        except ValueError as error:
            raise DamagedCell(f"{path} is damaged: it is not a JSON document ({error})") from error
        if not isinstance(document, dict) or "format" not in document:
            raise DamagedCell(f"{path} is damaged: it is not a cell of this store")
        if document["format"] != FORMAT:
            raise StoreError(
                f"{path} is written in format {document['format']!r} and this version reads format {FORMAT}; "
                "use the version that wrote it, or another folder with --results"
            )
        claimed = document.pop("checksum", None)
        if claimed != _checksum(document):
            raise DamagedCell(f"{path} is damaged: its checksum does not match its content")
        cell = Cell(document["experiment"], document["version"], document["settings"])
        if path.stem != cell.key or document["key"] != cell.key:
            raise DamagedCell(f"{path} is not named after the cell it holds ({cell.key})")
        arrays = {} if document["arrays"] is None else unpack(path.with_suffix(".npz"), document["arrays"])
        return Record(
            cell, document["status"], document["message"], decode(document["metrics"]), arrays, decode(document["run"])
        )


def comparable(record: Record) -> dict[str, Any]:
    """Return the part of a record that depends on its settings alone.

    Two stores are equal when their cells are equal in this sense: wall time, versions, machine,
    device and warnings (``record.run``) are left out, everything else is compared bit for bit.

    Parameters
    ----------
    record : Record
        A record.

    Returns
    -------
    dict
        JSON values; arrays appear as the hash of their dtype, shape and bytes.
    """
    return {
        **_contents(record),
        "arrays": {name: _digest(value) for name, value in sorted(record.arrays.items())},
    }


def _contents(record: Record) -> dict[str, Any]:
    """Return what a record says of its cell, as JSON values: all but arrays and the circumstances of the run."""
    return {
        "key": record.cell.key,
        "experiment": record.cell.experiment,
        "version": record.cell.version,
        "settings": dict(record.cell.settings),
        "status": record.status,
        "message": record.message,
        "metrics": encode(dict(record.metrics)),
    }


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _checksum(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(document).encode()).hexdigest()


def _digest(array: np.ndarray) -> str:
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()
