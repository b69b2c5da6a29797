"""What an attack on a guarantee found: a counter-example, or how often it tried and what was in the way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from planted.values import by_value
from recovery.instances import Instance

__all__ = ["STATUSES", "AttackResult"]

STATUSES = ("broken", "survived", "undecided", "never held", "not tried")


@by_value
@dataclass(frozen=True)
class AttackResult:
    """What :func:`recovery.guarantees.attack` found.

    Parameters
    ----------
    guarantee : str
        Name of the guarantee.
    status : {"broken", "survived", "undecided", "never held", "not tried"}
        ``"broken"``: `instance` contradicts the guarantee. ``"survived"``: instances were on trial (`n_decided`), and
        none contradicts it. The other three say that nothing was learnt. ``"undecided"``: hypotheses held, but the
        conclusion was never decided. ``"never held"``: the hypotheses held on no instance that was tried.
        ``"not tried"``: the budget allowed no instance.
    n_evaluations : int
        Instances that were tried, those among them that could not be made or judged.
    n_held : int
        Those on which the hypotheses hold.
    n_decided : int
        Those that could have contradicted the guarantee: the hypotheses hold and the conclusion is decided; for an
        equivalence that is attacked from the other side, the hypotheses fail and the conclusion is decided.
    n_errors : int
        Those on which the guarantee's code raised ValueError, ArithmeticError or LinAlgError.
    best_margin : float
        How near to a contradiction the search came: the smallest margin of a conclusion among the decided, negative
        where it is contradicted. For a probability the smallest value of delta minus the share of failures in 40
        draws. ``inf`` where nothing was decided.
    message : str
        A sentence with these numbers.
    seed : int or None
        The seed that gives this result again, where it is known: the one that was handed in, or the one that was drawn
        for ``rng=None``. None for a generator, whose state was the caller's.
    instance : Instance or None
        The contradiction, judged again from scratch.

    Raises
    ------
    TypeError
        Where a result is used as a truth value: a guarantee that survived and one that was never on trial are
        different things. Compare ``result.status``.
    """

    guarantee: str
    status: str
    n_evaluations: int
    n_held: int
    n_decided: int
    n_errors: int
    best_margin: float
    message: str
    seed: int | None
    instance: Instance | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        listed = ", ".join(map(repr, STATUSES))
        raise TypeError(f"an AttackResult is neither true nor false; compare result.status with one of {listed}")

    def __str__(self) -> str:
        return self.message

    def record(self) -> dict[str, Any]:
        """Return all but the instance as a dict of JSON values; an infinite margin becomes None."""
        margin = self.best_margin if math.isfinite(self.best_margin) else None
        counts = {name: getattr(self, name) for name in ("n_evaluations", "n_held", "n_decided", "n_errors")}
        return {"status": self.status, **counts, "best_margin": margin, "message": self.message, "seed": self.seed}
