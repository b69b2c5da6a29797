"""Controls of the attack: false statements that it must break, on several seeds, each within a budget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from paper_repro import machine, trials, workers
from paper_repro.files import make_folder, write_whole
from paper_repro.progress import Steps
from recovery.guarantees import Guarantee, attack, contradicts

__all__ = ["SOURCE", "Controls", "try_controls"]

SOURCE = "recovery.guarantees.controls:controls"
"""The function that lists false statements, each with the number of evaluations within which it must be refuted."""
SEEDS = 4


@dataclass(frozen=True)
class _Task:
    source: str
    name: str
    seed: int
    evaluations: int | None
    seconds: float | None


@dataclass
class Controls:
    """Results for the false statements.

    Parameters
    ----------
    statements : list of (str, str, int)
        Name, statement and budget in evaluations.
    counts : dict
        (name, seed) -> evaluations until the statement was refuted, or a message if it was not.
    wall_s : float
        Total seconds.
    seeds : sequence of int
        Of the attacks.
    """

    statements: list[tuple[str, str, int]]
    counts: dict[tuple[str, int], int | str] = field(default_factory=dict)
    wall_s: float = 0.0
    seeds: Sequence[int] = range(SEEDS)

    @property
    def broken(self) -> int:
        """Number of refutations, over statements and seeds."""
        return sum(isinstance(value, int) for value in self.counts.values())

    @property
    def passed(self) -> bool:
        """Whether every statement was refuted on every seed within its budget."""
        return self.broken == len(self.seeds) * len(self.statements) > 0

    def table(self) -> str:
        """Return evaluations by control and seed, as Markdown."""
        head = ["control", "budget", *(f"seed {seed}" for seed in self.seeds), "statement, which is false"]
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for name, statement, budget in self.statements:
            found = [self.counts.get((name, seed), "not tried") for seed in self.seeds]
            shown = statement.replace("|", "\\|")
            lines.append("| " + " | ".join([name, f"{budget:,}", *map(_counted, found), shown]) + " |")
        return "\n".join(lines)

    def last_line(self) -> str:
        """Return the closing line of the report."""
        asked = len(self.seeds) * len(self.statements)
        return (
            f"{len(self.statements)} false statements, broken in {self.broken} of {asked} attacks, {self.wall_s:.0f} s"
        )


def _counted(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _listed(source: str) -> list[tuple[Guarantee, int]]:
    found: list[tuple[Guarantee, int]] = trials.listed(source)
    return found


def _attack(task: _Task) -> int | str:
    """Attack one statement; return the number of evaluations needed to refute it, or a message."""
    guarantee, budget = next(one for one in _listed(task.source) if one[0].name == task.name)
    evaluations = budget if task.evaluations is None else task.evaluations
    found = attack(guarantee, evaluations=evaluations, seconds=task.seconds, rng=task.seed)
    if found.instance is None:
        return f"{found.status} in {found.n_evaluations:,}"
    right = contradicts(guarantee, found.instance, task.seed)
    return found.n_evaluations if right else "an instance that does not contradict it"


def try_controls(
    names: Sequence[str] = (),
    *,
    evaluations: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    jobs: int | None = None,
    folder: Path = Path("results"),
    source: str = SOURCE,
    progress: IO[str] | None = None,
) -> Controls:
    """Attack the false statements on four seeds.

    Parameters
    ----------
    names : sequence of str
        Names of controls; all by default.
    evaluations : int, optional
        Budget of each attack; by default that of the statement.
    seconds : float, optional
        Time for all attacks together at most, in equal shares. With it the result depends on the machine.
    seed : int, default 0
        The first of the four seeds.
    jobs : int, optional
        Worker processes, one BLAS thread each; one per core by default.
    folder : path, default "results"
        Results folder; the table is written to ``verify/controls.md`` in it.
    source : str
        Lists the statements, as ``module:function``.
    progress : text stream, optional
        Receives one line per attack.

    Returns
    -------
    Controls
        Evaluations until each was refuted; the same on any machine.

    Raises
    ------
    UnknownName
        If there is no control with a given name.
    """
    started = time.perf_counter()
    known = {
        guarantee.name: (guarantee.name, guarantee.statement, budget if evaluations is None else evaluations)
        for guarantee, budget in _listed(source)
    }
    for name in names:
        if name not in known:
            raise trials.unknown_name(name, "control", known, f"expected some of {', '.join(known)}")
    make_folder(folder / "verify")
    seeds = range(seed, seed + SEEDS)
    report = Controls([known[name] for name in known if not names or name in names], seeds=seeds)
    pairs = [(name, one) for name, _, _ in report.statements for one in seeds]
    jobs = jobs or machine.cores()
    share = None if seconds is None else seconds * min(jobs, len(pairs)) / max(len(pairs), 1)
    tasks = [_Task(source, name, one, evaluations, share) for name, one in pairs]
    with Steps("controls", progress, len(tasks)) as steps:
        for task, outcome in workers.each(_attack, tasks, jobs):
            value = report.counts[task.name, task.seed] = str(outcome) if isinstance(outcome, workers.Died) else outcome
            shown = f"broken at {value:,}" if isinstance(value, int) else value
            steps.finish(f"{task.name}, seed {task.seed}: {shown}")
    report.wall_s = time.perf_counter() - started
    write_whole(folder / "verify" / "controls.md", f"{report.table()}\n\n{report.last_line()}\n".encode())
    return report
