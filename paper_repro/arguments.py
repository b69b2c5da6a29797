"""The parser of the command line, with an error message for each kind of invalid argument."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import planted
from paper_repro import results
from paper_repro.experiment import PRESETS, TAKES, near
from recovery.guarantees.engine.instance import LAWS, NoiseLaw

__all__ = ["parser"]


class _Whole(argparse.ArgumentParser):
    """The parser of everything: a wrong command is answered with the nearest one, and options find their place."""

    commands: Sequence[str] = ()
    _first = ""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        given = [str(one) for one in (sys.argv[1:] if args is None else args)]
        self._first = given[0] if given else ""
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        if message.startswith("argument COMMAND: invalid choice: "):
            name = message.partition("'")[2].partition("'")[0]
            close = get_close_matches(name, self.commands, n=1, cutoff=0.7)
            hint = f"did you mean {close[0]}? " if close else ""
            if self._first.startswith("-") and not self._first.startswith("--results"):
                hint = f"{self._first} stands behind the command, as in `paper-repro COMMAND {self._first} ...`; "
            message = f"there is no command {name!r}; {hint}expected one of {', '.join(self.commands)}"
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; its result has the command's name as ``command``."""
    purpose = "Regenerate the papers' figures and tables, and inspect the results."
    whole = _Whole(prog="paper-repro", description=purpose)
    whole.add_argument("--version", action="version", version=f"paper-repro {planted.__version__}")
    folder: dict[str, Any] = {"type": Path, "metavar": "DIR"}
    meaning = f"folder of the store and the figures (default: {results.DEFAULT_FOLDER})"
    whole.add_argument("--results", default=Path(results.DEFAULT_FOLDER), help=meaning, **folder)
    commands = whole.add_subparsers(metavar="COMMAND", parser_class=argparse.ArgumentParser)
    where = argparse.ArgumentParser(add_help=False)
    # without a default of its own, so that one that stands before the command is kept
    where.add_argument("--results", default=argparse.SUPPRESS, help=meaning, **folder)
    which = argparse.ArgumentParser(add_help=False)
    which.add_argument(
        "--preset",
        type=_preset,
        metavar="{" + ",".join(PRESETS) + "}",
        default="quick",
        help="size of a figure, and how long it takes: "
        + "; ".join(f"{preset}: {takes}" for preset, takes in TAKES.items())
        + " (default: %(default)s)",
    )
    which.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the first trial (default: 0)")

    add = commands.add_parser("list", parents=[where], help="list the figures, and how much of each is computed")
    add.add_argument(
        "figures",
        nargs="*",
        metavar="FIG",
        help="names, or parts of names and titles (default: all); a single figure is shown with its sizes and data",
    )
    add.add_argument("--json", action="store_true", help="everything, as JSON")
    add.set_defaults(command="list")

    add = commands.add_parser("run", parents=[where, which], help="compute what is missing, and draw")
    add.add_argument("figures", nargs="*", metavar="FIG", help="figures to compute (default: all)")
    add.add_argument(
        "--device", choices=("auto", "cpu", "gpu"), default="auto", help="where to compute (default: auto)"
    )
    where_to = add.add_mutually_exclusive_group()
    where_to.add_argument(
        "--jobs",
        type=_jobs,
        metavar="N",
        help="worker processes, one thread each (default: one per core, or one for a GPU)",
    )
    where_to.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="compute on the workers of a Dask scheduler, such as tcp://host:8786 (--device auto is then the CPU)",
    )
    add.add_argument(
        "--batch",
        type=_count,
        metavar="N",
        help="largest number of cells per call, where cells can be batched (default: 1; GPU: 16)",
    )
    add.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="compute only the I-th of N shares, and draw nothing; `merge` combines the shares",
    )
    add.set_defaults(command="run")

    add = commands.add_parser("merge", parents=[where], help="add the results of other folders to that of --results")
    add.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="results folders, which are not modified")
    add.set_defaults(command="merge")

    add = commands.add_parser(
        "show", parents=[where, which], help="print the claims about a figure with their verdicts, and its tables"
    )
    add.add_argument("figure", metavar="FIG", help="name of a figure or table, such as fig1")
    add.add_argument("--claims", action="store_true", help="only the claims: one line each, then how they were judged")
    add.set_defaults(command="show")

    add = commands.add_parser(
        "report", parents=[where, which], help="write one HTML page of all figures, tables and claims"
    )
    add.add_argument(
        "--output", type=Path, metavar="FILE", help="the page (default: report-PRESET.html in the results folder)"
    )
    add.set_defaults(command="report")

    add = commands.add_parser(
        "verify",
        parents=[where],
        help="try to break the guarantees, and print the table",
        epilog="exit codes: 0 all survived; 1 a guarantee is broken; 2 a name or option is not understood; 3 none is "
        "broken, but a quota was missed, so that too little was tested; 4 none is broken, but the code of a guarantee "
        "raised an error",
    )
    add.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="groups (all, linear, sparse, gated, recovery, pruning), guarantees, controls, or module:object for a "
        "guarantee of your own, a list of them, or a function that returns them (default: all)",
    )
    add.add_argument(
        "--controls",
        action="store_true",
        help="test the search itself: false statements that it must refute on four seeds",
    )
    add.add_argument(
        "--held",
        type=_count,
        default=1000,
        metavar="N",
        help="number of instances on which the hypotheses of each guarantee have to hold; drawing ends when they did, "
        "after 20 times as many instances, or when it is clear that these will not be enough (default: %(default)s)",
    )
    add.add_argument(
        "--instances",
        type=_count,
        default=0,
        metavar="N",
        help="smallest total number of instances (default: as many as --held needs)",
    )
    add.add_argument(
        "--evaluations",
        type=_evaluations,
        metavar="N",
        help="instances that the attack on each guarantee tries, 0 for no attack (default: 3000, or a control's own)",
    )
    add.add_argument(
        "--seconds",
        type=_seconds,
        metavar="S",
        help="time limit for all guarantees together, in equal shares (default: no limit, so that a seed gives the "
        "same result on all machines)",
    )
    add.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="S",
        help="seed of the instances and of the attacks (default: 0). The seed of each attack is derived from it and "
        "from the name of the guarantee; it is in the results (JSON), for attack(guarantee, evaluations=N, rng=SEED)",
    )
    add.add_argument(
        "--jobs", type=_jobs, metavar="N", help="worker processes, one thread each (default: one per core)"
    )
    add.set_defaults(command="verify")

    add = commands.add_parser("check", help="verify certificates independently, in exact arithmetic")
    add.add_argument("files", nargs="+", metavar="FILE", help="certificates, as JSON files")
    limit = "refuse at once a check that is expected to take more than this many %s (default: %%(default)s)"
    add.add_argument("--seconds", type=_seconds, default=120.0, metavar="S", help=limit % "seconds per file")
    add.add_argument("--gigabytes", type=_gigabytes, default=2.0, metavar="G", help=limit % "gigabytes of memory")
    beside = "X and y of certificates that store only their hash, as .npy (default: the .npy file next to FILE)"
    add.add_argument("--data", metavar="DATA", help=beside)
    add.set_defaults(command="check")

    add = commands.add_parser("diagnose", help="report which guarantees hold for your own matrix, and what would help")
    add.add_argument(
        "file",
        metavar="FILE.npz",
        help="array A, or X with gates or generators H; optionally y, x, s (an integer), lam, law (a name) and sigma",
    )
    add.add_argument("--sparsity", type=_count, metavar="S", help="number of non-zeros (default: s of the file)")
    add.add_argument(
        "--lam",
        type=_positive,
        metavar="L",
        help="penalty of the Lasso |y - A w|^2 / (2 n) + L |w|_1 (default: lam of the file)",
    )
    add.add_argument(
        "--law",
        type=_law,
        metavar="NAME:SIGMA",
        help=f"law of the noise ({', '.join(LAWS)}) and its standard deviation, such as gaussian:0.1 (default: law "
        "and sigma of the file)",
    )
    add.add_argument("--no-changes", action="store_true", help="do not try changes of the matrix, the slowest part")
    add.set_defaults(command="diagnose")

    add = commands.add_parser(
        "data",
        help="list the data sets that figures need, check existing files, and download missing ones",
    )
    add.add_argument("names", nargs="*", metavar="NAME", help="mnist or cifar10 (default: both)")
    add.add_argument("--download", action="store_true", help="download missing files and verify them")
    add.set_defaults(command="data")

    add = commands.add_parser(
        "methods", help="print a table of pruning methods: one row per method, one column per axis"
    )
    add.add_argument("names", nargs="*", metavar="NAME", help="methods of the catalogue (default: all)")
    add.add_argument("--markdown", action="store_true", help="as a Markdown table")
    add.set_defaults(command="methods")

    add = commands.add_parser(
        "doctor", parents=[where], help="print versions, BLAS and its kernels, GPU and the data sets found"
    )
    add.set_defaults(command="doctor")
    for action in commands._choices_actions:  # the line of the list of commands stands in the help of each, too
        told = str(action.help)
        commands.choices[action.dest].description = f"{told[0].upper()}{told[1:]}."
    whole.commands = list(commands.choices)
    return whole


