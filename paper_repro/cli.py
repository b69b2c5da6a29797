"""The command ``paper-repro``: list, run, merge, show, report, verify, check, diagnose, data, methods, doctor."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from paper_repro import experiment as experiments
from paper_repro import render, results, sweep, workers
from paper_repro.arguments import parser
from paper_repro.cluster import ClusterError
from paper_repro.console import printable
from paper_repro.evaluate import listed_as
from paper_repro.experiment import Experiment, UnknownName
from paper_repro.store import StoreError
from planted.base import arrays
from planted.base.extras import MissingExtra

__all__ = ["main"]

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)
OK, FAILED, USAGE, MISSED, CRASHED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the command's name; those of the process by default.

    Returns
    -------
    int
        0 on success, 1 when cells failed or something is missing, 2 for a wrong argument, 130 after Ctrl-C.
    """
    with printable():
        try:
            code = _main(argv)
            if sys.stdout is not None:
                sys.stdout.flush()  # here, and not at the exit of Python, a disk that is full can still be reported
        except BrokenPipeError:  # the reading end of a pipe, such as head, was closed
            _discard_output()
            return OK
        except OSError as error:
            if error.filename is not None or error.errno not in _UNWRITABLE:
                raise
            _discard_output()
            return _complain(f"cannot write the output: {error.strerror or error}", FAILED)
        return code


