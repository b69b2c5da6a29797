"""A small experiment for the tests of the sweep: sums of random numbers, with settings for time and faults.

TOY_LOG names a file that gets one line per computation, TOY_ROOM is the largest batch that fits into memory,
TOY_SECONDS sets the time of each cell, and TOY_DIE the fault of the cell that fails.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from paper_repro.experiment import Experiment
from planted.base import arrays


@dataclass(frozen=True)
class ToyCell:
    size: int
    seed: int
    seconds: float = 0.0
    fault: str = ""
    dtype: str = "float64"


def cells(preset, seed):
    if preset == "paper":
        death = os.environ.get("TOY_DIE", "die")
        return [ToyCell(3, seed), ToyCell(4, seed, fault="raise"), ToyCell(5, seed, fault=death), ToyCell(6, seed)]
    count, seconds = {"smoke": (4, 0.0), "quick": (40, 0.02), "cpu": (6, 30.0)}[preset]
    return [ToyCell(1 + index, seed, seconds) for index in range(count)]


def compute(settings, device):
    log = os.environ.get("TOY_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(f"{settings.size} {os.environ.get('OPENBLAS_NUM_THREADS')} {os.getpid()}\n")
    if settings.fault == "raise":
        raise ValueError("this cell always fails")
    if settings.fault == "die":
        os._exit(7)
    if settings.fault == "kill-parent":
        os.kill(os.getppid(), signal.SIGKILL)
    if settings.fault == "memory":
        raise MemoryError("Unable to allocate 7.28 TiB")
    time.sleep(float(os.environ.get("TOY_SECONDS", settings.seconds)))
    values = arrays.generator(arrays.seed_sequence("toy", settings.size, settings.seed)).standard_normal(settings.size)
    print("a cell may print")
    return {"total": float(values.sum()), "limit": float("inf"), "device": device}, {"values": values}


def compute_many(batch, device):
    log = os.environ.get("TOY_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(f"batch {len(batch)} {os.getpid()}\n")
    if len(batch) > int(os.environ.get("TOY_ROOM", "1000")):
        raise MemoryError("Unable to allocate 7.28 TiB")
    return [compute(settings, device) for settings in batch]


def summarise(preset, seed, records):
    rows = [[record.cell.settings["size"], record.metrics["total"]] for record in records]
    return {"sizes": [row[0] for row in rows], "table": {"columns": ["size", "total"], "rows": rows}}


EXPERIMENT = Experiment(
    name="toy",
    version=1,
    title="Sums of random numbers",
    module="toy_experiment",
    settings=ToyCell,
    presets={"smoke": None, "quick": None, "cpu": None, "paper": None},
    cells=cells,
    cost=lambda settings: settings.size,
    compute=compute,
    summarise=summarise,
    compute_many=compute_many,
    batch_key=lambda settings: settings.seed,
)
EXPERIMENTS = (EXPERIMENT,)
