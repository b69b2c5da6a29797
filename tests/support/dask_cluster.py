"""A Dask scheduler and workers on the loopback interface, each in a separate process, at free ports."""

import contextlib
import json
import os
import subprocess
import sys
import time

from toy_runs import ENVIRONMENT


class LocalCluster:
    """A running scheduler and its workers; `workers` are processes that can be killed."""

    def __init__(self, folder, count=2, nanny=False, **environment):
        self.folder, self.processes = folder, []
        self.environment = {**ENVIRONMENT, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False", **environment}
        self._file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler")
        options = ["--nthreads", "1", "--nanny" if nanny else "--no-nanny", "--local-directory", str(folder)]
        self.workers = [self._start("worker", *options) for _ in range(count)]
        end = time.monotonic() + 60
        while not self.address:
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)

    @property
    def address(self):
        """Address of the scheduler, or None while it is not there."""
        with contextlib.suppress(OSError, ValueError):
            return json.loads(self._file.read_text())["address"]
        return None

    def log(self):
        """Return the output of the processes."""
        return (self.folder / "dask.log").read_text()

    def _start(self, kind, *options):
        where = ["--scheduler-file", str(self._file), "--host", "127.0.0.1", "--no-dashboard"]
        where += ["--port", "0"] if kind == "scheduler" else []
        with open(self.folder / "dask.log", "a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *where, *options],
                stdout=log,
                stderr=log,
                env={**self.environment, "TMPDIR": os.fspath(self.folder)},
            )
        self.processes.append(process)
        return process

    def close(self):
        """Kill all processes; asked to end together, a scheduler and its workers would wait for each other."""
        for process in self.processes:
            process.kill()
            process.wait()
