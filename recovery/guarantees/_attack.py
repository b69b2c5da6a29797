"""A local search for an instance that contradicts a guarantee."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_number
from recovery.guarantees.base import Guarantee, check_guarantee
from recovery.guarantees.contradiction import afresh, contradicts, failing_draw
from recovery.guarantees.moves import move
from recovery.guarantees.sampling import steer
from recovery.guarantees.tally import CONFIDENCE
from recovery.instances import Instance

__all__ = ["attack"]

_PATIENCE = 150
_PROGRESS = 1e-2  # a descent that creeps is left: the next one starts elsewhere
_FIRST = 25
_REDRAWS = 40
_REJECTED = (ValueError, ArithmeticError, np.linalg.LinAlgError)  # a change that makes no valid instance


def attack(
    guarantee: Guarantee, seconds: float = 5.0, rng: Any = None, *, confidence: float = CONFIDENCE
) -> Instance | None:
    """Look for an instance that contradicts a guarantee.

    Parameters
    ----------
    guarantee : Guarantee
        With a sampler.
    seconds : float, default 5
        Time to spend.
    rng : int, Generator or None
        Source of randomness.
    confidence : float, default 1 - 1e-6
        Level at which a failure rate counts as too large, for a probability.

    Returns
    -------
    Instance or None
        An instance that was judged again from scratch, or None if none was found in the time.

    Raises
    ------
    ValueError
        If the guarantee has no sampler.

    Notes
    -----
    From a drawn instance whose hypotheses just hold (margin 1e-6 to 0.05; where nothing steers them there, from that
    one of 25 which comes nearest to failing), a descent on the margin of the conclusion: a random change
    (:func:`recovery.guarantees.moves.move`), noise or signal scaled back to the same margin, kept if the hypotheses
    hold and the conclusion came no further from failing. After 150 changes that gain less than 1 % it starts again.
    An equivalence is attacked from both sides of its boundary. For a probability the share of failures over 40 draws
    of the noise is raised, and confirmed on fresh draws.
    """
    seconds = check_number(seconds, "seconds", minimum=0.0)
    check_guarantee(guarantee)
    if guarantee.sampler is None:
        raise ValueError(f"guarantee={guarantee.name!r} has no sampler; expected one that draws its own instances")
    rng = arrays.generator(rng)
    deadline = time.monotonic() + seconds
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # overflow on the way is no news
        while time.monotonic() < deadline:
            found = _descend(guarantee, rng, deadline, confidence)
            if found is not None:
                return found
    return None


def _descend(guarantee: Guarantee, rng: np.random.Generator, deadline: float, confidence: float) -> Instance | None:
    """Search from one drawn instance."""
    assert guarantee.sampler is not None
    two_sided = guarantee.kind == "equivalence" and rng.random() < 0.5
    target = (-1.0 if two_sided else 1.0) * 10.0 ** rng.uniform(-6.0, math.log10(0.05))
    cost = _Cost(guarantee, "fails" if two_sided else "holds", int(rng.integers(2**31)))
    here, best = _begin(guarantee, rng, target, cost, deadline)
    if here is None:
        return None
    movable = here.x is not None and here.noise is not None
    idle, tried, goal = 0, math.inf, best - _PROGRESS * abs(best)
    while time.monotonic() < deadline:
        if best < min(0.0, tried):  # once for each progress
            if contradicts(guarantee, here, rng, confidence=confidence):
                return failing_draw(guarantee, afresh(here), rng)
            tried = best
        if idle >= _PATIENCE or not movable or math.isnan(best):
            return None
        idle += 1
        try:
            changed = move(here, rng, fixed_noise=guarantee.delta is not None, options=guarantee.needs)
            changed = steer(guarantee, changed, target)
            value = cost(changed)
        except _REJECTED:
            continue
        if value <= best:
            here, best = changed, value
            if best < goal:
                idle, goal = 0, best - _PROGRESS * abs(best)
    return None


def _begin(
    guarantee: Guarantee, rng: np.random.Generator, target: float, cost: _Cost, deadline: float
) -> tuple[Instance | None, float]:
    """Draw an instance on the right side of the boundary: steered there, or else the nearest to failing of a few."""
    assert guarantee.sampler is not None
    here, best = None, math.nan
    for _ in range(_FIRST if guarantee.steer is None else 1):
        try:
            drawn = steer(guarantee, guarantee.sampler(rng), target)
            value = cost(drawn)
        except _REJECTED:
            continue
        if here is None or math.isnan(best) or value < best:
            here, best = drawn, value
        if best < 0.0 or time.monotonic() > deadline:
            break
    return here, best


class _Cost:
    """How far the conclusion is from contradicting: negative where it does, NaN where the side is wrong."""

    def __init__(self, guarantee: Guarantee, side: str, seed: int) -> None:
        self.guarantee, self.side, self.seed = guarantee, side, seed

    def __call__(self, instance: Instance) -> float:
        if self.guarantee.check(instance).status != self.side:
            return math.nan
        if self.guarantee.delta is not None:
            return self._rate(instance, self.guarantee.delta)
        conclusion = self.guarantee.conclusion(instance)
        if conclusion.status == "unknown":
            return math.nan
        wrong = (conclusion.status == "fails") == (self.side == "holds")
        size = abs(conclusion.margin) if not math.isnan(conclusion.margin) else math.inf
        return -max(size, 1e-300) if wrong else size

    def _rate(self, instance: Instance, delta: float) -> float:
        """Return delta minus the share of failures; the mean margin decides between equal shares."""
        if instance.law is None:
            return math.nan
        rng = arrays.generator(self.seed)  # all instances of a descent see the same random numbers
        failures, lean = 0, 0.0
        for _ in range(_REDRAWS):
            conclusion = self.guarantee.conclusion(instance.redrawn(rng))
            failures += conclusion.status == "fails"
            lean += 0.0 if math.isnan(conclusion.margin) else math.tanh(conclusion.margin)
        share = delta - failures / _REDRAWS
        return share if share < 0.0 else share + 1e-3 * (1.0 + lean / _REDRAWS)
