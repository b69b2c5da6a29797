"""Guarantees after a run: conditions on the supports that it visited, and on its final residual."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from planted.base.arrays import EPS
from recovery.exact.bounded import Bounded, constant, eigenvalues, matmul, maximum
from recovery.guarantees.engine.base import Guarantee, Verdict, exceeds
from recovery.guarantees.engine.instance import Instance
from recovery.guarantees.engine.sampling import linear_instance
from recovery.guarantees.linear import frames
from recovery.guarantees.linear.iterative import (
    STEPS,
    extremes,
    held_to,
    isometry,
    least_entry,
    nothing_to_run,
    outside,
    start,
    trace,
)
from recovery.guarantees.linear.scaled_thresholding import GOLDEN
from recovery.operators.gated import GatedOperator
from recovery.solvers.solve import solve

__all__ = ["guarantees", "residual_error", "residual_rule", "visited", "visited_rule"]

_ROUNDING = 1e-9
_LOOSE = 5e-7
"""Relative error of the two sides of the outcome, computed from singular values and the solver's result."""
_DESIGNS = ("gaussian", "orthogonal", "toeplitz", "equicorrelated", "block", "heavy_tailed")


def visited(instance: Instance, steps: int = STEPS) -> tuple[list[np.ndarray], float]:
    """Run IHT and return the sets that it visited, and its step.

    Parameters
    ----------
    instance : Instance
        An instance with x. The step is the option ``"step"``, or the solver's own without it.
    steps : int, default 40
        Largest number of steps.

    Returns
    -------
    sets : list of numpy.ndarray of int64
        The supports of x, x_t and x_{t+1} together, for each step; ascending indices.
    step : float
        The step size, NaN if there was no step.
    """
    supports, sizes = [np.flatnonzero(instance.x0) if instance.x0 is not None else np.arange(0)], []

    def watch(state: Any) -> None:
        supports.append(np.array(state.support))
        sizes.append(float(state.step))

    solve(
        instance.matrix, instance.y, instance.sparsity, "iht", x0=instance.x0, max_iter=steps,
        step=instance.options.get("step"), callback=watch,
    )  # fmt: skip
    there = instance.support
    return [np.union1d(np.union1d(there, a), b) for a, b in pairwise(supports)], sizes[0] if sizes else math.nan


def visited_rule(instance: Instance, limit: float = GOLDEN) -> Verdict:
    """Return whether |1 - step lambda| < limit for all eigenvalues on the sets that the run visits."""
    aside = outside(instance)
    if aside is not None:
        return aside
    if not np.any(instance.y):
        return Verdict.unknown("y = 0, so the run has no steps")
    sets, step = visited(instance)
    if not sets:
        return Verdict.unknown("the run has no steps")
    found = []
    for there in _distinct(sets):
        columns = instance.matrix[:, there]
        spectrum = constant(step) * eigenvalues(matmul(columns.T, columns))
        found += [1 - spectrum[0], spectrum[-1] - 1]
    worst = maximum(0, *found)
    return exceeds(constant(limit), worst, f"the limit exceeds |1 - step lambda| on the {len(sets)} visited sets")


def _distinct(sets: list[np.ndarray]) -> list[np.ndarray]:
    return list({one.tobytes(): one for one in sets}.values())


def follows(instance: Instance, limit: float = GOLDEN) -> Verdict:
    """Return whether each step moves towards x as its set requires, and the last support contains that of x."""
    aside = nothing_to_run(instance)
    if aside is not None:
        return aside
    run = trace(instance, "iht", step=instance.options.get("step"))
    if not run.steps:
        return Verdict.unknown("the run has no steps")
    bounds = [run.errors[0]]
    for before, after in pairwise(run.supports):
        columns = instance.matrix[:, sorted({*before.tolist(), *after.tolist(), *instance.support.tolist()})]
        shape = columns.shape
        factor = columns if shape[0] < shape[1] else np.asarray(np.linalg.qr(columns, mode="r"))
        values = run.steps[0] * np.linalg.svd(factor, compute_uv=False) ** 2
        least = 0.0 if shape[0] < shape[1] else float(values[-1])
        bounds.append(bounds[-1] * max(1.0 - least, float(values[0]) - 1.0, 0.0) / limit)
    # rounding errors are about 1e-16 |x|: far above that, a step without progress is a failure
    nearer = min((a / b - 1.0 for a, b in pairwise(run.errors) if b > 1e3 * run.floor), default=math.inf)
    if nearer < 1e-10:
        return Verdict("fails", min(nearer, -1e-10), "a step increases the distance from x")
    verdict = held_to(run.errors, bounds, run.floor, "the error")
    if verdict.status != "fails" and 10.0 * run.floor < bounds[-1] < least_entry(instance.x):
        # a missing index of x causes an error of at least this entry; below the floor the data may not determine it
        missing = np.setdiff1d(instance.support, run.supports[-1])
        if missing.size:
            return Verdict("fails", -1.0, f"index {missing[0]} of x is not in the last support")
    return verdict


