"""Guarantees that the group program and the cone program find a planted gated network: neural isometry."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from recovery.conditions.neural import neural_isometry
from recovery.exact.bounded import Bounded, constant
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.linear import frames
from recovery.networks.convex import GroupFit, cone_program, flattest_dual, group_program
from recovery.operators.gated import GatedOperator

__all__ = ["DESIGNS", "gated_instance", "guarantees"]


DESIGNS = ("gaussian", "whitened", "correlated", "heavy_tailed", "binary", "integer")
"""Laws of X that :func:`gated_instance` knows."""
_ATTEMPTS = 25
_DIRECTIONS = 8
Rng = np.random.Generator


def gated_instance(
    rng: Rng | int | None = None,
    *,
    planted: tuple[int, int] = (1, 1),
    linear: bool = False,
    cone: bool = False,
    normalised: bool = False,
) -> Instance:
    """Draw a small noiseless gated model, with weights rotated so that the condition is near its boundary.

    Parameters
    ----------
    rng : int, Generator or None
        Source of randomness.
    planted : tuple of int, default (1, 1)
        Inclusive range of the number of planted gates.
    linear : bool, default False
        Plant one gate that is open on all rows.
    cone : bool, default False
        Plant every w_j, or -w_j, in the cone of its gate, (2 D_j - I) X w_j >= 0.
    normalised : bool, default False
        Aim at the condition of the normalised program.

    Returns
    -------
    Instance
        2 to 4 inputs, 2 to 7 gates, at most 20 rows (X any of :data:`DESIGNS`); ``options["design"]`` names the law.

    Notes
    -----
    The value of the condition is continuous in the directions of the planted weights. The lowest and the highest of a
    few values are taken, and bisection between these two finds the value 1 / (1 + margin), if it lies between them, for
    a margin of :func:`recovery.guarantees.linear.frames.aim`.
    """
    rng = arrays.generator(rng)
    goal = 1.0 / (1.0 + frames.aim(rng))
    fallback: Instance | None = None
    attempt = 0
    while fallback is None or attempt < _ATTEMPTS:
        attempt += 1
        drawn = _model(rng, planted, linear, cone)
        if drawn is None:
            continue
        name, X, gates, count, W = drawn
        value = _value(X, gates, count, normalised)
        if value is None:
            continue
        low, high = _extremes(rng, X, W, value, cone)
        reached = value(low) < goal <= value(high)
        W = _between(value, low, high, goal) if reached else low
        fallback = _instance(rng, name, X, gates, W)
        if reached:
            return fallback
    return fallback


def _model(
    rng: Rng, planted: tuple[int, int], linear: bool, cone: bool
) -> tuple[str, np.ndarray, np.ndarray, int, np.ndarray] | None:
    """Return a design, X, gates (planted ones first), their number and weights inside the cones; None if it fails."""
    d = int(rng.integers(2, 5))
    count = int(rng.integers(planted[0], planted[1] + 1))
    least = max(count * d, 4) if linear else 2 * count * d
    n = least if rng.random() < 0.25 else int(rng.integers(least, max(20, least) + 1))
    name = DESIGNS[int(rng.integers(len(DESIGNS)))]
    X = _inputs(rng, name, n, d)
    W = rng.standard_normal((count, d)) * 10.0 ** rng.uniform(-1.0, 1.0, (count, 1))
    if not cone and rng.random() < 0.3:  # sparse weights; all directions tried keep the zeros
        W *= rng.random((count, d)) < 0.6
        W[np.arange(count), rng.integers(d, size=count)] += 1.0
    gates = np.ones((n, 1), dtype=bool) if linear else X @ W.T >= 0.0
    if not (linear or cone) and rng.random() < 0.5:  # arbitrary gates
        gates = X @ rng.standard_normal((d, count)) >= 0.0
    others = X @ rng.standard_normal((d, int(rng.integers(1, 5)))) >= 0.0
    for j in range(others.shape[1]):
        kind = rng.random()
        if kind < 0.3:  # a gate that differs from a planted one on a row or two
            others[:, j] = gates[:, int(rng.integers(count))]
            others[rng.integers(n, size=int(rng.integers(1, 3))), j] ^= True
        elif kind < 0.4:
            others[:, j] = rng.random(n) < 0.5
    gates = np.concatenate([gates, others], axis=1)
    _, first = np.unique(gates, axis=1, return_index=True)
    if not np.all(np.isin(np.arange(count), first)) or len(first) == count:
        return None
    gates = gates[:, np.sort(first)]
    M = np.concatenate([X * gates[:, [j]] for j in range(count)], axis=1)
    return None if np.linalg.matrix_rank(M, rtol=1e-6) < M.shape[1] else (name, X, gates, count, W)


def _inputs(rng: Rng, name: str, n: int, d: int) -> np.ndarray:
    X = rng.standard_normal((n, d))
    if name == "whitened":
        return np.asarray(np.linalg.qr(X)[0] * np.sqrt(n))
    if name == "correlated":
        share = rng.uniform(0.2, 0.95)
        return np.asarray(np.sqrt(1.0 - share) * X + np.sqrt(share) * rng.standard_normal((n, 1)))
    if name == "heavy_tailed":
        return rng.standard_t(rng.uniform(1.5, 4.0), (n, d))
    if name == "binary":
        return rng.choice([-1.0, 1.0] if rng.random() < 0.5 else [0.0, 1.0], (n, d))
    return X if name == "gaussian" else rng.integers(-3, 4, (n, d)).astype(np.float64)


def _value(X: np.ndarray, gates: np.ndarray, count: int, normalised: bool) -> Callable[[np.ndarray], float] | None:
    """Return the map from planted weights to the largest norm of the other gates, as matrices acting on directions."""
    blocks = [X * gates[:, [j]] for j in range(gates.shape[1])]
    back = [np.eye(X.shape[1])] * count
    if normalised:
        factors = [np.linalg.svd(block, full_matrices=False) for block in blocks]
        if any(np.any((f[1] < 1e-6 * f[1][0]) & (f[1] > 1e-12 * f[1][0])) for f in factors):
            return None  # ranks depend on rounding
        back = [f[1][:, None] * f[2] for f in factors[:count]]
        blocks = [f[0][:, f[1] > 1e-6 * f[1][0]] for f in factors]
    inverse = np.linalg.pinv(np.concatenate(blocks[:count], axis=1)).T
    maps = [block.T @ inverse for block in blocks[count:]]

    def value(W: np.ndarray) -> float:
        turned = [matrix @ w for matrix, w in zip(back, W, strict=True)]
        goal = np.concatenate([w / (np.linalg.norm(w) or 1.0) for w in turned])
        return max(float(np.linalg.norm(matrix @ goal)) for matrix in maps)

    return value


def _extremes(
    rng: Rng, X: np.ndarray, W: np.ndarray, value: Callable[[np.ndarray], float], cone: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of a low and of a high value; the segment between them stays in the cones if `cone`."""
    tried = [W]
    size = np.linalg.norm(W, axis=1, keepdims=True)
    for _ in range(_DIRECTIONS):
        step = rng.standard_normal(W.shape) * size * (W != 0.0)
        if cone:
            here, change = X @ W.T, X @ step.T
            with np.errstate(divide="ignore", invalid="ignore"):
                room = np.where(here * change < 0.0, -here / change, np.inf).min(axis=0)
            # sometimes onto the boundary of the cone, up to rounding
            step *= (np.minimum(room, 10.0) * (1.0 - 10.0 ** rng.uniform(-6.0, 0.0)))[:, None]
            tried.append(W + step)
        else:
            tried.append(step)
    values = [value(one) for one in tried]
    return tried[int(np.argmin(values))], tried[int(np.argmax(values))]


