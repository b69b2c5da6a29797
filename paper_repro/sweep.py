"""Running the cells of an experiment that are not in the store yet, in worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from tqdm import tqdm

from paper_repro import machine
from paper_repro.experiment import Experiment
from paper_repro.pool import Pool
from paper_repro.store import Cell, DamagedCell, Store, StoreError
from planted.checks import check_choice, check_integer

__all__ = ["Interrupted", "Sweep", "run"]


class Interrupted(Exception):
    """The user stopped the sweep; what was finished is in the store."""


@dataclass
class Sweep:
    """How a sweep went.

    Parameters
    ----------
    total, reused, computed : int
        Numbers of cells: all, found in the store, computed now.
    failed : list of (settings, message)
        Cells that raised an exception.
    repaired : list of str
        A sentence for each damaged file that was computed again.
    """

    total: int = 0
    reused: int = 0
    computed: int = 0
    failed: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)


def run(
    experiment: Experiment,
    settings: Sequence[Any],
    store: Store,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    progress: IO[str] | None = None,
) -> Sweep:
    """Compute the cells that the store does not hold, the longest first.

    Parameters
    ----------
    experiment : Experiment
        What to compute.
    settings : sequence
        Its cells; equal ones are computed once.
    store : Store
        Where results are looked for and put. Failed and damaged cells are tried again.
    jobs : int, optional
        Number of worker processes, each with one BLAS thread; by default one a core on the CPU, and
        one on the GPU.
    device : {"cpu", "gpu"}, default "cpu"
        Where the cells compute.
    progress : text stream, optional
        Where the progress bar goes; None for no bar.

    Returns
    -------
    Sweep
        Counts and failures.

    Raises
    ------
    Interrupted
        On Ctrl-C; running cells are dropped, finished ones are in the store.
    StoreError
        If nothing can be written, or a cell was written in another format.
    """
    check_choice(device, "device", ("cpu", "gpu"))
    jobs = (machine.cores() if device == "cpu" else 1) if jobs is None else check_integer(jobs, "jobs", minimum=1)
    store.check_writable(experiment.store_name)
    sweep = Sweep()
    todo: list[tuple[float, Cell]] = []
    seen: set[str] = set()
    for one in settings:
        cell = experiment.cell(one)
        if cell.key in seen:
            continue
        seen.add(cell.key)
        try:
            record = store.read(cell)
        except DamagedCell as error:
            sweep.repaired.append(str(error))
            record = None
        if record is not None and record.status == "done":
            sweep.reused += 1
        else:
            todo.append((max(float(experiment.cost(one)), 1e-9), cell))
    sweep.total = len(seen)
    if not todo:
        return sweep
    todo.sort(key=lambda pair: (-pair[0], pair[1].key))
    with Pool(experiment, store, device, min(jobs, len(todo))) as pool:
        for _, cell in todo:
            pool.tasks.put(cell)
        with _bar(experiment, sum(cost for cost, _ in todo), progress) as bar:
            _collect(pool, todo, sweep, bar)
    return sweep


def _collect(pool: Pool, todo: list[tuple[float, Cell]], sweep: Sweep, bar: Any) -> None:
    costs = {cell.key: cost for cost, cell in todo}
    try:
        for finished in range(1, len(todo) + 1):
            cell, reply = pool.next_reply()
            if reply["status"] == "store":
                raise StoreError(reply["message"])
            sweep.computed += 1
            if reply["status"] == "failed":
                sweep.failed.append((dict(cell.settings), reply["message"]))
            bar.set_postfix_str(f"{finished}/{len(todo)} cells", refresh=False)
            bar.update(costs[cell.key])
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: {sweep.reused + sweep.computed} of {sweep.total} cells are in the store; "
            "the same command goes on from there"
        ) from None


def _bar(experiment: Experiment, total: float, progress: IO[str] | None) -> Any:
    # the bar advances by estimated cost, not by cells, so that the time left means something
    # although long cells start first
    return tqdm(
        total=total,
        desc=experiment.name,
        file=progress,
        disable=progress is None,
        bar_format="{desc}: {percentage:3.0f}%|{bar:30}| {elapsed} gone, {remaining} left{postfix}",
        mininterval=0.2 if progress is not None and progress.isatty() else 5.0,
    )
