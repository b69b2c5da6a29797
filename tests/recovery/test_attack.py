"""The attack breaks false statements, on every seed, and does not break true ones."""

import dataclasses
import itertools
import json
import math
import pickle
import time

import numpy as np
import pytest
import toy_guarantees as toy

from recovery import Instance
from recovery.guarantees import Verdict, attack, contradicts
from recovery.guarantees.engine.attack import move
from recovery.guarantees.engine.tally import afresh

FALSE = {
    "least squares, 1 in place of sqrt 2": toy.projection_bound(1.0, toy.plain),
    "least squares, 1.35 in place of sqrt 2": toy.projection_bound(1.35, toy.plain),
    "OMP, mu < 1/k": toy.coherence_bound(0.5),
    "OMP, mu < 0.4": toy.coherence_bound(0.4),
    "equivalence": toy.sign_rule(3),
    "probability": toy.tail_bound(0.1, 0.6),
}
TRUE = {
    "least squares": toy.projection_bound(math.sqrt(2.0), toy.plain),
    "OMP, mu < 1/3": toy.coherence_bound(1 / 3),
    "equivalence": toy.sign_rule(1),
    "probability": toy.tail_bound(0.1, 1.0),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_is_broken_on_every_seed(name, seed):
    guarantee = FALSE[name]
    found = attack(guarantee, rng=seed)
    assert (found.status, found.seed, found.guarantee) == ("broken", seed, guarantee.name)
    assert contradicts(guarantee, found.instance, 123)
    assert guarantee.judge(afresh(found.instance)).violated
    assert found.best_margin < 0.0
    assert 0 < found.n_decided <= found.n_evaluations
    assert found.n_decided <= found.n_held or guarantee.kind == "equivalence"
    assert str(found) == (
        f"{guarantee.name} is broken: instance {found.n_evaluations:,} of at most 10,000 contradicts it (seed {seed})"
    )


@pytest.mark.parametrize("name", TRUE)
def test_what_is_true_is_not_broken(name):
    found = attack(TRUE[name], evaluations=200, rng=0)
    assert (found.status, found.instance) == ("survived", None)
    assert 0 < found.n_decided <= found.n_evaluations <= 200
    assert found.best_margin >= 0.0


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUE)
def test_what_is_true_is_not_broken_by_more_tries_either(name):
    assert attack(TRUE[name], rng=1).status == "survived"


def test_the_known_counter_example_of_omp():
    m = 0.4  # any in (1/3, 1/2]
    gram = np.array([[1, -m, m], [-m, 1, m], [m, m, 1]])
    known = Instance.planted(np.linalg.cholesky(gram).T, np.array([1.0, 1.0, 0.0]))
    assert contradicts(toy.coherence_bound(0.5), known)
    assert not contradicts(toy.coherence_bound(1 / 3), known)


def facts(found):
    parts = () if found.instance is None else (found.instance.matrix, found.instance.x, found.instance.noise)
    return found.record(), [part.tobytes() for part in parts]


@pytest.mark.parametrize("guarantee", [FALSE["OMP, mu < 1/k"], TRUE["equivalence"], TRUE["probability"]])
def test_the_same_seed_gives_the_same_result_on_a_clock_that_races(guarantee, monkeypatch):
    first = attack(guarantee, evaluations=130, rng=3)
    now = itertools.count(0.0, 1e6)  # a machine so busy that each look at the clock takes eleven days
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    assert facts(attack(guarantee, evaluations=130, rng=3)) == facts(first)


def test_a_result_without_a_seed_says_which_it_drew():
    first = attack(FALSE["equivalence"])
    assert first.seed is not None
    assert facts(attack(FALSE["equivalence"], rng=first.seed)) == facts(first)
    assert attack(FALSE["equivalence"], rng=np.random.default_rng(0)).seed is None


def test_seconds_are_an_upper_limit_and_are_said(monkeypatch):
    now = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))
    found = attack(TRUE["OMP, mu < 1/3"], evaluations=1000, seconds=20, rng=0)
    assert found.status == "survived"
    assert 0 < found.n_evaluations <= 20
    assert "; the time limit of 20 s ended the attack before 1,000 evaluations (seed 0)" in found.message


def test_a_budget_of_nothing_is_said():
    for options in ({"evaluations": 0}, {"seconds": 0.0}):
        found = attack(FALSE["equivalence"], rng=0, **options)
        assert (found.status, found.n_evaluations, found.best_margin) == ("not tried", 0, math.inf)
        assert "sign-rule was not tested: no instance was tried" in found.message
    few = attack(FALSE["probability"], evaluations=39, rng=0)
    assert few.status == "not tried"
    assert "one takes 40 evaluations" in few.message


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="has no sampler"):
        attack(toy.projection_bound(1.0, sampler=None))
    with pytest.raises(ValueError, match=r"seconds=-1.0 is out of range"):
        attack(FALSE["equivalence"], seconds=-1.0)
    with pytest.raises(ValueError, match=r"evaluations=-1"):
        attack(FALSE["equivalence"], evaluations=-1)
    with pytest.raises(TypeError):
        attack(FALSE["equivalence"], 20.0)  # what once were seconds
    with pytest.raises(ValueError, match=r"confidence=2"):
        attack(FALSE["equivalence"], confidence=2.0)


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ({"hypotheses": lambda one: Verdict.of(False, "never")}, "never held", "hypotheses: fails (never)"),
        ({"hypotheses": lambda one: Verdict.unknown("dark")}, "never held", "hypotheses: unknown (dark)"),
        ({"outcome": lambda one: Verdict.unknown("mute")}, "undecided", "conclusion: unknown (mute)"),
    ],
)
def test_what_was_never_on_trial_did_not_survive(changes, status, sentence):
    found = attack(dataclasses.replace(FALSE["OMP, mu < 1/k"], **changes), evaluations=60, rng=0)
    assert (found.status, found.n_evaluations, found.n_decided, found.instance) == (status, 60, 0, None)
    assert found.best_margin == math.inf
    assert (found.n_held > 0) == (status == "undecided")
    assert sentence in found.message
    assert "was not tested" in found.message


