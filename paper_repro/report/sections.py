"""The report's section on a figure: picture, claims, tables, notes, failures, settings and cells."""

from __future__ import annotations

import base64
import gzip
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from figures.drawing import CELL
from paper_repro.claims import NO_RIVAL
from paper_repro.render import BESIDE
from paper_repro.report.alternatives import alternative
from paper_repro.report.gather import Circumstances, Section, preset_of, settings_of
from paper_repro.report.markup import Markup, element, join, prose
from paper_repro.report.tables import settings, table
from paper_repro.report.words import added, anchor, badge, command, count, counts, label, span_of_dates

__all__ = ["absent", "section"]


def section(
    one: Section, machines: Sequence[Circumstances], preset: str, folder: Path, output: Path, seed: int = 0
) -> Markup:
    """Return the section of a figure.

    Parameters
    ----------
    one : Section
        The figure.
    machines : sequence of Circumstances
        All machines of the page, in the order of their numbers.
    preset, folder, seed
        The arguments of the report.
    output : path
        Path of the page.

    Returns
    -------
    Markup
        The section.
    """
    name = one.experiment.name
    heading = element("h2", element("span", label(name), class_="name"), one.experiment.title)
    parts: list[Markup | None] = []
    if one.records and one.experiment.cells_of:
        shared = label(one.experiment.cells_of)
        parts.append(element("p", f"A companion of {shared}, drawn from the same cells.", class_="quiet"))
    if one.records:
        first, *paper = one.experiment.heading(preset) or [""]  # as in the title of the figure
        said = "\n".join(text for text in (first, one.summary.get("subtitle"), *paper) if text)
        parts += [element("p", prose(said), class_="quiet")]
        parts += [_picture(one), _meanings(one), _claims(one)]
        parts += [element("p", prose(note)) for note in one.summary.get("notes", [])]
        parts += _tables(one)
    parts.append(_failures(one))
    if one.missing and not one.trouble:
        said = "Not computed" if not one.records else f"{count(one.missing, 'cell')} not computed yet"
        parts.append(element("p", prose(f"{said}: `{command(name, preset, folder, seed)}`")))
    details = [part for part in (_origin(one, machines), _settings(one, preset), _cells(one, output)) if part]
    heading_of_details = element("summary", "How it was computed: machines, settings, files")
    parts.append(element("details", heading_of_details, *details, class_="origin"))
    parts.append(element("p", element("a", "Back to the contents", href="#contents"), class_="back"))
    folded = element("details", element("summary", heading), *parts, class_="fold", open=True)
    return element("section", folded, class_="figure", id=anchor(name))


def absent(found: Sequence[Section], preset: str, folder: Path, seed: int = 0) -> Markup | None:
    """Return the figures that are not computed, a line each with the command that computes it; None without any."""
    if not found:
        return None
    items = []
    for one in found:
        name = one.experiment.name
        told = prose(f"`{command(name, preset, folder, seed)}`")
        size = count(one.missing, "cell")
        items.append(
            element("li", element("strong", label(name)), f": {one.experiment.title}. {size}: ", told, id=anchor(name))
        )
    heading = element("h2", f"Not computed at preset {preset}")
    back = element("p", element("a", "Back to the contents", href="#contents"), class_="back")
    return element("section", heading, element("ul", *items), back, id="not-computed")


EMPTY = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"
"""Stands for a picture until it comes near the window."""
LINE_POINTS = 9 * 1.2
"""Height of a line of a figure's title."""


DARK = (
    f"<style>@media screen and (prefers-color-scheme: dark) {{ image, #{CELL} "
    "{ filter: invert(1) hue-rotate(180deg); } }</style>"
).encode()
"""In a dark room the page inverts its drawings; colour scales, and what is written on them, are inverted back."""


def _picture(one: Section) -> Markup | None:
    """Return the picture, without the title that stands above it and packed; the page's script unpacks it."""
    if not one.pictures:
        return None
    # photographs stay as they are in a dark room
    photo = bool(one.summary.get("images"))
    picture, (width, height) = untitled(one.pictures["svg"])
    if not photo:
        picture = picture.replace(b"<defs>", DARK + b"<defs>", 1)
    if not width:
        width, height = struct.unpack(">II", one.pictures["png"][16:24])
    packed = base64.b64encode(gzip.compress(picture, mtime=0)).decode()
    text = alternative(one.experiment.title, one.summary)
    # giving its size prevents the page from jumping
    image = element("img", src=EMPTY, data_packed=packed, alt=text, width=width, height=height, decoding="async")
    region = f"{label(one.experiment.name)}, picture"
    kind = "picture scroll photo" if photo else "picture scroll"
    return join(
        [
            element("div", image, class_=kind, tabindex=0, role="region", aria_label=region),
            element("p", "The picture is wider than this window: scroll it sideways.", class_="quiet hint"),
        ]
    )


def untitled(svg: bytes) -> tuple[bytes, tuple[int, int]]:
    """Return a drawing without its title, and its size in CSS pixels; (0, 0) where it does not tell.

    Parameters
    ----------
    svg : bytes
        What :func:`figures.render` made of a figure: its title is the group ``title``, and stands at the top.
    """
    text = svg.decode()
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt" viewBox="0 0 [\d.]+ [\d.]+"', text)
    if size is None:
        return svg, (0, 0)
    width, height = float(size[1]), float(size[2])
    title = re.search(r' <g id="title">.*?\n  ?</g>\n', text, re.DOTALL)
    if title is not None:
        top = title[0].count("<!--") * LINE_POINTS
        # it is hidden and not cut out, as the other texts use its glyphs
        text = text.replace('<g id="title">', '<g id="title" display="none">', 1)
        box = f'width="{width:g}pt" height="{height - top:g}pt" viewBox="0 {top:g} {width:g} {height - top:g}"'
        text, height = text.replace(size[0], box), height - top
    return text.encode(), (round(width * 4 / 3), round(height * 4 / 3))


