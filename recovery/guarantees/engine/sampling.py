"""Instances for testing guarantees: random, adversarial, and moved to the boundary of a hypothesis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from planted import designs as laws_of_designs
from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from recovery.guarantees.engine.base import Guarantee, check_guarantee
from recovery.guarantees.engine.instance import LAWS, Instance, NoiseLaw

__all__ = ["DESIGNS", "TALL_DESIGNS", "draw", "linear_instance", "steer"]

TALL_DESIGNS = (
    "gaussian",
    "orthogonal",
    "toeplitz",
    "equicorrelated",
    "block",
    "ill_conditioned",
    "heavy_tailed",
    "decoy",
    "unequal_norms",
    "collinear",
    "integer",
)
"""Designs of full column rank (with probability 1, where n >= d)."""
DESIGNS = (*TALL_DESIGNS, "duplicated")
"""All designs that :func:`linear_instance` knows."""

_FURTHEST = 20.0  # steering never scales by more than exp(20): beyond, y = A x + noise loses the smaller term
_CHECKS = 12


def linear_instance(
    rng: np.random.Generator | int | None = None,
    *,
    designs: Sequence[str] = TALL_DESIGNS,
    n_range: tuple[int, int] = (2, 24),
    d_range: tuple[int, int] = (2, 10),
    k_range: tuple[int, int] = (1, 4),
    laws: Sequence[str] = LAWS,
    signs: Sequence[str] = ("random", "positive"),
    tall: bool = True,
    aimed: float = 0.2,
    start: bool = False,
    wild: float = 0.2,
    noise: str = "any",
) -> Instance:
    """Draw a small sparse linear model y = A x + noise, of a kind that challenges theorems.

    Parameters
    ----------
    rng : int, Generator or None
        Source of randomness.
    designs : sequence of str, default :data:`TALL_DESIGNS`
        Laws of A, chosen with equal probability: names of :data:`planted.designs.BY_NAME` with random parameters,
        ``"collinear"`` (a column plus 1e-4 to 1e-1 times a fresh one) and ``"integer"`` (entries -2 to 2, full column
        rank if tall).
    n_range, d_range, k_range : tuple of int
        Inclusive ranges of rows, columns and non-zeros; k stays below d (if d > 1), and is 1 in at most
        about a third of the draws if the ranges allow more.
    laws : sequence of str, default all
        Laws of the noise (:data:`recovery.guarantees.engine.instance.LAWS`), chosen with equal probability.
    signs : sequence of {"random", "positive"}
        Signs of the non-zeros; their sizes are equal, spread over up to three decades, or normal.
    tall : bool, default True
        Make n at least d; one instance in four has n = d.
    aimed : float, default 0.2
        Fraction of instances whose noise is not drawn from a law (``law`` is None): among all noise of its size, it
        most effectively brings the smallest non-zero weight below one that should be 0. Use 0 for statements about a
        law.
    start : bool, default False
        Whether to draw x0 too (normal, 1e-2 to 10 times as large as x).
    wild : float, default 0.2
        Fraction of instances in which A and x are multiplied by factors of 1e-3 to 1e6 and 1e-3 to 1e3.
    noise : {"any", "none"}, default "any"
        "none" draws the same A, x and x0 without noise, for statements about data without noise.

    Returns
    -------
    Instance
        With x, noise and, unless aimed or without noise, its law; ``options["design"]`` says the design and its
        parameters. A design that does not fit the size drawn (orthogonal with n < d, two equal columns of one) is
        gaussian.

    Raises
    ------
    ValueError
        If a range is empty, or a design, law, kind of sign or kind of noise is unknown.
    """
    rng = arrays.generator(rng)
    check_choice(noise, "noise", ("any", "none"))
    for argument, choices in (("designs", designs), ("laws", laws), ("signs", signs)):
        if isinstance(choices, str) or not choices:
            raise ValueError(f"{argument}={choices!r}; expected a non-empty sequence of names")
    for argument, (low, high) in (("n_range", n_range), ("d_range", d_range), ("k_range", k_range)):
        if not 1 <= low <= high:
            raise ValueError(f"{argument}={(low, high)}; expected two integers with 1 <= first <= second")
    d = int(rng.integers(d_range[0], d_range[1] + 1))
    n = int(rng.integers(n_range[0], n_range[1] + 1))
    if tall:
        n = d if rng.random() < 0.25 else max(n, d)
    most = min(k_range[1], max(d - 1, 1))
    least = min(max(k_range[0], 2 if rng.random() < 0.75 else 1), most)
    k = int(rng.integers(least, most + 1))
    name = designs[int(rng.integers(len(designs)))]
    support = np.sort(rng.permutation(d)[:k])
    A, design = _matrix(name, n, d, support, tall, rng)
    x = np.zeros(d)
    x[support] = _sizes(k, rng)
    if check_choice(signs[int(rng.integers(len(signs)))], "signs", ("random", "positive")) == "random":
        x[support] *= np.where(rng.random(k) < 0.5, -1.0, 1.0)
    if rng.random() < wild:
        A = A * 10.0 ** rng.uniform(-3, 6)
        x = x * 10.0 ** rng.uniform(-3, 3)
    smallest = float(np.min(np.abs(x[support])))
    sigma = 10.0 ** rng.uniform(-3, 0.5) * smallest * math.sqrt(float(np.mean(A * A)))
    law: NoiseLaw | None = None
    if rng.random() < aimed and k < d:
        added = _aimed(A, x, rng)
        size = math.sqrt(float(np.mean(added * added)))
        added = added * (sigma / size) if size > 0.0 else added
    else:
        law = NoiseLaw(laws[int(rng.integers(len(laws)))], sigma)
        added = law.draw(n, rng)
    x0 = rng.standard_normal(d) * 10.0 ** rng.uniform(-2, 1) * math.sqrt(float(x @ x) / k) if start else None
    if noise == "none":
        added, law = np.zeros(n), None
    return Instance.planted(A, x, added, law=law, x0=x0, options={"design": design})


def draw(guarantee: Guarantee, seed: int, *, steered: bool = True) -> Instance:
    """Draw the instance of a guarantee with a given seed.

    Parameters
    ----------
    guarantee : Guarantee
        A guarantee with a sampler.
    seed : int
        At least 0.
    steered : bool, default True
        Scale noise or signal as the guarantee says, so that the hypotheses' margin is: log-uniform in 0.05
        to 3 (45 %), in 1e-6 to 0.05 (25 %: just holds), in -0.3 to -1e-4 (15 %: just fails); otherwise unchanged. For a
        probability 15, 70 and 5 %: instances far from the boundary would dilute the failure rate.

    Returns
    -------
    Instance
        Always the same instance for the same arguments; ``options["seed"]`` is the seed.

    Raises
    ------
    ValueError
        If the guarantee has no sampler.
    """
    check_integer(seed, "seed", minimum=0)
    check_guarantee(guarantee)
    rng = arrays.generator(arrays.seed_sequence("guarantee", guarantee.name, int(seed)))
    try:
        instance = guarantee.drawn(rng).with_options(seed=int(seed))
    except Exception as error:
        error.add_note(f"while drawing the instance of seed {seed}")
        raise
    kind, place = rng.random(2)
    easy, just, below = (0.45, 0.70, 0.85) if guarantee.delta is None else (0.15, 0.85, 0.90)
    if not steered or kind >= below:
        return instance
    if kind < easy:
        return steer(guarantee, instance, _between(0.05, 3.0, place))
    if kind < just:
        return steer(guarantee, instance, _between(1e-6, 0.05, place))
    return steer(guarantee, instance, -_between(1e-4, 0.3, place))


def steer(guarantee: Guarantee, instance: Instance, target_margin: float) -> Instance:
    """Scale the noise or the signal until the hypotheses hold with a given margin.

    Parameters
    ----------
    guarantee : Guarantee
        The guarantee; its ``steer`` says what to scale.
    instance : Instance
        With x and noise.
    target_margin : float
        More than -1.

    Returns
    -------
    Instance
        The scaled instance, whose margin is within a tenth of the target; `instance` itself if a dozen checks find none
        (another hypothesis decides, or the margin is unknown or infinite).

    Notes
    -----
    In u = log(scale), log(1 + margin) of a ratio is linear with slope -1 (noise) or +1 (signal), so that the first
    step is exact for most hypotheses; secant steps follow, or bisection once the target is bracketed.
    """
    target = check_number(target_margin, "target_margin")
    if target <= -1.0:
        raise ValueError(f"target_margin={target}; expected a number above -1, the margin of a left side of 0")
    if guarantee.steer is None or instance.x is None or instance.noise is None:
        return instance
    slope = -1.0 if guarantee.steer == "noise" else 1.0
    goal, close = math.log1p(target), 0.1 * abs(target)
    known: list[tuple[float, float]] = []  # (u, log(1 + margin) - goal)
    u = 0.0
    for _ in range(_CHECKS):
        scaled = instance if u == 0.0 else instance.scaled(**{guarantee.steer: math.exp(u)})
        margin = guarantee.check(scaled).margin
        if abs(margin - target) <= close:
            return scaled
        if -1.0 < margin < math.inf:
            known.append((u, math.log1p(margin) - goal))
            u = _next_guess(known, slope)
        elif known:  # also for NaN: the step was too long
            u = 0.5 * (u + known[-1][0])
        else:
            return instance
        if abs(u) > _FURTHEST or any(u == there for there, _ in known):
            return instance
    return instance


def _next_guess(known: list[tuple[float, float]], slope: float) -> float:
    """Return where log(1 + margin) - goal may be 0, after at least one value of it."""
    here, miss = known[-1]
    low = [u for u, value in known if value * slope < 0.0]  # the increasing function slope * value is negative there
    high = [u for u, value in known if value * slope > 0.0]
    guess = here - miss / slope
    if len(known) > 1:
        before, missed = known[-2]
        if miss != missed:
            guess = here - miss * (here - before) / (miss - missed)
    if low and high:
        left, right = max(low), min(high)
        # every third step bisects, so that a kink cannot stall the secant method
        if left < right and (not left < guess < right or len(known) % 3 == 0):
            guess = 0.5 * (left + right)
    return guess


def _between(low: float, high: float, place: float) -> float:
    return low * (high / low) ** float(place)


def _sizes(k: int, rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.25:
        return np.ones(k)
    if kind < 0.75:
        return 10.0 ** (rng.uniform(0, 3) * rng.random(k) * (rng.random() < 0.5) + 0.3 * rng.random(k))
    return np.abs(rng.standard_normal(k)) + 1e-3


def _aimed(A: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the noise direction that most raises a zero weight j while lowering the smallest non-zero weight i.

    Least squares moves by eta = A^+ noise, and for |noise| = 1 the largest v . eta, v = e_j - sign(x_i) e_i, is
    that of noise = (A^+)' v / |(A^+)' v|.
    """
    zeros = np.flatnonzero(x == 0.0)
    small = int(np.argmin(np.where(x != 0.0, np.abs(x), np.inf)))
    direction = np.zeros(x.size)
    direction[int(zeros[int(rng.integers(zeros.size))])] = 1.0
    direction[small] = -np.sign(x[small])
    return np.linalg.pinv(A).T @ direction


