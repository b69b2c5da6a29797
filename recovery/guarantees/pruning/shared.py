"""Common parts of the guarantees about pruning: options with bounds, tests of equality, and texts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recovery.guarantees.engine.base import Guarantee, Verdict, exceeds
from recovery.guarantees.engine.instance import Instance

__all__ = ["at_most", "equal", "false", "far_from_one", "nothing_asked", "settings", "stated", "within"]

FAR = 2.0**200
"""Products and squares of numbers farther from 1 than this may leave the range of float64."""


def within(difference: float, error: float, reason: str) -> Verdict:
    """Return whether a difference is 0 within rounding; the margin is error / difference - 1."""
    if not (math.isfinite(difference) and math.isfinite(error)):
        return Verdict.unknown(f"{reason} cannot be compared: a number leaves the range of float64")
    if difference > 0.0:
        return exceeds(error, difference, f"{reason} differ by less than the rounding error", 0.0)
    return Verdict.of(True, f"{reason} are equal")


def at_most(excess: float, error: float, reason: str) -> Verdict:
    """Return whether an excess over a bound is at most rounding error; the margin is error / excess - 1."""
    if not (math.isfinite(excess) and math.isfinite(error)):
        return Verdict.unknown(f"a number leaves the range of float64: whether {reason} is open")
    return exceeds(error, excess, f"{reason}, up to rounding error", 0.0) if excess > 0.0 else Verdict.of(True, reason)


def equal(found: Any, wanted: Any, error: float, reason: str) -> Verdict:
    """Return whether two arrays are equal within an error."""
    return within(float(np.max(np.abs(np.subtract(found, wanted)), initial=0.0)), error, reason)


def far_from_one(*parts: np.ndarray | None) -> Verdict | None:
    """Return the verdict ``unknown`` if a non-zero number is not within 2^200 of 1; otherwise None."""
    for part in parts:
        if part is not None and part.size:
            sizes = np.abs(part[part != 0.0])
            if sizes.size and not (1.0 / FAR < float(sizes.min()) and float(sizes.max()) < FAR):
                return Verdict.unknown(
                    f"the numbers span too wide a range, from {float(sizes.min()):.3g} to {float(sizes.max()):.3g}"
                )
    return None


def nothing_asked(instance: Instance) -> Verdict:
    """Return the verdict of hypotheses that hold on every instance."""
    return Verdict.of(True, "nothing is required of the model, the start or the settings")


def settings(instance: Instance, **bounds: tuple[float, float]) -> Verdict | dict[str, float]:
    """Return options as floats, or the verdict that one is outside its bounds; the upper bound is excluded.

    Parameters
    ----------
    instance : Instance
        An instance with these options.
    **bounds
        For each option the lowest allowed value, and the smallest value that is too large.

    Returns
    -------
    dict or Verdict
        Name -> number.
    """
    found = {}
    for name, (low, high) in bounds.items():
        value = instance.options[name]
        if isinstance(value, (bool, str)) or not low <= float(value) < high:
            return Verdict.of(False, f"{name}={value!r} is not between {low:g} and {high:g}")
        found[name] = float(value)
    return found


def stated(
    name: str,
    statement: str,
    hypotheses: Callable[[Instance], Verdict],
    outcome: Callable[[Instance], Verdict],
    sampler: Callable[[np.random.Generator], Instance],
    **parts: Any,
) -> Guarantee:
    """Return a guarantee that was derived here; `parts` are ``section``, ``paper`` and fields of Guarantee."""
    section, paper = parts.pop("section"), parts.pop("paper")
    return Guarantee(
        name=name,
        statement=statement,
        source=f"derived here, about {paper}",
        evidence=f'docs/theory, "{section}"; tests/recovery/test_guarantees_pruning.py',
        hypotheses=hypotheses,
        outcome=outcome,
        sampler=sampler,
        **{"kind": "implication", "steer": None, "scales": ("data", "matrix")} | parts,
    )


def false(
    name: str,
    statement: str,
    why: str,
    hypotheses: Callable[[Instance], Verdict],
    outcome: Callable[[Instance], Verdict],
    sampler: Callable[[np.random.Generator], Instance],
    **parts: Any,
) -> Guarantee:
    """Return a false statement, a control of the attack."""
    return Guarantee(
        name=f"false-{name}",
        statement=statement,
        source="none: it is false",
        evidence=why,
        hypotheses=hypotheses,
        outcome=outcome,
        sampler=sampler,
        **{"kind": "implication", "steer": None, "scales": ("data", "matrix")} | parts,
    )
