"""A ridge on the support: the bounds of its shrinkage, and hard thresholding pursuit with it against a plain loop."""

import math

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import draw
from recovery.guarantees.linear.iterative import extremes
from recovery.guarantees.linear.ridge import guarantees, shrinks, support_rule

SHRINKAGE, HTP = guarantees()


def top(u, s):
    return np.sort(np.argsort(-np.abs(u), kind="stable")[:s])


def textbook(A, y, s, x, rho, step, count):
    """Hard thresholding pursuit on the rows of A and those of sqrt(rho) I."""
    size = A.shape[1]
    B, b = np.vstack([A, math.sqrt(rho) * np.eye(size)]), np.concatenate([y, np.zeros(size)])
    for _ in range(count):
        chosen = top(x + step * (B.T @ (b - B @ x)), s)
        x = np.zeros(size)
        x[chosen] = np.linalg.lstsq(B[:, chosen], b)[0]
        yield x


def test_the_shrinkage_of_orthonormal_columns_is_on_both_bounds():
    rng = np.random.default_rng(0)
    x = np.array([3.0, 0.0, -1.0, 2.0])
    A = np.linalg.qr(rng.standard_normal((6, 4)))[0]
    for rho in (0.1, 1.0, 10.0):
        instance = Instance.planted(A, x, options={"ridge": rho})
        verdict = SHRINKAGE.conclusion(instance)
        assert verdict.status == "unknown"  # both bounds are met with equality
        ends = f"{rho / (1 + rho) * np.linalg.norm(x):.6g}"
        assert verdict.reason.count(ends) == 2
        assert SHRINKAGE.conclusion(instance.replace(noise=np.full(6, 0.1))).status == "holds"


def test_the_bounds_are_those_of_the_singular_values():
    rng = np.random.default_rng(1)
    for _ in range(50):
        k = int(rng.integers(1, 5))
        A = rng.standard_normal((int(rng.integers(1, 7)), k)) * 10.0 ** rng.uniform(-1, 1, k)
        x, rho = rng.standard_normal(k), 10.0 ** rng.uniform(-2, 2)
        noise = rng.standard_normal(len(A)) * rng.choice([0.0, 0.1, 3.0])
        judged = SHRINKAGE.judge(Instance.planted(A, x, noise, options={"ridge": float(rho)}))
        assert not judged.violated
        z = np.linalg.solve(A.T @ A + rho * np.eye(k), A.T @ (A @ x + noise))
        sigma = np.concatenate([np.linalg.svd(A, compute_uv=False), np.zeros(k)])[:k]
        spread = max(sigma / (sigma**2 + rho)) * np.linalg.norm(noise)
        assert spread <= np.linalg.norm(noise) / (2 * math.sqrt(rho)) * (1 + 1e-12)
        distance, size = np.linalg.norm(z - x), np.linalg.norm(x)
        assert rho / (sigma[0] ** 2 + rho) * size - spread <= distance * (1 + 1e-9)
        assert distance <= (rho / (sigma[-1] ** 2 + rho) * size + spread) * (1 + 1e-9)


@pytest.mark.parametrize("ridge", [0.0, -1.0, math.inf, math.nan, True])
def test_a_ridge_that_is_none_is_no_instance_of_it(ridge):
    instance = Instance.planted(np.eye(3), np.eye(3)[0], options={"ridge": ridge})
    assert SHRINKAGE.check(instance).status == HTP.check(instance).status == "fails"
    assert SHRINKAGE.check(instance.replace(options={})).status == "unknown"


def test_hard_thresholding_pursuit_keeps_its_bound_in_a_plain_loop():
    held = plural = noisy = 0
    for seed in range(28):
        instance = draw(HTP, seed)
        A, s, x, rho = instance.matrix, instance.sparsity, instance.x, instance.options["ridge"]
        if HTP.check(instance).status != "holds":
            continue
        low, high = extremes(A, 3 * s)
        delta, step = (high - low) / (low + high + 2 * rho), 2.0 / (low + high + 2 * rho)
        r = math.sqrt(2 * delta**2 / (1 - delta**2))
        nu = step * (np.linalg.norm(np.sort(np.abs(A.T @ instance.noise))[::-1][: 2 * s]) + rho * np.linalg.norm(x))
        limit = (math.sqrt(2 / (1 - delta**2)) + 1 / (1 - delta)) * nu / (1 - r)
        smallest = np.min(np.abs(x[x != 0]))
        assert limit < smallest * (1 + 1e-9)
        bound = first = np.linalg.norm((np.zeros(len(x)) if instance.x0 is None else instance.x0) - x)
        start = np.zeros(len(x)) if instance.x0 is None else instance.x0
        for t, point in enumerate(textbook(A, instance.y, s, start, rho, step, 12), 1):
            bound = r**t * first + (1 - r**t) * limit
            assert np.linalg.norm(point - x) <= bound * (1 + 1e-9)
            if bound < smallest * (1 - 1e-9):
                assert np.array_equal(np.flatnonzero(point), instance.support)
        held += 1
        plural += s >= 2
        noisy += bool(np.any(instance.noise))
        assert HTP.conclusion(instance).status == "holds"
    assert held > 14
    assert plural >= held / 2
    assert noisy > 14


def test_noise_that_is_larger_than_the_weakest_entry_breaks_a_statement_without_its_limit():
    x = np.array([5.0, 0.1, 0.0, 0.0])
    instance = Instance.planted(np.eye(4), x, np.array([0.0, 0.0, 1.0, 0.0]), options={"ridge": 1e-3})
    assert HTP.check(instance).status == "fails"
    assert support_rule(0.0)(instance).status == "holds"
    assert HTP.conclusion(instance).status == "fails"
    assert HTP.judge(instance.replace(noise=np.zeros(4), options={"ridge": 1e-3})).check.status == "holds"


def test_the_wrong_end_is_no_bound():
    rng = np.random.default_rng(2)
    A, x = rng.standard_normal((6, 3)), np.ones(3)
    assert shrinks(at_least=False)(Instance.planted(A, x, options={"ridge": 1.0})).status == "fails"


@pytest.mark.parametrize("known", [SHRINKAGE, HTP], ids=lambda one: one.name)
@pytest.mark.parametrize("factor", [2.0**400, 2.0**-400])
def test_units_do_not_matter(known, factor):
    instance = draw(known, 2)
    options = {**instance.options, "ridge": instance.options["ridge"] * factor * factor}
    if not 0.0 < options["ridge"] < math.inf:
        options["ridge"] = instance.options["ridge"]
        factor = 1.0
    there = Instance.planted(instance.matrix * factor, instance.x, instance.noise * factor, options=options)
    here = instance.replace(x0=None)
    assert known.check(there).status == known.check(here).status
    assert known.conclusion(there).status == known.conclusion(here).status
