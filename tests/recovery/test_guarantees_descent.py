"""GraDeS and NIHT: plain loops, the fixed point at 45 degrees, steps of 0/0, and constants that cannot work."""

import math
from itertools import combinations

import numpy as np
import pytest

from recovery import Instance
from recovery.guarantees import draw
from recovery.guarantees.linear.descent import condition_rule, descends, guarantees, normalised_rule

GRADES, NIHT = guarantees()
BOTH = pytest.mark.parametrize("known", [GRADES, NIHT], ids=["grades", "niht"])


def spectrum(A, order):
    found = []
    for chosen in combinations(range(A.shape[1]), min(order, A.shape[1])):
        found.extend(np.linalg.eigvalsh(A[:, chosen].T @ A[:, chosen]))
    return max(min(found), 0.0), max(found)


def top(u, s):
    return np.argsort(-np.abs(u), kind="stable")[:s]


def grades(A, y, s, x, step):
    u = x + step * A.T @ (y - A @ x)
    new = np.zeros(len(x))
    new[top(u, s)] = u[top(u, s)]
    return new, step


def niht(A, y, s, x, kappa, c):
    g = A.T @ (y - A @ x)
    there = np.flatnonzero(x)
    fits = there.size == s and np.linalg.norm(g[there]) > 1e-12 * np.linalg.norm(g)
    chosen = there if fits or (there.size and np.linalg.norm(g[there]) > 1e-12 * np.linalg.norm(g)) else top(g, s)
    step = g[chosen] @ g[chosen] / np.sum((A[:, chosen] @ g[chosen]) ** 2)
    while True:
        u = x + step * g
        new = np.zeros(len(x))
        new[top(u, s)] = u[top(u, s)]
        if fits and np.array_equal(np.sort(top(u, s)), there):
            return new, step
        if step * np.sum((A @ (new - x)) ** 2) <= (1 - c) * np.sum((new - x) ** 2):
            return new, step
        step /= kappa * (1 - c)


@BOTH
def test_the_objective_of_a_plain_loop_falls_at_the_rate(known):
    held = plural = 0
    for seed in range(35):
        instance = draw(known, seed)
        A, s, x = instance.matrix, instance.sparsity, instance.x
        low, high = spectrum(A, 2 * s)
        kappa, c = instance.options.get("kappa", 1.0), instance.options.get("c", 0.0)
        verdict = known.check(instance)
        assert verdict.margin == pytest.approx(2 * low / (kappa * high) - 1, abs=1e-8)
        if verdict.status != "holds":
            continue
        point = np.zeros(len(x)) if instance.x0 is None else np.array(instance.x0)
        value = np.sum((A @ point - instance.y) ** 2)
        floor = 1e-20 * np.sum(instance.y**2)
        for _ in range(15):
            if value < floor:
                break
            step = grades(A, instance.y, s, point, 1 / high) if known is GRADES else None
            point, size = step or niht(A, instance.y, s, point, kappa, c)
            assert size >= (1 - 1e-9) / (kappa * high)
            new = np.sum((A @ point - instance.y) ** 2)
            assert new <= (kappa * high / low - 1) * value * (1 + 1e-9) + floor
            value = new
        held += 1
        plural += s >= 2
        assert known.conclusion(instance).status == "holds"
    assert held > 18
    assert plural >= held / 2


def at_45_degrees(k):
    """Two columns of equal norm whose Gram matrix has the eigenvalues 1 and 1 / k; the wrong one is the start."""
    mean, half = (1 + 1 / k) / 2, (1 - 1 / k) / 2
    A = np.linalg.cholesky(np.array([[mean, half], [half, mean]])).T
    return Instance.planted(A, np.array([1.0, 0.0]), x0=np.array([0.0, half / mean]))