def _preset(text: str) -> str:
    if text in PRESETS:
        return text
    close = near(text, PRESETS)
    hint = f"did you mean {close[0]}? " if close else ""
    raise argparse.ArgumentTypeError(f"{text!r} is not a preset; {hint}expected one of {', '.join(PRESETS)}")


def _seed(text: str) -> int:
    return _integer(text, 0)


def _jobs(text: str) -> int:
    return _integer(text, 1)


def _evaluations(text: str) -> int:
    return _integer(text, 0)


def _count(text: str) -> int:
    return _integer(text, 1)


def _shard(text: str) -> tuple[int, int]:
    parts = text.split("/")
    if len(parts) == 2 and all(part.isdecimal() for part in parts) and 1 <= int(parts[0]) <= int(parts[1]):
        return int(parts[0]), int(parts[1])
    raise argparse.ArgumentTypeError(f"{text!r} is not understood; expected a share such as 2/5, from 1/5 to 5/5")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not understood; expected a number of seconds, at least 0")
    return value


def _positive(text: str) -> float:
    try:
        return _seconds(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not understood; expected a number, at least 0") from None


def _law(text: str) -> NoiseLaw:
    name, _, sigma = text.partition(":")
    try:
        return NoiseLaw(name, float(sigma))
    except (TypeError, ValueError):
        expected = f"expected NAME:SIGMA such as gaussian:0.1, with NAME one of {', '.join(LAWS)}"
        raise argparse.ArgumentTypeError(f"{text!r} is not understood; {expected}") from None


def _gigabytes(text: str) -> float:
    try:
        return _seconds(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not understood; expected gigabytes, at least 0") from None


def _integer(text: str, minimum: int) -> int:
    if not text.isdecimal() or int(text) < minimum:
        raise argparse.ArgumentTypeError(f"{text!r} is not understood; expected an integer of at least {minimum}")
    return int(text)
