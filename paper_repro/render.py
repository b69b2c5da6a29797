"""Render stored results to files: PNG, SVG, the table as Markdown and CSV, and a JSON file with their provenance."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import figures
from paper_repro.claims import NO_RIVAL
from paper_repro.encoding import encode
from paper_repro.experiment import Experiment
from paper_repro.files import write_whole
from paper_repro.results import Results
from paper_repro.store import Record, comparable
from paper_repro.verdicts import VERDICTS

__all__ = [
    "BESIDE",
    "Files",
    "claims_markdown",
    "files_of",
    "markdown",
    "render",
    "shown",
    "summary_markdown",
    "verdicts_in_short",
]


BESIDE = {"Data and size": "data", "Rule": "rule", "Verdict": "basis"}
"""Lines printed with every verdict: label -> field of the claim."""


@dataclass(frozen=True)
class Files:
    """The files of one figure.

    Parameters
    ----------
    paths : list of path
        PNG and SVG (if the experiment has a drawing), Markdown, CSV and JSON.
    drawn : bool
        False if all of them were already up to date.
    """

    paths: list[Path]
    drawn: bool


def files_of(experiment: Experiment, preset: str, folder: Path, seed: int) -> list[Path]:
    """Return the names of a figure's files, in the order PNG, SVG, Markdown, CSV, JSON."""
    stem = f"{experiment.name}-{preset}" + (f"-seed{seed}" if seed else "")
    endings = ([] if experiment.layout is None else ["png", "svg"]) + ["md", "csv", "json"]
    return [folder / f"{stem}.{ending}" for ending in endings]


def render(experiment: Experiment, results: Results, records: Sequence[Record], folder: Path) -> Files:
    """Draw a figure and write its files, unless they are up to date.

    Parameters
    ----------
    experiment : Experiment
        Which.
    results : Results
        Its results.
    records : sequence of Record
        The stored cells behind them.
    folder : path
        Where the files go.

    Returns
    -------
    Files
        Their names.

    Raises
    ------
    StoreError
        If they cannot be written.

    Notes
    -----
    The same store and package versions always give the same bytes. The JSON file is written last and contains the
    hashes of the others; the files are up to date if these hashes, and the hash of their sources, still match.
    """
    meta = results.meta
    paths = files_of(experiment, meta["preset"], folder, meta["seed"])
    document = _document(results, records)
    source = hashlib.sha256(
        (json.dumps(document, sort_keys=True) + _drawing_version(experiment.layout)).encode()
    ).hexdigest()
    if _up_to_date(paths, source):
        return Files(paths, False)
    table = meta["summary"]["table"]
    contents: dict[str, bytes] = {}
    if experiment.layout is not None:
        contents.update(figures.render(figures.draw(experiment.name, results)))
    parts = [f"# {meta['title']} ({meta['preset']})", meta["summary"].get("subtitle", "")]
    parts += [*summary_markdown(meta["summary"])]
    contents["md"] = ("\n\n".join(part for part in parts if part) + "\n").encode()
    contents["csv"] = _csv(table).encode()
    document["source"] = source
    document["files"] = {path.name: _hash(contents[path.suffix[1:]]) for path in paths[:-1]}
    contents["json"] = (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
    for path in paths:
        write_whole(path, contents[path.suffix[1:]])
    return Files(paths, True)


def markdown(table: dict[str, Any]) -> str:
    """Return a table as Markdown, its columns aligned so that it also reads well in a terminal.

    Parameters
    ----------
    table : dict
        ``columns``, a list of str, and ``rows``, a list of lists of str, numbers or None.

    Returns
    -------
    str
        Lines without a line break at the end.
    """
    rows = [[shown(item).replace("|", "\\|") for item in row] for row in (table["columns"], *table["rows"])]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(item.ljust(width) for item, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def summary_markdown(summary: dict[str, Any], claims_only: bool = False) -> list[str]:
    """Return what a figure says as paragraphs of Markdown: its claims, how they were judged, its tables and notes.

    Parameters
    ----------
    summary : dict
        Of the experiment.
    claims_only : bool, default False
        Leave out tables and notes.

    Returns
    -------
    list of str
        Headings, tables and paragraphs.
    """
    claims = summary.get("claims", [])
    parts = claims_markdown(claims)
    told = summary.get("meanings", [])
    if told and (claims or not claims_only):  # next to the verdicts, which are about these methods
        parts[2:2] = ["## Methods", "\n".join(f"- {line}" for line in told)]
    if claims_only:
        return parts
    parts += ["## Table"] if parts else []
    parts += [markdown(summary["table"]), *summary.get("notes", [])]
    for further in summary.get("tables", []):
        parts += [f"## {further['title']}", markdown(further)]
    return parts


def claims_markdown(claims: Sequence[dict[str, str]]) -> list[str]:
    """Return a paper's claims as Markdown: one line each with both verdicts, then the numbers; empty without claims.

    Parameters
    ----------
    claims : sequence of dict
        Of a summary.

    Returns
    -------
    list of str
        Paragraphs. What all claims share, such as the data, stands once, at the end.
    """
    if not claims:
        return []
    shared = {key: len(claims) > 1 and len({claim.get(key) for claim in claims}) == 1 for key in BESIDE.values()}
    parts = ["## Claims", "\n".join(map(_verdict_line, claims)), "## How the claims were judged"]
    for claim in claims:
        lines = [
            f"**{_named(claim)}**",
            f"- Compared as in the paper: {_judged(claim, 'verdict', 'interval', 'measured')}",
        ]
        if claim.get("fair", NO_RIVAL) != NO_RIVAL:
            lines.append(f"- Against a fair IMP: {_judged(claim, 'fair', 'fair_interval', 'fair_measured')}")
        lines[2:2] = _others(claim, "other")
        lines += _others(claim, "fair_other")
        lines += [f"- {name}: {claim[key]}." for name, key in BESIDE.items() if claim.get(key) and not shared[key]]
        parts.append("\n".join(lines))
    common = [f"- {name}: {claims[0][key]}." for name, key in BESIDE.items() if shared[key] and claims[0].get(key)]
    if common:
        parts.append("\n".join(["**For all of these claims**", *common]))
    return parts


def verdicts_in_short(claims: Sequence[Mapping[str, str]]) -> str:
    """Return how many claims have which verdict, ``2 held, 1 not held; against a fair IMP: 3 not held``; "" if none."""
    sides = [[claim["verdict"] for claim in claims], [claim.get("fair", NO_RIVAL) for claim in claims]]
    told = [", ".join(f"{side.count(verdict)} {verdict}" for verdict in VERDICTS if verdict in side) for side in sides]
    return "; against a fair IMP: ".join(text for text in told if text)


def _named(claim: Mapping[str, str]) -> str:
    return f"{claim['figure']}: {claim['claim'].rstrip('.')}"


def _verdict_line(claim: Mapping[str, str]) -> str:
    """Return a claim with its verdicts; the second keeps "held" from saying too much."""
    line = f"- {_named(claim)}: {claim['verdict']}"
    fair = claim.get("fair", NO_RIVAL)
    return line if fair == NO_RIVAL else f"{line}; against a fair IMP: {fair}"


def _judged(claim: Mapping[str, str], verdict: str, interval: str, measured: str) -> str:
    told = [claim[verdict], claim.get(interval), claim.get(measured)]
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in told if text)


def _others(claim: Mapping[str, str], name: str) -> list[str]:
    """Return the line about the robust method, which has no verdict."""
    return [f"- For comparison, without a verdict, {claim[name]}."] if claim.get(name) else []


def shown(value: Any) -> str:
    """Return a table entry as text: a dash for None, two decimals for a number from 1 on, four below."""
    if value is None:
        return "-"
    if isinstance(value, float):
        if not math.isfinite(value) or value.is_integer():
            return f"{value:g}"
        if not 1e-3 <= abs(value) < 1e5:  # fixed-point format would show a rounding error as 0
            return f"{value:.2e}"
        return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:.2f}"
    return str(value)


