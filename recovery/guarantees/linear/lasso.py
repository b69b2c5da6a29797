"""Guarantees that the Lasso has the support and signs of the planted vector, and bounds on its error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from planted.base.arrays import EPS
from planted.base.extras import need
from planted.base.quiet import quiet
from recovery.exact.bounded import (
    Bounded,
    constant,
    data,
    data_of,
    extra,
    inverse_gram,
    least_squares,
    matmul,
    noise_of,
    norm,
    singular_values,
    total,
)
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance, NoiseLaw
from recovery.guarantees.engine.sampling import linear_instance
from recovery.guarantees.linear import frames

__all__ = ["CLEAR", "gaussian", "guarantees", "irrepresentable_instance", "lasso_solution", "penalised", "witness"]


CLEAR = 1e-9
"""Relative size below which entries and dual slacks are not distinguished from 0."""


def lasso_solution(A: np.ndarray, y: np.ndarray, lam: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a solution of min |y - A w|^2 / (2 n) + lam |w|_1 that satisfies the optimality conditions.

    Parameters
    ----------
    A : numpy.ndarray, shape (n, N)
        Columns as given.
    y : numpy.ndarray, shape (n,)
        Data.
    lam : float
        Positive.

    Returns
    -------
    w : numpy.ndarray, shape (N,)
        Signs and zeros are those of scikit-learn's LARS (or, where that fails, of the active-set method); the values
        are recomputed.
    z : numpy.ndarray, shape (N,)
        A'(y - A w) / (n lam): the signs of w where it is not 0, at most 1 + 1e-9 in size elsewhere. None instead of
        both if neither solution passes this check.
    """
    config_context = need("sklearn").config_context
    lars_path = need("sklearn.linear_model").lars_path

    n = len(y)
    scale = float(np.linalg.norm(A)) or 1.0  # LARS has absolute tolerances
    length = float(np.linalg.norm(y)) or 1.0
    A, y, lam = A / scale, y / length, lam / scale / length
    # only the check of the solution matters; validation would cost as much as the path
    with quiet(), config_context(skip_parameter_validation=True):
        _, _, path = lars_path(A, y, alpha_min=lam, method="lasso")
    found = _solved(A, y, n * lam, np.sign(path[:, -1]))
    if found is None:
        found = _solved(A, y, n * lam, _active_set(A, y, n * lam))
    return None if found is None else (found[0] * length / scale, found[1])


def _weights(A: np.ndarray, y: np.ndarray, push: float, signs: np.ndarray) -> np.ndarray | None:
    """Return the w with A_T'(y - A_T w_T) = push * signs on T = {signs != 0}, None if its columns are dependent."""
    active = np.flatnonzero(signs)
    w = np.zeros(len(signs))
    if len(active):
        Q, R = np.linalg.qr(A[:, active])
        size = np.abs(np.diag(R))
        if R.shape[0] < R.shape[1] or size.min() <= 1e-13 * size.max():
            return None
        w[active] = np.linalg.solve(R, Q.T @ y - push * np.linalg.solve(R.T, signs[active]))
    return w


