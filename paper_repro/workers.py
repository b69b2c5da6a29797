"""Worker processes on this machine, each with one BLAS thread and one task at a time, which may crash safely.

All run :mod:`paper_repro.worker`, represented here by :class:`Child`. Each child is served by a thread; :func:`each`
applies a function to tasks in this way, and :class:`Pool` computes the cells of a sweep.
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
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from paper_repro import machine
from paper_repro.evaluate import compute_cells, evaluate, write
from paper_repro.experiment import Experiment
from paper_repro.store import Cell, Record, Store, StoreError
from planted.base.extras import need

__all__ = [
    "POLL_S",
    "Aside",
    "Child",
    "Died",
    "Here",
    "Pool",
    "Reply",
    "Workers",
    "each",
    "listed",
    "receive",
    "reused",
    "send",
    "task_of",
]

Reply = tuple[Sequence[Cell], list[dict[str, Any]]]
"""Cells, and of each ``status`` ("done", "failed", or "store" when the sweep must end) and ``message``."""

POLL_S = 0.1
"""Seconds to wait for a reply before checking for signals and new workers."""


class Died(RuntimeError):
    """A worker process ended in the middle of a task; the message is for the user."""


def send(stream: IO[bytes], message: bytes) -> None:
    """Write a message, preceded by its length."""
    stream.write(len(message).to_bytes(8, "big") + message)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Return the next message; raises EOFError if the stream ends before it is complete."""
    head = stream.read(8)
    message = stream.read(int.from_bytes(head, "big")) if len(head) == 8 else b""
    if len(head) < 8 or len(message) < int.from_bytes(head, "big"):
        raise EOFError("the stream ended")
    return message


class Child:
    """A process that runs :mod:`paper_repro.worker`; started on first use, and restarted after a crash."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def usable(self) -> bool:
        """Whether the process has been neither killed nor closed."""
        return not self._closed

    def alive(self) -> bool:
        """Return whether the process has been started, and neither ended nor been killed since."""
        with self._lock:
            return not self._closed and self._process is not None and self._process.poll() is None

    def call(self, function: Callable[[Any], Any], task: Any) -> Any:
        """Apply a function to a task in the process.

        Parameters
        ----------
        function : callable
            Defined at the top of a module that can be imported.
        task : object
            Picklable, like the return value of the function.

        Returns
        -------
        object
            The return value of the function.

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
        """Compute cells in the process.

        Parameters
        ----------
        task : dict
            As :func:`paper_repro.evaluate.compute_cells` takes it.

        Returns
        -------
        list of dict
            For each cell ``status`` and ``message``, as that function returns them; ``status`` is ``"died"`` for a cell
            that crashed the process or was aborted by :meth:`kill`. Nothing is stored for such a cell.
        """
        try:
            replies: list[dict[str, Any]] = self.call(compute_cells, task)
        except Died as death:
            if len(task["settings"]) > 1 and not self._closed:  # find out which of them it was, one at a time
                return [reply for one in task["settings"] for reply in self.compute({**task, "settings": [one]})]
            return [{"status": "died", "message": str(death)} for _ in task["settings"]]
        except Exception as error:
            return [{"status": "store", "message": f"cannot start a worker process: {error}"} for _ in task["settings"]]
        return replies

    def kill(self) -> None:
        """End the process, even during a task, without restarting it; may be called from another thread."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the idle process without restarting it."""
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
        start_new_session=True,  # Ctrl-C in a terminal then reaches only the parent
    )


def _end(process: subprocess.Popen[bytes]) -> int:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    return process.wait()


