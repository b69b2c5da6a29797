"""What a guarantee is: hypotheses that a program checks on an instance, and a conclusion it checks afterwards."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planted.checks import check_choice, check_number
from planted.values import by_value
from recovery.instances import Instance

__all__ = ["KINDS", "Guarantee", "Judgement", "Verdict", "all_of", "at_home", "check_guarantee", "exceeds"]

KINDS = ("implication", "equivalence", "probability")
ROUNDING = 1e-12
_FIELDS = frozenset(item.name for item in dataclasses.fields(Instance))


@by_value
@dataclass(frozen=True)
class Verdict:
    """The answer to a yes-or-no question, with how clear it is.

    Parameters
    ----------
    status : {"holds", "fails", "unknown"}
        Never a guess: ``unknown`` when a field is missing, the question is out of reach, or rounding decides it.
    margin : float
        How far from the boundary, relative: 0.05 for a left side 5 % larger than the right side it has to
        exceed; negative when it fails, NaN when it is not known.
    reason : str
        A sentence with the numbers.
    """

    status: str
    margin: float
    reason: str

    def __post_init__(self) -> None:
        check_choice(self.status, "status", ("holds", "fails", "unknown"))

    def __bool__(self) -> bool:
        raise TypeError(
            "a Verdict is neither true nor false; compare verdict.status with 'holds', 'fails' or 'unknown'"
        )

    @staticmethod
    def unknown(reason: str, margin: float = math.nan) -> Verdict:
        """Return the verdict ``unknown``."""
        return Verdict("unknown", margin, reason)

    @staticmethod
    def of(truth: bool, reason: str, margin: float | None = None) -> Verdict:
        """Return ``holds`` or ``fails`` for something that is decided exactly; the margin is +-inf by default."""
        default = math.inf if truth else -math.inf
        return Verdict("holds" if truth else "fails", default if margin is None else margin, reason)


def exceeds(left: float, right: float, reason: str, rounding: float = ROUNDING) -> Verdict:
    """Return whether left > right >= 0, with the margin left / right - 1.

    Parameters
    ----------
    left, right : float
        Two numbers that are not negative; infinities are welcome.
    reason : str
        What they are; the numbers are appended.
    rounding : float, default 1e-12
        Relative error of the two numbers: closer than this the verdict is ``unknown``. 0 for exact numbers.

    Returns
    -------
    Verdict
        ``unknown`` also where one of them is NaN, or both are infinite.
    """
    left, right = float(left), float(right)
    reason = f"{reason}: {left:.6g} against {right:.6g}"
    if math.isnan(left) or math.isnan(right) or left == right == math.inf:
        return Verdict.unknown(reason)
    if math.isinf(left):
        return Verdict("holds", math.inf, reason)
    if math.isinf(right):
        return Verdict("fails", -1.0, reason)
    margin = left / right - 1.0 if right > 0.0 else (math.inf if left > 0.0 else 0.0)
    if right > 0.0 and rounding > 0.0 and abs(left - right) <= rounding * max(left, right):
        return Verdict.unknown(reason + "; too close for rounding", margin)
    return Verdict("holds" if left > right else "fails", margin, reason)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the conjunction: one that fails decides, then one that is unknown; else the smallest margin counts."""
    listed = list(verdicts)
    for status in ("fails", "unknown"):
        found = [verdict for verdict in listed if verdict.status == status]
        if found:
            return min(found, key=lambda verdict: math.inf if math.isnan(verdict.margin) else verdict.margin)
    if not listed:
        return Verdict("holds", math.inf, "nothing is asked")
    return min(listed, key=lambda verdict: verdict.margin)


@by_value
@dataclass(frozen=True)
class Judgement:
    """A guarantee looked at on one instance.

    Parameters
    ----------
    check : Verdict
        Whether the hypotheses hold.
    conclusion : Verdict or None
        Whether the conclusion does; None where it was not asked for.
    violated : bool
        For an implication: held, and the conclusion fails. For an equivalence: one of them holds and
        the other fails. For a statement with a probability: held, and this draw of the noise failed,
        which is a violation only if it happens too often.
    """

    check: Verdict
    conclusion: Verdict | None
    violated: bool


