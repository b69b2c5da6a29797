"""Shrinking of an instance that contradicts a guarantee to a small, readable one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from planted.base.checks import check_integer, check_number
from recovery.guarantees.engine.attack import follow
from recovery.guarantees.engine.base import Guarantee, check_guarantee
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.tally import afresh, contradicts, failing_draw
from recovery.operators.gated import GatedOperator

__all__ = ["SHRINKINGS", "shrink"]


SHRINKINGS = 5_000
"""Default number of candidates to try, each simpler than the current instance."""

_REJECTED = (ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError)
_PARTS = ("A", "X", "gates", "x", "noise", "x0")
"""Arrays of an instance; one with a gated operator has X and gates, any other has A."""
_DIGITS = (1, 2, 3, 4, 6, 8)


def shrink(
    guarantee: Guarantee,
    instance: Instance,
    *,
    evaluations: int = SHRINKINGS,
    seconds: float | None = None,
    rng: Any = 0,
) -> Instance:
    """Simplify an instance that contradicts a guarantee, keeping the contradiction.

    Parameters
    ----------
    guarantee : Guarantee
        The guarantee.
    instance : Instance
        An instance that contradicts it.
    evaluations : int, default 5,000
        Largest number of candidates to check; for a probability, each on many draws of the noise.
    seconds : float, optional
        Time limit. With a limit the result depends on the machine and its load.
    rng : int or Generator, default 0
        Source of the noise for a probability; with an int all candidates use the same draws.

    Returns
    -------
    Instance
        Fewer rows, columns and non-zeros, numbers of about 1 with few digits, zeros in the noise; options that the
        guarantee does not need are removed. Unless the budget ran out, any further step would remove the contradiction.
        A gated operator becomes its matrix if that still contradicts; otherwise it loses rows, gates and inputs.

    Raises
    ------
    ValueError
        If `instance` does not contradict the guarantee, or an argument does not fit.
    """
    check_guarantee(guarantee)
    budget = _Budget(
        check_integer(evaluations, "evaluations", minimum=0),
        None if seconds is None else check_number(seconds, "seconds", minimum=0.0),
    )

    def wrong(candidate: Instance) -> bool:
        budget.used += 1
        try:
            return contradicts(guarantee, candidate, rng)
        except _REJECTED:
            return False

    if not wrong(instance):
        raise ValueError(f"instance does not contradict {guarantee.name!r}; expected one that does")
    budget.used = 0
    best = afresh(instance)
    needed = {name: value for name, value in best.options.items() if name in guarantee.needs}
    with np.errstate(all="ignore"):  # intermediate overflow is expected
        best = _try(best, iter([lambda here: here.replace(options=needed)]), wrong, budget)
        best = _try(best, iter([lambda here: here.replace(x0=None)]), wrong, budget)
        best = _try(best, iter([lambda here: here.replace(law=None)]), wrong, budget)
        best = _try(best, iter([lambda here: here.replace(A=here.matrix)]), wrong, budget)
        while True:
            before = best
            for steps in (_smaller, _of_size_one, _rounded, _zeros, _simple):
                best = _try(best, steps(best), wrong, budget)
            if best is before or budget.over:
                return failing_draw(guarantee, best, rng)


class _Budget:
    """Limits on the number of candidates and on the time."""

    def __init__(self, evaluations: int, seconds: float | None) -> None:
        self.limit, self.used = evaluations, 0
        self.deadline = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether the budget is exhausted; the clock is read only if there is a time limit."""
        return self.used >= self.limit or (self.deadline < math.inf and time.monotonic() >= self.deadline)


Step = Callable[[Instance], Instance]


def _try(best: Instance, steps: Iterator[Step], wrong: Callable[[Instance], bool], budget: _Budget) -> Instance:
    """Take each step that keeps the contradiction; steps that no longer fit are skipped."""
    for step in steps:
        if budget.over:
            break
        try:
            candidate = step(best)
        except _REJECTED:
            continue
        for one in (candidate, *_following(candidate, best)):
            if not _same(one, best) and wrong(one):
                best = one
                break
    return best


def _following(candidate: Instance, best: Instance) -> Iterator[Instance]:
    """Yield a gated candidate with its gates updated, so that patterns of planted neurons remain such patterns."""
    if candidate.gated is None or best.gated is None or candidate.x is None or candidate.shape != best.shape:
        return
    before, parts = ({"X": one.gated[0], "gates": np.array(one.gated[1]), "x": one.x} for one in (best, candidate))  # type: ignore[index]
    follow(parts, before)
    yield _with_sparsity(candidate, gates=parts["gates"])


