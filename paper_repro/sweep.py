"""Compute the cells of an experiment that are missing from the store, in worker processes or on a Dask cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from paper_repro import machine
from paper_repro.cluster import Cluster
from paper_repro.experiment import Experiment
from paper_repro.plan import GPU_BATCH, Job, in_batches, in_order
from paper_repro.progress import Progress, kind
from paper_repro.stopping import Interrupted, Signals
from paper_repro.store import DamagedCell, Store, StoreError
from paper_repro.workers import Here, Pool, listed
from planted.base.checks import check_choice, check_integer

__all__ = ["Interrupted", "Sweep", "run"]


@dataclass
class Sweep:
    """Summary of a sweep.

    Parameters
    ----------
    total, reused, computed : int
        Numbers of cells: all, found in the store, computed now.
    failed : list of (settings, message)
        Cells that raised an exception.
    damaged : list of str
        A message for each damaged file that was recomputed.
    """

    total: int = 0
    reused: int = 0
    computed: int = 0
    failed: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def run(
    experiment: Experiment,
    settings: Sequence[Any],
    store: Store,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    dask: str | None = None,
    batch: int | None = None,
    shard: tuple[int, int] | None = None,
    progress: IO[str] | None = None,
    expected: str = "",
) -> Sweep:
    """Compute the cells that are missing from the store, longest first.

    Parameters
    ----------
    experiment : Experiment
        What to compute.
    settings : sequence
        Its cells; equal ones are computed once.
    store : Store
        Where results are looked up and stored. Failed and damaged cells are retried.
    jobs : int, optional
        Number of worker processes, each with one BLAS thread; by default one per core on the CPU, and one on the GPU.
        Ignored with `dask`.
    device : {"cpu", "gpu"}, default "cpu"
        Where the cells compute.
    dask : str, optional
        Address of a Dask scheduler, such as ``tcp://host:8786``; its workers compute the cells, and this process
        writes the store.
    batch : int, optional
        Largest number of cells per call, if the experiment supports it; by default 1 on the CPU and
        :data:`paper_repro.plan.GPU_BATCH` on the GPU.
    shard : (int, int), optional
        ``(i, n)`` for the i-th of n machines, as :func:`paper_repro.plan.in_order` takes it.
    progress : text stream, optional
        Stream for the progress bar and messages; None for neither.
    expected : str, optional
        How long it takes, in words, where the store has no times of such cells to tell from.

    Returns
    -------
    Sweep
        Counts and failures.

    Raises
    ------
    Interrupted
        On Ctrl-C and on SIGTERM: the first one ends the sweep when the running cells are finished, the second aborts
        them.
    StoreError
        If nothing can be written, or a cell was written in another format.
    ClusterError
        If the cluster cannot be used.
    """
    check_choice(device, "device", ("cpu", "gpu"))
    jobs = (machine.cores() if device == "cpu" else 1) if jobs is None else check_integer(jobs, "jobs", minimum=1)
    batch = (GPU_BATCH if device == "gpu" else 1) if batch is None else check_integer(batch, "batch", minimum=1)
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise ValueError(f"shard={shard!r} is not understood; expected (i, n) with 1 <= i <= n")
    store.check_writable(experiment.store_name)
    sweep = Sweep()
    todo: list[Job] = []
    times = _Times()
    for job in in_order(experiment, settings, shard):
        sweep.total += 1
        try:
            record = store.read(job.cell)
        except DamagedCell as error:
            sweep.damaged.append(str(error))
            record = None
        if record is not None and record.status == "done":
            sweep.reused += 1
            times.add(job, record.run.get("wall_s"))
        else:
            todo.append(job)
    if not todo:
        return sweep
    with (
        Signals() as signals,
        Progress(experiment.name, progress, cells=len(todo)) as shown,
        _place(experiment, store, device, min(jobs, len(todo)))
        if dask is None
        else Cluster(experiment, store, device, dask, shown.say) as place,
    ):
        batches = in_batches(experiment, todo, batch, max(place.slots(), 1))
        shown.plan(batches)
        about = times.forecast(todo, place.slots()) or expected
        shown.say(
            f"{len(todo)} cell{'s' * (len(todo) != 1)} to compute, {sweep.reused} in the store"
            + (f"; takes {about}" if about else "")
        )
        _Collection(place, batches, sweep, shown, signals).run()
    return sweep


class _Times:
    """Seconds per unit of cost of the cells that are in the store, which tell how long others take."""

    def __init__(self) -> None:
        self._sums: dict[Any, tuple[float, float]] = {}

    def add(self, job: Job, seconds: float | None) -> None:
        if seconds is None or job.cost <= 0:
            return
        for key in (kind(job), None):
            before = self._sums.get(key, (0.0, 0.0))
            self._sums[key] = before[0] + float(seconds), before[1] + job.cost

    def forecast(self, todo: Sequence[Job], workers: int) -> str:
        """Return a time in words, as the cells' kinds took so far, or all kinds where one is new; empty without any."""
        if None not in self._sums:
            return ""
        seconds = 0.0
        for job in todo:
            took, cost = self._sums.get(kind(job), self._sums[None])
            seconds += job.cost * took / cost
        seconds /= max(min(workers, len(todo)), 1)
        number, unit = (seconds, "s") if seconds < 90 else (seconds / 60, "min")
        number, unit = (number, unit) if unit == "s" or number < 90 else (number / 60, "h")
        return f"about {max(number, 1):.0f} {unit} on {workers} process{'es' * (workers != 1)}"


