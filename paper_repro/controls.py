"""The falsifier on trial: false statements that it must break, on several seeds, each in its time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from paper_repro import machine, processes, trials
from paper_repro.files import make_folder, write_whole
from planted import arrays
from recovery.guarantees import Guarantee, attack, contradicts

__all__ = ["SOURCE", "Controls", "try_controls"]

SOURCE = "recovery.guarantees.controls:controls"
"""The function that lists false statements and the seconds in which each has to be broken."""
SEEDS = 4


@dataclass(frozen=True)
class _Task:
    source: str
    name: str
    seed: int


@dataclass
class Controls:
    """What became of the false statements.

    Parameters
    ----------
    statements : list of (str, str, float)
        Name, statement and budget in seconds.
    times : dict
        (name, seed) -> seconds of the processor until the statement was broken, or a sentence where it was not.
    wall_s : float
        Seconds in all.
    """

    statements: list[tuple[str, str, float]]
    times: dict[tuple[str, int], float | str] = field(default_factory=dict)
    wall_s: float = 0.0

    @property
    def broken(self) -> int:
        """How often a statement was broken, over statements and seeds."""
        return sum(isinstance(value, float) for value in self.times.values())

    @property
    def passed(self) -> bool:
        """Whether every statement was broken on every seed in its time."""
        return self.broken == SEEDS * len(self.statements) > 0

    def table(self) -> str:
        """Return seconds by control and seed, as Markdown."""
        head = ["control", "budget", *(f"seed {seed}" for seed in range(SEEDS)), "statement, which is false"]
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for name, statement, budget in self.statements:
            found = [self.times.get((name, seed), "not tried") for seed in range(SEEDS)]
            texts = [f"{one:.2f} s" if isinstance(one, float) else one for one in found]
            shown = statement.replace("|", "\\|")
            lines.append("| " + " | ".join([name, f"{budget:g} s", *texts, shown]) + " |")
        return "\n".join(lines)

    def last_line(self) -> str:
        """Return the sentence that ends the report."""
        asked = SEEDS * len(self.statements)
        return (
            f"{len(self.statements)} false statements, broken in {self.broken} of {asked} attacks, {self.wall_s:.0f} s"
        )


def _listed(source: str) -> list[tuple[Guarantee, float]]:
    found: list[tuple[Guarantee, float]] = trials.listed(source)
    return found


def _attack(task: _Task) -> float | str:
    """Attack one statement; return the processor's seconds it took to break it, or a sentence."""
    guarantee, budget = next(one for one in _listed(task.source) if one[0].name == task.name)
    started, found, rng = time.process_time(), None, arrays.generator(task.seed)
    seconds = 0.0
    while found is None and seconds < 0.99 * budget:  # on a busy machine the clock runs faster than the work
        found = attack(guarantee, budget - seconds, rng)
        seconds = time.process_time() - started
    if found is None:
        return f"not broken in {budget:g} s"
    return seconds if contradicts(guarantee, found, task.seed) else "an instance that does not contradict it"


def try_controls(
    names: Sequence[str] = (),
    *,
    jobs: int | None = None,
    folder: Path = Path("results"),
    source: str = SOURCE,
    progress: IO[str] | None = None,
) -> Controls:
    """Attack the false statements on four seeds.

    Parameters
    ----------
    names : sequence of str
        Which; none stands for all.
    jobs : int, optional
        Worker processes, one BLAS thread each; one a core by default.
    folder : path, default "results"
        The table goes to ``verify/controls.md`` in it.
    source : str
        Lists the statements, as ``module:function``.
    progress : text stream, optional
        Gets a line for each attack.

    Returns
    -------
    Controls
        Seconds until each was broken.

    Raises
    ------
    UnknownName
        If there is no control of a name.
    """
    started = time.perf_counter()
    known = {guarantee.name: (guarantee.name, guarantee.statement, budget) for guarantee, budget in _listed(source)}
    for name in names:
        if name not in known:
            raise trials.unknown_name(name, "control", known, f"expected some of {', '.join(known)}")
    make_folder(folder / "verify")
    report = Controls([known[name] for name in known if not names or name in names])
    tasks = [_Task(source, name, seed) for name, _, _ in report.statements for seed in range(SEEDS)]
    for task, outcome in processes.each(_attack, tasks, jobs or machine.cores()):
        report.times[task.name, task.seed] = str(outcome) if isinstance(outcome, processes.Died) else outcome
        if progress is not None:
            value = report.times[task.name, task.seed]
            shown = f"broken in {value:.2f} s" if isinstance(value, float) else value
            print(f"{task.name}, seed {task.seed}: {shown}", file=progress, flush=True)
    report.wall_s = time.perf_counter() - started
    write_whole(folder / "verify" / "controls.md", f"{report.table()}\n\n{report.last_line()}\n".encode())
    return report
