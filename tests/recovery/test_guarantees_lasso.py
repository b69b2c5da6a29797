"""Guarantees of the Lasso: the reference solution, the equivalence, the constants, and variants that are false."""

import dataclasses
import math

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from recovery import Instance, NoiseLaw
from recovery.conditions import irrepresentability
from recovery.guarantees import Bounded, contradicts, draw, exceeds, ledger
from recovery.guarantees.linear import lasso
from recovery.guarantees.linear import lasso as lasso_reference

KNOWN = {one.name: one for one in lasso.guarantees()}
solution = lasso_reference.lasso_solution


def weaker(name, rule):
    return dataclasses.replace(KNOWN[name], hypotheses=rule)


def problem(seed, n=14, size=9):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, size)) * np.exp(rng.standard_normal(size)) + 0.5 * rng.standard_normal((n, 1))
    return A, A @ np.where(np.arange(size) < 3, 1.0, 0.0) + 0.3 * rng.standard_normal(n)


def test_the_solution_is_that_of_coordinate_descent():
    for seed in range(60):
        A, y = problem(seed, size=9 if seed % 2 else 20)
        lam = float(np.max(np.abs(A.T @ y))) / len(y) * 10.0 ** -(seed % 4 / 2 + 0.1)
        w, z = solution(A, y, lam)
        other = Lasso(alpha=lam, fit_intercept=False, tol=1e-14, max_iter=500_000).fit(A, y).coef_
        np.testing.assert_allclose(w, other, atol=1e-8)
        np.testing.assert_array_equal(w != 0, np.abs(other) > 1e-9)
        np.testing.assert_allclose(z, A.T @ (y - A @ w) / (len(y) * lam), atol=1e-9)
        np.testing.assert_allclose(z[w != 0], np.sign(w[w != 0]), atol=1e-9)


def test_the_active_set_method_finds_the_same_signs():
    for seed in range(60):
        A, y = problem(seed, size=9 if seed % 2 else 20)
        lam = 0.01 * float(np.max(np.abs(A.T @ y))) / len(y) * (1 + seed % 5)
        w, _ = solution(A, y, lam)
        np.testing.assert_array_equal(lasso_reference._active_set(A, y, len(y) * lam), np.sign(w))


def test_where_lars_fails_the_other_method_is_taken(monkeypatch):
    A, y = problem(0)
    w, _ = solution(A, y, 0.1)
    monkeypatch.setattr("sklearn.linear_model.lars_path", lambda A, y, **_: (None, None, np.ones((A.shape[1], 1))))
    np.testing.assert_array_equal(solution(A, y, 0.1)[0], w)
    monkeypatch.setattr(lasso_reference, "_active_set", lambda A, y, push: np.ones(A.shape[1]))
    assert solution(A, y, 0.1) is None  # an answer that does not pass is no answer
    instance = Instance.planted(A, np.eye(9)[0], options={"lam": 0.1})
    assert KNOWN["lasso-primal-dual-witness"].conclusion(instance).status == "unknown"


def soft(noise, lam, x=(1.0, 0.0), factor=1.0):
    """A / sqrt(n) orthonormal: the Lasso is the soft threshold of x + noise."""
    n = len(x)
    return Instance.planted(
        factor * math.sqrt(n) * np.eye(n),
        np.array(x) / factor,
        math.sqrt(n) * np.array(noise),
        options={"lam": factor * lam},
    )


def test_the_witness_of_an_orthogonal_design():
    witness = KNOWN["lasso-primal-dual-witness"]
    for noise, lam, status in (
        ([0.0, 0.1], 0.2, "holds"),
        ([0.0, 0.21], 0.2, "fails"),  # the other is in
        ([-0.85, 0.1], 0.2, "fails"),  # the planted one is out
        ([-1.3, 0.1], 0.2, "fails"),  # it has the wrong sign
        ([0.0, 0.2], 0.2, "unknown"),  # on the boundary
    ):
        for factor in (1e-3, 1.0, 1e3):
            judgement = witness.judge(soft(noise, lam, factor=factor))
            assert judgement.check.status == status
            assert judgement.conclusion.status == status
    assert witness.check(soft([0.0, 0.1], 0.2)).margin == pytest.approx(0.8 / 1.2)  # the dual has 1 / 0.5 - 1


def test_half_of_the_witness_is_not_enough():
    def primal_only(instance):
        A, S = instance.matrix, instance.support
        gram = A[:, S].T @ A[:, S]
        lam = len(A) * instance.options["lam"]
        w = np.linalg.lstsq(A[:, S], instance.y)[0] - lam * np.linalg.solve(gram, np.sign(instance.x[S]))
        return exceeds(Bounded(max(np.min(w * np.sign(instance.x[S])), 0.0), 1e-12), 0, "weights")

    witness = KNOWN["lasso-primal-dual-witness"]
    found = ledger([weaker(witness.name, primal_only), witness], [draw(witness, seed) for seed in range(80)])
    assert [tally.violations > 0 for tally in found] == [True, False]
    assert next(iter(found)).contradicted > 5


