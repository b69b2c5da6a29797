"""The top of the report: contents, all claims, all figures with their state, failures and machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paper_repro.claims import NO_RIVAL, RIVALS
from paper_repro.report.gather import Circumstances, Section
from paper_repro.report.markup import Markup, element, join, prose
from paper_repro.report.tables import settings, table
from paper_repro.report.words import added, anchor, badge, command, count, is_of_the_paper, label
from paper_repro.verdicts import VERDICTS

__all__ = ["contents", "overview"]


def overview(
    sections: Sequence[Section], machines: Sequence[Circumstances], preset: str, folder: Path, seed: int
) -> Markup:
    """Return the part above the figures.

    Parameters
    ----------
    sections : sequence of Section
        All figures.
    machines : sequence of Circumstances
        The machines that computed them.
    preset, folder, seed
        The arguments of the report.

    Returns
    -------
    Markup
        Claims, states, failures, machines.
    """
    keys = {record.cell.key: float(record.run.get("wall_s") or 0.0) for one in sections for record in one.records}
    if not any(one.records or one.failures for one in sections):
        state = prose(
            f"Nothing is computed yet: there are no results of preset {preset} in the folder `{folder}`. "
            f"`{command('', preset, folder, seed)}` computes them, and the same report command fills this page."
        )
    else:
        computed = sum(bool(one.records) for one in sections)
        state = join(
            [
                f"{computed} of {len(sections)} figures and tables have results: {count(len(keys), 'cell')}, "
                f"{added(sum(keys.values()))}, of which several may run at once."
            ]
        )
    parts: list[Markup | None] = [
        element("p", state, class_="lead"),
        element(
            "p",
            prose(
                "Each figure comes with its table, its settings and the files from which it was drawn. The "
                "documentation has the methods and findings, paper by paper: `docs/reproduction/index.md` in the "
                "source, or `docs/_build/html/reproduction/index.html` after `make docs`."
            ),
            class_="quiet",
        ),
        _claims(sections),
        _states(sections),
        _failures(sections),
        _machines(machines),
    ]
    return join(parts)


def contents(sections: Sequence[Section]) -> Markup:
    """Return the table of contents, which stays in the window: at its side where there is room, else folded at its top.

    Parameters
    ----------
    sections : sequence of Section
        All figures.

    Returns
    -------
    Markup
        Links to the sections, with their titles, and how much of each is computed; one link to all that are not.
    """
    parts: list[Markup] = []
    for heading, group in (
        ("Figures and tables of the paper", [one for one in sections if is_of_the_paper(one.experiment.name)]),
        ("Further experiments", [one for one in sections if not is_of_the_paper(one.experiment.name)]),
    ):
        items = [
            element(
                "li",
                element("a", label(one.experiment.name), href=_href(one)),
                element("span", one.experiment.title),
                element("span", one.status, class_="computed"),
            )
            for one in group
            if not one.is_absent
        ]
        parts += [element("h3", heading), element("ul", *items)] if items else []
    absent = sum(one.is_absent for one in sections)
    if absent:  # they are listed, with their commands, at the end of the page
        parts.append(element("p", element("a", f"{absent} not computed", href="#not-computed"), class_="absent"))
    folded = element("details", element("summary", "Contents"), *parts)
    return element("nav", folded, aria_label="Contents", id="contents")


def _claims(sections: Sequence[Section]) -> Markup | None:
    claims = [(one, claim) for one in sections for claim in one.summary.get("claims", [])]
    if not claims:
        return None
    rows = [
        [
            element("a", claim["figure"], href=_href(one)),
            claim["claim"],
            _judged(claim["verdict"], claim.get("interval") or claim["measured"]),
            _judged(claim["fair"], claim.get("fair_interval") or claim["fair_measured"]),
            claim.get("data") or None,
        ]
        for one, claim in claims
    ]
    counted = Counter(claim["verdict"] for _, claim in claims)
    fair = Counter(claim["fair"] for _, claim in claims)
    bases = dict.fromkeys(claim.get("basis", "") for _, claim in claims)
    return join(
        [
            element("h2", "The paper's claims, and what was measured"),
            element("p", f"Compared as in the paper: {_counts(counted)}. Against a fair IMP: {_counts(fair)}."),
            element("p", f"{RIVALS} Each figure says what its methods do.", class_="quiet")
            if set(fair) - {NO_RIVAL}
            else None,
            element(
                "details",
                element("summary", "Data and rule by which each figure was judged"),
                element("p", _judged_on(claims)),
                *(element("p", f"Verdict: {basis}.", class_="quiet") for basis in bases if basis),
            ),
            table(
                ["Figure", "Claim", "Compared as in the paper", "Against a fair IMP", "Data and size"],
                rows,
                "Claims and verdicts",
                "claims",
            ),
            element("p", "The table is wider than this window: scroll it sideways.", class_="quiet hint"),
        ]
    )


def _judged_on(claims: Sequence[tuple[Section, dict[str, Any]]]) -> str:
    """Return which figures were judged on which data and size, to which their verdicts are limited."""
    groups: dict[str, dict[str, None]] = {}
    for one, claim in claims:
        groups.setdefault(claim.get("data", ""), {})[label(one.experiment.name)] = None
    told = "; ".join(f"{' and '.join(names)} on {data}" for data, names in groups.items() if data)
    return f"Judged: {told}." if told else ""


def _judged(verdict: str, measured: str) -> Markup:
    return join([badge(verdict), element("span", " " + measured, class_="wide") if measured else None])


def _counts(counted: Counter[str]) -> str:
    told = [f"{counted[verdict]} {verdict}" for verdict in VERDICTS]
    if counted[NO_RIVAL]:  # claims that do not involve IMP
        told.append(f"{counted[NO_RIVAL]} without IMP")
    return ", ".join(told)


def _states(sections: Sequence[Section]) -> Markup:
    rows = []
    for one in (one for one in sections if not one.is_absent):
        wall = sum(float(record.run.get("wall_s") or 0.0) for record in one.records)
        shared = one.experiment.cells_of
        rows.append(
            [
                element("a", label(one.experiment.name), href=_href(one)),
                one.status,
                f"{len(one.records)} of {one.results.meta['cells']}",
                f"{wall:.1f}" if one.records and not shared else None,
                f"cells of {label(shared)}" if shared else "",
            ]
        )
    columns = ["Figure", "State", "Cells", "Wall time (s)", "Remarks"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    shown = table(columns, rows, "State of the figures", "states")
    counted = Counter(one.status for one in sections)
    told = ", ".join(f"{number} {status}" for status, number in counted.most_common())
    summary = element("summary", f"{count(len(sections), 'figure')}: {told}")
    folded = element("details", summary, shown if rows else None)
    return join([element("h2", "State of the figures"), folded])


def _failures(sections: Sequence[Section]) -> Markup | None:
    failing = [one for one in sections if one.failures]
    if not failing:
        return None
    items = [
        element(
            "li",
            element("a", label(one.experiment.name), href=_href(one)),
            f": {count(len(one.failures), 'failure')}, first: {one.failures[0]['message']}",
        )
        for one in failing
    ]
    return join([element("h2", "Failures"), element("ul", *items, class_="failures")])


def _machines(found: Sequence[Circumstances]) -> Markup | None:
    if not found:
        return None
    parts = [element("h2", "Machines and versions", id="machines")]
    for place, one in enumerate(found, start=1):
        facts = {
            **one.machine,
            "device": one.device,
            "computed": f"{count(len(one.keys), 'cell')} in {added(sum(one.keys.values()))}",
            "figures": ", ".join(map(label, one.figures)),
            "versions": ", ".join(f"{name} {version}" for name, version in one.versions.items()),
        }
        heading = element("h3", f"Machine {place}") if len(found) > 1 else None
        parts += [part for part in (heading, settings(facts)) if part is not None]
    return join(parts)


def _href(one: Section) -> str:
    return "#" + anchor(one.experiment.name)
