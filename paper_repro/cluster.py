"""Sweeps on a Dask cluster: cells are computed remotely, and the store is written locally.

No shared file system is needed: a worker returns the bytes of a cell's two files, which are checked and written here.
Cells of lost workers are recomputed by others.

On a Dask worker (:func:`compute`) cells are computed by the same kind of worker process as on a single machine, one per
thread of the Dask worker. So cells on several threads do not share BLAS, warnings or memory, a crashing cell does not
bring down the Dask worker, and heartbeats continue. The process writes to a temporary store, and the bytes of each
cell's two files are returned.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from paper_repro import machine
from paper_repro.experiment import Experiment
from paper_repro.store import Cell, Record, Store, to_files
from paper_repro.workers import POLL_S, Child, Reply, task_of
from planted.base import arrays, extras

__all__ = ["Answer", "Cluster", "ClusterError", "compute", "describe", "differences", "drop"]

CONNECT_S = 10.0
"""Timeouts in seconds for the scheduler's answer, and for its first worker."""


Answer = tuple[dict[str, Any], bytes | None, bytes | None]
"""Status and message of a cell, and its JSON and npz files."""


class ClusterError(RuntimeError):
    """The cluster cannot be used; the message is for the user."""


class Cluster:
    """Computes cells on a Dask cluster; has the interface of :class:`paper_repro.workers.Pool`.

    Parameters
    ----------
    experiment : Experiment
        What is computed.
    store : Store
        Where this process writes the results.
    device : {"cpu", "gpu"}
        Device of the workers.
    address : str
        Address of the scheduler.
    say : callable
        Called with messages for the user.

    Notes
    -----
    Only as many batches are submitted as the workers have threads, so the order is decided here and nothing is queued
    elsewhere on an interrupt.
    """

    def __init__(
        self, experiment: Experiment, store: Store, device: str, address: str, say: Callable[[str], None]
    ) -> None:
        self.experiment, self.store, self.device, self.address, self.say = experiment, store, device, address, say
        self._sweep = f"{experiment.name}-{uuid.uuid4().hex}"
        self._fingerprint = machine.fingerprint()
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._cells: dict[str, Sequence[Cell]] = {}
        self._futures: dict[str, Any] = {}
        self._slots, self._asked = 0, -1.0

    def __enter__(self) -> Cluster:
        self._distributed = _distributed()
        # errors are reported here in one sentence; Dask would add a traceback
        for name in ("distributed", "distributed.client", "distributed.core", "distributed.comm"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            # a client with an unreadable address would hang on disposal
            self._distributed.comm.get_address_host_port(self.address, strict=True)
        except ValueError as error:
            raise ClusterError(
                f"--dask {self.address} is not an address ({_line(error)}); expected one such as tcp://127.0.0.1:8786, "
                "which `dask scheduler` prints"
            ) from error
        try:
            self._client = self._distributed.Client(self.address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {self.address} ({_line(error)}); start one with `dask scheduler`, "
                "and name the address that it prints"
            ) from error
        try:
            self._check_workers()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        if self._futures:  # aborted
            stopper = threading.Thread(target=self._drop, daemon=True)
            stopper.start()
            stopper.join(timeout=5.0)  # do not wait for a worker that does not answer
        self._close()

    def slots(self) -> int:
        """Return how many batches can currently run at once: the number of threads of all workers."""
        now = time.monotonic()
        if now - self._asked > 1.0:
            try:
                slots = sum(self._client.nthreads().values())
            except Exception as error:  # Dask raises many exception types for a lost connection
                raise self._lost() from error
            if not slots and self._slots:
                self.say(f"no worker is left at {self.address}; waiting for new ones")
            self._slots, self._asked = slots, now
        return self._slots

    def submit(self, cells: Sequence[Cell]) -> None:
        """Submit a batch; :meth:`next_reply` writes it to the store."""
        task = task_of(self.experiment, cells, self.device)
        heads = [(cell.experiment, cell.version) for cell in cells]
        key = f"{self._sweep}-{cells[0].key}"
        self._cells[key] = cells
        future = self._client.submit(compute, task, heads, self._sweep, self._fingerprint, key=key, pure=False)
        self._futures[key] = future
        future.add_done_callback(self._finished.put)

    def next_reply(self) -> Reply | None:
        """Return the next finished batch, now in the store, or None if there is none within :data:`POLL_S`."""
        try:
            future = self._finished.get(timeout=POLL_S)
        except queue.Empty:
            return None
        cells = self._cells[future.key]
        try:
            answers: list[Answer] = future.result(timeout=10.0)
        except TimeoutError:  # its worker was lost meanwhile, so it is recomputed
            self._finished.put(future)
            return None
        except self._distributed.scheduler.KilledWorker as error:
            answers = [self._killed(cell, error.allowed_failures + 1) for cell in cells]
        except Exception as error:
            if future.status in ("cancelled", "lost") or isinstance(error, OSError):
                raise self._lost() from error
            raise ClusterError(f"a worker of {self.address} could not compute a cell: {_line(error)}") from error
        for _, raw, packed in answers:
            if raw is not None:
                self.store.put(raw, packed)
        del self._futures[future.key], self._cells[future.key]
        return cells, [reply for reply, _, _ in answers]

    def _killed(self, cell: Cell, times: int) -> Answer:
        message = f"{times} workers were lost while they computed it (killed, or out of memory?)"
        return {"status": "failed", "message": message}, *to_files(Record(cell, "failed", message))

    def _lost(self) -> ClusterError:
        return ClusterError(
            f"the connection to the Dask scheduler at {self.address} was lost; finished cells are in the store, "
            "and the same command continues from there"
        )

    def _drop(self) -> None:
        with contextlib.suppress(Exception):
            self._client.cancel(list(self._futures.values()), force=True)
            self._client.run(drop, self._sweep, on_error="ignore")

    def _check_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            raise ClusterError(
                f"the Dask scheduler at {self.address} has no worker; start some with `dask worker {self.address}`"
            ) from error
        found = self._client.run(describe, self.device, on_error="return")
        for worker, description in found.items():
            if isinstance(description, Exception):
                raise ClusterError(
                    f"the worker {worker} cannot use this package ({_line(description)}); install the same on both"
                )
            different = differences(self._fingerprint, description["fingerprint"])
            if different:
                raise ClusterError(f"the worker {worker} has other versions: {different}; install the same on both")
            if description["missing"]:
                raise ClusterError(
                    f"--device gpu was requested, but the worker {worker} has none: {description['missing']}"
                )

    def _close(self) -> None:
        with contextlib.suppress(Exception):
            self._client.close(timeout=5.0)


def _distributed() -> Any:
    try:
        return extras.need("distributed")
    except ImportError as error:
        raise ClusterError(extras.sentence("distributed", "--dask")) from error


def _line(error: BaseException) -> str:
    """Return an exception's kind and the first line of its message."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_lock = threading.Lock()
_idle: list[tuple[dict[str, str], Child]] = []
_busy: dict[str, set[Child]] = {}


def describe(device: str) -> dict[str, Any]:
    """Return a worker's fingerprint, and why it cannot compute on a device (empty if it can)."""
    available, sentence = arrays.gpu_status() if device == "gpu" else (True, "")
    return {"fingerprint": machine.fingerprint(), "missing": "" if available else sentence}


def differences(ours: dict[str, str], theirs: dict[str, str]) -> str:
    """Return the differences of two fingerprints as part of a message; empty if there are none."""
    names = [name for name in ours if ours[name] != theirs.get(name)]
    return ", ".join(f"{name} {theirs.get(name, 'unknown')} there and {ours[name]} here" for name in names)


def compute(
    task: dict[str, Any], cells: list[tuple[str, int]], sweep: str, fingerprint: dict[str, str]
) -> list[Answer]:
    """Compute a batch of cells.

    Parameters
    ----------
    task : dict
        As :func:`paper_repro.workers.task_of` returns it.
    cells : list of (str, int)
        Experiment and version of each cell.
    sweep : str
        Name of the sweep, for :func:`drop`.
    fingerprint : dict
        That of the requesting process; a worker that joined late may differ.

    Returns
    -------
    list of Answer
        One per cell, with the files of finished and failed cells.
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
    """End the processes of a sweep; their unfinished work is lost."""
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
            if known != wanted:  # files have changed since it was started
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
