"""Theorem 1 in the wording known to us: empty for all patterns, true for few gates; the spread of Gaussian gates."""

from dataclasses import replace

import numpy as np
import pytest

from recovery import GatedOperator, Instance, NoiseLaw
from recovery.conditions import dependent_gates, enumerate_patterns, theorem1_report
from recovery.guarantees import Tally, attack, contradicts, draw
from recovery.guarantees.gated.theorem1 import arrives, few_gates, guarantees, half_spaces, spread_rule

ALL, FEW, SPREAD = guarantees()


def orthonormal(d=40, kept=36, s=1, **options):
    """Two complementary gates on 2 d rows, each with orthonormal columns: beta = alpha = 1."""
    rng = np.random.default_rng(0)
    X = np.concatenate([np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2)])
    gates = np.repeat(np.eye(2, dtype=bool), d, axis=0)
    x = np.zeros(2 * d)
    x[[3, d + 5][:s]] = [2.0, -1.0][:s]
    return Instance.planted(GatedOperator(X, gates), x, options={"relaxed": kept, **options})


def test_few_gates_where_it_holds_and_where_it_does_not():
    good = orthonormal()
    judgement = FEW.judge(good)
    assert (judgement.check.status, judgement.conclusion.status) == ("holds", "holds")
    assert judgement.check.margin == pytest.approx(np.sqrt(36 / 32) - 1, rel=1e-9)
    assert FEW.check(orthonormal(kept=31)).status == "fails"
    assert FEW.check(orthonormal(kept=36, s=2)).status == "fails"
    assert FEW.check(good.replace(noise=np.full(80, 1e-3))).status == "fails"
    assert FEW.check(good.replace(options={})).status == "unknown"
    X, gates = good.gated
    empty = good.replace(A=GatedOperator(X, np.array(gates) & [True, False]))
    assert FEW.check(empty).status == "fails"
    assert "eps = 0" in FEW.check(empty).reason
    assert FEW.check(good.replace(A=np.array(good.matrix))).status == "unknown"


def test_too_few_steps_would_be_noticed():
    # on orthonormal columns a step of 2 / (3 beta) leaves a ninth of f, so that 1e-6 takes 7 steps
    good = orthonormal()
    assert arrives(0.51)(good).status == "holds"  # 8 steps
    assert arrives(0.43)(good).status == "fails"  # 6 steps
    assert contradicts(replace(FEW, outcome=arrives(0.43)), good)
    assert "40 of a run" in arrives(20.0)(good).reason


def test_drawn_instances_hold_near_the_boundary_and_recover():
    tally = Tally(FEW)
    for seed in range(40):
        tally.add(draw(FEW, seed))
    assert tally.violations == 0
    assert tally.held >= 22
    assert tally.near >= 10
    assert len(tally.designs) == 3
    # the report asks for no more than the theorem itself on instances where that holds
    for seed in range(8):
        instance = few_gates(np.random.default_rng(seed))
        if FEW.check(instance).status == "holds":
            report = theorem1_report(instance.A, instance.sparsity, instance.support)
            assert not report.vacuous
            assert report.asked <= instance.options["relaxed"]


def test_the_theorem_for_all_patterns_never_applies():
    tally = Tally(ALL)
    for seed in range(25):
        tally.add(draw(ALL, seed))
    assert (tally.held, tally.unknown, tally.vacuous) == (0, 0, 25)
    assert tally.violations == 0
    for seed in range(10):
        instance = half_spaces(np.random.default_rng(seed))
        assert "equal sums" in ALL.check(instance).reason
        # and it is so: the columns of the gates that it names are dependent, for every feature
        X, gates = instance.gated
        one, other = dependent_gates(gates)
        z = np.zeros((gates.shape[1], X.shape[1]))
        z[list(one)], z[list(other)] = 1.0, -1.0
        assert np.abs(instance.matrix @ z.ravel()).max() <= 1e-14
        assert np.count_nonzero(z[:, 0]) <= 4 <= 2 * instance.options["relaxed"] + instance.sparsity