def _matrix(
    name: str, n: int, d: int, support: np.ndarray, tall: bool, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    """Return a matrix and the design's name with its parameters."""
    planted = laws_of_designs
    fits = {
        "orthogonal": n >= d,
        "decoy": 0 < support.size < d,
        "duplicated": d >= 2,
        "collinear": d >= 2,
    }
    if not fits.get(name, True):
        name = "gaussian"
    if name == "collinear":
        A = rng.standard_normal((n, d))
        first, second = rng.permutation(d)[:2]
        t = 10.0 ** rng.uniform(-4, -1)
        A[:, second] = (1.0 if rng.random() < 0.5 else -1.0) * A[:, first] + t * A[:, second]
        return A, f"collinear(t={t:.2g})"
    if name == "integer":
        A = rng.integers(-2, 3, size=(n, d)).astype(np.float64)
        if tall and np.linalg.matrix_rank(A) < d:
            A[:d] += 4.0 * d * np.eye(d)  # diagonally dominant
        A[0] += np.where(np.any(A != 0.0, axis=0), 0.0, 1.0)  # no column is 0
        return A, "integer"
    if name not in DESIGNS:
        raise ValueError(f"designs has {name!r}; expected names from {', '.join(DESIGNS)}")
    law = {
        "toeplitz": lambda: planted.toeplitz(rng.uniform(-0.95, 0.95)),
        "equicorrelated": lambda: planted.equicorrelated(rng.uniform(0.0, 0.95)),
        "block": lambda: planted.block(rng.uniform(0.0, 0.95), int(rng.integers(2, 5))),
        "ill_conditioned": lambda: planted.ill_conditioned(10.0 ** rng.uniform(0, 4)),
        "heavy_tailed": lambda: planted.heavy_tailed(rng.uniform(2.1, 6.0)),
        "decoy": lambda: planted.decoy(rng.uniform(0.5, 0.99)),
        "unequal_norms": lambda: planted.unequal_norms(10.0 ** rng.uniform(0, 3)),
    }.get(name, lambda: planted.resolve(name))()
    return law(n, d, rng, support), str(law)
