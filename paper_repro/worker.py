"""A worker process: reads cells from its standard input, computes them, writes them to a store.

It is started as ``python -m paper_repro.worker`` with BLAS pinned to one thread in its
environment, before NumPy is imported. One JSON line comes in for a batch of cells and one goes
out. It ends when its standard input is closed, which also happens when the parent process is
killed, so that no orphan goes on computing.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
from typing import IO, Any

from paper_repro.console import printable
from paper_repro.evaluate import evaluate, sentence
from paper_repro.experiment import Experiment
from paper_repro.record import Cell, Record
from paper_repro.store import Store, StoreError

__all__ = ["compute_cells", "main"]


def compute_cells(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Compute the cells of a task and write them.

    Parameters
    ----------
    task : dict
        ``module``, ``experiment`` and ``version`` (as the store names them), ``settings`` (a list with the settings
        of each cell), ``device`` and ``store`` (a folder).

    Returns
    -------
    list of dict
        For each cell ``status`` ("done", "failed", or "store" when nothing can be written) and ``message``, and
        where it was computed ``seconds``, which the start of the process is no part of.
    """
    try:
        experiment = _found(task["module"], task["experiment"])
        settings = [experiment.settings(**one) for one in task["settings"]]
        wanted = [Cell(task["experiment"], task["version"], one).key for one in task["settings"]]
        same = wanted == [experiment.cell(one).key for one in settings]
    except Exception as error:  # a cell that cannot even be named is a fault of the program, and is said as such
        return [{"status": "store", "message": f"{task['module']}: {sentence(error)}"} for _ in task["settings"]]
    if not same:  # under other names, nobody would find what is computed here
        message = (
            f"the source files of {task['module']} were changed while it was computed; what is finished is kept, and "
            "the same command goes on with the new ones"
        )
        return [{"status": "store", "message": message} for _ in task["settings"]]
    store = Store(task["store"])
    return [_write(store, record) for record in evaluate(experiment, settings, task["device"])]


def _found(module: str, name: str) -> Experiment:
    listed: tuple[Experiment, ...] = importlib.import_module(module).EXPERIMENTS
    for one in listed:
        if one.name == name:
            return one
    raise LookupError(f"EXPERIMENTS lists no {name!r}; expected it among {', '.join(one.name for one in listed)}")


def _write(store: Store, record: Record) -> dict[str, Any]:
    try:
        try:
            store.write(record)
        except (TypeError, ValueError) as error:  # a metric that JSON cannot hold
            message = f"the result cannot be stored: {error}"
            record = Record(record.cell, "failed", message, run=record.run)
            store.write(record)
    except StoreError as error:
        return {"status": "store", "message": str(error)}
    return {"status": record.status, "message": record.message, "seconds": record.run["wall_s"]}


def main() -> None:
    """Serve tasks until the standard input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a cell prints goes to standard error, not between the replies
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, tasks), daemon=True).start()
    with printable():  # a cell may print what the terminal cannot show
        while True:
            reply = compute_cells(json.loads(tasks.get()))
            replies.write(json.dumps(reply) + "\n")
            replies.flush()


def _listen(source: IO[str], tasks: queue.SimpleQueue[str]) -> None:
    for line in source:
        tasks.put(line)
    os._exit(0)  # also in the middle of a cell: nobody waits for it any more


if __name__ == "__main__":
    main()
