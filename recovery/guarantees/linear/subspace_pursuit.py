"""Guarantee that subspace pursuit converges to the planted vector."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from recovery.guarantees.engine.base import Guarantee, Verdict
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear.cosamp import first_rate
from recovery.guarantees.linear.iterative import (
    errors_fall,
    instance_with,
    kappa_of_delta,
)
from recovery.guarantees.linear.scaled_thresholding import scaled_rule

__all__ = ["LIMIT", "guarantees", "pursues", "rate", "sampler", "start_rate"]

LIMIT = math.sqrt(math.sqrt(5.0) - 2.0)
"""0.4859, where :func:`rate` is 1."""


def rate(delta: float) -> float:
    """Return sqrt(2 delta^2 (1 + delta^2)) / (1 - delta^2), for a step from zero or from a least squares solution."""
    return first_rate(delta)


def start_rate(delta: float) -> float:
    """Return (1 + sqrt(2) delta) sqrt(1 + delta^2) / (1 - delta^2), for a first step from any other start."""
    square = delta * delta
    return (1.0 + math.sqrt(2.0) * delta) * math.sqrt(1.0 + square) / (1.0 - square) if square < 1.0 else math.inf


def pursues(limit: float) -> Callable[[Instance], Verdict]:
    """Return the outcome "the errors fall at the proved rates", rescaled so that the rate is 1 at the limit."""
    return errors_fall("subspace-pursuit", order=3, scale=LIMIT / limit, later=rate, first=start_rate)


def sampler(rng: np.random.Generator, limit: float = LIMIT) -> Instance:
    """Draw columns with delta_{3s} near the limit."""
    return instance_with(rng, lambda s: 3 * s, lambda s, margin: kappa_of_delta(limit / (1.0 + margin)))


def guarantees() -> list[Guarantee]:
    """Return the guarantee of subspace pursuit.

    Returns
    -------
    list of Guarantee
        The guarantee applies to the solver as implemented, on the columns as given. The solver continues where the
        original would stop because a residual grew, and does not depend on the scale of A, so delta is that of its best
        scale.
    """
    tests = "tests/recovery/test_guarantees_subspace_pursuit.py"
    return [
        Guarantee(
            "subspace-pursuit-restricted-isometry",
            "implication",
            "Without noise, if delta = delta_{3s} < sqrt(sqrt(5) - 2) = 0.4859 (A scaled to make delta smallest) and "
            "x0 and x are s-sparse, then subspace pursuit has |x_t - x| <= q r^{t-1} |x0 - x|, r = sqrt(2 delta^2 (1 "
            "+ delta^2)) / (1 - delta^2) < 1, q = r if x0 = 0 and (1 + sqrt(2) delta) sqrt(1 + delta^2) / (1 - "
            "delta^2) otherwise, and x_t = x once this bound is below min |x_S|.",
            "derived here: docs/theory, section Subspace pursuit; covers 0.165 and 0.205 (Dai and Milenkovic, "
            "IEEE Trans. Inf. Theory 2009, from memory of the literature), and is the constant of Song, Xia and Liu, "
            "arXiv:1309.6073 (from memory of the literature)",
            tests,
            scaled_rule(LIMIT),
            pursues(LIMIT),
            sampler=sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
    ]
