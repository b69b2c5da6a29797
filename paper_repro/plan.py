"""Planning of a sweep: the order of its cells, their distribution among machines, and their batches."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from paper_repro.experiment import Experiment
from paper_repro.store import Cell

__all__ = ["GPU_BATCH", "Job", "in_batches", "in_order"]

GPU_BATCH = 16
"""Default for the largest number of cells per call on a GPU (``--batch``); if memory does not suffice, batches are
halved."""


@dataclass(frozen=True)
class Job:
    """A cell to compute.

    Parameters
    ----------
    cost : float
        Estimated cost, positive.
    settings : object
        What the experiment computes.
    cell : Cell
        Its name in the store.
    """

    cost: float
    settings: Any
    cell: Cell


def in_order(experiment: Experiment, settings: Sequence[Any], shard: tuple[int, int] | None = None) -> list[Job]:
    """Return the cells without duplicates, longest first, or one machine's share of them.

    Parameters
    ----------
    experiment : Experiment
        What is computed.
    settings : sequence
        Its cells.
    shard : (int, int), optional
        ``(i, n)``: the i-th of n machines, 1 <= i <= n. It takes cells i, i + n, i + 2 n, ... of the list, so that all
        have about the same amount of work. The shares depend only on `settings`, not on what is already computed.

    Returns
    -------
    list of Job
        In the order in which they are started.
    """
    jobs = {
        (cell := experiment.cell(one)).key: Job(max(float(experiment.cost(one)), 1e-9), one, cell) for one in settings
    }
    ordered = sorted(jobs.values(), key=lambda job: (-job.cost, job.cell.key))
    if shard is None:
        return ordered
    index, count = shard
    return ordered[index - 1 :: count]


def in_batches(experiment: Experiment, jobs: Sequence[Job], limit: int, places: int) -> list[list[Job]]:
    """Return the cells in batches that can be computed in one call each, longest batch first.

    Parameters
    ----------
    experiment : Experiment
        What is computed; without `compute_many` each batch has one cell.
    jobs : sequence of Job
        The cells, in order.
    limit : int
        Largest number of cells per batch.
    places : int
        Number of batches computed at once, among which cells are distributed.

    Returns
    -------
    list of lists of Job
        Consecutive cells with equal batch keys.
    """
    if limit == 1 or experiment.batch_key is None:
        return [[job] for job in jobs]
    groups: dict[Hashable, list[Job]] = {}
    for job in jobs:
        groups.setdefault(experiment.batch_key(job.settings), []).append(job)
    batches = []
    for group in groups.values():
        size = min(limit, -(-len(group) // places))
        batches += [group[start : start + size] for start in range(0, len(group), size)]
    return sorted(batches, key=lambda batch: -sum(job.cost for job in batch))
