"""The store of results: one JSON file a cell, and beside it one npz file for its arrays.

A cell is named by the hash of what defines it (experiment, version, settings with the dtype
and the seed). Files are written under a temporary name in the same folder, synced and
renamed, so that a file with a cell's name is whole or does not exist; a checksum tells if it
was damaged later. Merging two stores is copying files. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import platform
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["FORMAT", "Cell", "DamagedCell", "Record", "Store", "StoreError", "comparable", "decode", "encode"]

FORMAT = 1
"""Number of the file format; a store written in another one is reported, not guessed at."""


class StoreError(RuntimeError):
    """The store cannot be used; the message is a sentence for the user."""


class DamagedCell(StoreError):
    """A cell's file exists but is not what was written; computing the cell again repairs it."""


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
            "key": record.cell.key,
            "experiment": record.cell.experiment,
            "version": record.cell.version,
            "settings": dict(record.cell.settings),
            "status": record.status,
            "message": record.message,
            "metrics": encode(dict(record.metrics)),
            "arrays": None,
            "run": encode(dict(record.run)),
        }
        self.prepare(record.cell.experiment)
        if record.arrays:
            packed = _pack(record.arrays)
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
        if folder.is_dir():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make the folder {folder}: {error.strerror}; choose another with --results"
            ) from error

    def check_writable(self, experiment: str) -> None:
        """Refuse, with a sentence, a folder that cannot be written to; remove stale temporary files."""
        self.prepare(experiment)
        folder = self.folder / experiment
        probe = folder / "probe"
        write_whole(probe, b"")
        with contextlib.suppress(OSError):
            probe.unlink()
        for leftover in folder.glob(".*.tmp"):
            if _is_stale(leftover):
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
        arrays = {} if document["arrays"] is None else _unpack(path.with_suffix(".npz"), document["arrays"])
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
        "key": record.cell.key,
        "experiment": record.cell.experiment,
        "version": record.cell.version,
        "settings": dict(record.cell.settings),
        "status": record.status,
        "message": record.message,
        "metrics": encode(dict(record.metrics)),
        "arrays": {name: _digest(value) for name, value in sorted(record.arrays.items())},
    }


def encode(value: Any) -> Any:
    """Return `value` as JSON values; infinities and NaN become ``{"float": "inf"}`` and the like."""
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{value!r} is of type {type(value).__name__}; a metric is a number, a string, a list or a dict")


def decode(value: Any) -> Any:
    """Undo :func:`encode`."""
    if isinstance(value, dict):
        if set(value) == {"float"} and value["float"] in ("inf", "-inf", "nan"):
            return float(value["float"])
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even if the machine stops.

    Parameters
    ----------
    path : path
        The file; its folder must exist.
    data : bytes
        Its content.

    Raises
    ------
    StoreError
        If it cannot be written, for instance because the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{platform.node() or 'host'}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(
            f"cannot write {path}: {error.strerror}; what is already there is kept. Make room or choose another "
            "folder with --results, and run the same command again"
        ) from error


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there; the rename itself is journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_stale(temporary: Path) -> bool:
    """Tell whether a temporary file's writer is gone (or, on another machine, a day old)."""
    host, _, process = temporary.name.removesuffix(".tmp").rpartition(".")
    if not process.isdigit():
        return False
    if host.endswith(platform.node() or "host"):
        if int(process) == os.getpid():
            return True
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False
    with contextlib.suppress(OSError):
        return time.time() - temporary.stat().st_mtime > 86_400
    return False


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _checksum(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(document).encode()).hexdigest()


def _digest(array: np.ndarray) -> str:
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the arrays as the bytes of an npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in sorted(arrays.items()):
            array = np.asarray(value)
            if array.dtype.hasobject:
                raise TypeError(f"array {name!r} holds Python objects; the store keeps numbers only")
            part = io.BytesIO()
            np.lib.format.write_array(part, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _unpack(path: Path, expected: str) -> dict[str, np.ndarray]:
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DamagedCell(f"{path} is missing or cannot be read: {error.strerror}") from error
    if hashlib.sha256(packed).hexdigest() != expected:
        raise DamagedCell(f"{path} is damaged: it is not the file that was written with its cell")
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise DamagedCell(f"{path} is not an npz file of numbers: {error}") from error
