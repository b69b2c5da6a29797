"""Counts of the checks of one guarantee on many instances."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from planted.base import arrays
from planted.base.checks import check_integer, check_number
from planted.base.markup import card
from planted.base.values import by_value
from recovery.guarantees.engine.base import Guarantee, Judgement
from recovery.guarantees.engine.instance import Instance
from recovery.operators.gated import GatedOperator

__all__ = [
    "CONFIDENCE",
    "NEAR",
    "STATUSES",
    "AtSparsity",
    "AttackResult",
    "Tally",
    "afresh",
    "contradicts",
    "failing_draw",
    "failure_rate_bound",
]


STATUSES = ("broken", "survived", "undecided", "never held", "not tried")


class AtSparsity(NamedTuple):
    """Counts of an attack at one number of non-zeros.

    Parameters
    ----------
    n_evaluations, n_held, n_decided : int
        As in :class:`AttackResult`, except that instances that could not be created or judged are left out.
    best_margin : float
        The smallest margin of a decided conclusion.
    """

    n_evaluations: int = 0
    n_held: int = 0
    n_decided: int = 0
    best_margin: float = math.inf

    def __str__(self) -> str:
        if not self.n_decided:
            return f"{'held but not decided' if self.n_held else 'never held'}, {self.n_evaluations:,} tried"
        near = f", nearest {self.best_margin:.3g}" if math.isfinite(self.best_margin) else ""
        return f"decided on {self.n_decided:,}{near}"


@by_value
@dataclass(frozen=True)
class AttackResult:
    """The result of :func:`recovery.guarantees.attack`.

    Parameters
    ----------
    guarantee : str
        Name of the guarantee.
    status : {"broken", "survived", "undecided", "never held", "not tried"}
        ``"broken"``: `instance` contradicts the guarantee. ``"survived"``: instances were tested (`n_decided`), and
        none contradicts it. The other three mean that nothing was learnt. ``"undecided"``: hypotheses held, but the
        conclusion was never decided. ``"never held"``: the hypotheses held on none of the instances tried. ``"not
        tried"``: the budget allowed no instance.
    n_evaluations : int
        Number of instances tried, including those that could not be created or judged.
    n_held : int
        Number of instances on which the hypotheses hold.
    n_decided : int
        Number of instances that could have contradicted the guarantee: the hypotheses hold and the conclusion is
        decided; for an equivalence that is attacked from the other side, the hypotheses fail and the conclusion is
        decided.
    n_errors : int
        Number of instances on which the guarantee's code raised ValueError, ArithmeticError or LinAlgError; if its
        outcome did, the instance still counts in `n_held`.
    best_margin : float
        How close the search came to a contradiction: the smallest margin of a decided conclusion, negative for a
        contradiction. For a probability the smallest value of delta minus the fraction of failures in 40 draws. ``inf``
        if nothing was decided.
    message : str
        A message with these numbers.
    seed : int or None
        The seed that reproduces this result, if known: the given one, or the one drawn for ``rng=None``. None for a
        generator, whose state belongs to the caller.
    instance : Instance or None
        The contradiction, judged again from scratch.
    nearest : Instance or None
        If the guarantee survived: the instance that came nearest to a contradiction, whose margin is `best_margin`.
        None if no conclusion had a finite margin.
    raised_on : Instance or None
        The first instance on which the hypotheses or the outcome raised one of the exceptions that are counted: judge
        it to see the exception. None also if the sampler raised it.
    by_sparsity : dict of int to AtSparsity
        The same counts for each number of non-zeros (a named tuple of `n_evaluations`, `n_held`, `n_decided` and
        `best_margin`). A statement is often trivial for one non-zero: then only the counts of the others are evidence.

    Raises
    ------
    TypeError
        If a result is used as a truth value: a guarantee that survived differs from one that was never tested. Compare
        ``result.status``.
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
    nearest: Instance | None = field(default=None, repr=False)
    raised_on: Instance | None = field(default=None, repr=False)
    by_sparsity: dict[int, AtSparsity] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        listed = ", ".join(map(repr, STATUSES))
        raise TypeError(f"an AttackResult is neither true nor false; compare result.status with one of {listed}")

    def __str__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        pairs = [(name.replace("_", " "), value) for name, value in self.record().items() if value is not None]
        counts = [(f"k = {k}", str(one)) for k, one in self.by_sparsity.items()]
        return card(f"Attack on {self.guarantee}", [pair for pair in pairs if pair[0] != "by sparsity"] + counts)

    def record(self) -> dict[str, Any]:
        """Return everything except the instances as a dict of JSON values; an infinite margin becomes None."""
        margin = self.best_margin if math.isfinite(self.best_margin) else None
        counts = {name: getattr(self, name) for name in ("n_evaluations", "n_held", "n_decided", "n_errors")}
        record = {"status": self.status, **counts, "best_margin": margin, "message": self.message, "seed": self.seed}
        parts = {
            str(k): one._asdict() | {"best_margin": _finite(one.best_margin)} for k, one in self.by_sparsity.items()
        }
        return record | {"by_sparsity": parts}


