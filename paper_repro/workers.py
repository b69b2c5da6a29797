"""Worker processes on this machine: each has BLAS pinned to one thread, does one task at a time, and may die.

There is one kind of them, :mod:`paper_repro.worker` seen from outside as a :class:`Child`. A thread serves each child;
:func:`each` applies a function to tasks that way, and :class:`Pool` has the cells of a sweep computed.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from paper_repro import machine
from paper_repro.evaluate import compute_cells, evaluate, write
from paper_repro.experiment import Experiment
from paper_repro.store import Cell, Record, Store, StoreError
from planted.base.extras import need

__all__ = [
    "POLL_S",
    "Child",
    "Died",
    "Here",
    "Pool",
    "Reply",
    "Workers",
    "each",
    "listed",
    "receive",
    "send",
    "task_of",
]

Reply = tuple[Sequence[Cell], list[dict[str, Any]]]
"""Cells, and of each ``status`` ("done", "failed", or "store" when the sweep must end) and ``message``."""

POLL_S = 0.1
"""Seconds that a reply is waited for before signals and new workers are looked for."""


class Died(RuntimeError):
    """A worker process ended in the middle of a task; the message is a sentence."""


def send(stream: IO[bytes], message: bytes) -> None:
    """Write a message, led by its length."""
    stream.write(len(message).to_bytes(8, "big") + message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Return the next message; EOFError if the stream ends before it is whole."""
    head = stream.read(8)
    message = stream.read(int.from_bytes(head, "big")) if len(head) == 8 else b""
    if len(head) < 8 or len(message) < int.from_bytes(head, "big"):
        raise EOFError("the stream ended")
    return message


class Child:
    """A process that runs :mod:`paper_repro.worker`; started when it is first needed, and again after a death."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def usable(self) -> bool:
        """Whether it was neither killed nor closed."""
        return not self._closed

    def call(self, function: Callable[[Any], Any], task: Any) -> Any:
        """Apply a function to a task in the process.

        Parameters
        ----------
        function : callable
            Defined at the top of a module that can be imported.
        task : object
            Can be pickled, as can what the function returns.

        Returns
        -------
        object
            What the function returned.

        Raises
        ------
        Died
            If the process ended meanwhile, by itself or by :meth:`kill`, or the function raised an exception, which
            ends it too, with a traceback on standard error.
        OSError
            If no process can be started.
        """
        with self._lock:
            if self._closed:
                raise Died("the worker process was ended")
            if self._process is None:
                self._process = _start()
            process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        call = pickle.dumps((function, task))
        try:
            send(process.stdin, call)
            answer = receive(process.stdout)
        except (OSError, ValueError, EOFError) as error:  # ValueError: closed by another thread
            code = self._bury()
            raise Died(f"the worker process died with exit code {code} (killed, or out of memory?)") from error
        return pickle.loads(answer)

    def compute(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        """Have cells computed.

        Parameters
        ----------
        task : dict
            As :func:`paper_repro.evaluate.compute_cells` takes it.

        Returns
        -------
        list of dict
            For each cell ``status`` and ``message``, as that function returns them; ``status`` is ``"died"`` for a
            cell that took the process with it, or that :meth:`kill` cut off. Nothing is stored of such a cell.
        """
        try:
            replies: list[dict[str, Any]] = self.call(compute_cells, task)
        except Died as death:
            if len(task["settings"]) > 1 and not self._closed:  # which of them it was is found out one at a time
                return [reply for one in task["settings"] for reply in self.compute({**task, "settings": [one]})]
            return [{"status": "died", "message": str(death)} for _ in task["settings"]]
        except Exception as error:
            return [{"status": "store", "message": f"cannot start a worker process: {error}"} for _ in task["settings"]]
        return replies

    def kill(self) -> None:
        """End the process, also in the middle of a task, and start no other; may be called from another thread."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the process, which does nothing now, and start no other."""
        self.kill()
        self._bury()

    def _bury(self) -> int | None:
        with self._lock:
            process, self._process = self._process, None
        return None if process is None else _end(process)


def _start() -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    environment.update(dict.fromkeys(machine.BLAS_VARIABLES, "1"))  # read when the worker imports NumPy
    environment["PYTHONPATH"] = os.pathsep.join(item or os.getcwd() for item in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "paper_repro.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C in a terminal reaches the parent only
    )


def _end(process: subprocess.Popen[bytes]) -> int:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    return process.wait()