def _place(experiment: Experiment, store: Store, device: str, jobs: int) -> Pool | Here:
    return Pool(experiment, store, device, jobs) if listed(experiment) else Here(experiment, store, device)


class _Collection:
    """Submits batches and collects their results, until all are done or a signal arrives."""

    def __init__(
        self, place: Pool | Here | Cluster, batches: list[list[Job]], sweep: Sweep, progress: Progress, signals: Signals
    ) -> None:
        self.place, self.sweep, self.progress, self.signals = place, sweep, progress, signals
        self.waiting = deque(batches)
        self.running: dict[str, int] = {}  # key of a batch's first cell -> its number of cells

    def run(self) -> None:
        told = False
        while self.running or (self.waiting and not self.signals.count):
            if self.signals.count > 1:
                break
            if self.signals.count and not told:
                told = True
                count = sum(self.running.values())
                which = "the running cell" if count == 1 else f"{count} running cells"
                self.progress.say(
                    f"finishing {which}; {self.signals.name} again drops {'it' if count == 1 else 'them'}"
                )
            while self.waiting and not self.signals.count and len(self.running) < self.place.slots():
                cells = [job.cell for job in self.waiting.popleft()]
                self.running[cells[0].key] = len(cells)
                self.progress.start(cells[0].key)
                self.place.submit(cells)
            self._hear()
        if self.signals.count:
            there = self.sweep.reused + self.sweep.computed - len(self.sweep.failed)
            raise Interrupted(
                f"interrupted: {there} of {self.sweep.total} cells are in the store; "
                "the same command continues from there",
                128 + self.signals.last,
            )

    def _hear(self) -> None:
        heard = self.place.next_reply()
        if heard is None:
            self.progress.wait(self.place.slots())
            return
        cells, replies = heard
        del self.running[cells[0].key]
        for cell, reply in zip(cells, replies, strict=True):
            if reply["status"] == "store":
                raise StoreError(reply["message"])
            self.sweep.computed += 1
            if reply["status"] == "failed":
                self.sweep.failed.append((dict(cell.settings), reply["message"]))
        done = all(reply["status"] == "done" for reply in replies)
        seconds = sum(reply["seconds"] for reply in replies) if done else None
        self.progress.finish(cells[0].key, len(cells), self.place.slots(), seconds)