CONFIDENCE = 1.0 - 1e-6
"""Level at which a failure rate counts as too large: hundreds of tests raise a false alarm once in 10,000 runs."""
NEAR = 0.05
"""Hypotheses that hold with at most this margin count as near their boundary."""
_KEPT = 5


def failure_rate_bound(failures: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the Clopper-Pearson lower bound on a failure probability.

    Parameters
    ----------
    failures, trials : int
        Failures among independent trials.
    confidence : float, default 1 - 1e-6
        If every trial fails with probability at most p, the bound exceeds p with at most 1 - `confidence`.

    Returns
    -------
    float
        0 without a failure.

    Notes
    -----
    The q with P(Binomial(trials, q) >= failures) = 1 - confidence; P(.. >= f) is the regularised incomplete
    beta function I_q(f, trials - f + 1). The trials need not have one probability: a sum of independent
    trials with probabilities up to p is stochastically at most Binomial(trials, p).

    References
    ----------
    Clopper and Pearson, Biometrika 26, 1934; from memory of the literature, verified numerically by
    tests/recovery/test_ledger.py against the binomial sum.
    """
    trials = check_integer(trials, "trials", minimum=0)
    failures = check_integer(failures, "failures", minimum=0, maximum=trials)
    confidence = check_number(confidence, "confidence", minimum=0.0, maximum=1.0)
    if failures == 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(failures, trials - failures + 1, 1.0 - confidence))


@by_value
@dataclass
class Tally:
    """Counts of one guarantee; :meth:`add` checks one more instance.

    Parameters
    ----------
    guarantee : Guarantee
        The guarantee.
    confidence : float, default 1 - 1e-6
        Level of :func:`failure_rate_bound` for a statement with a probability.

    Attributes
    ----------
    instances : int
        Number of instances checked.
    held : int
        Hypotheses hold and x is not 0 (x unknown counts as not 0). The next six count among these.
    plural : int
        At least two non-zeros.
    near : int
        Margin in (0, 0.05].
    concluded, failed, undecided : int
        The conclusion holds, fails or is unknown.
    several : int
        Instances with at least two non-zeros, whether or not the hypotheses hold.
    trivial : int
        Hypotheses hold, x = 0.
    vacuous : int
        Hypotheses fail.
    unknown : int
        Hypotheses are unknown.
    contradicted : int
        Judgements that contradict the statement; for a probability, draws that fail although the hypotheses hold.
    tightest : float
        Smallest margin of the hypotheses at which the conclusion still held; at most about 0 if they are tight.
    failed_up_to : float
        Largest margin of the hypotheses at which the conclusion failed; negative for a true statement, and about 0 if
        the hypotheses cannot be weakened much.
    bounded : bool
        Whether a finite margin was seen, so that there is a boundary.
    examples : list of Instance
        The first few contradicting instances.
    attack : AttackResult or None
        The result of an attack on the guarantee, if any; :meth:`add` does not change it.
    """

    guarantee: Guarantee
    confidence: float = CONFIDENCE
    instances: int = 0
    held: int = 0
    plural: int = 0
    near: int = 0
    concluded: int = 0
    failed: int = 0
    undecided: int = 0
    trivial: int = 0
    vacuous: int = 0
    unknown: int = 0
    contradicted: int = 0
    several: int = 0
    tightest: float = math.inf
    failed_up_to: float = -math.inf
    bounded: bool = False
    designs: set[str] = field(default_factory=set)
    examples: list[Instance] = field(default_factory=list)
    attack: AttackResult | None = None

    def add(self, instance: Instance) -> Judgement:
        """Judge an instance and count it.

        Parameters
        ----------
        instance : Instance
            The problem; ``options["design"]``, up to a bracket, names its design.

        Returns
        -------
        Judgement
            The judgement.
        """
        judgement = self.guarantee.judge(instance)
        check, conclusion = judgement.check, judgement.conclusion
        assert conclusion is not None
        self.instances += 1
        self.several += _non_zeros(instance) >= 2
        self.unknown += check.status == "unknown"
        self.vacuous += check.status == "fails"
        self.bounded |= math.isfinite(check.margin)
        if check.status == "holds":
            self._add_held(instance, judgement)
        if check.status != "unknown" and not math.isnan(check.margin):
            if conclusion.status == "holds":
                self.tightest = min(self.tightest, check.margin)
            elif conclusion.status == "fails":
                self.failed_up_to = max(self.failed_up_to, check.margin)
        if judgement.violated:
            self.contradicted += 1
            if len(self.examples) < _KEPT:
                self.examples.append(instance)
        return judgement

    def _add_held(self, instance: Instance, judgement: Judgement) -> None:
        if instance.x is not None and not np.any(instance.x):
            self.trivial += 1
            return
        self.held += 1
        self.plural += _non_zeros(instance) >= 2
        self.near += 0.0 < judgement.check.margin <= NEAR
        self.designs.add(str(instance.options.get("design", "not named")).partition("(")[0].strip())
        assert judgement.conclusion is not None
        status = judgement.conclusion.status
        self.concluded += status == "holds"
        self.failed += status == "fails"
        self.undecided += status == "unknown"

    @property
    def rate_bound(self) -> float | None:
        """Lower bound of the failure rate, for a statement with a probability."""
        if self.guarantee.delta is None:
            return None
        # unknown conclusions count as successes, so that no guess becomes a violation
        return failure_rate_bound(self.contradicted, self.held + self.trivial, self.confidence)

    @property
    def violations(self) -> int:
        """Number of contradictions; for a probability 1 if it fails too often, else 0.

        Hypotheses that hold although proved vacuous count as contradictions, and so does a contradiction found by an
        attack.
        """
        bound, delta = self.rate_bound, self.guarantee.delta
        wrong = self.contradicted if bound is None or delta is None else int(bound > delta)
        attacked = self.attack is not None and self.attack.status == "broken"
        return wrong + (self.held if self.guarantee.vacuous else 0) + attacked

    @property
    def vacuous_share(self) -> float:
        """Fraction of failing hypotheses among those decided; NaN if none is decided."""
        known = self.instances - self.unknown
        return self.vacuous / known if known else math.nan

    def record(self) -> dict[str, Any]:
        """Return the counts as a dict of JSON values; infinities and NaN become None."""
        numbers = {
            name: getattr(self, name)
            for name in (
                *("instances", "several", "held", "plural", "near"),
                *("concluded", "failed", "undecided", "trivial", "vacuous", "unknown", "contradicted", "violations"),
            )
        }
        floats = {name: _finite(getattr(self, name)) for name in ("tightest", "failed_up_to", "vacuous_share")}
        head = {"name": self.guarantee.name, "kind": self.guarantee.kind, "delta": self.guarantee.delta}
        tail = {"rate_bound": self.rate_bound, "bounded": self.bounded, "designs": sorted(self.designs)}
        attack = None if self.attack is None else self.attack.record()
        return head | numbers | floats | tail | {"attack": attack}


def _non_zeros(instance: Instance) -> int:
    return instance.sparsity if instance.x is None else int(np.count_nonzero(instance.x))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


_FEWEST, _MOST = 200, 4000


def afresh(instance: Instance) -> Instance:
    """Return the same problem with copies of its arrays, and y recomputed if x and the noise are known.

    Parameters
    ----------
    instance : Instance
        The problem.

    Returns
    -------
    Instance
        An instance that shares no data or cached results with `instance`.
    """
    known = {
        name: None if getattr(instance, name) is None else np.array(getattr(instance, name))
        for name in ("y", "x", "noise", "x0")
    }
    A: Any = np.array(instance.matrix)
    if known["x"] is not None and known["noise"] is not None:
        known["y"] = A @ known["x"] + known["noise"]
    if instance.gated is not None:
        A = GatedOperator(*(np.array(part) for part in instance.gated))
    return Instance(A, sparsity=instance.sparsity, law=instance.law, options=dict(instance.options), **known)


def contradicts(
    guarantee: Guarantee,
    instance: Instance,
    rng: Any = None,
    *,
    confidence: float = CONFIDENCE,
    draws: int | None = None,
    seconds: float | None = None,
) -> bool:
    """Return whether an instance contradicts a guarantee, judged from scratch.

    Parameters
    ----------
    guarantee : Guarantee
        The guarantee.
    instance : Instance
        The problem; for a probability it needs a law, and its own noise is not used.
    rng : int, Generator or None
        Source of the noise for a probability.
    confidence : float, default 1 - 1e-6
        Level of the Clopper-Pearson bound.
    draws : int, optional
        Fresh draws of the noise; by default 40 / delta, from 200 to 4,000.
    seconds : float, optional
        Time limit for the draws. If it ends them, the result is False: nothing was shown.

    Returns
    -------
    bool
        For an implication or equivalence, whether hypotheses and conclusion contradict it. For a
        probability, whether the conclusion fails so often over the draws that the bound exceeds delta.
    """
    confidence = check_number(confidence, "confidence", minimum=0.0, maximum=1.0)
    instance = afresh(instance)
    if guarantee.delta is None:
        return guarantee.judge(instance).violated
    if instance.law is None or guarantee.check(instance).status != "holds":
        return False
    rng = arrays.generator(rng)
    if draws is None:
        draws = int(min(max(_FEWEST, math.ceil(40.0 / max(guarantee.delta, 1e-9))), _MOST))
    failures, deadline = 0, math.inf if seconds is None else time.monotonic() + seconds
    for count in range(1, check_integer(draws, "draws", minimum=1) + 1):
        failures += guarantee.judge(instance.redrawn(rng)).violated
        # even if all remaining draws fail, failures would be too rare
        if count % 32 == 0:
            best = failures + draws - count
            if failure_rate_bound(best, draws, confidence) <= guarantee.delta:
                return False
            if deadline < math.inf and time.monotonic() >= deadline:
                return False
    return failure_rate_bound(failures, draws, confidence) > guarantee.delta


def failing_draw(guarantee: Guarantee, instance: Instance, rng: Any = None) -> Instance:
    """Return the instance with a noise that makes the conclusion fail, if the guarantee is a probability.

    Parameters
    ----------
    guarantee : Guarantee
        The guarantee.
    instance : Instance
        An instance that contradicts it in the sense of :func:`contradicts`.
    rng : int, Generator or None
        Source of the noise.

    Returns
    -------
    Instance
        `instance` itself for an implication or equivalence, or if 10,000 draws found none.
    """
    if guarantee.delta is None:
        return instance
    rng = arrays.generator(rng)
    drawn = (instance.redrawn(rng) for _ in range(10_000))
    return next((one for one in drawn if guarantee.judge(one).violated), instance)