def _between(value: Callable[[np.ndarray], float], low: np.ndarray, high: np.ndarray, goal: float) -> np.ndarray:
    """Return the weights on the segment where the value equals the goal."""
    t = frames.crossing(lambda t: value(low + t * (high - low)), goal, 1.0)
    return np.asarray(low + t * (high - low))


def _instance(rng: Rng, name: str, X: np.ndarray, gates: np.ndarray, W: np.ndarray) -> Instance:
    """Return the instance with gates in random order, random signs of neurons and sometimes other scales."""
    d, p = X.shape[1], gates.shape[1]
    order = rng.permutation(p)
    x = np.zeros((p, d))
    x[: len(W)] = W * rng.choice([-1.0, 1.0], (len(W), 1))
    if rng.random() < 0.2:
        X, x = X * 10.0 ** rng.uniform(-3.0, 3.0), x * 10.0 ** rng.uniform(-3.0, 3.0)
    return Instance.planted(GatedOperator(X, gates[:, order]), x[order].ravel(), options={"design": name})


EXACT = 1e-6
"""A solution within this fraction of |w| counts as the planted w."""
TOL = 1e-12
"""Tolerance requested from the solver: it stops near 1e-13 if it can, and the error is this over the margin."""
LOWER = 1e-7
"""An objective must be lower than that of the planted w by this fraction to count as lower."""
Rule = Callable[[Instance], Verdict]


