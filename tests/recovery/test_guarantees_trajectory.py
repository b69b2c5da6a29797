"""Guarantees after a run: on the supports that it visited, and from its residual."""

import math

import numpy as np
import pytest

from recovery import Instance, solve
from recovery.conditions import restricted_eigenvalues
from recovery.guarantees import draw, steer
from recovery.guarantees.linear.scaled_thresholding import GOLDEN
from recovery.guarantees.linear.trajectory import guarantees, residual_error, residual_rule, visited

VISITED, RESIDUAL = guarantees()


def test_errors_of_a_plain_loop_are_below_the_product_over_its_own_sets():
    held = plural = gated = 0
    for seed in range(30):
        instance = draw(VISITED, seed)
        A, s, x, step = instance.matrix, instance.sparsity, instance.x, instance.options["step"]
        point = np.zeros(len(x)) if instance.x0 is None else np.array(instance.x0)
        before, worst, bound, start = np.flatnonzero(point), 0.0, np.linalg.norm(point - x), np.linalg.norm(point - x)
        errors, bounds = [], []
        for _ in range(40):
            u = point + step * A.T @ (instance.y - A @ point)
            after = np.sort(np.argsort(-np.abs(u), kind="stable")[:s])
            point = np.zeros(len(x))
            point[after] = u[after]
            both = np.union1d(np.union1d(before, after), np.flatnonzero(x))
            values = np.linalg.svd(A[:, both], compute_uv=False) ** 2
            low = values[-1] if both.size <= A.shape[0] else 0.0
            rate = max(1 - step * low, step * values[0] - 1)
            worst, bound, before = max(worst, rate), bound * rate / GOLDEN, after
            errors.append(np.linalg.norm(point - x))
            bounds.append(bound)
            if errors[-1] < 1e-11 * np.linalg.norm(x):
                break
        verdict = VISITED.check(instance)
        assert verdict.status == ("holds" if worst < GOLDEN else "fails")
        assert verdict.margin == pytest.approx(GOLDEN / worst - 1, abs=1e-6)
        if verdict.status != "holds":
            continue
        for error, allowed in zip(errors, bounds, strict=True):
            assert error <= allowed * (1 + 1e-9) + 1e-11 * (np.linalg.norm(x) + start)
        held += 1
        plural += s >= 2
        gated += instance.gated is not None
        assert VISITED.conclusion(instance).status == "holds"
    assert held > 15
    assert plural >= held / 2
    assert gated > 2


def test_the_sets_hold_the_supports_of_x_and_of_two_iterates():
    A = np.eye(4)
    instance = Instance.planted(A, np.array([3.0, 0, 0, 2.0]), x0=np.array([0, 1.0, 0, 0]), options={"step": 0.5})
    sets, step = visited(instance)
    assert step == 0.5
    assert sets[0].tolist() == [0, 1, 3]
    assert sets[-1].tolist() == [0, 3]
    assert VISITED.check(instance).margin == pytest.approx(2 * GOLDEN - 1)
    assert VISITED.check(instance.with_options(step=0.2)).status == "fails"


def test_a_run_may_be_certified_where_no_uniform_condition_holds():
    # two equal columns far from the run: kappa_2 is infinite
    A = np.zeros((5, 6))
    A[:4, :4] = np.eye(4)
    A[4, 4] = A[4, 5] = 0.5
    instance = Instance.planted(A, np.array([3.0, 2.0, 0, 0, 0, 0]), options={"step": 1.0})
    assert restricted_eigenvalues(A, 2).smallest.upper < 1e-12
    assert VISITED.check(instance).status == "holds"
    assert VISITED.conclusion(instance).status == "holds"