def test_beyond_three_a_cautious_step_has_a_wrong_fixed_point():
    stuck, free = at_45_degrees(3.05), at_45_degrees(2.95)
    assert GRADES.check(stuck).status == "fails"
    assert GRADES.conclusion(stuck).status == "fails"
    assert descends(3.5)(stuck).status == "fails"
    assert condition_rule(3.5)(stuck).status == "holds"
    assert condition_rule(3.5)(free).status == "holds"
    assert descends(3.5)(free).status == "holds"
    assert GRADES.judge(at_45_degrees(1.9)).check.status == "holds"
    assert GRADES.judge(at_45_degrees(1.9)).conclusion.status == "holds"


@pytest.mark.parametrize("e", [0.02, 0.1, 0.3])
def test_niht_leaves_a_start_at_which_its_step_is_zero_by_zero(e):
    A = np.linalg.cholesky(np.array([[1.0, e], [e, 1.0]])).T
    instance = Instance.planted(A, np.array([1.0, 0.0]), x0=np.array([0.0, 1 / e]))
    # after one step: least squares on the wrong column, g_S = 0
    stationary = instance.replace(x0=np.array([0.0, e]))
    for one in (instance, stationary):
        assert NIHT.check(one).status == "holds"
        assert NIHT.conclusion(one).status == "holds"


def test_constants_that_cannot_work():
    A = np.linalg.cholesky(np.array([[1.0, 0.1], [0.1, 1.0]])).T
    instance = Instance.planted(A, np.array([1.0, 0.0]))
    assert NIHT.check(instance).status == "holds"
    assert NIHT.check(instance.with_options(kappa=2.0)).status == "fails"
    assert NIHT.check(Instance.planted(np.eye(2), np.array([1.0, 0.0])).with_options(kappa=2.0)).status != "holds"
    assert "stop shrinking" in NIHT.check(instance.with_options(kappa=1.012, c=0.01)).reason
    assert "not above 1" in NIHT.check(instance.with_options(kappa=1.005, c=0.01)).reason
    assert "not above 1" in NIHT.check(instance.with_options(kappa=1.2, c=0.0)).reason
    # a step that the solver shrinks too little would be noticed
    assert NIHT.conclusion(instance.with_options(kappa=1.0102, c=0.0001)).status == "holds"


@BOTH
def test_what_the_statements_do_not_cover(known):
    A = np.linalg.cholesky(np.array([[1.0, 0.1], [0.1, 1.0]])).T
    instance = Instance.planted(A, np.array([1.0, 0.0]), options={"kappa": 1.1})
    assert known.check(instance).status == "holds"
    assert known.check(instance.replace(A=1e5 * A)).margin == pytest.approx(known.check(instance).margin)
    assert known.check(instance.replace(noise=np.full(2, 1e-9))).status == "fails"
    assert known.check(instance.replace(x0=np.ones(2))).status == "fails"
    assert known.check(Instance(instance.A, instance.y, 1)).status == "unknown"
    dependent = Instance.planted(np.ones((2, 2)), np.array([1.0, 0.0]))
    assert known.check(dependent).status == "fails"
    nothing = Instance.planted(np.eye(3), np.zeros(3))
    assert known.conclusion(nothing).status == "holds"


def test_the_number_of_steps_for_a_given_objective():
    for seed in range(12):
        instance = draw(GRADES, 100 + seed)
        if GRADES.check(instance).status != "holds":
            continue
        low, high = spectrum(instance.matrix, 2 * instance.sparsity)
        point = np.zeros(instance.shape[1]) if instance.x0 is None else np.array(instance.x0)
        first = np.sum((instance.matrix @ point - instance.y) ** 2)
        for eps in (1e-1, 1e-4):
            count = math.ceil(math.log(1 / eps) / -math.log(max(high / low - 1, 1e-3)))
            if count > 2000:
                continue
            here = point
            for _ in range(count):
                here, _ = grades(instance.matrix, instance.y, instance.sparsity, here, 1 / high)
            assert np.sum((instance.matrix @ here - instance.y) ** 2) <= eps * first * (1 + 1e-9)


def test_the_false_constant_of_niht():
    assert normalised_rule(5.0)(at_45_degrees(4.5)).status == "holds"
    assert normalised_rule(2.0)(at_45_degrees(4.5)).status == "fails"