def residual_error(instance: Instance) -> tuple[np.ndarray, float, str]:
    """Return HTP's result and a bound on its distance to every s-sparse x that explains y up to the noise.

    Parameters
    ----------
    instance : Instance
        An instance with the noise; x is not used.

    Returns
    -------
    found : numpy.ndarray, shape (N,)
        HTP's result with its default options.
    bound : float
        (|y - A found| + |noise|) / sqrt(alpha_{2s}), with the certified lower side of alpha_{2s}: infinite if it is 0.
    message : str
        The numbers.
    """
    found = np.asarray(solve(instance.matrix, instance.y, instance.sparsity, "htp").x)
    order = 2 * max(instance.sparsity, 1)
    alpha = isometry(instance.matrix, order).smallest.lower
    # the rounding of the residual, and of the data if x is close to the result
    size = float(np.linalg.norm(np.abs(instance.matrix) @ np.abs(found) + np.abs(instance.y)))
    residual = float(np.linalg.norm(instance.y - instance.matrix @ found))
    residual = residual * (1.0 + len(instance.y) * EPS) + 4.0 * (instance.sparsity + 4) * EPS * size
    total = residual + float(np.linalg.norm(instance.noise))
    bound = total / math.sqrt(alpha) if alpha > 0.0 else math.inf
    return found, bound, f"residual {residual:.3g}, alpha_{order} >= {alpha:.3g}"


def residual_rule(instance: Instance, factor: float = 1.0) -> Verdict:
    """Return whether the smallest of the s entries that HTP found exceeds `factor` times its error bound."""
    s = instance.sparsity
    if instance.x is not None and len(instance.support) > s:
        return Verdict.of(False, f"x has {len(instance.support)} non-zeros, more than s = {s}")
    found, bound, message = residual_error(instance)
    if np.count_nonzero(found) < s:
        return Verdict.of(False, f"the result of HTP has {np.count_nonzero(found)} non-zeros, fewer than s = {s}")
    small, error = least_entry(found), factor * bound
    reason = f"the smallest entry found exceeds its error bound ({message})"
    rounding = 0.0 if math.isinf(error) else 64.0 * EPS * error  # its parts are already upper bounds
    return exceeds(Bounded(small, 0.0), Bounded(error, rounding), reason)


def residual_outcome(instance: Instance) -> Verdict:
    """Return whether HTP's support is that of x, and its error within the bound."""
    A, s, x = instance.matrix, instance.sparsity, instance.x
    if x is None:
        return Verdict.unknown("x is not given for this instance")
    answer = solve(A, instance.y, s, "htp")
    if not np.array_equal(answer.support, instance.support):
        return Verdict("fails", -1.0, "the result does not have the support of x")
    error, size = float(np.linalg.norm(answer.x - x)), float(np.linalg.norm(x))
    if error <= _ROUNDING * size or s == 0:
        return Verdict("holds", 1.0, "the error is no larger than rounding error")
    smallest, _ = extremes(A, 2 * s)
    total = float(np.linalg.norm(instance.y - A @ answer.x) + np.linalg.norm(instance.noise))
    bound = total / math.sqrt(smallest) if smallest > 0.0 else math.inf
    rounding = 0.0 if math.isinf(bound) else _LOOSE * bound
    return exceeds(Bounded(bound, rounding), Bounded(error, _LOOSE * error), "the bound exceeds the error")


