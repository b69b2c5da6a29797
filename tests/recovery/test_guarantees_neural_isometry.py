"""Guarantees of neural isometry: known cases on both sides, weaker limits that break, and what the outcome looks at."""

import dataclasses

import numpy as np
import pytest

from recovery import GatedOperator, Instance
from recovery.conditions import neural_isometry as condition
from recovery.guarantees import attack, catalogue, contradicts, draw, ledger
from recovery.guarantees.gated import neural_isometry
from recovery.guarantees.gated.neural_isometry import gated_instance

KNOWN = {one.name: one for one in neural_isometry.guarantees()}
KINDS = {
    "nic-linear": {"linear": True},
    "nic-linear-cone": {"linear": True},
    "nic-1": {"single": True},
    "nic-k": {},
    "nic-k-cone": {"cone": True},
    "nic-k-normalised": {"normalised": True},
}


def weaker(name, limit):
    return dataclasses.replace(KNOWN[name], hypotheses=neural_isometry.isometry_rule(limit, **KINDS[name]))


def easy(n=30, planted=1, signs=(1.0, -1.0)):
    """Whitened inputs, neurons behind their own gates and one more gate."""
    rng = np.random.default_rng(1)
    X, H = np.linalg.qr(rng.standard_normal((n, 3)))[0], rng.standard_normal((3, planted + 1))
    w = np.zeros((planted + 1, 3))
    w[:planted] = H.T[:planted] * np.array(signs[:planted])[:, None]
    return Instance.planted(GatedOperator(X, X @ H >= 0), w.ravel())


def test_the_family_is_in_the_catalogue():
    assert set(KNOWN) == set(KINDS)
    assert set(KNOWN) <= {one.name for one in catalogue("gated")}


@pytest.mark.parametrize("name", KINDS)
def test_no_violation_and_instances_where_it_matters(name):
    found = ledger([KNOWN[name]], [draw(KNOWN[name], seed) for seed in range(40)])[name]
    assert found.violations == 0
    assert found.undecided <= 1
    assert found.held > 15
    assert found.near > 2
    assert found.vacuous > 2
    assert len(found.designs) >= 5


@pytest.mark.parametrize(
    ("name", "limit", "seeds"),
    [
        ("nic-linear", 1.1, (166, 197)),
        ("nic-linear-cone", 1.1, (72, 118)),
        ("nic-1", 1.1, (119, 244)),
        ("nic-k", 1.02, (288, 350)),
        ("nic-k-cone", 1.1, (514, 776)),
        ("nic-k-normalised", 1.02, (327, 348)),
    ],
)
def test_a_limit_above_one_is_broken(name, limit, seeds):
    false = weaker(name, limit)
    for one in (draw(KNOWN[name], seed) for seed in seeds):
        judgement = KNOWN[name].judge(one)
        assert (judgement.check.status, judgement.conclusion.status) == ("fails", "fails")
        assert judgement.conclusion.margin < 0
        assert contradicts(false, one, 0)


@pytest.mark.parametrize("name", ["nic-linear", "nic-1"])
def test_the_attack_breaks_a_limit_above_one(name):
    found = attack(weaker(name, 1.1), rng=0).instance
    assert found is not None
    assert found.gated is not None
    assert KNOWN[name].check(found).status == "fails"


def test_one_and_two_neurons_by_hand():
    for planted in (1, 2):
        instance = easy(planted=planted)
        X, gates = instance.gated
        value = condition(X, gates, instance.x).value
        assert value < 1
        for name in ("nic-k", "nic-k-cone"):
            judgement = KNOWN[name].judge(instance)
            assert (judgement.check.status, judgement.conclusion.status) == ("holds", "holds")
            assert judgement.check.margin == pytest.approx(1 / value - 1)
            assert judgement.conclusion.margin >= judgement.check.margin - 1e-6  # a flatter dual vector, if any
        assert KNOWN["nic-1"].check(instance).status == ("holds" if planted == 1 else "fails")
    assert KNOWN["nic-linear"].check(instance).status == "fails"


def test_the_linear_part():
    rng = np.random.default_rng(3)
    X, w = rng.standard_normal((20, 3)), rng.standard_normal(3)
    gates = np.concatenate([X @ rng.standard_normal((3, 4)) >= 0, np.ones((20, 1), dtype=bool)], axis=1)
    instance = Instance.planted(GatedOperator(X, gates), np.concatenate([np.zeros(12), w]))
    for name in ("nic-linear", "nic-linear-cone", "nic-k"):
        judgement = KNOWN[name].judge(instance)
        assert (judgement.check.status, judgement.conclusion.status) == ("holds", "holds")
    # as a neuron the linear part is outside its cone, and the cone program without a linear part cannot have it
    assert np.any(X @ w < 0)
    assert np.any(X @ w > 0)
    assert KNOWN["nic-k-cone"].check(instance).status == "fails"
    assert KNOWN["nic-k-cone"].conclusion(instance).status != "holds"


