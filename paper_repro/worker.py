"""A worker process: reads cells from its standard input, computes them, writes them to the store.

It is started as ``python -m paper_repro.worker`` with BLAS pinned to one thread in its
environment, before NumPy is imported. One JSON line comes in for a cell and one goes out. It
ends when its standard input is closed, which also happens when the parent process is killed,
so that no orphan goes on computing.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
import warnings
from typing import IO, Any

import numpy as np

from paper_repro import machine
from paper_repro.experiment import Experiment
from paper_repro.store import Record, Store, StoreError

__all__ = ["compute_cell", "main"]


def compute_cell(task: dict[str, Any]) -> dict[str, Any]:
    """Compute one cell and write it.

    Parameters
    ----------
    task : dict
        ``module``, ``settings``, ``device`` and ``store`` (a folder).

    Returns
    -------
    dict
        ``status`` ("done", "failed", or "store" when nothing can be written), ``message`` and ``wall_s``.
    """
    started = time.perf_counter()
    try:
        experiment: Experiment = importlib.import_module(task["module"]).EXPERIMENT
        settings = experiment.settings(**task["settings"])
        cell = experiment.cell(settings)
    except Exception as error:  # a cell that cannot even be named is a fault of the program, and is said as such
        return {"status": "store", "message": f"{task['module']}: {_sentence(error)}", "wall_s": 0.0}
    status, message = "done", ""
    metrics: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            metrics, arrays = experiment.compute(settings, task["device"])
        except Exception as error:  # one failing cell must not end a sweep of a night
            status, message = "failed", _sentence(error)
    wall = time.perf_counter() - started
    run = {
        "wall_s": wall,
        "device": task["device"],
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": machine.versions(),
        "machine": machine.description(),
        "warnings": sorted({f"{item.category.__name__}: {item.message}" for item in caught}),
    }
    store = Store(task["store"])
    try:
        try:
            store.write(Record(cell, status, message, metrics, arrays, run))
        except (TypeError, ValueError) as error:  # a metric that JSON cannot hold
            status, message = "failed", f"the result cannot be stored: {error}"
            store.write(Record(cell, status, message, run=run))
    except StoreError as error:
        return {"status": "store", "message": str(error), "wall_s": wall}
    return {"status": status, "message": message, "wall_s": wall}


def main() -> None:
    """Serve cells until the standard input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a cell prints goes to standard error, not between the replies
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, tasks), daemon=True).start()
    while True:
        reply = compute_cell(json.loads(tasks.get()))
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _listen(source: IO[str], tasks: queue.SimpleQueue[str]) -> None:
    for line in source:
        tasks.put(line)
    os._exit(0)  # also in the middle of a cell: nobody waits for it any more


def _sentence(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({os.path.basename(frame[0].filename)}, line {frame[0].lineno})" if frame else ""
    return f"{type(error).__name__}: {error}{where}"


if __name__ == "__main__":
    main()