def test_the_limit_of_the_irrepresentable_value():
    def instance(value, lam):
        # x_3 = value / 2 (x_1 + x_2) + rest
        lean = value / 2
        R = np.array([[1.0, 0.0, lean], [0.0, 1.0, lean], [0.0, 0.0, math.sqrt(1 - 2 * lean**2)]])
        made = Instance.planted(math.sqrt(3) * R, np.array([1.0, 1.0, 0.0]), options={"lam": lam})
        assert irrepresentability(made.matrix, [0, 1], [1.0, 1.0]) == pytest.approx(value)
        return made

    known, loose = KNOWN["lasso-irrepresentable"], weaker("lasso-irrepresentable", lasso.irrepresentable_rule(1.1))
    for value, lam, status in ((0.98, 0.5, "holds"), (1.02, 0.5, "fails"), (0.5, 0.99, "holds"), (0.5, 1.01, "fails")):
        judgement = known.judge(instance(value, lam))
        assert (judgement.check.status, judgement.conclusion.status) == (status, status)
        assert loose.judge(instance(value, lam)).violated == (value > 1)
    assert known.check(instance(0.98, 0.5).replace(noise=np.full(3, 1e-6))).status == "fails"


def test_gaussian_noise_at_the_boundary_and_far_beyond():
    rng = np.random.default_rng(0)
    law = NoiseLaw("gaussian", 0.3)
    known, loose = KNOWN["lasso-gaussian-noise"], weaker("lasso-gaussian-noise", lasso.gaussian_rule(lasso.DELTA, 0.2))
    instance = Instance.planted(
        math.sqrt(10) * np.eye(10), np.eye(10)[0], law.draw(10, rng), law=law, options={"lam": 0.12}
    )
    assert known.check(instance).status == "fails"
    assert loose.check(instance).status == "holds"
    assert contradicts(loose, instance, 0)
    margin = known.check(instance).margin
    held = instance.scaled(noise=(1.0 + margin) / 1.001)  # the margin is inversely proportional to sigma
    assert known.check(held).margin == pytest.approx(1e-3, rel=1e-6)
    assert not contradicts(known, held, 0)
    assert known.check(held.replace(law=NoiseLaw("student", 0.01))).status == "fails"


def test_wainwrights_condition_implies_this_one_for_unit_noise():
    held = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        n, size, k = 400, 12, int(rng.integers(1, 5))
        A = rng.standard_normal((n, size)) + 0.2 * rng.standard_normal((n, 1))
        A *= math.sqrt(n) / np.linalg.norm(A, axis=0)
        signs = rng.choice([-1.0, 1.0], k)
        gram = A[:, :k].T @ A[:, :k] / n
        gamma = 1.0 - irrepresentability(A, np.arange(k), signs)
        if gamma <= 0.0:
            continue
        lam = 1.0001 * 2 / gamma * math.sqrt(2 * math.log(size) / n)
        size_of = lam * (np.abs(np.linalg.inv(gram)).sum(axis=1).max() + 4 / math.sqrt(np.linalg.eigvalsh(gram)[0]))
        x = np.zeros(size)
        x[:k] = 1.0001 * size_of * signs
        law = NoiseLaw("gaussian", 1.0)
        instance = Instance.planted(A, x, law.draw(n, rng), law=law, options={"lam": lam})
        assert 4 * (size - k) / lasso.DELTA <= size**4
        assert lasso.gaussian_rule(lasso.DELTA)(instance).status == "holds"
        held += 1
    assert held > 40


def test_the_constants_of_the_error():
    known = KNOWN["lasso-restricted-eigenvalue"]
    quiet = soft([0.0, 0.0], 0.2)
    assert known.judge(quiet).conclusion.status == "holds"
    # without noise the one weight is off by lam / kappa
    assert dataclasses.replace(known, outcome=lasso.near_truth(0.99)).judge(quiet).violated
    assert not dataclasses.replace(known, outcome=lasso.near_truth(1.01)).judge(quiet).violated
    loud = soft([-0.39, 0.0], 0.2)
    assert known.check(loud).status == "fails"
    # a penalty below the noise: many wrong weights
    noise = [0.99] * 400
    low = soft(noise, 0.01, x=(5.0, *[0.0] * 399))
    assert weaker(known.name, lasso.penalty_rule(0.01)).judge(low).violated
    assert known.check(low).status == "fails"
    wide = Instance.planted(np.ones((1, 2)), [1.0, 0.0], [0.1], options={"lam": 1.0})
    assert known.check(wide).status == "fails"