def _solved(A: np.ndarray, y: np.ndarray, push: float, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the solution with given signs and its dual vector, if it is one."""
    w = _weights(A, y, push, signs)
    if w is None or not np.array_equal(np.sign(w), signs):
        return None
    z = A.T @ (y - A @ w) / push
    there = signs != 0.0
    right = np.all(np.abs(z) <= 1.0 + CLEAR) and np.all(np.abs(z - signs)[there] <= CLEAR)
    return (w, z) if right else None


def _active_set(A: np.ndarray, y: np.ndarray, push: float) -> np.ndarray:
    """Return the signs of a solution, as far as rounding allows.

    Start from 0: add the entry that violates its condition most; move towards the minimiser for the assumed signs until
    the first entry would change its sign, and drop that entry; repeat. Each step lowers the objective, so signs never
    repeat and the number of steps is finite.
    """
    w, signs = np.zeros(A.shape[1]), np.zeros(A.shape[1])
    for _ in range(50 * A.shape[1]):
        goal = _weights(A, y, push, signs)
        if goal is None:
            break
        against = (signs != 0.0) & (np.sign(goal) != signs)
        if np.any(against):
            share = np.full(len(w), np.inf)
            share[against] = np.abs(w[against]) / (np.abs(w[against]) + np.abs(goal[against]) + np.finfo(float).tiny)
            first = int(np.argmin(share))
            w = w + share[first] * (goal - w)
            w[first] = signs[first] = 0.0
            continue
        w = goal
        z = A.T @ (y - A @ w) / push
        z[signs != 0.0] = 0.0
        worst = int(np.argmax(np.abs(z)))
        if abs(z[worst]) <= 1.0:
            break
        signs[worst] = np.sign(z[worst])
    return signs


Rng = np.random.Generator


def _interval(instance: Instance) -> tuple[float, float]:
    """Return the penalties between which the Lasso has the support and signs of x; empty if the first is larger."""
    A, S, n = instance.matrix, instance.support, instance.shape[0]
    signs = np.sign(instance.x[S])
    Q, R = np.linalg.qr(A[:, S])
    if R.shape[0] < R.shape[1] or np.min(np.abs(np.diag(R))) <= 1e-9 * np.max(np.abs(np.diag(R))):
        return math.inf, 0.0
    spread = np.linalg.solve(R.T, signs)
    weight, pull = signs * np.linalg.solve(R, Q.T @ instance.y), n * signs * np.linalg.solve(R, spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        high = float(np.where(pull > 0.0, weight / pull, np.where(weight > 0.0, np.inf, -np.inf)).min())
        rest = np.delete(A, S, axis=1).T
        lean, noise = rest @ Q @ spread, rest @ (instance.y - Q @ (Q.T @ instance.y)) / n
        low = np.where(np.abs(lean) < 1.0, np.maximum(noise / (1.0 - lean), -noise / (1.0 + lean)), np.inf)
    return float(low.max(initial=0.0)), high


def witness(rng: Rng) -> Instance:
    """Draw a model of any design, tall or wide, and a penalty inside, near, or outside the interval that works."""
    if rng.random() < 0.5:
        tall = bool(rng.random() < 0.6)
        instance = linear_instance(rng, n_range=(4, 20), d_range=(3, 10), tall=tall)
    else:
        instance = irrepresentable_instance(rng)
        size = 10.0 ** rng.uniform(-3.0, -0.5) * float(np.linalg.norm(instance.y)) / math.sqrt(len(instance.y))
        law = NoiseLaw(str(rng.choice(["gaussian", "uniform", "laplace", "student"])), size)
        instance = instance.replace(noise=law.draw(len(instance.y), rng), law=law)
    low, high = _interval(instance)
    largest = float(np.max(np.abs(instance.matrix.T @ instance.y))) / len(instance.y) or 1.0
    lam = largest * 10.0 ** rng.uniform(-3.0, 0.1)
    if 0.0 <= low < high < math.inf:
        margin = frames.aim(rng, 2.0)
        floor = max(low, 1e-4 * high)
        lam = high / (1.0 + margin) if rng.random() < 0.5 else floor * (1.0 + margin)
    return instance.with_options(lam=float(lam))


def irrepresentable_instance(rng: Rng) -> Instance:
    """Draw columns whose irrepresentable value, or a penalty, near its limit; without noise."""
    k, size = frames.sizes(rng, others=6)
    name, E = frames.pattern(rng, size, unit=bool(rng.random() < 0.5))
    x = frames.plant(rng, np.eye(size) + E, k)
    S, rest = np.flatnonzero(x), np.flatnonzero(x == 0.0)
    signs = np.sign(x[S])

    def value(t: float) -> float:
        block = np.eye(k) + t * E[np.ix_(S, S)]
        return float(np.abs(t * E[np.ix_(rest, S)] @ np.linalg.solve(block, signs)).max())

    by_value = rng.random() < 0.5
    goal = 1.0 / (1.0 + frames.aim(rng)) if by_value else rng.uniform(0.1, 0.95)
    t = frames.crossing(value, goal, min(frames.largest_step(E), 1.0) * (1.0 - 1e-4))
    A = frames.columns(rng, np.eye(size) + t * E)
    assert A is not None
    A = A * 10.0 ** rng.choice([-3.0, 0.0, 0.0, 3.0])
    inverse = np.linalg.inv(A[:, S].T @ A[:, S] / len(A))
    largest = float(np.min(np.abs(x[S])) / np.abs(inverse).sum(axis=1).max())
    share = rng.uniform(1.0, 4.0) if by_value else 1.0 + frames.aim(rng)
    return Instance.planted(A, x, options={"design": name, "lam": largest / share})


def gaussian(rng: Rng) -> Instance:
    """Draw columns with an irrepresentable value below 1, a penalty within its limits, and Gaussian noise."""
    instance = irrepresentable_instance(rng)
    law = NoiseLaw("gaussian", 1e-3 * float(np.linalg.norm(instance.y)) / math.sqrt(len(instance.y)))
    lam = float(instance.options["lam"]) * rng.uniform(0.1, 0.9)
    return instance.replace(noise=law.draw(len(instance.y), rng), law=law).with_options(lam=lam)


def penalised(rng: Rng) -> Instance:
    """Draw a tall model and a penalty of at least the size that its noise requires."""
    instance = linear_instance(rng, n_range=(4, 20), d_range=(2, 8))
    noise = float(np.max(np.abs(instance.matrix.T @ instance.noise))) / len(instance.y)
    return instance.with_options(lam=2.0 * noise * (1.0 + frames.aim(rng)) or 1.0)


DELTA = 0.1
Rule = Callable[[Instance], Verdict]


def _lam(instance: Instance) -> float:
    return float(instance.options["lam"])


def _bad_penalty(instance: Instance) -> Verdict | None:
    lam = instance.options["lam"]
    good = isinstance(lam, (int, float)) and math.isfinite(lam) and lam > 0.0
    return None if good else Verdict.of(False, f"options['lam']={lam!r} is not a penalty; expected a positive number")


def has_signs(instance: Instance) -> Verdict:
    """Return whether the Lasso has the support and the signs of x."""
    bad = _bad_penalty(instance)
    if bad is not None:
        return bad
    found = lasso_solution(instance.matrix, instance.y, _lam(instance))
    if found is None:
        return Verdict.unknown("no computed solution satisfies the optimality conditions")
    w, z = found
    there = instance.x != 0.0
    signs = np.sign(instance.x)
    size = float(np.max(np.abs(w), initial=0.0)) or 1.0
    slack = 1.0 - np.abs(z)
    weight, dual = _doubt(instance, w)
    # the margin of an entry is its weight, or the distance of its dual entry from the required sign
    inside = np.where(w != 0.0, signs * w / size, -np.abs(1.0 - signs * z))[there]
    outside = np.where(w != 0.0, -np.abs(w) / size, slack)[~there]
    doubt = np.where(w != 0.0, weight / size, dual) + CLEAR
    parts, doubts = np.concatenate([inside, outside]), np.concatenate([doubt[there], doubt[~there]])
    margin = float(parts.min()) if len(parts) else math.inf
    if np.any(np.abs(parts) <= doubts):
        return Verdict.unknown("an entry or a dual slack is within rounding error of 0", margin)
    found_signs = "has the support and signs of x" if margin > 0.0 else "does not have the support and signs of x"
    return Verdict(
        "holds" if margin > 0.0 else "fails",
        margin,
        f"the Lasso {found_signs}; the smallest margin of an entry is {margin:.3g}",
    )


def _doubt(instance: Instance, w: np.ndarray) -> tuple[float, np.ndarray]:
    """Return bounds on the errors of weights and dual entries, from the misfit of y and rounding of residuals."""
    A = instance.matrix
    fit = matmul(A, w)
    off = fit.error + EPS * (np.abs(fit.value) + np.abs(instance.y)) + data_of(instance).error
    active = np.flatnonzero(w)
    least = singular_values(A[:, active]).min().lower if len(active) else math.inf
    weight = float(np.linalg.norm(off)) / least if least > 0.0 else math.inf
    return weight, np.abs(A).T @ off / (len(A) * _lam(instance))


def _witness(instance: Instance) -> Verdict:
    bad = _bad_penalty(instance)
    if bad is not None:
        return Verdict.unknown(bad.reason)
    A, S, lam = instance.matrix, instance.support, _lam(instance)
    n, signs = len(A), np.sign(instance.x[S])
    rest = np.setdiff1d(np.arange(A.shape[1]), S)
    if len(S) > n:
        return Verdict("fails", -1.0, "the columns of S are dependent")
    fit = least_squares(A[:, S], data_of(instance))
    if not fit.independent:
        return Verdict.unknown("the columns of S may be dependent")
    weights = fit.weights - n * constant(lam) * matmul(inverse_gram(A[:, S]), signs)
    primal = (weights * signs).min()
    dual = matmul(A[:, rest].T, fit.residual) / (n * constant(lam))
    if len(S):
        dual = dual + total(least_squares(A[:, S], A[:, rest]).weights * signs[:, None], 0)
    largest = abs(dual).max(0.0)
    size = 1.0
    if len(S):
        size = float(np.max(np.abs(weights.value - instance.x[S])) + np.max(np.abs(instance.x[S])))
    reason = (
        f"the smallest signed weight, {primal.value:.6g}, has to be above 0, and the largest dual entry, "
        f"{largest.value:.6g}, below 1"
    )
    asked = [exceeds(primal, 0, reason), exceeds(1, largest, reason)]
    margin = min(primal.value / size, asked[1].margin)
    status = all_of(asked).status
    if status == "unknown":
        return Verdict.unknown(f"{reason}; rounding error leaves this open", margin)
    return Verdict(status, margin, reason)


def _support_facts(instance: Instance) -> tuple[Bounded, Bounded, Bounded] | None:
    """Return the irrepresentable value, |G_SS^-1|_inf and lam_min(G_SS), G = A'A / n; None if A_S may be singular."""
    A, S = instance.matrix, instance.support
    if len(S) > len(A):
        return None
    least = singular_values(A[:, S]).min()
    inverse = total(abs(inverse_gram(A[:, S])), 1).max() * len(A)
    if not least.lower > 0.0 or not math.isfinite(inverse.error):
        return None
    return extra(A, S, np.sign(instance.x[S])), inverse, least.square() / len(A)


def irrepresentable_rule(limit: float) -> Rule:
    """Return the hypothesis "irrepresentable value below a limit, min|x| > lam |G_SS^-1|_inf", noise-free."""

    def hypotheses(instance: Instance) -> Verdict:
        bad = _bad_penalty(instance)
        if bad is not None:
            return bad
        if not instance.noise_free:
            return Verdict.of(False, "there is noise; the statement is about data without noise")
        if not len(instance.support):
            return Verdict.of(True, "x = 0, and the Lasso solution is 0 too")
        found = _support_facts(instance)
        if found is None:
            return Verdict.unknown("the columns of the support are nearly dependent")
        value, inverse, _ = found
        signal = data(float(np.min(np.abs(instance.x[instance.support]))))
        return all_of(
            [
                exceeds(constant(limit), value, "the limit exceeds the irrepresentable value"),
                exceeds(signal, data(_lam(instance)) * inverse, "min |x_S| exceeds lam |G_SS^-1|_inf"),
            ]
        )

    return hypotheses


def gaussian_rule(delta: float, factor: float = 1.0) -> Rule:
    """Return the hypothesis under which Gaussian noise preserves support and signs; `factor` < 1 is too weak."""

    def hypotheses(instance: Instance) -> Verdict:
        bad = _bad_penalty(instance)
        assert instance.law is not None
        if bad is not None:
            return bad
        if not instance.law.is_gaussian:
            return Verdict.of(False, f"the noise is {instance.law.name}, not Gaussian")
        A, S, lam, sigma = instance.matrix, instance.support, data(_lam(instance)), factor * instance.law.sigma
        n, k, others = len(A), len(S), A.shape[1] - len(S)
        none = data(0.0), data(0.0), data(1.0)
        found = _support_facts(instance) if k else none
        if found is None:
            return Verdict.unknown("the columns of the support are nearly dependent")
        value, inverse, smallest = found
        off = float(norm(noise_of(instance).error).upper)  # rounding of the data: noise without a law
        asked = []
        if others:
            longest = norm(np.delete(A, S, axis=1), 0).max()
            needed = longest * _law(sigma * math.sqrt(2.0 * math.log(4.0 * others / delta)), off)
            if exceeds(1, value, "").status == "fails":
                return Verdict(
                    "fails", 1.0 / value.value - 1.0, f"the irrepresentable value is {value.value:.6g}, not below 1"
                )
            asked.append(exceeds((1 - value) * n * lam, needed, "gamma n lam exceeds its limit for the noise"))
        if k:
            room = data(float(np.min(np.abs(instance.x[S])))) - lam * inverse
            needed = _law(sigma * math.sqrt(2.0 * math.log(4.0 * k / delta)), off) / (smallest * n).sqrt()
            if room.upper <= 0.0:
                return Verdict("fails", -1.0, f"min |x_S| - lam |G_SS^-1|_inf = {room.value:.6g} is not positive")
            asked.append(exceeds(room, needed, "min |x_S| - lam |G_SS^-1|_inf exceeds its limit for the noise"))
        return all_of(asked)

    return hypotheses


def _law(value: float, off: float) -> Bounded:
    """Return a quantile of a law, accurate to a few roundings, and a bound on further perturbations of the data."""
    return Bounded(value, 8.0 * EPS * value + off)


def penalty_rule(factor: float) -> Rule:
    """Return the hypothesis lam > factor |A'xi|_inf / n with lam_min(A'A / n) > 0."""

    def hypotheses(instance: Instance) -> Verdict:
        bad = _bad_penalty(instance)
        if bad is not None:
            return bad
        A = instance.matrix
        if A.shape[0] < A.shape[1]:
            return Verdict.of(False, "lam_min(A'A / n) = 0, so the bounds are infinite")
        if _kappa(A) is None:
            return Verdict.unknown("lam_min(A'A / n) is 0 within rounding error, so there may be no bounds")
        noise = abs(matmul(A.T, noise_of(instance))).max(0.0) / len(A)
        return exceeds(data(_lam(instance)), constant(factor) * noise, "lam exceeds 2 |A'xi|_inf / n")

    return hypotheses


def _kappa(A: np.ndarray) -> Bounded | None:
    """Return lam_min(A'A / n), None if it is 0 within rounding."""
    if A.shape[0] < A.shape[1]:
        return None
    spectrum = singular_values(A)
    least, most = spectrum[-1], float(spectrum.value[0])
    return least.square() / len(A) if least.lower > 1e-6 * most else None


def near_truth(factor: float = 3.0) -> Rule:
    """Return the outcome |w - x| <= c sqrt(k) lam / kappa and |A (w - x)|^2 / n <= c^2 k lam^2 / kappa."""

    def outcome(instance: Instance) -> Verdict:
        bad = _bad_penalty(instance)
        kappa = _kappa(instance.matrix)
        if bad is not None:
            return bad
        if kappa is None:
            return Verdict.unknown("lam_min(A'A / n) is 0 within rounding error, so there are no bounds")
        A, lam = instance.matrix, data(_lam(instance))
        found = lasso_solution(A, instance.y, _lam(instance))
        if found is None:
            return Verdict.unknown("no computed solution satisfies the optimality conditions")
        off, k = found[0] - instance.x, len(instance.support)
        if k == 0:
            return Verdict.of(not np.any(off), "for x = 0 the Lasso has to return 0")
        weight, _ = _doubt(instance, found[0])
        size = float(np.linalg.norm(off))
        image = matmul(A, Bounded(off, 0.0))
        bound = constant(factor) * constant(math.sqrt(k)) * lam / kappa
        length = norm(image)
        longest = float(singular_values(A).max().upper)
        return all_of(
            [
                exceeds(bound, Bounded(size, CLEAR * size + weight), "3 sqrt(k) lam / kappa exceeds |w - x|"),
                exceeds(
                    bound * bound * kappa,
                    Bounded(length.value, CLEAR * length.value + length.error + longest * weight).square() / len(A),
                    "9 k lam^2 / kappa exceeds |A (w - x)|^2 / n",
                ),
            ]
        )

    return outcome


def guarantees() -> list[Guarantee]:
    """Return the guarantees of the Lasso, min |y - A w|^2 / (2 n) + lam |w|_1.

    Returns
    -------
    list of Guarantee
        ``options["lam"]`` is the penalty; columns are used as given. The outcome is scikit-learn's solution, accepted
        only if it passes the optimality conditions.
    """
    tests = "tests/recovery/test_guarantees_lasso.py"
    derived = "docs/theory, section"
    scales = ("data", "matrix")
    known: dict[str, Any] = {"needs": ("x", "noise", "lam"), "steer": None, "scales": scales}
    return [
        Guarantee(
            "lasso-primal-dual-witness",
            "equivalence",
            "The Lasso has the support and signs of x, strictly, if and only if sgn_S(x_S + G_SS^-1 (A_S'xi / n - lam "
            "sgn_S)) > 0 and |A_{S^c}'(A_S G_SS^-1 sgn_S / n + (I - P_S) xi / (n lam))|_inf < 1, G = A'A / n.",
            "Wainwright, IEEE Trans. Inf. Theory 2009 (from memory of the literature); these are the optimality "
            "conditions",
            tests,
            _witness,
            has_signs,
            sampler=witness,
            **known,
        ),
        Guarantee(
            "lasso-irrepresentable",
            "implication",
            "Without noise, if |A_{S^c}'A_S (A_S'A_S)^-1 sgn_S|_inf < 1 and min |x_S| > lam |G_SS^-1|_inf, then the "
            "Lasso has the support and signs of x.",
            f"Zhao and Yu, JMLR 2006 (from memory of the literature, verified numerically by {tests})",
            tests,
            irrepresentable_rule(1.0),
            has_signs,
            sampler=irrepresentable_instance,
            **known,
        ),
        Guarantee(
            "lasso-gaussian-noise",
            "probability",
            "If xi ~ N(0, sigma^2 I), the irrepresentable value is 1 - gamma, gamma n lam > sigma max_{S^c}|a_j| "
            "sqrt(2 log(4 (N - k) / delta)), and min |x_S| > lam |G_SS^-1|_inf + sigma sqrt(2 log(4 k / delta) / (n "
            "lam_min(G_SS))), then the Lasso has the support and signs of x with probability 1 - delta = "
            f"{1 - DELTA:g}.",
            "of the kind of Wainwright, IEEE Trans. Inf. Theory 2009 (from memory of the literature); with this "
            f"probability derived here: {derived} The Lasso with Gaussian noise",
            tests,
            gaussian_rule(DELTA),
            has_signs,
            needs=("x", "noise", "law", "lam"),
            sampler=gaussian,
            delta=DELTA,
            scales=scales,
        ),
        Guarantee(
            "lasso-restricted-eigenvalue",
            "implication",
            "If lam > 2 |A'xi|_inf / n and kappa = lam_min(A'A / n) > 0, then |w - x| <= 3 sqrt(k) lam / kappa and "
            "|A (w - x)|^2 / n <= 9 k lam^2 / kappa.",
            "Bickel, Ritov and Tsybakov, Ann. Statist. 2009, with the smallest eigenvalue in place of the restricted "
            f"one; these constants are derived here: {derived} The Lasso's error",
            tests,
            penalty_rule(2.0),
            near_truth(),
            needs=("x", "noise", "lam"),
            sampler=penalised,
            scales=scales,
        ),
    ]