def isometry_rule(
    limit: float, *, single: bool = False, linear: bool = False, cone: bool = False, normalised: bool = False
) -> Rule:
    """Return the hypothesis that the largest norm of a gate that is not planted is below a limit, noise-free."""

    def hypotheses(instance: Instance) -> Verdict:
        if instance.gated is None:
            return Verdict.unknown("A is not a GatedOperator; the statement is about gates")
        X, gates = instance.gated
        if not instance.noise_free:
            return Verdict.of(False, "there is noise; the statement is about data without noise")
        w = np.reshape(instance.x, (gates.shape[1], X.shape[1]))
        planted = np.flatnonzero(np.any(w != 0.0, axis=1))
        if not planted.size:
            return Verdict.of(True, "w = 0, and every other point has a larger norm")
        if (single or linear) and planted.size > 1:
            return Verdict.of(False, f"{planted.size} gates are planted; the statement is about exactly one")
        if linear and not gates[:, planted[0]].all():
            return Verdict.of(
                False, "the planted gate is closed on some rows; the statement is about a gate that is open on all rows"
            )
        found = neural_isometry(X, gates, w, normalised=normalised)
        if found.dual is None:
            return Verdict.of(False, found.reason)
        asked = exceeds(
            constant(limit), Bounded(found.value, found.rounding), "the limit exceeds the norm of every other gate"
        )
        return all_of([asked, *(_in_cone(X, gates[:, j], w[j]) for j in planted)]) if cone else asked

    return hypotheses


def _in_cone(X: np.ndarray, gate: np.ndarray, w: np.ndarray) -> Verdict:
    """Return whether w or -w has (2 D - I) X w >= 0; signs that rounding could change are computed with fractions."""
    products = X @ w
    doubtful = np.abs(products) <= 4.0 * len(w) * EPS * (np.abs(X) @ np.abs(w))
    signs = np.sign(products)
    for i in np.flatnonzero(doubtful):
        exact = sum((Fraction(float(a)) * Fraction(float(b)) for a, b in zip(X[i], w, strict=True)), Fraction(0))
        signs[i] = (exact > 0) - (exact < 0)
    signs = np.where(gate, signs, -signs)
    inside = bool(np.all(signs >= 0) or np.all(signs <= 0))
    return Verdict.of(
        inside, "the planted weights are in their cones" if inside else "a planted w_j is outside its cone"
    )