def _discard_output() -> None:
    """Send what is still buffered, and cannot be written, to nowhere; else Python would complain at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a stream without a file, as in a notebook
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _main(argv: Sequence[str] | None) -> int:
    understood = parser()
    options = understood.parse_args(argv)
    if getattr(options, "command", None) is None:  # the commands, each with a line
        understood.print_help(sys.stderr)
        return USAGE
    try:
        return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except sweep.Interrupted as stop:
        return _complain(str(stop), stop.code)
    except UnknownName as error:
        return _complain(str(error), USAGE)
    except (StoreError, ClusterError, MissingExtra, FileNotFoundError, workers.Died) as error:
        return _complain(str(error), FAILED)


def _complain(sentence: str, code: int) -> int:
    print(f"paper-repro: {sentence}", file=sys.stderr)
    return code


def _list(options: argparse.Namespace) -> int:
    from paper_repro import listing

    if options.results != Path(results.DEFAULT_FOLDER) and not options.results.is_dir():
        _complain(f"there is no results folder {options.results}, so nothing is computed yet", OK)
    found = listing.chosen(options.figures)
    if options.json:
        print(listing.as_json(found, options.results))
        return OK
    # a file or a pipe gets whole lines
    width = shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None
    print(listing.as_text(found, options.results, width))
    return OK


def _run(options: argparse.Namespace) -> int:
    chosen = [experiments.get(name) for name in options.figures or experiments.names()]
    for experiment in chosen:
        experiment.check_preset(options.preset)
    device = options.device
    if options.dask is not None:  # the hardware of this machine does not matter
        device = "cpu" if device == "auto" else device
    elif device == "auto":
        device = "gpu" if arrays.gpu_available() else "cpu"
    elif device == "gpu" and not arrays.gpu_available():
        return _complain(f"--device gpu was requested, but {arrays.gpu_status()[1]}", FAILED)
    with workers.reused(), _Drawings(options, aside=len(chosen) > 1 and options.jobs != 1) as drawings:
        failures = [_run_one(experiment, options, device, drawings) for experiment in chosen]
    if drawings.claims:
        print("\n".join(_outlook(chosen, options, drawings.claims)))
    if any(failures):
        print(f"paper-repro: {sum(failures)} cells failed; the same command tries them again", file=sys.stderr)
        return FAILED
    return OK


def _outlook(
    chosen: Sequence[Experiment], options: argparse.Namespace, drawn: Sequence[Sequence[Mapping[str, str]]]
) -> list[str]:
    """Return the last lines of a run: the verdicts of a single figure in short, and the command to read on with."""
    at = options.preset, options.results, options.seed
    if len(chosen) > 1:
        return [f"next: {results.command(None, *at, verb='report')}"]
    said = render.verdicts_in_short(drawn[0])
    return [*([f"claims: {said}"] if said else []), f"next: {results.command(chosen[0], *at, verb='show')}"]


def _run_one(experiment: Experiment, options: argparse.Namespace, device: str, drawings: _Drawings) -> int:
    from paper_repro import data

    started = time.perf_counter()
    cells = experiment.cells(options.preset, options.seed)
    for sentence in data.stand_ins(cells):
        print(f"{experiment.name}: {sentence}", file=sys.stderr)
    outcome = sweep.run(
        experiment,
        cells,
        results.store_of(options.results),
        jobs=options.jobs,
        device=device,
        dask=options.dask,
        batch=options.batch,
        shard=options.shard,
        progress=sys.stderr,
        expected=experiments.TAKES[options.preset],
    )
    drawings.finish()
    for sentence in outcome.damaged:
        print(f"{experiment.name}: computed again, because {sentence}", file=sys.stderr)
    for settings, message in outcome.failed:
        print(f"{experiment.name}: a cell failed: {message}\n  {settings}", file=sys.stderr)
    counted = f"{experiment.name}: {outcome.computed} cells computed, {outcome.reused} reused"
    if options.shard is not None:
        print(f"{counted}; share {options.shard[0]} of {options.shard[1]}, nothing drawn")
        return len(outcome.failed)
    if outcome.computed:
        print(f"{experiment.name}: drawing", file=sys.stderr, flush=True)
    drawings.start(experiment, counted, time.perf_counter() - started)
    return len(outcome.failed)


class _Drawings:
    """Draws figures, and prints a line and the files of each; with `aside`, while the next figure is computed."""

    def __init__(self, options: argparse.Namespace, aside: bool) -> None:
        self._options = options
        self._call = workers.Aside() if aside else None
        self._counted: tuple[str, float] | None = None
        self.claims: list[list[dict[str, str]]] = []
        """Those of each figure that was drawn."""

    def __enter__(self) -> _Drawings:
        return self

    def __exit__(self, kind: type[BaseException] | None, *unused: object) -> None:
        try:
            if kind is None or issubclass(kind, Exception):
                self.finish()
            else:
                self._give_up()
        finally:
            if self._call is not None:
                self._call.close()

    def start(self, experiment: Experiment, counted: str, seconds: float) -> None:
        """Draw a figure, or start to draw it."""
        parts = self._options.preset, self._options.results, self._options.seed
        self._counted = counted, seconds
        if self._call is not None and workers.listed(experiment, experiment.name):
            self._call.start(_draw_aside, (experiment.module, experiment.name, *parts))
            return
        try:
            self._print(*_draw(experiment, *parts))
        except BaseException:
            self._give_up()
            raise

    def finish(self) -> None:
        """Wait for the figure that is being drawn, if there is one, and print its line."""
        if self._counted is None or self._call is None:
            return
        try:
            answer = self._call.result()
            if isinstance(answer, Exception):
                raise answer
        except BaseException:
            self._give_up()
            raise
        self._print(*answer)

    def _give_up(self) -> None:
        """Complete the line of a figure all the same, after Ctrl-C or on a full disk."""
        if self._counted is not None:
            print(f"{self._counted[0]}; nothing drawn", flush=True)
            self._counted = None

    def _print(self, files: render.Files | None, claims: list[dict[str, str]], seconds: float) -> None:
        assert self._counted is not None
        (counted, before), self._counted = self._counted, None
        if files is None:
            print(f"{counted}; nothing to draw")
            return
        self.claims.append(claims)
        print(f"{counted}, {'drawn' if files.drawn else 'up to date'}, {before + seconds:.1f} s")
        for path in files.paths:
            print(f"  {path}")


_Drawn = tuple[render.Files | None, list[dict[str, str]], float]
"""The files of a figure, its claims, and the seconds that drawing took."""


def _draw(experiment: Experiment, preset: str, folder: Path, seed: int) -> _Drawn:
    started = time.perf_counter()
    found, records = results.collect(experiment, preset, folder, seed)
    files = render.render(experiment, found, records, folder) if records else None
    return files, found.meta["summary"].get("claims", []), time.perf_counter() - started


def _draw_aside(task: tuple[str, str, str, Path, int]) -> _Drawn | Exception:
    module, name, preset, folder, seed = task
    try:
        return _draw(listed_as(module, name), preset, folder, seed)
    except Exception as error:  # an exception that is raised would end the process
        return error


def _show(options: argparse.Namespace) -> int:
    experiment = experiments.get(options.figure)
    found = results.load(options.figure, options.preset, options.results, seed=options.seed)
    meta = found.meta
    print(f"{meta['title']} ({meta['preset']}: {len(found.arrays)} of {meta['cells']} results)")
    if options.claims and not meta["summary"].get("claims"):
        print("\nno claim of a paper is about this figure")
    for paragraph in render.summary_markdown(meta["summary"], options.claims):
        print(f"\n{paragraph}")
    for failure in meta["failed"]:
        print(f"\nfailed: {failure['message']}\n  {failure['settings']}")
    there = [
        path for path in render.files_of(experiment, options.preset, options.results, options.seed) if path.exists()
    ]
    command = results.command(experiment, options.preset, options.results, options.seed)
    print("\n" + ("\n".join(str(path) for path in there) or f"not drawn yet: `{command}` draws it"))
    return OK


def _report(options: argparse.Namespace) -> int:
    from paper_repro import report

    if not options.results.is_dir():
        raise FileNotFoundError(
            f"there is no results folder {options.results}; "
            f"`{results.command(None, options.preset, options.results, options.seed)}` creates it"
        )
    path, failures = report.write_report(options.preset, options.results, options.output, seed=options.seed)
    print(f"report: {path}")
    if failures:
        return _complain(f"{failures} cells failed; the report lists them under Failures", FAILED)
    return OK


def _merge(options: argparse.Namespace) -> int:
    from paper_repro import merge

    merged = merge.merge(options.folders, options.results)
    print(f"{options.results}: {merged}")
    for sentence in merged.complaints:
        _complain(sentence, FAILED)
    return FAILED if merged.complaints else OK


def _verify(options: argparse.Namespace) -> int:
    from paper_repro import trials

    with trials.importable():
        return _verify_here(options)


def _verify_here(options: argparse.Namespace) -> int:
    from paper_repro import controls, verify

    if options.controls:
        tried = controls.try_controls(
            options.names,
            evaluations=options.evaluations,
            seconds=options.seconds,
            seed=options.seed,
            jobs=options.jobs,
            folder=options.results,
            progress=sys.stderr,
        )
        print(f"{tried.table()}\n\n{tried.last_line()}")
        return OK if tried.passed else FAILED
    report = verify.verify(
        options.names,
        held=options.held,
        instances=options.instances,
        evaluations=verify.EVALUATIONS if options.evaluations is None else options.evaluations,
        seconds=options.seconds,
        seed=options.seed,
        jobs=options.jobs,
        folder=options.results,
        progress=sys.stderr,
    )
    print(report.table())
    for paragraph in report.complaints():
        print(f"\n{paragraph}")
    if report.records:
        print(f"\n{report.cost()}")
    print(f"\n{report.last_line()}")
    if report.missing:
        return INTERRUPTED
    if report.broken:
        return FAILED
    if report.crashed:
        return CRASHED
    return OK if report.passed else MISSED


def _check(options: argparse.Namespace) -> int:
    from recovery.certificates import checker

    code = OK
    for path in options.files:
        try:
            report = checker.check_file(path, options.seconds, options.gigabytes, options.data)
        except OSError as error:
            code = _complain(f"{path} cannot be read ({error.strerror}); expected a certificate file", FAILED)
            continue
        print(f"{path}: verified" if report.valid else f"{path}: NOT verified: {report.reason}")
        if report.valid:
            print(f"  {report.statement}")
        else:
            code = FAILED
    return code


def _diagnose(options: argparse.Namespace) -> int:
    from paper_repro import diagnose

    try:
        asked = {"sparsity": options.sparsity, "lam": options.lam, "law": options.law}
        print(diagnose.report(options.file, **asked, improve=not options.no_changes))
    except diagnose.BadFile as error:
        return _complain(str(error), FAILED)
    return OK


def _data(options: argparse.Namespace) -> int:
    from paper_repro import data

    unknown = [name for name in options.names if name not in data.DATA_SETS]
    if unknown:
        listed = " or ".join(data.DATA_SETS)
        return _complain(f"there is no data set {unknown[0]!r}; expected {listed}", USAGE)
    return OK if data.report(options.names, download=options.download, say=print) else FAILED


def _methods(options: argparse.Namespace) -> int:
    from recovery import pruning

    methods = pruning.catalogue()
    unknown = [name for name in options.names if name not in methods]
    if unknown:
        return _complain(f"there is no method {unknown[0]!r}; expected one of {', '.join(methods)}", USAGE)
    table = pruning.describe([methods[name] for name in options.names or methods])
    print(table.markdown() if options.markdown else table)
    return OK


def _doctor(options: argparse.Namespace) -> int:
    from paper_repro import doctor

    print(doctor.report(options.results))
    return OK


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "run": _run,
    "show": _show,
    "report": _report,
    "merge": _merge,
    "verify": _verify,
    "check": _check,
    "diagnose": _diagnose,
    "data": _data,
    "methods": _methods,
    "doctor": _doctor,
}
