"""A worker process, which applies functions to tasks read from its standard input; see :mod:`paper_repro.workers`.

It is started as ``python -m paper_repro.worker`` with BLAS pinned to one thread in its environment, before NumPy is
imported. It receives pickled pairs (function, task) and sends the results back. It ends when its standard input is
closed, which also happens when the parent process is killed, so no orphan keeps computing.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
from typing import IO

from paper_repro.console import printable
from paper_repro.workers import receive, send

__all__ = ["main"]


def main() -> None:
    """Serve tasks until the standard input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output printed by a task goes to standard error, not between the answers
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, calls), daemon=True).start()
    with printable():  # a task may print characters that the terminal cannot show
        while True:
            function, task = pickle.loads(calls.get())  # sent by its own parent process
            send(answers, pickle.dumps(function(task)))


def _listen(source: IO[bytes], calls: queue.SimpleQueue[bytes]) -> None:
    with contextlib.suppress(EOFError):
        while True:
            calls.put(receive(source))
    os._exit(0)  # even in the middle of a task, since nobody waits for it any more


if __name__ == "__main__":
    main()
