"""Test one guarantee: draw instances until its hypotheses have held often enough, then attack it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from paper_repro.experiment import UnknownName
from planted.base import arrays
from planted.base.markup import count
from recovery import Instance
from recovery.guarantees import Guarantee, Tally, as_code, attack, contradicts, draw, shrink

__all__ = [
    "DESIGNS",
    "Trial",
    "count",
    "file_name",
    "guarantees_of",
    "importable",
    "listed",
    "own_guarantees",
    "run",
    "unknown_name",
]

DESIGNS = 3
Watch = Callable[[str, float], None]
_DRAWING = 0.5
"""Fraction of the progress bar for drawing; the rest is for the attack."""
_NEAR_SHARE = _PLURAL_SHARE = 10
_SEVERAL_SHARE = 20
_UNKNOWN_SHARE = 20
_CAP = 20


@dataclass(frozen=True)
class Trial:
    """Settings for the test of one guarantee.

    Parameters
    ----------
    source : str
        Where it is listed; see :func:`guarantees_of`.
    name : str
        Its name.
    held : int
        Number of instances with x != 0 on which the hypotheses must hold and the conclusion be decided: at least half
        of them with two or more non-zeros, a tenth within 5 % of the boundary, over at least 3 designs. Hypotheses may
        be unknown on 1 instance in 20.
    instances : int
        Smallest number of instances to draw; at most 20 times this or 20 times `held` are drawn.
    evaluations : int
        Number of instances that the attack tries; 0 for no attack.
    seconds : float or None
        Time limit for drawing, attacking and shrinking, which finish their current instance; None for no limit.
    seed : int
        Instances are drawn with the seeds ``seed * 1000000``, ``seed * 1000000 + 1``, ...
    folder : str
        Where counter-examples are saved.
    own : bool
        A guarantee of the user: its instances need not be near the boundary, or come from several designs. If one in 20
        of them has two non-zeros or more, so must one in 10 of `held`. Drawing goes on until that is reached, or cannot
        be.
    """

    source: str
    name: str
    held: int
    instances: int
    evaluations: int
    seconds: float | None
    seed: int
    folder: str
    own: bool = False


def guarantees_of(source: str) -> list[Guarantee]:
    """Return the guarantees at a place.

    Parameters
    ----------
    source : str
        ``"module:object"``: a function without arguments, a list, or a single guarantee; or
        ``"module:function/argument"``.

    Returns
    -------
    list of Guarantee
        The guarantees found there.
    """
    return listed(source)


def listed(source: str) -> list[Any]:
    """Return the object at ``"module:object"``, or the return value if it is a function; see :func:`guarantees_of`."""
    module, name, arguments = _parts(source)
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if callable(found) and not isinstance(found, Guarantee):
        found = found(*arguments)
    return list(found) if isinstance(found, Iterable) and not isinstance(found, str) else [found]


def own_guarantees(source: str) -> list[Guarantee]:
    """Return a user's own guarantees, or raise an error that says what is wrong with the given name.

    Parameters
    ----------
    source : str
        ``"module:object"``; the object is a guarantee, a list of them, or a function that returns either.

    Returns
    -------
    list of Guarantee
        At least one, each with a sampler and a unique name.

    Raises
    ------
    UnknownName
        If there is no such module or object, its code raises, or the object is something else.
    """
    module, name, _ = _parts(source)
    if not module or not name:
        raise UnknownName(f"{source!r} is not understood; expected module:object, such as mine:BOUND")
    if module.endswith(".py") or not all(part.isidentifier() for part in module.split(".")):
        meant = Path(module.replace("\\", "/")).name.removesuffix(".py")
        hint = f"did you mean {meant}:{name}, in the folder of {meant}.py? " if meant.isidentifier() else ""
        raise UnknownName(f"{module!r} is no name of a module; {hint}expected module:object, such as mine:BOUND")
    try:
        there = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a script without a guard may end the process
        missing = isinstance(error, ModuleNotFoundError) and module.startswith(error.name or "\0")
        if missing:
            raise UnknownName(
                f"there is no module {module!r}, neither in {os.getcwd()} nor installed; "
                "expected module:object, such as mine:BOUND for BOUND of mine.py"
            ) from None
        raise UnknownName(f"importing {module} failed: {described(error)}") from error
    try:
        found = listed(source)
    except AttributeError as error:
        if hasattr(there, name.partition(".")[0]):
            raise UnknownName(f"{source} raised {described(error)}") from error
        public = [one for one in vars(there) if not one.startswith("_")]
        guarantees = [one for one in public if isinstance(getattr(there, one), Guarantee)]
        listed_there = ", ".join(guarantees) or "none"
        raise unknown_name(name, f"object in {module}:", public, f"guarantees there: {listed_there}") from None
    except (Exception, SystemExit) as error:
        raise UnknownName(f"{source} raised {described(error)}") from error
    wrong = next((one for one in found if not isinstance(one, Guarantee)), None)
    if wrong is not None or not found:
        what = f"gives an object of type {type(wrong).__name__}" if found else "gives nothing"
        raise UnknownName(f"{source} {what}; expected a Guarantee, a list of them, or a function that returns either")
    for one in found:
        if one.sampler is None:
            raise UnknownName(
                f"guarantee {one.name!r} of {source} has no sampler; expected sampler=, a function of a random "
                "generator that draws instances"
            )
        if sum(one.name == other.name for other in found) > 1:
            raise UnknownName(f"{source} has two guarantees {one.name!r}; expected different names")
    return found


@contextlib.contextmanager
def importable() -> Iterator[None]:
    """Allow modules of the current folder to be imported, here and in worker processes, within the context."""
    here = os.getcwd()
    if here in sys.path:
        yield
        return
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def described(error: BaseException, when: str = "") -> str:
    """Return the type and message of an exception, where it was raised, and its notes."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return "\n".join([f"{type(error).__name__}{when}: {error}{place}", *getattr(error, "__notes__", [])])