class Workers:
    """Context manager for several children, each served by a thread that gives it one task at a time.

    Parameters
    ----------
    work : callable
        ``work(child, task) -> answer``, called in the thread of the child.
    count : int
        Children.

    Notes
    -----
    On exit busy children are killed, and no further answers arrive; idle ones end, too, or wait for the next `Workers`
    inside of :func:`reused`. Children ignore Ctrl-C, since this process decides how to handle it, and end by themselves
    when this process is killed.
    """

    def __init__(self, work: Callable[[Child, Any], Any], count: int) -> None:
        self._work, self.count = work, count
        self._tasks: queue.SimpleQueue[tuple[Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._closing = False
        self._lock = threading.Lock()
        self._busy: set[Child] = set()
        self._children = [_waiting_child() or Child() for _ in range(count)]
        self._threads = [threading.Thread(target=self._serve, args=(one,), daemon=True) for one in self._children]

    def __enter__(self) -> Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        with self._lock:
            self._closing = True
            for child in self._busy:
                child.kill()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        for child in self._children:
            _dismiss(child)

    def submit(self, task: Any) -> None:
        """Submit a task; tasks are started in the order of submission."""
        self._tasks.put((task,))

    def next_answer(self, timeout: float | None = None) -> tuple[Any, Any] | None:
        """Return the next completed task and its answer, or None if there is none within `timeout` seconds.

        If `work` raised an exception, that is the answer.
        """
        try:
            return self._answers.get(timeout=timeout)
        except queue.Empty:
            return None

    def _serve(self, child: Child) -> None:
        while (item := self._tasks.get()) is not None:
            with self._lock:
                if self._closing:
                    return
                self._busy.add(child)
            (task,) = item
            try:
                answer = self._work(child, task)
            except Exception as error:  # handled by the thread that waits for it
                answer = error
            with self._lock:
                self._busy.discard(child)
                if self._closing:
                    return
            self._answers.put((task, answer))


_waiting: list[Child] | None = None
"""Idle children that the next `Workers` can take; None outside of :func:`reused`."""


@contextlib.contextmanager
def reused() -> Iterator[None]:
    """Keep idle worker processes for the next sweep, so that not every sweep imports all modules again.

    Notes
    -----
    A new process spends about two seconds on imports before its first cell. The processes that are idle on exit end.
    Not for several threads.
    """
    global _waiting
    if _waiting is not None:  # nested
        yield
        return
    _waiting = []
    try:
        yield
    finally:
        idle, _waiting = _waiting, None
        for child in idle:
            child.close()


def _waiting_child() -> Child | None:
    """Take a child that waits and is alive."""
    while _waiting:
        child = _waiting.pop()
        if child.alive():
            return child
        child.close()
    return None


def _dismiss(child: Child) -> None:
    """Let an idle child wait for the next sweep, or end it."""
    if _waiting is not None and child.alive():
        _waiting.append(child)
    else:
        child.close()


class Aside:
    """A worker process for one call at a time, while this process goes on."""

    def __init__(self) -> None:
        self._child = Child()
        self._thread = ThreadPoolExecutor(1)
        self._answer: Future[Any] | None = None

    def start(self, function: Callable[[Any], Any], task: Any) -> None:
        """Start to apply a function to a task; both are as :meth:`Child.call` takes them."""
        self._answer = self._thread.submit(self._child.call, function, task)

    def result(self) -> Any:
        """Wait for the answer and return it, or the :class:`Died` if the process died."""
        assert self._answer is not None
        try:
            return self._answer.result()
        except Died as death:
            return death

    def close(self) -> None:
        """End the process, also during a call."""
        self._child.close()
        self._thread.shutdown()


def each(function: Callable[[Any], Any], tasks: Sequence[Any], jobs: int) -> Iterator[tuple[Any, Any]]:
    """Apply a function to tasks in worker processes, each with BLAS pinned to one thread.

    Parameters
    ----------
    function : callable
        Defined at the top level of a module; takes a task and returns a picklable value.
    tasks : sequence
        Picklable tasks, started in this order.
    jobs : int
        Number of processes; with 1 everything is computed in this process.

    Yields
    ------
    task, result
        In order of completion; the result is a :class:`Died` if the process died.

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
"""The limit that is set, and one entry per user of it."""


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Limit BLAS to one thread; if users overlap (in threads or suspended), the last one restores the old state."""
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
    """Computes the cells of a sweep on this machine; :class:`paper_repro.cluster.Cluster` has the same interface."""

    def __init__(self, experiment: Experiment, store: Store, device: str, count: int) -> None:
        self.experiment, self.store, self.device = experiment, store, device
        self._workers = Workers(self._compute, count)

    def __enter__(self) -> Pool:
        self._workers.__enter__()
        return self

    def __exit__(self, *unused: object) -> None:
        self._workers.__exit__(*unused)

    def slots(self) -> int:
        """Return how many batches can currently run at once."""
        return self._workers.count

    def submit(self, cells: Sequence[Cell]) -> None:
        """Submit a batch to be computed and written to the store."""
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
        if not child.usable:  # the sweep was aborted, and interrupted cells are discarded
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
    """Computes cells in this process, one after the other, if workers cannot find their experiment."""

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
        """Return how many batches can currently run at once."""
        return 1

    def submit(self, cells: Sequence[Cell]) -> None:
        """Submit a batch, which is computed when :meth:`next_reply` is called."""
        self._waiting.append(cells)

    def next_reply(self) -> Reply | None:
        """Compute a batch and write it to the store."""
        if not self._waiting:
            return None
        cells = self._waiting.popleft()
        settings = [self.experiment.settings(**cell.settings) for cell in cells]
        return cells, [write(self.store, record) for record in evaluate(self.experiment, settings, self.device)]


def listed(experiment: Experiment, name: str | None = None) -> bool:
    """Return whether worker processes can find an experiment: a module other than ``__main__`` lists its name.

    The name is that of the store by default, which the experiment may share with others.
    """
    if experiment.module == "__main__":
        return False
    try:
        found = getattr(importlib.import_module(experiment.module), "EXPERIMENTS", ())
    except ImportError:
        return False
    return any(one.name == (name or experiment.store_name) for one in found)


def task_of(experiment: Experiment, cells: Sequence[Cell], device: str) -> dict[str, Any]:
    """Return the task for a worker process, without the place to write to."""
    return {
        "module": experiment.module,
        "experiment": experiment.store_name,
        "version": experiment.version,
        "settings": [dict(cell.settings) for cell in cells],
        "device": device,
    }
