"""Guarantee that compressive sampling matching pursuit (CoSaMP) converges to the planted vector."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear.iterative import errors_fall, instance_with, kappa_of_delta
from recovery.guarantees.linear.scaled_thresholding import scaled_rule

__all__ = ["LIMIT", "guarantees", "later_rate", "pursues", "sampler"]

LIMIT = math.sqrt((math.sqrt(57.0) - 7.0) / 2.0)
"""0.5243, where :func:`later_rate` is 1."""


def first_rate(delta: float) -> float:
    """Return sqrt(2 delta^2 (1 + delta^2)) / (1 - delta^2), for a step from any start."""
    square = delta * delta
    return math.sqrt(2.0 * square * (1.0 + square)) / (1.0 - square) if square < 1.0 else math.inf


def later_rate(delta: float) -> float:
    """Return sqrt(3/2 delta^2 (1 + delta^2)) / (1 - delta^2), for a step from zero or from a least squares solution."""
    return math.sqrt(0.75) * first_rate(delta)


def pursues(limit: float) -> Callable[[Instance], Verdict]:
    """Return the outcome "the errors fall at the proved rates", rescaled so that the later rate is 1 at the limit."""
    return errors_fall("cosamp", order=4, scale=LIMIT / limit, later=later_rate, first=first_rate)


def sampler(rng: np.random.Generator, limit: float = LIMIT) -> Instance:
    """Draw columns with delta_{4s} near the limit."""
    return instance_with(rng, lambda s: 4 * s, lambda s, margin: kappa_of_delta(limit / (1.0 + margin)), others=7)


def guarantees() -> list[Guarantee]:
    """Return the guarantee of CoSaMP.

    Returns
    -------
    list of Guarantee
        The guarantee applies to the solver as implemented, which refits on the pruned support, and to the columns as
        given. The method does not depend on the scale of A, so delta is that of its best scale.
    """
    tests = "tests/recovery/test_guarantees_cosamp.py"
    return [
        Guarantee(
            "cosamp-restricted-isometry",
            "implication",
            "Without noise, if delta = delta_{4s} < sqrt((sqrt(57) - 7) / 2) = 0.5243 (A scaled to make delta "
            "smallest), and x0 and x are s-sparse, then CoSaMP with a second fit has |x_t - x| <= q "
            "r^{t-1} |x0 - x|, r = sqrt(3/2 delta^2 (1 + delta^2)) / (1 - delta^2) < 1, q = r if x0 = 0 and q = "
            "sqrt(4/3) r otherwise, and x_t = x once this bound is below min |x_S|.",
            "derived here: docs/theory, section CoSaMP with a second fit; covers 0.5 (Song, Xia and Liu, "
            "arXiv:1309.6073) and 0.3843 (Foucart 2010) from the abstracts, for the method without that fit",
            tests,
            scaled_rule(LIMIT, 4),
            pursues(LIMIT),
            sampler=sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
    ]