def _smaller(instance: Instance) -> Iterator[Step]:
    """Drop rows and columns, or rows, gates and inputs: half, then one by one from the end (keeps indices valid)."""
    for axis, length in enumerate(_lengths(instance)):
        if length > 3:
            yield partial(_kept, axis=axis, places=frozenset(range(length // 2)))
        for place in reversed(range(length)):
            yield partial(_kept, axis=axis, places=frozenset(range(length)) - {place})


def _lengths(instance: Instance) -> tuple[int, ...]:
    """Return rows and columns, or rows, gates and inputs."""
    return instance.shape if instance.gated is None else (*instance.gated[1].shape, instance.gated[0].shape[1])


def _kept(instance: Instance, axis: int, places: frozenset[int]) -> Instance:
    lengths = _lengths(instance)
    keep = np.array([place in places for place in range(lengths[axis])])
    if keep.all() or not keep.any():
        raise ValueError("nothing to drop, or nothing left")
    cut = {name: getattr(instance, name) for name in (("y", "noise") if axis == 0 else ("x", "x0"))}
    if instance.gated is None:
        columns, sensing = keep, {"A": instance.matrix[keep] if axis == 0 else instance.matrix[:, keep]}
    else:
        X, gates = instance.gated
        columns = np.repeat(keep, lengths[2]) if axis == 1 else np.tile(keep, lengths[1])
        X, gates = (X[keep], gates[keep]) if axis == 0 else (X, gates[:, keep]) if axis == 1 else (X[:, keep], gates)
        sensing = {"X": X, "gates": gates}
    chosen = keep if axis == 0 else columns
    return _with_sparsity(instance, **sensing, **{k: value[chosen] for k, value in cut.items() if value is not None})


def _of_size_one(instance: Instance) -> Iterator[Step]:
    """Scale A, x and the noise together so that the largest entries of A and x are 1."""

    def matrix(here: Instance) -> Instance:
        size = float(np.max(np.abs(here.matrix)))
        sensing = {"A": here.matrix / size} if here.gated is None else {"X": here.gated[0] / size}
        return _with_sparsity(here.scaled(noise=1.0 / size), **sensing)

    def vector(here: Instance) -> Instance:
        size = float(np.max(np.abs(here.x)))
        moved = here.scaled(signal=1.0 / size, noise=1.0 / size)
        return moved if here.x0 is None else moved.replace(x0=here.x0 / size)

    if instance.x is not None and instance.noise is not None:
        yield matrix
        yield vector


def _rounded(instance: Instance) -> Iterator[Step]:
    """Keep few significant digits: of everything, then of each array; the fewest that keep the contradiction."""
    for names in (_PARTS, *((name,) for name in _PARTS)):
        for digits in reversed(_DIGITS):
            yield partial(_mapped, names=names, digits=digits)


def _zeros(instance: Instance) -> Iterator[Step]:
    for name in ("x", "noise", "x0", "A", "X"):
        value = _part(instance, name)
        for place in range(0 if value is None else value.size):
            yield partial(_set, name=name, place=place, change=lambda value: 0.0)


def _simple(instance: Instance) -> Iterator[Step]:
    """Make single entries +-1, or give them one or two digits, and bits 0."""
    for name in _PARTS:
        value = _part(instance, name)
        for place in range(0 if value is None else value.size):
            numbers = (np.sign, partial(_shorter, digits=1), partial(_shorter, digits=2))
            for change in numbers if name != "gates" else (lambda bit: 0.0,):
                yield partial(_set, name=name, place=place, change=change)


def _shorter(value: float, digits: int) -> float:
    """Return the number rounded to fewer digits; a number with that few is unchanged."""
    return value if len(repr(value)) <= 3 else float(f"{value:.{digits - 1}e}")


def _part(instance: Instance, name: str) -> Any:
    if name in ("X", "gates"):
        return None if instance.gated is None else instance.gated[name == "gates"]
    if name == "A":
        return instance.matrix if instance.gated is None else None
    return getattr(instance, name)


def _set(instance: Instance, name: str, place: int, change: Callable[[float], float]) -> Instance:
    value = np.array(_part(instance, name))
    value.flat[place] = change(float(value.flat[place])) + 0.0  # no -0.0
    return _with_sparsity(instance, **{name: value})


def _mapped(instance: Instance, names: tuple[str, ...], digits: int) -> Instance:
    known = {name: _part(instance, name) for name in names if name != "gates"}
    parts = {name: _significant(value, digits) for name, value in known.items() if value is not None}
    return _with_sparsity(instance, **parts)


def _with_sparsity(instance: Instance, **changes: Any) -> Instance:
    """Replace parts; a sparsity equal to the number of non-zeros is updated, and a gated operator stays gated."""
    if changes.keys() & {"X", "gates"}:
        X, gates = (changes.pop(name, _part(instance, name)) for name in ("X", "gates"))
        changes["A"] = GatedOperator(X, gates)
    x, size = changes.get("x", instance.x), (changes["A"] if "A" in changes else instance).shape[1]
    sparsity = min(instance.sparsity, size)
    if x is not None and instance.sparsity == np.count_nonzero(instance.x):
        sparsity = int(np.count_nonzero(x))
    if instance.x is not None and instance.noise is not None:
        changes.pop("y", None)  # it is recomputed from the rest
    return instance.replace(**changes, sparsity=sparsity)


def _significant(values: np.ndarray, digits: int) -> np.ndarray:
    return np.array([float(f"{value:.{digits - 1}e}") for value in values.ravel()]).reshape(values.shape) + 0.0


def _same(first: Instance, second: Instance) -> bool:
    if first is second:
        return True
    if first.shape != second.shape:
        return False
    pairs = [(_part(first, name), _part(second, name)) for name in _PARTS]
    equal = all((a is None) == (b is None) and (a is None or np.array_equal(a, b)) for a, b in pairs)
    return equal and first.law == second.law and dict(first.options) == dict(second.options)
