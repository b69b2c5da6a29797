"""Guarantees of OMP: limits that are right, limits that are a little too weak, and the law of the noise."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from recovery import Instance, NoiseLaw, solve
from recovery.guarantees import constant, contradicts, draw, ledger
from recovery.guarantees.linear import omp

KNOWN = {one.name: one for one in omp.guarantees()}


def from_gram(gram, x, noise=None, **known):
    return Instance.planted(np.linalg.cholesky(np.array(gram)).T, np.array(x), noise, **known)


def weaker(name, rule):
    return dataclasses.replace(KNOWN[name], hypotheses=rule)


def three_atoms(m):
    return from_gram([[1, -m, m], [-m, 1, m], [m, m, 1]], [1.0, 1.0, 0.0])


def test_the_limit_of_the_coherence():
    coherence = KNOWN["omp-coherence"]
    inside, outside = coherence.judge(three_atoms(0.33)), coherence.judge(three_atoms(0.34))
    assert (inside.check.status, inside.conclusion.status) == ("holds", "holds")
    assert inside.check.margin == pytest.approx(1 / 3 / 0.33 - 1)
    # the next instance really fails: 1 / 3 is the best limit for two atoms
    assert (outside.check.status, outside.conclusion.status) == ("fails", "fails")
    assert not inside.violated
    assert not outside.violated
    loose = weaker("omp-coherence", omp.coherence_rule(lambda k: 1.0 / k))
    assert all(loose.judge(three_atoms(m)).violated for m in (0.34, 0.4, 0.49))
    assert coherence.check(three_atoms(0.3).replace(noise=np.full(3, 1e-9))).status == "fails"


def test_a_coefficient_above_one_is_not_enough():
    loose = weaker("omp-exact-recovery", omp.coefficient_rule(1.2))
    found = ledger(
        [loose, KNOWN["omp-exact-recovery"]], [draw(KNOWN["omp-exact-recovery"], seed) for seed in range(120)]
    )
    assert found["omp-exact-recovery"].held > 80
    assert [tally.violations > 0 for tally in found] == [True, False]


def test_the_stop_rule_makes_the_constant_of_the_noise_tight():
    # k = 1, A = I: y = x + xi has a norm below |xi| once x < 2 |xi|
    for name, rule in (
        ("omp-bounded-noise", lambda c: omp.noise_rule(c, omp._norm)),
        ("omp-restricted-isometry", lambda c: omp.isometry_rule(lambda k: 1 / math.sqrt(k + 1), c)),
    ):
        past, before = (Instance.planted(np.eye(3), [1.0, 0, 0], np.array([-b, 0, 0])) for b in (0.505, 0.495))
        assert weaker(name, rule(1.95)).judge(past).violated
        assert KNOWN[name].judge(past).check.status == "fails"
        assert KNOWN[name].judge(before).check.status == "holds"
        assert KNOWN[name].judge(before).conclusion.status == "holds"
    # and the wrong pick alone needs sqrt 2
    wrong = Instance.planted(np.eye(2), [1.0, 0.0], np.array([-0.51, 0.51]))
    pick = dataclasses.replace(
        weaker("omp-bounded-noise", omp.noise_rule(1.35, omp._norm)), outcome=omp.picks_support()
    )
    assert pick.judge(wrong).violated


def test_the_limit_of_the_isometry_constant():
    # delta_2 = 1 / sqrt(2) in the best scale, reached at G = [[1, 1], [1, 3]], where both atoms are as correlated
    for c, status in ((0.995, "holds"), (1.005, "fails")):
        instance = from_gram([[1.0, c], [c, 3.0]], [1.0, 0.0])
        judgement = KNOWN["omp-restricted-isometry"].judge(instance)
        assert judgement.check.status == status
        assert judgement.conclusion.status == status
        assert judgement.check.margin == pytest.approx(0.0, abs=0.01)
    assert weaker("omp-restricted-isometry", omp.isometry_rule(lambda k: 0.72)).judge(instance).violated
    # a scale of A changes nothing
    again = instance.replace(A=7.0 * instance.matrix)
    assert KNOWN["omp-restricted-isometry"].check(again).margin == pytest.approx(judgement.check.margin, abs=1e-9)


def test_too_many_supports_are_unknown(monkeypatch):
    monkeypatch.setattr("recovery.guarantees.linear.iterative.LIMIT", 3)
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((9, 6)))[0] @ (np.eye(6) + 0.06 * rng.standard_normal((6, 6)))
    instance = Instance.planted(A, [1.0, 1, 0, 0, 0, 0], 1e-6 * rng.standard_normal(9))
    assert KNOWN["omp-restricted-isometry"].check(instance).status == "unknown"


def test_gaussian_noise_stays_below_its_bound():
    n = np.concatenate([np.arange(2, 200), np.geomspace(200, 1e7, 300).astype(int)])
    exceeded = stats.chi2.sf(n + 2 * np.sqrt(n * np.log(n)), n)
    assert np.all(exceeded <= 1.0 / n)
    assert np.all(1.0 / n[n >= 10] <= omp.DELTA)
    # without the second summand it would not
    assert np.all(stats.chi2.sf(n, n)[n > 3] > 1.0 / n[n > 3])


def test_a_bound_of_gaussian_noise_that_is_too_small_is_found_out():
    gaussian = KNOWN["omp-gaussian-noise"]
    law = NoiseLaw("gaussian", 0.5)
    instance = Instance.planted(np.eye(10), np.eye(10)[0], law.draw(10, 0), law=law)
    assert gaussian.check(instance).status == "fails"
    small = dataclasses.replace(
        gaussian, hypotheses=omp.noise_rule(1.0, lambda one: constant(one.law.sigma)), outcome=omp.picks_support()
    )
    assert small.check(instance).status == "holds"
    assert contradicts(small, instance, 0)
    held = instance.scaled(noise=0.1)
    assert gaussian.check(held).status == "holds"
    assert not contradicts(gaussian, held, 0)
    assert gaussian.check(held.replace(law=NoiseLaw("laplace", 0.01))).status == "fails"
    fewer = Instance.planted(np.eye(9), np.eye(9)[0], held.noise[:9], law=held.law)
    assert gaussian.check(fewer).status == "fails"


def test_the_outcome_is_what_the_solver_says():
    guarantee = KNOWN["omp-coherence"]
    both = set()
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x = np.zeros(9)
        x[:3] = rng.choice([-1.0, 1.0], 3)
        instance = Instance.planted(rng.standard_normal((7, 9)), x)
        found = solve(instance.matrix, instance.y, 3, "omp").support
        right = np.array_equal(found, instance.support)
        verdict = guarantee.conclusion(instance)
        assert verdict.status == ("holds" if right else "fails")
        assert (verdict.margin > 0) == right
        both.add(right)
    assert both == {True, False}
