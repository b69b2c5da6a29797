"""When the group program and the cone program find a planted gated network: neural isometry."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np

from recovery._cones import flattest_dual
from recovery.conditions.neural import neural_isometry
from recovery.guarantees.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.bounded import EPS, Bounded, constant
from recovery.guarantees.neural_samplers import gated_instance
from recovery.instances import Instance
from recovery.networks.convex import GroupFit, cone_program, group_program

__all__ = ["guarantees"]

EXACT = 1e-6
"""A solution within this share of |w| is the planted w."""
TOL = 1e-12
"""What the solver is asked for: it stops near 1e-13 where it can, and the error is this over the margin."""
LOWER = 1e-7
"""An objective lower than that of the planted w by this share of it is lower."""
Rule = Callable[[Instance], Verdict]


def isometry_rule(
    limit: float, *, single: bool = False, linear: bool = False, cone: bool = False, normalised: bool = False
) -> Rule:
    """Return the hypothesis that the largest norm of a gate that is not planted is below a limit, noise-free."""

    def hypotheses(instance: Instance) -> Verdict:
        if instance.gated is None:
            return Verdict.unknown("A is no GatedOperator; the statement is about gates")
        X, gates = instance.gated
        if not instance.noise_free:
            return Verdict.of(False, "there is noise; the statement is about data without noise")
        w = np.reshape(instance.x, (gates.shape[1], X.shape[1]))
        planted = np.flatnonzero(np.any(w != 0.0, axis=1))
        if not planted.size:
            return Verdict.of(True, "w = 0: every other point has a larger norm")
        if (single or linear) and planted.size > 1:
            return Verdict.of(False, f"{planted.size} gates are planted; the statement is about one")
        if linear and not gates[:, planted[0]].all():
            return Verdict.of(False, "the planted gate is closed on some rows; the statement is about a linear part")
        found = neural_isometry(X, gates, w, normalised=normalised)
        if found.dual is None:
            return Verdict.of(False, found.reason)
        asked = exceeds(constant(limit), Bounded(found.value, found.rounding), found.reason)
        return all_of([asked, *(_in_cone(X, gates[:, j], w[j]) for j in planted)]) if cone else asked

    return hypotheses


def _in_cone(X: np.ndarray, gate: np.ndarray, w: np.ndarray) -> Verdict:
    """Return whether w or -w has (2 D - I) X w >= 0; signs that rounding could turn are found with fractions."""
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

    With `cone` and `linear` the planted gate is left out of the list, and its block is a linear part without a cone.
    """

    def outcome(instance: Instance) -> Verdict:
        if instance.gated is None:
            return Verdict.unknown("A is no GatedOperator; the program is about gates")
        X, gates = instance.gated
        w, y = np.reshape(instance.x, (gates.shape[1], X.shape[1])), instance.y
        if not np.any(w):
            return Verdict.of(not np.any(y), "w = 0: the program's solution for y = 0 is 0")
        free = int(np.flatnonzero(np.any(w != 0.0, axis=1))[0]) if cone and linear else None
        if free is not None:  # the planted block comes first
            if gates.shape[1] == 1:
                return Verdict.unknown("the planted gate is the only one: nothing is left beside the linear part")
            w = np.concatenate([w[[free]], np.delete(w, free, axis=0)])
            gates = np.delete(gates, free, axis=1)
        if cone:
            found: GroupFit = cone_program(X, gates, y, linear=free is not None, tol=TOL)
        else:
            found = group_program(X, gates, y, normalised=normalised, tol=TOL)
        if found.w is None or found.dual is None:
            return Verdict.unknown(f"the solver behind gave no answer: {found.status}")
        got, there = np.reshape(found.w, (-1, X.shape[1])), w
        if found.linear is not None:
            got = np.concatenate([found.linear[None], got])
        if normalised:
            got, there = ((X @ one.T).T * gates.T for one in (got, there))
            if not there.any():
                return Verdict.unknown("no planted gate lets anything through: y = 0")
        error = float(np.linalg.norm(got - there) / np.linalg.norm(there))
        aim = float(np.linalg.norm(there, axis=1).sum())
        # what a residual can do to the objective is at most |lambda| times its length
        lower = (aim - found.objective - float(np.linalg.norm(found.dual)) * found.residual) / aim
        margin = _margin(X, gates, w, cone, normalised)
        reason = f"error {error:.3g}, the objective {found.objective:.9g} against {aim:.9g} of w ({found.status})"
        if error <= EXACT:
            return Verdict("holds", max(margin, 0.0), reason)
        if lower > LOWER:
            return Verdict("fails", min(margin, -lower), reason)
        return Verdict.unknown(reason + ": as good within the solver's tolerance", margin)

    return outcome


