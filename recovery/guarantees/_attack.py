"""A local search for an instance that contradicts a guarantee."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from planted import arrays
from planted.checks import check_integer, check_number
from recovery.guarantees.attack_results import AttackResult
from recovery.guarantees.base import Guarantee, Verdict, check_guarantee
from recovery.guarantees.contradiction import afresh, contradicts, failing_draw
from recovery.guarantees.moves import move
from recovery.guarantees.sampling import steer
from recovery.guarantees.tally import CONFIDENCE
from recovery.instances import Instance

__all__ = ["EVALUATIONS", "attack"]

EVALUATIONS = 10_000
"""Instances that an attack tries by default."""

_PATIENCE = 150
_PROGRESS = 1e-2  # a descent that creeps is left: the next one starts elsewhere
_FIRST = 25
_REDRAWS = 40
_REJECTED = (ValueError, ArithmeticError, np.linalg.LinAlgError)  # a change that makes no valid instance


def attack(
    guarantee: Guarantee,
    *,
    evaluations: int = EVALUATIONS,
    seconds: float | None = None,
    rng: Any = None,
    confidence: float = CONFIDENCE,
) -> AttackResult:
    """Look for an instance that contradicts a guarantee.

    Parameters
    ----------
    guarantee : Guarantee
        With a sampler.
    evaluations : int, default 10,000
        Instances to try at most. An evaluation is one instance: the check of its hypotheses, in up to a dozen scales
        until they just hold, and of its conclusion. For a probability each draw of the noise is one, and an instance
        whose hypotheses hold costs 40.
    seconds : float, optional
        Time to spend at most. With it the result depends on the machine and on what else that does.
    rng : int, numpy.random.SeedSequence, Generator or None
        Source of randomness. The same seed and number of evaluations give the same result, however busy the machine.
    confidence : float, default 1 - 1e-6
        Level at which a failure rate counts as too large, for a probability.

    Returns
    -------
    AttackResult
        Its ``status`` says whether the guarantee was broken (``instance`` was judged again from scratch), survived,
        or never was on trial, and its counts how often it was tried.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or the guarantee has no sampler. What the guarantee's own code raises is raised
        too, except for ValueError, ArithmeticError and LinAlgError on some of the instances, which are counted.

    Notes
    -----
    From a drawn instance whose hypotheses just hold (margin 1e-6 to 0.05; where nothing steers them there, from that
    one of 25 which comes nearest to failing), a descent on the margin of the conclusion: a random change
    (:func:`recovery.guarantees.moves.move`), noise or signal scaled back to the same margin, kept if the hypotheses
    hold and the conclusion came no further from failing. After 150 changes that gain less than 1 % it starts again.
    An equivalence is attacked from both sides of its boundary. For a probability the share of failures over 40 draws
    of the noise is raised, and confirmed on fresh draws, which are not counted.

    Examples
    --------
    >>> from recovery.guarantees import attack, catalogue
    >>> guarantee = next(one for one in catalogue("linear") if one.name == "omp-coherence")
    >>> print(attack(guarantee, evaluations=100, rng=0).status)
    survived
    """
    evaluations = check_integer(evaluations, "evaluations", minimum=0)
    seconds = None if seconds is None else check_number(seconds, "seconds", minimum=0.0)
    confidence = check_number(confidence, "confidence", minimum=0.0, maximum=1.0)
    check_guarantee(guarantee)
    if guarantee.sampler is None:
        raise ValueError(f"guarantee={guarantee.name!r} has no sampler; expected one that draws its own instances")
    seed = None
    if rng is None:
        rng = int(np.random.default_rng().integers(2**63))
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        seed = int(rng)
    search = _Search(guarantee, arrays.generator(rng), evaluations, seconds, confidence)
    with np.errstate(all="ignore"):  # overflow on the way is no news
        found = None
        while found is None and not search.over:
            found = search.descend()
    return search.result(found, seed)


class _Search:
    """Descents from drawn instances, and the count of what was tried in them."""

    def __init__(
        self,
        guarantee: Guarantee,
        rng: np.random.Generator,
        evaluations: int,
        seconds: float | None,
        confidence: float,
    ) -> None:
        self.guarantee, self.rng, self.confidence = guarantee, rng, confidence
        self.limit, self.seconds = evaluations, seconds
        self.deadline = math.inf if seconds is None else time.monotonic() + seconds
        self.tried = self.held = self.decided = self.errors = 0
        self.each = 1 if guarantee.delta is None else _REDRAWS
        self.best = math.inf
        self.error: Exception | None = None
        self.obstacle = self.silence = ""  # why the last instance, and the last that held, was not on trial

    @property
    def over(self) -> bool:
        """Whether the budget is used up."""
        if self.tried + self.each > self.limit:
            return True
        return self.seconds is not None and time.monotonic() >= self.deadline

    def descend(self) -> Instance | None:
        """Search from one drawn instance."""
        guarantee, rng = self.guarantee, self.rng
        two_sided = guarantee.kind == "equivalence" and rng.random() < 0.5
        target = (-1.0 if two_sided else 1.0) * 10.0 ** rng.uniform(-6.0, math.log10(0.05))
        cost = _Cost(guarantee, "fails" if two_sided else "holds", int(rng.integers(2**31)))
        here, best = self._begin(target, cost)
        if here is None:
            return None
        movable = here.x is not None and here.noise is not None
        idle, seen, goal = 0, math.inf, best - _PROGRESS * abs(best)
        while True:
            if best < min(0.0, seen):  # once for each progress, and for the last one too
                if contradicts(guarantee, here, rng, confidence=self.confidence):
                    return failing_draw(guarantee, afresh(here), rng)
                seen = best
            if self.over or idle >= _PATIENCE or not movable or math.isnan(best):
                return None
            idle += 1
            made = self._evaluate(
                lambda before=here: move(  # type: ignore[misc]
                    before, rng, fixed_noise=guarantee.delta is not None, options=guarantee.needs
                ),
                target,
                cost,
            )
            if made is not None and made[1] <= best:
                here, best = made
                if best < goal:
                    idle, goal = 0, best - _PROGRESS * abs(best)

    def _begin(self, target: float, cost: _Cost) -> tuple[Instance | None, float]:
        """Draw an instance on the right side of the boundary: steered there, or else the nearest to failing."""
        sampler = self.guarantee.sampler
        assert sampler is not None
        here, best = None, math.nan
        for _ in range(_FIRST if self.guarantee.steer is None else 1):
            made = self._evaluate(lambda: sampler(self.rng), target, cost)
            if made is not None and (here is None or math.isnan(best) or made[1] < best):
                here, best = made
            if best < 0.0 or self.over:
                break
        return here, best

    def _evaluate(self, make: Callable[[], Instance], target: float, cost: _Cost) -> tuple[Instance, float] | None:
        """Make an instance, bring it to the boundary, and return it with its cost; None if it is rejected."""
        self.tried += 1
        try:
            made = make()
        except _REJECTED as error:
            self.obstacle = f"no instance could be made ({type(error).__name__}: {error})"
            return None
        try:
            made = steer(self.guarantee, made, target)
            seen = cost(made)
        except _REJECTED as error:
            self.errors += 1
            self.error = self.error or error
            return None
        self.tried += max(seen.held, 1) - 1
        self.held += seen.held
        self.decided += seen.decided
        self.obstacle = seen.obstacle or self.obstacle
        self.silence = seen.obstacle if seen.held else self.silence
        if seen.value < self.best:
            self.best = seen.value
        return made, seen.value

    def result(self, found: Instance | None, seed: int | None) -> AttackResult:
        """Return what the search came to."""
        if self.error is not None and self.errors == self.tried:
            self.error.add_note(f"{self.guarantee.name} raised on every one of the {self.tried} instances tried")
            raise self.error
        if found is not None:
            status = "broken"
        elif self.decided:
            status = "survived"
        elif not self.tried:
            status = "not tried"
        else:
            status = "undecided" if self.held else "never held"
        return AttackResult(
            self.guarantee.name,
            status,
            self.tried,
            self.held,
            self.decided,
            self.errors,
            self.best,
            self._sentence(status, seed),
            seed,
            found,
        )

    def _sentence(self, status: str, seed: int | None) -> str:
        name = self.guarantee.name
        instances = f"{self.tried:,} instance" + ("" if self.tried == 1 else "s")
        held = f"the hypotheses held on {self.held:,} of the {instances} that were tried"
        obstacle = f"; on the last of them: {self.silence if self.held else self.obstacle}"
        text = {
            "broken": f"{name} is broken: instance {self.tried:,} of at most {self.limit:,} contradicts it",
            "survived": f"{name} survived: {held}, the conclusion was decided on {self.decided:,} and came within "
            f"{self.best:.3g} of a contradiction",
            "undecided": f"{name} was not put on trial: {held}, but its conclusion was decided on none{obstacle}",
            "never held": f"{name} was not put on trial: its hypotheses held on none of the {instances} that were "
            f"tried{obstacle}",
            "not tried": f"{name} was not put on trial: no instance was tried"
            + (f", since one takes {self.each} evaluations" if 0 < self.limit < self.each else ""),
        }[status]
        if self.errors:
            error = self.error
            text += f"; its code raised on {self.errors:,} of them, first {type(error).__name__}: {error}"
        if status != "broken" and self.tried + self.each <= self.limit:
            text += f"; seconds={self.seconds:g} ended it before evaluations={self.limit}"
        return text + ("" if seed is None else f" (seed {seed})")


class _Seen(NamedTuple):
    """What was seen of a candidate: its cost, how often hypotheses held, how often a contradiction was possible."""

    value: float
    held: int
    decided: int
    obstacle: str = ""


class _Cost:
    """How far the conclusion is from contradicting: negative where it does, NaN where the side is wrong."""

    def __init__(self, guarantee: Guarantee, side: str, seed: int) -> None:
        self.guarantee, self.side, self.seed = guarantee, side, seed

    def __call__(self, instance: Instance) -> _Seen:
        check = self.guarantee.check(instance)
        held = int(check.status == "holds")
        if check.status != self.side:
            return _Seen(math.nan, held, 0, f"hypotheses: {check.status} ({check.reason})")
        if self.guarantee.delta is not None:
            return self._rate(instance, self.guarantee.delta)
        conclusion = self.guarantee.conclusion(instance)
        if conclusion.status == "unknown":
            return _Seen(math.nan, held, 0, f"conclusion: unknown ({conclusion.reason})")
        wrong = (conclusion.status == "fails") == (self.side == "holds")
        size = abs(conclusion.margin) if not math.isnan(conclusion.margin) else math.inf
        return _Seen(-max(size, 1e-300) if wrong else size, held, 1)

    def _rate(self, instance: Instance, delta: float) -> _Seen:
        """Return delta minus the share of failures; the mean margin decides between equal shares."""
        if instance.law is None:
            return _Seen(math.nan, 1, 0, "the law of the noise is not known of this instance")
        rng = arrays.generator(self.seed)  # all instances of a descent see the same random numbers
        failures, lean, decided = 0, 0.0, 0
        conclusion = Verdict.unknown("")
        for _ in range(_REDRAWS):
            conclusion = self.guarantee.conclusion(instance.redrawn(rng))
            decided += conclusion.status != "unknown"
            failures += conclusion.status == "fails"
            lean += 0.0 if math.isnan(conclusion.margin) else math.tanh(conclusion.margin)
        obstacle = "" if decided else f"conclusion: unknown ({conclusion.reason})"
        share = delta - failures / _REDRAWS
        value = share if share < 0.0 else share + 1e-3 * (1.0 + lean / _REDRAWS)
        return _Seen(value, _REDRAWS, decided, obstacle)
