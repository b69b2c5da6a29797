"""Worker processes that compute cells, each with BLAS pinned to one thread."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from paper_repro import machine
from paper_repro.experiment import Experiment
from paper_repro.store import Cell, Record, Store, StoreError

__all__ = ["Pool"]


class Pool:
    """Worker processes, each served by a thread that hands it one cell at a time."""

    def __init__(self, experiment: Experiment, store: Store, device: str, count: int) -> None:
        self.experiment, self.store, self.device = experiment, store, device
        self.tasks: queue.SimpleQueue[Cell | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[tuple[Cell, dict[str, Any]]] = queue.SimpleQueue()
        self._closing = False
        self._processes: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(count)]

    def __enter__(self) -> Pool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        with self._lock:
            self._closing = True
            for process in self._processes:
                process.kill()
        for _ in self._threads:
            self.tasks.put(None)
        for thread in self._threads:
            thread.join()

    def next_reply(self) -> tuple[Cell, dict[str, Any]]:
        """Return the next finished cell; short waits, so that Ctrl-C is heard on every system."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._replies.get(timeout=0.5)

    def _serve(self) -> None:
        process: subprocess.Popen[str] | None = None
        while True:
            cell = self.tasks.get()
            if cell is None or self._closing:
                break
            try:
                if process is None:
                    process = self._start()
                reply = self._ask(process, cell)
            except Exception as error:
                self._replies.put((cell, {"status": "store", "message": f"cannot start a worker process: {error}"}))
                continue
            if reply is None:
                code = self._stop(process)
                process = None
                if self._closing:
                    break
                reply = self._record_death(cell, code)
            self._replies.put((cell, reply))
        if process is not None:
            self._stop(process)

    def _start(self) -> subprocess.Popen[str]:
        environment = dict(os.environ)
        environment.update(dict.fromkeys(machine.BLAS_VARIABLES, "1"))
        environment["PYTHONPATH"] = os.pathsep.join(item or os.getcwd() for item in sys.path)
        with self._lock:
            if self._closing:
                raise RuntimeError("the sweep is ending")
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "paper_repro.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                text=True,
                start_new_session=True,  # Ctrl-C in a terminal reaches the parent only
            )
            self._processes.add(process)
        return process

    def _ask(self, process: subprocess.Popen[str], cell: Cell) -> dict[str, Any] | None:
        """Return the worker's reply, or None if it died."""
        task = {
            "module": self.experiment.module,
            "settings": dict(cell.settings),
            "device": self.device,
            "store": str(Path(self.store.folder).absolute()),
        }
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            return None
        if not line.endswith("\n"):
            return None
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _stop(self, process: subprocess.Popen[str]) -> int:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        with self._lock:
            self._processes.discard(process)
        return process.wait()

    def _record_death(self, cell: Cell, code: int) -> dict[str, Any]:
        message = f"the worker process died with exit code {code} (killed, or out of memory?)"
        try:
            self.store.write(Record(cell, "failed", message))
        except StoreError as error:
            return {"status": "store", "message": str(error)}
        return {"status": "failed", "message": message}