def _claims(one: Section) -> Markup | None:
    claims = one.summary.get("claims", [])
    if not claims:
        return None
    heading = (
        f"Claims and how they were judged. Compared as in the paper: {counts([claim['verdict'] for claim in claims])}"
    )
    fair = [claim["fair"] for claim in claims if claim["fair"] != NO_RIVAL]
    if fair:
        heading += f"; against a fair IMP: {counts(fair)}"
    return element("details", element("summary", heading), *(_claim(claim) for claim in claims))


def _meanings(one: Section) -> Markup | None:
    """Return what each method does, next to the verdicts, which are about these methods."""
    told = one.summary.get("meanings", [])
    return element("ul", *(element("li", prose(line)) for line in told)) if told else None


def _claim(claim: dict[str, Any]) -> Markup:
    facts = {
        "As in the paper": _judged(claim, "verdict", "measured", "interval"),
        "The same, without a verdict": join([claim["other"]]) if claim.get("other") else None,
        "Against a fair IMP": _judged(claim, "fair", "fair_measured", "fair_interval"),
        "Fair IMP, without a verdict": join([claim["fair_other"]]) if claim.get("fair_other") else None,
    }
    facts = {name: value for name, value in facts.items() if value is not None}
    facts |= {name: join([claim[key]]) for name, key in BESIDE.items() if claim.get(key)}
    listed = element("dl", *(join([element("dt", key), element("dd", value)]) for key, value in facts.items()))
    return element("div", element("p", f"{claim['figure']}: {claim['claim']}"), listed, class_="claim")


def _judged(claim: dict[str, Any], verdict: str, measured: str, interval: str) -> Markup:
    judged = f"{claim[interval]}. " if claim.get(interval) else ""
    return join([badge(claim[verdict]), " ", judged, claim[measured]])


def _tables(one: Section) -> list[Markup]:
    first = one.summary["table"]
    name = label(one.experiment.name)
    parts = [_folded(f"Table: {count(len(first['rows']), 'row')}", first, f"{name}: table of the figure")]
    for further in one.summary.get("tables", []):
        heading = f"{further['title']}: {count(len(further['rows']), 'row')}"
        parts.append(_folded(heading, further, f"{name}: {further['title']}"))
    return parts


def _folded(heading: str, content: dict[str, Any], name: str) -> Markup:
    return element("details", element("summary", heading), table(content["columns"], content["rows"], name))


def _failures(one: Section) -> Markup | None:
    if not one.failures:
        return None
    items = []
    for failure in one.failures:
        told = ", ".join(f"{key} = {value}" for key, value in failure["settings"].items())
        items.append(
            element("li", failure["message"], element("br"), element("span", told, class_="quiet") if told else None)
        )
    return join([element("h3", "Failures"), element("ul", *items, class_="failures")])


def _origin(one: Section, machines: Sequence[Circumstances]) -> Markup | None:
    if not one.records:
        return None
    places = [str(place) for place, found in enumerate(machines, start=1) if one.experiment.name in found.figures]
    wall = sum(float(record.run.get("wall_s") or 0.0) for record in one.records)
    warnings = sorted({text for record in one.records for text in record.run.get("warnings", [])})
    facts: dict[str, Any] = {
        "Cells": f"{len(one.records):,} of {one.results.meta['cells']:,} computed, version {one.experiment.version}",
        "Time": added(wall),
        "Finished": span_of_dates([str(record.run.get("finished", "")) for record in one.records]) or None,
        "Machines": join([element("a", ", ".join(places), href="#machines")]),
        "Warnings": "; ".join(warnings) or None,
    }
    if one.experiment.cells_of:
        facts["Shares its cells with"] = label(one.experiment.cells_of)
    told = {key: value for key, value in facts.items() if value is not None}
    items = (join([element("dt", key), element("dd", value)]) for key, value in told.items())
    return element("details", element("summary", "How it was computed"), element("dl", *items))


def _settings(one: Section, preset: str) -> Markup:
    common, varying, _ = settings_of(one)
    parts = [element("summary", f"Settings of preset {preset}"), settings(preset_of(one.experiment, preset))]
    if common:
        parts += [element("h3", "The same in all cells"), settings(common)]
    if varying:
        parts += [element("h3", "What varies"), element("p", ", ".join(varying))]
    return element("details", *parts)


def _cells(one: Section, output: Path) -> Markup | None:
    if not one.records:
        return None
    named = settings_of(one)[2]
    links = [
        element("li", element("a", text, href=_relative(path, output)))
        for path, text in zip(one.cells, named, strict=True)
    ]
    drawn = [
        element("li", element("a", path.name, href=_relative(path, output))) for path in one.files if path.exists()
    ]
    files = [element("h3", "Files of the figure"), element("ul", *drawn, class_="cells")] if drawn else []
    heading = element("summary", f"Files: {count(len(links), 'cell')} as JSON, and the files of the figure")
    return element("details", heading, *files, element("h3", "Cells"), element("ul", *links, class_="cells"))


def _relative(path: Path, output: Path) -> str:
    """Return a link from the page to a file; an absolute one if there is no relative one."""
    try:
        return quote(Path(os.path.relpath(path.absolute(), output.absolute().parent)).as_posix())
    except ValueError:  # another drive
        return path.absolute().as_uri()
