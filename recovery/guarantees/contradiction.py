"""When an instance contradicts a guarantee, in the sense of its kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from planted import arrays
from planted.checks import check_integer, check_number
from recovery.gated import GatedOperator
from recovery.guarantees.base import Guarantee
from recovery.guarantees.tally import CONFIDENCE, failure_rate_bound
from recovery.instances import Instance

__all__ = ["afresh", "contradicts", "failing_draw"]

_FEWEST, _MOST = 200, 4000


def afresh(instance: Instance) -> Instance:
    """Return the same problem from copies of its arrays, with y computed again where x and the noise are known.

    Parameters
    ----------
    instance : Instance
        The problem.

    Returns
    -------
    Instance
        Shares nothing with `instance`, and remembers nothing.
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
) -> bool:
    """Tell whether a guarantee is wrong about an instance, judging it from scratch.

    Parameters
    ----------
    guarantee : Guarantee
        Which.
    instance : Instance
        The problem; for a probability it needs a law, and its own noise is not used.
    rng : int, Generator or None
        Source of the noise for a probability.
    confidence : float, default 1 - 1e-6
        Level of the Clopper-Pearson bound.
    draws : int, optional
        Fresh draws of the noise; by default 40 / delta, from 200 to 4,000.

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
    failures = 0
    for count in range(1, check_integer(draws, "draws", minimum=1) + 1):
        failures += guarantee.judge(instance.redrawn(rng)).violated
        # all that is left may fail and it would still be too rare
        if count % 32 == 0:
            best = failures + draws - count
            if failure_rate_bound(best, draws, confidence) <= guarantee.delta:
                return False
    return failure_rate_bound(failures, draws, confidence) > guarantee.delta


def failing_draw(guarantee: Guarantee, instance: Instance, rng: Any = None) -> Instance:
    """Return the instance with a noise that makes the conclusion fail, if the guarantee is a probability.

    Parameters
    ----------
    guarantee : Guarantee
        Which.
    instance : Instance
        Contradicts it in the sense of :func:`contradicts`.
    rng : int, Generator or None
        Source of the noise.

    Returns
    -------
    Instance
        `instance` itself for an implication or equivalence, or where 10,000 draws found none.
    """
    if guarantee.delta is None:
        return instance
    rng = arrays.generator(rng)
    drawn = (instance.redrawn(rng) for _ in range(10_000))
    return next((one for one in drawn if guarantee.judge(one).violated), instance)
