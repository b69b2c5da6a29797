"""Search for false matches: `match_networks` on pairs of difficult small networks, compared with exact fractions.

Run from the repository root: ``python -m benchmarks.no_false_exact --pairs 20000``. Weights are floats, so both
functions are known without error. Fractions decide whether they are equal. They also give the smallest error that a
match may report (by trying all pairings of lines, in 120 digits), and the outputs at points where the networks bend. A
match is false if it reports "same function" and the error or an output contradicts this, or "exact" although the
supports differ, or an error below the smallest one. Equal functions that it does not recognise are also counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
from threadpoolctl import threadpool_limits

import planted
from benchmarks.machine import machine, table
from tests.support import exact_networks as oracle

ANGLE_TOL, DROP_TOL = 1e-9, 1e-12
ANGLES = (ANGLE_TOL * (1 - 1e-5), ANGLE_TOL * (1 + 1e-5))
TINY = Decimal("1e-60")  # the oracle itself has 120 digits
ATOLS = (1e-6, 1e-6, 1e-6, 1e-10, 1e-15, 0.0)


@dataclasses.dataclass
class Outcome:
    """The result of the match of one pair, and the truth."""

    family: str
    equal: bool
    recognised: bool
    same_function: bool
    exact: bool
    false_function: bool
    false_exact: bool
    false_error: bool
    pair: tuple = ()


def _network(rng, d, k):
    m = int(rng.integers(1, 4))
    kind = rng.integers(3)
    if kind == 0:
        u, v = rng.integers(-4, 5, (d, m)).astype(float), rng.choice([-3.0, -1.0, 1.0, 2.0], (m, k))
    else:
        u, v = rng.standard_normal((d, m)), rng.standard_normal((m, k))
    if kind == 2:
        u *= rng.random((d, m)) < 0.6
    return u, v


def _shuffled(rng, u, v):
    order = rng.permutation(u.shape[1])
    return u[:, order], v[order]


def _join(*parts):
    return np.hstack([u for u, _ in parts]), np.vstack([v for _, v in parts])


def independent(rng, u, v):
    """Draw an independent network."""
    return (u, v), _network(rng, u.shape[0], v.shape[1])


def rescaled(rng, u, v):
    """Scale the neurons by powers of two, and permute them."""
    scale = 2.0 ** rng.integers(-30, 31, u.shape[1])
    return (u, v), _shuffled(rng, u * scale, v / scale[:, None])


def split(rng, u, v):
    """Split a neuron in two with the same function."""
    j = int(rng.integers(u.shape[1]))
    if rng.random() < 0.5:  # u v = (u / 8) (7 v) + (u / 8) v; where 7 v is rounded, not quite
        other, rest = u.copy(), v.copy()
        other[:, j] /= 8
        rest[j] *= 7
        return (u, v), _shuffled(rng, *_join((other, rest), (u[:, [j]] / 8, v[[j]])))
    halves = v.copy()
    halves[j] /= 2
    return (u, v), _shuffled(rng, *_join((u, halves), (u[:, [j]], halves[[j]])))


def tripled(rng, u, v):
    """Compare 3 u and v with u and 3 v for integer weights: equal, although their norms are rounded differently."""
    u, v = np.round(8 * u), np.round(8 * v)
    return (3 * u, v), _shuffled(rng, u, 3 * v)


def mirrored(rng, u, v):
    """Reverse a neuron, with or without neurons along the axes that take over its linear part."""
    j = int(rng.integers(u.shape[1]))
    other = u.copy()
    other[:, j] *= -1
    if rng.random() < 0.5:
        return (u, v), _shuffled(rng, other, v)
    axes = np.diag(u[:, j])
    return (u, v), _shuffled(
        rng, *_join((other, v), (axes, np.tile(v[j], (u.shape[0], 1))), (-axes, -np.tile(v[j], (u.shape[0], 1))))
    )


def cancelling(rng, u, v):
    """Add huge neurons on one line that cancel, completely or except for their linear part."""
    d, k = u.shape[0], v.shape[1]
    w = rng.integers(-3, 4, (d, 1)).astype(float)
    big = 10.0 ** rng.integers(3, 200) * np.ones((1, k))
    extra = _join((w, big), (w, -big)) if rng.random() < 0.6 else _join((w, big), (-w, -big))
    if rng.random() < 0.3:
        extra = _join((3 * w, big), (w, -3 * big))  # 3 * 10^p is rounded: now and then not equal
    truth = u, v
    if rng.random() < 0.3:  # the linear part alone: the lines are missing, and must not be taken for small ones
        truth = _join((u, v / 2), (-u, -v / 2))
    return _shuffled(rng, *_join((u, v), extra)), truth


def nearly_cancelling(rng, u, v):
    """Add strong neurons on lines that are not quite one."""
    d, k = u.shape[0], v.shape[1]
    w = rng.standard_normal((d, 1))
    turned = w + 10.0 ** rng.uniform(-17, -7) * rng.standard_normal((d, 1))
    big = 10.0 ** rng.uniform(-3, 14) * rng.standard_normal((1, k))
    sign = rng.choice([-1.0, 1.0])
    return _shuffled(rng, *_join((u, v), (w, big), (sign * turned, -big))), (u, v)


def only_cancelled(rng, u, v):
    """Make a network of huge neurons that cancel to a linear function, or to nothing."""
    big = 10.0 ** rng.integers(0, 15)
    return _shuffled(rng, *_join((u, v), (u, -v), (u, big * v), (-u, -big * v))), (u * rng.choice([1.0, big]), v)


def near_parallel(rng, u, v):
    """Split a neuron into two parts that are not quite parallel, around the tolerance."""
    j = int(rng.integers(u.shape[1]))
    share = rng.uniform(0.01, 0.99)
    first, second = v.copy(), v[[j]] * (1 - share)
    first[j] *= share
    turn = 10.0 ** rng.uniform(-13, -6) * rng.standard_normal((u.shape[0], 1))
    return _shuffled(rng, *_join((u, first), (u[:, [j]] + turn, second))), (u, v)


def extreme(rng, u, v):
    """Scale the layers to the ends of the float range, so that products overflow or underflow."""
    first, second = 10.0 ** rng.integers(-300, 300), 10.0 ** rng.integers(-300, 300)
    u, v = np.round(u, 2) * first, np.round(v, 2) * second
    u, v = np.clip(u, -1e308, 1e308), np.clip(v, -1e308, 1e308)
    other = u * rng.choice([-1.0, 1.0]), v * rng.choice([1.0, 1.0, 1.0 + 1e-9, -1.0])
    return (u, v), _shuffled(rng, *other)


def subnormal(rng, u, v):
    """Use subnormal weights with a few digits."""
    u = np.round(3 * u) * 5e-324
    other = u.copy()
    if rng.random() < 0.5:
        other[int(rng.integers(u.shape[0])), int(rng.integers(u.shape[1]))] += 5e-324
    return (u, v), _shuffled(rng, other, v)


def perturbed(rng, u, v):
    """Change weights a little, from far below rounding to far above the tolerance."""
    size = 10.0 ** rng.uniform(-18, -3)
    return (
        u + size * rng.standard_normal(u.shape) * (rng.random(u.shape) < 0.5),
        v * (1 + size * rng.standard_normal()),
    ), (u, v)


def around_atol(rng, u, v):
    """Change the outputs by the tolerance, a little more or less."""
    return (u, v * (1 + 1e-6 * rng.choice([0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 2.0]))), (u, v)


def tiny_extra(rng, u, v):
    """Add a weak neuron or a small weight."""
    size = 10.0 ** rng.choice([-15.0, -10.0, -8.0, -5.0])
    if rng.random() < 0.5:
        return _join((u, v), (size * rng.standard_normal((u.shape[0], 1)), np.ones((1, v.shape[1])))), (u, v)
    other = u.copy()
    other[u == 0] = size
    return (other, v), (u, v)


def single(rng, u, v):
    """Scale float32 weights by numbers that are no powers of two, rounded to float64 or float32."""
    u, v = u.astype(np.float32).astype(float), v.astype(np.float32).astype(float)
    scale = rng.uniform(0.1, 10.0, u.shape[1])
    other = (u * scale), v / scale[:, None]
    if rng.random() < 0.5:
        other = other[0].astype(np.float32).astype(float), other[1].astype(np.float32).astype(float)
    return _shuffled(rng, *other), (u, v)


def zero(rng, u, v):
    """Compare the zero function with itself and others."""
    none = np.zeros_like(u), v
    gone = _join((u, v), (u, -v))
    first = none if rng.random() < 0.5 else gone
    second = (u, v) if rng.random() < 0.5 else (np.zeros((u.shape[0], 1)), v[:1])
    return (first, second) if rng.random() < 0.5 else (second, first)


FAMILIES = (
    independent,
    rescaled,
    split,
    tripled,
    mirrored,
    cancelling,
    nearly_cancelling,
    only_cancelled,
    near_parallel,
    extreme,
    subnormal,
    perturbed,
    around_atol,
    tiny_extra,
    single,
    zero,
)


def _points(rng, *forms):
    """Return points that reveal differences: axes, integers, along each line and very close to it."""
    d = len(forms[0].linear)
    points = [[Fraction(int(i == j)) for j in range(d)] for i in range(d)]
    points += [[Fraction(int(number)) for number in rng.integers(-9, 10, d)] for _ in range(3)]
    for form in forms:
        points += [list(line) for line in form.lines]
    return [sign for x in points for sign in (x, [-entry for entry in x])]


def judge(family, found, truth, atol, rng):
    """Compare the match of a pair with the truth."""
    match = planted.match_networks(planted.ReLUNetwork(list(found)), planted.ReLUNetwork(list(truth)), atol=atol)
    one, two = oracle.kinks(*found), oracle.kinks(*truth)
    equal = oracle.equal(one, two)
    points = _points(rng, one, two)

    def too_small(error):
        # whether lines at an angle of the tolerance itself are one or two is left to rounding
        return math.isfinite(error) and all(
            (not equal and oracle.least_error(one, two, angle) > Decimal(error) * (1 + TINY) + TINY)
            or oracle.differs_at(one, two, points, error, angle)
            for angle in ANGLES
        )

    false_error = too_small(match.weight_error)
    false_function = match.same_function and too_small(atol)
    false_exact = False
    if match.exact:
        same = any(
            oracle.supports(one, a, DROP_TOL) == oracle.supports(two, b, DROP_TOL) for a in ANGLES for b in ANGLES
        )
        false_exact = false_function or not match.same_function or not (equal or same)
    outcome = Outcome(
        family, equal, match.exact and match.weight_error == 0, match.same_function, match.exact,
        false_function, false_exact, false_error,
    )  # fmt: skip
    if false_function or false_exact or false_error or (equal and not outcome.recognised):
        outcome.pair = (found, truth, atol, match)
    return outcome


def campaign(count, seed=0):
    """Yield one outcome for each pair."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        family = FAMILIES[number % len(FAMILIES)]
        d, k = int(rng.integers(1, 5)), int(rng.choice([1, 1, 2, 3]))
        found, truth = family(rng, *_network(rng, d, k))
        if rng.random() < 0.5:
            found, truth = truth, found
        if k == 1 and rng.random() < 0.8:
            found, truth = (found[0], found[1][:, 0]), (truth[0], truth[1][:, 0])
        yield judge(family.__name__, found, truth, float(rng.choice(ATOLS)), rng)


def summary(outcomes):
    """Return one row per family."""
    rows = []
    for family in (*(family.__name__ for family in FAMILIES), "all"):
        own = [one for one in outcomes if family in (one.family, "all")]
        equal = [one for one in own if one.equal]
        rows.append(
            (
                family.replace("_", " "),
                len(own),
                len(equal),
                len(equal) - sum(one.recognised for one in equal),
                sum(one.same_function for one in own),
                sum(one.exact for one in own),
                sum(one.false_function for one in own),
                sum(one.false_exact for one in own),
                sum(one.false_error for one in own),
            )
        )
    head = (
        "family",
        "pairs",
        "equal",
        "not recognised",
        "same function",
        "exact",
        "false same function",
        "false exact",
        "error too small",
    )
    return table(head, rows)


def main(arguments=None):
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print(f"{machine()}\n")
    wall, cpu = time.perf_counter(), time.process_time()
    with threadpool_limits(1):
        outcomes = list(campaign(options.pairs, options.seed))
    print(summary(outcomes))
    print(f"\n{time.perf_counter() - wall:.0f} s, {time.process_time() - cpu:.0f} s of processor.")


if __name__ == "__main__":
    main()
