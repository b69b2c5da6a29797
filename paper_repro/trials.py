"""Test one guarantee: draw instances until its hypotheses held often enough, then attack it."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
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
from recovery import Instance
from recovery.guarantees import Guarantee, Tally, as_code, attack, contradicts, draw, shrink

__all__ = ["DESIGNS", "Trial", "guarantees_of", "importable", "listed", "own_guarantees", "run", "unknown_name"]

DESIGNS = 3
Watch = Callable[[str, float], None]
_DRAWING = 0.5
"""Share of the progress that drawing counts for; the attack is the rest."""
_NEAR_SHARE = 10
_UNKNOWN_SHARE = 20
_CAP = 20


@dataclass(frozen=True)
class Trial:
    """What to do with one guarantee.

    Parameters
    ----------
    source : str
        Where it is listed; see :func:`guarantees_of`.
    name : str
        Its name.
    held : int
        On so many instances with x != 0 the hypotheses must hold and the conclusion be decided: at least half of them
        with two non-zeros or more, a tenth of `held` within 5 % of the boundary, over 3 designs. Hypotheses may be
        unknown on 1 instance in 20.
    instances : int
        Draw at least so many, and at most 20 times `held` or this.
    evaluations : int
        Instances that the attack tries; 0 for no attack.
    seconds : float or None
        Drawing, attacking and shrinking stop after so many, once the instance at hand is done; None for no limit.
    seed : int
        Instances belong to the seeds ``seed * 1000000``, ``seed * 1000000 + 1``, ...
    folder : str
        Where counter-examples are saved.
    own : bool
        A guarantee of the user: its instances need not have two non-zeros or come from several designs.
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
        ``"module:object"``: a function that is called without arguments, a list, or a single guarantee; or
        ``"module:function/argument"``.

    Returns
    -------
    list of Guarantee
        What is there.
    """
    return listed(source)


def listed(source: str) -> list[Any]:
    """Return what is at ``"module:object"``, or what the function there returns; see :func:`guarantees_of`."""
    module, name, arguments = _parts(source)
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if callable(found) and not isinstance(found, Guarantee):
        found = found(*arguments)
    return list(found) if isinstance(found, Iterable) and not isinstance(found, str) else [found]


def own_guarantees(source: str) -> list[Guarantee]:
    """Return the guarantees of a user, or refuse what they named in a sentence.

    Parameters
    ----------
    source : str
        ``"module:object"``; the object is a guarantee, a list of them, or a function that returns either.

    Returns
    -------
    list of Guarantee
        At least one, each with a sampler and with a name of its own.

    Raises
    ------
    UnknownName
        If there is no such module or object, its code raises, or the object is something else.
    """
    module, name, _ = _parts(source)
    if not module or not name:
        raise UnknownName(f"{source!r} is not understood; expected module:object, such as mine:BOUND")
    try:
        there = importlib.import_module(module)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and module.startswith(error.name or "\0")
        if missing:
            raise UnknownName(
                f"there is no module {module!r}, neither in {os.getcwd()} nor among what is installed; "
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
    except Exception as error:
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
    """Let modules of the current folder be imported, here and in worker processes, as long as this is entered."""
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
    """Return the type and sentence of an exception, where it was raised, and its notes."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return "\n".join([f"{type(error).__name__}{when}: {error}{place}", *getattr(error, "__notes__", [])])


