"""``paper-repro verify``: select guarantees, test them in worker processes, and report and store the results."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from paper_repro import machine, trials, workers
from paper_repro.experiment import UnknownName
from paper_repro.files import make_folder, write_whole
from paper_repro.progress import Steps
from recovery.guarantees import NEAR, markdown

__all__ = ["EVALUATIONS", "GROUPS", "Report", "chosen", "verify"]

EVALUATIONS = 3_000
"""Default number of instances that the attack on each guarantee tries."""

GROUPS: dict[str, tuple[str, ...]] = {
    "linear": ("linear_lottery.guarantees:catalogue", "recovery.guarantees:catalogue/linear"),
    "sparse": ("recovery.guarantees:catalogue/sparse",),
    "gated": ("recovery.guarantees:catalogue/gated",),
    "recovery": ("recovery.guarantees:catalogue",),
    "pruning": ("recovery.guarantees.pruning:catalogue",),
}
"""Group names on the command line, with the functions that list their guarantees."""


@dataclass
class Report:
    """The results of a run.

    Parameters
    ----------
    settings : dict
        The settings of the run.
    records : list of dict
        The results of :func:`paper_repro.trials.run` for each guarantee, in the order of the catalogue.
    missing : list of str
        Guarantees not reached before an interrupt.
    wall_s : float
        Wall-clock time in seconds.
    """

    settings: dict[str, Any]
    records: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    @property
    def instances(self) -> int:
        """Total number of instances drawn."""
        return sum(record["instances"] for record in self.records)

    @property
    def violations(self) -> int:
        """Number of violations among the drawn instances and of guarantees that the attack broke."""
        violations: int = sum(record["violations"] for record in self.records)
        return violations

    @property
    def passed(self) -> bool:
        """Whether there were no violations, missed quotas, errors or omitted guarantees."""
        bad = any(record["missed"] or record["error"] or record["found"] for record in self.records)
        return not (bad or self.violations or self.missing)

    @property
    def crashed(self) -> bool:
        """Whether the code of a guarantee raised an error, or its process died."""
        return any(record["error"] for record in self.records)

    @property
    def broken(self) -> bool:
        """Whether a guarantee was contradicted."""
        return bool(self.violations) or any(record["found"] for record in self.records)

    def complaints(self) -> list[str]:
        """Return a paragraph for each problem."""
        lines = []
        for record in self.records:
            for one in record["found"]:
                head = (
                    f"{record['name']} is VIOLATED by an instance that {one['how']} found; it was shrunk and saved "
                    f"as {one['path']}"
                )
                lines.append(f"{head}\n{one['sentence']}\n{one['code']}")
            if record["violations"] and not record["found"]:
                lines.append(f"{record['name']} is VIOLATED {trials.count(record['violations'], 'time')}")
            lines += [f"{record['name']} missed a quota: {sentence}" for sentence in record["missed"]]
            if record["error"]:
                lines.append(f"{record['name']} stopped: {record['error']}")
        if self.missing:
            lines.append(f"interrupted before {', '.join(self.missing)}")
        return lines

    def table(self) -> str:
        """Return the table as Markdown, with an explanation of its columns."""
        tried = [record for record in self.records if record["instances"] or not record["error"]]
        if not tried:
            return "No instance was judged."
        note = (
            "held: hypotheses hold and x != 0; of these, k >= 2: at least two non-zeros; near: margin of at most "
            f"{100 * NEAR:g} %; designs: distributions of A; concluded, failed: the conclusion holds, or fails\n"
            "unknown: hypotheses that rounding or a missing field leaves open (in brackets: conclusions, among held)\n"
            "not met: share of instances on which the hypotheses fail\n"
            "tightest: smallest margin of the hypotheses on an instance where the conclusion holds\n"
            "failed up to: largest margin of the hypotheses on an instance where the conclusion fails: negative for a "
            "true statement; near 0 if the hypotheses cannot be weakened much\n"
            "attack: survived D of N: N instances tried, D tested (hypotheses hold, conclusion decided); broken in N: "
            "the N-th contradicts the guarantee"
        )
        return f"{markdown(tried)}\n\n{note}"

    def last_line(self) -> str:
        """Return the sentence that ends the report."""
        missed = sum(len(record["missed"]) for record in self.records)
        stopped = sum(bool(record["error"]) for record in self.records)
        counted = {"guarantee": len(self.records), "instance": self.instances, "violation": self.violations}
        counts = ", ".join(trials.count(number, thing) for thing, number in counted.items())
        return (
            f"{counts}, {trials.count(missed, 'quota')} missed, "
            f"{f'{stopped} stopped by an error, ' if stopped else ''}{self.wall_s:.0f} s"
        )

    def cost(self) -> str:
        """Return a sentence on the cost of the run, and where the time was spent."""
        slowest = sorted(self.records, key=lambda record: -record["wall_s"])[:5]
        work = sum(record["wall_s"] for record in self.records)
        most = ", ".join(f"{record['name']} {record['wall_s']:.0f} s" for record in slowest)
        processes = min(self.settings["jobs"], len(self.records))
        return f"{work:.0f} s of work in {trials.count(processes, 'process')}, most of it in {most}"


def chosen(names: Sequence[str]) -> dict[str, str]:
    """Return the guarantees selected by names.

    Parameters
    ----------
    names : sequence of str
        Groups (such as ``all``), names of guarantees, and the user's own guarantees as ``"module:object"``; none means
        all.

    Returns
    -------
    dict
        Name of each guarantee -> where it is listed; those of the user come first, then the order of the catalogues.

    Raises
    ------
    UnknownName
        If a name is none of these; the message suggests the nearest.
    """
    own: dict[str, str] = {}
    for place in dict.fromkeys(name for name in names if ":" in name):
        for one in trials.own_guarantees(place):
            if one.name in own:
                raise UnknownName(f"{own[one.name]} and {place} both have {one.name!r}; expected different names")
            own[one.name] = place
    names = [name for name in names if ":" not in name]
    if own and not names:
        return own
    sources: dict[str, str] = {}
    groups: dict[str, list[str]] = {"all": []}
    for group, listing in GROUPS.items():
        groups[group] = []
        for source in listing:
            for guarantee in trials.guarantees_of(source):
                sources.setdefault(guarantee.name, source)
                groups[group].append(guarantee.name)
    groups["all"] = list(sources)
    wanted: list[str] = []
    for name in names or groups:
        if name in groups:
            wanted += groups[name]
        elif name in sources:
            wanted.append(name)
        else:
            expected = (
                f"expected a group ({', '.join(groups)}), module:object for one of your own, or one of "
                f"{', '.join(sources) or 'no guarantees'}"
            )
            module, dot, item = name.rpartition(".")
            if dot and module and item:
                raise UnknownName(f"there is no guarantee {name!r} (did you mean {module}:{item}?); {expected}")
            raise trials.unknown_name(name, "guarantee", [*groups, *sources], expected)
    for name in set(own) & set(wanted):
        raise UnknownName(f"{own[name]} has a guarantee {name!r}, as the catalogue has; expected another name")
    return own | {name: source for name, source in sources.items() if name in wanted}


def verify(
    names: Sequence[str] = (),
    *,
    held: int = 1000,
    instances: int = 0,
    evaluations: int = EVALUATIONS,
    seconds: float | None = None,
    seed: int = 0,
    jobs: int | None = None,
    folder: Path = Path("results"),
    progress: IO[str] | None = None,
) -> Report:
    """Draw instances for guarantees, attack the guarantees, and store the results.

    Parameters
    ----------
    names : sequence of str
        Groups and guarantees; none means all.
    held : int, default 1000
        Instances with x != 0 on which the hypotheses of each guarantee must hold.
    instances : int, default 0
        Smallest total number of instances; usually the quotas need more.
    evaluations : int, default 3,000
        Number of instances that the attack on each guarantee tries; 0 for no attack.
    seconds : float, optional
        Total time limit: each guarantee gets an equal share for drawing, attack and shrinking, and finishes its current
        instance. If time runs out, missed quotas are reported, and the result depends on the machine.
    seed : int, default 0
        The same seed gives the same table, whatever the number of jobs and the load of the machine.
    jobs : int, optional
        Worker processes, one BLAS thread each; one per core by default.
    folder : path, default "results"
        The table, as Markdown and JSON, and counter-examples go to ``verify`` in it.
    progress : text stream, optional
        Receives a line per finished guarantee; a terminal also shows a progress bar.

    Returns
    -------
    Report
        The results; after Ctrl-C, those obtained so far.
    """
    started = time.perf_counter()
    sources = chosen(names)
    own = {name for name, place in sources.items() if place in names}
    each = -(-instances // max(len(sources), 1))
    jobs = jobs or machine.cores()
    asked: dict[str, Any] = {"held": held, "instances": instances, "evaluations": evaluations}
    asked |= {"seconds": seconds, "seed": seed, "jobs": jobs}
    settings = {"names": list(names), **asked}
    report = Report(settings)
    where = folder / "verify"
    make_folder(where)  # fail early, so that no work is lost on a folder that cannot be written to
    share = None if seconds is None else seconds * min(jobs, len(sources)) / max(len(sources), 1)
    tasks = [
        trials.Trial(source, name, held, each, evaluations, share, seed, str(where), name in own)
        for name, source in sources.items()
    ]
    done: dict[str, dict[str, Any]] = {}
    with Steps("verify", progress, len(tasks)) as steps:
        here = jobs == 1 or len(tasks) <= 1
        function = functools.partial(trials.run, watch=steps.within) if here and steps.drawn else trials.run
        try:
            for task, outcome in workers.each(function, tasks, jobs):
                record = _of_the_dead(task, outcome) if isinstance(outcome, workers.Died) else outcome
                done[task.name] = record
                violations = trials.count(record["violations"], "violation")
                counts = f"hypotheses held on {record['held']} of {record['instances']}, {violations}"
                if record["error"]:
                    counts = f"stopped by an error after {trials.count(record['instances'], 'instance')}"
                steps.finish(f"{task.name}: {counts}, {record['wall_s']:.1f} s")
        except KeyboardInterrupt:
            report.missing = [task.name for task in tasks if task.name not in done]
    report.records = [done[task.name] for task in tasks if task.name in done]
    report.wall_s = time.perf_counter() - started
    _store(report, where)
    return report


def _of_the_dead(task: trials.Trial, problem: Exception) -> dict[str, Any]:
    """Return the record of a guarantee whose process died; nothing else is known."""
    guarantee = next(one for one in trials.guarantees_of(task.source) if one.name == task.name)
    empty = trials.Tally(guarantee)
    return empty.record() | {"missed": [], "error": str(problem), "found": [], "wall_s": 0.0}


def _store(report: Report, folder: Path) -> None:
    stem = re.sub(r"[^\w.-]", "-", "-".join(report.settings["names"])) or "all"
    if len(stem) > 80:  # file systems have limits, and two long lists must not share a file
        stem = f"{stem[:70]}-{hashlib.sha256(stem.encode()).hexdigest()[:9]}"
    if report.settings["seed"]:
        stem += f"-seed{report.settings['seed']}"
    content = {
        "settings": report.settings,
        "passed": report.passed,
        "records": report.records,
        "missing": report.missing,
        "run": {"wall_s": report.wall_s, "versions": machine.versions(), "machine": machine.description()},
    }
    write_whole(folder / f"{stem}.json", (json.dumps(content, indent=1) + "\n").encode())
    write_whole(folder / f"{stem}.md", (report.table() + "\n").encode())