def visited_sampler(rng: np.random.Generator, limit: float = GOLDEN) -> Instance:
    """Draw a design, dense or gated, and a step close to the limit on the sets that the run visits."""
    for _ in range(20):
        goal = limit / (1.0 + frames.aim(rng, 0.5))
        instance = _design(rng)
        steps = _steps(instance.matrix, [instance.support], goal)
        if steps:
            instance = instance.with_options(step=float(steps[int(rng.integers(len(steps)))]))
            steps = _steps(instance.matrix, visited(instance, 10)[0], goal)
        if steps:  # most sets appear early, and the next run mostly visits the same ones
            instance = instance.with_options(step=float(steps[int(rng.integers(len(steps)))]))
            break
    return instance


def _steps(A: np.ndarray, sets: list[np.ndarray], goal: float) -> list[float]:
    """Return the steps, at most two, for which the largest |1 - step lambda| on the sets is a goal below 1."""
    spectra = [np.linalg.eigvalsh(A[:, one].T @ A[:, one]) for one in _distinct(sets)]
    low, high = min(float(one[0]) for one in spectra), max(float(one[-1]) for one in spectra)
    ends = [(1.0 - goal) / low, (1.0 + goal) / high] if low > 1e-12 * high else []
    return [step for step in ends if max(1.0 - step * low, step * high - 1.0) <= goal * (1.0 + 1e-9)]


def _design(rng: np.random.Generator) -> Instance:
    """Draw a problem without noise, one in three gated by random generators."""
    if rng.random() < 0.35:
        n, d, p = int(rng.integers(60, 400)), int(rng.integers(2, 7)), int(rng.integers(2, 6))
        A: Any = GatedOperator.from_generators(rng.standard_normal((n, d)), rng.standard_normal((d, p)))
        name, s = "relu", int(rng.integers(1, min(4, d * p)))
        x = np.zeros(d * p)
        x[rng.permutation(d * p)[:s]] = rng.choice([-1.0, 1.0], s) * 10.0 ** rng.uniform(0.0, 1.0, s)
    else:
        drawn = linear_instance(
            rng, designs=_DESIGNS, n_range=(8, 60), d_range=(3, 30), k_range=(1, 4), tall=bool(rng.random() < 0.5),
            aimed=0.0,
        )  # fmt: skip
        name, A, x = str(drawn.options["design"]), drawn.matrix, np.asarray(drawn.x)
    instance = Instance.planted(A, x, options={"design": name, "step": 1.0})
    return instance.replace(x0=start(rng, instance.matrix, x, instance.sparsity))


def residual_sampler(rng: np.random.Generator) -> Instance:
    """Draw designs with noise; scaling it moves them to the boundary."""
    return linear_instance(rng, n_range=(3, 24), d_range=(3, 10), k_range=(1, 3))


def guarantees() -> list[Guarantee]:
    """Return the guarantees about a completed run.

    Returns
    -------
    list of Guarantee
        ``iht-trajectory`` uses the supports that IHT visits in its first 40 steps, with the step in the option
        ``"step"`` (the solver's own if there is none), and the support of x. ``residual-certificate`` can be computed
        without x if the size of the noise is known.
    """
    tests = "tests/recovery/test_guarantees_trajectory.py"
    proof = "docs/theory, section A posteriori guarantees"
    return [
        Guarantee(
            "iht-trajectory",
            "implication",
            "Without noise, let q_i = max |1 - step lambda| over the eigenvalues lambda of A_U'A_U, U = S u S_i u "
            "S_{i+1} the sets that IHT with this step visits. If all q_i < (sqrt(5) - 1) / 2, then each step comes "
            "nearer to x, |x_t - x| is at most |x0 - x| times the product of q_i (sqrt(5) + 1) / 2 over i < t, and "
            "S_t contains S once this bound is below min |x_S|.",
            f"derived here: {proof}",
            tests,
            visited_rule,
            follows,
            sampler=visited_sampler,
            steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "residual-certificate",
            "implication",
            "If x has at most s non-zeros and the result z of HTP has s, with min |z_i| > b = (|y - A z| + |xi|) / "
            "sqrt(alpha_{2s}), then z has the support of x and |z - x| <= b.",
            f"derived here: {proof}",
            tests,
            residual_rule,
            residual_outcome,
            needs=("noise",),
            sampler=residual_sampler,
            scales=("data", "matrix"),
        ),
    ]