def test_a_neuron_behind_another_gate_is_not_in_its_cone():
    instance = easy()
    X, gates = instance.gated
    for flip, status in ((False, "holds"), (True, "fails")):
        changed = np.array(gates)
        changed[0, 0] ^= flip
        moved = Instance.planted(GatedOperator(X, changed), instance.x)
        assert KNOWN["nic-k-cone"].check(moved).status == status
        assert KNOWN["nic-k"].check(moved).status == "holds"


def test_signs_of_activations_are_exact():
    w = np.array([1.0, 1.0, 1.0])
    # the sum is 2^-60 exactly, which is lost beside 1 in floating point
    X = np.array([[1.0, 2.0**-60, -1.0], [1.0, 1.0, 1.0], [0.0, 1.0, -1.0]])
    assert (X @ w)[0] == 0.0
    inside = neural_isometry._in_cone(X, np.array([True, True, False]), w)
    outside = neural_isometry._in_cone(X, np.array([False, True, True]), w)
    assert (inside.status, outside.status) == ("holds", "fails")


def test_a_planted_gate_that_lets_nothing_through_has_no_direction():
    # the first neuron reads an input that is 0, so all of y is the second one's
    operator = GatedOperator(np.array([[0.5, 0.0, 0.0]]), np.ones((1, 2), dtype=bool))
    instance = Instance.planted(operator, np.array([0.0, 0.0, 0.5, 0.5, 0.0, 0.0]))
    judgement = KNOWN["nic-k-normalised"].judge(instance)
    assert judgement.check.status == "fails"
    assert judgement.conclusion.status in ("holds", "fails", "unknown")
    assert not contradicts(KNOWN["nic-k-normalised"], instance)


def test_what_is_not_known_or_not_meant():
    instance = easy()
    X, gates = instance.gated
    for guarantee in KNOWN.values():
        assert guarantee.judge(Instance.planted(instance.matrix, instance.x)).check.status == "unknown"
        assert guarantee.judge(Instance(instance.A, instance.y, 3)).conclusion.status == "unknown"
    noisy = Instance.planted(instance.A, instance.x, np.full(30, 1e-3))
    assert KNOWN["nic-k"].judge(noisy).check.status == "fails"
    zero = KNOWN["nic-1"].judge(Instance.planted(instance.A, 0 * instance.x))
    assert (zero.check.status, zero.conclusion.status) == ("holds", "holds")
    few = Instance.planted(GatedOperator(X[:2], gates[:2]), instance.x)
    assert KNOWN["nic-k"].check(few).status == "fails"


def test_a_repeated_gate_is_no_recovery():
    instance = easy()
    X, gates = instance.gated
    twice = Instance.planted(GatedOperator(X, gates[:, [0, 0, 1]]), np.concatenate([instance.x, np.zeros(3)]))
    judgement = KNOWN["nic-1"].judge(twice)
    assert judgement.check.status == "fails"
    assert judgement.check.margin == 0.0
    assert judgement.conclusion.status == "unknown"  # the solution is another one, and as good


def test_the_outcome_fails_where_something_is_shorter():
    for seed in (35, 47, 76, 89):
        instance = gated_instance(seed, planted=(2, 3))
        X, gates = instance.gated
        assert KNOWN["nic-k"].conclusion(instance).status == "fails"
        assert condition(X, gates, instance.x, dual="best").value > 1


def test_the_sampler_is_reproducible_and_in_the_cones():
    first, second = (gated_instance(5, planted=(2, 3), cone=True) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)
    np.testing.assert_array_equal(first.x, second.x)
    for seed in range(20):
        instance = gated_instance(seed, planted=(1, 3), cone=True)
        X, gates = instance.gated
        for gate, w in zip(gates.T, instance.x.reshape(gates.shape[1], -1), strict=True):
            if w.any():
                signed = np.where(gate, 1, -1) * (X @ w) / (np.linalg.norm(X, axis=1) * np.linalg.norm(w) + 1e-300)
                assert signed.min() >= -1e-12 or signed.max() <= 1e-12


def test_a_gate_that_is_closed_somewhere_is_no_linear_part():
    instance = easy()
    assert not instance.gated[1][:, 0].all()
    assert KNOWN["nic-1"].check(instance).status == "holds"
    for name in ("nic-linear", "nic-linear-cone"):
        assert KNOWN[name].check(instance).status == "fails"


def test_nothing_beside_the_planted_gate_and_nothing_behind_it():
    X, w = np.random.default_rng(0).standard_normal((9, 2)), np.array([1.0, -2.0])
    alone = Instance.planted(GatedOperator(X, np.ones((9, 1), dtype=bool)), w)
    assert KNOWN["nic-linear"].judge(alone).conclusion.status == "holds"
    assert KNOWN["nic-linear-cone"].judge(alone).conclusion.status == "unknown"
    closed = Instance.planted(GatedOperator(X, np.eye(9, 2, dtype=bool)[::-1] & False), np.append(w, [0.0, 0.0]))
    for guarantee in KNOWN.values():
        assert not guarantee.judge(closed).violated
