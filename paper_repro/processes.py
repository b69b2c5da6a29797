"""A few worker processes that apply one function to tasks, and whose death is an answer too."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from paper_repro import machine
from paper_repro.console import printable
from planted.base.extras import need

__all__ = ["Died", "each"]


class Died(RuntimeError):
    """A worker process ended in the middle of a task; the message is a sentence."""


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
    Workers are killed when the iteration ends early, and end by themselves when this process is
    killed. They do not hear Ctrl-C: this process decides what it means.
    """
    if jobs == 1 or len(tasks) <= 1:
        with _one_thread():
            for task in tasks:
                yield task, function(task)
        return
    left = deque(tasks)
    busy: dict[Connection, tuple[Any, Any]] = {}
    try:
        for _ in range(min(jobs, len(tasks))):
            _hand_out(left, busy, *_start(function))
        while busy:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                process, task = busy.pop(pipe)
                try:
                    result = pipe.recv()
                except (EOFError, OSError):
                    process.join()
                    result = Died(f"the worker process died with exit code {process.exitcode} (killed, out of memory?)")
                    process, pipe = _start(function) if left else (process, pipe)
                if left:
                    _hand_out(left, busy, process, pipe)
                else:
                    pipe.close()
                yield task, result
    finally:
        for process, _ in busy.values():
            process.kill()


_starting = threading.Lock()
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


def _hand_out(left: deque[Any], busy: dict[Connection, tuple[Any, Any]], process: Any, pipe: Connection) -> None:
    task = left.popleft()
    busy[pipe] = process, task
    with contextlib.suppress(OSError):  # a worker that is dead already is found out when its answer is read
        pipe.send(task)


def _start(function: Callable[[Any], Any]) -> tuple[Any, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(function, theirs), daemon=True)
    with _starting:  # two threads that each put back what they found would leave the other's values
        before = {name: os.environ.get(name) for name in machine.BLAS_VARIABLES}
        os.environ.update(dict.fromkeys(machine.BLAS_VARIABLES, "1"))  # read when the worker imports NumPy
        try:
            process.start()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
    theirs.close()  # so that its death closes the pipe
    return process, ours


def _serve(function: Callable[[Any], Any], pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    with contextlib.suppress(EOFError, OSError), printable():
        while True:
            pipe.send(function(pipe.recv()))
