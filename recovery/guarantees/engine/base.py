"""Guarantees as programs, which check the hypotheses on an instance, and then the conclusion."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import math
import os
import reprlib
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np

from planted.base.checks import check_choice, check_number
from planted.base.markup import card
from planted.base.values import by_value
from recovery.exact.bounded import Bounded, number
from recovery.exact.intervals import Interval, down, up, written
from recovery.guarantees.engine.code import as_code
from recovery.guarantees.engine.instance import SCALES, Instance, in_range

__all__ = [
    "KINDS",
    "BadGuarantee",
    "Guarantee",
    "Judgement",
    "Verdict",
    "all_of",
    "at_home",
    "check_guarantee",
    "exceeds",
    "origin",
    "vanishes",
]

KINDS = ("implication", "equivalence", "probability")
ROUNDING = 1e-12
_LONGEST_NAME = 100
"""Names stand in tables and in names of files."""
_FIELDS = frozenset(item.name for item in dataclasses.fields(Instance))


@by_value
@dataclass(frozen=True)
class Verdict:
    """The answer to a yes-or-no question, with a margin.

    Parameters
    ----------
    status : {"holds", "fails", "unknown"}
        The answer, never a guess: ``unknown`` if a field is missing, the computation is too large, or rounding decides.
    margin : float
        Relative distance from the boundary: 0.05 for a left side 5 % larger than the right side that it has to exceed;
        negative for ``fails``, NaN if unknown.
    reason : str
        A message with the numbers.

    Raises
    ------
    ValueError
        If the status is not one of the three.
    TypeError
        If the margin is not a number, or the reason not a string.
    """

    status: str
    margin: float
    reason: str

    def __post_init__(self) -> None:
        check_choice(self.status, "status", ("holds", "fails", "unknown"))
        if not isinstance(self.margin, Real) or isinstance(self.margin, bool):
            raise TypeError(
                f"margin={self.margin!r} is of type {type(self.margin).__name__}; expected a number: the relative "
                "distance from the boundary, math.inf for an exact decision, math.nan if it is not known"
            )
        if not isinstance(self.reason, str):
            raise TypeError(f"reason={self.reason!r} is of type {type(self.reason).__name__}; expected a sentence")

    def _repr_html_(self) -> str:
        return card(f"Verdict: {self.status}", [("margin", self.margin), ("reason", self.reason)])

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
        """Return ``holds`` or ``fails`` for an exact decision; the margin is +-inf by default.

        Parameters
        ----------
        truth : bool
            The decision.
        reason : str
            A message.
        margin : float, optional
            How far from the boundary: at least 0 if true, at most 0 if false. Without a finite margin of the conclusion
            an attack does not see how near it came, and can only search at random; :func:`exceeds` returns one.

        Returns
        -------
        Verdict
            Never ``unknown``.

        Raises
        ------
        ValueError
            If the sign of the margin contradicts `truth`.
        """
        if not isinstance(truth, (bool, np.bool_)):
            raise TypeError(f"truth={truth!r} is of type {type(truth).__name__}; expected True or False")
        if margin is not None and (margin < 0.0 if truth else margin > 0.0):
            expected = "at least 0 for True, at most 0 for False"
            raise ValueError(f"margin={margin!r} does not fit truth={bool(truth)}; expected {expected}")
        default = math.inf if truth else -math.inf
        return Verdict("holds" if truth else "fails", default if margin is None else margin, reason)


def exceeds(
    left: Any,
    right: Any,
    reason: str,
    rounding: float = ROUNDING,
    *,
    left_error: float | None = None,
    right_error: float | None = None,
) -> Verdict:
    """Return whether left > right, for numbers with known errors; all guarantees use this comparison.

    Parameters
    ----------
    left, right : Bounded, Interval, int, Fraction or float
        Two numbers. The right side should not be negative, since the margin is relative to it; of a negative one only
        the status means something. A :class:`~recovery.guarantees.Bounded` carries its error, an int or Fraction is
        exact, and a float has the stated error.
    reason : str
        What is compared, best as a claim: "the limit exceeds the coherence". The numbers and the outcome are appended:
        ": 0.5 > 0.3 holds".
    rounding : float, default 1e-12
        Relative error of two floats without a stated error. It does not apply to a comparison with 0, whose verdict is
        ``unknown``, unless `rounding` is 0, for exact numbers.
    left_error, right_error : float, optional
        Bound of the absolute error of a side that is a float.

    Returns
    -------
    Verdict
        ``holds`` or ``fails`` only if this is true for all numbers within the errors; ``unknown`` also if a side is NaN
        or outside the range of float64, or both are infinite. The margin is left / right - 1. It is infinite only if
        the right side is exactly 0, or the left side infinite by definition; for a right side of 0 with error e it is
        left / e - 1.

    Raises
    ------
    TypeError
        If one side is a Bounded and the other a float without an error: use :func:`~recovery.guarantees.constant` for a
        constant of a theorem, and :class:`~recovery.guarantees.Bounded` for computed values.

    Notes
    -----
    An :class:`~recovery.conditions.Interval`, such as :mod:`recovery.conditions` returns, is compared by its ends: the
    comparison holds or fails if it does so for all numbers of the interval, whether or not the ends are proved. The
    margin belongs to the ends that decide. A float on the other side is taken as exact up to `rounding`.

    Examples
    --------
    >>> import numpy as np
    >>> from recovery.conditions import restricted_eigenvalues
    >>> from recovery.guarantees import exceeds
    >>> delta = restricted_eigenvalues(np.eye(3), 2).restricted_isometry
    >>> exceeds(1, delta, "1 exceeds delta_2").status
    'holds'
    """
    if isinstance(left, Interval) or isinstance(right, Interval):
        return _by_ends(_ends(left, rounding, left_error), _ends(right, rounding, right_error), reason)
    for side, value in (("left", left), ("right", right)):
        if not isinstance(value, (Real, Bounded)) and (value is None or isinstance(value, str) or np.ndim(value)):
            kind = type(value).__name__
            raise TypeError(f"{side}={value!r} is of type {kind}; expected a number: a Bounded, an int or a float")
    if isinstance(left, (int, Fraction)) and isinstance(right, (int, Fraction)):
        margin = float(Fraction(left) / Fraction(right) - 1) if right > 0 else math.inf if left > right else 0.0
        outcome = "holds" if left > right else "does not hold"
        return Verdict(
            "holds" if left > right else "fails", margin, _compared_text(reason, str(left), str(right), outcome)
        )
    first, second = _side(left, left_error, "left"), _side(right, right_error, "right")
    if first is None or second is None:
        if isinstance(left, Bounded) or isinstance(right, Bounded):
            side = "left" if first is None else "right"
            raise TypeError(
                f"the error of the {side} side is not stated; expected a Bounded, constant(...) or {side}_error"
            )
        return _unstated(left, right, reason, rounding, first, second)
    return _compared(first, second, reason)


def _side(value: Any, error: float | None, name: str) -> Bounded | None:
    """Return a side with its error, or None if no error is stated."""
    if error is not None:
        if isinstance(value, Bounded):
            raise TypeError(f"{name} is a Bounded, which carries its error; expected {name}_error=None")
        return Bounded(float(value), check_number(error, f"{name}_error", minimum=0.0))
    if isinstance(value, (Bounded, int, Fraction)) and not isinstance(value, bool):
        return number(value)
    return None


def _unstated(
    left: Any, right: Any, reason: str, rounding: float, first: Bounded | None, second: Bounded | None
) -> Verdict:
    """Compare floats with only a known relative error."""
    a, b = float(left), float(right)
    error = 0.5 * rounding * max(abs(a), abs(b))
    if math.isinf(error):  # an infinite error means no bound
        first, second = Bounded(a, 0.0), Bounded(b, 0.0)
    first = Bounded(a, error) if first is None else first
    second = Bounded(b, error) if second is None else second
    if rounding > 0.0 and b == 0.0 and math.isfinite(error):
        doubt = "is not decided, because a number that is compared with 0 needs a stated error"
        return Verdict.unknown(_compared_text(reason, f"{a:.6g}", f"{b:.6g}", doubt))
    return _compared(first, second, reason)


def _ends(value: Any, rounding: float, error: float | None) -> Interval:
    """Return the interval in which a side lies."""
    if isinstance(value, Interval):
        return value
    if isinstance(value, Bounded):
        middle, error = float(value.value), float(value.error)
    elif isinstance(value, (int, Fraction)) and not isinstance(value, bool):
        exact: Any = value  # rounded outward
        return Interval(exact, exact)
    else:
        middle = float(value)
        error = rounding * abs(middle) if error is None else error
    if math.isnan(middle) or math.isnan(error):
        return Interval(-math.inf, math.inf)
    if math.isinf(middle) or error == 0.0:
        return Interval(middle, middle)
    return Interval(down(middle - error), up(middle + error))


def _by_ends(left: Interval, right: Interval, reason: str) -> Verdict:
    ends = [(written(one.lower, False), written(one.upper, True)) for one in (left, right)]
    a, b = (low if low == high else f"[{low}, {high}]" for low, high in ends)
    if left.lower > right.upper:
        return Verdict("holds", _margin(left.lower, right.upper), _compared_text(reason, a, b, "holds"))
    if left.upper <= right.lower and left.upper < math.inf:
        margin = min(_margin(left.upper, right.lower), 0.0)
        return Verdict("fails", margin, _compared_text(reason, a, b, "does not hold"))
    return Verdict.unknown(_compared_text(reason, a, b, "is not decided by these bounds"))


def _margin(left: float, right: float) -> float:
    if right > 0.0 and math.isfinite(right):
        return max(left / right - 1.0, -1.0)
    return -1.0 if right > 0.0 else math.inf if left > right else 0.0


def _compared(left: Bounded, right: Bounded, reason: str) -> Verdict:
    a, b = float(left.value), float(right.value)

    def text(outcome: str, digits: int = 6) -> str:
        return _compared_text(reason, f"{a:.{digits}g}", f"{b:.{digits}g}", outcome)

    if math.isnan(a) or math.isnan(b) or a == b == math.inf:
        return Verdict.unknown(text("cannot be decided"))
    if math.isinf(left.error) or math.isinf(right.error):
        return Verdict.unknown(text("is not decided, because the rounding error has no bound"))
    if math.isinf(a) or math.isinf(b):
        return Verdict("holds", math.inf, text("holds")) if a > b else Verdict("fails", -1.0, text("does not hold"))
    size = b if b > 0.0 else float(right.error)
    margin = max(a / size - 1.0, -1.0) if size > 0.0 else (math.inf if a > 0.0 else -1.0 if a < 0.0 else 0.0)
    exact = left.error == 0.0 == right.error
    if a - b > left.error + right.error or (exact and a > b):
        return Verdict("holds", margin, text("holds", _digits(a, b)))
    if b - a > left.error + right.error or (exact and a <= b):
        return Verdict("fails", margin, text("does not hold", _digits(a, b)))
    finite = margin if math.isfinite(margin) else 0.0
    doubt = f"is not decided, because the rounding error may be {left.error + right.error:.3g}"
    return Verdict.unknown(text(doubt), finite)


def _compared_text(reason: str, left: str, right: str, outcome: str) -> str:
    """Return the description of two sides, their numbers, and what follows."""
    return f"{reason}: {left} > {right} {outcome}"


def _digits(a: float, b: float) -> int:
    """Return how many digits show that two numbers differ, at least 6."""
    return next((digits for digits in (6, 9, 12) if a == b or f"{a:.{digits}g}" != f"{b:.{digits}g}"), 17)


def vanishes(value: Any, reason: str) -> Verdict:
    """Return whether a number, or each entry of an array, is 0: ``holds`` only if all are exactly 0.

    Parameters
    ----------
    value : Bounded, int or Fraction
        The computed value.
    reason : str
        Description of the value.

    Returns
    -------
    Verdict
        ``fails`` if an entry is larger than its error, ``unknown`` if rounding could have caused it.
    """
    found = number(value)
    size, error = np.abs(np.atleast_1d(found.value)), np.atleast_1d(found.error)
    worst = f"{reason}: at most {float(np.max(size, initial=0.0)):.3g}"
    if np.any(size > error):
        return Verdict("fails", -1.0, worst)
    return Verdict.of(True, worst) if not np.any(error) else Verdict.unknown(worst + ", which may be rounding error")


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the conjunction: the first that fails decides, then one that is unknown, then the smallest margin."""
    listed = list(verdicts)
    for one in listed:
        if not isinstance(one, Verdict):
            raise TypeError(f"verdicts has {one!r}, of type {type(one).__name__}; expected only Verdicts")
    for status in ("fails", "unknown"):
        found = [verdict for verdict in listed if verdict.status == status]
        if found:
            return min(found, key=lambda verdict: math.inf if math.isnan(verdict.margin) else verdict.margin)
    if not listed:
        return Verdict("holds", math.inf, "nothing is required")
    return min(listed, key=lambda verdict: verdict.margin)