def _margin(X: np.ndarray, gates: np.ndarray, w: np.ndarray, cone: bool, normalised: bool) -> float:
    """Return 1 / value - 1 for the dual vector of the least value: positive where it proves that w is a minimiser.

    If w has a row more than there are gates, the first is a linear part.
    """
    skip = len(w) - gates.shape[1]
    blocks = [X] * skip + [X * gates[:, [j]] for j in range(gates.shape[1])]
    directions = {int(j): w[j] / np.linalg.norm(w[j]) for j in np.flatnonzero(np.any(w != 0.0, axis=1))}
    if normalised:
        bases = [np.linalg.svd(block, full_matrices=False) for block in blocks]
        kept = [left[:, values > max(X.shape) * EPS * values[0]] for left, values, _ in bases]
        outputs = {j: kept[j].T @ (blocks[j] @ w[j]) for j in directions}
        # a planted w_j that its gate lets nothing of through has no part in y, and no direction
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
        w" means an error of at most 1e-6 |w|. Where the solution differs more and its objective is not lower by 1e-7 of
        itself, the outcome is ``unknown``.
    """
    tests = "tests/recovery/test_guarantees_neural_isometry.py"
    paper = "Wang, Hua, Candes and Pilanci, arXiv:2209.15265"
    source = f"{paper} (from memory of the literature, verified numerically by {tests})"
    proof = 'proved in docs/derivations.md, section "Neural isometry"'
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
            "Without noise: one gate that is open on all rows is planted, X of full column rank, "
            f"|X'D_j X (X'X)^-1 w / |w||_2 < 1 for all other gates j => {group} finds w.",
            source,
            (1, 1),
            linear=True,
        ),
        one(
            "nic-linear-cone",
            "Without noise: y = X w, X of full column rank, |X'D_j X (X'X)^-1 w / |w||_2 < 1 for all gates j => "
            "min |w_0|_2 + sum_j |u_j|_2 + |v_j|_2 subject to X w_0 + sum_j D_j X (u_j - v_j) = y, "
            "(2 D_j - I) X u_j >= 0, (2 D_j - I) X v_j >= 0 finds w_0 = w.",
            source,
            (1, 1),
            linear=True,
            cone=True,
        ),
        one(
            "nic-1",
            "Without noise: one gate D is planted, D X of full column rank, |X'D_j D X (X'D X)^-1 w / |w||_2 < 1 for "
            f"all other gates j => {group} finds w.",
            source,
            (1, 1),
            single=True,
        ),
        one(
            "nic-k",
            "Without noise: M = [D_j X] over the planted gates of full column rank, lambda = M (M'M)^-1 [w_j / |w_j|], "
            f"|X'D_j lambda|_2 < 1 for all other gates j => {group} finds w.",
            source,
            (1, 3),
        ),
        one(
            "nic-k-cone",
            "Without noise: as nic-k, and every planted w_j or -w_j has (2 D_j - I) X w_j >= 0 => "
            "min sum_j |u_j|_2 + |v_j|_2 subject to sum_j D_j X (u_j - v_j) = y, (2 D_j - I) X u_j >= 0, "
            "(2 D_j - I) X v_j >= 0 finds w = u - v.",
            "derived here",
            (1, 3),
            cone=True,
        ),
        one(
            "nic-k-normalised",
            "Without noise: M = [D_j X] over the planted gates of full column rank, U_j the left singular vectors of "
            "D_j X, lambda the shortest vector with U_j'lambda = U_j'D_j X w_j / |D_j X w_j| on them, |U_j'lambda|_2 < "
            "1 for all other gates j => min sum_j |D_j X w_j|_2 subject to sum_j D_j X w_j = y finds w.",
            source,
            (1, 3),
            normalised=True,
        ),
    ]
