"""What is counted when one guarantee is looked at on many instances."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planted.checks import check_integer, check_number
from planted.values import by_value
from recovery.guarantees.attack_results import AttackResult
from recovery.guarantees.base import Guarantee, Judgement
from recovery.instances import Instance

__all__ = ["CONFIDENCE", "NEAR", "Tally", "failure_rate_bound"]

CONFIDENCE = 1.0 - 1e-6
"""Level at which a failure rate counts as too large: hundreds of tests raise a false alarm once in 10,000 runs."""
NEAR = 0.05
"""Hypotheses that hold with at most this margin hold near their boundary."""
_KEPT = 5


def failure_rate_bound(failures: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the Clopper-Pearson lower bound of a failure probability.

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
    """Counts of one guarantee; :meth:`add` looks at one more instance.

    Parameters
    ----------
    guarantee : Guarantee
        Which.
    confidence : float, default 1 - 1e-6
        Level of :func:`failure_rate_bound` for a statement with a probability.

    Attributes
    ----------
    instances : int
        Looked at.
    held : int
        Hypotheses hold and x is not 0 (x unknown counts as not 0). The next six count among these.
    plural : int
        At least two non-zeros.
    near : int
        Margin in (0, 0.05].
    concluded, failed, undecided : int
        The conclusion holds, fails, is unknown.
    trivial : int
        Hypotheses hold, x = 0.
    vacuous : int
        Hypotheses fail.
    unknown : int
        Hypotheses are unknown.
    contradicted : int
        Judgements that contradict the statement; for a probability, draws that failed although it held.
    tightest : float
        Smallest margin of the hypotheses at which the conclusion still held; at most about 0 if they are tight.
    failed_up_to : float
        Largest margin of the hypotheses at which the conclusion failed; about 0 if they are tight.
    bounded : bool
        Whether a finite margin was seen: there is a boundary to be near to.
    examples : list of Instance
        The first few that contradict.
    attack : AttackResult or None
        What an attack on the guarantee came to, if there was one; :meth:`add` does not touch it.
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
            What was found.
        """
        judgement = self.guarantee.judge(instance)
        check, conclusion = judgement.check, judgement.conclusion
        assert conclusion is not None
        self.instances += 1
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
        count = instance.sparsity if instance.x is None else int(np.count_nonzero(instance.x))
        self.held += 1
        self.plural += count >= 2
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
        # conclusions that are unknown count as successes, so that no guess becomes a violation
        return failure_rate_bound(self.contradicted, self.held + self.trivial, self.confidence)

    @property
    def violations(self) -> int:
        """How often the statement was contradicted; for a probability 1 if it fails too often, else 0.

        Hypotheses that hold although they are proved vacuous contradict too, and so does what an attack found.
        """
        bound, delta = self.rate_bound, self.guarantee.delta
        wrong = self.contradicted if bound is None or delta is None else int(bound > delta)
        attacked = self.attack is not None and self.attack.status == "broken"
        return wrong + (self.held if self.guarantee.vacuous else 0) + attacked

    @property
    def vacuous_share(self) -> float:
        """Share of hypotheses that fail among those that are known; NaN if none is."""
        known = self.instances - self.unknown
        return self.vacuous / known if known else math.nan

    def record(self) -> dict[str, Any]:
        """Return the counts as a dict of JSON values; infinities and NaN become None."""
        numbers = {
            name: getattr(self, name)
            for name in (
                *("instances", "held", "plural", "near"),
                *("concluded", "failed", "undecided", "trivial", "vacuous", "unknown", "contradicted", "violations"),
            )
        }
        floats = {name: _finite(getattr(self, name)) for name in ("tightest", "failed_up_to", "vacuous_share")}
        head = {"name": self.guarantee.name, "kind": self.guarantee.kind, "delta": self.guarantee.delta}
        tail = {"rate_bound": self.rate_bound, "bounded": self.bounded, "designs": sorted(self.designs)}
        attack = None if self.attack is None else self.attack.record()
        return head | numbers | floats | tail | {"attack": attack}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