class BadGuarantee(ValueError):
    """The parts of a guarantee do not fit together; the message explains why."""


@by_value
@dataclass(frozen=True)
class Judgement:
    """The result of checking a guarantee on one instance.

    Parameters
    ----------
    check : Verdict
        Whether the hypotheses hold.
    conclusion : Verdict or None
        Whether the conclusion holds; None if it was not requested.
    violated : bool
        For an implication: the hypotheses hold and the conclusion fails. For an equivalence: one of them holds and the
        other fails. For a probability: the hypotheses hold and the conclusion fails for this draw of the noise, which
        is a violation only if it happens too often.
    """

    check: Verdict
    conclusion: Verdict | None
    violated: bool


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class Guarantee:
    """A theorem as a program.

    Parameters
    ----------
    name : str
        Short and unique name, words joined by hyphens.
    kind : {"implication", "equivalence", "probability"}
        The logical form; :class:`Judgement` says what contradicts each.
    statement : str
        The theorem in one or two sentences, in the symbols of the glossary.
    source : str
        The paper, or "derived here" and where.
    evidence : str
        Where it is proved and where it is tested.
    hypotheses : callable
        Instance -> :class:`Verdict`. For an equivalence, the predicate.
    outcome : callable
        Instance -> :class:`Verdict`: runs the method and checks the result. Shares no code with `hypotheses`.
    needs : tuple of str
        Fields of the instance, or names of options, without which the verdict is ``unknown``. The instances of
        `sampler` must have these options.
    sampler : callable, optional
        ``sampler(rng) -> Instance``: random instances on which the hypotheses are not trivial.
    steer : {"noise", "signal", None}
        Scaling this part moves the margin through 0; None if neither does.
    delta : float, optional
        For a probability: the conclusion fails with at most this probability over the noise law.
    vacuous : str, optional
        Where it is proved that the hypotheses never hold with x != 0. No such instance is then required, and one on
        which they do hold is a violation.
    scales : tuple of {"data", "matrix", "columns"}, default ()
        Parts that may be multiplied by a power of two without changing the truth of hypotheses and conclusion:
        ``"data"``, y with x, the noise, its law and x0; ``"matrix"``, A, with x divided by it; ``"columns"``, any
        column of A, with its entry of x divided by it. Instances with numbers far from 1 are rescaled in this way
        before they are checked (with the options lam, tau, t and step in their units), so that nothing leaves the range
        of float64.

    Raises
    ------
    ValueError
        If `kind` is unknown, `delta` is missing or unexpected, or `needs` has a misspelt field.
    TypeError
        If a function cannot be called, or a name or text is not a string.

    Notes
    -----
    A guarantee of a catalogue is pickled by the names of the catalogue and the guarantee. Any other is pickled by its
    fields, so its functions must be importable by name: functions of a module, or ``functools.partial`` of such
    functions. Two guarantees are equal (``==``) if they are the same guarantee of a catalogue, or if all their fields
    are equal.
    """

    name: str
    kind: str
    statement: str
    source: str
    evidence: str
    hypotheses: Callable[[Instance], Verdict]
    outcome: Callable[[Instance], Verdict]
    needs: tuple[str, ...] = ("x", "noise")
    sampler: Callable[[np.random.Generator], Instance] | None = None
    steer: str | None = "noise"
    delta: float | None = None
    vacuous: str = ""
    scales: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for item in ("name", "statement", "source", "evidence", "vacuous"):
            if not isinstance(getattr(self, item), str):
                raise TypeError(f"{item}={getattr(self, item)!r} is not a string; expected a string")
        if not self.name.strip():
            raise ValueError(f"name={self.name!r} is empty; expected a short name with words joined by hyphens")
        if not self.name.isprintable() or len(self.name) > _LONGEST_NAME:
            raise ValueError(
                f"name={reprlib.repr(self.name)} has {len(self.name)} characters on {len(self.name.splitlines())} "
                f"line(s); expected a short name, at most {_LONGEST_NAME} printable characters"
            )
        for item in ("hypotheses", "outcome", "sampler"):
            value = getattr(self, item)
            if not callable(value) and not (item == "sampler" and value is None):
                takes = "a function of a numpy.random.Generator" if item == "sampler" else "a function of an Instance"
                raise TypeError(f"{item}={value!r} is of type {type(value).__name__}; expected {takes}")
        for item in ("needs", "scales"):
            value = getattr(self, item)
            if isinstance(value, str) or not all(isinstance(one, str) for one in value):
                raise TypeError(f"{item}={value!r} is not a tuple of strings; expected a tuple such as ('x', 'noise')")
            object.__setattr__(self, item, tuple(value))
        for name in self.needs:
            near = "" if name in _FIELDS else _misspelt(name)
            if near:
                raise ValueError(f"needs has {name!r}, which is not a field of an Instance; did you mean {near!r}?")
        check_choice(self.kind, "kind", KINDS)
        for scale in self.scales:
            check_choice(scale, "scales", SCALES)
        check_choice(self.steer, "steer", ("noise", "signal", None))
        if (self.kind == "probability") != (self.delta is not None):
            raise ValueError(
                f"delta={self.delta} with kind={self.kind!r}; expected a delta for a probability, None for any other "
                "kind"
            )
        if self.delta is not None:
            check_number(self.delta, "delta", minimum=0.0, maximum=1.0)

    def __repr__(self) -> str:
        listed = (item.name for item in dataclasses.fields(self) if item.init)
        values = [(name, getattr(self, name)) for name in listed]
        shown = [f"{name}={_function_name(value) if callable(value) else repr(value)}" for name, value in values]
        return f"Guarantee({', '.join(shown)})"

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
            ``unknown`` if a field in :attr:`needs` is missing, or the range of the numbers exceeds that of float64.
        """
        return self._asked(self.hypotheses, "hypotheses", instance)

    def conclusion(self, instance: Instance) -> Verdict:
        """Return whether the conclusion holds on an instance, whether or not the hypotheses do.

        Parameters
        ----------
        instance : Instance
            The problem.

        Returns
        -------
        Verdict
            ``unknown`` if a field in :attr:`needs` is missing, or the range of the numbers exceeds that of float64.
        """
        return self._asked(self.outcome, "outcome", instance)

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

    def drawn(self, rng: np.random.Generator) -> Instance:
        """Return an instance from the sampler.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Instance
            The sampled instance.

        Raises
        ------
        TypeError
            If the sampler returns something else.
        ValueError
            If there is no sampler, or its instance lacks an option in :attr:`needs`.
        """
        if self.sampler is None:
            raise ValueError(f"guarantee={self.name!r} has no sampler; expected a guarantee that can draw instances")
        try:
            found = self.sampler(rng)
        except (Exception, SystemExit) as error:
            error.add_note(f"raised by the sampler of guarantee {self.name!r}")
            raise
        if not isinstance(found, Instance):
            raise TypeError(
                f"the sampler of guarantee {self.name!r} returned {_shown(found)}; expected a recovery.Instance"
            )
        for name in self.needs:
            if name not in _FIELDS and name not in found.options:
                listed = ", ".join(found.options) or "none"
                raise BadGuarantee(
                    f"needs of guarantee {self.name!r} has {name!r}, which is neither a field of an Instance nor an "
                    f"option of the instances that its sampler draws (their options: {listed}); expected one of these"
                )
        return found

    def _asked(self, rule: Callable[[Instance], Verdict], what: str, instance: Instance) -> Verdict:
        missing = self._missing(instance)
        if missing is not None:
            return missing
        ready = in_range(instance, self.scales)
        if isinstance(ready, str):
            return Verdict.unknown(ready)
        # overflow gives inf or NaN, for which every comparison returns unknown
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            try:
                found = rule(ready)
            except (Exception, SystemExit) as error:
                error.add_note(f"raised by the {what} of guarantee {self.name!r} on {_described(instance)}")
                raise
        if not isinstance(found, Verdict):
            hint = "is a return statement missing? " if found is None else ""
            if isinstance(found, (bool, np.bool_)):
                hint = "Verdict.of(truth, reason) turns a bool into one, without a margin for the search; "
            raise TypeError(
                f"the {what} of guarantee {self.name!r} returned {_shown(found)}{_seed(instance)}; {hint}expected a "
                "recovery.guarantees.Verdict, such as exceeds(left, right, reason) returns"
            )
        return found

    def _missing(self, instance: Instance) -> Verdict | None:
        if not isinstance(instance, Instance):
            raise TypeError(f"instance is of type {type(instance).__name__}; expected a recovery.Instance")
        for name in self.needs:
            value: Any = getattr(instance, name) if name in _FIELDS else instance.options.get(name)
            if value is None:
                known = name in _FIELDS or name in instance.options
                listed = f"; it is not a field, and the options are {', '.join(instance.options) or 'none'}"
                return Verdict.unknown(f"{name} is not given for this instance" + ("" if known else listed))
        return None


def origin(error: BaseException) -> tuple[str, str]:
    """Return which part of a guarantee raised an error, and the line of its file, such as ``mine.py:12``.

    Parameters
    ----------
    error : BaseException
        Raised while a guarantee was asked.

    Returns
    -------
    tuple of str
        ``"sampler"``, ``"hypotheses"`` or ``"outcome"``, and the place; empty if unknown.
    """
    notes = [note for note in getattr(error, "__notes__", []) if note.startswith("raised by the ")]
    part = notes[0].removeprefix("raised by the ").partition(" ")[0] if notes else ""
    frames = traceback.extract_tb(error.__traceback__)
    entered = [i for i, frame in enumerate(frames) if frame.filename == __file__ and frame.name in ("_asked", "drawn")]
    inside = frames[entered[-1] + 1 :] if entered else []
    own = [frame for frame in inside if frame.filename == inside[0].filename]
    return part, f"{os.path.basename(own[-1].filename)}:{own[-1].lineno}" if own else ""


_WRITTEN_OUT = 400
"""Largest number of matrix entries for which an instance is written out when code raises an error on it."""


def _misspelt(name: str) -> str:
    """Return the field that a misspelt name was meant for, or nothing; names such as "noise_bound" are options."""
    by_case = next((one for one in sorted(_FIELDS) if one.lower() == name.lower()), "")
    near = get_close_matches(name.lower(), sorted(_FIELDS), n=1, cutoff=0.75)
    return by_case or next((one for one in near if not name.startswith(one)), "")


def _shown(value: Any) -> str:
    """Return a description of a value of the wrong type, shortened if it is long."""
    text = " ".join(repr(value).split())
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return text if value is None else f"{text}, of type {type(value).__name__}"


def _function_name(value: Any) -> str:
    """Return the name of a function, of the function of a partial, or of the class of another callable."""
    while isinstance(value, functools.partial):
        value = value.func
    return getattr(value, "__qualname__", type(value).__qualname__)


def _seed(instance: Instance) -> str:
    seed = instance.options.get("seed")
    return "" if seed is None else f" (instance of seed {seed})"


def _described(instance: Instance) -> str:
    """Return the origin of an instance, and, unless it is large, code that creates it."""
    head = f"{instance!r}{_seed(instance)}"
    n, size = instance.shape
    return head if n * size > _WRITTEN_OUT else f"{head}; this code creates it:\n{as_code(instance)}"


def at_home(guarantees: Iterable[Guarantee], home: str) -> list[Guarantee]:
    """Mark the guarantees of a catalogue so that they are pickled by name, and return them.

    Parameters
    ----------
    guarantees : iterable of Guarantee
        Guarantees with different names.
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
    """Return `value` if it is a guarantee; raise an error otherwise."""
    if not isinstance(value, Guarantee):
        raise TypeError(
            f"{name}={value!r} is of type {type(value).__name__}; expected a Guarantee, from a catalogue or your own"
        )
    return value