def recovers(*, cone: bool = False, linear: bool = False, normalised: bool = False) -> Rule:
    """Return the outcome "the program's solution is w"; the margin is that of the best dual vector, 1 / value - 1.

    With `cone` and `linear` the planted gate is removed from the list, and its block is a linear part without a cone.
    """

    def outcome(instance: Instance) -> Verdict:
        if instance.gated is None:
            return Verdict.unknown("A is not a GatedOperator; the program is about gates")
        X, gates = instance.gated
        w, y = np.reshape(instance.x, (gates.shape[1], X.shape[1])), instance.y
        if not np.any(w):
            return Verdict.of(not np.any(y), "w = 0, and the solution of the program for y = 0 is 0")
        free = int(np.flatnonzero(np.any(w != 0.0, axis=1))[0]) if cone and linear else None
        if free is not None:  # the planted block comes first
            if gates.shape[1] == 1:
                return Verdict.unknown("the planted gate is the only one, so no gate remains besides the linear part")
            w = np.concatenate([w[[free]], np.delete(w, free, axis=0)])
            gates = np.delete(gates, free, axis=1)
        if cone:
            found: GroupFit = cone_program(X, gates, y, linear=free is not None, tol=TOL)
        else:
            found = group_program(X, gates, y, normalised=normalised, tol=TOL)
        if found.w is None or found.dual is None:
            return Verdict.unknown(f"the backend solver returned no solution: {found.status}")
        got, there = np.reshape(found.w, (-1, X.shape[1])), w
        if found.linear is not None:
            got = np.concatenate([found.linear[None], got])
        if normalised:
            got, there = ((X @ one.T).T * gates.T for one in (got, there))
            if not there.any():
                return Verdict.unknown("all planted gates are closed on all rows, so y = 0")
        error = float(np.linalg.norm(got - there) / np.linalg.norm(there))
        aim = float(np.linalg.norm(there, axis=1).sum())
        # a residual changes the objective by at most |lambda| times its length
        lower = (aim - found.objective - float(np.linalg.norm(found.dual)) * found.residual) / aim
        margin = _margin(X, gates, w, cone, normalised)
        reason = (
            f"the error is {error:.3g}, the objective {found.objective:.9g}, and that of w {aim:.9g} ({found.status})"
        )
        if error <= EXACT:
            return Verdict("holds", max(margin, 0.0), reason)
        if lower > LOWER:
            return Verdict("fails", min(margin, -lower), reason)
        return Verdict.unknown(reason + "; they agree within the tolerance of the solver", margin)

    return outcome


def _margin(X: np.ndarray, gates: np.ndarray, w: np.ndarray, cone: bool, normalised: bool) -> float:
    """Return 1 / value - 1 for the dual vector of the least value: positive if it proves that w is a minimiser.

    If w has one more row than there are gates, the first is a linear part.
    """
    skip = len(w) - gates.shape[1]
    blocks = [X] * skip + [X * gates[:, [j]] for j in range(gates.shape[1])]
    directions = {int(j): w[j] / np.linalg.norm(w[j]) for j in np.flatnonzero(np.any(w != 0.0, axis=1))}
    if normalised:
        bases = [np.linalg.svd(block, full_matrices=False) for block in blocks]
        kept = [left[:, values > max(X.shape) * EPS * values[0]] for left, values, _ in bases]
        outputs = {j: kept[j].T @ (blocks[j] @ w[j]) for j in directions}
        # a planted w_j with D_j X w_j = 0 does not contribute to y and has no direction
        blocks, directions = kept, {j: z / np.linalg.norm(z) for j, z in outputs.items() if z.any()}
    if not cone:
        value, _, _ = flattest_dual(blocks, directions)
        return 1.0 / value - 1.0 if value > 1e-9 else math.inf
    half = [np.zeros((0, X.shape[1]))] * skip + [X * (2.0 * gate[:, None] - 1.0) for gate in gates.T]
    known, tight = {}, {}
    for j, direction in directions.items():
        products = half[j] @ w[j]
        # u_j = w_j, or v_j = -w_j, whichever lies in the cone
        place = j if j < skip or products.sum() >= 0.0 else j + gates.shape[1]
        known[place] = direction if place == j else -direction
        tight[place] = np.abs(products) <= 4.0 * len(w[j]) * EPS * (np.abs(half[j]) @ np.abs(w[j]))
    blocks, inside = [*blocks, *(-block for block in blocks[skip:])], [*half, *half[skip:]]
    value, _, _ = flattest_dual(blocks, known, inside=inside, tight=tight)
    return 1.0 / value - 1.0 if value > 1e-9 else math.inf


