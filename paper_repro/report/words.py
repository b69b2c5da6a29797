"""Small pieces of text and markup shared by several parts of the report."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from paper_repro.report.markup import Markup, element
from paper_repro.results import DEFAULT_FOLDER
from paper_repro.verdicts import HELD, NOT_HELD, TOO_CLOSE, VERDICTS

__all__ = [
    "added",
    "anchor",
    "badge",
    "command",
    "count",
    "counts",
    "duration",
    "is_of_the_paper",
    "label",
    "span_of_dates",
]

_PAPER = re.compile(r"(fig|table)(\d+)(?:-(.+))?")


def label(name: str) -> str:
    """Return ``Figure 3, binary`` for ``fig3-binary``; other names are unchanged."""
    found = _PAPER.fullmatch(name)
    if not found:
        return name
    kind = "Figure" if found[1] == "fig" else "Table"
    return f"{kind} {found[2]}" + (f", {found[3]}" if found[3] else "")


def is_of_the_paper(name: str) -> bool:
    """Return whether an experiment has the name of a figure or table of the paper, such as ``fig1``."""
    return _PAPER.fullmatch(name) is not None


def anchor(name: str) -> str:
    """Return the anchor of a section within the page."""
    return "figure-" + re.sub(r"[^a-z0-9-]", "-", name.lower())


def badge(verdict: str) -> Markup:
    """Return a verdict as a coloured word, which is clear without the colour too."""
    kind = verdict.replace(" ", "-") if verdict in (HELD, NOT_HELD, TOO_CLOSE) else "not-measured"
    return element("span", verdict, class_=f"verdict {kind}")


def command(name: str, preset: str, folder: Path, seed: int) -> str:
    """Return the command that computes a figure; all figures without a name."""
    parts = ["paper-repro run", name, f"--preset {preset}" if preset != "quick" else ""]
    parts += [
        f"--results {shlex.quote(str(folder))}" if folder != Path(DEFAULT_FOLDER) else "",
        f"--seed {seed}" if seed else "",
    ]
    return " ".join(part for part in parts if part)


def count(number: int, thing: str) -> str:
    """Return ``1 cell`` or ``2,000 cells``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def counts(verdicts: Iterable[str]) -> str:
    """Return how many verdicts there are of each kind, such as ``2 held, 1 too close to call``."""
    found = Counter(verdicts)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def duration(seconds: float) -> str:
    """Return seconds in readable form: ``0.4 s``, ``3 min 20 s``, ``5 h 02 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def added(seconds: float) -> str:
    """Return the wall times of cells, added up; the time of a run is shorter, since it computes several at once."""
    return f"{duration(seconds)} of wall time, summed over the cells"


def span_of_dates(dates: Sequence[str]) -> str:
    """Return the first and the last day on which cells were finished."""
    days = sorted({date[:10] for date in dates if date})
    return "" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