def unknown_name(name: str, noun: str, known: Iterable[str], expected: str) -> UnknownName:
    """Return the error for an unknown name, with the nearest known name."""
    near = get_close_matches(name, list(known), n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return UnknownName(f"there is no {noun} {name!r}{hint}; {expected}")


def _parts(source: str) -> tuple[str, str, list[str]]:
    module, _, call = source.partition(":")
    function, _, argument = call.partition("/")
    return module, function, [argument] if argument else []


def run(trial: Trial, watch: Watch | None = None) -> dict[str, Any]:
    """Test one guarantee.

    Parameters
    ----------
    trial : Trial
        The settings.
    watch : callable, optional
        Called as ``watch(name, share)`` after each instance, with the fraction done, from 0 to 1.

    Returns
    -------
    dict
        The record of its tally and of the attack, with ``wall_s``, ``missed`` (a message for each quota that was not
        reached), ``error`` (a message if its code raised an error) and ``found`` (a dict for each counter-example: how,
        sentence, path, and code that creates and judges it).
    """
    started = time.perf_counter()
    clock = _Clock(trial.seconds)
    guarantee = next(one for one in guarantees_of(trial.source) if one.name == trial.name)
    tally = Tally(guarantee)
    found: list[dict[str, Any]] = []
    error, seed, place, late = "", trial.seed * 1_000_000, "", False
    with np.errstate(all="ignore"):  # of single instances among thousands
        try:
            while not _enough(tally, trial):
                late = clock.left() == 0.0
                if late:
                    break
                place = f"at seed {seed}"
                tally.add(draw(guarantee, seed))
                seed += 1
                if watch is not None:
                    watch(trial.name, _DRAWING * min(tally.held / trial.held, 1.0))
            place = "in the attack"
            if tally.violations:
                found += _examples(tally, trial, clock)
            if trial.evaluations and not guarantee.vacuous:
                rng = int(arrays.seed_sequence("attack", guarantee.name, trial.seed).generate_state(1)[0])
                attacked = guarantee if watch is None else _counted(guarantee, trial.evaluations, watch)
                tally.attack = attack(attacked, evaluations=trial.evaluations, seconds=clock.left(), rng=rng)
                if tally.attack.instance is not None:
                    found.append(_written_up(guarantee, tally.attack.instance, "the attack", trial, clock))
                    if trial.seconds is None:
                        again = f"attack(guarantee, evaluations={trial.evaluations}, rng={rng})"
                        found[-1]["sentence"] += f"\n{again} finds it again, before it is shrunk"
        # one guarantee that raises, or calls sys.exit, must not end the run of the others
        except (Exception, SystemExit) as problem:
            error = described(problem, f" {place}")
    short = [] if error else missed(tally, trial.held, own=trial.own)
    if late:
        drawn = count(tally.instances, "instance")
        short.append(f"--seconds ended the drawing after {drawn}, with a share of {trial.seconds:.3g} s")
    extra = {"missed": short, "error": error, "found": found}
    return tally.record() | extra | {"wall_s": time.perf_counter() - started}


def _counted(guarantee: Guarantee, evaluations: int, watch: Watch) -> Guarantee:
    """Return the same guarantee, with an outcome that counts its calls."""
    asked = 0

    def outcome(instance: Instance) -> Any:
        nonlocal asked
        asked += 1
        watch(guarantee.name, _DRAWING + (1.0 - _DRAWING) * min(asked / evaluations, 1.0))
        return guarantee.outcome(instance)

    return dataclasses.replace(guarantee, outcome=outcome)


class _Clock:
    """The remaining time of an optional limit."""

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Return the remaining seconds, or None without a limit."""
        return None if self.end is None else max(self.end - time.monotonic(), 0.0)


def missed(tally: Tally, held: int, *, own: bool = False) -> list[str]:
    """Return a message for each quota that is not reached.

    Parameters
    ----------
    tally : Tally
        The counts.
    held : int
        The quota of instances.
    own : bool, default False
        Do not require several designs and instances near the boundary; and two non-zeros in one of 10 instances only,
        if the sampler draws such instances at all.

    Returns
    -------
    list of str
        Empty for a guarantee that is proved vacuous; without a boundary no instance needs to be near it.
    """
    near = -(-held // _NEAR_SHARE)
    names = ", ".join(sorted(tally.designs))
    quotas: Sequence[tuple[bool, str]] = (
        (
            tally.held < held,
            f"hypotheses held on {tally.held} instances with x != 0; {held} are required"
            + (
                f"; {tally.instances} were drawn. Ask for fewer with --held, or make the sampler hit the hypotheses "
                "more often" * own
            ),
        ),
        (
            tally.held >= held > tally.held - tally.undecided,
            f"of {tally.held} instances on which the hypotheses held, the conclusion was unknown on "
            f"{tally.undecided}; it has to be decided on {held}",
        ),
        (
            _UNKNOWN_SHARE * tally.unknown > tally.instances,
            f"hypotheses were unknown on {tally.unknown} of {tally.instances} instances; at most 1 in "
            f"{_UNKNOWN_SHARE} may be",
        ),
        (
            not own and 2 * tally.plural < tally.held,
            f"only {tally.plural} of {tally.held} instances on which the hypotheses held have two non-zeros or more",
        ),
        (
            own and _draws_several(tally) and tally.plural < -(-held // _PLURAL_SHARE),
            f"two non-zeros or more were tested too seldom: {tally.several} of {tally.instances} instances have them, "
            f"but the hypotheses held on {tally.plural} of these; {-(-held // _PLURAL_SHARE)} are required. For one "
            "non-zero many statements are trivial. Make the sampler draw more instances with two or more on which the "
            "hypotheses hold, or, if the statement is about one non-zero, only one",
        ),
        (
            not own and tally.bounded and tally.near < near,
            f"hypotheses held on {tally.near} instances within 5 % of the boundary; {near} are required",
        ),
        (
            not own and len(tally.designs) < DESIGNS,
            f"hypotheses held on these designs: {names or 'none'}; {DESIGNS} are required",
        ),
        (
            tally.attack is not None and tally.attack.status in ("undecided", "never held"),
            f"the attack tested nothing. {tally.attack}",
        ),
    )
    return [] if tally.guarantee.vacuous else [sentence for short, sentence in quotas if short]


def _draws_several(tally: Tally) -> bool:
    """Whether the sampler draws two non-zeros or more, not only by exception."""
    return _SEVERAL_SHARE * tally.several >= tally.instances > 0


def _enough(tally: Tally, trial: Trial) -> bool:
    """Return whether to stop drawing: all quotas are reached, or cannot be reached."""
    drawn, cap = tally.instances, max(_CAP * trial.held, trial.instances)
    if drawn >= cap:
        return True
    if drawn < max(trial.instances, trial.held) or drawn % 16:
        return False
    if not missed(tally, trial.held, own=trial.own):
        return True
    near = -(-trial.held // _NEAR_SHARE)
    reach = cap / drawn
    hopeless = (tally.held - tally.undecided) * reach < trial.held
    hopeless |= not trial.own and tally.bounded and tally.near * reach < near
    hopeless |= trial.own and _draws_several(tally) and tally.plural * reach < -(-trial.held // _PLURAL_SHARE)
    return hopeless and drawn >= 2 * trial.held


def _examples(tally: Tally, trial: Trial, clock: _Clock) -> list[dict[str, Any]]:
    """Write up the first instance that is a contradiction by itself, otherwise the first that failed."""
    examples = tally.examples
    if not examples:
        return []
    first = next((one for one in examples if contradicts(tally.guarantee, one, 0, seconds=clock.left())), examples[0])
    return [_written_up(tally.guarantee, first, f"seed {first.options.get('seed')}", trial, clock)]


def _written_up(guarantee: Guarantee, instance: Instance, how: str, trial: Trial, clock: _Clock) -> dict[str, Any]:
    """Shrink a counter-example, save it, and describe it."""
    small = instance
    if contradicts(guarantee, instance, 0, seconds=clock.left()):
        small = shrink(guarantee, instance, seconds=clock.left())
    judgement = guarantee.judge(small)
    assert judgement.conclusion is not None
    folder = Path(trial.folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_stem(guarantee, how, trial)}.npz"
    small.save(path)
    sentence = (
        f"hypotheses: {judgement.check.status} ({judgement.check.reason}); "
        f"conclusion: {judgement.conclusion.status} ({judgement.conclusion.reason})"
    )
    code = f"{as_code(small)}\n{_judging(guarantee, trial.source)}"
    return {"how": how, "sentence": sentence, "code": code, "path": str(path)}


def file_name(name: str) -> str:
    """Return a part of a file name for a guarantee: its name, or a safe one, told from others by a hash."""
    safe = re.sub(r"[^\w.-]", "-", name)[:60].lstrip(".")
    return name if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:9]}"


def _stem(guarantee: Guarantee, how: str, trial: Trial) -> str:
    """Return the name of a file, with source and seed: guarantees of two modules may have one name."""
    name = f"{trial.source.replace(':', '-')}-{guarantee.name}" if trial.own else guarantee.name
    place = "attack" if how == "the attack" else how.replace(" ", "")
    seed = f"-seed{trial.seed}" if place == "attack" and trial.seed else ""
    return f"{file_name(name)}-{place}{seed}"


def _judging(guarantee: Guarantee, source: str) -> str:
    """Return code that judges `instance`; for a probability on fresh draws, since one draw shows nothing."""
    module, name, arguments = _parts(source)
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    given = f"({', '.join(map(repr, arguments))})" if callable(found) and not isinstance(found, Guarantee) else ""
    single = isinstance(found, Guarantee) or (given and isinstance(found(*arguments), Guarantee))
    lines = [
        f"from {module} import {name.partition('.')[0]}",
        "from recovery.guarantees import contradicts",
        "",
        f"guarantee = {name}{given}"
        if single
        else f"guarantee = next(one for one in {name}{given} if one.name == {guarantee.name!r})",
        "print(guarantee.judge(instance))",
        "print(contradicts(guarantee, instance, 0))",
    ]
    return "\n".join(lines)