def guarantees() -> list[Guarantee]:
    """Return the guarantees by neural isometry.

    Returns
    -------
    list of Guarantee
        The programs are :func:`recovery.networks.group_program` and :func:`recovery.networks.cone_program`, and "finds
        w" means an error of at most 1e-6 |w|. If the solution differs more and its objective is not lower by a fraction
        of 1e-7, the outcome is ``unknown``.
    """
    tests = "tests/recovery/test_guarantees_neural_isometry.py"
    paper = "Wang, Hua, Candes and Pilanci, arXiv:2209.15265"
    source = f"{paper} (from memory of the literature, verified numerically by {tests})"
    proof = 'proved in docs/theory, section "Neural isometry"'
    group = "min sum_j |w_j|_2 subject to sum_j D_j X w_j = y"

    def one(name: str, statement: str, source: str, planted: tuple[int, int], **kind: bool) -> Guarantee:
        solved = {key: value for key, value in kind.items() if key != "single"}
        free = kind.get("linear", False)  # a linear part has no cone
        drawn = solved | ({"cone": False} if free else {})
        return Guarantee(
            name,
            "implication",
            statement,
            f"{source}; {proof}",
            tests,
            isometry_rule(1.0, **(kind | ({"cone": False} if free else {}))),
            recovers(**solved),
            sampler=partial(gated_instance, planted=planted, **drawn),
            steer=None,
            scales=("data", "matrix"),
        )

    return [
        one(
            "nic-linear",
            "Without noise, if one gate that is open on all rows is planted, X has full column rank, and "
            f"|X'D_j X (X'X)^-1 w / |w||_2 < 1 for all other gates j, then {group} finds w.",
            source,
            (1, 1),
            linear=True,
        ),
        one(
            "nic-linear-cone",
            "Without noise, if y = X w, X has full column rank, and |X'D_j X (X'X)^-1 w / |w||_2 < 1 for all gates "
            "j, then min |w_0|_2 + sum_j |u_j|_2 + |v_j|_2 subject to X w_0 + sum_j D_j X (u_j - v_j) = y, (2 D_j - "
            "I) X u_j >= 0, (2 D_j - I) X v_j >= 0 finds w_0 = w.",
            source,
            (1, 1),
            linear=True,
            cone=True,
        ),
        one(
            "nic-1",
            "Without noise, if one gate D is planted, D X has full column rank, and |X'D_j D X (X'D X)^-1 w / |w||_2 "
            f"< 1 for all other gates j, then {group} finds w.",
            source,
            (1, 1),
            single=True,
        ),
        one(
            "nic-k",
            "Without noise, if M = [D_j X] over the planted gates has full column rank and lambda = M (M'M)^-1 [w_j "
            f"/ |w_j|] has |X'D_j lambda|_2 < 1 for all other gates j, then {group} finds w.",
            source,
            (1, 3),
        ),
        one(
            "nic-k-cone",
            "Without noise, if the hypotheses of nic-k hold and every planted w_j or -w_j has (2 D_j - I) X w_j >= "
            "0, then min sum_j |u_j|_2 + |v_j|_2 subject to sum_j D_j X (u_j - v_j) = y, (2 D_j - I) X u_j >= 0, (2 "
            "D_j - I) X v_j >= 0 finds w = u - v.",
            "derived here",
            (1, 3),
            cone=True,
        ),
        one(
            "nic-k-normalised",
            "Without noise, let U_j be the left singular vectors of D_j X. If M = [D_j X] over the planted gates has "
            "full column rank and the shortest vector lambda with U_j'lambda = U_j'D_j X w_j / |D_j X w_j| on these "
            "gates has |U_j'lambda|_2 < 1 for all other gates j, then min sum_j |D_j X w_j|_2 subject to sum_j D_j X "
            "w_j = y finds all D_j X w_j, and so w_j for each j with D_j X of full column rank.",
            source,
            (1, 3),
            normalised=True,
        ),
    ]
