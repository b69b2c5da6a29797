"""A worker process seen from outside: started with BLAS pinned to one thread, given cells, replaced when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import Any

from paper_repro import machine

__all__ = ["Child"]


class Child:
    """A process that runs :mod:`paper_repro.worker`; started when it is first needed, and again after a death."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def usable(self) -> bool:
        """Whether it was neither killed nor closed."""
        return not self._closed

    def compute(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        """Have cells computed.

        Parameters
        ----------
        task : dict
            As :func:`paper_repro.worker.compute_cells` takes it.

        Returns
        -------
        list of dict
            For each cell ``status`` and ``message``, as that function returns them; ``status`` is ``"died"`` for a
            cell that took the process with it, or that :meth:`kill` cut off. Nothing is stored of such a cell.
        """
        try:
            answer = self._ask(task)
        except Exception as error:
            return [{"status": "store", "message": f"cannot start a worker process: {error}"} for _ in task["settings"]]
        if answer is not None:
            return answer
        code = self._bury()
        if len(task["settings"]) > 1 and not self._closed:  # which of them it was is found out one at a time
            return [reply for one in task["settings"] for reply in self.compute({**task, "settings": [one]})]
        message = f"the worker process died with exit code {code} (killed, or out of memory?)"
        return [{"status": "died", "message": message} for _ in task["settings"]]

    def kill(self) -> None:
        """End the process, also in the middle of a cell, and start no other; may be called from another thread."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the process, which computes nothing now, and start no other."""
        self.kill()
        self._bury()

    def _ask(self, task: dict[str, Any]) -> list[dict[str, Any]] | None:
        """Return the process's reply, or None if it died."""
        with self._lock:
            if self._closed:
                return None
            if self._process is None:
                self._process = _start()
            process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):
            return None
        if not line.endswith("\n"):
            return None
        reply: list[dict[str, Any]] = json.loads(line)
        return reply

    def _bury(self) -> int | None:
        with self._lock:
            process, self._process = self._process, None
        return None if process is None else _end(process)


def _start() -> subprocess.Popen[str]:
    environment = dict(os.environ)
    environment.update(dict.fromkeys(machine.BLAS_VARIABLES, "1"))
    environment["PYTHONPATH"] = os.pathsep.join(item or os.getcwd() for item in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "paper_repro.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        start_new_session=True,  # Ctrl-C in a terminal reaches the parent only
    )


def _end(process: subprocess.Popen[str]) -> int:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    return process.wait()