def test_a_wrong_fixed_point_is_not_certified():
    d = GOLDEN + 0.01
    A = np.linalg.cholesky(np.array([[1.0, d], [d, 1.0]])).T
    stuck = Instance.planted(A, np.array([1.0, 0.0]), x0=np.array([0.0, d]), options={"step": 1.0})
    assert VISITED.check(stuck).status == "fails"
    assert VISITED.conclusion(stuck).status == "fails"
    assert VISITED.check(stuck.replace(noise=np.full(2, 1e-9))).status == "fails"
    assert VISITED.check(stuck.replace(x0=np.ones(2))).status == "fails"
    assert VISITED.check(Instance(A, stuck.y, 1)).status == "unknown"


def test_the_residual_bounds_the_error_without_x():
    held = 0
    for seed in range(25):
        instance = draw(RESIDUAL, seed)
        verdict = RESIDUAL.check(instance)
        stranger = Instance(instance.A, instance.y, instance.sparsity, noise=instance.noise)
        assert RESIDUAL.check(stranger) == verdict  # x is not looked at
        assert RESIDUAL.conclusion(stranger).status == "unknown"
        found, bound, _ = residual_error(stranger)
        np.testing.assert_array_equal(found, solve(instance.matrix, instance.y, instance.sparsity, "htp").x)
        assert np.linalg.norm(found - instance.x) <= bound * (1 + 1e-9)
        if verdict.status == "holds":
            assert np.array_equal(np.flatnonzero(found), instance.support)
            assert RESIDUAL.conclusion(instance).status == "holds"
            held += 1
    assert held > 12


def test_what_the_residual_does_not_say():
    instance = Instance.planted(np.eye(4), np.array([3.0, 0, 0, 2.0]), np.array([0.1, 0, 0, 0]))
    assert RESIDUAL.check(instance).status == "holds"
    # the noise alone counts: it is in the range of the columns found
    assert RESIDUAL.check(instance).margin == pytest.approx(2.0 / 0.1 - 1)
    assert RESIDUAL.check(Instance(instance.A, instance.y, 2)).status == "unknown"
    assert RESIDUAL.check(instance.replace(noise=np.full(4, 1.5))).status == "fails"
    twins = Instance.planted(np.array([[1.0, 1.0, 0], [0, 0, 1.0]]), np.array([1.0, 0, 0]))
    assert residual_error(twins)[1] == math.inf
    assert RESIDUAL.check(twins).status == "fails"
    assert "fewer than" in RESIDUAL.check(Instance.planted(np.eye(3), np.array([1.0, 0, 0]), sparsity=2)).reason
    assert RESIDUAL.check(Instance.planted(np.eye(3), np.ones(3)).replace(sparsity=2)).status == "fails"
    assert steer(RESIDUAL, instance, 0.5) is not instance


def test_half_of_the_bound_is_too_little():
    # x_2 = -1 hidden by noise: least squares picks the other column
    x, noise = np.array([1.0, 0.0]), np.array([-0.55, 0.55])
    instance = Instance.planted(np.eye(2), x, noise)
    assert RESIDUAL.check(instance).status == "fails"
    assert residual_rule(instance, 0.4).status == "holds"
    assert RESIDUAL.conclusion(instance).status == "fails"


def test_the_bounds_are_the_products_over_the_visited_sets(monkeypatch):
    from recovery.guarantees.linear import trajectory

    seen, plain = [], trajectory.held_to
    monkeypatch.setattr(trajectory, "held_to", lambda *parts: seen.append(parts[1]) or plain(*parts))
    instance = draw(VISITED, 0)
    step = instance.options["step"]
    assert VISITED.conclusion(instance).status == "holds"
    start = np.zeros(instance.shape[1]) if instance.x0 is None else instance.x0
    bound = np.linalg.norm(start - instance.x)
    for both, found in zip(visited(instance)[0][:5], seen[0][1:], strict=False):
        values = step * np.linalg.eigvalsh(instance.matrix[:, both].T @ instance.matrix[:, both])
        bound *= max(1 - values[0], values[-1] - 1) * (math.sqrt(5) + 1) / 2
        assert found == pytest.approx(bound, rel=1e-6)
