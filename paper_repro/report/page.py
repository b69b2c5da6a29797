"""The complete page: its head, the summary at the top, and one section per figure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from paper_repro.files import StoreError, make_folder, write_whole
from paper_repro.report.gather import Section, circumstances, gather
from paper_repro.report.markup import element, join
from paper_repro.report.overview import contents, overview
from paper_repro.report.sections import absent, section

__all__ = ["check_output", "page", "report_path", "write_report"]


def report_path(preset: str, folder: Path, seed: int = 0) -> Path:
    """Return the default name of a report."""
    return folder / (f"report-{preset}" + (f"-seed{seed}" if seed else "") + ".html")


def write_report(preset: str, folder: Path, output: Path | None = None, *, seed: int = 0) -> tuple[Path, int]:
    """Write the report of a preset.

    Parameters
    ----------
    preset : str
        Which size.
    folder : path
        The results folder; figures in it that are not up to date are drawn.
    output : path, optional
        The page; ``report-PRESET.html`` in the results folder by default.
    seed : int, default 0
        Seed of the first trial.

    Returns
    -------
    path : path
        The page.
    failures : int
        Number of cells that failed, are damaged or cannot be read; the page lists them.

    Raises
    ------
    StoreError
        If the page cannot be written; raised before anything is drawn.
    """
    path = report_path(preset, folder, seed) if output is None else output
    check_output(path)
    sections = gather(preset, folder, seed)
    text = page(sections, preset, folder, path, seed)
    try:
        write_whole(path, text.encode())
    except StoreError as error:
        raise StoreError(
            f"cannot write the report {path}: {_reason(error)}; name another file with --output"
        ) from error
    return path, sum(len(one.failures) for one in sections)


def check_output(path: Path) -> None:
    """Raise an error for a page that cannot be written; an existing page of that name is kept."""
    try:
        if path.is_dir():
            raise StoreError("it is a folder")
        make_folder(path.absolute().parent)
        probe = path.with_name(f"{path.name}.probe")
        write_whole(probe, b"")
        probe.unlink()
    except (StoreError, OSError) as error:
        raise StoreError(
            f"cannot write the report {path}: {_reason(error)}; name another file with --output"
        ) from error


def page(sections: Sequence[Section], preset: str, folder: Path, output: Path, seed: int = 0) -> str:
    """Return the page; the same store gives the same text.

    Parameters
    ----------
    sections : sequence of Section
        What :func:`paper_repro.report.gather` returned.
    preset : str
        Which size.
    folder : path
        The results folder, as to be shown in commands.
    output : path
        Path of the page; its links to cells are relative to its folder.
    seed : int, default 0
        Seed of the first trial.

    Returns
    -------
    str
        HTML with its own style and script, and embedded pictures. Its content security policy allows nothing else.
    """
    title = f"Sparse recovery lab: results of preset {preset}"
    machines = circumstances(sections)
    content = join(
        [
            contents(sections),
            element(
                "div",
                element("header", element("h1", title), overview(sections, machines, preset, folder, seed)),
                element(
                    "main",
                    *(section(one, machines, preset, folder, output, seed) for one in sections if not one.is_absent),
                    absent([one for one in sections if one.is_absent], preset, folder, seed),
                ),
                class_="body",
            ),
        ]
    )
    template = resources.files("paper_repro.report").joinpath("template.html").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; img-src data: blob:; style-src '{_hash_of(template, 'style')}'; "
        f"script-src '{_hash_of(template, 'script')}'; base-uri 'none'; form-action 'none'"
    )
    # the content is inserted last, so that nothing in it is mistaken for a placeholder
    return template.replace("{{policy}}", policy).replace("{{title}}", join([title])).replace("{{content}}", content)


def _hash_of(template: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", template, re.DOTALL)
    if found is None:
        raise ValueError(f"the template of the report has no element {name}")
    return "sha256-" + base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else _cause(error)


def _cause(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, FileExistsError):
        return f"{cause.filename} is not a folder"
    return cause.strerror or str(cause) if isinstance(cause, OSError) else str(error)