class Workers:
    """A few children, each served by a thread that hands it one task at a time; a context manager.

    Parameters
    ----------
    work : callable
        ``work(child, task) -> answer``, called in the thread of the child.
    count : int
        Children.

    Notes
    -----
    When the context is left the children are killed, whatever they do, and no answer comes any more. They do not hear
    Ctrl-C, since this process decides what it means, and end by themselves when this process is killed.
    """

    def __init__(self, work: Callable[[Child, Any], Any], count: int) -> None:
        self._work, self.count = work, count
        self._tasks: queue.SimpleQueue[tuple[Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._closing = False
        self._children = [Child() for _ in range(count)]
        self._threads = [threading.Thread(target=self._serve, args=(one,), daemon=True) for one in self._children]

    def __enter__(self) -> Workers:
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

    def submit(self, task: Any) -> None:
        """Have a task done; tasks are begun in the order in which they are submitted."""
        self._tasks.put((task,))

    def next_answer(self, timeout: float | None = None) -> tuple[Any, Any] | None:
        """Return the next task that is done and its answer, or None if there is none within `timeout` seconds.

        The answer is the exception where `work` raised one.
        """
        try:
            return self._answers.get(timeout=timeout)
        except queue.Empty:
            return None

    def _serve(self, child: Child) -> None:
        while (item := self._tasks.get()) is not None and not self._closing:
            (task,) = item
            try:
                answer = self._work(child, task)
            except Exception as error:  # the thread that waits for it decides
                answer = error
            if self._closing:
                break
            self._answers.put((task, answer))
        child.close()


def each(function: Callable[[Any], Any], tasks: Sequence[Any], jobs: int) -> Iterator[tuple[Any, Any]]:
    """Apply a function to tasks in worker processes, each with BLAS pinned to one thread.

    Parameters
    ----------
    function : callable
        Defined at the top of a module; takes a task and returns something that can be pickled.
    tasks : sequence
        Can be pickled; they are started in this order.
    jobs : int
        Processes; with 1 all is computed in this process.

    Yields
    ------
    task, result
        As they are finished; the result is a :class:`Died` if the process did.

    Notes
    -----
    Workers are killed when the iteration ends early, see :class:`Workers`.
    """
    if jobs == 1 or len(tasks) <= 1:
        with _one_thread():
            for task in tasks:
                yield task, function(task)
        return
    with Workers(lambda child, task: child.call(function, task), min(jobs, len(tasks))) as workers:
        for task in tasks:
            workers.submit(task)
        for _ in tasks:
            heard = workers.next_answer()
            assert heard is not None
            if isinstance(heard[1], Exception) and not isinstance(heard[1], Died):
                raise heard[1]
            yield heard


_limiting = threading.Lock()
_limited: list[Any] = []
"""The limit that was set, and one entry for each user of it."""


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let BLAS use one thread; of users that overlap, in threads or suspended, the last puts back what was before."""
    threadpool_limits = need("threadpoolctl").threadpool_limits

    with _limiting:
        limit = _limited[0] if _limited else threadpool_limits(1)
        _limited.append(limit)
    try:
        yield
    finally:
        with _limiting:
            _limited.pop()
            if not _limited:
                limit.restore_original_limits()


class Pool:
    """Where the cells of a sweep are computed on this machine; :class:`paper_repro.cluster.Cluster` is used alike."""

    def __init__(self, experiment: Experiment, store: Store, device: str, count: int) -> None:
        self.experiment, self.store, self.device = experiment, store, device
        self._workers = Workers(self._compute, count)

    def __enter__(self) -> Pool:
        self._workers.__enter__()
        return self

    def __exit__(self, *unused: object) -> None:
        self._workers.__exit__(*unused)

    def slots(self) -> int:
        """Return how many batches can be computed at once now."""
        return self._workers.count

    def submit(self, cells: Sequence[Cell]) -> None:
        """Have a batch computed and written to the store."""
        self._workers.submit(cells)

    def next_reply(self) -> Reply | None:
        """Return the next finished batch, or None if there is none within :data:`POLL_S`."""
        heard = self._workers.next_answer(POLL_S)
        if heard is not None and isinstance(heard[1], Exception):
            raise heard[1]
        return heard

    def _compute(self, child: Child, cells: Sequence[Cell]) -> list[dict[str, Any]]:
        folder = str(Path(self.store.folder).absolute())
        replies = child.compute(task_of(self.experiment, cells, self.device) | {"store": folder})
        if not child.usable:  # the sweep was dropped; nothing is kept of what it cut off
            return replies
        return [self._heard(*pair) for pair in zip(cells, replies, strict=True)]

    def _heard(self, cell: Cell, reply: dict[str, Any]) -> dict[str, Any]:
        if reply["status"] != "died":
            return reply
        try:
            self.store.write(Record(cell, "failed", reply["message"]))
        except StoreError as error:
            return {"status": "store", "message": str(error)}
        return {"status": "failed", "message": reply["message"]}


class Here:
    """Where cells are computed in this process, one after the other, if workers cannot find their experiment."""

    def __init__(self, experiment: Experiment, store: Store, device: str) -> None:
        self.experiment, self.store, self.device = experiment, store, device
        self._waiting: deque[Sequence[Cell]] = deque()
        self._limit = _one_thread()

    def __enter__(self) -> Here:
        self._limit.__enter__()
        return self

    def __exit__(self, *unused: Any) -> None:
        self._limit.__exit__(*unused)

    def slots(self) -> int:
        """Return how many batches can be computed at once now."""
        return 1

    def submit(self, cells: Sequence[Cell]) -> None:
        """Have a batch computed when :meth:`next_reply` is called."""
        self._waiting.append(cells)

    def next_reply(self) -> Reply | None:
        """Compute a batch and write it to the store."""
        if not self._waiting:
            return None
        cells = self._waiting.popleft()
        settings = [self.experiment.settings(**cell.settings) for cell in cells]
        return cells, [write(self.store, record) for record in evaluate(self.experiment, settings, self.device)]


def listed(experiment: Experiment) -> bool:
    """Return whether worker processes find an experiment: a module, which is not the main program, lists its name."""
    if experiment.module == "__main__":
        return False
    try:
        found = getattr(importlib.import_module(experiment.module), "EXPERIMENTS", ())
    except ImportError:
        return False
    return any(one.name == experiment.store_name for one in found)


def task_of(experiment: Experiment, cells: Sequence[Cell], device: str) -> dict[str, Any]:
    """Return what a worker process is told, all but where to write."""
    return {
        "module": experiment.module,
        "experiment": experiment.store_name,
        "version": experiment.version,
        "settings": [dict(cell.settings) for cell in cells],
        "device": device,
    }