def test_a_probability_without_a_law_or_a_decided_draw_was_not_on_trial():
    base = FALSE["probability"]
    lawless = dataclasses.replace(
        base, needs=("x", "noise"), hypotheses=lambda one: Verdict.of(True, "always"), sampler=toy.plain, steer=None
    )
    found = attack(lawless, evaluations=100, rng=0)
    assert found.status == "undecided"
    assert "the law of the noise is not given for this instance" in found.message
    mute = dataclasses.replace(base, outcome=lambda one: Verdict.unknown("mute"))
    found = attack(mute, evaluations=100, rng=0)
    assert (found.status, found.n_evaluations, found.n_held) == ("undecided", 80, 80)


def test_code_that_raises_is_no_survival():
    def fragile(instance):
        raise ZeroDivisionError("on purpose")

    always = dataclasses.replace(FALSE["OMP, mu < 1/k"], hypotheses=fragile)
    with pytest.raises(ZeroDivisionError, match="on purpose") as caught:
        attack(always, evaluations=30, rng=0)
    where, every, seed = caught.value.__notes__
    assert where.startswith("raised by the hypotheses of guarantee 'coherence-bound' on Instance(")
    assert every == "coherence-bound raised an error on each of the 30 instances tried"
    assert seed == "in the attack on 'coherence-bound', at instance 30; the seed 0 reproduces it"
    calls = itertools.count()

    def seldom(instance):
        if next(calls) % 3 == 2:
            raise ZeroDivisionError("on purpose")
        return TRUE["OMP, mu < 1/3"].hypotheses(instance)

    found = attack(dataclasses.replace(TRUE["OMP, mu < 1/3"], hypotheses=seldom), evaluations=90, rng=0)
    assert (found.status, found.n_errors) == ("survived", 30)
    assert (
        "the hypotheses of the guarantee raised an exception on 30 of the instances, first on number 3 ("
        in found.message
    )


def test_a_result_is_no_truth_value_and_can_be_stored():
    found = attack(TRUE["equivalence"], evaluations=20, rng=0)
    with pytest.raises(TypeError, match=r"neither true nor false; compare result\.status"):
        bool(found)
    assert json.loads(json.dumps(found.record()))["status"] == "survived"
    assert pickle.loads(pickle.dumps(found)) == found
    unheard = attack(TRUE["equivalence"], evaluations=0, rng=0)
    assert unheard.record()["best_margin"] is None


def test_a_probability_is_contradicted_by_its_rate_not_by_a_draw():
    guarantee = toy.tail_bound(0.1, 1.0)
    instance = guarantee.sampler(np.random.default_rng(0))
    bad = instance.replace(noise=np.full(instance.shape[0], 9.0))
    assert guarantee.conclusion(bad).status == "fails"
    assert not contradicts(guarantee, bad, 0)
    loud = instance.scaled(noise=3.5)
    assert guarantee.check(loud).status == "fails"
    assert not contradicts(guarantee, loud, 0)
    assert not contradicts(guarantee, instance.replace(law=None), 0)


def test_moves_change_something_and_keep_what_they_should():
    rng = np.random.default_rng(0)
    start = Instance.planted(
        rng.standard_normal((4, 3)), np.array([1.0, 0.0, 2.0]), rng.standard_normal(4), x0=rng.standard_normal(3)
    ).with_options(tau=1.0, flow_time=2.0, schedule="one-shot")
    changed = dict.fromkeys(("matrix", "x", "noise", "x0"), 0)
    for _ in range(300):
        moved = move(start, rng, options=("tau", "schedule"))
        for name in changed:
            changed[name] += not np.array_equal(getattr(moved, name), getattr(start, name))
        assert np.array_equal(moved.x != 0.0, start.x != 0.0)
        assert moved.options["flow_time"] == 2.0
        assert moved.options["schedule"] == "one-shot"
    assert min(changed.values()) > 60
    quiet = move(start.replace(noise=np.zeros(4)), rng)
    assert quiet.noise_free
    kept = [move(start, rng, fixed_noise=True) for _ in range(20)]
    assert all(np.array_equal(one.noise, start.noise) for one in kept)


def test_what_is_judged_afresh_shares_nothing():
    start = toy.plain(np.random.default_rng(0))
    again = afresh(start)
    assert not np.shares_memory(again.matrix, start.matrix)
    np.testing.assert_array_equal(again.matrix, start.matrix)
    np.testing.assert_allclose(again.y, start.y)
