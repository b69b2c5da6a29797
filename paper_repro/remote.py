"""What a Dask worker does for a sweep: it has cells computed by processes of its own and returns their files.

A cell is computed by the same worker process (:mod:`paper_repro.worker`) as on one machine, one a
thread of the Dask worker, so that cells on several threads do not share BLAS, warnings or
memory, a cell that crashes does not take the Dask worker along, and heartbeats go on. It writes
to a temporary store; what is returned are the bytes of the two files of each cell.
"""

from __future__ import annotations

import tempfile
import threading
from typing import Any

from paper_repro import machine
from paper_repro.child import Child
from paper_repro.record import Cell, Record
from paper_repro.store import Store, to_files
from planted.base import arrays

__all__ = ["Answer", "compute", "describe", "differences", "drop"]

Answer = tuple[dict[str, Any], bytes | None, bytes | None]
"""Status and message of a cell, and its JSON and npz files."""

_lock = threading.Lock()
_idle: list[tuple[dict[str, str], Child]] = []
_busy: dict[str, set[Child]] = {}


def describe(device: str) -> dict[str, Any]:
    """Return a worker's fingerprint, and why it cannot compute on a device (empty if it can)."""
    available, sentence = arrays.gpu_status() if device == "gpu" else (True, "")
    return {"fingerprint": machine.fingerprint(), "missing": "" if available else sentence}


def differences(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """Return in what two fingerprints differ, as part of a sentence; empty if they do not."""
    names = [name for name in ours if ours[name] != theirs.get(name)]
    return ", ".join(f"{name} {theirs.get(name, 'unknown')} there and {ours[name]} here" for name in names)


def compute(
    task: dict[str, Any], cells: list[tuple[str, int]], sweep: str, fingerprint: dict[str, str]
) -> list[Answer]:
    """Compute a batch of cells.

    Parameters
    ----------
    task : dict
        As :func:`paper_repro.pool.task_of` returns it.
    cells : list of (str, int)
        Experiment and version of each cell.
    sweep : str
        Name of the sweep, for :func:`drop`.
    fingerprint : dict
        That of the process that asks; a worker that joined late may be another.

    Returns
    -------
    list of Answer
        One a cell; files of finished and failed cells.
    """
    child, different = _take(sweep, fingerprint)
    if child is None:
        message = f"a worker of the cluster has other versions: {different}; install the same on both"
        return [({"status": "store", "message": message}, None, None) for _ in cells]
    try:
        with tempfile.TemporaryDirectory(prefix="paper-repro-") as folder:
            replies = child.compute(task | {"store": folder})
            named = [Cell(*head, settings) for head, settings in zip(cells, task["settings"], strict=True)]
            return [_answer(Store(folder), cell, reply) for cell, reply in zip(named, replies, strict=True)]
    finally:
        _give_back(sweep, fingerprint, child)


def drop(sweep: str) -> None:
    """End the processes that compute for a sweep; what they have is lost."""
    with _lock:
        for child in _busy.get(sweep, ()):
            child.kill()


def _answer(store: Store, cell: Cell, reply: dict[str, Any]) -> Answer:
    if reply["status"] == "died":
        return {"status": "failed", "message": reply["message"]}, *to_files(Record(cell, "failed", reply["message"]))
    if reply["status"] == "store":
        return reply, None, None
    path = store.path(cell)
    arrays_path = path.with_suffix(".npz")
    return reply, path.read_bytes(), arrays_path.read_bytes() if arrays_path.exists() else None


def _take(sweep: str, wanted: dict[str, str]) -> tuple[Child | None, str]:
    """Return a process with the wanted fingerprint, which is that of the files it imported, or why there is none."""
    with _lock:
        child = None
        while child is None and _idle:
            known, child = _idle.pop()
            if known != wanted:  # files were changed since it was started
                child.close()
                child = None
        if child is None:
            different = differences(wanted, machine.fingerprint())
            if different:
                return None, different
            child = Child()
        _busy.setdefault(sweep, set()).add(child)
        return child, ""


def _give_back(sweep: str, fingerprint: dict[str, str], child: Child) -> None:
    with _lock:
        _busy[sweep].discard(child)
        if not _busy[sweep]:
            del _busy[sweep]
        if child.usable:
            _idle.append((fingerprint, child))
        else:
            child.close()
