"""Worker processes on this machine, each served by a thread that hands it one batch of cells at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paper_repro.child import Child
from paper_repro.experiment import Experiment
from paper_repro.store import Cell, Record, Store, StoreError

__all__ = ["POLL_S", "Pool", "Reply", "task_of"]

Reply = tuple[Sequence[Cell], list[dict[str, Any]]]
"""Cells, and of each ``status`` ("done", "failed", or "store" when the sweep must end) and ``message``."""

POLL_S = 0.1
"""Seconds that a reply is waited for before signals and new workers are looked for."""


class Pool:
    """Where cells are computed on this machine; :class:`paper_repro.cluster.Cluster` is used in the same way."""

    def __init__(self, experiment: Experiment, store: Store, device: str, count: int) -> None:
        self.experiment, self.store, self.device, self.count = experiment, store, device, count
        self._tasks: queue.SimpleQueue[Sequence[Cell] | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        self._closing = False
        self._children = [Child() for _ in range(count)]
        self._threads = [threading.Thread(target=self._serve, args=(one,), daemon=True) for one in self._children]

    def __enter__(self) -> Pool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._closing = True
        for child in self._children:
            child.kill()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def slots(self) -> int:
        """Return how many batches can be computed at once now."""
        return self.count

    def submit(self, cells: Sequence[Cell]) -> None:
        """Have a batch computed and written to the store."""
        self._tasks.put(cells)

    def next_reply(self) -> Reply | None:
        """Return the next finished batch, or None if there is none within :data:`POLL_S`."""
        try:
            return self._replies.get(timeout=POLL_S)
        except queue.Empty:
            return None

    def _serve(self, child: Child) -> None:
        folder = str(Path(self.store.folder).absolute())
        while True:
            cells = self._tasks.get()
            if cells is None or self._closing:
                break
            replies = child.compute(task_of(self.experiment, cells, self.device) | {"store": folder})
            if self._closing:
                break
            self._replies.put((cells, [self._heard(*pair) for pair in zip(cells, replies, strict=True)]))
        child.close()

    def _heard(self, cell: Cell, reply: dict[str, Any]) -> dict[str, Any]:
        if reply["status"] != "died":
            return reply
        try:
            self.store.write(Record(cell, "failed", reply["message"]))
        except StoreError as error:
            return {"status": "store", "message": str(error)}
        return {"status": "failed", "message": reply["message"]}


def task_of(experiment: Experiment, cells: Sequence[Cell], device: str) -> dict[str, Any]:
    """Return what a worker process is told, all but where to write."""
    return {
        "module": experiment.module,
        "experiment": experiment.store_name,
        "version": experiment.version,
        "settings": [dict(cell.settings) for cell in cells],
        "device": device,
    }
