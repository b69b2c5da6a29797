"""File access for the store: atomic writes, and npz files of numbers without pickle."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import platform
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

__all__ = ["DamagedCell", "StoreError", "is_stale", "make_folder", "pack", "read_bytes", "unpack", "write_whole"]


class StoreError(RuntimeError):
    """The store cannot be used; the message is for the user."""


class DamagedCell(StoreError):
    """A cell's file exists but differs from what was written; recomputing the cell repairs it."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically, even if the machine crashes.

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
    except BaseException as error:  # leave nothing half-written after Ctrl-C either
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
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


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; raise an error if that fails.

    Parameters
    ----------
    folder : path
        May exist already.

    Raises
    ------
    StoreError
        If it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error.strerror}; choose another with --results") from error


def is_stale(temporary: Path) -> bool:
    """Return whether a temporary file's writer is gone (or, for another machine, the file is a day old)."""
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


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
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


def unpack(packed: bytes | None, expected: str, path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file whose SHA-256 is `expected`, or raise DamagedCell; `path` is for messages."""
    if packed is None:
        raise DamagedCell(f"{path} is missing")
    if hashlib.sha256(packed).hexdigest() != expected:
        raise DamagedCell(f"{path} is damaged: it is not the file that was written with its cell")
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise DamagedCell(f"{path} is not an npz file of numbers: {error}") from error


def read_bytes(path: Path) -> bytes | None:
    """Return the content of a file, or None if it does not exist.

    Raises
    ------
    StoreError
        If it exists but cannot be read.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