@by_value
@dataclass(frozen=True, eq=False)
class Guarantee:
    """A theorem as a program.

    Parameters
    ----------
    name : str
        Short and unique, words joined by hyphens.
    kind : {"implication", "equivalence", "probability"}
        How it can be wrong; see :class:`Judgement`.
    statement : str
        The theorem in one or two sentences, in the symbols of the glossary.
    source : str
        The paper it is from, or "derived here" and where.
    evidence : str
        Proved where, tested where.
    hypotheses : callable
        Instance -> :class:`Verdict`. For an equivalence, the predicate.
    outcome : callable
        Instance -> :class:`Verdict`: runs the method and looks. Shares no code with `hypotheses`.
    needs : tuple of str
        Fields of the instance, or names of options, without which the answer is ``unknown``.
    sampler : callable, optional
        ``sampler(rng) -> Instance``: random instances on which the hypotheses are in play.
    steer : {"noise", "signal", None}
        Scaling this factor moves the margin through 0; None where nothing does.
    delta : float, optional
        For a probability: the conclusion fails with at most this probability over the noise law.
    vacuous : str, optional
        Where it is proved that the hypotheses never hold with x != 0. No such instance is asked for
        then, and one on which they do hold is a violation.

    Raises
    ------
    ValueError
        If `kind` is not known, or `delta` is missing or out of place.

    Notes
    -----
    A guarantee of a catalogue is pickled as the name of the catalogue and its own. Any other one is pickled as its
    fields, so its functions have to be found by their names: functions of a module, or ``functools.partial`` of
    such functions. Two guarantees are equal (``==``) if they are the same one of a catalogue, or if all of their
    fields are equal.
    """

    name: str
    kind: str
    statement: str
    source: str
    evidence: str
    hypotheses: Callable[[Instance], Verdict] = field(repr=False)
    outcome: Callable[[Instance], Verdict] = field(repr=False)
    needs: tuple[str, ...] = ("x", "noise")
    sampler: Callable[[np.random.Generator], Instance] | None = field(default=None, repr=False)
    steer: str | None = "noise"
    delta: float | None = None
    vacuous: str = ""

    def __post_init__(self) -> None:
        check_choice(self.kind, "kind", KINDS)
        check_choice(self.steer, "steer", ("noise", "signal", None))
        if (self.kind == "probability") != (self.delta is not None):
            raise ValueError(f"delta={self.delta} with kind={self.kind!r}; expected delta for a probability, else None")
        if self.delta is not None:
            check_number(self.delta, "delta", minimum=0.0, maximum=1.0)

    _home: str = field(init=False, repr=False, compare=False, default="")

    def _parts(self) -> tuple[Any, ...]:
        if self._home:
            return self.name, self._home
        return tuple(getattr(self, item.name) for item in dataclasses.fields(self) if item.init)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if self._home:
            return _of_catalogue, (self._home, self.name)
        return type(self), self._parts()

    def check(self, instance: Instance) -> Verdict:
        """Return whether the hypotheses hold on an instance.

        Parameters
        ----------
        instance : Instance
            The problem.

        Returns
        -------
        Verdict
            ``unknown`` when a field in :attr:`needs` is missing.
        """
        missing = self._missing(instance)
        return missing if missing is not None else self.hypotheses(instance)

    def conclusion(self, instance: Instance) -> Verdict:
        """Return whether the conclusion holds on an instance, hypotheses or not.

        Parameters
        ----------
        instance : Instance
            The problem.

        Returns
        -------
        Verdict
            ``unknown`` when a field in :attr:`needs` is missing.
        """
        missing = self._missing(instance)
        return missing if missing is not None else self.outcome(instance)

    def judge(self, instance: Instance) -> Judgement:
        """Check hypotheses and conclusion.

        Parameters
        ----------
        instance : Instance
            The problem.

        Returns
        -------
        Judgement
            Both verdicts, and whether they contradict the theorem.
        """
        check, conclusion = self.check(instance), self.conclusion(instance)
        pair = check.status, conclusion.status
        wrong = {("holds", "fails")} | ({("fails", "holds")} if self.kind == "equivalence" else set())
        return Judgement(check, conclusion, pair in wrong)

    def _missing(self, instance: Instance) -> Verdict | None:
        if not isinstance(instance, Instance):
            raise TypeError(f"instance is of type {type(instance).__name__}; expected a recovery.Instance")
        for name in self.needs:
            value: Any = getattr(instance, name) if name in _FIELDS else instance.options.get(name)
            if value is None:
                return Verdict.unknown(f"{name} is not known of this instance")
        return None


def at_home(guarantees: Iterable[Guarantee], home: str) -> list[Guarantee]:
    """Return the guarantees of a catalogue, marked so that they are pickled by name.

    Parameters
    ----------
    guarantees : iterable of Guarantee
        All with different names.
    home : str
        ``"module:function"``: the function, called without arguments, returns them.

    Returns
    -------
    list of Guarantee
        The same objects.
    """
    listed = list(guarantees)
    for guarantee in listed:
        object.__setattr__(guarantee, "_home", home)
    return listed


def _of_catalogue(home: str, name: str) -> Guarantee:
    for guarantee in _catalogue(home):
        if guarantee.name == name:
            return guarantee
    raise LookupError(f"{home} has no guarantee {name!r}; it was pickled by another version")


@functools.cache
def _catalogue(home: str) -> list[Guarantee]:
    module, _, function = home.partition(":")
    return list(getattr(importlib.import_module(module), function)())


def check_guarantee(value: Any, name: str = "guarantee") -> Guarantee:
    """Return `value` if it is a guarantee, or refuse it."""
    if not isinstance(value, Guarantee):
        raise TypeError(f"{name}={value!r} is of type {type(value).__name__}; expected a Guarantee of a catalogue")
    return value