def unknown_name(name: str, noun: str, known: Iterable[str], expected: str) -> UnknownName:
    """Return the error that there is no such thing, with the nearest name."""
    near = get_close_matches(name, list(known), n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return UnknownName(f"there is no {noun} {name!r}{hint}; {expected}")


def _parts(source: str) -> tuple[str, str, list[str]]:
    module, _, call = source.partition(":")
    function, _, argument = call.partition("/")
    return module, function, [argument] if argument else []


def run(trial: Trial, watch: Watch | None = None) -> dict[str, Any]:
    """Try one guarantee.

    Parameters
    ----------
    trial : Trial
        What to do.
    watch : callable, optional
        Called as ``watch(name, share)`` with the share that is done, from 0 to 1, after each instance.

    Returns
    -------
    dict
        The record of its tally and of the attack, with ``wall_s``, ``missed`` (a sentence for each quota that was not
        reached), ``error`` (a sentence if its code raised) and ``found`` (a dict for each counter-example: how,
        sentence, path, and code that makes and judges it).
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
        except Exception as problem:  # one guarantee that raises must not end the run of the others
            error = described(problem, f" {place}")
    short = [] if error else missed(tally, trial.held, own=trial.own)
    if late:
        count = f"{tally.instances} instance" + ("" if tally.instances == 1 else "s")
        short.append(f"--seconds ended the drawing after {count}, with {trial.seconds:.3g} s for it")
    extra = {"missed": short, "error": error, "found": found}
    return tally.record() | extra | {"wall_s": time.perf_counter() - started}


def _counted(guarantee: Guarantee, evaluations: int, watch: Watch) -> Guarantee:
    """Return the same guarantee, with an outcome that says how often it was asked for."""
    asked = 0

    def outcome(instance: Instance) -> Any:
        nonlocal asked
        asked += 1
        watch(guarantee.name, _DRAWING + (1.0 - _DRAWING) * min(asked / evaluations, 1.0))
        return guarantee.outcome(instance)

    return dataclasses.replace(guarantee, outcome=outcome)


class _Clock:
    """What is left of a time that the user may have set."""

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds that are left, None where there is no limit."""
        return None if self.end is None else max(self.end - time.monotonic(), 0.0)


def missed(tally: Tally, held: int, *, own: bool = False) -> list[str]:
    """Return a sentence for each quota that is not reached.

    Parameters
    ----------
    tally : Tally
        What was counted.
    held : int
        The quota of instances.
    own : bool, default False
        Do not ask for two non-zeros and several designs.

    Returns
    -------
    list of str
        Nothing for a guarantee that is proved vacuous; without a boundary none need be near to it.
    """
    near = -(-held // _NEAR_SHARE)
    names = ", ".join(sorted(tally.designs))
    quotas: Sequence[tuple[bool, str]] = (
        (tally.held < held, f"hypotheses held on {tally.held} instances with x != 0, {held} are asked for"),
        (
            tally.held >= held > tally.held - tally.undecided,
            f"the conclusion was unknown on {tally.undecided} of {tally.held} that held, decided on fewer than {held}",
        ),
        (
            _UNKNOWN_SHARE * tally.unknown > tally.instances,
            f"hypotheses were unknown on {tally.unknown} of {tally.instances} instances, 1 in {_UNKNOWN_SHARE} may be",
        ),
        (
            not own and 2 * tally.plural < tally.held,
            f"only {tally.plural} of {tally.held} that held have two non-zeros or more",
        ),
        (tally.bounded and tally.near < near, f"{tally.near} held within 5 % of the boundary, {near} are asked for"),
        (not own and len(tally.designs) < DESIGNS, f"designs that held: {names or 'none'}; {DESIGNS} are asked for"),
        (
            tally.attack is not None and tally.attack.status in ("undecided", "never held"),
            f"the attack learnt nothing: {tally.attack}",
        ),
    )
    return [] if tally.guarantee.vacuous else [sentence for short, sentence in quotas if short]


def _enough(tally: Tally, trial: Trial) -> bool:
    """Whether to stop drawing: all is reached, or it will not be."""
    drawn, cap = tally.instances, max(_CAP * trial.held, trial.instances)
    if drawn >= cap:
        return True
    if drawn < max(trial.instances, trial.held) or drawn % 16:
        return False
    if not missed(tally, trial.held, own=trial.own):
        return True
    near = -(-trial.held // _NEAR_SHARE)
    reach = cap / drawn
    hopeless = (tally.held - tally.undecided) * reach < trial.held or (tally.bounded and tally.near * reach < near)
    return hopeless and drawn >= 2 * trial.held


def _examples(tally: Tally, trial: Trial, clock: _Clock) -> list[dict[str, Any]]:
    """Write up the first instance that contradicts by itself, else the first that failed."""
    examples = tally.examples
    if not examples:
        return []
    first = next((one for one in examples if contradicts(tally.guarantee, one, 0, seconds=clock.left())), examples[0])
    return [_written_up(tally.guarantee, first, f"seed {first.options.get('seed')}", trial, clock)]


def _written_up(guarantee: Guarantee, instance: Instance, how: str, trial: Trial, clock: _Clock) -> dict[str, Any]:
    """Shrink a counter-example, save it, and say what it shows."""
    small = instance
    if contradicts(guarantee, instance, 0, seconds=clock.left()):
        small = shrink(guarantee, instance, seconds=clock.left())
    judgement = guarantee.judge(small)
    assert judgement.conclusion is not None
    folder = Path(trial.folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{guarantee.name}-{how.replace('the ', '').replace(' ', '')}.npz"
    small.save(path)
    sentence = (
        f"hypotheses: {judgement.check.status} ({judgement.check.reason}); "
        f"conclusion: {judgement.conclusion.status} ({judgement.conclusion.reason})"
    )
    code = f"{as_code(small)}\n{_judging(guarantee, trial.source)}"
    return {"how": how, "sentence": sentence, "code": code, "path": str(path)}


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