def _csv(table: dict[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table["columns"])
    writer.writerows(table["rows"])
    return text.getvalue()


def _document(results: Results, records: Sequence[Record]) -> dict[str, Any]:
    """Return the content of the JSON file, which does not depend on when it is written."""
    meta = results.meta
    runs = [record.run for record in records]
    return {
        **{name: meta[name] for name in ("experiment", "version", "title", "preset", "seed", "cells", "failed")},
        "seeds": sorted({record.cell.settings["seed"] for record in records}),
        "wall_s": sum(run.get("wall_s", 0.0) for run in runs),
        "versions": _distinct(run.get("versions") for run in runs),
        "machines": _distinct(run.get("machine") for run in runs),
        "devices": _distinct(run.get("device") for run in runs),
        "warnings": sorted({text for run in runs for text in run.get("warnings", [])}),
        "table": encode(meta["summary"]["table"]),
        "meanings": meta["summary"].get("meanings", []),
        "notes": meta["summary"].get("notes", []),
        "tables": encode(meta["summary"].get("tables", [])),
        "claims": meta["summary"].get("claims", []),
        "records": [
            {**comparable(record), "wall_s": record.run.get("wall_s")}
            for record in sorted(records, key=lambda record: record.cell.key)
        ],
    }


def _distinct(values: Any) -> list[Any]:
    seen = {json.dumps(value, sort_keys=True): value for value in values if value is not None}
    return [seen[key] for key in sorted(seen)]


def _drawing_version(layout: Any) -> str:
    """Return a text that changes when the drawing code changes."""
    folder = Path(figures.__file__).parent
    sources = [*sorted(folder.glob("*.py")), *sorted(folder.glob("*.mplstyle")), Path(__file__)]
    own = _file_of(layout)
    if own is not None and own.parent != folder:
        sources.append(own)
    return metadata.version("matplotlib") + "".join(_hash(path.read_bytes()) for path in sources)


def _file_of(layout: Any) -> Path | None:
    """Return the source file of the drawing code; None if there is none."""
    name = layout if isinstance(layout, str) else getattr(layout, "__module__", None) or getattr(layout, "__name__", "")
    spec = importlib.util.find_spec(name) if name and name != "__main__" else None
    return Path(spec.origin) if spec is not None and spec.origin and Path(spec.origin).is_file() else None


def _up_to_date(paths: Sequence[Path], source: str) -> bool:
    try:
        document = json.loads(paths[-1].read_bytes())
        return bool(document["source"] == source) and all(
            _hash(path.read_bytes()) == document["files"][path.name] for path in paths[:-1]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
