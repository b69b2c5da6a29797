"""The toy experiment run by the real command in a separate process, and functions to observe the run."""

import os
import sys
import time
from pathlib import Path

import interrupts

from paper_repro.store import Store, comparable

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, str(ROOT / "tests" / "support" / "toy_command.py")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])}


def start(folder, *options, **environment):
    """Start ``paper-repro run toy`` with results in `folder`; its computations are logged in the same place."""
    command = [*COMMAND, "run", "toy", "--results", str(folder), "--device", "cpu", *options]
    return interrupts.popen(command, env={**ENVIRONMENT, "TOY_LOG": f"{folder}.log", **environment})


def workers(folder):
    """Return the processes that have begun to compute a cell."""
    log = Path(f"{folder}.log")
    return {int(line.split()[2]) for line in log.read_text().splitlines()} if log.exists() else set()


def stored(folder):
    """Return how many cells are in the store."""
    return len(list(folder.glob("store/toy/*.json")))


def wait_for(condition, seconds=600.0):
    """Wait until a condition holds, and return whether it does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.01)
    return bool(condition())


def gone(processes):
    """Wait until all processes have ended, at most a hundred seconds."""
    return wait_for(lambda: not any(Path(f"/proc/{process}").exists() for process in processes), 100.0)


def whole(folder):
    """Return the records of a store, and check that there are no other files and that each cell occurs once."""
    names = [path.name for path in (folder / "store" / "toy").iterdir()]
    keys = {path.split(".")[0] for path in names}
    assert sorted(names) == sorted(f"{key}.{ending}" for key in keys for ending in ("json", "npz"))
    return contents(folder)


def contents(folder):
    """Return what can be compared of all records of a results folder, by key."""
    return {record.cell.key: comparable(record) for record in Store(folder / "store").records()}