def test_other_gates_are_not_all_patterns():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((7, 3))
    gates = enumerate_patterns(X, 2).gates
    gates = gates[:, gates.any(axis=0)]
    x = np.zeros(3 * gates.shape[1])
    x[0] = 1.0
    options = {"relaxed": 40, "generators": 2}
    assert "equal sums" in ALL.check(Instance.planted(GatedOperator(X, gates), x, options=options)).reason
    fewer = Instance.planted(GatedOperator(X, gates[:, 1:]), x[3:], options=options, sparsity=1)
    assert "are not the" in ALL.check(fewer.replace(x=x[:-3], y=fewer.matrix @ x[:-3])).reason
    wrong = Instance.planted(GatedOperator(X, gates), x, options={**options, "generators": 1})
    assert "s' = 1 is not between 2 and d" in ALL.check(wrong).reason


def test_gaussian_gates_are_spread_as_often_as_it_says():
    tally = Tally(SPREAD)
    for seed in range(300):
        tally.add(draw(SPREAD, seed))
    assert tally.violations == 0
    assert tally.held > 150
    instance = draw(SPREAD, 0)
    assert SPREAD.check(instance.replace(A=instance.matrix + 1.0)).status == "fails"
    assert SPREAD.check(instance.with_options(t=0.0)).status == "fails"
    assert SPREAD.check(instance.replace(law=None)).status == "unknown"


def test_a_spread_that_is_promised_too_often_is_broken():
    false = replace(SPREAD, hypotheses=spread_rule(2.0))
    H = np.array([[1.0, 0.0], [0.0, 1.0]])
    n = 60
    t = np.sqrt(
        np.log(4.0 / 1.9) / (2.0 * n)
    )  # the union bound is 1.9: one of three shares falls short half of the time
    options = {"inputs": 2, "t": float(t), "design": "axes"}
    law = NoiseLaw("gaussian", 1.0)
    pair = Instance.planted(np.zeros((2 * n, 4)), H.ravel(), law.draw(2 * n, 0), law=law, options=options)
    assert false.check(pair).status == "holds"
    assert contradicts(false, pair, 0)
    assert not contradicts(SPREAD, pair, 0)  # whose hypotheses fail
    fair = pair.with_options(t=float(np.sqrt(np.log(4.0 / 0.0999) / (2.0 * n))))
    assert SPREAD.check(fair).status == "holds"
    assert not contradicts(SPREAD, fair, 0)
    assert attack(SPREAD, evaluations=200, rng=0).status == "survived"


def test_the_error_is_held_to_twice_eps_over_alpha(monkeypatch):
    from recovery.guarantees.gated import theorem1

    instance, plain = orthonormal(), theorem1.trace
    for factor, status in ((1.9, "holds"), (2.1, "fails")):

        def other(*args, factor=factor, **options):
            run = plain(*args, **options)
            size = np.sqrt(factor * theorem1.SHARE * run.objectives[0])  # alpha = 1
            return replace(run, errors=[size] * len(run.errors))

        monkeypatch.setattr(theorem1, "trace", other)
        assert FEW.conclusion(instance).status == status


def test_the_union_bound_is_the_stated_one():
    instance = draw(SPREAD, 0)
    d, t = instance.options["inputs"], instance.options["t"]
    n, p = instance.shape[0] // d, instance.shape[1] // d
    events = (p + p * (p - 1) / 2 + p / 2) * np.exp(-2 * n * t**2)
    assert SPREAD.check(instance).margin == pytest.approx(0.1 / events - 1, rel=1e-9)


@pytest.mark.parametrize("kept", [0, 1000])
def test_a_sparsity_that_no_run_can_have_is_no_error(kept):
    judgement = FEW.judge(orthonormal(kept=kept))
    assert (judgement.check.status, judgement.conclusion.status) == ("fails", "unknown")
