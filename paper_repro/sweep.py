"""Running the cells of an experiment that are not in the store yet, in worker processes."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from paper_repro import machine
from paper_repro.experiment import Experiment
from paper_repro.store import Cell, DamagedCell, Record, Store, StoreError
from planted.checks import check_choice, check_integer

__all__ = ["Interrupted", "Sweep", "run"]


class Interrupted(Exception):
    """The user stopped the sweep; what was finished is in the store."""


@dataclass
class Sweep:
    """How a sweep went.

    Parameters
    ----------
    total, reused, computed : int
        Numbers of cells: all, found in the store, computed now.
    failed : list of (settings, message)
        Cells that raised an exception.
    repaired : list of str
        A sentence for each damaged file that was computed again.
    """

    total: int = 0
    reused: int = 0
    computed: int = 0
    failed: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)


def run(
    experiment: Experiment,
    settings: Sequence[Any],
    store: Store,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    progress: IO[str] | None = None,
) -> Sweep:
    """Compute the cells that the store does not hold, the longest first.

    Parameters
    ----------
    experiment : Experiment
        What to compute.
    settings : sequence
        Its cells; equal ones are computed once.
    store : Store
        Where results are looked for and put. Failed and damaged cells are tried again.
    jobs : int, optional
        Number of worker processes, each with one BLAS thread; by default one a core on the CPU, and
        one on the GPU.
    device : {"cpu", "gpu"}, default "cpu"
        Where the cells compute.
    progress : text stream, optional
        Where the progress bar goes; None for no bar.

    Returns
    -------
    Sweep
        Counts and failures.

    Raises
    ------
    Interrupted
        On Ctrl-C; running cells are dropped, finished ones are in the store.
    StoreError
        If nothing can be written, or a cell was written in another format.
    """
    check_choice(device, "device", ("cpu", "gpu"))
    jobs = (machine.cores() if device == "cpu" else 1) if jobs is None else check_integer(jobs, "jobs", minimum=1)
    store.check_writable(experiment.name)
    sweep = Sweep()
    todo: list[tuple[float, Cell]] = []
    seen: set[str] = set()
    for one in settings:
        cell = experiment.cell(one)
        if cell.key in seen:
            continue
        seen.add(cell.key)
        try:
            record = store.read(cell)
        except DamagedCell as error:
            sweep.repaired.append(str(error))
            record = None
        if record is not None and record.status == "done":
            sweep.reused += 1
        else:
            todo.append((max(float(experiment.cost(one)), 1e-9), cell))
    sweep.total = len(seen)
    if not todo:
        return sweep
    todo.sort(key=lambda pair: (-pair[0], pair[1].key))
    with _Pool(experiment, store, device, min(jobs, len(todo))) as pool:
        for _, cell in todo:
            pool.tasks.put(cell)
        with _bar(experiment, sum(cost for cost, _ in todo), progress) as bar:
            _collect(pool, todo, sweep, bar)
    return sweep


def _collect(pool: _Pool, todo: list[tuple[float, Cell]], sweep: Sweep, bar: Any) -> None:
    costs = {cell.key: cost for cost, cell in todo}
    try:
        for finished in range(1, len(todo) + 1):
            cell, reply = pool.next_reply()
            if reply["status"] == "store":
                raise StoreError(reply["message"])
            sweep.computed += 1
            if reply["status"] == "failed":
                sweep.failed.append((dict(cell.settings), reply["message"]))
            bar.set_postfix_str(f"{finished}/{len(todo)} cells", refresh=False)
            bar.update(costs[cell.key])
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: {sweep.reused + sweep.computed} of {sweep.total} cells are in the store; "
            "the same command goes on from there"
        ) from None


def _bar(experiment: Experiment, total: float, progress: IO[str] | None) -> Any:
    # the bar advances by estimated cost, not by cells, so that the time left means something
    # although long cells start first
    return tqdm(
        total=total,
        desc=experiment.name,
        file=progress,
        disable=progress is None,
        bar_format="{desc}: {percentage:3.0f}%|{bar:30}| {elapsed} gone, {remaining} left{postfix}",
        mininterval=0.2 if progress is not None and progress.isatty() else 5.0,
    )


class _Pool:
    """Worker processes, each served by a thread that hands it one cell at a time."""

    def __init__(self, experiment: Experiment, store: Store, device: str, count: int) -> None:
        self.experiment, self.store, self.device = experiment, store, device
        self.tasks: queue.SimpleQueue[Cell | None] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[tuple[Cell, dict[str, Any]]] = queue.SimpleQueue()
        self._closing = False
        self._processes: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(count)]

    def __enter__(self) -> _Pool:
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
