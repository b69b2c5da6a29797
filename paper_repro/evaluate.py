"""Compute one or several cells in this process, turning errors into one-line messages."""

from __future__ import annotations

import gc
import importlib
import os
import time
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

from paper_repro import machine
from paper_repro.experiment import Experiment, Outcome
from paper_repro.record import Cell, Record
from paper_repro.store import Store, StoreError
from planted.base import arrays

__all__ = ["compute_cells", "evaluate", "sentence", "write"]


def evaluate(experiment: Experiment, settings: Sequence[Any], device: str) -> list[Record]:
    """Compute cells, and return a record for each of them even if it fails.

    Parameters
    ----------
    experiment : Experiment
        What is computed.
    settings : sequence
        Its cells; several only if the experiment has a `compute_many`, and with equal batch keys.
    device : {"cpu", "gpu"}
        Where.

    Returns
    -------
    list of Record
        In the order of `settings`. ``run`` has ``wall_s`` (a batch's time divided evenly), ``peak_bytes`` (of the whole
        batch), and, for a batch, its size as ``batch``.

    Notes
    -----
    A batch that runs out of memory is halved; if it raises any other exception, its cells are computed one at a time. A
    single cell that runs out of memory is retried once after freeing all possible memory. All of this is recorded in
    ``run["warnings"]``.
    """
    return _evaluate(experiment, list(settings), device, [])


def _evaluate(experiment: Experiment, settings: list[Any], device: str, said: list[str]) -> list[Record]:
    if len(settings) == 1:
        return [_alone(experiment, settings[0], device, said)]
    attempt = _Attempt(device)
    try:
        with attempt:
            assert experiment.compute_many is not None
            outcomes = list(experiment.compute_many(settings, device))
            if len(outcomes) != len(settings):
                raise RuntimeError(f"compute_many returned {len(outcomes)} results for {len(settings)} cells")
    except arrays.out_of_memory_errors():
        half = (len(settings) + 1) // 2
        said = [*said, f"a batch of {len(settings)} cells ran out of memory on the {device} and was halved"]
        parts: Sequence[list[Any]] = (settings[:half], settings[half:])
    except Exception as error:
        said = [*said, f"a batch of {len(settings)} cells raised {sentence(error)}; they were computed one at a time"]
        parts = [[one] for one in settings]
    else:
        run = attempt.run(said) | {"wall_s": attempt.wall_s / len(settings), "batch": len(settings)}
        return [
            Record(experiment.cell(one), "done", "", *outcome, run)
            for one, outcome in zip(settings, outcomes, strict=True)
        ]
    gc.collect()  # frees reference cycles of the failed attempt
    return [record for part in parts for record in _evaluate(experiment, part, device, said)]


def _alone(experiment: Experiment, settings: Any, device: str, said: list[str]) -> Record:
    cell = experiment.cell(settings)
    for last in (False, True):
        attempt = _Attempt(device)
        outcome: Outcome = {}, {}
        try:
            with attempt:
                outcome = experiment.compute(settings, device)
            return Record(cell, "done", "", *outcome, attempt.run(said))
        except arrays.out_of_memory_errors() as error:
            if last:
                message = (
                    f"out of memory on the {device}, twice, the second time after freeing all possible memory: "
                    f"{sentence(error)}. {_ADVICE[device]}"
                )
                return Record(cell, "failed", message, run=attempt.run(said))
            said = [*said, f"ran out of memory on the {device} once and was recomputed"]
        except Exception as error:  # one failing cell must not end an overnight sweep
            return Record(cell, "failed", sentence(error), run=attempt.run(said))
        gc.collect()
    raise AssertionError("the second attempt returns")


_ADVICE = {
    "cpu": "Fewer processes (--jobs) leave more memory for each, and smaller presets need less",
    "gpu": "Give it a GPU that nothing else uses (--jobs 1), or compute it with --device cpu",
}


class _Attempt:
    """Context manager that records the time, memory and warnings of one attempt."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.wall_s = 0.0
        self._peak: int | None = None
        self._caught: list[warnings.WarningMessage] = []

    def __enter__(self) -> None:
        machine.reset_peak()
        self._filter = warnings.catch_warnings(record=True)
        caught = self._filter.__enter__()
        assert caught is not None
        self._caught = caught
        warnings.simplefilter("always")
        self._started = time.perf_counter()

    def __exit__(self, *unused: object) -> None:
        self.wall_s = time.perf_counter() - self._started
        self._peak = machine.peak_bytes(self.device)
        self._filter.__exit__(None, None, None)

    def run(self, said: Sequence[str]) -> dict[str, Any]:
        """Return the circumstances for the record."""
        texts = {f"{item.category.__name__}: {item.message}" for item in self._caught}
        return {
            "wall_s": self.wall_s,
            "peak_bytes": self._peak,
            "device": self.device,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": machine.versions(),
            "machine": machine.description(),
            "warnings": sorted({*texts, *said}),
        }


def sentence(error: BaseException) -> str:
    """Return an exception's type, message and the line that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({os.path.basename(frame[0].filename)}, line {frame[0].lineno})" if frame else ""
    return f"{type(error).__name__}: {error}{where}"


def compute_cells(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Compute the cells of a task and write them to the store.

    Parameters
    ----------
    task : dict
        ``module``, ``experiment`` and ``version`` (as the store names them), ``settings`` (a list with the settings
        of each cell), ``device`` and ``store`` (a folder).

    Returns
    -------
    list of dict
        For each cell ``status`` ("done", "failed", or "store" when nothing can be written) and ``message``, and, if it
        was computed, ``seconds``, excluding the start of the process.
    """
    try:
        experiment = listed_as(task["module"], task["experiment"])
        settings = [experiment.settings(**one) for one in task["settings"]]
        wanted = [Cell(task["experiment"], task["version"], one).key for one in task["settings"]]
        same = wanted == [experiment.cell(one).key for one in settings]
    except Exception as error:  # a cell that cannot even be named is a bug, and is reported as such
        return [{"status": "store", "message": f"{task['module']}: {sentence(error)}"} for _ in task["settings"]]
    if not same:  # under other names, the results computed here would never be found
        message = (
            f"the source files of {task['module']} were changed while it was computed; what is finished is kept, and "
            "the same command continues with the new ones"
        )
        return [{"status": "store", "message": message} for _ in task["settings"]]
    store = Store(task["store"])
    return [write(store, record) for record in evaluate(experiment, settings, task["device"])]


def listed_as(module: str, name: str) -> Experiment:
    """Return the experiment of this name that a module lists in ``EXPERIMENTS``; LookupError if there is none."""
    listed: tuple[Experiment, ...] = importlib.import_module(module).EXPERIMENTS
    for one in listed:
        if one.name == name:
            return one
    raise LookupError(f"EXPERIMENTS lists no {name!r}; expected it among {', '.join(one.name for one in listed)}")


def write(store: Store, record: Record) -> dict[str, Any]:
    """Write a record, or the fact that it cannot be stored; return its status, message and seconds."""
    try:
        try:
            store.write(record)
        except (TypeError, ValueError) as error:  # a metric that cannot be represented in JSON
            message = f"the result cannot be stored: {error}"
            record = Record(record.cell, "failed", message, run=record.run)
            store.write(record)
    except StoreError as error:
        return {"status": "store", "message": str(error)}
    return {"status": record.status, "message": record.message, "seconds": record.run["wall_s"]}
